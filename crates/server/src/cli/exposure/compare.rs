//! `diff`, `merge`, `report`, `sign`, `verify`: what is done with reports that are there.

use std::fs;
use std::path::PathBuf;

use leadglass_exposure::engine::{merge, verify_log};
use leadglass_exposure::report::diff::Diff as Difference;
use leadglass_exposure::report::json;
use leadglass_exposure::report::verdict::{Ended, FailOn, Verdict};
use leadglass_exposure::signature::Purpose;

use super::terms::{Judging, read_report};
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

/// Check the chain of a run's log and the signature of its report.
#[derive(clap::Args, Debug)]
pub struct Verify {
    /// The folder of a run.
    run: PathBuf,
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
        let (earlier, later) = (read_report(&self.earlier)?, read_report(&self.later)?);
        let diff = Difference::of(&earlier, &later, &judge.accepted(&later));
        output.say(&diff, diff.text())?;
        Ok(Verdict::of_diff(&diff, self.fail_on))
    }
}

impl Merge {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let judge = self.judging.read()?;
        let reports = self.reports.iter().map(|path| read_report(path)).collect::<Result<Vec<_>, _>>()?;
        let merged = merge(reports).usage()?;
        judge.conclude(&merged, Ended::Whole, &self.out, output)
    }
}

impl Report {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let judge = self.judging.read()?;
        judge.conclude(&read_report(&self.report)?, Ended::Whole, &self.out, output)
    }
}

impl Sign {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        // An old signature beside it need not hold: this makes a new one.
        json::parse(&fs::read(&self.report).usage()?).usage()?;
        super::scope::sign(&self.report, &self.key, self.new_key, Purpose::Report, output)
    }
}

impl Verify {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let log = verify_log(&self.run.join("run.log")).usage()?;
        let report = self.run.join("report.json");
        let signed = match report.exists() {
            true => {
                read_report(&report)?;
                let bytes = fs::read(&report).usage()?;
                leadglass_exposure::signature::verify_beside(Purpose::Report, &report, &bytes).usage()?
            }
            false => None,
        };
        let signed = signed.map(|key| key.to_string());
        let said = serde_json::json!({ "lines": log.lines, "head": log.head, "torn": log.torn, "signed_by": signed });
        let by = signed.map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}"));
        let text = format!("run.log: {} lines, an unbroken chain, head {}\nreport.json: {by}", log.lines, log.head);
        output.say(&said, text)?;
        Ok(Verdict::Clean)
    }
}
