//! Reading the trail: found by patient, study, person, peer and what else auditors ask by.
//!
//! The most telling condition picks the index that is walked, newest first, and reading stops
//! when the page is full; every other condition is made unfit for an index, so that the choice
//! is ours at any number of entries. A page goes on behind the last row of the one before.

use leadglass_dicom::StudyInstanceUid;
use rusqlite::{OptionalExtension, Row, params};

use super::engine::{self, Sql, signed, unsigned};
use super::{Index, IndexError, TrailQuery, TrailRow};
use crate::access::GrantedScope;

/// What the outcome of most entries is: no index helps to find those.
const USUAL: &str = "done";

impl Index {
    /// Trail entries, newest first. Only a scope without limit holds them.
    pub fn trail(&self, query: &TrailQuery, scope: &GrantedScope) -> Result<Vec<TrailRow>, IndexError> {
        if !scope.is_everything() {
            return Ok(Vec::new());
        }
        let (text, sql) = statement(query);
        self.read_trail(|connection| {
            let mut statement = connection.prepare_cached(&text)?;
            let mut rows = engine::query(&mut statement, &sql.values)?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(trail_row(row)?);
            }
            Ok(entries)
        })
    }

    /// Entries whose operation had begun and was not seen to end: at a start, those of a crash.
    pub(crate) fn trail_left_open(&self) -> Result<Vec<TrailRow>, IndexError> {
        self.read(|connection| {
            let text = format!(
                "SELECT {COLUMNS} FROM trail WHERE outcome = 'begun' AND outcome <> '{USUAL}' ORDER BY time_ns"
            );
            let mut statement = connection.prepare_cached(&text)?;
            let mut rows = statement.query([])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(trail_row(row)?);
            }
            Ok(entries)
        })
    }

    /// Patient ID and Patient's Name of a study; none of what is unknown or empty.
    pub(crate) fn patient_of(&self, study: &StudyInstanceUid) -> Result<Option<Patient>, IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT patient.patient_id, name.raw FROM study JOIN patient ON patient.id = study.patient
                 LEFT JOIN name ON name.id = patient.patient_name WHERE study.study_instance_uid = $1",
            )?;
            let full = |text: Option<String>| text.filter(|text| !text.is_empty());
            let row = statement.query_row(params![study.as_str()], |row| Ok((full(row.get(0)?), full(row.get(1)?))));
            Ok(row.optional()?)
        })
    }
}

/// Patient ID and Patient's Name.
pub(crate) type Patient = (Option<String>, Option<String>);

const COLUMNS: &str = "entry, time_ns, caller, person, peer, address, door, action, event, outcome, patient_id, study, \
                       amount, detail, closed_by, identity";

fn statement(query: &TrailQuery) -> (String, Sql) {
    let mut sql = Sql::default();
    let mut conditions = Vec::new();
    if let Some(from) = query.from_ns {
        conditions.push(format!("time_ns >= {}", sql.bind(from)));
    }
    if let Some(before) = query.before_ns {
        conditions.push(format!("time_ns < {}", sql.bind(before)));
    }
    if let Some((time_ns, entry)) = query.after {
        let (time_ns, entry) = (sql.bind(time_ns), sql.bind(signed(entry)));
        conditions.push(format!("(time_ns, entry) < ({time_ns}, {entry})"));
    }
    // In the order of how much each tells.
    let address = query.address.map(|address| address.to_string());
    let equal = [
        ("patient_id", query.patient_id.as_deref()),
        ("study", query.study.as_ref().map(|study| study.as_str())),
        ("outcome", query.outcome.as_deref().filter(|outcome| *outcome != USUAL)),
        ("address", address.as_deref()),
        ("person", query.person.as_deref()),
        ("peer", query.peer.as_deref()),
        ("caller", query.caller.as_deref()),
        ("event", query.event.as_deref()),
        ("action", query.action.as_deref()),
        ("door", query.door.as_deref()),
        ("outcome", query.outcome.as_deref().filter(|outcome| *outcome == USUAL)),
    ];
    let mut walked = false;
    for (column, value) in equal {
        let Some(value) = value else { continue };
        let indexed = !walked && column != "door" && value != USUAL;
        walked |= indexed;
        let value = sql.bind(value.to_owned());
        conditions.push(match (indexed, column) {
            (true, "outcome") => format!("outcome = {value} AND outcome <> '{USUAL}'"),
            (true, _) => format!("{column} = {value}"),
            (false, _) => format!("coalesce({column}, '') = {value}"),
        });
    }
    if conditions.is_empty() {
        conditions.push("1 = 1".into());
    }
    let limit = sql.bind(i64::from(query.limit));
    let text = format!(
        "SELECT {COLUMNS} FROM trail WHERE {} ORDER BY time_ns DESC, entry DESC LIMIT {limit}",
        conditions.join(" AND ")
    );
    (text, sql)
}

fn trail_row(row: &Row<'_>) -> Result<TrailRow, IndexError> {
    let study: Option<String> = row.get(11)?;
    Ok(TrailRow {
        entry: unsigned(row.get(0)?),
        time_ns: row.get(1)?,
        caller: row.get(2)?,
        person: row.get(3)?,
        peer: row.get(4)?,
        address: row.get(5)?,
        door: row.get(6)?,
        action: row.get(7)?,
        event: row.get(8)?,
        outcome: row.get(9)?,
        patient_id: row.get(10)?,
        study: study.map(|uid| StudyInstanceUid::parse(&uid)).transpose().map_err(|_| IndexError::Damaged("UID"))?,
        count: unsigned(row.get(12)?),
        detail: row.get(13)?,
        closed_by: row.get::<_, Option<i64>>(14)?.map(unsigned),
        identity: row.get::<_, Option<[u8; 16]>>(15)?.map(u128::from_be_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scope;
    use crate::index::{Applied, Change, Writer};

    fn index() -> (tempfile::TempDir, Index, Writer) {
        let directory = tempfile::tempdir().unwrap();
        let (index, writer) = Index::open(&directory.path().join("index"), &zeroize::Zeroizing::new([7; 32])).unwrap();
        (directory, index, writer)
    }

    /// Every combination of conditions walks an index in the order of the answer: nothing is
    /// sorted, nothing is read from end to end, but by time when only usual things are asked.
    #[test]
    fn no_question_sorts_or_scans() {
        let (_directory, index, _writer) = index();
        for bits in 0..1u32 << 10 {
            let on = |bit: u32| bits >> bit & 1 == 1;
            let text = |bit: u32| on(bit).then(|| "x".to_owned());
            let query = TrailQuery {
                from_ns: Some(1),
                before_ns: Some(9),
                patient_id: text(0),
                study: on(1).then(|| StudyInstanceUid::parse("1.2").unwrap()),
                person: text(2),
                peer: text(3),
                caller: text(4),
                action: text(5),
                outcome: if on(6) { Some("refused".into()) } else { on(5).then(|| USUAL.into()) },
                door: text(7),
                address: on(8).then(|| [127, 0, 0, 1].into()),
                event: text(9),
                after: on(7).then_some((5, 5)),
                limit: 10,
            };
            let (text, sql) = statement(&query);
            let plan: Vec<String> = index
                .read(|connection| {
                    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}"))?;
                    let mut rows = engine::query(&mut statement, &sql.values)?;
                    let mut steps = Vec::new();
                    while let Some(row) = rows.next()? {
                        steps.push(row.get(3)?);
                    }
                    Ok(steps)
                })
                .unwrap();
            let wanted = match () {
                () if on(0) => "trail_by_patient",
                () if on(1) => "trail_by_study",
                () if on(6) => "trail_by_outcome",
                () if on(8) => "trail_by_address",
                () if on(2) => "trail_by_person",
                () if on(3) => "trail_by_peer",
                () if on(4) => "trail_by_caller",
                () if on(9) => "trail_by_event",
                () if on(5) => "trail_by_action",
                () => "trail_by_time",
            };
            assert!(plan.len() == 1 && plan[0].contains(wanted), "{text}\n{plan:?}");
        }
    }

    #[test]
    fn each_condition_narrows_alone_and_with_others() {
        let (_directory, index, mut writer) = index();
        let pick = |n: u64, of: &[&str]| Some(of[n as usize % of.len()].to_owned());
        let rows: Vec<TrailRow> = (1..=120u64)
            .map(|n| TrailRow {
                entry: n,
                time_ns: n as i64,
                caller: format!("c{}", n % 4),
                person: pick(n, &["ada", "bob", "eve"]),
                peer: (n % 2 == 0).then(|| "CT1".into()),
                address: pick(n, &["127.0.0.1", "::1"]),
                door: pick(n, &["dimse", "admin"]).unwrap(),
                action: pick(n, &["store", "search", "retrieve"]).unwrap(),
                event: pick(n / 2, &["110104", "110112"]),
                outcome: pick(n / 3, &["done", "refused", "begun"]).unwrap(),
                patient_id: pick(n, &["P1", "P2"]).filter(|_| n % 3 == 0),
                study: None,
                count: n,
                detail: "{}".into(),
                closed_by: (n % 2 == 0).then_some(n + 1),
                identity: (n % 3 == 0).then_some(u128::from(n)),
            })
            .collect();
        let batch: Vec<Applied<'_>> =
            rows.iter().map(|row| Applied { sequence: row.entry, change: Change::Trail(row.clone()) }).collect();
        writer.apply(&batch).unwrap();
        let everything = GrantedScope::for_test(Scope::everything());
        type Test = fn(&TrailRow) -> bool;
        let of = |query: TrailQuery, test: Test| {
            let found = index.trail(&TrailQuery { limit: 1000, ..query }, &everything).unwrap();
            let mut wanted: Vec<TrailRow> = rows.iter().filter(|row| test(row)).cloned().collect();
            wanted.reverse();
            assert_eq!(found, wanted);
            assert!(!found.is_empty());
        };
        let text = |text: &str| Some(text.to_owned());
        let none = TrailQuery::default;
        of(TrailQuery { person: text("ada"), ..none() }, |row| row.person.as_deref() == Some("ada"));
        of(TrailQuery { peer: text("CT1"), ..none() }, |row| row.peer.is_some());
        of(TrailQuery { outcome: text("refused"), ..none() }, |row| row.outcome == "refused");
        of(TrailQuery { outcome: text("done"), ..none() }, |row| row.outcome == "done");
        of(TrailQuery { door: text("dimse"), ..none() }, |row| row.door == "dimse");
        of(TrailQuery { address: Some([127, 0, 0, 1].into()), ..none() }, |row| {
            row.address.as_deref() == Some("127.0.0.1")
        });
        of(TrailQuery { event: text("110112"), patient_id: text("P1"), ..none() }, |row| {
            row.event.as_deref() == Some("110112") && row.patient_id.as_deref() == Some("P1")
        });
        of(
            TrailQuery { caller: text("c1"), action: text("store"), from_ns: Some(20), before_ns: Some(100), ..none() },
            |row| row.caller == "c1" && row.action == "store" && (20..100).contains(&row.time_ns),
        );
        let open = index.trail_left_open().unwrap();
        assert_eq!(open.len(), rows.iter().filter(|row| row.outcome == "begun").count());
    }
}
