//! What every command that judges a report takes: formats, thresholds, baselines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use leadglass_dicom::clock::{Clock, SystemClock};
use leadglass_exposure::report::baseline::{Accepted, Baseline};
use leadglass_exposure::report::format::{Format, Options, write};
use leadglass_exposure::report::verdict::{Ended, FailOn, Terms, Verdict};
use leadglass_exposure::report::wording::Share;
use leadglass_exposure::report::{Report, json, table};
use leadglass_exposure::run::seconds;
use leadglass_exposure::signature::{Purpose, verify_beside};

use super::{Blame, Failure};
use crate::cli::output::Output;

/// How a report is judged and in which forms it is written.
#[derive(clap::Args, Debug, Clone)]
pub struct Judging {
    /// Forms to write beside report.json: html, csv, sarif, defectdojo, ocsf, junit, prometheus, text.
    #[arg(long, value_name = "FORM,…", value_delimiter = ',', default_value = "html")]
    pub format: Vec<Format>,
    /// Which findings fail: never, info, low, medium, high, critical; with `new:` before it only
    /// those that the report named by --before did not have.
    #[arg(long, value_name = "THRESHOLD", default_value_t = FailOn::default())]
    pub fail_on: FailOn,
    /// The least share that must have been looked at, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 95, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub min_coverage: u8,
    /// Findings that somebody answers for, until a day.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// An earlier report: what it had is not new.
    #[arg(long, value_name = "REPORT")]
    pub before: Option<PathBuf>,
}

impl Judging {
    /// Reads what is named, so that mistakes in it come before the work.
    pub fn read(&self) -> Result<Judge, Failure> {
        let baseline = match &self.baseline {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| format!("cannot read the baseline {}", path.display())).usage()?;
                Baseline::parse(&text).with_context(|| format!("the baseline {}", path.display())).usage()?
            }
            None => Baseline::default(),
        };
        let before = self.before.as_deref().map(read_report).transpose()?;
        let formats = self.format.iter().copied().filter(|format| *format != Format::Json).collect();
        let min_coverage = Share::of(u64::from(self.min_coverage), 100);
        Ok(Judge { baseline, before, formats, fail_on: self.fail_on, min_coverage })
    }
}

/// Judges reports.
pub struct Judge {
    baseline: Baseline,
    before: Option<Report>,
    formats: Vec<Format>,
    fail_on: FailOn,
    min_coverage: Share,
}

impl Judge {
    /// Writes the report in all its forms into a folder, prints the table, and says how it ends.
    pub fn conclude(&self, report: &Report, ended: Ended, out: &Path, output: &Output) -> Result<Verdict, Failure> {
        let accepted = self.accepted(report);
        std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
        let options = Options { accepted: Some(&accepted), before: self.before.as_ref() };
        let mut written = vec![write_form(report, Format::Json, &options, out)?];
        for format in &self.formats {
            written.push(write_form(report, *format, &options, out)?);
        }
        let terms = Terms {
            fail_on: self.fail_on,
            min_coverage: self.min_coverage,
            accepted: &accepted,
            before: self.before.as_ref(),
        };
        let verdict = Verdict::of(report, &terms, ended);
        let said = serde_json::json!({ "written": written, "exit_code": verdict.code() });
        let files: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        output.say(&said, format!("{}\n{}", table::text(report, &accepted), files.join("\n")))?;
        Ok(verdict)
    }

    /// What the baseline accepts today.
    pub fn accepted(&self, report: &Report) -> Accepted {
        self.baseline.apply(report, seconds(SystemClock.now()))
    }
}

/// Reads a report; one whose signature is beside it must be what was signed.
pub fn read_report(path: &Path) -> Result<Report, Failure> {
    let what = || format!("the report {}", path.display());
    let bytes = std::fs::read(path).with_context(what).usage()?;
    verify_beside(Purpose::Report, path, &bytes).with_context(what).usage()?;
    json::parse(&bytes).with_context(what).usage()
}

fn write_form(report: &Report, format: Format, options: &Options<'_>, out: &Path) -> Result<PathBuf, Failure> {
    let path = out.join(format.file_name());
    let done = (|| {
        let mut file = BufWriter::new(File::create(&path)?);
        write(report, format, options, &mut file)?;
        file.flush()
    })();
    done.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
