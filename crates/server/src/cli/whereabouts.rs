//! Which archive on this host a command is about, and how to reach it when it runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use leadglass_archive::Settings;
use leadglass_dicom::clock::SystemClock;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::config::data::Key;
use crate::host::{StartError, write_file};

/// Arguments that name an archive on this host.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Whereabouts {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Whereabouts {
    /// The configuration, checked, with the data directory made absolute.
    pub fn load(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(data) = &self.data {
            config.data.dir.clone_from(data);
        }
        config.data.dir = std::path::absolute(&config.data.dir).context("the data directory")?;
        Ok(config)
    }
}

/// Arguments of commands that open an archive themselves, beside or without its server.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct OnDisk {
    #[command(flatten)]
    whereabouts: Whereabouts,
    /// The master key's file, instead of the configured source.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl OnDisk {
    /// The configuration, with what the arguments say instead of it.
    pub fn load(&self) -> anyhow::Result<Config> {
        let mut config = self.whereabouts.load()?;
        if let Some(path) = &self.key_file {
            config.data.key = Key::File(path.clone());
        }
        Ok(config)
    }

    /// What it takes to open an archive that is there already.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let config = self.load()?;
        anyhow::ensure!(config.data.dir.is_dir(), "there is no archive in {}", config.data.dir.display());
        Ok(crate::host::settings(&config, Arc::new(SystemClock)))
    }
}

/// Where a running archive answers: written into its data directory while it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// HTTPS.
    pub https: SocketAddr,
    /// DICOM over TLS.
    pub dicom: SocketAddr,
    /// Where legacy peers are listened to in clear text, while that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<SocketAddr>,
    /// Its AE title.
    pub ae_title: String,
    /// Its process.
    pub pid: u32,
}

impl Serving {
    /// Writes it, mode 0600.
    pub fn write(&self, data_dir: &Path) -> Result<(), StartError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_file(&Serving::path(data_dir), &text, 0o600)
    }

    /// Reads it.
    pub fn read(data_dir: &Path) -> anyhow::Result<Serving> {
        let path = Serving::path(data_dir);
        let text = std::fs::read(&path)
            .with_context(|| format!("no archive is running on {} (no {})", data_dir.display(), path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Removes it when the archive stops.
    pub fn remove(data_dir: &Path) {
        let _ = std::fs::remove_file(Serving::path(data_dir));
    }

    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("serving.json")
    }
}
