//! What became of each instance of a store request, and the answer that tells it:
//! the Store Instances Response, PS3.18 10.5.3 and Annex I.2.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use leadglass_archive::Refused;
use leadglass_archive::store::{StoreOutcome, StoreRefused, Stored};
use leadglass_dicom::{DataSet, StudyInstanceUid, Tag, VR, Value, json, xml};

use super::super::target::{series_url, study_url};
use super::super::{DICOM_XML, body};
use crate::web::Problem;

const RETRIEVE_URL: Tag = Tag(0x0008, 0x1190);
const FAILURE_REASON: Tag = Tag(0x0008, 0x1197);
const FAILED_SOP_SEQUENCE: Tag = Tag(0x0008, 0x1198);
const REFERENCED_SOP_SEQUENCE: Tag = Tag(0x0008, 0x1199);
const OTHER_FAILURES_SEQUENCE: Tag = Tag(0x0008, 0x119A);
const REFERENCED_SOP_CLASS_UID: Tag = Tag(0x0008, 0x1150);
const REFERENCED_SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x1155);

/// Failure reasons of PS3.18 Table I.2-2 and PS3.7 Annex C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// 0110H: our fault.
    ProcessingFailure = 0x0110,
    /// 0111H: other bytes are stored under that SOP Instance UID.
    DuplicateSopInstance = 0x0111,
    /// 0124H.
    NotAuthorized = 0x0124,
    /// A700H.
    OutOfResources = 0xA700,
    /// A900H: not what was announced.
    DoesNotMatch = 0xA900,
    /// C000H: no data set.
    CannotUnderstand = 0xC000,
}

/// Why an instance was not stored, as far as the answer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason.
    pub reason: FailureReason,
    /// SOP Class UID, when the sender named one.
    pub sop_class: Option<String>,
    /// SOP Instance UID, when the sender named one.
    pub sop_instance: Option<String>,
}

/// What became of one instance.
pub type Outcome = Result<Stored, Failure>;

impl Failure {
    /// A failure of something that has not said what it is.
    pub fn of_unknown(reason: FailureReason) -> Failure {
        Failure { reason, sop_class: None, sop_instance: None }
    }
}

impl From<&StoreRefused> for FailureReason {
    fn from(refused: &StoreRefused) -> FailureReason {
        match refused {
            StoreRefused::CannotUnderstand(_) => FailureReason::CannotUnderstand,
            StoreRefused::DoesNotMatch(_) => FailureReason::DoesNotMatch,
            StoreRefused::Refused(refused) => match refused {
                Refused::NotAllowed | Refused::NotFound => FailureReason::NotAuthorized,
                Refused::OutOfResources(_) | Refused::ReadOnly(_) | Refused::Braked { .. } => {
                    FailureReason::OutOfResources
                }
                Refused::Invalid(_) => FailureReason::CannotUnderstand,
                Refused::Damaged(_) | Refused::Broken(_) => FailureReason::ProcessingFailure,
            },
        }
    }
}

/// The study of all that were stored, when it is one.
pub fn one_study(outcomes: &[Outcome]) -> Option<&StudyInstanceUid> {
    let mut studies = outcomes.iter().flatten().map(|stored| &stored.study);
    let first = studies.next()?;
    studies.all(|study| study == first).then_some(first)
}

/// The answer to a store request, PS3.18 Table 10.5.3-1: 200 when all were stored, 202 when
/// some, 409 when none, 507 when none for want of room.
pub fn answer(outcomes: Vec<Outcome>, public_url: &str, essence: &str) -> Result<Response, Problem> {
    let outcomes: Vec<Outcome> = outcomes.into_iter().map(quarantined_is_failed).collect();
    let status = status(&outcomes);
    let data_set = store_instances_response(outcomes, public_url);
    let mut out = Vec::new();
    match essence == DICOM_XML {
        true => xml::write(&data_set, &mut out, &mut |_, _| String::new()),
        false => json::write(&data_set, &mut out, &mut |_, _| String::new()),
    }
    let mut response = Response::new(body::pieces([out.into()]));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_str(essence).map_err(Problem::internal)?;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

/// Bytes in quarantine are kept, but not as what the sender wanted stored.
fn quarantined_is_failed(outcome: Outcome) -> Outcome {
    match outcome {
        Ok(stored) if stored.outcome == StoreOutcome::Quarantined => Err(Failure {
            reason: FailureReason::DuplicateSopInstance,
            sop_class: Some(stored.sop_class.to_string()),
            sop_instance: Some(stored.sop_instance.to_string()),
        }),
        other => other,
    }
}

fn status(outcomes: &[Outcome]) -> StatusCode {
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let no_room =
        |outcome: &Outcome| matches!(outcome, Err(failure) if failure.reason == FailureReason::OutOfResources);
    match stored {
        _ if stored == outcomes.len() => StatusCode::OK,
        0 if outcomes.iter().all(no_room) => StatusCode::INSUFFICIENT_STORAGE,
        0 => StatusCode::CONFLICT,
        _ => StatusCode::ACCEPTED,
    }
}

fn store_instances_response(outcomes: Vec<Outcome>, public_url: &str) -> DataSet {
    let (mut referenced, mut failed, mut other) = (Vec::new(), Vec::new(), Vec::new());
    let mut studies = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(stored) => {
                referenced.push(reference(&stored, public_url));
                if !studies.contains(&stored.study) && studies.len() < 2 {
                    studies.push(stored.study);
                }
            }
            Err(failure) if failure.sop_instance.is_some() => failed.push(failed_item(failure)),
            Err(failure) => other.push(failed_item(failure)),
        }
    }
    let mut response = DataSet::new();
    if let [study] = studies.as_slice() {
        response.put_text(RETRIEVE_URL, VR::UR, study_url(public_url, study));
    }
    for (tag, items) in
        [(REFERENCED_SOP_SEQUENCE, referenced), (FAILED_SOP_SEQUENCE, failed), (OTHER_FAILURES_SEQUENCE, other)]
    {
        if !items.is_empty() {
            response.put(tag, VR::SQ, Value::Sequence(items));
        }
    }
    response
}

fn reference(stored: &Stored, public_url: &str) -> DataSet {
    let mut item = DataSet::new();
    item.put_text(REFERENCED_SOP_CLASS_UID, VR::UI, stored.sop_class.to_string());
    item.put_text(REFERENCED_SOP_INSTANCE_UID, VR::UI, stored.sop_instance.to_string());
    let series = series_url(public_url, &stored.study, &stored.series);
    item.put_text(RETRIEVE_URL, VR::UR, format!("{series}/instances/{}", stored.sop_instance));
    item
}

fn failed_item(failure: Failure) -> DataSet {
    let mut item = DataSet::new();
    if let Some(sop_instance) = failure.sop_instance {
        item.put_text(REFERENCED_SOP_CLASS_UID, VR::UI, failure.sop_class.unwrap_or_default());
        item.put_text(REFERENCED_SOP_INSTANCE_UID, VR::UI, sop_instance);
    }
    item.put(FAILURE_REASON, VR::US, Value::Unsigned(vec![failure.reason as u64]));
    item
}

#[cfg(test)]
mod tests {
    use leadglass_dicom::Uid;

    use super::*;

    fn stored(outcome: StoreOutcome) -> Outcome {
        let uid = |text: &str| Uid::parse(text).unwrap();
        Ok(Stored {
            sop_class: uid("1.4").into(),
            sop_instance: uid("1.3").into(),
            study: uid("1.1").into(),
            series: uid("1.2").into(),
            outcome,
        })
    }

    fn failed(reason: FailureReason) -> Outcome {
        Err(Failure::of_unknown(reason))
    }

    #[test]
    fn the_status_says_how_many_were_stored() {
        use FailureReason::{CannotUnderstand, OutOfResources};
        use StoreOutcome::{AlreadyThere, Kept};
        let of = |outcomes: Vec<Outcome>| status(&outcomes).as_u16();
        assert_eq!(of(vec![stored(Kept), stored(AlreadyThere)]), 200);
        assert_eq!(of(vec![stored(Kept), failed(CannotUnderstand)]), 202);
        assert_eq!(of(vec![failed(CannotUnderstand), failed(OutOfResources)]), 409);
        assert_eq!(of(vec![failed(OutOfResources)]), 507);
        assert_eq!(of(vec![quarantined_is_failed(stored(StoreOutcome::Quarantined))]), 409);
    }

    #[test]
    fn the_response_names_what_it_knows() {
        let outcomes = vec![
            stored(StoreOutcome::Kept),
            quarantined_is_failed(stored(StoreOutcome::Quarantined)),
            failed(FailureReason::CannotUnderstand),
        ];
        let response = store_instances_response(outcomes, "https://h");
        assert_eq!(response.text(RETRIEVE_URL), Some("https://h/dicom-web/studies/1.1"));
        let item = &response.items(REFERENCED_SOP_SEQUENCE)[0];
        assert_eq!(item.text(RETRIEVE_URL), Some("https://h/dicom-web/studies/1.1/series/1.2/instances/1.3"));
        assert_eq!(response.items(FAILED_SOP_SEQUENCE)[0].integer(FAILURE_REASON), Some(0x0111));
        let unknown = &response.items(OTHER_FAILURES_SEQUENCE)[0];
        assert_eq!((unknown.integer(FAILURE_REASON), unknown.len()), (Some(0xC000), 1));
    }
}
