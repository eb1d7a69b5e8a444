//! Checks of products' own consoles and interfaces, and of the two credential tries.

use super::{Check, Depth};
use crate::finding::Severity;

/// The family, in the order of its ids.
pub static CHECKS: &[&Check] = &[&A_01, &A_02, &A_03, &A_04, &A_05, &A_06, &A_07];

/// Orthanc's REST interface.
pub static A_01: Check = Check {
    id: "A-01",
    title: "Orthanc's REST interface open to strangers",
    finding_when: "/system answers a caller without credentials",
    severity: Severity::Critical,
    depth: Depth::Canary,
    opens: true,
    remediation: "Set AuthenticationEnabled with named users, and RemoteAccessAllowed to false behind a proxy.",
    clauses: &["45 CFR 164.312(a)(1)", "45 CFR 164.312(d)", "NIST CSF PR.AC-4"],
    names: &["status", "version", "patients", "studies", "series", "instances"],
};

/// Orthanc's dangerous settings.
pub static A_02: Check = Check {
    id: "A-02",
    title: "Dangerous settings of Orthanc",
    finding_when: "what /system tells of the configuration is unsafe, or a configuration met in a file tree sets a switch so",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Give the listed settings their safe values in Orthanc's configuration.",
    clauses: &["NIST CSF PR.IP-1", "45 CFR 164.312(a)(1)"],
    names: &[
        "unsafe",
        // What /system tells.
        "IsHttpServerSecure",
        "OverwriteInstances",
        // What a configuration on disk sets beside it.
        "configuration",
        "configurations",
        "unread-configurations",
        "AuthenticationEnabled",
        "DicomAlwaysAllowEcho",
        "DicomAlwaysAllowFind",
        "DicomAlwaysAllowFindWorklist",
        "DicomAlwaysAllowGet",
        "DicomAlwaysAllowMove",
        "DicomAlwaysAllowStore",
        "DicomCheckCalledAet",
        "DicomCheckModalityHost",
        "DicomTlsEnabled",
        "ExecuteLuaEnabled",
        "RestApiWriteToFileSystemEnabled",
        "SslEnabled",
        "WebDavDeleteAllowed",
        "WebDavUploadAllowed",
    ],
};

/// dcm4chee's REST interface.
pub static A_03: Check = Check {
    id: "A-03",
    title: "dcm4chee's REST interface open to strangers",
    finding_when: "the list of its AE Titles answers a caller without credentials",
    severity: Severity::Critical,
    depth: Depth::Canary,
    opens: true,
    remediation: "Deploy the secured build with an identity provider and TLS.",
    clauses: &["45 CFR 164.312(a)(1)", "NIST CSF PR.AC-4"],
    names: &["status", "entities", "studies"],
};

/// Other consoles.
pub static A_04: Check = Check {
    id: "A-04",
    title: "Console within reach",
    finding_when: "a known product's console is served without log-in, or its log-in is within reach of users",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Let only the administrators' network reach consoles.",
    clauses: &["NIST CSF PR.AC-3", "45 CFR 164.312(a)(1)"],
    names: &["status", "console", "log-in", "paths-asked"],
};

/// The blank try.
pub static A_05: Check = Check {
    id: "A-05",
    title: "Blank name and password accepted",
    finding_when: "one log-in with neither name nor password is let in",
    severity: Severity::Critical,
    depth: Depth::Credentials,
    opens: true,
    remediation: "Refuse empty names and passwords, and remove accounts that have none.",
    clauses: &["45 CFR 164.312(d)", "NIST CSF PR.AC-1"],
    names: &["status", "let-in", "stopped-by-lock"],
};

/// The default pair.
pub static A_06: Check = Check {
    id: "A-06",
    title: "Vendor's default credentials accepted",
    finding_when: "the one pair that the recognised product is delivered with is let in",
    severity: Severity::Critical,
    depth: Depth::Credentials,
    opens: true,
    remediation: "Change delivered credentials before a product is connected to a network.",
    clauses: &["45 CFR 164.312(d)", "45 CFR 164.312(a)(2)(i)", "NIST CSF PR.AC-1"],
    names: &["status", "pair", "let-in", "stopped-by-lock"],
};

/// Lock-out and second factors.
pub static A_07: Check = Check {
    id: "A-07",
    title: "Lock-out and second factor of the log-in",
    finding_when: "never by looking: the owner answers whether failures lock and a second factor is asked",
    severity: Severity::Info,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Enforce lock-out after failures and a second factor for everyone.",
    clauses: &["45 CFR 164.312(d)", "NIST CSF PR.AC-7"],
    names: &["log-in-seen", "ask-the-owner"],
};
