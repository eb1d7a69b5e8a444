//! Writes made-up reports in every form of them into a folder, for the judges of the forms:
//! a small estate, the same mended, one whose labels attack, the scan of 2019, and the fleet of all.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use leadglass_exposure::fleet::{self, Fleet};
use leadglass_exposure::report::Report;
use leadglass_exposure::report::baseline::Baseline;
use leadglass_exposure::report::diff::Diff;
use leadglass_exposure::report::format::{Format, Options, write};
use leadglass_exposure::testing::NOW;
use leadglass_exposure::testing::report::{closed_estate, estate, hostile, public_scan};

const BASELINE: &str = "[[accept]]\ncheck = \"D-05\"\nlabel = \"CT 2\"\nowner = \"M. Muster\"\nreason = \"The vendor watches the scanner with C-ECHO\"\nexpires = 2027-03-31\n";

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("name a folder"))?;
    let folder = Path::new(&folder);
    let mut mended = closed_estate();
    mended.times.ended += 30 * 86_400;
    let reports = [("estate", estate()), ("mended", mended), ("hostile", hostile()), ("scan", public_scan())];
    for (name, report) in &reports {
        all_forms(&folder.join(name), report, &reports[1].1)?;
    }
    fs::create_dir_all(folder.join("fleet"))?;
    let picture = Fleet::of(reports.map(|(_, report)| report).into()).map_err(io::Error::other)?;
    for format in fleet::Format::ALL {
        fleet::write(&picture, format, &mut File::create(folder.join("fleet").join(format.file_name()))?)?;
    }
    Ok(())
}

fn all_forms(folder: &Path, report: &Report, before: &Report) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let accepted = Baseline::parse(BASELINE).map_err(io::Error::other)?.apply(report, NOW);
    let options = Options { accepted: Some(&accepted), before: Some(before) };
    for format in Format::ALL {
        write(report, format, &options, &mut File::create(folder.join(format.file_name()))?)?;
    }
    let diff = Diff::of(before, report, &accepted);
    fs::write(folder.join("diff.json"), diff.json())?;
    fs::write(folder.join("diff.txt"), diff.text())
}
