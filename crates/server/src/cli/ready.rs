//! The file by which a script finds a running demo: where it answers and who it may be.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::host::write_file;

/// What a script needs to drive an archive. It holds a token: mode 0600.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// The web door's origin.
    pub https: String,
    /// The DICOMweb root.
    pub dicomweb: String,
    /// The authority's certificate, PEM.
    pub ca: PathBuf,
    /// An administrator's API token.
    pub token: String,
    /// The DICOM door.
    pub dimse: Dimse,
    /// An enrolled peer.
    pub peer: PeerFiles,
    /// The process.
    pub pid: u32,
}

/// Where DICOM over TLS answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dimse {
    /// The address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The archive's AE title.
    pub ae: String,
}

/// A peer's title and the files of its identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerFiles {
    /// Its AE title.
    pub ae: String,
    /// Its certificate, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

impl Ready {
    /// Writes it whole, mode 0600.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        Ok(write_file(path, &serde_json::to_vec_pretty(self)?, 0o600)?)
    }

    /// Reads it.
    pub fn read(path: &Path) -> anyhow::Result<Ready> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no ready file", path.display()))
    }
}
