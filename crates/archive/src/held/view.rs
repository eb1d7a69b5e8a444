//! Who waits, and with what.
//!
//! The list tells of senders: certificate, title, address, counts. What their objects are about
//! is read from the objects themselves, on record as an access to each study.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use leadglass_dicom::scan::{Identity, Limits, Scanner};
use leadglass_dicom::{DataSet, Tag, TransferSyntax, Uid, VR};

use super::{Decision, spool_failed};
use crate::access::requests;
use crate::administer::rfc3339;
use crate::brake::Taken;
use crate::spool::{Spool, SpoolRefused, Waiting};
use crate::trail::{Alert, Event, Outcome, Subject};
use crate::{Archive, Caller, Refused, blocking};

const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const STUDY_DATE: Tag = Tag(0x0008, 0x0020);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);
/// Most objects of an answer.
const MOST: usize = 1000;
/// Most characters of a value: PN, of three groups of 64 and what is between them.
const LONGEST: usize = 3 * 64 + 2;
/// What for, in the trail.
const PURPOSE: &str = "approval queue";

/// A sender of whom something waits. Nothing of any patient.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeldSender {
    /// What it is called here: 16 hexadecimal digits of certificate and title.
    pub sender: String,
    /// Its AE title, as it says.
    pub ae: String,
    /// SHA-256 of its certificate (DER), lower-case hex.
    pub certificate_sha256: String,
    /// The subject of its certificate.
    pub subject: String,
    /// When its certificate ends, RFC 3339.
    pub certificate_ends: Option<String>,
    /// The address it came from last.
    pub address: Option<IpAddr>,
    /// When the first of what waits came, RFC 3339.
    pub first: String,
    /// The last.
    pub last: String,
    /// When the first of it expires, RFC 3339.
    pub expires: String,
    /// Objects that wait.
    pub objects: u64,
    /// Bytes of them, as sealed.
    pub bytes: u64,
    /// A decision that is being carried out.
    pub decision: Option<Decision>,
}

/// An object that waits.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeldObject {
    /// Its number, in order of arrival.
    pub number: u64,
    /// When it came, RFC 3339.
    pub received: String,
    /// SOP Class UID.
    pub sop_class: String,
    /// SOP Instance UID.
    pub sop_instance: String,
    /// Bytes, as sealed.
    pub bytes: u64,
    /// What it is about; none when it is restricted and the reader is not cleared.
    pub about: Option<HeldAbout>,
}

/// What an object says it is about. Nobody has confirmed any of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeldAbout {
    /// Patient ID.
    pub patient_id: Option<String>,
    /// Patient's Name.
    pub patient_name: Option<String>,
    /// Study Instance UID.
    pub study: String,
    /// Series Instance UID.
    pub series: String,
    /// Study Date.
    pub study_date: Option<String>,
    /// Modality.
    pub modality: Option<String>,
}

impl Archive {
    /// The unknown senders of whom something waits, the longest waiting first.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn held(&self, caller: &Caller) -> Result<Vec<HeldSender>, Refused> {
        self.perform(caller, requests::ListHeld, async |_| Ok(self.held_senders())).await
    }

    /// What waits of one sender, above a number, at most so many of a thousand. Whom it is about
    /// is on record as accessed before this returns.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when nothing of it waits, [`Refused::Braked`] beyond the caller's
    /// envelope.
    pub async fn held_objects(
        &self,
        caller: &Caller,
        sender: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<HeldObject>, Refused> {
        let request = requests::ReadHeld { sender: sender.to_owned() };
        let (granted, entry) = self.begin(caller, request).await?;
        let read = async {
            let spool = self.inner.held.spool()?.clone();
            let all = spool.waiting_of(sender, u64::MAX);
            if all.is_empty() {
                return Err(Refused::NotFound);
            }
            let page: Vec<Waiting> = all.into_iter().filter(|one| one.number > after).take(limit.min(MOST)).collect();
            let scan = self.inner.settings.scan.clone();
            let read =
                blocking(move || page.into_iter().map(|one| (about(&spool, &one, &scan), one)).collect::<Vec<_>>());
            let mut objects = Vec::new();
            for (about, one) in read.await? {
                let admitted = |about: &HeldAbout| {
                    granted.scope().is_everything() || {
                        let study = leadglass_dicom::StudyInstanceUid::parse(&about.study);
                        let patient_id = about.patient_id.as_deref();
                        study.is_ok_and(|study| {
                            granted.scope().admits(&header(about), &self.inner.registry.marks_of(&study, patient_id))
                        })
                    }
                };
                objects.push(object(&one, about.ok().filter(admitted)));
            }
            self.brake_looking(caller, &objects).await?;
            self.record_looked_at(caller, &objects).await?;
            Ok(objects)
        };
        let read = read.await;
        entry.count(read.as_ref().map_or(0, |objects| objects.len() as u64));
        entry.close(Outcome::of(&read));
        read
    }

    /// Counts the patients that objects tell of, as rows of a search are counted; beyond the
    /// caller's envelope nothing is told.
    async fn brake_looking(&self, caller: &Caller, objects: &[HeldObject]) -> Result<(), Refused> {
        let told_of = |about: &HeldAbout| about.patient_id.clone().unwrap_or_else(|| about.study.clone());
        let listed = objects.iter().filter_map(|object| object.about.as_ref()).map(told_of).collect();
        self.brake(caller, Taken { listed, ..Taken::default() }).await
    }

    /// PS3.15 A.5.3.6, study by study.
    async fn record_looked_at(&self, caller: &Caller, objects: &[HeldObject]) -> Result<(), Refused> {
        for subject in subjects(objects.iter().filter_map(|object| object.about.as_ref())) {
            let subject = Subject { purpose: Some(PURPOSE.into()), ..subject };
            self.alert_durably(Alert::of(Event::InstancesAccessed).by(caller).about(subject)).await?;
        }
        Ok(())
    }

    pub(super) fn held_senders(&self) -> Vec<HeldSender> {
        let Ok(spool) = self.inner.held.spool() else { return Vec::new() };
        let mut senders: BTreeMap<String, HeldSender> = BTreeMap::new();
        let mut order = Vec::new();
        for waiting in spool.all_waiting() {
            let id = waiting.sender.to_string();
            let row = senders.entry(id.clone()).or_insert_with(|| {
                order.push(id.clone());
                self.held_sender(id, &waiting)
            });
            row.objects += 1;
            row.bytes += waiting.bytes;
            row.last = rfc3339(time(waiting.sheet.received_ns));
            row.address = waiting.sheet.shown.as_ref().and_then(|shown| shown.address);
        }
        order.iter().filter_map(|id| senders.remove(id)).collect()
    }

    /// The row of a sender by the first of its objects, which is not counted yet.
    fn held_sender(&self, sender: String, first: &Waiting) -> HeldSender {
        let shown = first.sheet.shown.clone().unwrap_or_default();
        let received = time(first.sheet.received_ns);
        let decision = self.inner.registry.held(&sender).map(|held| held.decision);
        HeldSender {
            ae: first.sheet.calling_ae.clone(),
            certificate_sha256: shown.certificate_sha256,
            subject: shown.subject,
            certificate_ends: shown.expires_s.and_then(|s| u64::try_from(s).ok()).map(|s| rfc3339(time_s(s))),
            address: shown.address,
            first: rfc3339(received),
            last: rfc3339(received),
            expires: rfc3339(received + self.inner.held.settings.expires),
            objects: 0,
            bytes: 0,
            decision: decision.filter(|decision| *decision != Decision::CarriedOut),
            sender,
        }
    }
}

/// When that was, from nanoseconds.
pub(super) fn time(ns: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(ns).unwrap_or_default())
}

fn time_s(seconds: u64) -> SystemTime {
    // Beyond what a certificate can say (year 9999) nothing is believed.
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799))
}

/// What an object is about, from its first bytes. Blocks.
pub(super) fn about(spool: &Spool, waiting: &Waiting, scan: &Limits) -> Result<HeldAbout, Refused> {
    let damaged = || spool_failed(&SpoolRefused::Damaged(waiting.number));
    let mut reader = spool.read_blocking(waiting.number).map_err(|refused| spool_failed(&refused))?;
    let syntax = Uid::parse(&waiting.sheet.transfer_syntax).map_err(|_| damaged())?;
    let limits = Limits { data_set_bytes: reader.bytes().max(1), ..scan.clone() };
    let mut scanner = Scanner::new(&TransferSyntax::from_uid(syntax), limits);
    while scanner.identity().is_none() {
        let piece = reader.next_blocking().map_err(|refused| spool_failed(&refused))?.ok_or_else(damaged)?;
        scanner.push(&piece).map_err(|_| damaged())?;
    }
    let Identity { study, series, patient_id, .. } = scanner.identity().cloned().ok_or_else(damaged)?;
    let text = |tag| scanner.text(tag).map(shortened);
    Ok(HeldAbout {
        patient_id: patient_id.as_deref().map(shortened),
        patient_name: text(PATIENT_NAME),
        study: study.to_string(),
        series: series.to_string(),
        study_date: text(STUDY_DATE),
        modality: text(MODALITY),
    })
}

/// No value of these attributes is longer where the standard is kept (PS3.5 6.2): nobody has
/// accepted these, and a thousand of them are held together.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// The studies that these are of, each with its patient and how many.
pub(super) fn subjects<'a>(objects: impl Iterator<Item = &'a HeldAbout>) -> Vec<Subject> {
    let mut subjects: BTreeMap<(&str, Option<&str>), Subject> = BTreeMap::new();
    for about in objects {
        let subject = subjects.entry((&about.study, about.patient_id.as_deref())).or_insert_with(|| Subject {
            study: Some(about.study.clone()),
            patient_id: about.patient_id.clone(),
            patient_name: about.patient_name.clone(),
            ..Subject::default()
        });
        subject.count += 1;
    }
    subjects.into_values().collect()
}

fn object(waiting: &Waiting, about: Option<HeldAbout>) -> HeldObject {
    HeldObject {
        number: waiting.number,
        received: rfc3339(time(waiting.sheet.received_ns)),
        sop_class: waiting.sheet.sop_class.clone(),
        sop_instance: waiting.sheet.sop_instance.clone(),
        bytes: waiting.bytes,
        about,
    }
}

fn header(about: &HeldAbout) -> DataSet {
    let mut header = DataSet::new();
    header.put_text(STUDY_INSTANCE_UID, VR::UI, &about.study);
    for (tag, vr, value) in [(PATIENT_ID, VR::LO, &about.patient_id), (MODALITY, VR::CS, &about.modality)] {
        if let Some(value) = value {
            header.put_text(tag, vr, value);
        }
    }
    header
}
