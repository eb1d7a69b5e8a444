//! The services that a stranger asks for, all in one association.
//!
//! Each has its place in the table, from which its presentation context id comes; an
//! acceptance is kept as one bit for each place.

/// What a service is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Verification.
    Verification,
    /// Searching, worklists apart.
    Query,
    /// Modality worklist.
    Worklist,
    /// C-MOVE and C-GET.
    Retrieve,
    /// Storing.
    Storage,
    /// For the role selection that C-GET wants: never counted as storing.
    GetSubOperation,
    /// Storage commitment, MPPS, print, instance availability.
    Other,
}

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) sop_class: &'static str,
    pub(super) kind: Kind,
}

/// Place of Verification.
pub(super) const VERIFICATION: usize = 0;
/// Place of Study Root Query/Retrieve FIND.
pub(super) const STUDY_ROOT_FIND: usize = 1;
/// Place of Patient Root Query/Retrieve FIND.
pub(super) const PATIENT_ROOT_FIND: usize = 2;
/// Place of Patient/Study Only FIND.
pub(super) const PATIENT_STUDY_ONLY_FIND: usize = 3;
/// Place of Modality Worklist FIND.
pub(super) const WORKLIST_FIND: usize = 4;

/// SOP Class UIDs are of PS3.6 Table A-1.
pub(super) static SERVICES: [Service; 37] = [
    service("verification", "1.2.840.10008.1.1", Kind::Verification),
    service("study-root-find", "1.2.840.10008.5.1.4.1.2.2.1", Kind::Query),
    service("patient-root-find", "1.2.840.10008.5.1.4.1.2.1.1", Kind::Query),
    service("patient-study-only-find", "1.2.840.10008.5.1.4.1.2.3.1", Kind::Query),
    service("worklist-find", "1.2.840.10008.5.1.4.31", Kind::Worklist),
    service("ups-push", "1.2.840.10008.5.1.4.34.6.1", Kind::Query),
    service("ups-watch", "1.2.840.10008.5.1.4.34.6.2", Kind::Query),
    service("ups-pull", "1.2.840.10008.5.1.4.34.6.3", Kind::Query),
    service("ups-event", "1.2.840.10008.5.1.4.34.6.4", Kind::Query),
    service("ups-query", "1.2.840.10008.5.1.4.34.6.5", Kind::Query),
    service("patient-information-query", "1.2.840.10008.5.1.4.37.1", Kind::Query),
    service("study-root-move", "1.2.840.10008.5.1.4.1.2.2.2", Kind::Retrieve),
    service("patient-root-move", "1.2.840.10008.5.1.4.1.2.1.2", Kind::Retrieve),
    service("patient-study-only-move", "1.2.840.10008.5.1.4.1.2.3.2", Kind::Retrieve),
    service("study-root-get", "1.2.840.10008.5.1.4.1.2.2.3", Kind::Retrieve),
    service("patient-root-get", "1.2.840.10008.5.1.4.1.2.1.3", Kind::Retrieve),
    service("patient-study-only-get", "1.2.840.10008.5.1.4.1.2.3.3", Kind::Retrieve),
    service("ct-storage", "1.2.840.10008.5.1.4.1.1.2", Kind::Storage),
    service("enhanced-ct-storage", "1.2.840.10008.5.1.4.1.1.2.1", Kind::Storage),
    service("cr-storage", "1.2.840.10008.5.1.4.1.1.1", Kind::Storage),
    service("dx-storage", "1.2.840.10008.5.1.4.1.1.1.1", Kind::Storage),
    service("us-storage", "1.2.840.10008.5.1.4.1.1.6.1", Kind::Storage),
    service("secondary-capture-storage", "1.2.840.10008.5.1.4.1.1.7", Kind::Storage),
    service("xa-storage", "1.2.840.10008.5.1.4.1.1.12.1", Kind::Storage),
    service("structured-report-storage", "1.2.840.10008.5.1.4.1.1.88.11", Kind::Storage),
    service("encapsulated-pdf-storage", "1.2.840.10008.5.1.4.1.1.104.1", Kind::Storage),
    service("mr-storage", "1.2.840.10008.5.1.4.1.1.4", Kind::GetSubOperation),
    service("storage-commitment", "1.2.840.10008.1.20.1", Kind::Other),
    service("mpps", "1.2.840.10008.3.1.2.3.3", Kind::Other),
    service("mpps-retrieve", "1.2.840.10008.3.1.2.3.4", Kind::Other),
    service("mpps-notification", "1.2.840.10008.3.1.2.3.5", Kind::Other),
    service("grayscale-print", "1.2.840.10008.5.1.1.9", Kind::Other),
    service("color-print", "1.2.840.10008.5.1.1.18", Kind::Other),
    service("printer", "1.2.840.10008.5.1.1.16", Kind::Other),
    service("presentation-lut", "1.2.840.10008.5.1.1.23", Kind::Other),
    service("instance-availability", "1.2.840.10008.5.1.4.33", Kind::Other),
    service("study-content-notification", "1.2.840.10008.1.9", Kind::Other),
];

/// Names of all services, for reports.
pub const SERVICE_NAMES: &[&str] = &{
    let mut names = [""; SERVICES.len()];
    let mut at = 0;
    while at < SERVICES.len() {
        names[at] = SERVICES[at].name;
        at += 1;
    }
    names
};

const fn service(name: &'static str, sop_class: &'static str, kind: Kind) -> Service {
    Service { name, sop_class, kind }
}

/// The presentation context id of a place: odd, from 1 (PS3.8 §9.3.2.2).
pub(super) fn context_id(place: usize) -> u8 {
    u8::try_from(place * 2 + 1).unwrap_or(u8::MAX)
}

/// The place of a presentation context id, when we propose it at all.
pub(super) fn place_of(context_id: u8) -> Option<usize> {
    let place = usize::from(context_id / 2);
    (context_id % 2 == 1 && place < SERVICES.len()).then_some(place)
}

#[cfg(test)]
mod tests {
    use leadglass_dicom::Uid;

    use super::*;

    #[test]
    fn every_service_has_its_own_uid_name_and_context() {
        for (place, service) in SERVICES.iter().enumerate() {
            assert!(Uid::parse(service.sop_class).is_ok(), "{}", service.name);
            assert_eq!(place_of(context_id(place)), Some(place));
            let others = SERVICES.iter().skip(place + 1);
            assert!(
                others.clone().all(|other| other.sop_class != service.sop_class && other.name != service.name),
                "{} comes twice",
                service.name
            );
        }
        assert!(SERVICES.len() <= 64, "one bit each");
        assert_eq!(place_of(2), None);
        assert_eq!(place_of(255), None);
        for (place, name) in [
            (VERIFICATION, "verification"),
            (STUDY_ROOT_FIND, "study-root-find"),
            (PATIENT_ROOT_FIND, "patient-root-find"),
            (PATIENT_STUDY_ONLY_FIND, "patient-study-only-find"),
            (WORKLIST_FIND, "worklist-find"),
        ] {
            assert_eq!(SERVICES[place].name, name);
        }
    }
}
