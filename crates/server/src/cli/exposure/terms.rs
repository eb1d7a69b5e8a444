//! What every command that judges a report takes: formats, thresholds, baselines.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use leadglass_dicom::clock::{Clock, SystemClock};
use leadglass_exposure::report::baseline::{self, Accepted, Baseline};
use leadglass_exposure::report::format::{Format, Options, write};
use leadglass_exposure::report::verdict::{FailOn, Terms, Verdict};
use leadglass_exposure::report::wording::Share;
use leadglass_exposure::report::{Report, json, table};
use leadglass_exposure::run::seconds;
use leadglass_exposure::signature::{PublicKey, Purpose, demand, verify_beside};

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
                let what = || format!("the baseline {}", path.display());
                let text = read_text(path, baseline::MAX_BYTES as u64).with_context(what).usage()?;
                Baseline::parse(&text).with_context(what).usage()?
            }
            None => Baseline::default(),
        };
        let before = self.before.as_deref().map(|path| read_report(path, None)).transpose()?;
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
    pub fn conclude(&self, report: &Report, out: &Path, output: &Output) -> Result<Verdict, Failure> {
        let accepted = self.accepted(report);
        private_folder(out)?;
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
        let verdict = Verdict::of(report, &terms);
        let said = serde_json::json!({
            "written": written,
            "exit_code": verdict.code(),
            "log_head": report.times.log_head,
        });
        let files: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        let head =
            report.times.log_head.as_ref().map_or_else(String::new, |head| format!("\nrun.log ends with {head}"));
        output.say(&said, format!("{}\n{}{head}", table::text(report, &accepted), files.join("\n")))?;
        Ok(verdict)
    }

    /// What the baseline accepts today.
    pub fn accepted(&self, report: &Report) -> Accepted {
        self.baseline.apply(report, seconds(SystemClock.now()))
    }
}

/// Reads a report; one whose signature is beside it must be what was signed, and by whom it was
/// demanded.
pub fn read_report(path: &Path, signer: Option<PublicKey>) -> Result<Report, Failure> {
    read_signed(path, signer).map(|(report, _)| report)
}

/// The same, with who signed it.
pub fn read_signed(path: &Path, signer: Option<PublicKey>) -> Result<(Report, Option<PublicKey>), Failure> {
    let what = || format!("the report {}", path.display());
    let bytes = read_bounded(path, json::MAX_BYTES).with_context(what).usage()?;
    let signed_by = verify_beside(Purpose::Report, path, &bytes).with_context(what).usage()?;
    demand(signer, signed_by).with_context(what).usage()?;
    Ok((json::parse(&bytes).with_context(what).usage()?, signed_by))
}

/// Reads a text file that is named on the command line.
pub fn read_text(path: &Path, limit: u64) -> anyhow::Result<String> {
    String::from_utf8(read_bounded(path, limit)?).map_err(|_| anyhow!("it is not UTF-8 text"))
}

/// Reads a file that is named on the command line.
pub fn read_bounded(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(anyhow!("it is longer than {limit} bytes"));
    }
    Ok(bytes)
}

/// Opens a file that is named on the command line: a pipe could keep us for ever, and a device
/// has no end.
pub fn open_regular(path: &Path) -> anyhow::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(anyhow!("it is not a regular file"));
    }
    Ok(File::open(path)?)
}

/// A folder that only its owner reads; one that is there already is left as it is.
pub fn private_folder(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    Ok(made.with_context(|| format!("cannot make {}", path.display()))?)
}

/// A new or emptied file that only its owner reads: who is open is nobody else's business.
pub fn private_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn write_form(report: &Report, format: Format, options: &Options<'_>, out: &Path) -> Result<PathBuf, Failure> {
    let path = out.join(format.file_name());
    let done = (|| {
        let mut file = BufWriter::new(private_file(&path)?);
        write(report, format, options, &mut file)?;
        file.flush()
    })();
    done.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_within_bounds_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        std::fs::write(&file, "12345").unwrap();
        assert_eq!(read_bounded(&file, 5).unwrap(), b"12345");
        assert!(read_bounded(&file, 4).unwrap_err().to_string().contains("longer than 4 bytes"));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&pipe, Path::new("/dev/zero"), folder.path()] {
            assert_eq!(open_regular(path).unwrap_err().to_string(), "it is not a regular file");
            assert!(read_bounded(path, 5).is_err());
        }
    }

    #[test]
    fn what_a_run_writes_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/b");
        private_folder(&out).unwrap();
        let file = out.join("report.html");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        private_file(&file).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&out), mode(&folder.path().join("a")), mode(&file)), (0o700, 0o700, 0o600));
    }
}
