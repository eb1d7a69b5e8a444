//! What comes out is whole, consistent, and says what was done.

use super::*;
use crate::Encoding;
use crate::convert::Converter;
use proptest::prelude::*;

#[test]
fn it_says_what_was_done() {
    let outcome =
        outcome_of(&ct(), &profile(&[ProfileOption::RetainModifiedDates, ProfileOption::RetainUids])).unwrap();
    let out = &outcome.data_set;
    assert_eq!(out.text(Tag(0x0012, 0x0062)), Some("YES"));
    assert!(out.text(Tag(0x0012, 0x0063)).unwrap().contains("PS3.15 2026d"));
    assert_eq!(out.text(Tag(0x0028, 0x0303)), Some("MODIFIED"));
    let codes: Vec<&str> =
        out.items(Tag(0x0012, 0x0064)).iter().filter_map(|item| item.text(Tag(0x0008, 0x0100))).collect();
    assert_eq!(codes, ["113100", "113107", "113110"]);
    assert_eq!(out.text(Tag(0x0008, 0x0018)), Some("1.2.3.4.5"));
    assert_ne!(out.text(Tag(0x0008, 0x0020)), Some("20240301"));
    let removed = outcome_of(&ct(), &profile(&[])).unwrap();
    assert_eq!(removed.data_set.text(Tag(0x0028, 0x0303)), Some("REMOVED"));
    assert_eq!(removed.data_set.element(Tag(0x0008, 0x0020)).unwrap().value, Value::Empty);
    let deeds: Vec<(Tag, &str)> = removed.report.iter().map(|(tag, deed, _)| (tag, deed.name())).collect();
    assert!(deeds.contains(&(Tag(0x0010, 0x0010), "replaced")) && deeds.contains(&(Tag(0x0012, 0x0062), "added")));
}

#[test]
fn it_says_so_in_its_place_whatever_it_said_before() {
    let mut object = ct();
    object.put_text(Tag(0x0012, 0x0062), VR::CS, "NO");
    object.put_text(Tag(0x0012, 0x0063), VR::LO, "CANARY");
    object.put_text(Tag(0x0028, 0x0303), VR::CS, "UNMODIFIED");
    let outcome = outcome_of(&object, &profile(&[])).unwrap();
    assert!(!contains(&outcome.bytes, "CANARY"));
    let tags: Vec<Tag> = outcome.data_set.iter().map(|(tag, _)| tag).collect();
    let mut at = 0;
    for tag in &tags {
        let bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
        let found = outcome.bytes[at..].windows(4).position(|window| window == bytes).unwrap();
        at += found + 4;
    }
}

#[test]
fn a_patient_stays_one_and_a_study_stays_together() {
    let one = outcome_of(&ct(), &profile(&[])).unwrap().data_set;
    let mut next = ct();
    next.put_text(Tag(0x0008, 0x0018), VR::UI, "1.2.3.4.6");
    let mut reference = DataSet::new();
    reference.put_text(Tag(0x0008, 0x1150), VR::UI, CT);
    reference.put_text(Tag(0x0008, 0x1155), VR::UI, "1.2.3.4.5");
    next.put(Tag(0x0008, 0x2112), VR::SQ, Value::Sequence(vec![reference]));
    let next = outcome_of(&next, &profile(&[])).unwrap().data_set;
    for tag in [Tag(0x0020, 0x000D), Tag(0x0020, 0x000E), Tag(0x0010, 0x0020), Tag(0x0010, 0x0010)] {
        assert_eq!(one.text(tag), next.text(tag), "{tag}");
    }
    assert_ne!(one.text(Tag(0x0008, 0x0018)), next.text(Tag(0x0008, 0x0018)));
    let source = &next.items(Tag(0x0008, 0x2112))[0];
    assert_eq!(source.text(Tag(0x0008, 0x1155)), one.text(Tag(0x0008, 0x0018)));
    assert_eq!(source.text(Tag(0x0008, 0x1150)), Some(CT));
}

#[test]
fn what_identifies_nobody_stays() {
    let mut object = ct();
    object.put_text(Tag(0x0018, 0x0060), VR::DS, "120");
    object.put_text(Tag(0x0018, 0x0015), VR::CS, "CHEST");
    object.put_text(Tag(0x0020, 0x0052), VR::UI, "1.2.840.10008.1.4.1.1");
    let outcome = outcome_of(&object, &profile(&[])).unwrap();
    let out = &outcome.data_set;
    assert_eq!(out.text(Tag(0x0018, 0x0060)), Some("120"));
    assert_eq!(out.text(Tag(0x0018, 0x0015)), Some("CHEST"));
    assert_eq!(out.text(Tag(0x0020, 0x0052)), Some("1.2.840.10008.1.4.1.1"), "a well-known frame of reference");
    assert_eq!(out.text(Tag(0x0008, 0x1090)), Some("Scanner 7"));
    assert_eq!(pixels(&outcome), [0xAA; 256]);
}

#[test]
fn safe_private_attributes_stay_under_the_option_alone() {
    let mut object = ct();
    object.put_text(Tag(0x7053, 0x0010), VR::LO, "Philips PET Private Group");
    object.put_text(Tag(0x7053, 0x1000), VR::DS, "1.5");
    object.put_text(Tag(0x7053, 0x1001), VR::LO, "CANARY");
    let kept = outcome_of(&object, &profile(&[ProfileOption::RetainSafePrivate])).unwrap();
    assert_eq!(kept.data_set.text(Tag(0x7053, 0x1000)), Some("1.5"));
    assert_eq!(kept.data_set.text(Tag(0x7053, 0x0010)), Some("Philips PET Private Group"));
    assert!(!contains(&kept.bytes, "CANARY"));
    let gone = outcome_of(&object, &profile(&[])).unwrap();
    assert!(gone.data_set.iter().all(|(tag, _)| tag.group() % 2 == 0));
}

#[test]
fn a_report_keeps_its_tree_under_the_option_alone() {
    let mut object = ct();
    object.remove(Tag(0x7FE0, 0x0010));
    object.put_text(Tag(0x0008, 0x0016), VR::UI, "1.2.840.10008.5.1.4.1.1.88.33");
    let mut item = DataSet::new();
    item.put_text(Tag(0x0040, 0xA040), VR::CS, "TEXT");
    item.put_text(Tag(0x0040, 0xA160), VR::UT, "CT of the lung of Mrs CANARY");
    object.put(Tag(0x0040, 0xA730), VR::SQ, Value::Sequence(vec![item]));
    assert_eq!(outcome_of(&object, &profile(&[])).err(), Some(Refusal::StructuredReport));
    let out = outcome_of(&object, &profile(&[ProfileOption::CleanStructuredContent])).unwrap();
    let item = &out.data_set.items(Tag(0x0040, 0xA730))[0];
    assert_eq!(item.text(Tag(0x0040, 0xA160)), Some("CT of the lung of"));
    assert_eq!(item.text(Tag(0x0040, 0xA040)), Some("TEXT"));
}

#[test]
fn what_cannot_be_vouched_for_is_refused() {
    let of = |changes: &[(u32, VR, &str)]| {
        let mut object = ct();
        changes.iter().for_each(|(number, vr, text)| object.put_text(tag(*number), *vr, *text));
        outcome_of(&object, &profile(&[])).err()
    };
    let class = |suffix: &str| format!("1.2.840.10008.5.1.4.1.1.{suffix}");
    for (suffix, refusal) in [
        ("6.1", Refusal::MaybeBurnedIn),
        ("7", Refusal::MaybeBurnedIn),
        ("7.4", Refusal::MaybeBurnedIn),
        ("3.1", Refusal::MaybeBurnedIn),
        ("12.1", Refusal::MaybeBurnedIn),
        ("77.1.1", Refusal::MaybeBurnedIn),
        ("104.1", Refusal::Document),
        ("104.3", Refusal::Document),
        ("9.4.1", Refusal::Audio),
        ("66", Refusal::RawData),
        ("88.11", Refusal::StructuredReport),
        ("9999", Refusal::UnknownSopClass),
    ] {
        assert_eq!(of(&[(0x0008_0016, VR::UI, &class(suffix))]), Some(refusal), "{suffix}");
    }
    assert_eq!(of(&[(0x0008_0016, VR::UI, "1.2.276.1")]), Some(Refusal::UnknownSopClass));
    assert_eq!(of(&[(0x0028_0301, VR::CS, "YES")]), Some(Refusal::BurnedIn));
    assert_eq!(of(&[(0x0008_0008, VR::CS, "SCREEN SAVE")]), Some(Refusal::MaybeBurnedIn));
    assert_eq!(of(&[(0x0008_0064, VR::CS, "WSD")]), Some(Refusal::MaybeBurnedIn));
    assert_eq!(of(&[(0x0008_0016, VR::UI, &class("6.1")), (0x0028_0301, VR::CS, "NO")]), None);
    assert_eq!(of(&[(0x6000_0040, VR::CS, "G")]), Some(Refusal::EmbeddedOverlay));
    let faces = profile(&[ProfileOption::CleanRecognizableVisualFeatures]);
    assert_eq!(outcome_of(&ct(), &faces).err(), Some(Refusal::RecognizableFeatures));
}

#[test]
fn elements_out_of_order_are_refused_or_go() {
    let syntax = TransferSyntax::explicit_little_endian();
    let mut bytes = ct().encode(syntax.encoding(), &SpecificCharacterSet::default()).unwrap();
    let name = b"\x10\0\x10\0PN\x08\0CANARY^X";
    let after = [bytes.clone(), name.to_vec()].concat();
    let (out, _) = in_pieces(&after, &syntax, &profile(&[]), 64).unwrap();
    assert!(!contains(&out, "CANARY"));
    let pixels = bytes.windows(4).position(|window| window == b"\xE0\x7F\x10\0").unwrap();
    bytes.splice(pixels..pixels, name.iter().copied());
    assert_eq!(in_pieces(&bytes, &syntax, &profile(&[]), 64).err(), Some(Refusal::OutOfOrder));
}

/// The same object in every native syntax and in pieces of every size: the same comes out.
#[test]
fn syntax_and_pieces_make_no_difference() {
    let explicit = TransferSyntax::explicit_little_endian();
    let mut object = ct();
    let mut item = DataSet::new();
    item.put_text(Tag(0x0008, 0x0104), VR::LO, "meaning");
    item.put_text(Tag(0x0010, 0x0010), VR::PN, "CANARY^X");
    object.put(Tag(0x0018, 0x9346), VR::SQ, Value::Sequence(vec![item]));
    let bytes = object.encode(explicit.encoding(), &SpecificCharacterSet::default()).unwrap();
    let all = profile(&[ProfileOption::RetainModifiedDates, ProfileOption::CleanDescriptors]);
    let (expected, report) = in_pieces(&bytes, &explicit, &all, bytes.len()).unwrap();
    let deflated = crate::Uid::parse("1.2.840.10008.1.2.1.99").unwrap();
    let syntaxes = [
        explicit.clone(),
        TransferSyntax::implicit_little_endian(),
        TransferSyntax::explicit_big_endian(),
        TransferSyntax::from_uid(deflated),
    ];
    for syntax in syntaxes {
        let mut converted = Vec::new();
        let mut converter = Converter::new(&explicit, &syntax).unwrap();
        converter.push(&bytes, &mut converted).unwrap();
        converter.finish(&mut converted).unwrap();
        for piece in [1, 7, 64, 1000] {
            let (out, said) = in_pieces(&converted, &syntax, &all, piece).unwrap();
            assert_eq!(out, expected, "{syntax:?} in pieces of {piece}");
            assert_eq!(said, report);
        }
    }
}

#[test]
fn depth_is_no_matter_up_to_the_limit() {
    for depth in [1, 16, 60] {
        let mut inner = DataSet::new();
        inner.put_text(Tag(0x0010, 0x0010), VR::PN, "CANARY^X");
        inner.put_text(Tag(0x0008, 0x0104), VR::LO, "meaning");
        for _ in 0..depth {
            let mut outer = DataSet::new();
            outer.put(Tag(0x0008, 0x1115), VR::SQ, Value::Sequence(vec![inner]));
            inner = outer;
        }
        let mut object = ct();
        object.put(Tag(0x0008, 0x1115), VR::SQ, inner.remove(Tag(0x0008, 0x1115)).unwrap().value);
        let outcome = outcome_of(&object, &profile(&[])).unwrap();
        assert!(!contains(&outcome.bytes, "CANARY") && contains(&outcome.bytes, "meaning"), "{depth}");
    }
}

#[test]
fn compressed_pixels_pass_through() {
    let jpeg = TransferSyntax::from_uid(crate::Uid::parse("1.2.840.10008.1.2.4.70").unwrap());
    let mut object = ct();
    object.remove(Tag(0x7FE0, 0x0010));
    let mut bytes = object.encode(Encoding::ExplicitLittleEndian, &SpecificCharacterSet::default()).unwrap();
    let fragments = b"\xE0\x7F\x10\0OB\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\0\0\0\0\xFE\xFF\0\xE0\x04\0\0\0\xFF\xD8\xFF\xD9\xFE\xFF\xDD\xE0\0\0\0\0";
    bytes.extend_from_slice(fragments);
    for piece in [1, 1000] {
        let (out, _) = in_pieces(&bytes, &jpeg, &profile(&[]), piece).unwrap();
        assert!(out.ends_with(fragments));
    }
}

fn any_element() -> impl Strategy<Value = (Tag, VR, String)> {
    let rows: Vec<Tag> = super::super::table::rows()
        .iter()
        .filter_map(|row| match row.pattern {
            super::super::table::Pattern::One(tag) if tag.group() > 4 && tag.group() < 0x7FE0 => Some(tag),
            _ => None,
        })
        .collect();
    let vrs = vec![VR::LO, VR::PN, VR::UI, VR::DA, VR::DT, VR::TM, VR::UT, VR::CS, VR::SH, VR::AE, VR::IS];
    let tag =
        prop_oneof![prop::sample::select(rows), any::<(u16, u16)>().prop_map(|(a, b)| Tag(a.clamp(8, 0x7FDF), b))];
    (tag, prop::sample::select(vrs), "CANARY[A-Z0-9.]{0,8}")
}

proptest! {
    /// Whatever VR a sender writes: what is on the table comes out with no value that went in, but
    /// for what an option keeps; persons, dates and unknown attributes never do.
    #[test]
    fn any_vr_in_any_attribute(elements in prop::collection::vec(any_element(), 1..20), bits in 0_u16..4096) {
        let options: Options = ProfileOption::ALL.iter().copied().enumerate()
            .filter(|(at, option)| bits & 1 << at != 0 && !option.name().starts_with("retain")
                && *option != ProfileOption::CleanRecognizableVisualFeatures)
            .map(|(_, option)| option).collect();
        let mut object = ct();
        for (tag, vr, text) in &elements {
            if ct().element(*tag).is_none() && tag.group() != 0x0028 {
                object.put_text(*tag, *vr, text.clone());
            }
        }
        let Ok(outcome) = outcome_of(&object, &Profile { options, ..Profile::default() }) else { return Ok(()) };
        for (tag, vr, text) in &elements {
            if ct().element(*tag).is_some() || tag.group() == 0x0028 {
                continue;
            }
            let found = outcome.data_set.texts(*tag);
            let on_the_table = super::super::table::row_of(*tag).is_some() || tag.group() % 2 == 1;
            if on_the_table || matches!(vr, VR::PN | VR::AE | VR::UT) {
                prop_assert!(found.iter().all(|value| value != text || text.is_empty()), "{tag} {vr} {text}");
            }
        }
    }

    /// Any bytes are read or refused, and nothing panics.
    #[test]
    fn any_bytes(bytes: Vec<u8>, implicit: bool) {
        let syntax = if implicit { TransferSyntax::implicit_little_endian() } else { TransferSyntax::explicit_little_endian() };
        let mut examination = Examination::new(&syntax, &Limits::small());
        if examination.push(&bytes).is_err() {
            return Ok(());
        }
        let facts = super::super::Facts::default();
        let plan = Plan::new(&profile(&[]), &pseudonyms(7), &syntax, &facts);
        prop_assert!(plan.is_err(), "an object of no class");
        let _ = Plan::new(&profile(&[]), &pseudonyms(7), &syntax, &examination.facts());
    }
}
