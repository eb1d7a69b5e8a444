//! The scan over real and hostile files: `LEADGLASS_CORPUS` when set, `testdata/` otherwise.

#![expect(clippy::unwrap_used, reason = "test")]

use std::fs;
use std::path::{Path, PathBuf};

use leadglass_dicom::encode::decode;
use leadglass_dicom::json;
use leadglass_dicom::part10::{self, Part10Reader};
use leadglass_dicom::scan::{Fault, Limits, Scanned, Scanner, scan};

fn real_and_hostile() -> (PathBuf, PathBuf) {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    match std::env::var_os("LEADGLASS_CORPUS") {
        Some(corpus) => (corpus.clone().into(), Path::new(&corpus).join("hostile")),
        None => (testdata.join("corpus"), testdata.join("hostile")),
    }
}

/// All files below a directory that could be DICOM, hostile ones apart.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_other = ["hostile", "LICENSES", "load_templates"].contains(&name.as_str());
            if path.is_dir() && !is_other {
                left.push(path);
            } else if path.is_file() && !["md", "csv", "py", "tsv"].iter().any(|end| name.ends_with(end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn scan_file(file: &[u8]) -> Result<Scanned, String> {
    let (meta, data_set) = part10::split(file).map_err(|error| error.to_string())?;
    scan(data_set, &meta.transfer_syntax, &Limits::default()).map_err(|error| error.to_string())
}

#[test]
fn real_instances_are_understood() {
    let files = files_below(&real_and_hostile().0);
    assert!(!files.is_empty());
    for path in files {
        let file = fs::read(&path).unwrap();
        // What is cut, what has no preamble and garbage before: known and refused.
        let Ok((meta, data_set)) = part10::split(&file) else { continue };
        let mut scanner = Scanner::of_any_data_set(&meta.transfer_syntax, Limits::default());
        let name = path.to_string_lossy().into_owned();
        let is_broken = ["truncated", "too_short", "DICOMDIR-nooffset", "dicom_file_minimal"]
            .iter()
            .any(|part| name.contains(part));
        let outcome = scanner.push(data_set).and_then(|()| scanner.finish());
        assert_eq!(outcome.is_err(), is_broken, "{name}: {:?}", outcome.err());
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    for path in files_below(&real_and_hostile().0).into_iter().step_by(7) {
        let file = fs::read(&path).unwrap();
        let Ok(whole) = scan_file(&file) else { continue };
        if file.len() > 200_000 {
            continue;
        }
        for piece in [1, 13, 4096] {
            let mut reader = Part10Reader::new();
            let mut scanner = None;
            for bytes in file.chunks(piece) {
                match &mut scanner {
                    None => {
                        if let Some((meta, rest)) = reader.push(bytes).unwrap() {
                            let mut begun = Scanner::new(&meta.transfer_syntax, Limits::default());
                            begun.push(&rest).unwrap();
                            scanner = Some(begun);
                        }
                    }
                    Some(scanner) => scanner.push(bytes).unwrap(),
                }
            }
            let scanned = scanner.unwrap().finish().unwrap();
            assert_eq!(scanned.data_set, whole.data_set, "{}", path.display());
            assert_eq!(scanned.pixel_data, whole.pixel_data);
            assert_eq!(scanned.bulk, whole.bulk);
        }
    }
}

#[test]
fn frames_lie_inside_the_pixel_data() {
    use leadglass_dicom::scan::{FrameLocation, PixelDataLayout};
    for path in files_below(&real_and_hostile().0) {
        let Ok(scanned) = scan_file(&fs::read(&path).unwrap()) else { continue };
        let Some(layout) = scanned.pixel_data else { continue };
        assert_eq!(PixelDataLayout::from_bytes(&layout.to_bytes()).as_ref(), Some(&layout));
        for number in 1..=layout.frames {
            let end = match layout.frame(number) {
                None => 0,
                Some(FrameLocation::Bytes(bytes) | FrameLocation::Bits { bytes, .. }) => bytes.end,
                Some(FrameLocation::Fragments(fragments)) => {
                    fragments.last().map_or(0, |fragment| fragment.offset + u64::from(fragment.length))
                }
            };
            assert!(end <= scanned.data_set_bytes, "{}: frame {number}", path.display());
        }
        assert!(layout.frame(0).is_none() && layout.frame(layout.frames.saturating_add(1)).is_none());
    }
}

#[test]
fn hostile_files_meet_what_they_deserve() {
    let directory = real_and_hostile().1;
    let table = fs::read_to_string(directory.join("hostile.tsv")).unwrap();
    let mut seen = 0;
    for line in table.lines().skip(1) {
        let [name, expected, _] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let Ok(file) = fs::read(directory.join(name)) else { continue };
        seen += 1;
        let outcome = scan_file(&file);
        match expected {
            "accept" => assert!(outcome.is_ok(), "{name}: {:?}", outcome.err()),
            "reject" => assert!(outcome.is_err(), "{name} is accepted"),
            _ => {}
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_hostile_file_is_walked_to_an_answer() {
    for path in files_below(&real_and_hostile().1) {
        let file = fs::read(&path).unwrap();
        if let Ok(scanned) = scan_file(&file) {
            let mut out = Vec::new();
            json::write(&scanned.data_set, &mut out, &mut |path, _| path.to_owned());
            // serde_json follows 128 levels, three of which are one of ours.
            let is_deep = path.to_string_lossy().contains("nest_64");
            assert!(is_deep || serde_json::from_slice::<serde_json::Value>(&out).is_ok(), "{}", path.display());
            leadglass_dicom::xml::write(&scanned.data_set, &mut out, &mut |path, _| path.to_owned());
        }
        for encoding in [
            leadglass_dicom::Encoding::ImplicitLittleEndian,
            leadglass_dicom::Encoding::ExplicitLittleEndian,
            leadglass_dicom::Encoding::ExplicitBigEndian,
        ] {
            let _ = decode(&file, encoding, &Limits::small());
        }
    }
}

#[test]
fn a_deflate_bomb_stops_at_the_bound() {
    let path = real_and_hostile().1.join("bomb_deflate_256m.dcm");
    let Ok(file) = fs::read(path) else { return };
    let (meta, data_set) = part10::split(&file).unwrap();
    let error = scan(data_set, &meta.transfer_syntax, &Limits::default()).unwrap_err();
    assert_eq!(error.fault, Fault::InflatesTooFar);
    assert!(error.offset <= Limits::default().inflate_ratio_from + 64 * 1024);
}
