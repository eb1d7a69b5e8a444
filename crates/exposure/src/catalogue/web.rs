//! Checks of DICOMweb services, portals, viewers and listings.

use super::{Check, Depth};
use crate::finding::Severity;

/// The family, in the order of its ids.
pub static CHECKS: &[&Check] = &[&W_01, &W_02, &W_03, &W_04, &W_05, &W_06, &W_07, &W_08, &W_09, &W_10, &W_11, &W_12];

/// Web services in clear.
pub static W_01: Check = Check {
    id: "W-01",
    title: "Web service in clear text",
    finding_when: "the service answers over HTTP without sending the caller to HTTPS",
    severity: Severity::High,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Serve only HTTPS; on the clear port answer nothing but a redirect to it.",
    clauses: &["45 CFR 164.312(e)(1)", "DICOM PS3.15 B.12", "NIST CSF PR.DS-2"],
    names: &["status", "redirect-to", "https", "http", "elsewhere", "redirect-in-scope"],
};

/// QIDO-RS.
pub static W_02: Check = Check {
    id: "W-02",
    title: "DICOMweb search (QIDO-RS) open to strangers",
    finding_when: "a search for a study that cannot exist is answered to a caller without credentials",
    severity: Severity::Critical,
    depth: Depth::Canary,
    opens: true,
    remediation: "Require an OAuth 2.0 bearer token, or a client certificate, on every DICOMweb route.",
    clauses: &["45 CFR 164.312(a)(1)", "45 CFR 164.312(d)", "NIST CSF PR.AC-7"],
    names: &["status", "length", "base", "answer", "empty-list", "list", "no-content"],
};

/// WADO.
pub static W_03: Check = Check {
    id: "W-03",
    title: "DICOMweb retrieval (WADO) open to strangers",
    finding_when: "a study that cannot exist is looked for, instead of the caller being asked who he is",
    severity: Severity::Critical,
    depth: Depth::Canary,
    opens: true,
    remediation: "Require a bearer token or a client certificate on WADO-RS and WADO-URI alike.",
    clauses: &["45 CFR 164.312(a)(1)", "45 CFR 164.312(d)", "NIST CSF PR.AC-7"],
    names: &["status", "wado-rs", "wado-uri"],
};

/// STOW-RS.
pub static W_04: Check = Check {
    id: "W-04",
    title: "DICOMweb storage (STOW-RS) open to strangers",
    finding_when: "an empty request that stores nothing is faulted for its form, not for its sender",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Require credentials with a role of its own for storing on the STOW-RS route.",
    clauses: &["45 CFR 164.312(c)(1)", "45 CFR 164.312(a)(1)", "NIST CSF PR.DS-6"],
    names: &["status"],
};

/// DELETE and the like.
pub static W_05: Check = Check {
    id: "W-05",
    title: "Deletion offered to strangers",
    finding_when: "OPTIONS without credentials lists DELETE, or an open product is known to have it",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Deny DELETE on every route except to a role that manages records.",
    clauses: &["45 CFR 164.312(c)(1)", "NIST CSF PR.AC-4"],
    names: &[
        "status", "allow", "inferred", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "MOVE",
    ],
};

/// UPS-RS.
pub static W_06: Check = Check {
    id: "W-06",
    title: "Worklist over the web (UPS-RS) open to strangers",
    finding_when: "a search for a work item that cannot exist is answered to a caller without credentials",
    severity: Severity::Critical,
    depth: Depth::Canary,
    opens: true,
    remediation: "Require a bearer token or a client certificate on the work item routes.",
    clauses: &["45 CFR 164.312(a)(1)", "45 CFR 164.312(d)", "NIST CSF PR.AC-7"],
    names: &["status"],
};

/// CORS.
pub static W_07: Check = Check {
    id: "W-07",
    title: "Any web site may read DICOMweb answers through a visitor's browser",
    finding_when: "Access-Control-Allow-Origin is * or repeats an origin that nobody allowed",
    severity: Severity::Medium,
    depth: Depth::Canary,
    opens: false,
    remediation: "Name the allowed origins one by one, and never together with credentials for others.",
    clauses: &["NIST CSF PR.AC-5", "45 CFR 164.312(a)(1)"],
    names: &["allow-origin", "any", "echoed", "other", "credentials"],
};

/// Security headers.
pub static W_08: Check = Check {
    id: "W-08",
    title: "Portal page without protective headers",
    finding_when: "the first page lacks headers that browsers need to protect its user, or sets a careless cookie",
    severity: Severity::Low,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Send the headers listed as missing, and mark cookies Secure, HttpOnly and SameSite.",
    clauses: &["NIST CSF PR.PT-3", "45 CFR 164.312(a)(1)"],
    names: &[
        "missing",
        "strict-transport-security",
        "content-security-policy",
        "frame-ancestors",
        "x-content-type-options",
        "referrer-policy",
        "cache-control",
        "cookies",
        "cookie-without",
        "secure",
        "http-only",
        "same-site",
    ],
};

/// Banners.
pub static W_09: Check = Check {
    id: "W-09",
    title: "Web server tells its product and version",
    finding_when: "a known product and its version can be read from the first answer; its icon is compared, too",
    severity: Severity::Info,
    depth: Depth::Handshake,
    opens: false,
    remediation: "Hide version banners, and keep what is behind them patched.",
    clauses: &["NIST CSF ID.RA-1"],
    names: &["signatures", "version", "product-version", "icon"],
};

/// Directory listings.
pub static W_10: Check = Check {
    id: "W-10",
    title: "Listing of DICOM files",
    finding_when: "a folder's listing is served to strangers and holds names of DICOM files",
    severity: Severity::Critical,
    depth: Depth::Handshake,
    opens: true,
    remediation: "Turn listings off and move images out of the web server's folders.",
    clauses: &["45 CFR 164.312(a)(1)", "NIST CSF PR.AC-4"],
    names: &["status", "listing", "entries", "dicom-names", "cut", "dicom-prefix"],
};

/// Viewers.
pub static W_11: Check = Check {
    id: "W-11",
    title: "Image viewer without log-in",
    finding_when: "a known viewer's page is served without asking who looks",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: false,
    remediation: "Put viewers behind the single sign-on of the house.",
    clauses: &["45 CFR 164.312(a)(1)", "45 CFR 164.312(d)", "NIST CSF PR.AC-7"],
    names: &["status", "viewer", "paths-asked"],
};

/// Share links.
pub static W_12: Check = Check {
    id: "W-12",
    title: "Share link that does not expire",
    finding_when: "a sample link that the owner named is served without a session",
    severity: Severity::High,
    depth: Depth::Canary,
    opens: true,
    remediation: "Sign share links, bind them to a recipient, and let them expire.",
    clauses: &["45 CFR 164.312(a)(1)", "NIST CSF PR.AC-4"],
    names: &["status", "redirect-to", "https", "http", "elsewhere"],
};
