//! The reader against real files, lying headers, and the archive's own scan.

use std::path::{Path, PathBuf};

use leadglass_dicom::part10;
use leadglass_dicom::scan::{self, Limits};
use leadglass_dicom::{DataSet, TransferSyntax, Value};
use proptest::prelude::*;

use super::*;

fn read(file: &[u8]) -> Record {
    let mut buffer = vec![0; super::super::source::WINDOW];
    read_part10(&mut Window::new(file, &mut buffer), file.len() as u64, 132).0
}

/// A window so small that values and headers fall outside of it.
fn read_narrowly(file: &[u8]) -> Record {
    let mut buffer = vec![0; 96];
    let mut window = Window::new(Endless(file), &mut buffer);
    read_part10(&mut window, file.len() as u64, 132).0
}

/// Counts no reads: a narrow window needs more than a file is worth.
struct Endless<'a>(&'a [u8]);

impl ReadAt for Endless<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
}

fn part10_of(syntax: &str, data_set: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    let mut syntax = syntax.as_bytes().to_vec();
    syntax.resize(syntax.len().next_multiple_of(2), 0);
    file.extend([2, 0, 0x10, 0, b'U', b'I']);
    file.extend(u16::try_from(syntax.len()).unwrap().to_le_bytes());
    file.extend(syntax);
    file.extend(data_set);
    file
}

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";

fn explicit(tag: u32, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(((tag >> 16) as u16).to_le_bytes());
    bytes.extend((tag as u16).to_le_bytes());
    bytes.extend(vr.as_bytes());
    if matches!(vr, "SQ" | "OB" | "OW" | "UN" | "UT") {
        bytes.extend([0, 0]);
        bytes.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    } else {
        bytes.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

fn names(record: &Record) -> Vec<&'static str> {
    record.present.iter().map(|row| profile().rows()[row].name.as_str()).collect()
}

#[test]
fn what_has_a_value_is_marked_and_what_decides_is_read() {
    let item = [&[0xFE, 0xFF, 0, 0xE0, 14, 0, 0, 0][..], &explicit(0x0008_0100, "SH", b"113106")].concat();
    let data_set = [
        explicit(0x0008_0016, "UI", b"1.2.840.10008.5.1.4.1.1.6.1\0"),
        explicit(0x0008_0018, "UI", b"1.2.840.113619.2.1"),
        explicit(0x0010_0010, "PN", b"PLANTED^JANE"),
        explicit(0x0010_0020, "LO", b""),
        explicit(0x0012_0062, "CS", b"YES "),
        explicit(0x0012_0064, "SQ", &item),
        explicit(0x0028_0301, "CS", b"NO"),
        explicit(0x6000_3000, "OW", &[0; 8]),
        explicit(0x7FE0_0010, "OW", &[0; 8]),
    ];
    let record = read(&part10_of(EXPLICIT, &data_set.concat()));
    assert_eq!(record.end, End::PixelData);
    assert_eq!(record.elements, 9, "one of them in the item, without Pixel Data");
    assert_eq!(names(&record), ["SOPInstanceUID", "PatientName", "OverlayData"]);
    assert_eq!(record.identity_removed, Statement::Yes);
    assert_eq!(record.burned_in, Statement::No);
    assert_eq!(record.class, Some(Class::Ultrasound));
    assert_eq!(Some(record.options), Options::of_code(b"113106"));
    assert!(record.manufacturer_uid && record.overlay && record.is_instance && !record.encrypted);
}

#[test]
fn a_length_beyond_the_file_is_not_believed() {
    let mut data_set = explicit(0x0010_0010, "PN", b"PLANTED^JANE");
    data_set.extend([0x10, 0, 0x20, 0, b'U', b'T', 0, 0, 0xF0, 0xFF, 0xFF, 0xFF]);
    let record = read(&part10_of(EXPLICIT, &data_set));
    assert_eq!(record.end, End::Truncated);
    assert_eq!(names(&record), ["PatientName"]);
}

#[test]
fn thousands_of_nested_items_end_at_the_bound() {
    let mut data_set = Vec::new();
    for _ in 0..2_000 {
        data_set.extend([8, 0, 0x40, 0x11, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
        data_set.extend([0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
    let record = read(&part10_of(EXPLICIT, &data_set));
    assert_eq!(record.end, End::TooLong);
    assert!(record.elements <= 65);
}

#[test]
fn items_that_reach_over_their_sequence_are_refused() {
    let item = [0xFE, 0xFF, 0, 0xE0, 200, 0, 0, 0];
    let data_set = [explicit(0x0008_1140, "SQ", &item), explicit(0x0010_0010, "PN", &[b'x'; 400])].concat();
    assert_eq!(read(&part10_of(EXPLICIT, &data_set)).end, End::Malformed);
}

#[test]
fn a_data_set_in_another_encoding_than_said_is_read() {
    let mut data_set = Vec::new();
    for (tag, value) in [(0x0008_0018_u32, "2.25.1"), (0x0010_0010, "PLANTED^JANE")] {
        data_set.extend(((tag >> 16) as u16).to_le_bytes());
        data_set.extend((tag as u16).to_le_bytes());
        data_set.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        data_set.extend(value.as_bytes());
    }
    for syntax in [IMPLICIT, EXPLICIT] {
        assert_eq!(names(&read(&part10_of(syntax, &data_set))), ["SOPInstanceUID", "PatientName"]);
    }
    assert_eq!(sniff(&data_set), Some(Encoding::ImplicitLittleEndian));
    assert_eq!(sniff(b"PLANTED^JANE, a text"), None);
}

fn corpus() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let mut folders = vec![testdata.join("corpus"), testdata.join("samples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

/// Elements at all levels before Pixel Data, by the archive's scan.
fn elements_by_scan(data_set: &DataSet) -> u32 {
    let (mut count, mut left) = (0, vec![(data_set, true)]);
    while let Some((data_set, top)) = left.pop() {
        for (_, element) in data_set.iter().filter(|(tag, _)| !top || tag.group() < 0x7FE0) {
            count += 1;
            if let Value::Sequence(items) = &element.value {
                left.extend(items.iter().map(|item| (item, false)));
            }
        }
    }
    count
}

#[test]
fn it_counts_like_the_archives_scan() {
    let (mut agreed, mut disagreed) = (0, Vec::new());
    for path in corpus() {
        let file = std::fs::read(&path).unwrap();
        if file.get(128..132) != Some(b"DICM") {
            continue;
        }
        let record = read(&file);
        let Ok((meta, data_set)) = part10::split(&file) else { continue };
        let syntax: &TransferSyntax = &meta.transfer_syntax;
        if syntax.is_deflated() {
            continue;
        }
        let mut scanner = scan::Scanner::of_any_data_set(syntax, Limits::default());
        if scanner.push(data_set).is_err() {
            continue;
        }
        let Ok(scanned) = scanner.finish() else { continue };
        // One of them has its SOP Instance UID twice, and a data set in memory keeps one.
        let twice = u32::from(path.ends_with("pydicom-pydicom/winter.dcm"));
        let expected = elements_by_scan(&scanned.data_set) + twice;
        if matches!(record.end, End::PixelData | End::File) && record.elements == expected {
            agreed += 1;
        } else {
            disagreed.push((path, record.end, record.elements, expected));
        }
    }
    assert!(disagreed.is_empty(), "{disagreed:#?}");
    assert!(agreed > 100, "only {agreed} files were compared");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        for syntax in [EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.2"] {
            let record = read(&part10_of(syntax, &bytes));
            prop_assert!(u64::from(record.elements) * 8 <= bytes.len() as u64);
        }
    }

    #[test]
    fn nor_do_changed_files(at in 132_usize..900, byte: u8, cut in 132_usize..1_000) {
        let item = [&[0xFE, 0xFF, 0, 0xE0, 14, 0, 0, 0][..], &explicit(0x0008_0100, "SH", b"113106")].concat();
        let element = [explicit(0x0012_0064, "SQ", &item), explicit(0x0010_0010, "PN", b"PLANTED^JANE")].concat();
        let mut file = part10_of(EXPLICIT, &element.repeat(16));
        if let Some(old) = file.get_mut(at) {
            *old = byte;
        }
        file.truncate(cut);
        read(&file);
    }

    #[test]
    fn the_window_does_not_matter(values in proptest::collection::vec(0_u16..300, 1..12)) {
        let elements = values.iter().zip(0_u32..).map(|(length, at)| {
            explicit(0x0010_4000 + at, "LT", &vec![b'x'; usize::from(*length)])
        });
        let file = part10_of(EXPLICIT, &elements.collect::<Vec<_>>().concat());
        prop_assert_eq!(read(&file), read_narrowly(&file));
    }
}
