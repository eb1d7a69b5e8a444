//! What keeps a check of files from passing, and a walk from going on.

use super::*;

#[test]
fn no_deeper_than_was_asked_for() {
    let ground = Ground::new();
    ground.file("a.dcm", &instance(&[]), 0o644);
    let run = testing::run(ground.scope());
    let at = |depth| {
        let options = Options { depth: Some(depth), ..Options::default() };
        walk_with(&run, &run.scope.assets[0], 0, &AtomicU64::new(0), options)
    };
    let tree = at(Depth::Import);
    assert_eq!(tree.files, 0);
    assert!(tree.outcomes.iter().all(|outcome| outcome.state == State::SkippedByPolicy));
    assert_eq!(outcome(&at(Depth::Handshake), "F-05").state, State::SkippedByPolicy);
    assert_eq!(outcome(&at(Depth::Canary), "F-05").state, State::Finding);
}

#[test]
fn secrets_are_found_where_no_images_lie() {
    let ground = Ground::new();
    ground.file("orthanc.json", b"{}", 0o644);
    ground.file("shell.php", b"", 0o644);
    let tree = ground.walk();
    assert_eq!(outcome(&tree, "F-11").state, State::Finding);
    assert_eq!(outcome(&tree, "F-12").state, State::Finding);
    assert_eq!(outcome(&tree, "F-01").state, State::NotApplicable);
}

#[test]
fn a_folder_above_the_root_that_nobody_passes() {
    let ground = Ground::new();
    ground.folder("shut", 0o700);
    ground.folder("shut/root", 0o777);
    ground.file("shut/root/a.dcm", &instance(&[]), 0o666);
    let etc = Ground::new();
    etc.file("proc/self/mountinfo", b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", 0o644);
    let mut scope = ground.scope();
    scope.assets[0].paths = vec![ground.path().join("shut/root")];
    let run = testing::run(scope);
    let look = || {
        let options = Options { host: Host::at(etc.path()), ..Options::default() };
        walk_with(&run, &run.scope.assets[0], 0, &AtomicU64::new(0), options)
    };
    let tree = look();
    assert_eq!((outcome(&tree, "F-01").state, outcome(&tree, "F-02").state), (State::Pass, State::Pass));
    let root = fs::canonicalize(ground.path().join("shut/root")).unwrap();
    etc.file("etc/exports", format!("{} *(rw)\n", root.display()).as_bytes(), 0o644);
    assert_eq!(outcome(&look(), "F-01").state, State::Finding, "an export leads past it");
    fs::remove_file(etc.path().join("etc/exports")).unwrap();
    ground.folder("shut", 0o711);
    assert_eq!(outcome(&look(), "F-02").evidence.count("writable-folders"), 1);
}

#[test]
fn images_under_the_names_of_other_things() {
    let ground = Ground::new();
    for name in ["a.jpg", "a.xml", "a.txt", "a.h5", "a.exe"] {
        ground.file(name, &instance(&[]), 0o644);
    }
    ground.file("real.jpg", b"\xff\xd8\xff\xe0", 0o644);
    ground.file("server.key", &instance(&[]), 0o600);
    let tree = ground.walk();
    assert_eq!((tree.files, tree.dicom_files), (7, 5));
    assert_eq!(outcome(&tree, "F-01").evidence.count("readable"), 5);
    assert_eq!(outcome(&tree, "F-04").evidence.count("skipped-by-name"), 1);
}

fn deflated(elements: &[u8], is_wrapped: bool) -> Vec<u8> {
    let mut stream = flate2::Compress::new(flate2::Compression::default(), is_wrapped);
    let mut bytes = Vec::with_capacity(elements.len() + 1024);
    stream.compress_vec(elements, &mut bytes, flate2::FlushCompress::Finish).unwrap();
    let mut file = part10(b"", &[]);
    file.truncate(132);
    file.extend(explicit(2, 0x10, "UI", b"1.2.840.10008.1.2.1.99"));
    file.extend(bytes);
    file
}

#[test]
fn a_header_that_was_not_read_whole_is_no_pass() {
    let clean = [explicit(8, 0x16, "UI", b"1.2.840.10008.5.1.4.1.1.2"), explicit(0x28, 2, "US", b"\x01\0")].concat();
    let named = [clean.clone(), explicit(0x10, 0x10, "PN", PLANTED[0].as_bytes())].concat();
    let state = |bytes: &[u8]| {
        let ground = Ground::new();
        ground.file("a.dcm", bytes, 0o600);
        let tree = ground.walk();
        assert_eq!(tree.dicom_files, 1);
        assert_eq!(outcome(&tree, "F-01").state, State::Pass, "its mode is known all the same");
        outcome(&tree, "F-05").state
    };
    for is_wrapped in [false, true] {
        assert_eq!(state(&deflated(&named, is_wrapped)), State::Finding, "wrapped: {is_wrapped}");
        assert_eq!(state(&deflated(&clean, is_wrapped)), State::Pass, "wrapped: {is_wrapped}");
    }
    let mut garbage = deflated(b"", false);
    garbage.truncate(132 + 30);
    garbage.extend([0xFF; 64]);
    assert_eq!(state(&garbage), State::Error);
    let mut cut = part10(b"", &[clean]);
    cut.extend(&explicit(0x10, 0x10, "PN", b"")[..6]);
    assert_eq!(state(&cut), State::Error);
}

/// A clock that a second passes on whenever somebody looks.
#[derive(Debug, Default)]
struct Hasty(AtomicU64);

impl leadglass_dicom::clock::Clock for Hasty {
    fn now(&self) -> SystemTime {
        let seconds = testing::NOW.unsigned_abs() + self.0.fetch_add(1, Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

#[test]
fn a_walk_ends_with_the_hours_agreed() {
    let ground = Ground::new();
    for at in 0..300 {
        ground.file(&format!("{at}.dcm"), &instance(&[]), 0o600);
    }
    let mut scope = ground.scope();
    scope.validity.until = testing::NOW + 20;
    let run = Run { clock: std::sync::Arc::new(Hasty::default()), ..testing::run(scope) };
    let tree = walk_under(&run);
    assert!(tree.files < 300, "{} files were looked at", tree.files);
    assert_eq!(outcome(&tree, "F-04").evidence.fact("stopped"), Some(&Fact::Flag(true)));
    assert_eq!(outcome(&tree, "F-01").state, State::Error);
}
