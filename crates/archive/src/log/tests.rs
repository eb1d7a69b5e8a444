//! The log as a whole: crashes at every byte, flipped bits, failing disks, erasure.

use std::fs::{File, OpenOptions};
use std::io::IoSlice;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::writer::{Disk, Kernel};
use super::*;
use crate::seal::{DataKey, KeyId, Keyring, seal_blob};
use crate::settings::KeySource;

const NOON: SystemTime = SystemTime::UNIX_EPOCH;

fn key() -> CheckpointKey {
    CheckpointKey::from_seed(&[7; 32]).unwrap()
}

fn options(dir: &Path) -> LogOptions {
    LogOptions { data_dir: dir.to_owned(), segment_bytes: 64 * 1024, reserve_bytes: 0 }
}

fn open(dir: &Path) -> (Log, Opened) {
    Log::open(options(dir), key()).unwrap()
}

fn data_key() -> (KeyId, DataKey) {
    (KeyId::from_bytes([1; 16]), DataKey::from_bytes([2; 32]))
}

/// A record of two sealed parts.
fn record(text: &[u8]) -> NewRecord {
    let (key_id, key) = data_key();
    sealed_record(key_id, &key, text)
}

fn sealed_record(key_id: KeyId, key: &DataKey, text: &[u8]) -> NewRecord {
    let id = RecordId::random().unwrap();
    let part = |number, bytes: &[u8]| seal_blob(key, id.context(Kind::Instance, number), bytes).unwrap().into();
    NewRecord { kind: Kind::Instance, id, key: key_id, parts: vec![part(0, b"attributes"), part(1, text)] }
}

fn append(log: &Log, texts: &[&[u8]]) -> Vec<Appended> {
    log.append(texts.iter().map(|text| record(text)).collect()).unwrap()
}

fn sequences(log: &Log, from: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    let replayed = log.replay(from, None, &mut |view| {
        assert!(view.open_part(0, &data_key().1).is_ok() || view.kind() == Some(Kind::Checkpoint));
        seen.push(view.header.sequence);
        ControlFlow::Continue(())
    });
    assert_eq!(replayed.unwrap().damaged, []);
    seen
}

fn check(dir: &Path) -> Report {
    let verifier = key().verifier();
    verify(dir, &VerifyOptions { verifier: Some(&verifier), ..VerifyOptions::default() }, &mut |_, _| {}).unwrap()
}

fn segment(dir: &Path, number: u32) -> File {
    OpenOptions::new().read(true).write(true).open(dir.join(format!("log/{number:08}.seg"))).unwrap()
}

fn flip(file: &File, offset: u64, bit: u8) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1 << bit], offset).unwrap();
}

#[test]
fn what_is_appended_is_read_back_and_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let (log, opened) = open(dir.path());
    assert_eq!(opened, Opened::default());
    let long: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    let first = append(&log, &[b"one", b"two"]);
    let second = append(&log, &[&long]);
    assert_eq!([first[0].sequence, first[1].sequence, second[0].sequence], [1, 2, 3]);
    let root = log.root();
    drop(log);
    let (log, opened) = open(dir.path());
    assert_eq!((opened.last_sequence, opened.torn), (3, None));
    assert_eq!(log.root(), root);
    let key = data_key().1;
    assert_eq!(log.read_plain(first[1].location, 1, &key).unwrap(), b"two");
    let reader = log.open_part(second[0].location, 1, &key).unwrap();
    assert_eq!(reader.plain_bytes(), 200_000);
    assert_eq!(reader.read(65_530..65_550).unwrap(), &long[65_530..65_550]);
    assert_eq!(log.read_part(second[0].location, 1, 0..u64::MAX).unwrap().len() as u64, second[0].lengths[1]);
    assert!(matches!(log.read_part(second[0].location, 2, 0..1), Err(LogError::OutOfRange)));
    assert_eq!(sequences(&log, 1), [1, 2, 3]);
    assert_eq!(sequences(&log, 3), [3]);
    assert_eq!(check(dir.path()).damaged, []);
}

#[test]
fn many_segments_are_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let text = vec![5; 9_000];
    for round in 0..20 {
        append(&log, &[&text, &text]);
        if round % 4 == 0 {
            log.checkpoint(NOON).unwrap();
        }
    }
    let (root, last) = (log.root(), log.last_sequence());
    drop(log);
    let (log, opened) = open(dir.path());
    assert_eq!((log.root(), opened.last_sequence), (root, last));
    assert_eq!(sequences(&log, 1), (1..=last).collect::<Vec<_>>());
    assert_eq!(sequences(&log, 30), (30..=last).collect::<Vec<_>>());
    let report = check(dir.path());
    assert_eq!((report.damaged, report.records, report.checkpoints, report.root), (vec![], last, 5, root));
    let leaves = leaves(&log);
    let proof = inclusion_proof(&leaves, 17).unwrap();
    assert!(verify_inclusion(&leaves[17], 17, last, &proof, &root));
    std::fs::remove_file(dir.path().join("log/00000003.seg")).unwrap();
    assert!(check(dir.path()).damaged[0].what.contains("missing"));
}

fn leaves(log: &Log) -> Vec<Hash> {
    let mut leaves = Vec::new();
    log.replay(1, None, &mut |view| {
        leaves.push(view.header.leaf);
        ControlFlow::Continue(())
    })
    .unwrap();
    leaves
}

#[test]
fn a_crash_at_any_byte_of_the_last_append_loses_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    append(&log, &[b"kept", b"kept too"]);
    let (kept, end) = (log.root(), append(&log, &[b"last", b"append", b"of three"]));
    let third = log.header(end[2].location).unwrap();
    drop(log);
    let path = dir.path().join("log/00000001.seg");
    let whole = std::fs::read(&path).unwrap();
    let (from, to) = (end[0].location.offset, end[2].location.offset + third.record_bytes());
    // Ciphertext may begin or end in zeros: what tells a torn file is that it is none of these.
    let mut clean = vec![whole.clone()];
    for record in &end {
        let mut file = whole.clone();
        file[record.location.offset as usize..].fill(0);
        clean.push(file);
    }
    for cut in from..to {
        // Only bytes before `cut` reached the disk, or only those after it.
        for before in [true, false] {
            if !before && cut % 8 != 0 {
                continue;
            }
            let mut torn = whole.clone();
            if before {
                torn[cut as usize..].fill(0)
            } else {
                torn[from as usize..=cut as usize].fill(0)
            }
            std::fs::write(&path, &torn).unwrap();
            let (log, opened) = open(dir.path());
            assert_eq!(opened.damaged, []);
            let most = if torn == whole { 5 } else { 4 };
            assert!((2..=most).contains(&opened.last_sequence), "cut at {cut}");
            assert_eq!(opened.torn.is_some(), !clean.contains(&torn), "cut at {cut}");
            if opened.last_sequence == 2 {
                assert_eq!(log.root(), kept);
            }
            if cut % 16 != 0 {
                continue;
            }
            let again = append(&log, &[b"after"]);
            assert_eq!(again[0].sequence, opened.last_sequence + 1);
            drop(log);
            let report = check(dir.path());
            assert_eq!((report.damaged, report.records), (vec![], opened.last_sequence + 1));
        }
    }
}

#[test]
fn a_file_cut_short_loses_only_what_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    append(&log, &[b"kept"]);
    let last = append(&log, &[b"last"]);
    drop(log);
    let file = segment(dir.path(), 1);
    for bytes in (last[0].location.offset..last[0].location.offset + 200).rev() {
        file.set_len(bytes).unwrap();
        let (log, opened) = open(dir.path());
        assert_eq!((opened.last_sequence, opened.damaged.len()), (1, 0));
        drop(log);
    }
    let (log, _) = open(dir.path());
    assert_eq!(append(&log, &[b"next"])[0].sequence, 2);
    assert_eq!(check(dir.path()).damaged, []);
}

#[test]
fn a_segment_half_made_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    append(&log, &[b"one"]);
    drop(log);
    for content in [vec![], vec![0; 100], vec![9; 4000], vec![0; 70_000]] {
        std::fs::write(dir.path().join("log/00000002.seg"), content).unwrap();
        assert_eq!(check(dir.path()).damaged, []);
        assert_eq!(open(dir.path()).1.last_sequence, 1);
        assert!(!dir.path().join("log/00000002.seg").exists());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_flipped_bit_is_found_and_named(at in any::<proptest::sample::Index>(), bit in 0u8..8) {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path());
        let mut all = append(&log, &[b"one", b"two"]);
        all.extend(append(&log, &[b"three", &[3; 300]]));
        log.checkpoint(NOON).unwrap();
        all.extend(append(&log, &[b"five"]));
        let (root, key) = (log.root(), data_key().1);
        drop(log);
        let last = all.last().unwrap();
        let (from, to) = (all[0].location.offset, last.location.offset + 400);
        let offset = from + at.index((to - from) as usize) as u64;
        flip(&segment(dir.path(), 1), offset, bit);
        let report = check(dir.path());
        let end = last.location.offset + 92 + 2 * 56 + 32 + last.lengths.iter().sum::<u64>();
        if offset >= end {
            // Past the last record: junk that is no record.
            prop_assert_eq!(report.damaged.len(), 1);
            return Ok(());
        }
        prop_assert_eq!(report.damaged.len(), 1, "{:?}", report.damaged);
        let damage = &report.damaged[0];
        let hit = all.iter().rev().find(|record| record.location.offset <= offset).unwrap();
        let in_checkpoint = hit.sequence == 4 && damage.sequence == Some(5);
        prop_assert!(damage.sequence == Some(hit.sequence) || in_checkpoint);
        prop_assert!(damage.location == hit.location || in_checkpoint);
        if damage.sequence != Some(6) {
            prop_assert_eq!(report.root, root, "one lost leaf is known from the next header");
            let (log, opened) = open(dir.path());
            prop_assert_eq!((opened.last_sequence, opened.torn), (6, None));
            for record in all.iter().filter(|record| Some(record.sequence) != damage.sequence) {
                prop_assert!(log.read_plain(record.location, 1, &key).is_ok());
            }
            if !in_checkpoint {
                let served = log.read_plain(hit.location, 0, &key).is_ok() && log.read_plain(hit.location, 1, &key).is_ok();
                prop_assert!(!served, "damaged bytes are not served");
            }
            prop_assert!(log.append(vec![record(b"next")]).is_ok());
        }
    }
}

#[test]
fn a_batch_that_needs_more_than_a_small_segment_gets_one_that_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    // As if the disk were nearly full: each segment is as small as can be.
    let short = LogOptions { segment_bytes: 64 << 20, reserve_bytes: u64::MAX, ..options(dir.path()) };
    let (log, _) = Log::open(short, key()).unwrap();
    append(&log, &[b"before"]);
    let large = vec![7; 3 << 20];
    append(&log, &[&large[..], &large[..]]);
    append(&log, &[b"after"]);
    let segments: Vec<u64> = std::fs::read_dir(dir.path().join("log"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".seg"))
        .map(|entry| entry.metadata().unwrap().len())
        .collect();
    assert_eq!(segments.len(), 3, "{segments:?}");
    assert!(segments.iter().all(|bytes| *bytes < 8 << 20), "{segments:?}");
    drop(log);
    assert_eq!(check(dir.path()).damaged, []);
}

/// A disk that fails on the write or sync of that number.
struct Failing {
    fail_write: u32,
    fail_sync: u32,
    writes: AtomicU32,
    syncs: Arc<AtomicU32>,
}

impl Disk for Failing {
    fn write(&self, file: &File, pieces: &[IoSlice<'_>], offset: u64) -> std::io::Result<usize> {
        match self.writes.fetch_add(1, Ordering::Relaxed) {
            n if n == self.fail_write => Err(std::io::Error::from_raw_os_error(5)),
            _ => Kernel.write(file, &pieces[..1], offset),
        }
    }

    fn sync(&self, file: &File) -> std::io::Result<()> {
        match self.syncs.fetch_add(1, Ordering::Relaxed) {
            n if n == self.fail_sync => Err(std::io::Error::from_raw_os_error(5)),
            _ => Kernel.sync(file),
        }
    }
}

#[test]
fn a_failed_write_or_sync_poisons_and_is_not_tried_again() {
    for (fail_write, fail_sync) in [(u32::MAX, 1), (3, u32::MAX), (4, u32::MAX)] {
        let dir = tempfile::tempdir().unwrap();
        let syncs = Arc::new(AtomicU32::new(0));
        let disk = Failing { fail_write, fail_sync, writes: AtomicU32::new(0), syncs: Arc::clone(&syncs) };
        let (log, _) = Log::open_on(options(dir.path()), key(), Box::new(disk)).unwrap();
        let first = append(&log, &[b"one"]);
        assert!(matches!(log.append(vec![record(b"two")]), Err(LogError::Io { .. })));
        let tried = syncs.load(Ordering::Relaxed);
        assert!(matches!(log.append(vec![record(b"three")]), Err(LogError::Poisoned(_))));
        assert!(matches!(log.checkpoint(NOON), Err(LogError::Poisoned(_))));
        assert_eq!(syncs.load(Ordering::Relaxed), tried, "never synced again");
        assert!(log.poisoned().is_some());
        assert_eq!(log.last_sequence(), 1);
        assert_eq!(log.read_plain(first[0].location, 1, &data_key().1).unwrap(), b"one");
        drop(log);
        let (log, opened) = open(dir.path());
        assert!(opened.last_sequence <= 2 && opened.damaged.is_empty());
        append(&log, &[b"again"]);
        assert_eq!(check(dir.path()).damaged, []);
    }
}

#[test]
fn spilled_objects_live_with_their_record_and_orphans_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let objects = || std::fs::read_dir(dir.path().join("objects")).unwrap().count();
    let mut dropped = log.spill().unwrap();
    dropped.write(&[b"bytes".to_vec()]).unwrap();
    assert_eq!(objects(), 1);
    drop(dropped);
    drop(log.spill().unwrap().sync([0; 32]).unwrap());
    assert_eq!(objects(), 0);

    let (key_id, key) = data_key();
    let id = RecordId::random().unwrap();
    let plain = vec![9; 150_000];
    let sealed = seal_blob(&key, id.context(Kind::Instance, 0), &plain).unwrap();
    let mut spill = log.spill().unwrap();
    sealed.bytes.chunks(1000).for_each(|piece| spill.write(&[piece.to_vec()]).unwrap());
    let object = spill.sync(sealed.sealed.digest).unwrap();
    assert_eq!((object.bytes(), object.digest()), (sealed.sealed.sealed_bytes, sealed.sealed.digest));
    let parts = vec![Part::Spilled(object)];
    let record = NewRecord { kind: Kind::Instance, id, key: key_id, parts };
    let appended = log.append(vec![record]).unwrap().remove(0);
    // As after a crash: the rename did not reach the disk, and a file was being written.
    for entry in std::fs::read_dir(dir.path().join("objects")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::rename(&path, path.with_extension("new")).unwrap();
    }
    std::fs::write(dir.path().join("objects/00.new"), b"orphan").unwrap();
    assert_eq!(log.read_plain(appended.location, 0, &key).unwrap(), plain);
    drop(log);
    let (log, opened) = open(dir.path());
    assert_eq!((opened.swept, objects()), (1, 1));
    assert_eq!(log.open_part(appended.location, 0, &key).unwrap().read(149_990..200_000).unwrap(), &plain[149_990..]);
    assert_eq!(check(dir.path()).damaged, []);
    let path = std::fs::read_dir(dir.path().join("objects")).unwrap().next().unwrap().unwrap().path();
    flip(&OpenOptions::new().read(true).write(true).open(path).unwrap(), 70_000, 3);
    assert_eq!(check(dir.path()).damaged[0].sequence, Some(1));
}

#[test]
fn checkpoints_are_due_by_time_and_number() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    assert!(!log.checkpoint_due(NOON));
    append(&log, &[b"one"]);
    assert!(log.checkpoint_due(NOON));
    let checkpoint = log.checkpoint(NOON).unwrap();
    assert_eq!(checkpoint.size, 1);
    assert!(!log.checkpoint_due(NOON + Duration::from_secs(3600)), "nothing to cover but itself");
    append(&log, &[b"two"]);
    assert!(!log.checkpoint_due(NOON + Duration::from_secs(59)));
    assert!(log.checkpoint_due(NOON + Duration::from_secs(60)));
    assert!(log.checkpoint_due(NOON - Duration::from_secs(1)));
    drop(log);
    let (log, _) = open(dir.path());
    assert_eq!(log.last_checkpoint(), Some(checkpoint));
}

#[test]
fn a_lost_or_foreign_hint_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    append(&log, &[b"one", b"two"]);
    log.checkpoint(NOON).unwrap();
    append(&log, &[b"four"]);
    let root = log.root();
    drop(log);
    let hint = dir.path().join("log/tail");
    let kept = std::fs::read(&hint).unwrap();
    for content in [kept.clone(), kept[..5].to_vec(), vec![0; 44], vec![]] {
        std::fs::write(&hint, content).unwrap();
        assert_eq!(open(dir.path()).0.root(), root);
    }
}

#[test]
fn a_log_cut_back_passes_no_checkpoint_kept_here_or_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    append(&log, &[b"one", b"two"]);
    let early = log.checkpoint(NOON).unwrap();
    let last = append(&log, &[b"four"]);
    let late = log.checkpoint(NOON).unwrap();
    drop(log);
    let verifier = key().verifier();
    let since = |note: &str| {
        let options = VerifyOptions { verifier: Some(&verifier), since: Some(note), keyring: None };
        verify(dir.path(), &options, &mut |_, _| {})
    };
    assert_eq!(since(&early.note).unwrap().damaged, []);
    assert_eq!(since(&late.note).unwrap().damaged, []);
    assert!(since("nonsense").is_err());
    let file = segment(dir.path(), 1);
    let zeros = vec![0; 65_536 - last[0].location.offset as usize];
    file.write_all_at(&zeros, last[0].location.offset).unwrap();
    let cut_off = |report: Report| assert!(report.damaged[0].what.contains("cut off"), "{:?}", report.damaged);
    cut_off(since(&early.note).unwrap());
    let refused = Log::open(options(dir.path()), key()).map(drop);
    assert!(matches!(refused, Err(LogError::CutOff { ends: 3, covered: 4 })), "{refused:?}");
    std::fs::remove_file(dir.path().join("log/checkpoint")).unwrap();
    assert_eq!(since(&early.note).unwrap().damaged, []);
    cut_off(since(&late.note).unwrap());
}

#[test]
fn erased_parts_are_gone_and_every_proof_still_holds() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Keyring::open_or_create(dir.path(), &KeySource::File(dir.path().join("key"))).unwrap();
    let (kept_id, kept_key) = keyring.create_key().unwrap();
    let (gone_id, gone_key) = keyring.create_key().unwrap();
    keyring.persist().unwrap();
    let (log, _) = open(dir.path());
    let batch = vec![sealed_record(gone_id, &gone_key, b"erase"), sealed_record(kept_id, &kept_key, b"keep")];
    let appended = log.append(batch).unwrap();
    log.checkpoint(NOON).unwrap();
    let root = log.root();
    let verifier = key().verifier();
    let options = VerifyOptions { verifier: Some(&verifier), since: None, keyring: Some(&keyring) };
    let proven = || verify(dir.path(), &options, &mut |_, _| {}).unwrap();
    assert_eq!((proven().damaged, proven().erased), (vec![], 0));

    log.punch(appended[0].location).unwrap();
    assert_eq!(proven().damaged.len(), 2, "zeroed though the key lives: both parts are told");
    keyring.destroy(gone_id).unwrap();
    let report = proven();
    assert_eq!((report.damaged, report.erased, report.checkpoints, report.root), (vec![], 1, 1, root));
    assert!(log.read_part(appended[0].location, 1, 0..99).unwrap().iter().all(|byte| *byte == 0));
    assert_eq!(log.read_plain(appended[1].location, 1, &kept_key).unwrap(), b"keep");
    drop(log);
    let (log, opened) = open(dir.path());
    assert_eq!((opened.last_sequence, opened.torn, log.root()), (3, None, root));
}

#[test]
fn records_larger_than_a_segment_get_a_larger_one_and_room_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let large = vec![1; 300_000];
    let appended = append(&log, &[b"small", &large, b"small"]);
    assert_eq!(log.read_plain(appended[1].location, 1, &data_key().1).unwrap(), large);
    assert_eq!(check(dir.path()).damaged, []);
    assert!(log.has_room(1).unwrap() && !log.has_room(u64::MAX / 2).unwrap());
    let nine =
        NewRecord { parts: (0..9).map(|_| Part::Inline { pieces: vec![], digest: [0; 32] }).collect(), ..record(b"x") };
    assert!(matches!(log.append(vec![nine]), Err(LogError::TooLarge(_))));
}
