//! A canary in each attribute of Table E.1-1 and of our own, at the top level and at depth 3,
//! under every option alone and under all that go together: what the options do not retain is
//! nowhere in what comes out.

use super::super::table::{Pattern, our_rows, rows};
use super::*;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;

/// A sequence that no table names.
const PLAIN: Tag = Tag(0x0008, 0x1115);

struct Canary {
    tag: Tag,
    vr: VR,
    element: Element,
    /// What must not be found; empty for numbers.
    text: String,
    kept_by: Options,
    cleaned_by: Options,
}

fn canaries() -> Vec<Canary> {
    let rows = rows().iter().chain(our_rows());
    rows.enumerate()
        .filter_map(|(number, row)| {
            let (tag, kept_by, cleaned_by) = match row.pattern {
                Pattern::One(tag) => (tag, row.kept_by, row.cleaned_by),
                Pattern::Private => (Tag(0x0009, 0x1001), Options::NONE, Options::NONE),
                Pattern::Curves => (Tag(0x5002, 0x3000), Options::NONE, Options::NONE),
                Pattern::OverlayData => (Tag(0x6002, 0x3000), Options::NONE, Options::NONE),
                Pattern::OverlayComments => (Tag(0x6002, 0x4000), Options::NONE, Options::NONE),
            };
            let vr = match StandardDataDictionary.by_tag(tag).map(|entry| entry.vr().relaxed()) {
                Some(vr) if tag.group() % 2 == 0 => vr,
                _ => VR::LO,
            };
            // What an object is known by is looked at apart.
            let (element, text) = canary(number, vr);
            (tag != Tag(0x0020, 0x000D)).then_some(Canary { tag, vr, element, text, kept_by, cleaned_by })
        })
        .collect()
}

fn canary(number: usize, vr: VR) -> (Element, String) {
    let text = match vr {
        VR::SQ => {
            let text = format!("CANARY{number:03}S");
            let mut item = DataSet::new();
            item.put_text(Tag(0x0040, 0xA123), VR::PN, format!("{text}^X"));
            item.put_text(Tag(0x0040, 0xA160), VR::UT, text.clone());
            item.put_text(Tag(0x0010, 0x4000), VR::LT, text.clone());
            item.put_text(Tag(0x0008, 0x1155), VR::UI, format!("1.2.826.31415926.{number}.1"));
            return (sequence(vec![item]), text);
        }
        VR::OB | VR::UN | VR::OW => {
            let text = format!("CANARY{number:04}B");
            let text = format!("{text}{}", if text.len() % 2 == 0 { "" } else { "B" });
            return (Element { vr, value: Value::Bytes(text.clone().into_bytes()) }, text);
        }
        VR::DA => format!("1951{:02}{:02}", 1 + number % 12, 1 + number % 28),
        VR::DT => format!("1951{:02}{:02}031415.{number:06}", 1 + number % 12, 1 + number % 28),
        VR::TM => format!("031415.{number:06}"),
        VR::AS => format!("{:03}Y", 100 + number % 800),
        VR::DS | VR::IS => format!("31415{number:04}"),
        VR::UI => format!("1.2.826.2718281828.{number}.1"),
        VR::US | VR::UL => return (Element { vr, value: Value::Unsigned(vec![31_415]) }, String::new()),
        VR::FL | VR::FD => return (Element { vr, value: Value::Float(vec![31_415.5]) }, String::new()),
        _ => format!("CANARY{number:03}T"),
    };
    (Element { vr, value: Value::Text(vec![text.clone()]) }, text)
}

/// The object: all canaries at the top level and all again inside three sequences.
fn object(canaries: &[Canary]) -> DataSet {
    let mut object = ct();
    let mut inner = DataSet::new();
    for canary in canaries {
        object.put(canary.tag, canary.element.vr, canary.element.value.clone());
        inner.put(canary.tag, canary.element.vr, canary.element.value.clone());
    }
    for group in [0x0000, 0x0002] {
        let foreign: Vec<Tag> = inner.iter().map(|(tag, _)| tag).filter(|tag| tag.group() == group).collect();
        foreign.into_iter().for_each(|tag| drop(inner.remove(tag)));
    }
    for data_set in [&mut object, &mut inner] {
        data_set.put_text(Tag(0x0009, 0x0010), VR::LO, "CANARYMAKER");
    }
    for _ in 0..3 {
        let mut outer = DataSet::new();
        outer.put(PLAIN, VR::SQ, Value::Sequence(vec![inner]));
        inner = outer;
    }
    object.put(PLAIN, VR::SQ, inner.remove(PLAIN).unwrap().value);
    object
}

fn innermost(data_set: &DataSet) -> &DataSet {
    let mut inner = data_set;
    for _ in 0..3 {
        inner = &inner.items(PLAIN)[0];
    }
    inner
}

/// Whether the option set retains that attribute as it is, or a time of day of it.
fn is_retained(canary: &Canary, options: Options) -> bool {
    let moves = canary.cleaned_by.and(options).has(ProfileOption::RetainModifiedDates);
    match canary.vr {
        VR::DA | VR::DT if moves => false,
        VR::TM if moves => true,
        _ => !canary.kept_by.and(options).is_empty(),
    }
}

fn look(options: Options) {
    let canaries = canaries();
    let profile = Profile { options, ..Profile::default() };
    let mut object = object(&canaries);
    // So that faces and reports do not stand in the way of the options that ask for them.
    object.put_text(Tag(0x0028, 0x0302), VR::CS, "NO");
    let outcome = outcome_of(&object, &profile).unwrap();
    for canary in &canaries {
        let retained = is_retained(canary, options);
        for (place, found) in [("root", &outcome.data_set), ("depth 3", innermost(&outcome.data_set))] {
            let same = found.element(canary.tag).is_some_and(|found| found.value == canary.element.value);
            if canary.vr != VR::SQ && !retained {
                assert!(!same, "{} at {place} under {options:?}", canary.tag);
            } else if canary.vr != VR::SQ && canary.tag.group() > 4 {
                assert!(same, "{} at {place} under {options:?} is retained", canary.tag);
            }
        }
        // A date is six digits of many; what is moved may fall on another's day.
        let is_telling = !canary.text.is_empty() && !matches!(canary.vr, VR::DA | VR::AS);
        if is_telling && !retained {
            assert!(!contains(&outcome.bytes, &canary.text), "{} ({}) under {options:?}", canary.tag, canary.vr);
        }
        if canary.vr == VR::SQ {
            assert!(!contains(&outcome.bytes, &canary.text), "in {} under {options:?}", canary.tag);
        }
    }
    assert!(!contains(&outcome.bytes, "CANARYMAKER"));
    assert!(!contains(&outcome.bytes, "Doe"));
    assert_eq!(outcome.data_set.text(Tag(0x0012, 0x0062)), Some("YES"));
}

#[test]
fn no_canary_survives_the_basic_profile() {
    look(Options::NONE);
}

#[test]
fn no_canary_survives_an_option_alone_but_what_it_retains() {
    ProfileOption::ALL.iter().for_each(|option| look(options(&[*option])));
}

#[test]
fn no_canary_survives_all_options_together_but_what_they_retain() {
    for left_out in [ProfileOption::RetainFullDates, ProfileOption::RetainModifiedDates] {
        look(ProfileOption::ALL.iter().copied().filter(|option| *option != left_out).collect());
    }
    let cleaning = ProfileOption::ALL.iter().copied().filter(|option| option.name().starts_with("clean"));
    look(cleaning.collect());
    let retaining = ProfileOption::ALL.iter().copied().filter(|option| option.name().starts_with("retain"));
    look(retaining.filter(|option| *option != ProfileOption::RetainFullDates).collect());
}

/// All sets that go together with `LEADGLASS_FULL`, every 199th of them without.
#[test]
fn no_canary_survives_any_set_of_options_but_what_it_retains() {
    let all = ProfileOption::ALL;
    let set = |bits: u32| -> Vec<ProfileOption> {
        all.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, option)| *option).collect()
    };
    let dates = [ProfileOption::RetainFullDates, ProfileOption::RetainModifiedDates];
    let goes_together = |set: &Vec<ProfileOption>| !dates.iter().all(|option| set.contains(option));
    let sets: Vec<Vec<ProfileOption>> = (0..1 << all.len()).map(set).filter(goes_together).collect();
    let each = if std::env::var_os("LEADGLASS_FULL").is_some() { 1 } else { 199 };
    let looked = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (sets, looked) = (&sets, &looked);
            scope.spawn(move || {
                for set in sets.iter().step_by(each).skip(half).step_by(2) {
                    look(options(set));
                    looked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} of {} sets of options", looked.into_inner(), sets.len());
}

#[test]
fn every_row_has_a_canary() {
    assert_eq!(canaries().len(), 657 + our_rows().len() - 1);
}
