//! Fills an index with synthetic studies and prints how long searches take.
//!
//! `cargo run --release -p leadglass-archive --example index_bench -- 10000 100000`: for each
//! number of studies the rate of applying them and, per kind of query, p50 and p95 of 25-row
//! pages in milliseconds.

use std::time::Instant;

use leadglass_archive::access::{GrantedScope, Scope};
use leadglass_archive::index::{Applied, Change, Index, InstanceRow, Location, Page};
use leadglass_dicom::attribute::Level;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::datetime::{Date, Range};
use leadglass_dicom::person_name::NamePattern;
use leadglass_dicom::query::{Include, Key, Matching, Query, Root, WildCard};
use leadglass_dicom::{DataSet, Tag, TransferSyntax, Uid, VR};
use zeroize::Zeroizing;

/// Whatever went wrong.
type Failure = Box<dyn std::error::Error>;

const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const STUDY_DATE: Tag = Tag(0x0008, 0x0020);
const ACCESSION_NUMBER: Tag = Tag(0x0008, 0x0050);
const MODALITIES_IN_STUDY: Tag = Tag(0x0008, 0x0061);
const STUDY_DESCRIPTION: Tag = Tag(0x0008, 0x1030);
const ROUNDS: usize = 40;
const REFERRERS: u64 = 1_000;

const SYLLABLES: [&str; 32] = [
    "an", "ber", "chi", "dor", "el", "fan", "gar", "hof", "in", "jan", "kow", "lin", "mar", "nor", "os", "per", "qui",
    "ros", "sch", "tan", "ul", "ver", "wal", "xi", "yam", "zed", "son", "man", "berg", "ski", "ova", "ez",
];

fn main() -> Result<(), Failure> {
    let sizes: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    for size in if sizes.is_empty() { vec![10_000] } else { sizes } {
        run(size)?;
    }
    Ok(())
}

fn run(studies: u64) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let (index, mut writer) = Index::open(&directory.path().join("index"), &Zeroizing::new([1; 32]))?;
    let started = Instant::now();
    let mut sequence = 0;
    while sequence < studies {
        let last = (sequence + 1000).min(studies);
        let headers: Vec<(u64, DataSet)> = (sequence..last).map(|n| (n + 1, header(n))).collect();
        let batch: Result<Vec<Applied<'_>>, Failure> = headers.iter().map(|(n, header)| kept(*n, header)).collect();
        writer.apply(&batch?)?;
        sequence = last;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{studies} studies: {:.0} new studies applied/s", studies as f64 / seconds);
    let referrer = Scope { referring_physicians: vec![format!("{}^DOC", family(7))], ..Scope::default() };
    for (reach, scope) in [("everything", Scope::everything()), ("one referrer of a thousand", referrer)] {
        println!(" within reach: {reach}");
        ask(&index, studies, &GrantedScope::for_test(scope))?;
    }
    Ok(())
}

fn ask(index: &Index, studies: u64, granted: &GrantedScope) -> Result<(), Failure> {
    for (name, questions) in questions(studies) {
        let mut times = Vec::new();
        let mut rows = 0;
        for round in 0..ROUNDS {
            let query = questions(round as u64);
            let started = Instant::now();
            let page = Page { limit: 25, ..Page::default() };
            rows += index.search(&query, granted, &page, &mut |_| None)?.rows.len();
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let rows = rows as f64 / ROUNDS as f64;
        println!(
            "  {name:28} p50 {:8.2} ms  p95 {:8.2} ms  {rows:.1} rows",
            times[ROUNDS / 2],
            times[ROUNDS * 95 / 100]
        );
    }
    Ok(())
}

type Question = Box<dyn Fn(u64) -> Query>;

fn questions(studies: u64) -> Vec<(&'static str, Question)> {
    let name = |pattern: String| NamePattern::literal(&pattern).map_or(Matching::Universal, Matching::PersonName);
    vec![
        ("everything", Box::new(|_| query(vec![]))),
        (
            "name by prefix, 1 letter",
            Box::new(move |n| {
                query(vec![key(PATIENT_NAME, VR::PN, name(format!("{}*", &SYLLABLES[n as usize % 32][..1])))])
            }),
        ),
        (
            "name by prefix, family",
            Box::new(move |n| query(vec![key(PATIENT_NAME, VR::PN, name(format!("{}^*", family(n * 97))))])),
        ),
        (
            "name contains, frequent",
            Box::new(move |n| {
                query(vec![key(
                    PATIENT_NAME,
                    VR::PN,
                    name(format!("*{}*", ["berg", "son", "man", "yam"][n as usize % 4])),
                )])
            }),
        ),
        (
            "name contains, rare",
            Box::new(move |n| query(vec![key(PATIENT_NAME, VR::PN, name(format!("*{}*", &family(n * 89)[1..])))])),
        ),
        (
            "name contains, 2 letters",
            Box::new(move |n| {
                query(vec![key(PATIENT_NAME, VR::PN, name(format!("*{}*", ["an", "xi", "ul", "os"][n as usize % 4])))])
            }),
        ),
        (
            "name, fuzzy",
            Box::new(move |n| {
                let fuzzy = NamePattern::fuzzy(&family(n * 83)).map_or(Matching::Universal, Matching::PersonName);
                query(vec![key(PATIENT_NAME, VR::PN, fuzzy)])
            }),
        ),
        (
            "Patient ID",
            Box::new(move |n| {
                query(vec![key(
                    PATIENT_ID,
                    VR::LO,
                    Matching::SingleValue(format!("P{:07}", n * 7919 % (studies / 2 + 1))),
                )])
            }),
        ),
        (
            "Patient ID by prefix",
            Box::new(move |n| {
                query(vec![key(PATIENT_ID, VR::LO, Matching::WildCard(WildCard::new(&format!("P{:03}*", n % 2))))])
            }),
        ),
        (
            "accession number",
            Box::new(move |n| {
                query(vec![key(
                    ACCESSION_NUMBER,
                    VR::SH,
                    Matching::SingleValue(format!("ACC{:08}", n * 7907 % studies)),
                )])
            }),
        ),
        ("date, one day", Box::new(|n| query(vec![dates(n, 0)]))),
        ("date, ten years", Box::new(|n| query(vec![dates(n % 300, 10)]))),
        (
            "date and modality",
            Box::new(|n| {
                query(vec![dates(n, 1), key(MODALITIES_IN_STUDY, VR::CS, Matching::SingleValue("MR".into()))])
            }),
        ),
        ("name and date", Box::new(move |n| query(vec![key(PATIENT_NAME, VR::PN, name("s*".into())), dates(n, 0)]))),
    ]
}

fn query(keys: Vec<Key>) -> Query {
    let listed = [PATIENT_NAME, PATIENT_ID, STUDY_DATE, ACCESSION_NUMBER, STUDY_DESCRIPTION, MODALITIES_IN_STUDY];
    Query {
        root: Root::Study,
        level: Level::Study,
        keys,
        include: Include::Listed(
            listed.into_iter().chain([Tag(0x0020, 0x1206), Tag(0x0020, 0x1208)]).map(|tag| vec![tag]).collect(),
        ),
        fuzzy: false,
        relational: false,
        timezone_adjustment: false,
        timezone: None,
        combined_datetime: false,
        charset: SpecificCharacterSet::default(),
        unsupported: Vec::new(),
    }
}

fn key(tag: Tag, vr: VR, matching: Matching) -> Key {
    Key { path: vec![tag], vr, matching }
}

fn dates(n: u64, years: u16) -> Key {
    let from = date(n);
    let year = 2010 + (n / 336 % 10) as u16 + years;
    let to = if years == 0 { from } else { Date::new(year, 12, 31) };
    key(STUDY_DATE, VR::DA, Matching::DateRange(Range { from, to }))
}

fn date(n: u64) -> Option<Date> {
    Date::new(2010 + (n / 336 % 10) as u16, 1 + (n / 28 % 12) as u8, 1 + (n % 28) as u8)
}

fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    n ^ (n >> 29)
}

fn family(n: u64) -> String {
    let n = mixed(n);
    (0..3).map(|part| SYLLABLES[(n >> (5 * part)) as usize % 32]).collect()
}

fn header(n: u64) -> DataSet {
    let patient = n / 2;
    let given = mixed(patient ^ 0xABCD);
    let given: String = (0..2).map(|part| SYLLABLES[(given >> (5 * part)) as usize % 32]).collect();
    let mut header = DataSet::new();
    header.put_text(PATIENT_NAME, VR::PN, format!("{}^{given}", family(patient)));
    header.put_text(PATIENT_ID, VR::LO, format!("P{patient:07}"));
    header.put_text(STUDY_DATE, VR::DA, date(mixed(n) % 3360).map(|date| date.to_string()).unwrap_or_default());
    header.put_text(ACCESSION_NUMBER, VR::SH, format!("ACC{n:08}"));
    header.put_text(STUDY_DESCRIPTION, VR::LO, "CT THORAX WITH CONTRAST");
    header.put_text(Tag(0x0008, 0x0060), VR::CS, ["CT", "MR", "US", "CR"][n as usize % 4]);
    header.put_text(Tag(0x0008, 0x0090), VR::PN, format!("{}^DOC", family(n % REFERRERS)));
    header.put_text(Tag(0x0020, 0x0013), VR::IS, "1");
    header
}

fn kept(sequence: u64, header: &DataSet) -> Result<Applied<'_>, Failure> {
    let uid = |suffix: &str| Uid::parse(&format!("1.2.826.0.1.3680043.{sequence}{suffix}"));
    let row = InstanceRow {
        location: Location { segment: 0, offset: sequence },
        key_id: u128::from(sequence),
        study: uid("")?.into(),
        series: uid(".1")?.into(),
        sop_instance: uid(".1.1")?.into(),
        sop_class: Uid::parse("1.2.840.10008.5.1.4.1.1.2")?.into(),
        transfer_syntax: TransferSyntax::from_uid(Uid::parse("1.2.840.10008.1.2.1")?),
        digest: [0; 32],
        data_set_bytes: 525_000,
        frames: 1,
        header,
        received_ns: sequence as i64,
        calling_ae: None,
    };
    Ok(Applied { sequence, change: Change::Instance(Box::new(row)) })
}
