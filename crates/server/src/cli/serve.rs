//! `leadglass serve`: runs the archive until SIGTERM or SIGINT.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use leadglass_dicom::clock::SystemClock;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use super::output::{Exit, Output};
use super::whereabouts::{Serving, Whereabouts};
use crate::config::Config;
use crate::posture::Addresses;
use crate::{Host, Running, first_run, logging};

/// Run the archive.
#[derive(clap::Args, Debug)]
pub struct Serve {
    #[command(flatten)]
    whereabouts: Whereabouts,
    /// The port for HTTPS, instead of the configured one; 0 takes any free one.
    #[arg(long, value_name = "PORT")]
    https_port: Option<u16>,
    /// The port for DICOM over TLS, instead of the configured one; 0 takes any free one.
    #[arg(long, value_name = "PORT")]
    dicom_port: Option<u16>,
    /// The DICOM door may be on a public address. It stays behind mutual TLS.
    #[arg(long)]
    i_accept_public_dimse: bool,
}

impl Serve {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let config = self.config()?;
        logging::install(&config.log);
        raise_descriptor_limit();
        let mut stop = StopSignal::new()?;
        let host = Host::open(config, Arc::new(SystemClock)).await?;
        let code = first_run::issue_setup_code(&host).await?;
        let running = Running::start(host.clone()).await?;
        let serving = serving(&running);
        serving.write(&host.config.data.dir)?;
        announce(output, &host, &serving, code.as_deref())?;
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        stop.wait().await;
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        Serving::remove(&host.config.data.dir);
        tracing::info!("stopping");
        let clean = running.stop().await;
        tracing::info!(clean, "stopped");
        Ok(if clean { Exit::Done } else { Exit::Failed })
    }

    fn config(&self) -> anyhow::Result<Config> {
        let mut config = self.whereabouts.load()?;
        if let Some(port) = self.https_port {
            config.listen.https.set_port(port);
        }
        if let Some(port) = self.dicom_port {
            config.listen.dicom.set_port(port);
        }
        config.consent.public_dimse = self.i_accept_public_dimse;
        config.check()?;
        Ok(config)
    }
}

/// The doors are elsewhere now: says so to the commands of this host.
pub(crate) fn moved(host: &Host, at: Addresses) {
    let dir = &host.config.data.dir;
    let Ok(before) = Serving::read(dir) else { return };
    if let Err(error) = (Serving { https: at.https, dicom: at.dicom, ..before }).write(dir) {
        tracing::warn!(%error, "commands on this host may not find the doors");
    }
}

/// Legacy peers are listened to there now, or no longer: says so to the commands of this host.
pub(crate) fn listening_in_clear(host: &Host, legacy: Option<std::net::SocketAddr>) {
    let dir = &host.config.data.dir;
    let Some(before) = Serving::read(dir).ok().filter(|serving| serving.legacy != legacy) else { return };
    if let Err(error) = (Serving { legacy, ..before }).write(dir) {
        tracing::warn!(%error, "commands on this host may not know of the clear-text listener");
    }
}

/// Where a running archive answers.
pub fn serving(running: &Running) -> Serving {
    Serving {
        https: running.https,
        dicom: running.dicom,
        legacy: None,
        ae_title: running.host().ae_title.to_string(),
        pid: std::process::id(),
    }
}

/// What `serve --json` says, in one line, when both doors are open.
#[derive(serde::Serialize)]
pub(super) struct Up<'a> {
    #[serde(flatten)]
    serving: &'a Serving,
    ca: PathBuf,
    /// While setup is not done. The code itself may end up in a log.
    setup_code_file: Option<PathBuf>,
}

/// SIGTERM or SIGINT.
pub struct StopSignal {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignal {
    /// Listens from now on.
    pub fn new() -> anyhow::Result<StopSignal> {
        Ok(StopSignal {
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
        })
    }

    /// Waits for one.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Every connection is a descriptor: takes as many as the system allows.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

impl<'a> Up<'a> {
    /// Of that host, whose setup code is in its file while there is one.
    pub(super) fn of(host: &Host, serving: &'a Serving, code: Option<&str>) -> Up<'a> {
        Up {
            serving,
            ca: host.ca_path(),
            setup_code_file: code.map(|_| first_run::setup_code_path(&host.config.data.dir)),
        }
    }
}

fn announce(output: &Output, host: &Host, serving: &Serving, code: Option<&str>) -> anyhow::Result<()> {
    tracing::info!(https = %serving.https, dicom = %serving.dicom, set_up = code.is_none(), "serving");
    // Where nobody reads, the log line above is enough: the setup code is in its file.
    if !output.is_json() && !output.is_for_people() {
        return Ok(());
    }
    let up = Up::of(host, serving, code);
    let mut text = format!(
        "Leadglass serves\n  HTTPS      https://{}\n  DICOM/TLS  {} as {}\n  CA         {}\n",
        serving.https,
        serving.dicom,
        serving.ae_title,
        host.ca_path().display()
    );
    if let Some(code) = code {
        text.push_str(&format!(
            "\nNot set up yet: nothing but setup answers. Within 30 minutes, run `leadglass setup --data {}`\n\
             on this machine, or POST {{\"code\": \"{code}\", \"administrator\": NAME}} to https://{}/setup.\n",
            host.config.data.dir.display(),
            serving.https
        ));
    }
    output.say(&up, text)
}
