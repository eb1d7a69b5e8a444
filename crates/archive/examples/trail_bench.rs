//! How long "who saw this patient" and "what did this person do" take among many entries.
//!
//! ```text
//! cargo run --release -p leadglass-archive --example trail_bench -- 10000000 /some/folder
//! ```
//! Rows are made in the index directly, as the log would have them; what is measured is the
//! first page of 1,000 rows of each question, from a connection that has just been opened.

#![expect(clippy::expect_used, reason = "a benchmark says what it found, or stops")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use leadglass_archive::Door;
use leadglass_archive::access::{GrantedScope, Scope};
use leadglass_archive::index::{Applied, Change, Index, TrailQuery, TrailRow};
use leadglass_dicom::StudyInstanceUid;
use zeroize::Zeroizing;

/// Rows applied in one transaction.
const BATCH: u64 = 20_000;
/// Nanoseconds between two entries: 10 million are six years.
const STEP_NS: i64 = 19_000_000_000;
/// Rows of a page.
const PAGE: u32 = 1000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join("trail-bench.db");
    for name in ["trail-bench.db", "trail-bench.db-wal", "trail-bench.db-shm"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    let key = Zeroizing::new([7; 32]);
    let begun = Instant::now();
    {
        let (_index, mut writer) = Index::open(&path, &key).expect("the index opens");
        let mut next = 1;
        while next <= rows {
            let batch: Vec<Applied<'_>> = (next..=rows.min(next + BATCH - 1))
                .map(|number| Applied { sequence: number, change: Change::Trail(row(number)) })
                .collect();
            next += batch.len() as u64;
            writer.apply(&batch).expect("rows are applied");
        }
    }
    let made = begun.elapsed();
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    println!(
        "{rows} entries made in {:.0} s ({:.0}/s), {:.2} GB",
        made.as_secs_f64(),
        rows as f64 / made.as_secs_f64(),
        bytes as f64 / 1e9
    );
    let last_ns = i64::try_from(rows).expect("rows are few") * STEP_NS;
    let text = |text: &str| Some(text.to_owned());
    let none = || TrailQuery { limit: PAGE, ..TrailQuery::default() };
    let questions = [
        ("who saw this patient", TrailQuery { patient_id: text("PAT-00042"), ..none() }),
        (
            "who saw this patient, within a year",
            TrailQuery {
                patient_id: text("PAT-00042"),
                from_ns: Some(last_ns / 2),
                before_ns: Some(last_ns / 2 + 365 * 86_400_000_000_000),
                ..none()
            },
        ),
        ("who saw a patient nobody saw", TrailQuery { patient_id: text("PAT-nobody"), ..none() }),
        (
            "who saw this study",
            TrailQuery { study: StudyInstanceUid::parse("1.2.826.0.1.3680043.2.1125.42").ok(), ..none() },
        ),
        ("what did this person do", TrailQuery { person: text("person 17"), ..none() }),
        (
            "what did this person do, refused",
            TrailQuery { person: text("person 17"), outcome: text("refused"), ..none() },
        ),
        ("what did this person search", TrailQuery { person: text("person 17"), action: text("search"), ..none() }),
        (
            "what did this person do to that patient",
            TrailQuery { person: text("person 17"), patient_id: text("PAT-00042"), ..none() },
        ),
        ("everything refused", TrailQuery { outcome: text("refused"), ..none() }),
        ("every failed node authentication", TrailQuery { event: text("110126"), ..none() }),
        ("from an address", TrailQuery { address: Some([10, 0, 0, 9].into()), ..none() }),
        (
            "a day",
            TrailQuery { from_ns: Some(last_ns / 2), before_ns: Some(last_ns / 2 + 86_400_000_000_000), ..none() },
        ),
        ("the newest", none()),
    ];
    for (name, query) in questions {
        let (index, _writer) = Index::open(&path, &key).expect("the index opens");
        let (mut first, mut found, mut pages) = (Duration::ZERO, 0, 0);
        let begun = Instant::now();
        let mut query = query;
        loop {
            let page = index.trail(&query, &GrantedScope::for_test(Scope::everything())).expect("the trail is read");
            pages += 1;
            if pages == 1 {
                first = begun.elapsed();
            }
            found += page.len();
            let Some(last) = page.last().filter(|_| page.len() == PAGE as usize && pages < 20) else { break };
            query.after = Some((last.time_ns, last.entry));
        }
        println!(
            "{name:<42} first page {:>8.1} ms   {found:>6} rows in {pages:>2} pages {:>8.1} ms",
            first.as_secs_f64() * 1e3,
            begun.elapsed().as_secs_f64() * 1e3
        );
    }
}

/// Looks like what a hospital of 100,000 patients and 400 people leaves: most entries are stores
/// and looks, one in 500 is refused, one in 20,000 is a stranger.
fn row(number: u64) -> TrailRow {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let pick = |shift: u32, of: u64| (mixed >> shift) % of;
    let (action, event) = [("store", "110104"), ("retrieve", "110103"), ("search", "110112"), ("retrieve", "110103")]
        [pick(7, 4) as usize];
    let (person, peer) = (format!("person {}", pick(13, 400)), format!("CT{}", pick(17, 60)));
    let is_peer = action == "store";
    let stranger = pick(3, 20_000) == 0;
    let outcome = if stranger || pick(29, 500) == 0 { "refused" } else { "done" };
    let patient = format!("PAT-{:05}", pick(21, 100_000));
    let about = action != "search" && !stranger;
    let study = about
        .then(|| StudyInstanceUid::parse(&format!("1.2.826.0.1.3680043.2.1125.{}", pick(21, 100_000))).ok())
        .flatten();
    let time_ns = i64::try_from(number).expect("rows are few") * STEP_NS;
    let caller = if is_peer { peer.clone() } else { person.clone() };
    let detail = format!(
        r#"{{"time_ns":{time_ns},"caller":"{caller}","door":"dicom-web","operation":"{action}","outcome":"{outcome}","patient_id":"{patient}","patient_name":"Doe^Jane","study":"1.2.826.0.1.3680043.2.1125.1","count":100,"purpose":"viewing"}}"#
    );
    TrailRow {
        entry: number,
        time_ns,
        caller: if stranger { String::new() } else { caller },
        person: (!is_peer && !stranger).then_some(person),
        peer: (is_peer && !stranger).then_some(peer),
        address: Some(format!("10.0.{}.{}", pick(33, 4), pick(37, 250))),
        door: Door::DicomWeb.name().to_owned(),
        action: if stranger { "authenticate".into() } else { action.to_owned() },
        event: Some(if stranger { "110126".into() } else { event.to_owned() }),
        outcome: outcome.to_owned(),
        patient_id: about.then_some(patient),
        study,
        count: 100,
        detail,
        closed_by: Some(number + 1),
        identity: about.then_some(u128::from(mixed)),
    }
}
