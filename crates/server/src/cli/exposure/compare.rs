//! `diff`, `merge`, `report`, `sign`, `verify`: what is done with reports that are there.

use std::path::PathBuf;

use anyhow::Context;
use leadglass_exposure::engine::{Ended, merge, verify_log};
use leadglass_exposure::report::diff::Diff as Difference;
use leadglass_exposure::report::json;
use leadglass_exposure::report::verdict::{FailOn, Verdict};
use leadglass_exposure::signature::{PublicKey, Purpose, demand};

use super::terms::{Judging, read_bounded, read_report, read_signed};
use super::{Blame, Failure};
use crate::cli::output::Output;

/// What changed between two reports.
#[derive(clap::Args, Debug)]
pub struct Diff {
    /// The earlier report.json.
    earlier: PathBuf,
    /// The later.
    later: PathBuf,
    /// Which changes fail: never, new:high, …; without `new:` any finding of the later report.
    #[arg(long, value_name = "THRESHOLD", default_value = "new:low")]
    fail_on: FailOn,
    /// Findings that somebody answers for, until a day.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// The public key of who must have signed both reports, 64 hexadecimal digits; without it any signature
    /// that holds, or none, is taken.
    #[arg(long, value_name = "PUBLICKEY")]
    signer: Option<PublicKey>,
}

/// Make one report of the reports of all shards of a run.
#[derive(clap::Args, Debug)]
pub struct Merge {
    /// The shards' report.json files, each shard once.
    #[arg(required = true, num_args = 2..)]
    reports: Vec<PathBuf>,
    /// Where the merged report goes.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The public key of who must have signed each report, 64 hexadecimal digits; without it any signature
    /// that holds, or none, is taken.
    #[arg(long, value_name = "PUBLICKEY")]
    signer: Option<PublicKey>,
    #[command(flatten)]
    judging: Judging,
}

/// Write a report in other forms, or judge it by other terms.
#[derive(clap::Args, Debug)]
pub struct Report {
    /// The report.json.
    report: PathBuf,
    /// Where the forms go.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The public key of who must have signed the report, 64 hexadecimal digits; without it any signature
    /// that holds, or none, is taken.
    #[arg(long, value_name = "PUBLICKEY")]
    signer: Option<PublicKey>,
    #[command(flatten)]
    judging: Judging,
}

/// Sign a report (Ed25519); the signature goes beside it.
#[derive(clap::Args, Debug)]
pub struct Sign {
    /// The report.json.
    report: PathBuf,
    /// The key, PKCS#8 PEM, mode 0600.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Make the key first.
    #[arg(long)]
    new_key: bool,
}

/// Check the chain of a run's log, that log and report name each other, and the report's signature.
#[derive(clap::Args, Debug)]
pub struct Verify {
    /// The folder of a run.
    run: PathBuf,
    /// The public key of who must have signed the report, 64 hexadecimal digits; without it any signature
    /// that holds, or none, is taken.
    #[arg(long, value_name = "PUBLICKEY")]
    signer: Option<PublicKey>,
}

impl Diff {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let judging = Judging {
            format: Vec::new(),
            fail_on: self.fail_on,
            min_coverage: 0,
            baseline: self.baseline,
            before: None,
        };
        let judge = judging.read()?;
        let (earlier, later) = (read_report(&self.earlier, self.signer)?, read_report(&self.later, self.signer)?);
        let diff = Difference::of(&earlier, &later, &judge.accepted(&later));
        output.say(&diff, diff.text())?;
        Ok(Verdict::of_diff(&diff, self.fail_on))
    }
}

impl Merge {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let judge = self.judging.read()?;
        let reports = self.reports.iter().map(|path| read_report(path, self.signer)).collect::<Result<Vec<_>, _>>()?;
        let merged = merge(reports).usage()?;
        judge.conclude(&merged, &self.out, output)
    }
}

impl Report {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let judge = self.judging.read()?;
        judge.conclude(&read_report(&self.report, self.signer)?, &self.out, output)
    }
}

impl Sign {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        // An old signature beside it need not hold: this makes a new one.
        json::parse(&read_bounded(&self.report, json::MAX_BYTES).usage()?).usage()?;
        super::scope::sign(&self.report, &self.key, self.new_key, Purpose::Report, output)
    }
}

impl Verify {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let log = verify_log(&self.run.join("run.log")).usage()?;
        let path = self.run.join("report.json");
        let whole = log.is_whole() && path.exists();
        let signed = match path.exists() {
            true => {
                let (report, signed) = read_signed(&path, self.signer)?;
                // A run that goes on has a newer log than report.
                if whole {
                    log.binds(&report).usage()?;
                }
                signed
            }
            false => {
                demand(self.signer, None).context("there is no report").usage()?;
                None
            }
        };
        let signed = signed.map(|key| key.to_string());
        let said = serde_json::json!({
            "lines": log.lines,
            "head": log.head,
            "torn": log.torn,
            "ended": log.ended,
            "whole": whole,
            "signed_by": signed,
        });
        let by = signed.map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}"));
        let end = match (whole, log.torn, log.ended) {
            (true, ..) => "the run came to its end, and the report is the one that the log names",
            (false, true, _) => "its last line is torn: the run was cut off",
            (false, false, Some(ended)) if ended != Ended::Complete => ended.reason(),
            _ => "it has no end, or no report: the run was cut off",
        };
        let text =
            format!("run.log: {} lines, an unbroken chain, head {}; {end}\nreport.json: {by}", log.lines, log.head);
        output.say(&said, text)?;
        Ok(if whole { Verdict::Clean } else { Verdict::Incomplete })
    }
}
