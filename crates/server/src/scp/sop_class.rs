//! Which SOP classes and transfer syntaxes the archive speaks, and what each asks of it.

use std::collections::HashSet;

use leadglass_archive::operation::Operation;
use leadglass_dicom::query::Root;
use leadglass_dicom::{Encoding, TransferSyntax, Uid};

/// Verification, PS3.4 A.
pub const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Storage Commitment Push Model, PS3.4 J.
pub const STORAGE_COMMITMENT_PUSH: &str = "1.2.840.10008.1.20.1";
/// Its well-known instance.
pub const STORAGE_COMMITMENT_PUSH_INSTANCE: &str = "1.2.840.10008.1.20.1.1";

/// What a SOP class is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// C-ECHO.
    Verification,
    /// C-STORE.
    Storage,
    /// C-FIND.
    Find(Root),
    /// C-MOVE.
    Move(Root),
    /// C-GET.
    Get(Root),
    /// N-ACTION and N-EVENT-REPORT of storage commitment.
    Commitment,
}

impl Service {
    /// The operation a requestor (as SCU) must be allowed; none for Verification.
    pub fn operation(self) -> Option<Operation> {
        match self {
            Service::Verification => None,
            Service::Storage => Some(Operation::Store),
            Service::Find(_) => Some(Operation::Search),
            Service::Move(_) | Service::Get(_) => Some(Operation::Retrieve),
            Service::Commitment => Some(Operation::Commit),
        }
    }
}

/// The SOP classes of the archive: the standard's and the private ones configured.
#[derive(Clone, Debug, Default)]
pub struct SopClasses {
    private_storage: HashSet<Uid>,
}

/// All composite storage classes of the standard are below this root, those still to come
/// too (PS3.4 B.5, PS3.6 A).
const STORAGE_ROOT: &str = "1.2.840.10008.5.1.4.1.1.";

/// What else is below it: query services, and objects without patient and study.
const NOT_STORAGE: [&str; 12] = [
    "1.2.840.10008.5.1.4.1.1.200.1",
    "1.2.840.10008.5.1.4.1.1.200.3",
    "1.2.840.10008.5.1.4.1.1.200.4",
    "1.2.840.10008.5.1.4.1.1.200.5",
    "1.2.840.10008.5.1.4.1.1.200.6",
    "1.2.840.10008.5.1.4.1.1.200.7",
    "1.2.840.10008.5.1.4.1.1.201.1",
    "1.2.840.10008.5.1.4.1.1.201.2",
    "1.2.840.10008.5.1.4.1.1.201.3",
    "1.2.840.10008.5.1.4.1.1.201.4",
    "1.2.840.10008.5.1.4.1.1.201.5",
    "1.2.840.10008.5.1.4.1.1.201.6",
];

/// Storage classes elsewhere: hardcopy and stored print (retired), RT delivery instructions.
const OTHER_STORAGE: [&str; 6] = [
    "1.2.840.10008.5.1.1.27",
    "1.2.840.10008.5.1.1.29",
    "1.2.840.10008.5.1.1.30",
    "1.2.840.10008.5.1.4.34.1",
    "1.2.840.10008.5.1.4.34.7",
    "1.2.840.10008.5.1.4.34.10",
];

impl SopClasses {
    /// The standard's and these private Storage SOP classes; what is no UID is left out.
    pub fn with_private(uids: &[String]) -> SopClasses {
        SopClasses { private_storage: uids.iter().filter_map(|uid| Uid::parse(uid).ok()).collect() }
    }

    /// What that SOP class is for; `None` when it is none of ours.
    pub fn service(&self, sop_class: &Uid) -> Option<Service> {
        let service = match sop_class.as_str() {
            VERIFICATION => Service::Verification,
            STORAGE_COMMITMENT_PUSH => Service::Commitment,
            "1.2.840.10008.5.1.4.1.2.1.1" => Service::Find(Root::Patient),
            "1.2.840.10008.5.1.4.1.2.1.2" => Service::Move(Root::Patient),
            "1.2.840.10008.5.1.4.1.2.1.3" => Service::Get(Root::Patient),
            "1.2.840.10008.5.1.4.1.2.2.1" => Service::Find(Root::Study),
            "1.2.840.10008.5.1.4.1.2.2.2" => Service::Move(Root::Study),
            "1.2.840.10008.5.1.4.1.2.2.3" => Service::Get(Root::Study),
            uid if is_standard_storage(uid) || self.private_storage.contains(sop_class) => Service::Storage,
            _ => return None,
        };
        Some(service)
    }
}

fn is_standard_storage(uid: &str) -> bool {
    uid.starts_with(STORAGE_ROOT) && !NOT_STORAGE.contains(&uid) || OTHER_STORAGE.contains(&uid)
}

/// Whether data sets in that transfer syntax are taken: every syntax of the standard but
/// MIME, XML, real-time video, and those whose deflated data set refers to a JPIP server.
pub fn is_storable(transfer_syntax: &Uid) -> bool {
    let Some(rest) = transfer_syntax.as_str().strip_prefix("1.2.840.10008.1.2") else {
        return false;
    };
    let excluded = [".6.", ".7."].iter().any(|root| rest.starts_with(root)) || [".4.95", ".4.205"].contains(&rest);
    (rest.is_empty() || rest.starts_with('.')) && !excluded
}

/// Whether identifiers and action information are read and written in that syntax.
pub fn is_plain(transfer_syntax: &Uid) -> bool {
    let syntax = TransferSyntax::from_uid(transfer_syntax.clone());
    let known = [Encoding::ImplicitLittleEndian, Encoding::ExplicitLittleEndian, Encoding::ExplicitBigEndian];
    known.iter().any(|encoding| *TransferSyntax::of_encoding(*encoding).uid() == *syntax.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Uid {
        Uid::parse(text).unwrap()
    }

    #[test]
    fn storage_is_what_holds_patient_objects() {
        let classes = SopClasses::with_private(&["1.2.3.4".into()]);
        for storage in
            ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.67", "1.2.840.10008.5.1.4.34.7", "1.2.3.4"]
        {
            assert_eq!(classes.service(&uid(storage)), Some(Service::Storage), "{storage}");
        }
        for other in
            ["1.2.840.10008.5.1.4.1.1.201.2", "1.2.840.10008.5.1.4.1.2.3.1", "1.2.840.10008.5.1.4.31", "1.2.3.5"]
        {
            assert_eq!(classes.service(&uid(other)), None, "{other}");
        }
    }

    #[test]
    fn transfer_syntaxes_of_the_standard_are_stored_and_only_plain_ones_read() {
        for (syntax, storable, plain) in [
            ("1.2.840.10008.1.2", true, true),
            ("1.2.840.10008.1.2.1", true, true),
            ("1.2.840.10008.1.2.2", true, true),
            ("1.2.840.10008.1.2.1.99", true, false),
            ("1.2.840.10008.1.2.4.201", true, false),
            ("1.2.840.10008.1.2.6.1", false, false),
            ("1.2.840.10008.1.20", false, false),
            ("1.2.840.113619.5.2", false, false),
        ] {
            assert_eq!((is_storable(&uid(syntax)), is_plain(&uid(syntax))), (storable, plain), "{syntax}");
        }
    }
}
