//! `leadglass exposure fleet`: many runs in one picture.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use leadglass_exposure::fleet::Fleet;
use leadglass_exposure::report::verdict::Verdict;

use super::Failure;
use super::terms::read_report;
use crate::cli::output::Output;

/// One picture of many runs: sites, countries, products, over time.
#[derive(clap::Args, Debug)]
pub struct FleetCommand {
    /// The runs' report.json files.
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Where fleet.json, fleet.html and fleet.csv go.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl FleetCommand {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let reports = self.reports.iter().map(|path| read_report(path)).collect::<Result<Vec<_>, _>>()?;
        let fleet = Fleet::of(&reports);
        fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        for (name, bytes) in [("fleet.json", fleet.json()), ("fleet.html", fleet.html()), ("fleet.csv", fleet.csv())] {
            let path = self.out.join(name);
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        output.say(&fleet, fleet.text())?;
        Ok(Verdict::Clean)
    }
}
