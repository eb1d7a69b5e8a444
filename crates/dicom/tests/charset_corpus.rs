//! Patient's Name of every real file that is written in another character set than ASCII.
//!
//! Reads `LEADGLASS_CORPUS`, else `testdata/corpus`; a file that is in neither is left out, but
//! not all of them.

use std::path::{Path, PathBuf};

use leadglass_dicom::VR;
use leadglass_dicom::charset::SpecificCharacterSet;

const NAMES: &[(&str, &str)] = &[
    ("pydicom-pydicom/chrArab.dcm", "قباني^لنزار"),
    ("pydicom-pydicom/chrFren.dcm", "Buc^Jérôme"),
    ("pydicom-pydicom/chrGerm.dcm", "Äneas^Rüdiger"),
    ("pydicom-pydicom/chrGreek.dcm", "Διονυσιος"),
    ("pydicom-pydicom/chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("pydicom-pydicom/chrH32.dcm", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    ("pydicom-pydicom/chrHbrw.dcm", "שרון^דבורה"),
    ("pydicom-pydicom/chrI2.dcm", "Hong^Gildong=洪^吉洞=홍^길동"),
    ("pydicom-pydicom/chrJapMulti.dcm", "やまだ^たろう"),
    ("pydicom-pydicom/chrJapMultiExplicitIR6.dcm", "やまだ^たろう"),
    ("pydicom-pydicom/chrKoreanMulti.dcm", "김희중"),
    ("pydicom-pydicom/chrRuss.dcm", "Люкceмбypг"),
    ("pydicom-pydicom/chrX1.dcm", "Wang^XiaoDong=王^小東="),
    ("pydicom-pydicom/chrX2.dcm", "Wang^XiaoDong=王^小东="),
    ("fo-dicom-fo-dicom/chrGB2312.dcm", "Zhang^XiaoDong=张^小东="),
    ("derived-charsets/ir101_latin2.dcm", "Wałęsa^Łukasz"),
    ("derived-charsets/ir109_latin3.dcm", "Ĉapelo^Ŝtono"),
    ("derived-charsets/ir110_latin4.dcm", "Bērziņš^Jānis"),
    ("derived-charsets/ir148_latin5.dcm", "Çavuşoğlu^Buket"),
    ("derived-charsets/ir166_thai.dcm", "นามสกุล^ชื่อ"),
    ("derived-charsets/ir13_katakana.dcm", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ("derived-charsets/gbk.dcm", "Zhang^San=张^三"),
    ("derived-charsets/ir159_jisx0212.dcm", "Yamada^Tarou=山田^丂太"),
    ("derived-charsets/i2022_ir100_144.dcm", "Müller^Иван"),
    ("derived-charsets/utf8_3groups.dcm", "Wang^XiaoDong=王^小東=ワン"),
];

fn corpus() -> PathBuf {
    std::env::var_os("LEADGLASS_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/corpus"), PathBuf::from)
}

/// The value field of the first element of that tag and representation, explicit little endian;
/// all of these files are.
fn value_of(file: &[u8], tag: [u8; 4], vr: &[u8; 2]) -> Option<Vec<u8>> {
    let header = [&tag[..], vr].concat();
    let at = file.windows(header.len()).position(|window| window == header)? + header.len();
    let length = usize::from(u16::from_le_bytes([*file.get(at)?, *file.get(at + 1)?]));
    file.get(at + 2..at + 2 + length).map(<[u8]>::to_vec)
}

#[test]
fn names_of_real_files_are_read() {
    let mut read = 0;
    for (path, name) in NAMES {
        let Ok(file) = std::fs::read(corpus().join(path)) else { continue };
        let terms = value_of(&file, [0x08, 0, 0x05, 0], b"CS").unwrap_or_default();
        let terms = SpecificCharacterSet::default().decode(&terms, VR::CS);
        let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
        let bytes = value_of(&file, [0x10, 0, 0x10, 0], b"PN").unwrap_or_else(|| panic!("{path} has no name"));
        let set = SpecificCharacterSet::from_terms(&terms);
        assert_eq!(set.decode(&bytes, VR::PN), [*name], "{path} {terms:?}");
        let written = set.encode(&[(*name).to_owned()], VR::PN).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(set.decode(&written, VR::PN), [*name], "{path} written and read");
        read += 1;
    }
    assert!(read > 0, "no file of the corpus was there");
}
