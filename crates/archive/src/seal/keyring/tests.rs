//! Keys survive what may happen to their file, and no others do.

use super::*;

fn source(dir: &Path) -> KeySource {
    KeySource::File(dir.join("master.key"))
}

fn open(dir: &Path) -> Result<Keyring, KeyError> {
    Keyring::open_or_create(&dir.join("data"), &source(dir))
}

fn file(dir: &Path) -> PathBuf {
    dir.join("data/keyring/keyring")
}

#[test]
fn keys_and_secrets_come_back_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let (id, key) = ring.create_key().unwrap();
    let (unsaved, trail, index) = (ring.create_key().unwrap().0, ring.trail_key().0, ring.index_key());
    ring.persist().unwrap();
    let (lost, _) = ring.create_key().unwrap();
    ring.put_secret("ca", b"one").unwrap();
    ring.put_secret("ca", b"two").unwrap();
    let (never, _) = ring.create_key().unwrap();
    drop(ring);
    let ring = open(dir.path()).unwrap();
    assert_eq!(ring.key(id).unwrap().secret(), key.secret());
    assert!(ring.has_key(unsaved) && ring.has_key(lost) && !ring.has_key(never));
    assert_eq!(ring.secret("ca").unwrap().unwrap().as_slice(), b"two");
    assert!(ring.secret("leadglass/trail").unwrap().is_none());
    assert_eq!((ring.trail_key().0, *ring.index_key().secret()), (trail, *index.secret()));
}

#[test]
fn a_destroyed_key_is_gone_from_disk_and_the_others_stay() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let (gone, _) = ring.create_key().unwrap();
    let (kept, key) = ring.create_key().unwrap();
    ring.persist().unwrap();
    ring.destroy(gone).unwrap();
    assert!(matches!(ring.key(gone), Err(KeyError::NoSuchKey(_))));
    let bytes = std::fs::read(file(dir.path())).unwrap();
    assert!(!bytes.windows(16).any(|window| window == gone.to_bytes()));
    let (after, _) = ring.create_key().unwrap();
    ring.persist().unwrap();
    let ring = open(dir.path()).unwrap();
    assert!(!ring.has_key(gone) && ring.has_key(after));
    assert_eq!(ring.key(kept).unwrap().secret(), key.secret());
}

#[test]
fn a_cut_at_any_byte_of_the_last_frame_keeps_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let (first, _) = ring.create_key().unwrap();
    ring.persist().unwrap();
    let whole = std::fs::metadata(file(dir.path())).unwrap().len() as usize;
    let (second, _) = ring.create_key().unwrap();
    ring.persist().unwrap();
    drop(ring);
    let bytes = std::fs::read(file(dir.path())).unwrap();
    for cut in whole..bytes.len() {
        std::fs::write(file(dir.path()), &bytes[..cut]).unwrap();
        let ring = open(dir.path()).unwrap();
        assert!(ring.has_key(first) && !ring.has_key(second));
        let (third, _) = ring.create_key().unwrap();
        ring.persist().unwrap();
        assert!(open(dir.path()).unwrap().has_key(third));
    }
}

#[test]
fn a_flipped_bit_before_the_last_frame_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    for _ in 0..3 {
        ring.create_key().unwrap();
        ring.persist().unwrap();
    }
    drop(ring);
    let bytes = std::fs::read(file(dir.path())).unwrap();
    let last = bytes.windows(4).rposition(|window| window == b"LGKF").unwrap();
    for at in 0..last {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        std::fs::write(file(dir.path()), &flipped).unwrap();
        assert!(open(dir.path()).is_err(), "byte {at}");
    }
}

#[test]
fn another_master_key_is_told_and_a_missing_one_too() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap();
    std::fs::remove_file(dir.path().join("master.key")).unwrap();
    assert!(matches!(open(dir.path()), Err(KeyError::Missing(_))));
    MasterKey::create_file(&dir.path().join("master.key")).unwrap();
    assert!(matches!(open(dir.path()), Err(KeyError::Wrong)));
}

#[test]
fn a_lost_keyring_is_not_replaced_where_there_are_records() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("data/log")).unwrap();
    std::fs::write(dir.path().join("data/log/00000001.seg"), b"x").unwrap();
    assert!(matches!(open(dir.path()), Err(KeyError::NoKeyring(_))));
}

#[test]
fn a_subject_has_one_key_until_it_is_destroyed_and_then_another() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let (ada, bob) = (ring.subject_tag(b"patient ada"), ring.subject_tag(b"patient bob"));
    let (id, key) = ring.subject_key(ada).unwrap();
    let (other, _) = ring.subject_key(bob).unwrap();
    ring.persist().unwrap();
    ring.rotate_master(&KeySource::File(dir.path().join("new.key"))).unwrap();
    drop(ring);
    let open = || Keyring::open_or_create(&dir.path().join("data"), &KeySource::File(dir.path().join("new.key")));
    let ring = open().unwrap();
    assert_eq!(ring.subject_tag(b"patient ada"), ada);
    let (again, same) = ring.subject_key(ada).unwrap();
    assert_eq!((again, same.secret()), (id, key.secret()));
    assert_eq!(ring.destroy_subject(ada, 7).unwrap(), Some(id));
    assert!(ring.was_destroyed(ada, 7) && !ring.was_destroyed(ada, 8));
    drop(ring);
    let ring = open().unwrap();
    assert!(!ring.has_key(id) && ring.has_key(other));
    assert_eq!(ring.destroy_subject(ada, 9).unwrap(), None);
    assert_ne!(ring.subject_key(ada).unwrap().0, id);
}

#[test]
fn rotation_leaves_every_key_and_locks_the_old_master_out() {
    let dir = tempfile::tempdir().unwrap();
    let ring = open(dir.path()).unwrap();
    let (id, key) = ring.create_key().unwrap();
    ring.put_secret("ca", b"one").unwrap();
    let new = KeySource::File(dir.path().join("new.key"));
    ring.rotate_master(&new).unwrap();
    let kit = ring.recovery_kit().text().to_owned();
    drop(ring);
    assert!(matches!(open(dir.path()), Err(KeyError::Wrong)));
    let ring = Keyring::open_or_create(&dir.path().join("data"), &new).unwrap();
    assert_eq!(ring.key(id).unwrap().secret(), key.secret());
    let ring = Keyring::open_with(&dir.path().join("data"), RecoveryKit::parse(&kit).unwrap()).unwrap();
    assert_eq!(ring.secret("ca").unwrap().unwrap().as_slice(), b"one");
}
