//! T: how well what travels is sealed, and whether both ends show who they are.

use super::{Check, Depth};
use crate::finding::Severity;

/// DICOM in clear beside or instead of TLS.
pub static T_01: Check = Check {
    id: "T-01",
    title: "Clear text on a TLS port",
    finding_when: "A port that speaks TLS, or the port registered for DICOM over TLS, also answers DICOM in clear.",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Close the clear-text listener, so that a peer that forgets TLS gets no answer.",
    clauses: &["DICOM PS3.15 B.12", "45 CFR 164.312(e)(1)", "NIST CSF PR.DS-2"],
    names: &["pdu-type", "alert"],
};

/// Versions of the protocol that are withdrawn.
pub static T_02: Check = Check {
    id: "T-02",
    title: "Withdrawn TLS versions",
    finding_when: "SSL 3.0, TLS 1.0 or TLS 1.1 is agreed to.",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Allow TLS 1.2 and 1.3 only.",
    clauses: &["RFC 8996", "RFC 7568", "DICOM PS3.15 B.12", "45 CFR 164.312(e)(1)", "NIST CSF PR.DS-2"],
    names: &["suite", "alert"],
};

/// Cipher suites that do not protect.
pub static T_03: Check = Check {
    id: "T-03",
    title: "Weak cipher suites",
    finding_when: "A suite is agreed to that does not encrypt, does not authenticate, uses an outworn cipher, \
                   or lets a stolen key open what was recorded before.",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Allow only suites with ephemeral key exchange and authenticated encryption (AES-GCM, ChaCha20-Poly1305).",
    clauses: &["RFC 9325 4", "DICOM PS3.15 B.12", "DICOM PS3.15 B.13", "45 CFR 164.312(e)(2)(ii)", "NIST CSF PR.DS-2"],
    names: &[
        "null",
        "anonymous",
        "export",
        "rc4",
        "triple-des",
        "static-key",
        "cbc", // parts
        "suite",
        "version",
        "alert",
    ],
};

/// Key exchange that can be broken by computation.
pub static T_04: Check = Check {
    id: "T-04",
    title: "Short key exchange",
    finding_when: "Diffie-Hellman is done with a group of fewer than 2048 bits, or a curve of fewer than 256.",
    severity: Severity::Medium,
    depth: Depth::Canary,
    opens: false,
    remediation: "Use X25519, P-256 or stronger curves, or Diffie-Hellman groups of 2048 bits and more (RFC 7919).",
    clauses: &["DICOM PS3.15 B.13", "RFC 9325 4.4", "45 CFR 164.312(e)(2)(ii)", "NIST CSF PR.DS-2"],
    names: &["dhe", "curve", "bits", "group", "suite"],
};

/// Mechanisms of TLS 1.2 and before that were attacked.
pub static T_05: Check = Check {
    id: "T-05",
    title: "Attackable TLS mechanisms",
    finding_when: "Compression is agreed to, or renegotiation or the master secret is not bound to the handshake.",
    severity: Severity::Medium,
    depth: Depth::Canary,
    opens: false,
    remediation: "Update the TLS library, turn compression off, turn secure renegotiation and the extended master secret on.",
    clauses: &["RFC 9325 3", "RFC 5746", "RFC 7627", "45 CFR 164.312(e)(1)", "NIST CSF PR.DS-2"],
    names: &["compression", "renegotiation", "extended-master-secret", "version"],
};

/// The certificate by which it shows who it is.
pub static T_06: Check = Check {
    id: "T-06",
    title: "Certificate",
    finding_when: "The certificate is out of date, bears another name, vouches for itself without being known to the \
                   owner, is too weak, or holds for too many hosts or too long.",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Issue a certificate for this host's name from the hospital's own authority and renew it by machine.",
    clauses: &["DICOM PS3.15 B.12", "IHE ATNA ITI-19", "45 CFR 164.312(d)", "NIST CSF PR.AC-7"],
    names: &[
        // parts
        "expired",
        "not-yet-valid",
        "expiring-soon",
        "lifetime",
        "self-signed",
        "name",
        "wildcard",
        "key-size",
        "signature",
        // facts
        "subject",
        "issuer",
        "key",
        "key-type",
        "key-bits",
        "signature-algorithm",
        "valid-for",
        "valid-in",
        "days-left",
        "pinned",
        "chain",
        // kinds of key
        "rsa",
        "ec",
        "dsa",
        "ed25519",
        "ed448",
        "other",
        // signature algorithms
        "rsa-md2",
        "rsa-md5",
        "rsa-sha1",
        "rsa-sha224",
        "rsa-sha256",
        "rsa-sha384",
        "rsa-sha512",
        "rsa-pss-sha1",
        "rsa-pss",
        "ecdsa-sha1",
        "ecdsa-sha224",
        "ecdsa-sha256",
        "ecdsa-sha384",
        "ecdsa-sha512",
        "dsa-sha1",
        "dsa-sha256",
    ],
};

/// Nobody asks the peer who it is.
pub static T_07: Check = Check {
    id: "T-07",
    title: "No client certificate asked for",
    finding_when: "DICOM is spoken over TLS with a peer that was not asked for a certificate.",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Require and verify a client certificate of every DICOM peer.",
    clauses: &["IHE ATNA ITI-19", "DICOM PS3.15 B.12", "45 CFR 164.312(d)", "NIST CSF PR.AC-7"],
    names: &["asked", "alert"],
};

/// The peer is asked who it is, and no answer is good enough.
pub static T_08: Check = Check {
    id: "T-08",
    title: "Client certificate asked for and not demanded",
    finding_when: "DICOM is spoken over TLS with a peer that was asked for a certificate and showed none.",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Set the listener to require a peer's certificate, not only to request it.",
    clauses: &["IHE ATNA ITI-19", "DICOM PS3.15 B.12", "45 CFR 164.312(d)", "NIST CSF PR.AC-7"],
    names: &["asked", "alert"],
};

/// One private key in several machines.
pub static T_09: Check = Check {
    id: "T-09",
    title: "One key on several hosts",
    finding_when: "The same public key is shown by more than one host of the scope.",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Give every host a key of its own, made on it and never copied with a disk image.",
    clauses: &["45 CFR 164.312(d)", "IHE ATNA ITI-19", "NIST CSF PR.AC-1"],
    names: &["key", "hosts"],
};

/// The family, in the order of its ids.
pub static CHECKS: &[&Check] = &[&T_01, &T_02, &T_03, &T_04, &T_05, &T_06, &T_07, &T_08, &T_09];
