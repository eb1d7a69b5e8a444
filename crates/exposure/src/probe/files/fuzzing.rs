//! The readers of DICOM file headers and of configurations for the fuzzer.

use super::exports;
use super::file::bare;
use super::inflate;
use super::magic;
use super::orthanc;
use super::preamble::{PREAMBLE, Preamble};
use super::reader::{read_part10, sniff};
use super::record::{End, Record, Syntax};
use super::source::{FIRST_READ, WINDOW, Window};

/// What became of a header.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// Elements that were met.
    pub elements: u32,
    /// Rows of PS3.15 Table E.1-1 that have a value.
    pub present: usize,
    /// Whether the reader was content.
    pub whole: bool,
    /// Whether it was read through another window within the bounds of one look.
    pub alike: bool,
}

/// Reads a file's header as a walk does; none when it is no DICOM.
pub fn header(file: &[u8]) -> Option<Header> {
    let record = record(file, &mut [0; WINDOW])?;
    // Through a keyhole more reads are needed, and less is inflated; but for that, nothing else is seen.
    let bounded = |record: &Record| record.end == End::TooLong || record.syntax == Syntax::Deflated;
    let other = self::record(file, &mut [0; 4096]);
    let alike = bounded(&record) || other.is_none_or(|other| other == record || bounded(&other));
    Some(Header {
        elements: record.elements,
        present: record.present.iter().count(),
        whole: matches!(record.end, End::PixelData | End::File),
        alike,
    })
}

/// What a file comes to as a configuration of Orthanc: the switches that it sets, and those of
/// them that it sets to an unsafe value; none when it is no such configuration.
pub fn switches(file: &[u8]) -> Option<(Vec<&'static str>, Vec<&'static str>)> {
    let orthanc::Read::Orthanc(switches) = orthanc::read(file) else { return None };
    Some((switches.told().collect(), switches.set_unsafe().collect()))
}

/// What a file comes to as one of exports(5): exports, clients, and whether one is everyone.
pub fn exports(text: &str) -> (u64, u64, bool) {
    let mut exported = exports::Exported::default();
    exports::read(text).iter().for_each(|export| exported.add_export(export));
    (exported.exports, exported.clients.values().sum(), exported.to_everyone())
}

fn record(file: &[u8], buffer: &mut [u8]) -> Option<Record> {
    let mut window = Window::new(file, buffer);
    let size = file.len() as u64;
    let start = window.begin(FIRST_READ).ok()?;
    let (_, _, sniffed) = (magic::container(start), Preamble::of(start), sniff(start));
    if start.get(PREAMBLE..PREAMBLE + 4) != Some(b"DICM") {
        return bare(&mut window, size, sniffed?);
    }
    let (mut record, at) = read_part10(&mut window, size, PREAMBLE as u64 + 4);
    if record.end == End::NotInflated {
        inflate::read(&mut window, at, &mut record);
    }
    Some(record)
}
