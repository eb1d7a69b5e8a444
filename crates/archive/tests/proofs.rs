//! What is proven of the trail, and that whatever is done to it shows.

#![expect(clippy::unwrap_used, reason = "test")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use leadglass_archive::administer::Verb;
use leadglass_archive::retrieve::Purpose;
use leadglass_archive::review::TrailQuery;
use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::trail::{Alert, Event};
use leadglass_archive::{Archive, Caller, Door, Selection};
use leadglass_verify::{Wrong, check};

fn all() -> TrailQuery {
    TrailQuery { limit: 10_000, ..TrailQuery::default() }
}

/// Some days of an archive: stores, looks, refusals, alerts.
async fn lived(test: &TestArchive, patients: u32) -> Caller {
    let administrator = test.caller("administrator", Door::DicomWeb).await;
    let modality = test.peer("CT1", &[Verb::Store]).await;
    for patient in 1..=patients {
        let sample = Sample::new(patient, 1, 1);
        test.store(&modality, &sample).await.unwrap();
        let selection = Selection { studies: vec![sample.study_uid()], ..Selection::default() };
        let retrieval = test.archive().retrieve(&administrator, selection, Purpose::Viewing).await.unwrap();
        retrieval.frame(&retrieval.instances()[0], 1).await.unwrap();
        let _ = test.archive().tokens(&modality).await;
        test.archive().alert(Alert::of(Event::SecurityRolesChanged).by(&administrator).saying("a test"));
    }
    test.pass(Duration::from_secs(301)).await;
    test.caller("administrator", Door::Admin).await
}

/// A small generator of numbers: the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

#[tokio::test]
async fn a_bundle_proves_itself_and_any_change_to_it_shows() {
    let test = TestArchive::new();
    let administrator = lived(&test, 4).await;
    let bundle = test.archive().trail_bundle(&administrator, all(), vec![]).await.unwrap();
    let checked = check(&bundle, None, None).unwrap();
    assert_eq!(checked.entries, bundle.lines().count() as u64 - 2);
    assert!(checked.entries > 15 && checked.erased == 0, "{checked:?}");
    assert!(bundle.contains("PAT-1"), "entries are readable");
    let other = TestArchive::new();
    let foreign = other.archive().trail_bundle(&other.host().await, all(), vec![]).await.unwrap();
    let foreign = check(&foreign, None, None).unwrap().verifier;
    assert_eq!(check(&bundle, Some(&foreign), None), Err(Wrong::OtherKey));
    let lines: Vec<&str> = bundle.lines().collect();
    let mut numbers = Numbers(7);
    for _ in 0..1500 {
        let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let at = numbers.below(changed.len());
        // One character of the line becomes another of its kind: hexadecimal, base64 or a word.
        let place = loop {
            let place = numbers.below(changed[at].len());
            if changed[at].as_bytes()[place].is_ascii_alphanumeric() {
                break place;
            }
        };
        let was = char::from(changed[at].as_bytes()[place]);
        let becomes = if was == 'x' { "y" } else { "x" };
        changed[at].replace_range(place..=place, becomes);
        let text = changed.join("\n");
        let same = serde_json::from_str::<serde_json::Value>(&changed[at]).ok();
        let result = check(&text, Some(&checked.verifier), None);
        assert!(result.is_err(), "line {} place {place}: {was} -> {becomes}: {same:?}", at + 1);
    }
    // Records of one entry under another.
    let mut swapped = lines.clone();
    let (first, second) = (3, 4);
    let mut one: serde_json::Value = serde_json::from_str(swapped[first]).unwrap();
    let two: serde_json::Value = serde_json::from_str(swapped[second]).unwrap();
    one["records"] = two["records"].clone();
    let one = one.to_string();
    swapped[first] = &one;
    assert!(matches!(check(&swapped.join("\n"), None, None), Err(Wrong::Shown(4))));
}

#[tokio::test]
async fn an_older_checkpoint_shows_a_log_put_back_or_begun_anew() {
    let test = TestArchive::new();
    let administrator = lived(&test, 2).await;
    let early = test.archive().trail_bundle(&administrator, all(), vec![]).await.unwrap();
    let note = |bundle: &str| {
        let line: serde_json::Value = serde_json::from_str(bundle.lines().nth(1).unwrap()).unwrap();
        line["checkpoint"].as_str().unwrap().to_owned()
    };
    let (first, backup) = (note(&early), tempfile::tempdir().unwrap());
    let back = test.after_crash();
    for file in back.files() {
        fs::copy(&file, backup.path().join(file.file_name().unwrap())).unwrap();
    }
    for sample in [Sample::new(7, 1, 1), Sample::new(8, 1, 1)] {
        test.store(&test.host().await, &sample).await.unwrap();
    }
    let later = test.archive().trail_bundle(&administrator, all(), vec![first.clone()]).await.unwrap();
    assert_eq!(check(&later, None, Some(&first)).unwrap().consistent, 1);
    let second = note(&later);
    assert_eq!(check(&early, None, Some(&second)), Err(Wrong::Shorter { had: size(&second), has: size(&first) }));
    // The copy lives on without what came later: it cannot be told as the same log.
    let restored = back.host().await;
    for n in 1..12 {
        back.store(&restored, &Sample::new(20 + n, 1, 1)).await.unwrap();
    }
    let refused = back.archive().trail_bundle(&restored, all(), vec![second.clone()]).await;
    match refused {
        Err(refused) => assert!(refused.to_string().contains("cut off or put back"), "{refused}"),
        Ok(bundle) => assert_eq!(check(&bundle, None, Some(&second)), Err(Wrong::OtherHistory)),
    }
}

fn size(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn who_was_erased_is_gone_and_every_proof_holds() {
    let test = TestArchive::new();
    let administrator = lived(&test, 3).await;
    let of_patient = TrailQuery { patient_id: Some("PAT-2".into()), ..all() };
    let before = test.archive().trail(&administrator, of_patient.clone()).await.unwrap();
    assert!(before.iter().any(|row| row.action == "store") && before.iter().any(|row| row.action == "retrieve"));
    let erased = test.archive().erase_from_trail(&test.host().await, "PAT-2").await.unwrap();
    assert!(erased);
    assert!(!test.archive().erase_from_trail(&test.host().await, "PAT-9").await.unwrap(), "nobody of that name");
    let look = async |test: &TestArchive| {
        let rows = test.trail().await;
        let told =
            rows.iter().filter(|row| row.time_ns < before[0].time_ns + 1).any(|row| row.detail.contains("PAT-2"));
        assert!(!told && rows.iter().any(|row| row.detail.contains("PAT-1")));
        let kept = |row: &&leadglass_archive::review::TrailRow| row.action == "store" && row.patient_id.is_none();
        assert_eq!(rows.iter().filter(kept).count(), 1, "that something was stored is still told");
        let bundle = test.archive().trail_bundle(&test.host().await, all(), vec![]).await.unwrap();
        let checked = check(&bundle, None, None).unwrap();
        assert!(checked.erased >= 2, "{checked:?}");
        let report = test.archive().verify(&test.host().await, |_, _| {}).await.unwrap();
        assert!(report.damaged.is_empty() && report.erased >= 2, "{report:?}");
    };
    look(&test).await;
    let test = test.meddled(|dir| fs::remove_file(dir.join("index.db")).unwrap()).await;
    look(&test).await;
}

#[tokio::test]
async fn a_thousand_changes_to_the_log_are_seen() {
    let test = TestArchive::with(|settings| settings.segment_bytes = 64 << 10);
    lived(&test, 6).await;
    let settings = test.settings().clone();
    test.archive().close().await;
    let log = settings.data_dir.join("log");
    let clean = Archive::verify_offline(&settings, None, |_, _| {}).unwrap();
    assert!(clean.damaged.is_empty() && clean.records > 30, "{clean:?}");
    let segments: Vec<_> = {
        let mut names: Vec<_> = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
        names.sort();
        names
    };
    let kept: Vec<(_, Vec<u8>)> = segments.iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let mut numbers = Numbers(11);
    for round in 0..1000 {
        let segment = numbers.below(kept.len());
        let (path, bytes) = &kept[segment];
        let mut records = records(bytes);
        if segment + 1 == kept.len() {
            // The last record is the checkpoint of all others: what it says is kept beside the log too.
            records.pop();
        }
        if records.is_empty() {
            continue;
        }
        let mut changed = bytes.clone();
        let (first, second) = (numbers.below(records.len()), numbers.below(records.len()));
        let (start, end) = records[first];
        let what = match round % 6 {
            0 => {
                let at = start + numbers.below(end - start);
                changed[at] ^= 1 << numbers.below(8);
                "edit"
            }
            1 => {
                changed.drain(start..end);
                changed.extend(vec![0; end - start]);
                "delete"
            }
            2 => {
                let copy = bytes[start..end].to_vec();
                changed.splice(start..start, copy);
                changed.truncate(bytes.len());
                "insert"
            }
            3 if first != second => {
                let (early, late) = (records[first.min(second)], records[first.max(second)]);
                let (a, b) = (bytes[early.0..early.1].to_vec(), bytes[late.0..late.1].to_vec());
                changed.splice(late.0..late.1, a);
                changed.splice(early.0..early.1, b);
                "reorder"
            }
            4 => {
                changed[start..].fill(0);
                "truncate"
            }
            _ => {
                changed[start..end].fill(0);
                "wipe"
            }
        };
        fs::write(path, &changed).unwrap();
        let seen = changed == *bytes
            || Archive::verify_offline(&settings, None, |_, _| {}).map_or(true, |report| !report.damaged.is_empty());
        assert!(seen, "{what} of the record at {start}..{end} of {} was not seen", path.display());
        fs::write(path, bytes).unwrap();
    }
    assert!(Archive::verify_offline(&settings, None, |_, _| {}).unwrap().damaged.is_empty());
}

/// Where the records of a segment are, by their magic.
fn records(segment: &[u8]) -> Vec<(usize, usize)> {
    let starts: Vec<usize> =
        segment.windows(8).enumerate().filter(|(_, at)| *at == b"LGRECORD").map(|(at, _)| at).collect();
    let used = segment.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    starts.iter().enumerate().map(|(n, start)| (*start, starts.get(n + 1).copied().unwrap_or(used))).collect()
}

#[tokio::test]
async fn an_index_replaced_by_an_older_or_another_gives_the_same_trail() {
    let test = TestArchive::new();
    lived(&test, 2).await;
    let test = test.reopened().await;
    let older = fs::read(test.data_dir().join("index.db")).unwrap();
    lived(&test, 3).await;
    let told = |rows: Vec<leadglass_archive::review::TrailRow>| {
        rows.into_iter().map(|row| (row.entry, row.detail)).collect::<Vec<_>>()
    };
    let before = told(test.trail().await);
    let replace = |dir: &Path, bytes: &[u8]| {
        for name in ["index.db-wal", "index.db-shm"] {
            let _ = fs::remove_file(dir.join(name));
        }
        fs::write(dir.join("index.db"), bytes).unwrap();
    };
    let test = test.meddled(|dir| replace(dir, &older)).await;
    let after = told(test.trail().await);
    assert_eq!(after[after.len() - before.len()..], before);
    let test = test.meddled(|dir| replace(dir, &vec![7; older.len()])).await;
    let after = told(test.trail().await);
    assert_eq!(after[after.len() - before.len()..], before);
}
