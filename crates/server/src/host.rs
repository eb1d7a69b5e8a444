//! The one place that puts a running archive together: data, keys, TLS, title, figures.
//!
//! Doors get an [`Arc<Host>`] and nothing else. Deliberately absent: sockets.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leadglass_archive::{Archive, Caller, Credential, Door, OpenError, Refused, Rejected, Settings, Source};
use leadglass_dicom::clock::Clock;
use leadglass_dicom::{AeTitle, StudyInstanceUid};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::config::Config;
use crate::first_run;
use crate::login::Providers;
use crate::posture::{Addresses, Posture};
use crate::shield::Shield;
use crate::study_names::StudyNames;
use crate::tls::authority::random;
use crate::tls::{Tls, TlsError};

/// Name of the host secret our AE title is kept under.
const TITLE_SECRET: &str = "ae-title";
/// Name of the host secret that keys study identifiers in the server's own log.
const LOG_SECRET: &str = "log-key";
/// Characters of a made AE title: no vowels, no look-alikes.
const TITLE_CHARACTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// A running archive, as its doors see it.
pub struct Host {
    /// The one door to data.
    pub archive: Archive,
    /// Certificates, ours and those of peers to be.
    pub tls: Arc<Tls>,
    /// What was configured.
    pub config: Config,
    /// The hour.
    pub clock: Arc<dyn Clock>,
    /// Our AE title: configured, or made at first start.
    pub ae_title: AeTitle,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// Identity providers that people may sign in by.
    pub providers: Arc<Providers>,
    /// The old archive whose door this is, when it is a shield.
    pub shield: Option<Arc<Shield>>,
    operator: Caller,
    /// Where the doors are, and what a stranger saw of them.
    pub posture: Posture,
    /// How studies are called in the log.
    pub study_names: StudyNames,
}

/// Why an archive does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The archive does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The host's operator is not recognized.
    #[error("the archive does not recognize its own host")]
    Rejected(#[from] Rejected),
    /// The archive refuses what a start needs.
    #[error("the archive refuses: {0}")]
    Refused(#[from] Refused),
    /// Keys or certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The doors are open to strangers, or could not be looked at.
    #[error(transparent)]
    Shut(#[from] crate::gate::Shut),
    /// The kept AE title is damaged.
    #[error("the kept AE title is damaged: set dimse.ae_title")]
    Title,
    /// The operating system says no.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> StartError {
        let what = what.into();
        move |source| StartError::Io { what, source }
    }
}

impl Host {
    /// Opens the archive, making everything its data directory lacks.
    pub async fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Arc<Host>, StartError> {
        Host::open_before(config, None, clock).await
    }

    /// The same as the doors of an old archive, when there is one.
    pub async fn open_before(
        config: Config,
        shield: Option<Arc<Shield>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Host>, StartError> {
        config.check()?;
        let unreadable = || format!("cannot read people.breached_sha1, {}", config.people.breached_sha1.display());
        config.people.check_breached().map_err(|error| StartError::io(unreadable())(error))?;
        let settings = settings(&config, clock.clone());
        let opened = tokio::task::spawn_blocking(move || Archive::open(settings)).await;
        let archive = opened.map_err(|error| StartError::io("open the archive")(io::Error::other(error)))??;
        archive.trust(config.identities.federation()?);
        let operator = archive.authenticate(Source { address: None, door: Door::Host }, Credential::Host).await?;
        let devices = config.dimse.unknown_senders.believed();
        let names = config.listen.certificate_names();
        let tls = Arc::new(Tls::open(&archive, &operator, names, devices, clock.clone()).await?);
        let ae_title = ae_title(&archive, &operator, &config).await?;
        let key = host_random::<32>(&archive, &operator, LOG_SECRET).await?;
        let providers = Providers::of(&config.oidc, clock.clone());
        let providers = Arc::new(providers.map_err(StartError::io("cannot read the files of an identity provider"))?);
        for configured in &config.oidc {
            archive.trust_issuer(configured.trusted())?;
        }
        let host = Host {
            metrics: crate::metrics::exporter(),
            study_names: StudyNames::new(&key),
            posture: Posture::new(
                Addresses::configured(&config.listen),
                config.people.is_public(),
                &config.dimse.legacy,
            ),
            archive,
            tls,
            config,
            clock,
            ae_title,
            providers,
            shield,
            operator,
        };
        write_file(&host.ca_path(), host.tls.ca_pem().as_bytes(), 0o644)?;
        first_run::issue_recovery_kit(&host).await?;
        host.archive.carry_on_held().await;
        Ok(Arc::new(host))
    }

    /// Our authority's certificate in the data directory, public.
    pub fn ca_path(&self) -> PathBuf {
        self.config.data.dir.join("ca.pem")
    }

    /// How a study is called in the server's own log: a keyed hash of its UID.
    pub fn study_key(&self, study: &StudyInstanceUid) -> String {
        self.study_names.name(study)
    }

    /// The host's operator, for start and upkeep alone: no request is served in its name.
    pub(crate) fn operator(&self) -> &Caller {
        &self.operator
    }
}

/// Writes a small file whole: a new one of that mode beside it, renamed over it.
pub(crate) fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StartError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let written = (|| {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        let beside = path.with_file_name(name);
        let _ = fs::remove_file(&beside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    written.map_err(StartError::io(format!("cannot write {}", path.display())))
}

/// How the archive of that configuration is opened.
pub(crate) fn settings(config: &Config, clock: Arc<dyn Clock>) -> Settings {
    let others_come = !Addresses::configured(&config.listen).are_loopback() || config.people.is_public();
    Settings {
        data_dir: config.data.dir.clone(),
        key_source: config.data.key_source(),
        reserve_bytes: config.data.reserve_bytes,
        segment_bytes: config.data.segment_bytes,
        spill_bytes: config.data.spill_bytes,
        max_data_set_bytes: config.limits.data_set_bytes,
        scan: config.scan.limits(config.limits.data_set_bytes),
        people: config.people.settings(others_come),
        held: config.dimse.unknown_senders.settings(),
        clock,
    }
}

async fn ae_title(archive: &Archive, operator: &Caller, config: &Config) -> Result<AeTitle, StartError> {
    if let Ok(title) = AeTitle::parse(&config.dimse.ae_title) {
        return Ok(title);
    }
    let mut fresh = String::from("LG");
    fresh.extend(random::<12>()?.map(|byte| char::from(TITLE_CHARACTERS[usize::from(byte) % TITLE_CHARACTERS.len()])));
    let kept = archive.host_secret(operator, TITLE_SECRET, &move || fresh.clone().into_bytes()).await?;
    let kept = String::from_utf8(kept).map_err(|_| StartError::Title)?;
    AeTitle::parse(&kept).map_err(|_| StartError::Title)
}

async fn host_random<const N: usize>(archive: &Archive, operator: &Caller, name: &str) -> Result<Vec<u8>, StartError> {
    let fresh = random::<N>()?;
    Ok(archive.host_secret(operator, name, &move || fresh.to_vec()).await?)
}

#[cfg(test)]
mod tests {
    use leadglass_dicom::clock::SystemClock;

    use super::*;

    #[test]
    fn everybody_needs_a_second_factor_where_others_come() {
        let asked = |text: &str| {
            let config = Config::parse(text).unwrap();
            settings(&config, Arc::new(SystemClock)).people.second_factor_for_all
        };
        assert!(!asked("") && !asked("[people]\npublic_url = 'https://localhost:8443'"));
        assert!(asked("[people]\npublic_url = 'https://pacs.example'"), "a proxy stands before loopback");
        assert!(asked("[listen]\nhttps = '10.1.2.3:443'") && asked("[listen]\ndicom = '0.0.0.0:2762'"));
    }
}
