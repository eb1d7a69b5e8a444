//! Checks of file trees: who may read the images, what identifies patients in them, what lies beside them.
//!
//! Deliberately absent: anything that would need a value, a pixel or a path in clear.

use super::{Check, Depth};
use crate::finding::Severity;

/// F-01.
pub static F_01: Check = Check {
    id: "F-01",
    title: "DICOM files that everyone may read",
    finding_when: "a DICOM file is readable for others and every folder above it lets them pass, those above the tree's root \
                   too unless the tree is exported; or a Windows ACL opens it to everyone",
    severity: Severity::Critical,
    depth: Depth::Handshake,
    opens: true,
    remediation: "Take access away from others and Everyone, and give the archive a service account of its own.",
    clauses: &["45 CFR 164.312(a)(1)", "NIST CSF PR.AC-4"],
    names: &["readable", "by-windows-acl", "named-grants", "folders", "example-folder", "modes"],
};

/// F-02.
pub static F_02: Check = Check {
    id: "F-02",
    title: "DICOM files and folders that everyone may write",
    finding_when: "others may write a DICOM file, or a folder without the sticky bit, that they can reach",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Take write access away from everyone but the archive's service account.",
    clauses: &["45 CFR 164.312(c)(1)"],
    names: &["writable", "writable-folders"],
};

/// F-03.
pub static F_03: Check = Check {
    id: "F-03",
    title: "The tree is itself exported",
    finding_when: "DICOM files that everyone may read lie under an export, a share or a web server's root",
    severity: Severity::Critical,
    depth: Depth::Handshake,
    opens: true,
    remediation: "Withdraw the export, or export to named hosts after closing the files.",
    clauses: &["45 CFR 164.312(a)(1)"],
    names: &["exports", "unread-configurations", "nfs", "smb", "web", "ftp", "rsync", "network-mount"],
};

/// F-04.
pub static F_04: Check = Check {
    id: "F-04",
    title: "What the tree holds",
    finding_when: "never: it is the inventory that the other checks rest on",
    severity: Severity::Info,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Keep a list of the places where images lie.",
    clauses: &["NIST CSF ID.AM-1"],
    names: &[
        "kinds",
        "headers",
        "encodings",
        "not-looked-at",
        "skipped-by-name",
        "stopped",
        // Kinds.
        "part10",
        "bare-data-set",
        "dicomdir",
        "zip",
        "gzip",
        "tar",
        "iso9660",
        "7z",
        "rar",
        "bzip2",
        "xz",
        "zstd",
        "mssql-backup",
        "postgresql-dump",
        "heidelberg-e2e",
        "virtual-disk",
        "other",
        // How far a header was read.
        "to-pixel-data",
        "to-the-end",
        "truncated",
        "malformed",
        "too-long",
        "not-inflated",
        // Encodings, PS3.5 A.
        "implicit-little-endian",
        "explicit-little-endian",
        "explicit-big-endian",
        "deflated",
        // What was met and not looked at.
        "unreadable-files",
        "unreadable-folders",
        "vanished",
        "changed",
        "symbolic-links",
        "special-files",
        "other-file-systems",
        "too-deep",
        "excluded",
    ],
};

/// F-05.
pub static F_05: Check = Check {
    id: "F-05",
    title: "Attributes that identify patients",
    finding_when: "an attribute of PS3.15 Table E.1-1 has a value and Patient Identity Removed (0012,0062) is not YES",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "De-identify copies by PS3.15 Annex E, or move the files into the archive.",
    clauses: &["DICOM PS3.15 E.1", "45 CFR 164.312(a)(1)"],
    names: &["identifying", "naming-a-patient", "attributes", "median-elements", "records", "PrivateAttributes"],
};

/// F-06.
pub static F_06: Check = Check {
    id: "F-06",
    title: "Called de-identified, and is not",
    finding_when: "Patient Identity Removed (0012,0062) is YES beside attributes that the profile and the options named \
                   in (0012,0064) remove, private attributes, or UIDs under a manufacturer's root",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Run a conformant de-identification again, and name its options in (0012,0064).",
    clauses: &["DICOM PS3.15 E.1"],
    names: &["contradictions", "claimed", "attributes", "manufacturer-uids", "PrivateAttributes"],
};

/// F-07.
pub static F_07: Check = Check {
    id: "F-07",
    title: "Names that may be burned into the pixels",
    finding_when: "Burned In Annotation (0028,0301) is YES, or silent for a kind of object that often carries text; or \
                   faces are said to be recognisable, or overlays lie in the header",
    severity: Severity::Medium,
    depth: Depth::Canary,
    opens: false,
    remediation: "Apply the Clean Pixel Data Option before such images leave the archive.",
    clauses: &["DICOM PS3.15 E.3.1"],
    names: &[
        "at-risk",
        "classes",
        "said-so",
        "ultrasound",
        "secondary-capture",
        "endoscopy",
        "visible-light",
        "angiography",
        "encapsulated-document",
        "converted",
        "recognisable-features",
        "overlay",
    ],
};

/// F-08.
pub static F_08: Check = Check {
    id: "F-08",
    title: "Not encrypted at rest",
    finding_when: "neither the volume, nor the file system, nor the objects themselves are encrypted",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Encrypt the volume or the objects with keys that are managed.",
    clauses: &["45 CFR 164.312(a)(2)(iv)", "NIST CSF PR.DS-1"],
    names: &[
        "mechanism",
        "encrypted-attributes",
        "s3",
        // Mechanisms.
        "dm-crypt",
        "fscrypt",
        "ecryptfs",
        "encrypting-mount",
        "bitlocker",
        "filevault",
        "s3-server-side",
        "none",
        // Why it cannot be told.
        "unknown",
        "network",
        "zfs",
    ],
};

/// F-09.
pub static F_09: Check = Check {
    id: "F-09",
    title: "Preambles that are another kind of file",
    finding_when: "the 128 bytes before DICM begin an executable, a script, an archive or a page, or are not known",
    severity: Severity::Critical,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Set the preamble to zero on ingest and forbid execution on image stores.",
    clauses: &["DICOM PS3.10 7.5", "CVE-2019-11687", "45 CFR 164.312(c)(1)"],
    names: &[
        "preambles",
        "example-preamble",
        "zero",
        "tiff",
        "pe-executable",
        "dos-executable",
        "elf-executable",
        "mach-o-executable",
        "script",
        "zip-archive",
        "pdf-document",
        "html-page",
        "not-known",
    ],
};

/// F-10.
pub static F_10: Check = Check {
    id: "F-10",
    title: "Stray copies",
    finding_when: "DICOM files older than 90 days lie in folders for backups, temporary files, exports or research",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Delete the copies, or declare the folder as a place of the archive.",
    clauses: &["45 CFR 164.310(d)(2)"],
    names: &[
        "stray",
        "classes",
        "oldest-year",
        "newest-year",
        "backup",
        "temporary",
        "recycled",
        "export-disc",
        "research",
        "old-copy",
    ],
};

/// F-11.
pub static F_11: Check = Check {
    id: "F-11",
    title: "Secrets beside images",
    finding_when: "a file whose name says that it holds passwords or keys is readable for everyone",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Restrict the file to its owner.",
    clauses: &["NIST CSF PR.AC-1"],
    names: &[
        "readable",
        "closed",
        "orthanc-configuration",
        "dcmqrscp-configuration",
        "ldif",
        "pgpass",
        "my-cnf",
        "htpasswd",
        "environment-file",
        "private-key",
        "key-store",
        "password-store",
    ],
};

/// F-12.
pub static F_12: Check = Check {
    id: "F-12",
    title: "Programs among images",
    finding_when: "files that can be executed or served as programs lie in a tree of images",
    severity: Severity::Medium,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Find out who put them there.",
    clauses: &["NIST CSF DE.CM-4"],
    names: &[
        "programs", "php", "jsp", "aspx", "exe", "dll", "ps1", "bat", "vbs", "js", "sh", "py", "lnk", "hta", "jar",
    ],
};

/// The family, in the order of its ids.
pub static CHECKS: &[&Check] = &[&F_01, &F_02, &F_03, &F_04, &F_05, &F_06, &F_07, &F_08, &F_09, &F_10, &F_11, &F_12];
