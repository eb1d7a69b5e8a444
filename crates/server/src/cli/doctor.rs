//! `leadglass doctor`: looks at an archive's host and says what is not as it should be.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use leadglass_archive::KeySource;
use serde::Serialize;

use super::output::{Exit, Output};
use super::whereabouts::{Serving, Whereabouts};
use crate::client::Client;
use crate::config::Config;
use crate::first_run::{recovery_kit_path, setup_code_path};

/// Look at this host's archive: files, modes, space, doors. Ends with 3 when something is
/// not as it should be.
#[derive(clap::Args, Debug)]
pub struct Doctor {
    #[command(flatten)]
    whereabouts: Whereabouts,
}

/// One thing looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    fine: bool,
    detail: String,
}

impl Doctor {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let config = self.whereabouts.load()?;
        let mut findings = vec![configuration(&config), data_directory(&config), key(&config), space(&config)];
        findings.push(recovery_kit(&config));
        findings.push(descriptors(&config));
        findings.push(setup(&config));
        findings.push(doors(&config).await);
        let mark = |finding: &Finding| if finding.fine { "ok  " } else { "LOOK" };
        let lines: Vec<String> = findings.iter().map(|f| format!("{} {:<16} {}", mark(f), f.what, f.detail)).collect();
        output.say(&findings, lines.join("\n"))?;
        Ok(if findings.iter().all(|finding| finding.fine) { Exit::Done } else { Exit::Found })
    }
}

fn configuration(config: &Config) -> Finding {
    let (fine, detail) = match config.check() {
        Ok(()) => (true, "valid; TLS, authentication, sealing and trail have no off switch".into()),
        Err(error) => (false, error.to_string()),
    };
    Finding { what: "configuration", fine, detail }
}

fn data_directory(config: &Config) -> Finding {
    mode_is("data directory", &config.data.dir, 0o700)
}

fn key(config: &Config) -> Finding {
    match config.data.key_source() {
        KeySource::File(path) | KeySource::PassphraseFile(path) => {
            if path.starts_with(&config.data.dir) {
                return Finding { what: "master key", fine: false, detail: "inside the data directory".into() };
            }
            mode_is("master key", &path, 0o600)
        }
        KeySource::SystemdCredential(name) => {
            let detail = format!("systemd credential {name}");
            Finding { what: "master key", fine: true, detail }
        }
    }
}

fn mode_is(what: &'static str, path: &Path, mode: u32) -> Finding {
    let (fine, detail) = match std::fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o777 & !mode == 0 => (true, path.display().to_string()),
        Ok(metadata) => {
            let is = metadata.permissions().mode() & 0o777;
            (false, format!("{} has mode {is:o}: others may read it; {mode:o} is right", path.display()))
        }
        Err(error) => (false, format!("{}: {error}", path.display())),
    };
    Finding { what, fine, detail }
}

fn space(config: &Config) -> Finding {
    let (fine, detail) = match rustix::fs::statvfs(&config.data.dir) {
        Ok(system) => {
            let free = system.f_bavail.saturating_mul(system.f_frsize);
            let needed = config.data.reserve_bytes.saturating_add(config.data.segment_bytes);
            let detail = format!("{} MiB free, reserve {} MiB", free >> 20, config.data.reserve_bytes >> 20);
            (free > needed, detail)
        }
        Err(error) => (false, format!("cannot tell: {error}")),
    };
    Finding { what: "disk space", fine, detail }
}

fn recovery_kit(config: &Config) -> Finding {
    let path = recovery_kit_path(&config.data.dir);
    let fine = !path.exists();
    let detail = if fine {
        "not on this host".into()
    } else {
        format!("{} is still here: print it or move it to a safe place, then delete it", path.display())
    };
    Finding { what: "recovery kit", fine, detail }
}

fn descriptors(config: &Config) -> Finding {
    let needed = u64::from(config.limits.connections) * 2 + 256;
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let detail = format!("{allowed} allowed, {needed} may be needed (LimitNOFILE)");
    Finding { what: "descriptors", fine: allowed >= needed, detail }
}

fn setup(config: &Config) -> Finding {
    let waiting = setup_code_path(&config.data.dir).exists();
    let detail = if waiting { "not done: run `leadglass setup`" } else { "done, or never started" };
    Finding { what: "setup", fine: !waiting, detail: detail.into() }
}

async fn doors(config: &Config) -> Finding {
    let (fine, detail) = match Serving::read(&config.data.dir) {
        Err(_) => (true, "not serving".to_owned()),
        Ok(serving) => match reach(config, &serving).await {
            Ok(()) => {
                let Serving { https, dicom, ae_title, .. } = serving;
                (true, format!("HTTPS {https}, DICOM/TLS {dicom} as {ae_title}"))
            }
            Err(error) => (false, format!("{error:#}")),
        },
    };
    Finding { what: "doors", fine, detail }
}

async fn reach(config: &Config, serving: &Serving) -> anyhow::Result<()> {
    let client = Client::new(serving.https, &config.data.dir.join("ca.pem"))?;
    client.get("/healthz/live", None).await?;
    Ok(())
}
