//! `leadglass demo`: a closed archive on loopback that proves itself on real studies.
//!
//! It makes everything fresh, enrols a peer, and from then on is that peer: what it shows
//! went over mutual TLS like anybody's. A data directory that exists is gone on with.

mod prove;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use leadglass_archive::access::Scope;
use leadglass_archive::administer::{Peer, Verb};
use leadglass_archive::{Credential, Door, Source};
use leadglass_dicom::AeTitle;
use leadglass_dicom::clock::SystemClock;

use super::connection::peering;
use super::output::{Exit, Output};
use super::ready::{Dimse, PeerFiles, Ready};
use super::serve::{StopSignal, raise_descriptor_limit, serving};
use super::whereabouts::Serving;
use crate::config::data::{Key, beside};
use crate::config::log::Level;
use crate::config::{Config, Listen};
use crate::host::{Host, write_file};
use crate::{Running, logging};

/// The AE title of the peer that the demo enrols. Its certificate is made at each start.
const PEER: &str = "DEMO";
/// How long the demo's token lives.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of a log segment: allocated ahead, so less than an archive for years takes.
const SEGMENT_BYTES: u64 = 256 << 20;
const VERBS: [Verb; 4] = [Verb::Store, Verb::Find, Verb::Retrieve, Verb::Commit];

/// Start a closed archive, send it real studies, show what it did, and stay up.
#[derive(clap::Args, Debug)]
pub struct Demo {
    /// The data directory; without it a fresh one that goes with the demo.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A configuration file; addresses, ports and data directory are the demo's own.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The master key's file, instead of the one beside the data directory.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The port for HTTPS; 0 takes any free one.
    #[arg(long, default_value_t = 8443)]
    https_port: u16,
    /// The port for DICOM over TLS; 0 takes any free one.
    #[arg(long, default_value_t = 2762)]
    dicom_port: u16,
    /// The folder with the studies to send.
    #[arg(long, value_name = "DIR", default_value = "testdata/samples")]
    samples: PathBuf,
    /// Send nothing.
    #[arg(long)]
    no_samples: bool,
    /// End when the table is printed.
    #[arg(long)]
    once: bool,
    /// Write where and how to reach the demo into this file (JSON, mode 0600) when it is up.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

impl Demo {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let fresh = self.data.is_none().then(FreshDirectory::new).transpose()?;
        let dir = match (&self.data, &fresh) {
            (Some(dir), _) => std::path::absolute(dir)?,
            (None, Some(fresh)) => fresh.0.join("archive"),
            (None, None) => anyhow::bail!("no data directory"),
        };
        let config = self.config(&dir)?;
        logging::install(&config.log);
        raise_descriptor_limit();
        let mut stop = StopSignal::new()?;
        let host = Host::open(config, Arc::new(SystemClock)).await?;
        let running = Running::start(host.clone()).await?;
        let ready = prepare(&running).await?;
        serving(&running).write(&dir)?;
        let shown = tokio::select! {
            shown = self.show(&ready, output) => shown,
            () = stop.wait() => Ok(Exit::Failed),
        };
        if !self.once && shown.as_ref().is_ok_and(|exit| *exit != Exit::Failed) {
            stop.wait().await;
        }
        Serving::remove(&dir);
        running.stop().await;
        shown
    }

    /// Proves itself, then tells where it is.
    async fn show(&self, ready: &Ready, output: &Output) -> anyhow::Result<Exit> {
        if !self.no_samples && prove::prove(&peering(ready)?, &self.samples, output).await? != Exit::Done {
            return Ok(Exit::Failed);
        }
        if let Some(path) = &self.ready_file {
            ready.write(path)?;
        }
        if !self.once {
            where_to_look(output, ready, self.ready_file.as_deref())?;
        }
        Ok(Exit::Done)
    }

    fn config(&self, dir: &Path) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        config.listen = Listen::default();
        config.data.dir = dir.to_owned();
        if self.config.is_none() {
            config.data.segment_bytes = SEGMENT_BYTES;
        }
        // A line for each request belongs into a file, not between what people read.
        if std::io::stderr().is_terminal() {
            config.log.level = Level::Warn;
        }
        if let Some(path) = &self.key_file {
            config.data.key = Key::File(path.clone());
        }
        config.listen.https.set_port(self.https_port);
        config.listen.dicom.set_port(self.dicom_port);
        Ok(config)
    }
}

/// A directory of the demo's own, mode 0700, removed with it.
struct FreshDirectory(PathBuf);

impl FreshDirectory {
    fn new() -> anyhow::Result<FreshDirectory> {
        use std::os::unix::fs::DirBuilderExt;
        let name = format!("leadglass-demo-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path).context("cannot make a directory for the demo")?;
        Ok(FreshDirectory(path))
    }
}

impl Drop for FreshDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Setup, a token for the administrator, an enrolled peer.
async fn prepare(running: &Running) -> anyhow::Result<Ready> {
    let host = running.host();
    let archive = &host.archive;
    if !archive.is_set_up() {
        let code = archive.new_setup_code(host.operator()).await?;
        let source = Source { address: None, door: Door::Host };
        let newcomer = archive.authenticate(source, Credential::SetupCode(code)).await?;
        archive.complete_setup(&newcomer, "demo").await?;
    }
    // The host's own: setup's token would end with the first second factor that somebody tries here.
    let name = format!("demo-{}", uuid::Uuid::new_v4().simple());
    let token =
        archive.create_token(host.operator(), &name, "administrator", TOKEN_LIFETIME, Scope::everything()).await?;
    let peer = enrol(host).await?;
    Ok(Ready {
        https: format!("https://{}", running.https),
        dicomweb: format!("https://{}/dicom-web", running.https),
        ca: host.ca_path(),
        token,
        dimse: Dimse {
            host: running.dicom.ip().to_string(),
            port: running.dicom.port(),
            ae: host.ae_title.to_string(),
        },
        peer,
        pid: std::process::id(),
    })
}

/// Enrols the demo's peer with a fresh certificate, kept beside the data directory.
async fn enrol(host: &Host) -> anyhow::Result<PeerFiles> {
    let ae = AeTitle::parse(PEER)?;
    let bundle = host.tls.issue_peer(&ae)?;
    let peer = Peer {
        ae: PEER.to_owned(),
        certificate_sha256: bundle.certificate_sha256.clone(),
        verbs: VERBS.to_vec(),
        scope: Scope::everything(),
        ..Peer::default()
    };
    host.archive.add_peer(host.operator(), peer).await?;
    let dir = &host.config.data.dir;
    let files = PeerFiles { ae: PEER.to_owned(), cert: beside(dir, "demo-cert.pem"), key: beside(dir, "demo-key.pem") };
    write_file(&files.cert, bundle.certificate_pem.as_bytes(), 0o644)?;
    write_file(&files.key, bundle.key_pem.as_bytes(), 0o600)?;
    Ok(files)
}

fn where_to_look(output: &Output, ready: &Ready, ready_file: Option<&Path>) -> anyhow::Result<()> {
    if output.is_json() {
        return Ok(());
    }
    println!("\nThe archive is closed to everybody else and answers here:");
    println!("  DICOM/TLS   {}:{} as {}", ready.dimse.host, ready.dimse.port, ready.dimse.ae);
    println!("  DICOMweb    {}", ready.dicomweb);
    println!("  CA          {}", ready.ca.display());
    println!("  peer {PEER}   {} and its key beside it", ready.peer.cert.display());
    match ready_file {
        Some(path) => println!("  everything, with the administrator's token: {}", path.display()),
        None => println!("  --ready-file FILE hands a script all of it, with the administrator's token"),
    }
    println!("\nTry, in another terminal:");
    println!(
        "  echoscu +tls {key} {cert} +cf {ca} -aet {PEER} -aec {ae} {host} {port}",
        key = ready.peer.key.display(),
        cert = ready.peer.cert.display(),
        ca = ready.ca.display(),
        ae = ready.dimse.ae,
        host = ready.dimse.host,
        port = ready.dimse.port,
    );
    println!("Ctrl-C ends it.");
    Ok(())
}
