//! Prints the DICOM JSON of files, one line each: the path, a tab, the JSON or `!` and why not.
//! The judge that compares it with pydicom reads this.

use std::error::Error;
use std::io::Write;

use leadglass_dicom::json;
use leadglass_dicom::part10;
use leadglass_dicom::scan::{Limits, Scanner};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    for path in std::env::args_os().skip(1) {
        write!(out, "{}\t", path.to_string_lossy())?;
        match dump(&std::fs::read(&path)?) {
            Ok(json) => out.write_all(&json)?,
            Err(error) => write!(out, "!{error}")?,
        }
        writeln!(out)?;
    }
    Ok(())
}

fn dump(file: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let (meta, data_set) = part10::split(file)?;
    let mut scanner = Scanner::new(&meta.transfer_syntax, Limits::default());
    scanner.push(data_set)?;
    let scanned = scanner.finish()?;
    let mut json = Vec::new();
    json::write(&scanned.data_set, &mut json, &mut |path, _| format!("lg:{path}"));
    Ok(json)
}
