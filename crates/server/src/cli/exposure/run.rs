//! `leadglass exposure run`: audits what a scope file allows.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use leadglass_dicom::clock::{Clock, SystemClock};
use leadglass_exposure::catalogue::Depth;
use leadglass_exposure::engine::{self, AuditError, Ended, Job, Options, Progress, Shard};
use leadglass_exposure::import::{self, Dropped};
use leadglass_exposure::probe::version::{self, Rules};
use leadglass_exposure::report::verdict::Verdict;
use leadglass_exposure::run::{Limits, seconds};
use leadglass_exposure::scope::Scope;
use leadglass_exposure::signature::{PublicKey, demand};
use tokio_util::sync::CancellationToken;

use super::progress::watch;
use super::terms::{Judging, open_regular, read_text};
use super::{Blame, Failure};
use crate::cli::output::Output;
use crate::cli::serve::{StopSignal, raise_descriptor_limit};

/// Audit what a scope file allows.
#[derive(clap::Args, Debug)]
pub struct Run {
    /// The scope file; its signature is looked for beside it.
    #[arg(long, value_name = "FILE")]
    scope: PathBuf,
    /// The public key of who must have signed the scope, 64 hexadecimal digits; without it any signature
    /// that holds, or none, is taken.
    #[arg(long, value_name = "PUBLICKEY")]
    signer: Option<PublicKey>,
    /// The folder of the run: report, log, and what a resumed run needs.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Go on with the run that is there.
    #[arg(long)]
    resume: bool,
    /// No deeper than this, 0 to 4; never deeper than the scope.
    #[arg(long, value_name = "DEPTH", value_parser = depth)]
    depth: Option<Depth>,
    /// Connects a second, all hosts together, instead of the scope's.
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// The number that the order of the run comes from.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Take one part of the hosts, as 1/4: all parts together, merged, are the whole.
    #[arg(long, value_name = "K/N", value_parser = shard, default_value = "1/1")]
    shard: Shard,
    /// Sweep more than 65,536 addresses.
    #[arg(long)]
    allow_large: bool,
    /// Do not sweep ranges: look at single addresses and at what was imported.
    #[arg(long)]
    no_sweep: bool,
    /// The key that hashes of paths and certificates' names are made with, 32 bytes in hex, mode
    /// 0600; made when there is none. Runs and shards with one key can be compared and merged;
    /// without it each run has its own.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Endpoints that another tool found: masscan, nmap, zmap, zgrab2, Shodan, Censys, a plain
    /// list or an inventory's CSV. What the scope does not cover is dropped and counted.
    #[arg(long, value_name = "FILE")]
    import: Vec<PathBuf>,
    /// What the imports are, when their beginning does not tell: masscan-json, nmap-xml, list, ….
    #[arg(long, value_name = "FORMAT")]
    import_format: Option<import::Format>,
    /// The port that rows without one mean; without it, the ports of their asset.
    #[arg(long, value_name = "PORT")]
    import_port: Option<u16>,
    /// A newer rule base of known versions, instead of the one that is built in.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Write paths.tsv beside the report: which folder each hash of a path stands for, in clear, for
    /// the owner alone (mode 0600). Never part of the report.
    #[arg(long)]
    paths: bool,
    #[command(flatten)]
    judging: Judging,
}

impl Run {
    /// Runs it.
    pub async fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let judge = self.judging.read()?;
        let scope = Arc::new(Scope::read(&self.scope).usage()?);
        let what = || format!("the scope {}", self.scope.display());
        demand(self.signer, scope.signed_by).with_context(what).usage()?;
        scope.holds_at(seconds(SystemClock.now())).usage()?;
        raise_descriptor_limit();
        let stop = CancellationToken::new();
        tokio::spawn(stop_when_told(StopSignal::new()?, stop.clone()));
        let job = self.job(scope, stop)?;
        let progress = Arc::new(Progress::default());
        let watched = watch(output, progress.clone());
        let audited = engine::audit(job, progress).await.map_err(blame);
        watched.finish();
        let audited = audited?;
        if audited.ended != Ended::Complete {
            eprintln!("leadglass: {}", audited.ended.reason());
        }
        judge.conclude(&audited.report, &self.out, output)
    }

    fn job(&self, scope: Arc<Scope>, stop: CancellationToken) -> Result<Job, Failure> {
        let (imported, dropped) = self.imported(&scope)?;
        let entropy = match &self.key_file {
            Some(path) => kept_key(path)?,
            None => fresh_key()?,
        };
        let options = Options {
            resume: self.resume,
            seed: self.seed,
            shard: self.shard,
            depth: self.depth,
            rate: self.rate,
            allow_large: self.allow_large,
            sweep: !self.no_sweep,
            imported,
            dropped,
            paths: self.paths.then(|| self.out.join("paths.tsv")),
            ..Options::new(&self.out)
        };
        let clock = Arc::new(SystemClock);
        let rules = self.rules()?;
        Ok(Job { scope, rules, clock, entropy, limits: Limits::default(), stop, options })
    }

    /// Endpoints of all imports, and how many rows were dropped; what was dropped and why is said.
    fn imported(&self, scope: &Scope) -> Result<(Vec<SocketAddr>, u64), Failure> {
        let (mut endpoints, mut dropped) = (Vec::new(), 0);
        for path in &self.import {
            let what = || format!("the import {}", path.display());
            let file = open_regular(path).with_context(what).usage()?;
            let options = import::Options { format: self.import_format, port: self.import_port };
            let imported = import::read(file, scope, options).with_context(what).usage()?;
            let Dropped { out_of_scope, excluded, public, malformed, not_open } = imported.dropped;
            eprintln!(
                "leadglass: {} as {}: {} rows, {} endpoints in scope; dropped {out_of_scope} out of scope, \
                 {excluded} excluded, {public} public and not owned, {malformed} malformed, {not_open} not open",
                path.display(),
                imported.format,
                imported.rows,
                imported.endpoints.len(),
            );
            dropped += imported.dropped.total();
            endpoints.extend(imported.endpoints.into_iter().map(SocketAddr::from));
        }
        Ok((endpoints, dropped))
    }

    fn rules(&self) -> Result<Arc<Rules>, Failure> {
        let Some(path) = &self.rules else { return Ok(Rules::built_in()) };
        let what = || format!("the rule base {}", path.display());
        let text = read_text(path, version::rules::MAX_BYTES).with_context(what).usage()?;
        Ok(Arc::new(Rules::parse(&text).with_context(what).usage()?))
    }
}

fn fresh_key() -> Result<[u8; 32], Failure> {
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(key)
}

/// The key in a file that only its owner can read; a new one when there is no file.
fn kept_key(path: &Path) -> Result<[u8; 32], Failure> {
    let what = || format!("the key file {}", path.display());
    match std::fs::metadata(path) {
        Ok(_) => {
            let mut file = open_regular(path).with_context(what).usage()?;
            let mode = file.metadata().with_context(what)?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(Failure::Usage(anyhow!("{} can be read by others: chmod 600 it", what())));
            }
            let mut text = String::new();
            Read::by_ref(&mut file).take(128).read_to_string(&mut text).with_context(what).usage()?;
            let mut key = [0; 32];
            hex::decode_to_slice(text.trim(), &mut key).with_context(what).usage()?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = fresh_key()?;
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            writeln!(file.with_context(what).usage()?, "{}", hex::encode(key)).with_context(what)?;
            Ok(key)
        }
        Err(error) => Err(Failure::Usage(anyhow::Error::new(error).context(what()))),
    }
}

async fn stop_when_told(mut signal: StopSignal, stop: CancellationToken) {
    signal.wait().await;
    stop.cancel();
    // Who asks twice does not wait.
    signal.wait().await;
    std::process::exit(i32::from(Verdict::Incomplete.code()));
}

/// Whose fault it is that there was no run.
fn blame(error: AuditError) -> Failure {
    match error {
        AuditError::Files { .. } => Failure::Internal(error.into()),
        _ => Failure::Usage(error.into()),
    }
}

fn depth(text: &str) -> Result<Depth, String> {
    let number: u8 = text.parse().map_err(|_| "a depth is 0 to 4".to_owned())?;
    Depth::try_from(number).map_err(str::to_owned)
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    parts.and_then(|(number, of)| Shard::new(number, of)).ok_or_else(|| "a shard is K/N, as 1/4".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(failure: Failure) -> String {
        match failure {
            Failure::Usage(error) => format!("{error:#}"),
            Failure::Internal(error) => panic!("our own fault: {error:#}"),
        }
    }

    #[test]
    fn a_key_comes_from_a_regular_file_of_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = kept_key(&path).ok().unwrap();
        assert_eq!(kept_key(&path).ok().unwrap(), made);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(said(kept_key(&path).unwrap_err()).contains("chmod 600"));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap().success());
        assert!(said(kept_key(&pipe).unwrap_err()).contains("it is not a regular file"));
        assert!(said(kept_key(Path::new("/dev/zero")).unwrap_err()).contains("it is not a regular file"));
    }
}
