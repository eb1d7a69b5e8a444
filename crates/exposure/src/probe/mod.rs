//! The looks at one host, a family each.
//!
//! A family gets a [`Look`]: the line to the host, what is known of the port so far, and where
//! outcomes go. It asks [`Look::may`] before it goes deeper. Deliberately absent: anything
//! that keeps bytes of a target after the function that read them.

pub mod dimse;
pub mod files;
pub mod network;
pub mod product;
pub mod recognise;
pub mod tls;
pub mod trail;
pub mod version;
pub mod web;

use crate::catalogue::{Check, Depth, Name};
use crate::evidence::Version;
use crate::finding::{Notes, State};
use crate::net::Line;
use crate::report::Announced;
use crate::scope::Asset;

/// A look at one port of one host.
pub struct Look<'look, 'run> {
    /// The line to the host.
    pub line: &'look mut Line<'run>,
    /// What the owner says of it.
    pub asset: &'look Asset,
    /// How deep this look may go.
    pub depth: Depth,
    /// The port.
    pub port: u16,
    /// What was learned of the port so far, also by earlier families.
    pub known: &'look mut Known,
    /// Where outcomes go.
    pub notes: &'look mut Notes,
}

/// What is known of a port.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What it speaks, in clear.
    pub clear: Option<Speech>,
    /// What it speaks behind TLS.
    pub behind_tls: Option<Speech>,
    /// The product, by one of our signatures.
    pub product: Option<Name>,
    /// The product's version.
    pub product_version: Option<Version>,
    /// The toolkit (PS3.7 D.3.3.2), by one of our signatures: never proof of a product.
    pub toolkit: Option<Name>,
    /// The toolkit's version.
    pub toolkit_version: Option<Version>,
    /// Back ends that told their version.
    pub back_ends: Vec<(Name, Version)>,
    /// What its TLS showed.
    pub tls: Option<tls::Facts>,
    /// What its DICOM upper layer showed, in clear and behind TLS.
    pub dicom: Option<dimse::Facts>,
    /// Whether a stranger was served patients' data there: what D-07, W-02, A-01 and the like found.
    pub open: bool,
    /// Studies (or what the product counts) that a vendor's counter told, when asked.
    pub studies: Option<u64>,
    /// What the web family saw of it.
    pub web: Option<web::Facts>,
    /// What the target's own audit trail should hold of us (M-01).
    pub announced: Vec<Announced>,
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speech {
    /// DICOM upper layer, PS3.8, strictly recognised.
    Dicom,
    /// HTTP.
    Http,
    /// TLS, with what is behind it not recognised.
    Tls,
    /// A service of another kind that the network family recognised.
    Other(Name),
}

impl Look<'_, '_> {
    /// Whether a check may be made at this depth; notes that it was skipped when not.
    pub fn may(&mut self, check: &'static Check) -> bool {
        let may = check.depth <= self.depth;
        if !may {
            self.notes.note(check, State::SkippedByPolicy);
        }
        may
    }

    /// Notes down what the target's own audit trail should hold: who called, when, for which check.
    pub fn announce(&mut self, check: &'static Check, calling_ae: &str) {
        self.known.announced.push(Announced {
            label: self.asset.label.clone(),
            address: self.line.address(),
            port: self.port,
            calling_ae: calling_ae.to_owned(),
            at: self.line.run().now(),
            check: check.id.to_owned(),
        });
    }
}

/// Fixed names that probes use beside those of the checks: products, toolkits, signatures.
pub fn signature_names() -> impl Iterator<Item = &'static str> {
    let families: [&[&str]; 7] = [
        SPEECHES,
        dimse::SERVICE_NAMES,
        version::TOOLKITS,
        web::signature::NAMES,
        web::listing::NAMES,
        web::dicomweb::NAMES,
        product::NAMES,
    ];
    families.into_iter().flatten().copied().chain(files::keywords())
}

/// What a port may speak, as reports say it.
pub const SPEECHES: &[&str] = &[
    "dicom",
    "dicom-tls",
    "http",
    "https",
    "tls",
    "unknown",
    "postgresql",
    "mysql",
    "mssql",
    "redis",
    "elasticsearch",
    "mongodb",
    "ldap",
    "wildfly",
    "mllp",
    "vnc",
    "rdp",
    "telnet",
    "ftp",
    "nfs",
    "smb",
    "rsync",
    "webdav",
    "s3",
    "ssh",
];
