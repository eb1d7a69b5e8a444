//! Random archives, random queries, random scopes: SQL finds what the reference finds.

use std::sync::Arc;

use leadglass_dicom::attribute::{self, Level};
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::datetime::{Date, DateTime, Range, Time, UtcOffset};
use leadglass_dicom::person_name::NamePattern;
use leadglass_dicom::query::{Include, Key, Matching, Query, Root, WildCard};
use leadglass_dicom::{DataSet, Tag, Uid, VR};
use proptest::prelude::*;

use super::model::*;
use crate::access::{GrantedScope, Reach, Restriction, Scope};
use crate::index::{Index, Page};

const PATTERNS: [&str; 12] = ["A*", "*A", "*1", "P%*", "P_?", "?", "C*T*", "*hest*", "*%*", "a\\*", "*_*", "CHEST"];
const NAME_KEYS: [&str; 20] = [
    "buc*",
    "Buc^*",
    "BUC^JEROME",
    "*ann*",
    "*an*",
    "*n",
    "yam*",
    "山*",
    "*太郎*",
    "=山田*=",
    "Hong*=洪*",
    "ann*",
    "*_%*",
    "O'N*",
    "x",
    "?mith^*",
    "*mi?h*",
    "*",
    "やまだ^たろう",
    "*a*",
];

pub(super) fn query(level: Level, keys: Vec<Key>) -> Query {
    Query {
        root: Root::Study,
        level,
        keys,
        include: Include::Listed(vec![vec![PATIENT_NAME]]),
        fuzzy: false,
        relational: true,
        timezone_adjustment: false,
        timezone: None,
        combined_datetime: false,
        charset: SpecificCharacterSet::default(),
        unsupported: Vec::new(),
    }
}

fn random_key(dice: &mut Dice, level: Level) -> Option<Key> {
    let (tag, vr, matching): (Tag, VR, Matching) = match dice.below(18) {
        0 => (PATIENT_NAME, VR::PN, name(dice, &NAME_KEYS)?),
        1 => (PATIENT_NAME, VR::PN, Matching::PersonName(NamePattern::fuzzy(dice.of(&NAMES))?)),
        2 => (PATIENT_ID, VR::LO, text(dice, &IDS)?),
        3 => (Tag(0x0008, 0x0050), VR::SH, text(dice, &IDS)?),
        4 => (Tag(0x0008, 0x0020), VR::DA, Matching::DateRange(dates(dice))),
        5 => (Tag(0x0010, 0x0030), VR::DA, Matching::DateRange(dates(dice))),
        6 => {
            let range = Range { from: Time::parse(dice.of(&TIMES)), to: Time::parse(dice.of(&TIMES)) };
            (Tag(0x0008, 0x0030), VR::TM, Matching::TimeRange(range))
        }
        7 => {
            let dates = dates(dice);
            let time = Time::parse("1015").unwrap();
            let range = Range { from: dates.from.map(|d| (d, time)), to: dates.to.map(|d| (d, time)) };
            (Tag(0x0008, 0x0020), VR::DA, Matching::DateAndTimeRange { time: Tag(0x0008, 0x0030), range })
        }
        8 => (Tag(0x0008, 0x0061), VR::CS, text(dice, &MODALITIES)?),
        9 => (Tag(0x0008, 0x1030), VR::LO, text(dice, &TEXTS)?),
        10 => (Tag(0x0008, 0x1060), VR::PN, name(dice, &NAME_KEYS)?),
        11 => (Tag(0x0020, 0x1208), VR::IS, Matching::Integer(1 + dice.below(4) as i64)),
        12 => (MODALITY, VR::CS, text(dice, &MODALITIES)?),
        13 => (Tag(0x0020, 0x0011), VR::IS, Matching::Integer(dice.below(3) as i64)),
        14 => {
            let inner = |tag: Tag, matching| Key { path: vec![tag], vr: VR::SH, matching };
            let mut keys = vec![inner(Tag(0x0040, 0x0009), text(dice, &IDS)?)];
            if dice.below(2) == 0 {
                keys.push(inner(Tag(0x0040, 0x1001), text(dice, &IDS)?));
            }
            (REQUEST_ATTRIBUTES, VR::SQ, Matching::Sequence(keys))
        }
        15 => (Tag(0x0008, 0x0008), VR::CS, text(dice, &["ORIGINAL", "PRIMARY", "PRIM*", "*2", "DERIVED"])?),
        16 => {
            let moment = DateTime::parse("20240101091500", UtcOffset::default());
            (Tag(0x0008, 0x002A), VR::DT, Matching::DateTimeRange(Range { from: moment, to: None }))
        }
        _ => return Some(Key { path: vec![UNINDEXED], vr: VR::DS, matching: Matching::Decimal(dice.below(3) as f64) }),
    };
    let held = attribute::by_tag(tag).map_or(Level::Series, |attribute| attribute.level);
    (held <= level).then(|| Key { path: vec![tag], vr, matching })
}

fn uids(dice: &mut Dice, level: Level) -> Key {
    let tag = if level == Level::Series && dice.below(2) == 0 { SERIES_UID } else { STUDY_UID };
    let uid = |text: &str| Uid::parse(text).unwrap();
    let list = if tag == STUDY_UID { vec![uid("1.0.0"), uid("1.1.1")] } else { vec![uid("1.0.0.1"), uid("9")] };
    Key { path: vec![tag], vr: VR::UI, matching: Matching::ListOfUid(list) }
}

fn dates(dice: &mut Dice) -> Range<Date> {
    Range { from: Date::parse(dice.of(&DATES)), to: Date::parse(dice.of(&DATES)) }
}

fn name(dice: &mut Dice, keys: &[&str]) -> Option<Matching> {
    match dice.below(8) {
        0 => Some(Matching::EmptyValue),
        1 => NamePattern::literal(dice.of(&NAMES)).map(Matching::PersonName),
        _ => NamePattern::literal(dice.of(keys)).map(Matching::PersonName),
    }
}

fn text(dice: &mut Dice, values: &[&str]) -> Option<Matching> {
    let value = dice.of(values);
    Some(match dice.below(6) {
        0 => Matching::EmptyValue,
        1 | 2 => Matching::WildCard(WildCard::new(dice.of(&PATTERNS))),
        3 => Matching::MultipleValues(vec![
            Matching::SingleValue("A".into()),
            Matching::WildCard(WildCard::new(dice.of(&PATTERNS))),
        ]),
        _ if value.is_empty() => return None,
        _ if value.contains('*') => Matching::WildCard(WildCard::new(value)),
        _ => Matching::SingleValue(value.into()),
    })
}

fn random_reach(dice: &mut Dice) -> Reach {
    let side = |dice: &mut Dice| (0..1 + dice.below(2)).map(|_| Arc::new(random_scope(dice))).collect();
    let sides = (0..1 + dice.below(2)).map(|_| side(dice)).collect();
    Reach::of(sides, dice.below(2) == 0)
}

fn random_scope(dice: &mut Dice) -> Scope {
    let some = |dice: &mut Dice, list: &[&str]| -> Vec<String> {
        if dice.below(2) == 0 { Vec::new() } else { vec![dice.of(list).to_owned(), dice.of(list).to_owned()] }
    };
    Scope {
        everything: dice.below(2) == 0,
        modalities: some(dice, &MODALITIES),
        institutions: some(dice, &INSTITUTIONS),
        patient_ids: some(dice, &IDS),
        studies: some(dice, &["1.0.0", "1.1.0", "1.0.1"]),
        departments: if dice.below(4) == 0 { some(dice, &INSTITUTIONS) } else { Vec::new() },
        referring_physicians: if dice.below(4) == 0 { some(dice, &["buc^jerome", "SMITH^john"]) } else { Vec::new() },
        reading_physicians: if dice.below(4) == 0 {
            some(dice, &["山田^太郎", "X", "Doe Roe^Jane"])
        } else {
            Vec::new()
        },
        labels: if dice.below(4) == 0 { vec!["a".into()] } else { Vec::new() },
        cleared: Restriction::ALL.into_iter().filter(|_| dice.below(2) == 0).collect(),
    }
}

/// All rows, fetched in pages; each page in the same order as all at once.
pub(super) fn found(index: &Index, headers: &[DataSet], query: &Query, scope: &Reach, limit: u64) -> Vec<DataSet> {
    let mut load = |instance: &crate::index::KnownInstance| {
        headers.iter().find(|header| header.text(SOP_UID) == Some(instance.sop_instance.as_str())).cloned()
    };
    let granted = GrantedScope::for_test(scope.clone());
    let (mut rows, mut page) = (Vec::new(), Page { limit, ..Page::default() });
    loop {
        let found = index.search(query, &granted, &page, &mut load).unwrap();
        assert!(found.rows.len() as u64 <= limit);
        rows.extend(found.rows);
        page.after = found.next;
        if page.after.is_none() {
            return rows;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sql_finds_what_the_reference_finds(seed in any::<u64>()) {
        agree(seed)?;
    }
}

#[test]
fn a_study_with_labels_of_two_institutions_comes_once() {
    agree(15609057498277419592).unwrap();
}

/// Sixty random queries with random reaches, of random headers.
fn agree(seed: u64) -> Result<(), TestCaseError> {
    let dice = &mut Dice(seed);
    let headers = headers(dice);
    let directory = tempfile::tempdir().unwrap();
    let (index, mut writer) = indexed(&directory, &headers);
    mark(&headers, &mut writer);
    for _ in 0..60 {
        let level = Level::ALL[dice.below(4)];
        let mut keys: Vec<Key> = (0..dice.below(4)).filter_map(|_| random_key(dice, level)).collect();
        if level > Level::Patient && dice.below(5) == 0 {
            keys.push(uids(dice, level));
        }
        let query = query(level, keys);
        let scope = random_reach(dice);
        let all = found(&index, &headers, &query, &scope, 1000);
        let mut keys: Vec<Vec<String>> = all.iter().map(|row| unique(row, level)).collect();
        keys.sort();
        prop_assert_eq!(&keys, &expected(&headers, &query, &scope), "{:?} {:?}", query, scope);
        prop_assert_eq!(&found(&index, &headers, &query, &scope, 2), &all, "pages of {:?}", query);
        let rest = Page { limit: 1000, offset: 1, after: None };
        let granted = GrantedScope::for_test(scope.clone());
        let rest = index.search(&query, &granted, &rest, &mut |instance| {
            headers.iter().find(|header| header.text(SOP_UID) == Some(instance.sop_instance.as_str())).cloned()
        });
        prop_assert_eq!(&rest.unwrap().rows[..], all.get(1..).unwrap_or_default());
    }
    Ok(())
}
