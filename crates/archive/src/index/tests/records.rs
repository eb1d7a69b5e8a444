//! Replay, removal, rebuilding, and what is kept beside the images.

use leadglass_dicom::attribute::Level;
use leadglass_dicom::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid};

use super::agreement::{found, query};
use super::model::*;
use crate::Selection;
use crate::access::{GrantedScope, Marks, Reach, Scope};
use crate::index::{Applied, Change, Index, IndexError, Location, QuarantineRow, SeriesSummary, TrailQuery, TrailRow};

fn everything() -> GrantedScope {
    GrantedScope::for_test(Scope::everything())
}

fn uid(header: &leadglass_dicom::DataSet) -> SopInstanceUid {
    SopInstanceUid::parse(header.text(SOP_UID).unwrap()).unwrap()
}

#[test]
fn what_is_replayed_is_applied_once_and_rebuilding_answers_alike() {
    let headers = headers(&mut Dice(3));
    let (once, again) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, mut writer) = indexed(&once, &headers);
    let batch: Vec<Applied<'_>> = headers.iter().zip(1..).map(|(header, n)| kept(n, header)).collect();
    writer.apply(&batch).unwrap();
    assert_eq!(first.counts().unwrap().instances, headers.len() as u64);
    assert_eq!(first.applied(), headers.len() as u64);
    let (second, mut rebuilt) = Index::open(&again.path().join("index"), &key()).unwrap();
    rebuilt.apply(&batch).unwrap();
    for level in Level::ALL {
        let (query, all) = (query(level, Vec::new()), Reach::from(Scope::everything()));
        assert_eq!(found(&first, &headers, &query, &all, 100), found(&second, &headers, &query, &all, 3));
    }
}

#[test]
fn an_index_survives_reopening_and_no_other_key_opens_it() {
    let directory = tempfile::tempdir().unwrap();
    let headers = headers(&mut Dice(4));
    drop(indexed(&directory, &headers));
    let path = directory.path().join("index");
    let other = zeroize::Zeroizing::new([8; 32]);
    assert!(matches!(Index::open(&path, &other), Err(IndexError::Unreadable)));
    let (index, writer) = Index::open(&path, &key()).unwrap();
    assert_eq!(writer.applied(), headers.len() as u64);
    let known = index.instance_by_sop(&uid(&headers[0])).unwrap().unwrap();
    assert_eq!((known.sequence, known.digest, known.data_set_bytes), (1, [1; 32], 1001));
    assert_eq!(index.study(&known.study).unwrap().unwrap().key_id, 5);
    let file = std::fs::read(&path).unwrap();
    assert!(!file.windows(6).any(|bytes| bytes == b"SQLite" || bytes == b"JEROME"));
}

#[test]
fn what_is_removed_is_gone_with_its_names() {
    for seed in 10..20 {
        let dice = &mut Dice(seed);
        let headers = headers(dice);
        let directory = tempfile::tempdir().unwrap();
        let (index, mut writer) = indexed(&directory, &headers);
        for (next, header) in (headers.len() as u64 + 1..).zip(&headers) {
            let change = Change::Tombstone { sop_instance: uid(header) };
            writer.apply(&[Applied { sequence: next, change }]).unwrap();
            assert_eq!(index.instance_by_sop(&uid(header)).unwrap(), None);
        }
        assert_eq!(index.counts().unwrap(), crate::index::Counts::default());
        let names: i64 = index
            .engine
            .read(crate::index::engine::Lane::Ours, |connection| {
                let count = "SELECT (SELECT count(*) FROM name) + (SELECT count(*) FROM name_form)
                    + (SELECT count(*) FROM name_word) + (SELECT count(*) FROM study_label)
                    + (SELECT count(*) FROM series_label)
                    + (SELECT count(*) FROM name_trigram WHERE name_trigram MATCH '\"buc\"')";
                Ok(connection.query_row(count, [], |row| row.get(0))?)
            })
            .unwrap();
        assert_eq!(names, 0);
    }
}

#[test]
fn selections_are_ordered_and_within_scope() {
    let headers = headers(&mut Dice(5));
    let directory = tempfile::tempdir().unwrap();
    let (index, _writer) = indexed(&directory, &headers);
    let study = StudyInstanceUid::parse("1.0.0").unwrap();
    let selection = Selection { studies: vec![study.clone()], ..Selection::default() };
    let scope = Scope { modalities: vec!["CT".into(), "MR".into()], ..Scope::default() };
    let all = index.select(&selection, &everything()).unwrap();
    let own = index.select(&selection, &GrantedScope::for_test(scope.clone())).unwrap();
    let count = |scope: &Scope| {
        headers
            .iter()
            .filter(|header| header.text(STUDY_UID) == Some("1.0.0") && scope.admits(header, &Marks::default()))
            .count()
    };
    assert_eq!((all.len(), own.len()), (count(&Scope::everything()), count(&scope)));
    assert!(all.iter().all(|instance| instance.study == study));
    assert!(index.select(&Selection::default(), &everything()).unwrap().is_empty());
    let narrowed = Selection { instances: vec![uid(&headers[0])], ..selection };
    assert_eq!(index.select(&narrowed, &everything()).unwrap().len(), 1);
    assert_eq!(index.select(&narrowed, &GrantedScope::for_test(Scope::default())).unwrap().len(), 0);
}

#[test]
fn summaries_go_stale_and_series_settle() {
    let headers = headers(&mut Dice(6));
    let directory = tempfile::tempdir().unwrap();
    let (index, mut writer) = indexed(&directory, &headers);
    let (study, series) = (StudyInstanceUid::parse("1.0.0").unwrap(), SeriesInstanceUid::parse("1.0.0.0").unwrap());
    let unsettled = index.settled_series(i64::MAX, 100).unwrap();
    assert_eq!(unsettled.first(), Some(&(study.clone(), series.clone())));
    let selection = Selection { studies: vec![study.clone()], series: vec![series.clone()], ..Selection::default() };
    let instances = index.select(&selection, &everything()).unwrap().len() as u64;
    let summary = SeriesSummary { study, series, instances, location: Location { segment: 1, offset: 9 }, key_id: 5 };
    let next = headers.len() as u64 + 1;
    writer.apply(&[Applied { sequence: next, change: Change::SeriesSummary(summary.clone()) }]).unwrap();
    assert_eq!(index.series_summary(&summary.study, &summary.series).unwrap(), Some(summary));
    assert_eq!(index.settled_series(i64::MAX, 100).unwrap().len(), unsettled.len() - 1);
    assert_eq!(index.settled_series(0, 100).unwrap().len(), 0);
}

#[test]
fn registries_replace_and_remove() {
    let directory = tempfile::tempdir().unwrap();
    let (index, mut writer) = Index::open(&directory.path().join("index"), &key()).unwrap();
    let put = |sequence, json: Option<&str>| Applied {
        sequence,
        change: Change::Registry { kind: "peer".into(), key: "CT1".into(), json: json.map(Into::into) },
    };
    writer.apply(&[put(1, Some("{\"a\":1}")), put(2, Some("{\"a\":2}"))]).unwrap();
    assert_eq!(index.registry("peer", "CT1").unwrap().as_deref(), Some("{\"a\":2}"));
    assert_eq!(index.registry_list("peer").unwrap().len(), 1);
    writer.apply(&[put(3, None)]).unwrap();
    assert_eq!(index.registry("peer", "CT1").unwrap(), None);
}

#[test]
fn the_trail_is_found_by_patient_caller_and_time_in_pages() {
    let directory = tempfile::tempdir().unwrap();
    let (index, mut writer) = Index::open(&directory.path().join("index"), &key()).unwrap();
    let rows: Vec<TrailRow> = (0..20u64)
        .map(|n| TrailRow {
            entry: n,
            time_ns: n as i64 / 2,
            caller: if n % 2 == 0 { "A".into() } else { "B".into() },
            patient_id: (n % 5 == 0).then(|| "P".into()),
            count: n,
            detail: "{}".into(),
            ..TrailRow::default()
        })
        .collect();
    let batch: Vec<Applied<'_>> =
        rows.iter().map(|row| Applied { sequence: row.entry + 1, change: Change::Trail(row.clone()) }).collect();
    writer.apply(&batch).unwrap();
    let mut closed = rows[0].clone();
    closed.outcome = "done".into();
    writer.apply(&[Applied { sequence: 21, change: Change::Trail(closed.clone()) }]).unwrap();
    let of_patient = TrailQuery { patient_id: Some("P".into()), limit: 10, ..TrailQuery::default() };
    let found = index.trail(&of_patient, &everything()).unwrap();
    assert_eq!(found.iter().map(|row| row.entry).collect::<Vec<_>>(), [15, 10, 5, 0]);
    assert_eq!(found.last(), Some(&closed));
    let mut of_caller = TrailQuery { caller: Some("A".into()), from_ns: Some(2), limit: 3, ..TrailQuery::default() };
    let (mut pages, mut entries) = (0, Vec::new());
    loop {
        let page = index.trail(&of_caller, &everything()).unwrap();
        let Some(last) = page.last() else { break };
        of_caller.after = Some((last.time_ns, last.entry));
        entries.extend(page.iter().map(|row| row.entry));
        pages += 1;
    }
    assert_eq!((pages, entries), (3, vec![18, 16, 14, 12, 10, 8, 6, 4]));
}

#[test]
fn the_quarantine_remembers() {
    let directory = tempfile::tempdir().unwrap();
    let (index, mut writer) = Index::open(&directory.path().join("index"), &key()).unwrap();
    let row = QuarantineRow {
        sop_instance: SopInstanceUid::parse("1.2").unwrap(),
        location: Location { segment: 1, offset: 2 },
        key_id: 3,
        digest: [4; 32],
        data_set_bytes: 5,
        received_ns: 6,
        caller: "CT1".into(),
        reason: "other bytes".into(),
    };
    writer.apply(&[Applied { sequence: 1, change: Change::Quarantine(row.clone()) }]).unwrap();
    assert!(index.is_quarantined(&row.sop_instance, &row.digest).unwrap());
    assert!(!index.is_quarantined(&row.sop_instance, &[5; 32]).unwrap());
    let found = index.quarantine(None, 10, &everything()).unwrap();
    let number = found[0].0;
    assert_eq!(found, [(number, row)]);
    assert!(index.quarantine(Some(number), 10, &everything()).unwrap().is_empty());
    let limited = GrantedScope::for_test(Scope { modalities: vec!["CT".into()], ..Scope::default() });
    assert!(index.quarantine(None, 10, &limited).unwrap().is_empty());
    assert!(index.trail(&TrailQuery { limit: 10, ..TrailQuery::default() }, &limited).unwrap().is_empty());
}
