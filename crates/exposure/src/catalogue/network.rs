//! Checks of the network family (N): ports, databases, remote administration, file transports.

use super::{Check, Depth};
use crate::finding::Severity;

/// The family, in the order of its ids.
pub static CHECKS: &[&Check] = &[&N_01, &N_02, &N_03, &N_04, &N_05, &N_06, &N_07, &N_08];

/// A port that answers and that nobody expects from where the audit stands.
pub static N_01: Check = Check {
    id: "N-01",
    title: "A port is reachable that should not be",
    finding_when: "a port answers that the scope does not list as expected from this vantage",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Let the firewall or the segment admit only the listed peers to this port.",
    clauses: &["NIST CSF PR.AC-5", "45 CFR 164.312(e)(1)"],
    names: &["vantage", "internet", "user-vlan", "server-vlan", "imaging-vlan", "host"],
};

/// Databases, caches, directories and consoles behind an archive. The parts are `reach` (may
/// it be reached from here), `transport` (is there TLS) and `access` (is a stranger served).
pub static N_02: Check = Check {
    id: "N-02",
    title: "A database or administration back end answers strangers",
    finding_when: "a back end is reachable from outside of the server network, or offers no TLS, or serves without authentication",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Bind the back end to the application host alone and require authentication and TLS.",
    clauses: &["NIST CSF PR.AC-5", "NIST CSF PR.PT-3", "45 CFR 164.312(a)(1)"],
    names: &[
        "reach",
        "transport",
        "access",
        "service",
        "vantage",
        "tls",
        "authentication",
        "status",
        "version",
        "internet",
        "user-vlan",
        "server-vlan",
        "imaging-vlan",
        "host",
    ],
};

/// HL7 version 2 without TLS. No message is ever sent: a listener that shows no TLS on a port
/// where MLLP is usual is a finding with confidence `offered`, where the scope says so `confirmed`.
pub static N_03: Check = Check {
    id: "N-03",
    title: "HL7 version 2 messages travel in clear",
    finding_when: "an MLLP listener takes connections and does not speak TLS",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Put MLLP behind TLS with certificates on both sides.",
    clauses: &["IHE ATNA ITI-19", "45 CFR 164.312(e)(1)"],
    names: &["service", "tls", "client-certificate-asked"],
};

/// Remote administration that needs no password, or sends it in clear.
pub static N_04: Check = Check {
    id: "N-04",
    title: "Remote administration is exposed",
    finding_when: "VNC takes no password, RDP does not insist on Network Level Authentication, telnet answers, or FTP offers no TLS",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Turn it off, or put it behind a VPN or jump host with a second factor.",
    clauses: &["NIST CSF PR.AC-3", "45 CFR 164.312(d)"],
    names: &["service", "tls", "security-types", "nla-required", "status", "version"],
};

/// FTP without a name. A log-in, though an empty one: made only at depth 4 and when the scope
/// opts in to blank credentials. Entries are counted from `STAT` on the control connection and
/// dropped; no data connection is opened.
pub static N_05: Check = Check {
    id: "N-05",
    title: "FTP lets anyone in",
    finding_when: "an anonymous log-in succeeds",
    severity: Severity::Critical,
    depth: Depth::Credentials,
    opens: false,
    remediation: "Turn anonymous FTP off.",
    clauses: &["45 CFR 164.312(a)(1)", "45 CFR 164.308(a)(1)(ii)(A)"],
    names: &["status", "entries", "dicom-entries", "anonymous"],
};

/// NFS exports, as the mount service lists them to anyone who asks; and as exports(5) has them,
/// where such a file lies in a file tree or exports it.
pub static N_06: Check = Check {
    id: "N-06",
    title: "NFS exports to everyone",
    finding_when: "an export names no client, or a wild card, or all addresses; or a file of exports says no_root_squash",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Export to named hosts only, with Kerberos (sec=krb5p).",
    clauses: &["NIST CSF PR.AC-3", "NIST CSF PR.AC-4", "45 CFR 164.312(a)(1)"],
    names: &[
        "service",
        "exports",
        "clients",
        "everyone",
        "netgroup",
        "domain",
        "network",
        "address",
        "named-host",
        "configuration",
        "unread-configurations",
        "no-root-squash",
    ],
};

/// SMB. The parts are `smb1`, `signing`, `session` (null or guest; a log-in without a secret,
/// made only at depth 4 and when the scope opts in to blank credentials) and `shares` (those
/// that the scope names, in such a session).
pub static N_07: Check = Check {
    id: "N-07",
    title: "SMB is old, unsigned or takes guests",
    finding_when: "SMB 1 is spoken, signing is not required, a null or guest session is granted, or a share is readable in one",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Disable SMB 1 and guest access, require signing and restrict the shares' access lists.",
    clauses: &["NIST CSF PR.AC-4", "45 CFR 164.312(a)(1)"],
    names: &[
        "smb1",
        "signing",
        "session",
        "shares",
        "service",
        "dialect",
        "signing-required",
        "status",
        "session-kind",
        "null-session",
        "guest-session",
        "tried",
        "readable",
    ],
};

/// File transports that serve strangers. The parts are `rsync`, `webdav` and `s3`.
pub static N_08: Check = Check {
    id: "N-08",
    title: "A file transport serves strangers",
    finding_when: "an rsync module opens, WebDAV answers PROPFIND, or a bucket lists itself, all without authentication",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Require authentication on every file transport.",
    clauses: &["45 CFR 164.312(a)(1)"],
    names: &["rsync", "webdav", "s3", "status", "modules", "tried", "readable", "listing", "buckets", "bucket"],
};
