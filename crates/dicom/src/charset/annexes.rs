//! Names as PS3.5 Annexes H to K write them, names found in the wild, and what must hold of any
//! text and any bytes.

use dicom_core::VR;
use proptest::prelude::*;

use super::SpecificCharacterSet;

const JAPANESE: &[&str] = &["", "ISO 2022 IR 87"];
const KATAKANA: &[&str] = &["ISO 2022 IR 13", "ISO 2022 IR 87"];
const KANJI: &[&str] = &["", "ISO 2022 IR 87", "ISO 2022 IR 159"];
const KOREAN: &[&str] = &["", "ISO 2022 IR 149"];
const CHINESE: &[&str] = &["", "ISO 2022 IR 58"];

/// Terms, representation, bytes, and the values that they mean.
type Example = (&'static [&'static str], VR, &'static [u8], &'static [&'static str]);

const READ: &[Example] = &[
    // PS3.5 H.3.1
    (
        JAPANESE,
        VR::PN,
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        &["Yamada^Tarou=山田^太郎=やまだ^たろう"],
    ),
    // PS3.5 H.3.2
    (
        KATAKANA,
        VR::PN,
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        &["ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"],
    ),
    // PS3.5 I.2
    (
        KOREAN,
        VR::PN,
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        &["Hong^Gildong=洪^吉洞=홍^길동"],
    ),
    // PS3.5 I.3: the sequence is repeated in each line
    (KOREAN, VR::LT, b"\x1b$)CThe \xb1\xe8 line\r\n\x1b$)C\xb1\xe8", &["The 김 line\r\n김"]),
    // PS3.5 J.3, J.4
    (&["ISO_IR 192"], VR::PN, b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1= ", &["Wang^XiaoDong=王^小東="]),
    (&["GB18030"], VR::PN, b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab= ", &["Wang^XiaoDong=王^小东="]),
    // PS3.5 K.2
    (CHINESE, VR::PN, b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab= ", &["Zhang^XiaoDong=张^小东="]),
    (&["GBK"], VR::PN, b"Zhang^San=\xd5\xc5^\xc8\xfd ", &["Zhang^San=张^三"]),
    // Single-byte terms, PS3.3 Table C.12-2
    (&["ISO_IR 100"], VR::PN, b"Buc^J\xe9r\xf4me\\Buc^J\xe9r\xf4me ", &["Buc^Jérôme", "Buc^Jérôme"]),
    (&["ISO_IR 101"], VR::PN, b"Wa\xb3\xeasa^\xa3ukasz ", &["Wałęsa^Łukasz"]),
    (&["ISO_IR 109"], VR::PN, b"\xc6apelo^\xdetono", &["Ĉapelo^Ŝtono"]),
    (&["ISO_IR 110"], VR::PN, b"B\xbarzi\xf1\xb9^J\xe0nis ", &["Bērziņš^Jānis"]),
    (&["ISO_IR 126"], VR::PN, b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2 ", &["Διονυσιος"]),
    (&["ISO_IR 127"], VR::PN, b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1 ", &["قباني^لنزار"]),
    (&["ISO_IR 138"], VR::PN, b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", &["שרון^דבורה"]),
    (&["ISO_IR 144"], VR::PN, b"\xbb\xee\xdace\xdc\xd1yp\xd3", &["Люкceмбypг"]),
    (&["ISO_IR 148"], VR::PN, b"\xc7avu\xfeo\xf0lu^Buket ", &["Çavuşoğlu^Buket"]),
    (&["ISO_IR 166"], VR::LO, b"\xb7\xc3\xc7\xa7\xcd\xa1", &["ทรวงอก"]),
    (&["ISO_IR 203"], VR::LO, b"\xa4 1", &["€ 1"]),
    (&["ISO_IR 13"], VR::PN, b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", &["ﾔﾏﾀﾞ^ﾀﾛｳ"]),
    // JIS X 0212, and two alphabets in one name
    (KANJI, VR::PN, b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$(D0!\x1b$BB@\x1b(B", &["Yamada^Tarou=山田^丂太"]),
    (&["ISO 2022 IR 100", "ISO 2022 IR 144"], VR::PN, b"M\xfcller^\x1b-L\xb8\xd2\xd0\xdd", &["Müller^Иван"]),
];

fn decode(terms: &[&str], vr: VR, bytes: &[u8]) -> Vec<String> {
    SpecificCharacterSet::from_terms(terms).decode(bytes, vr)
}

#[test]
fn names_are_read_as_the_annexes_write_them() {
    for (terms, vr, bytes, values) in READ {
        assert_eq!(decode(terms, *vr, bytes), *values, "{terms:?}");
    }
}

#[test]
fn names_are_written_as_the_annexes_write_them() {
    for (terms, vr, bytes, values) in READ {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let written = SpecificCharacterSet::from_terms(terms).encode(&values, *vr);
        // The annexes call the Korean set at the beginning of a line, before it is needed.
        let expected =
            bytes.strip_prefix(b"\x1b$)CThe ").map_or(bytes.to_vec(), |rest| [b"The \x1b$)C", rest].concat());
        let padding = usize::from(expected.ends_with(b" "));
        assert_eq!(
            written.as_deref(),
            Ok(&expected[..expected.len() - padding]),
            "{terms:?} {}",
            expected.escape_ascii()
        );
    }
}

#[test]
fn a_trail_byte_is_no_delimiter() {
    // In GBK and Shift-JIS the second byte of a character may be 0x5C.
    assert_eq!(decode(&["GB18030"], VR::LO, b"\x81\x5c\\B"), ["乗", "B"]);
    assert_eq!(decode(&["GBK"], VR::PN, b"\x81\x5c"), ["乗"]);
    assert_eq!(decode(&["ISO_IR 13"], VR::LO, b"\x95\x5c\\\xb1"), ["表", "ｱ"]);
    // In JIS X 0208 both may be 0x5C, 0x5E or 0x3D.
    let values = decode(JAPANESE, VR::PN, b"\x1b$B\x3d\x5c\x30\x5e\x1b(B^A\\B");
    assert_eq!(values, ["旬緯^A", "B"]);
}

#[test]
fn sets_are_the_first_again_after_delimiters() {
    assert_eq!(decode(&["ISO 2022 IR 100", "ISO 2022 IR 144"], VR::PN, b"\x1b-L\xb8^\xe9=\xe9\\\xe9"), ["И^é=é", "é"]);
    assert_eq!(decode(&["ISO 2022 IR 100", "ISO 2022 IR 144"], VR::LO, b"\x1b-L\xb8^\xb8"), ["И^И"]);
    assert_eq!(decode(&["ISO 2022 IR 100", "ISO 2022 IR 144"], VR::LT, b"\x1b-L\xb8\\\xb8\n\xe9"), ["И\\И\né"]);
}

#[test]
fn text_of_one_value_is_not_split_and_padding_goes() {
    let latin = SpecificCharacterSet::from_terms(&["ISO_IR 100"]);
    for vr in [VR::ST, VR::LT, VR::UT, VR::UR] {
        assert_eq!(latin.decode(b" a\\b  ", vr), [" a\\b"]);
    }
    assert_eq!(latin.decode(b"A \\ B\\", VR::LO), ["A", " B", ""]);
    assert_eq!(latin.decode(b" 1\\ 2 ", VR::IS), ["1", "2"]);
    assert_eq!(latin.decode(b"1.2\\1.3\0", VR::UI), ["1.2", "1.3"]);
    assert_eq!(latin.decode(b"  \0", VR::LO), Vec::<String>::new());
    assert_eq!(latin.decode(b"", VR::PN), Vec::<String>::new());
}

#[test]
fn representations_that_it_does_not_touch_are_read_without_it() {
    assert_eq!(decode(&["ISO_IR 144"], VR::CS, b"A\xb8"), ["A\u{b8}"]);
    assert_eq!(decode(&["ISO_IR 192"], VR::LO, "ä".as_bytes()), ["ä"]);
    assert!(SpecificCharacterSet::utf8().encode(&["ä".into()], VR::CS).is_err());
}

#[test]
fn what_a_set_cannot_write_is_refused() {
    let default = SpecificCharacterSet::default();
    assert!(default.can_encode("plain ~ \\ text") && !default.can_encode("é"));
    let korean = SpecificCharacterSet::from_terms(KOREAN);
    assert!(korean.can_encode("김 洪") && !korean.can_encode("é"));
    assert!(!SpecificCharacterSet::from_terms(&["ISO_IR 100"]).can_encode("ł"));
    let katakana = SpecificCharacterSet::from_terms(&["ISO_IR 13"]);
    assert!(katakana.encode(&["¥".into()], VR::LT).is_ok() && katakana.encode(&["¥".into()], VR::LO).is_err());
    assert!(SpecificCharacterSet::utf8().encode(&["a\\b".into()], VR::LO).is_err());
}

#[test]
fn broken_sequences_become_replacement_characters() {
    assert_eq!(decode(JAPANESE, VR::PN, b"\x1b"), ["\u{FFFD}"]);
    assert_eq!(decode(JAPANESE, VR::PN, b"\x1b$"), ["\u{FFFD}$"]);
    assert_eq!(decode(JAPANESE, VR::LO, b"\x1b$B;"), ["\u{FFFD}"]);
    assert_eq!(decode(KOREAN, VR::LO, b"\x1b$)C\xb1"), ["\u{FFFD}"]);
    assert_eq!(decode(&["ISO_IR 192"], VR::LO, b"a\xff\\b"), ["a\u{FFFD}", "b"]);
    assert_eq!(decode(KOREAN, VR::LO, b"\xb1\xe8"), ["김"], "the sequence is often saved");
}

/// Every way of coding that there is.
fn any_terms() -> impl Strategy<Value = &'static [&'static str]> {
    prop::sample::select(vec![
        &[][..],
        &["ISO_IR 100"],
        &["ISO_IR 13"],
        &["ISO_IR 192"],
        &["GB18030"],
        &["GBK"],
        JAPANESE,
        KATAKANA,
        KANJI,
        KOREAN,
        CHINESE,
        &["ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 126", "ISO 2022 IR 87", "ISO 2022 IR 149"],
    ])
}

fn any_vr() -> impl Strategy<Value = VR> {
    prop::sample::select(vec![VR::PN, VR::LO, VR::LT, VR::SH, VR::UT, VR::CS])
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..64), terms in any_terms(), vr in any_vr()) {
        let values = decode(terms, vr, &bytes);
        prop_assert!(values.iter().map(|value| value.chars().count()).sum::<usize>() <= bytes.len());
    }

    #[test]
    fn bytes_full_of_escapes_are_read(
        parts in prop::collection::vec(prop::sample::select(vec![&b"\x1b$B"[..], b"\x1b(B", b"\x1b$)C", b"\x1b", b"\\", b"^", b"=", b"\xb1", b";3", b"\r\n", b"$("]), 0..24),
        terms in any_terms(),
        vr in any_vr(),
    ) {
        decode(terms, vr, &parts.concat());
    }

    #[test]
    fn what_is_written_is_read_back(
        text in "[ -\\[\\]-}é王山田ｱﾔ가나다김洪やまИΩ丂东〜−¥‾\r\n]{0,24}",
        terms in any_terms(),
        vr in any_vr(),
    ) {
        let set = SpecificCharacterSet::from_terms(terms);
        if let Ok(bytes) = set.encode(std::slice::from_ref(&text), vr) {
            let trimmed = text.trim_end_matches([' ', '\0']);
            let read = set.decode(&bytes, vr);
            prop_assert_eq!(read.first().map_or("", String::as_str), trimmed);
            prop_assert!(read.len() <= 1);
        }
    }

    #[test]
    fn utf8_writes_everything(text in "[^\\\\\0]{0,24}") {
        prop_assert!(SpecificCharacterSet::utf8().can_encode(&text));
        prop_assert!(SpecificCharacterSet::from_terms(&["GB18030"]).encode(&[text], VR::LO).is_ok());
    }
}
