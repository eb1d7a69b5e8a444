//! What an archive grants to a stranger who speaks DICOM (D).

use super::{Check, Depth};
use crate::finding::Severity;

/// The family, in the order of its ids.
pub static CHECKS: &[&Check] =
    &[&D_01, &D_02, &D_03, &D_04, &D_05, &D_06, &D_07, &D_08, &D_09, &D_10, &D_11, &D_12, &D_13, &D_14];

/// Clear text.
pub static D_01: Check = Check {
    id: "D-01",
    title: "DICOM in clear text",
    finding_when: "An association request sent without TLS is answered with an acceptance, a rejection or an abort.",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Turn on a BCP 195 TLS profile and close the port that speaks without it.",
    clauses: &[
        "DICOM PS3.15 B.12",
        "DICOM PS3.15 B.13",
        "45 CFR 164.312(e)(1)",
        "45 CFR 164.312(e)(2)(ii)",
        "IHE ATNA ITI-19",
        "NIST CSF PR.DS-2",
    ],
    names: &["pdu-type", "result", "source", "reason", "abort-source", "abort-reason"],
};

/// Any called AE Title.
pub static D_02: Check = Check {
    id: "D-02",
    title: "Any called AE Title is accepted",
    finding_when: "An association to a called AE Title made up for this one request is accepted.",
    severity: Severity::Medium,
    depth: Depth::Canary,
    opens: false,
    remediation: "Reject called AE Titles that are not this application's own (result 1, source 1, reason 7).",
    clauses: &["45 CFR 164.312(d)", "NIST CSF PR.AC-1"],
    names: &["pdu-type", "result", "source", "reason", "abort-source", "abort-reason"],
};

/// Any calling AE Title.
pub static D_03: Check = Check {
    id: "D-03",
    title: "Any calling AE Title is accepted",
    finding_when: "An association from a calling AE Title made up for this one request is accepted.",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Accept listed calling AE Titles only, and bind each to its address or, better, its client certificate.",
    clauses: &["45 CFR 164.312(a)(1)", "45 CFR 164.312(d)", "IHE ATNA ITI-19", "NIST CSF PR.AC-1", "NIST CSF PR.AC-7"],
    names: &["pdu-type", "result", "source", "reason", "abort-source", "abort-reason"],
};

/// AE Titles bound to nothing.
pub static D_04: Check = Check {
    id: "D-04",
    title: "A known AE Title works from a foreign address",
    finding_when: "An association from a legitimate calling AE Title is accepted from the audit's address.",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Bind each calling AE Title to an address or a client certificate (in Orthanc: DicomCheckModalityHost).",
    clauses: &["45 CFR 164.312(d)", "NIST CSF PR.AC-1"],
    names: &["pdu-type", "result", "source", "reason", "abort-source", "abort-reason"],
};

/// C-ECHO to anyone.
pub static D_05: Check = Check {
    id: "D-05",
    title: "Verification is answered to anyone",
    finding_when: "A C-ECHO of a stranger gets status 0000.",
    severity: Severity::Low,
    depth: Depth::Canary,
    opens: false,
    remediation: "Answer Verification to known peers only, or accept the risk in writing.",
    clauses: &["NIST CSF PR.PT-3"],
    names: &["status", "abort-source", "abort-reason"],
};

/// Query and retrieve offered.
pub static D_06: Check = Check {
    id: "D-06",
    title: "Query and retrieve are offered to anyone",
    finding_when: "A stranger's association has presentation contexts of query or retrieve accepted; served is another matter.",
    severity: Severity::Info,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Accept query and retrieve contexts only from AE Titles that need them.",
    clauses: &["NIST CSF PR.AC-4"],
    names: &["offered"],
};

/// C-FIND open.
pub static D_07: Check = Check {
    id: "D-07",
    title: "Studies can be searched by anyone",
    finding_when: "A stranger's C-FIND for a study that cannot exist is served (status 0000 or pending) and not refused.",
    severity: Severity::Critical,
    depth: Depth::Canary,
    opens: true,
    remediation: "Authorise C-FIND per AE Title and refuse all others with status 0124.",
    clauses: &["45 CFR 164.312(a)(1)", "45 CFR 164.312(d)", "NIST CSF PR.AC-4"],
    names: &["status", "pending", "identifier-bytes", "information-model", "abort-source", "abort-reason", "offered"],
};

/// Worklist open.
pub static D_08: Check = Check {
    id: "D-08",
    title: "The worklist can be searched by anyone",
    finding_when: "A stranger's worklist C-FIND for a patient that cannot exist is served and not refused.",
    severity: Severity::Critical,
    depth: Depth::Canary,
    opens: true,
    remediation: "Authorise worklist queries per AE Title and refuse all others with status 0124.",
    clauses: &["45 CFR 164.312(a)(1)", "NIST CSF PR.AC-4"],
    names: &["status", "pending", "identifier-bytes", "information-model", "abort-source", "abort-reason", "offered"],
};

/// How much is exposed.
pub static D_09: Check = Check {
    id: "D-09",
    title: "How many studies a stranger can list",
    finding_when: "Counting the answers to a C-FIND, unread, gives one or more.",
    severity: Severity::Info,
    depth: Depth::Counts,
    opens: false,
    remediation: "Close what D-07 found; this number says how urgent it is.",
    clauses: &["45 CFR 164.308(a)(1)(ii)(A)"],
    names: &["studies", "studies-at-least", "status", "abort-source", "abort-reason"],
};

/// Retrieve offered.
pub static D_10: Check = Check {
    id: "D-10",
    title: "Retrieve is offered to whoever may search",
    finding_when: "C-MOVE or C-GET contexts are accepted from a stranger who was also served a C-FIND.",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Allow retrieve to configured destinations over TLS only.",
    clauses: &["45 CFR 164.312(a)(1)"],
    names: &["offered", "role-accepted"],
};

/// C-STORE from anyone.
pub static D_11: Check = Check {
    id: "D-11",
    title: "Storage is accepted from anyone",
    finding_when: "Storage contexts are accepted from a stranger; nothing is ever sent on them.",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Accept storage from listed AE Titles only and quarantine what unknown senders bring.",
    clauses: &["45 CFR 164.312(c)(1)", "NIST CSF PR.DS-6"],
    names: &["storage-classes", "offered"],
};

/// Other services.
pub static D_12: Check = Check {
    id: "D-12",
    title: "Other services are accepted from anyone",
    finding_when: "Contexts of storage commitment, MPPS, print or instance availability are accepted from a stranger.",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Turn off services that nobody uses and accept the others from listed AE Titles only.",
    clauses: &["NIST CSF PR.PT-3"],
    names: &["offered"],
};

/// User identity ignored.
pub static D_13: Check = Check {
    id: "D-13",
    title: "User identity is not enforced",
    finding_when: "An association that shows an unknown user and asks for a response is accepted without one.",
    severity: Severity::Low,
    depth: Depth::Credentials,
    opens: false,
    remediation: "Enforce user identity negotiation, or mutual TLS, where the product can.",
    clauses: &["DICOM PS3.7 D.3.3.7", "45 CFR 164.312(a)(2)(i)", "45 CFR 164.312(d)"],
    names: &["pdu-type", "result", "source", "reason", "abort-source", "abort-reason", "identity-answered"],
};

/// Limits that show.
pub static D_14: Check = Check {
    id: "D-14",
    title: "No limit on the length of a PDU",
    finding_when: "The acceptance announces an unlimited maximum length.",
    severity: Severity::Info,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Set a finite maximum PDU length.",
    clauses: &["NIST CSF PR.DS-4"],
    names: &["max-pdu-bytes", "operations-invoked", "operations-performed"],
};
