//! Instances on their way out, de-identified chunk by chunk.

use std::sync::Arc;

use bytes::Bytes;
use leadglass_dicom::deidentify::{Deidentifier, Examination, Plan, Profile, Pseudonyms, Refusal, Report};
use leadglass_dicom::scan::Limits;
use leadglass_dicom::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntax};

use crate::Refused;
use crate::retrieve::{DataSetReader, Retrieval, StoredInstance};

/// Instances granted to a caller without what identifies. Dropping it before
/// [`Deidentified::complete`] records an interruption.
pub struct Deidentified {
    retrieval: Retrieval,
    profile: Profile,
    pseudonyms: Pseudonyms,
    limits: Limits,
}

/// An instance that the profile vouches for, as it will be known outside.
#[derive(Clone, Debug)]
pub struct Outgoing {
    at: usize,
    plan: Arc<Plan>,
    /// Its SOP class.
    pub sop_class: SopClassUid,
    /// Its Study Instance UID outside.
    pub study: StudyInstanceUid,
    /// Its Series Instance UID outside.
    pub series: SeriesInstanceUid,
    /// Its SOP Instance UID outside.
    pub sop_instance: SopInstanceUid,
    /// The transfer syntax it comes in.
    pub transfer_syntax: TransferSyntax,
}

impl Deidentified {
    pub(super) fn new(retrieval: Retrieval, profile: Profile, pseudonyms: Pseudonyms, limits: Limits) -> Deidentified {
        Deidentified { retrieval, profile, pseudonyms, limits }
    }

    /// How many instances were granted.
    pub fn len(&self) -> usize {
        self.retrieval.instances().len()
    }

    /// Whether none was, which does not happen.
    pub fn is_empty(&self) -> bool {
        self.retrieval.instances().is_empty()
    }

    /// Looks at one, counted from 0, up to its pixels: whether the profile vouches for it.
    ///
    /// # Errors
    /// [`Refused::NotFound`] beyond the last. What cannot be read is refused by the inner result.
    pub async fn examine(&self, at: usize) -> Result<Result<Outgoing, Refusal>, Refused> {
        let instance = self.instance(at)?;
        let mut examination = Examination::new(&instance.transfer_syntax, &self.limits);
        let mut reader = match self.retrieval.look(instance).await {
            Err(Refused::Damaged(_)) => return Ok(Err(Refusal::Unreadable)),
            reader => reader?,
        };
        while !examination.is_done() {
            let chunk = match reader.next_chunk().await {
                Err(Refused::Damaged(_)) => return Ok(Err(Refusal::Unreadable)),
                chunk => chunk?,
            };
            let Some(chunk) = chunk else { break };
            if examination.push(&chunk).is_err() {
                return Ok(Err(Refusal::Unreadable));
            }
        }
        let facts = examination.facts();
        Ok(Plan::new(&self.profile, &self.pseudonyms, &instance.transfer_syntax, &facts).map(|plan| Outgoing {
            at,
            sop_class: instance.sop_class.clone(),
            study: plan.uid(instance.study.as_uid()).into(),
            series: plan.uid(instance.series.as_uid()).into(),
            sop_instance: plan.sop_instance(&instance.sop_instance),
            transfer_syntax: plan.transfer_syntax().clone(),
            plan: Arc::new(plan),
        }))
    }

    /// Bytes of the data set as it is stored; what comes out is about as large.
    pub fn data_set_bytes(&self, outgoing: &Outgoing) -> u64 {
        self.retrieval.instances().get(outgoing.at).map_or(0, |instance| instance.data_set_bytes)
    }

    /// Opens one that was vouched for, to be read from its first byte; it is handed out.
    ///
    /// # Errors
    /// [`Refused::Damaged`] when its record is.
    pub async fn open(&self, outgoing: &Outgoing) -> Result<DeidentifiedReader, Refused> {
        let reader = self.retrieval.open(self.instance(outgoing.at)?).await?;
        Ok(self.reader(reader, outgoing))
    }

    /// What would be done to one that was vouched for; nothing of it is handed out.
    ///
    /// # Errors
    /// As [`Deidentified::open`].
    pub async fn rehearse(&self, outgoing: &Outgoing) -> Result<Report, Refused> {
        let reader = self.retrieval.look(self.instance(outgoing.at)?).await?;
        let mut reader = self.reader(reader, outgoing);
        while reader.next_chunk().await?.is_some() {}
        Ok(reader.report.unwrap_or_default())
    }

    /// Whether whoever it was granted to would still be let in.
    pub fn is_current(&self) -> bool {
        self.retrieval.is_current()
    }

    /// All that was asked for has left, or was looked at.
    ///
    /// # Errors
    /// As [`Retrieval::complete`].
    pub async fn complete(self) -> Result<(), Refused> {
        self.retrieval.complete().await
    }

    fn instance(&self, at: usize) -> Result<&StoredInstance, Refused> {
        self.retrieval.instances().get(at).ok_or(Refused::NotFound)
    }

    fn reader(&self, reader: DataSetReader, outgoing: &Outgoing) -> DeidentifiedReader {
        let deidentifier = Deidentifier::new(outgoing.plan.clone(), &self.limits);
        DeidentifiedReader { reader, deidentifier: Some(deidentifier), report: None }
    }
}

/// Reads a data set without what identifies, in order.
pub struct DeidentifiedReader {
    reader: DataSetReader,
    deidentifier: Option<Deidentifier>,
    report: Option<Report>,
}

impl DeidentifiedReader {
    /// The next bytes, `None` at the end.
    ///
    /// # Errors
    /// [`Refused::Damaged`] when the bytes are not those that were stored or do not parse to
    /// their end: what came before is not a whole object.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Refused> {
        let unreadable = |_| Refused::Damaged("a stored data set does not parse to its end".into());
        while let Some(mut deidentifier) = self.deidentifier.take() {
            let mut out = Vec::new();
            match self.reader.next_chunk().await? {
                Some(chunk) => {
                    out.reserve(chunk.len());
                    deidentifier.push(&chunk, &mut out).map_err(unreadable)?;
                    self.deidentifier = Some(deidentifier);
                }
                None => self.report = Some(deidentifier.finish(&mut out).map_err(unreadable)?),
            }
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
        Ok(None)
    }

    /// What was done, after the last bytes.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}
