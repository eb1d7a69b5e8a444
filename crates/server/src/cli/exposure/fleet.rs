//! `leadglass exposure fleet`: many runs in one picture.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use leadglass_exposure::fleet::{Fleet, Format, write};
use leadglass_exposure::report::verdict::Verdict;

use super::terms::read_report;
use super::{Blame, Failure};
use crate::cli::output::Output;

/// One picture of many runs: sites, countries, products, over time.
#[derive(clap::Args, Debug)]
pub struct FleetCommand {
    /// The runs' report.json files.
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Where fleet.json, fleet.html, fleet.csv and fleet.txt go.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl FleetCommand {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let reports = self.reports.iter().map(|path| read_report(path)).collect::<Result<Vec<_>, _>>()?;
        let fleet = Fleet::of(reports).usage()?;
        fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        for format in Format::ALL {
            let path = self.out.join(format.file_name());
            fs::write(&path, form(&fleet, format)?).with_context(|| format!("cannot write {}", path.display()))?;
        }
        output.say(&fleet, String::from_utf8_lossy(&form(&fleet, Format::Text)?))?;
        Ok(Verdict::Clean)
    }
}

fn form(fleet: &Fleet, format: Format) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    write(fleet, format, &mut bytes)?;
    Ok(bytes)
}
