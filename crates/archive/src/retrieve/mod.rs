//! Handing out: C-GET, C-MOVE, WADO and export are one operation.

mod commitment;
mod data_set;
mod frame;
mod metadata;
mod retrieval;

use leadglass_dicom::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntax};

pub use commitment::{Commitment, SopReference};
pub use data_set::DataSetReader;
pub(crate) use metadata::{attributes, summarize};
pub use retrieval::Retrieval;

use crate::access::decide::Request;
use crate::access::{Granted, GrantedScope};
use crate::index::{Index, KnownInstance};
use crate::trail::Subject;
use crate::{Archive, Caller, Operation, Refused, Selection, blocking, index_failed, look_up};

/// What for, as the trail says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To the caller: C-GET, WADO.
    ToCaller,
    /// To another AE: C-MOVE.
    ToPeer(String),
    /// The caller reads frame by frame or instance by instance (one trail entry for many).
    Viewing,
}

impl Purpose {
    /// As the trail says it.
    fn text(&self) -> String {
        match self {
            Purpose::ToCaller => "to the caller".into(),
            Purpose::ToPeer(ae) => format!("to {ae}"),
            Purpose::Viewing => "viewing".into(),
        }
    }
}

/// A stored instance, as much as one needs to hand it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInstance {
    /// Study Instance UID.
    pub study: StudyInstanceUid,
    /// Series Instance UID.
    pub series: SeriesInstanceUid,
    /// SOP Instance UID.
    pub sop_instance: SopInstanceUid,
    /// SOP Class UID.
    pub sop_class: SopClassUid,
    /// The syntax it came in and is kept in.
    pub transfer_syntax: TransferSyntax,
    /// Bytes of the data set as it came.
    pub data_set_bytes: u64,
    /// BLAKE3 of the data set as it came.
    pub digest: [u8; 32],
    /// Number of Frames, 0 when there are no pixels.
    pub frames: u32,
}

impl From<&KnownInstance> for StoredInstance {
    fn from(known: &KnownInstance) -> StoredInstance {
        StoredInstance {
            study: known.study.clone(),
            series: known.series.clone(),
            sop_instance: known.sop_instance.clone(),
            sop_class: known.sop_class.clone(),
            transfer_syntax: known.transfer_syntax.clone(),
            data_set_bytes: known.data_set_bytes,
            digest: known.digest,
            frames: known.frames,
        }
    }
}

/// The request to hand out.
#[derive(Clone, Debug)]
pub(crate) struct RetrieveRequest {
    /// Which instances.
    pub(crate) selection: Selection,
    /// What for.
    pub(crate) purpose: Purpose,
}

impl Request for RetrieveRequest {
    const OPERATION: Operation = Operation::Retrieve;

    fn is_look(&self) -> bool {
        self.purpose == Purpose::Viewing
    }

    fn destination(&self) -> Option<&str> {
        match &self.purpose {
            Purpose::ToPeer(ae) => Some(ae),
            Purpose::ToCaller | Purpose::Viewing => None,
        }
    }

    fn subject(&self) -> Subject {
        let one = |texts: Vec<String>| (texts.len() == 1).then(|| texts.into_iter().next()).flatten();
        Subject {
            patient_id: one(self.selection.patient_ids.clone()),
            study: one(self.selection.studies.iter().map(ToString::to_string).collect()),
            purpose: Some(self.purpose.text()),
            ..Subject::default()
        }
    }
}

impl Archive {
    /// Opens the way to the instances selected, in the order study, series, instance number.
    /// That they are handed out is durable in the trail when this returns.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when the caller may see none of them, or whom they go to may not.
    pub async fn retrieve(
        &self,
        caller: &Caller,
        selection: Selection,
        purpose: Purpose,
    ) -> Result<Retrieval, Refused> {
        let viewing = purpose == Purpose::Viewing;
        let request = RetrieveRequest { selection, purpose };
        let select = async |granted: &Granted<RetrieveRequest>| {
            self.select(granted.request().selection.clone(), granted.scope().clone()).await
        };
        let selected = self.perform_access(caller, request, select).await?;
        Ok(Retrieval::new(self.clone(), caller.clone(), selected, viewing))
    }

    /// The instances of a selection that are in a scope that was granted.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none.
    pub(crate) async fn select(
        &self,
        selection: Selection,
        scope: GrantedScope,
    ) -> Result<Vec<KnownInstance>, Refused> {
        let is_one = selection.instances.len() == 1;
        let select = move |index: &Index| index.select(&selection, &scope);
        let found = if is_one {
            look_up(&self.inner.index, select).await?
        } else {
            let index = self.inner.index.clone();
            blocking(move || select(&index)).await?.map_err(|error| index_failed(&error))?
        };
        if found.is_empty() { Err(Refused::NotFound) } else { Ok(found) }
    }
}
