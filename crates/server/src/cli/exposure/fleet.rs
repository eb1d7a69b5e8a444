//! `leadglass exposure fleet`: many runs in one picture.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use leadglass_exposure::fleet::{Fleet, Format, write};
use leadglass_exposure::report::verdict::Verdict;
use leadglass_exposure::signature::PublicKey;

use super::terms::{private_file, private_folder, read_report};
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
    /// The public key of who must have signed each report, 64 hexadecimal digits; without it any signature
    /// that holds, or none, is taken.
    #[arg(long, value_name = "PUBLICKEY")]
    signer: Option<PublicKey>,
}

impl FleetCommand {
    /// Runs it.
    pub fn run(self, output: &Output) -> Result<Verdict, Failure> {
        let reports = self.reports.iter().map(|path| read_report(path, self.signer)).collect::<Result<Vec<_>, _>>()?;
        let fleet = Fleet::of(reports).usage()?;
        private_folder(&self.out)?;
        for format in Format::ALL {
            let path = self.out.join(format.file_name());
            let bytes = form(&fleet, format)?;
            let written = private_file(&path).and_then(|mut file| file.write_all(&bytes));
            written.with_context(|| format!("cannot write {}", path.display()))?;
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
