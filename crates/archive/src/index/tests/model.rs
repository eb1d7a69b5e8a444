//! A small archive made from a number, its index, and what ought to be found in it.

use std::collections::BTreeMap;

use leadglass_dicom::attribute::{self, Attribute, Derived, Level, Matchable};
use leadglass_dicom::query::{Query, matches};
use leadglass_dicom::{
    DataSet, Element, SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, Tag, TransferSyntax, Uid, VR,
    Value,
};
use zeroize::Zeroizing;

use crate::access::{Marked, Marks, Reach, Restriction};
use crate::change::kind;
use crate::index::column;
use crate::index::{Applied, Change, Index, InstanceRow, Location, Writer};

pub(super) const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
pub(super) const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
pub(super) const STUDY_UID: Tag = Tag(0x0020, 0x000D);
pub(super) const SERIES_UID: Tag = Tag(0x0020, 0x000E);
pub(super) const SOP_UID: Tag = Tag(0x0008, 0x0018);
pub(super) const SOP_CLASS: Tag = Tag(0x0008, 0x0016);
pub(super) const MODALITY: Tag = Tag(0x0008, 0x0060);
pub(super) const REQUEST_ATTRIBUTES: Tag = Tag(0x0040, 0x0275);
/// Slice Thickness: no column holds it.
pub(super) const UNINDEXED: Tag = Tag(0x0018, 0x0050);

pub(super) const NAMES: [&str; 12] = [
    "Buc^Jérôme",
    "BUC^JEROME",
    "Buckley^Ann",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "Hong^Gildong=洪^吉洞=홍^길동",
    "Smith^John",
    "Smyth^Jon",
    "O'Neil^Ann_%Marie",
    "Annan^Anna=Annan",
    "X",
    "",
    "Doe Roe^Jane",
];
pub(super) const IDS: [&str; 6] = ["A", "a", "A1", "P%1", "P_1", ""];
pub(super) const DATES: [&str; 6] = ["20240101", "20240115", "20240229", "20231231", "", "2024"];
pub(super) const TIMES: [&str; 5] = ["10", "101530.5", "235959", "", "0000"];
pub(super) const MODALITIES: [&str; 4] = ["CT", "MR", "SR", ""];
pub(super) const INSTITUTIONS: [&str; 3] = ["North", "South", ""];
pub(super) const CLASSES: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"];
pub(super) const TEXTS: [&str; 6] = ["CHEST", "Chest 1", "chest_2", "100%", "a/b", ""];

/// Numbers that look random, all from one.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    pub(super) fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

pub(super) fn key() -> Zeroizing<[u8; 32]> {
    Zeroizing::new([7; 32])
}

/// Headers in the order they came.
pub(super) fn headers(dice: &mut Dice) -> Vec<DataSet> {
    let mut headers = Vec::new();
    for patient in 0..1 + dice.below(4) {
        let mut of_patient = DataSet::new();
        of_patient.put_text(PATIENT_NAME, VR::PN, dice.of(&NAMES));
        of_patient.put_text(PATIENT_ID, VR::LO, dice.of(&IDS));
        of_patient.put_text(Tag(0x0010, 0x0030), VR::DA, dice.of(&DATES));
        for study in 0..1 + dice.below(3) {
            let mut of_study = of_patient.clone();
            of_study.put_text(STUDY_UID, VR::UI, format!("1.{patient}.{study}"));
            of_study.put_text(Tag(0x0008, 0x0020), VR::DA, dice.of(&DATES));
            of_study.put_text(Tag(0x0008, 0x0030), VR::TM, dice.of(&TIMES));
            of_study.put_text(Tag(0x0008, 0x0050), VR::SH, dice.of(&IDS));
            of_study.put_text(Tag(0x0008, 0x1030), VR::LO, dice.of(&TEXTS));
            of_study.put_text(Tag(0x0008, 0x0090), VR::PN, dice.of(&NAMES));
            let several = vec![dice.of(&NAMES).to_owned(), dice.of(&NAMES).to_owned()];
            of_study.put(Tag(0x0008, 0x1060), VR::PN, Value::Text(several));
            for series in 0..1 + dice.below(3) {
                headers.extend(series_headers(dice, &of_study, &format!("1.{patient}.{study}.{series}")));
            }
        }
    }
    headers
}

fn series_headers(dice: &mut Dice, of_study: &DataSet, uid: &str) -> Vec<DataSet> {
    let mut of_series = of_study.clone();
    of_series.put_text(SERIES_UID, VR::UI, uid);
    of_series.put_text(MODALITY, VR::CS, dice.of(&MODALITIES));
    of_series.put_text(Tag(0x0008, 0x0080), VR::LO, dice.of(&INSTITUTIONS));
    of_series.put_text(Tag(0x0008, 0x1040), VR::LO, dice.of(&INSTITUTIONS));
    of_series.put_text(Tag(0x0020, 0x0011), VR::IS, dice.below(3).to_string());
    of_series.put_text(Tag(0x0008, 0x103E), VR::LO, dice.of(&TEXTS));
    let items = (0..dice.below(3)).map(|_| {
        let mut item = DataSet::new();
        item.put_text(Tag(0x0040, 0x0009), VR::SH, dice.of(&IDS));
        if dice.below(2) == 0 {
            item.put_text(Tag(0x0040, 0x1001), VR::SH, dice.of(&IDS));
        }
        item
    });
    let items: Vec<DataSet> = items.collect();
    of_series.put(REQUEST_ATTRIBUTES, VR::SQ, Value::Sequence(items));
    let instances = (0..1 + dice.below(3)).map(|instance| {
        let mut header = of_series.clone();
        header.put_text(SOP_UID, VR::UI, format!("{uid}.{instance}"));
        header.put_text(SOP_CLASS, VR::UI, dice.of(&CLASSES));
        header.put_text(Tag(0x0020, 0x0013), VR::IS, dice.below(3).to_string());
        header.put(Tag(0x0028, 0x0010), VR::US, Value::Unsigned(vec![256 * (1 + dice.below(2) as u64)]));
        let kind = vec![dice.of(&["ORIGINAL", "DERIVED"]).to_owned(), dice.of(&["PRIMARY", "PRIMARY2"]).to_owned()];
        header.put(Tag(0x0008, 0x0008), VR::CS, Value::Text(kind));
        header.put_text(UNINDEXED, VR::DS, dice.below(3).to_string());
        header.put_text(Tag(0x0008, 0x002A), VR::DT, dice.of(&["20240101101500+0100", "202401", ""]));
        // Now and then an object of another patient or institution strays into a series.
        if dice.below(8) == 0 {
            header.put_text(PATIENT_ID, VR::LO, dice.of(&IDS));
            header.put_text(Tag(0x0008, 0x0080), VR::LO, dice.of(&INSTITUTIONS));
            header.put_text(Tag(0x0008, 0x0090), VR::PN, dice.of(&NAMES));
        }
        header
    });
    instances.collect()
}

/// The change that keeps an instance.
pub(super) fn kept(sequence: u64, header: &DataSet) -> Applied<'_> {
    let uid = |tag| Uid::parse(header.text(tag).unwrap()).unwrap();
    let row = InstanceRow {
        location: Location { segment: 1, offset: sequence * 4096 },
        key_id: 5,
        study: StudyInstanceUid::from(uid(STUDY_UID)),
        series: SeriesInstanceUid::from(uid(SERIES_UID)),
        sop_instance: SopInstanceUid::from(uid(SOP_UID)),
        sop_class: SopClassUid::from(uid(SOP_CLASS)),
        transfer_syntax: TransferSyntax::from_uid(Uid::parse("1.2.840.10008.1.2.1").unwrap()),
        digest: [sequence as u8; 32],
        data_set_bytes: 1000 + sequence,
        frames: 1,
        header,
        received_ns: sequence as i64,
        calling_ae: None,
    };
    Applied { sequence, change: Change::Instance(Box::new(row)) }
}

/// An index of these headers, numbered from 1.
pub(super) fn indexed(directory: &tempfile::TempDir, headers: &[DataSet]) -> (Index, Writer) {
    let (index, mut writer) = Index::open(&directory.path().join("index"), &key()).unwrap();
    let batch: Vec<Applied<'_>> = headers.iter().zip(1..).map(|(header, sequence)| kept(sequence, header)).collect();
    for part in batch.chunks(5) {
        writer.apply(part).unwrap();
    }
    (index, writer)
}

/// The marks of their studies and patients, applied after them.
pub(super) fn mark(headers: &[DataSet], writer: &mut Writer) {
    let marks: BTreeMap<String, String> = headers.iter().flat_map(|header| marked(headers, header)).collect();
    let change = |(key, json): (String, String)| Change::Registry { kind: kind::MARKS.into(), key, json: Some(json) };
    let marks = marks.into_iter().map(change).zip(headers.len() as u64 + 1..);
    let marks: Vec<Applied<'_>> = marks.map(|(change, sequence)| Applied { sequence, change }).collect();
    writer.apply(&marks).unwrap();
}

/// What people set down of its study and its patient: of some, by their numbers.
pub(super) fn marks_of(headers: &[DataSet], header: &DataSet) -> Marks {
    let study = header.text(STUDY_UID).unwrap();
    // The study's patient is that of its first instance.
    let first = headers.iter().find(|other| other.text(STUDY_UID) == Some(study)).unwrap();
    let labels = if study.ends_with('1') { ["a".to_owned()].into() } else { Default::default() };
    let of_study = (study.ends_with(".2")).then_some(Restriction::LegalHold);
    let is_vip = |header: &DataSet| header.text(PATIENT_ID) == Some("A1");
    let of_patient = (is_vip(header) || is_vip(first)).then_some(Restriction::Vip);
    Marks { labels, canary: false, restrictions: of_study.into_iter().chain(of_patient).collect() }
}

fn marked(headers: &[DataSet], header: &DataSet) -> Vec<(String, String)> {
    let Marks { labels, mut restrictions, canary } = marks_of(headers, header);
    let vip = restrictions.remove(&Restriction::Vip);
    let study = Marked::Study(header.text(STUDY_UID).unwrap().to_owned());
    let mut marked = vec![(study, Marks { labels, restrictions, canary })];
    if vip {
        let restrictions = [Restriction::Vip].into();
        marked.push((Marked::Patient("A1".into()), Marks { restrictions, ..Marks::default() }));
    }
    marked.into_iter().map(|(subject, marks)| (subject.key(), serde_json::to_string(&marks).unwrap())).collect()
}

/// The unique keys, top down, of what ought to be found.
pub(super) fn expected(headers: &[DataSet], query: &Query, scope: &Reach) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut seen: Vec<DataSet> = Vec::new();
    for header in headers.iter().filter(|header| scope.admits(header, &marks_of(headers, header))) {
        let entity = entity(headers, header, query.level);
        if seen.iter().any(|one| is_same(one, &entity, query.level)) {
            continue;
        }
        seen.push(entity.clone());
        let mut complete = entity.clone();
        for attribute in attribute::ALL.iter().filter(|attribute| attribute.level <= query.level) {
            put_derived(attribute, headers, header, scope, &mut complete);
        }
        complete.put(UNINDEXED, VR::DS, header.element(UNINDEXED).unwrap().value.clone());
        if matches(query, &complete) {
            found.push(unique(&entity, query.level));
        }
    }
    found.sort();
    found
}

pub(super) fn unique(entity: &DataSet, level: Level) -> Vec<String> {
    let levels = Level::ALL.iter().filter(|above| **above <= level);
    let mut unique: Vec<String> =
        levels.map(|above| entity.text(above.unique_key()).unwrap_or_default().to_owned()).collect();
    // Patients may share an ID.
    unique.push(entity.text(PATIENT_NAME).unwrap_or_default().to_owned());
    unique
}

/// Whether two entities are one: what no column tells apart (no date and half a date) is the same.
fn is_same(one: &DataSet, other: &DataSet, level: Level) -> bool {
    let levels = Level::ALL.into_iter().filter(|part| *part <= level);
    levels
        .flat_map(column::columns)
        .all(|attribute| column::searched(attribute, one) == column::searched(attribute, other))
}

/// The attributes of the levels, each from the first instance of its entity.
fn entity(headers: &[DataSet], header: &DataSet, level: Level) -> DataSet {
    let mut entity = DataSet::new();
    for part in Level::ALL.into_iter().filter(|part| *part <= level) {
        // Patients come into being with a study.
        let same = part.max(Level::Study).unique_key();
        let first = headers.iter().find(|other| other.text(same) == header.text(same)).unwrap();
        for attribute in column::columns(part) {
            let tag = attribute.within.unwrap_or(attribute.tag);
            if let Some(Element { vr, value }) = first.element(tag).cloned() {
                entity.put(tag, vr, value);
            }
        }
    }
    entity
}

fn put_derived(attribute: &Attribute, headers: &[DataSet], of: &DataSet, scope: &Reach, into: &mut DataSet) {
    let Matchable::Derived(derived) = attribute.kind else { return };
    let own = entity(headers, of, attribute.level);
    let within: Vec<&DataSet> = headers
        .iter()
        .filter(|other| {
            scope.admits(other, &marks_of(headers, other))
                && is_same(&entity(headers, other, attribute.level), &own, attribute.level)
        })
        .collect();
    let distinct = |tag: Tag| {
        let mut values: Vec<String> = within.iter().filter_map(|header| header.text(tag)).map(str::to_owned).collect();
        values.sort();
        values.dedup();
        values
    };
    let values = match derived {
        Derived::ModalitiesInStudy => distinct(MODALITY),
        Derived::SopClassesInStudy => distinct(SOP_CLASS),
        Derived::Count(level) => vec![distinct(level.unique_key()).len().to_string()],
    };
    into.put(attribute.tag, attribute.vr, if values.is_empty() { Value::Empty } else { Value::Text(values) });
}
