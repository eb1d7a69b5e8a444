//! Trees on disk: what is in them, who may read it, what a hostile one can do. Nothing.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]

mod configurations;
mod doubts;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use leadglass_dicom::deidentify::table::{self, Pattern};
use leadglass_exposure::catalogue::Depth;
use leadglass_exposure::evidence::Fact;
use leadglass_exposure::finding::{Outcome, Severity, State};
use leadglass_exposure::probe::files::{Host, Options, walk, walk_with};
use leadglass_exposure::report::Tree;
use leadglass_exposure::run::Run;
use leadglass_exposure::scope::Scope;
use leadglass_exposure::testing::{self, PLANTED, assert_no_names};

/// A folder in which everyone may pass, whatever the umask.
struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Ground {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Ground { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn folder(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn file(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.path().join(name);
        if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
            fs::create_dir_all(parent).unwrap();
        }
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn scope(&self) -> Scope {
        let mut scope = testing::scope();
        scope.assets[0].paths = vec![self.path().to_path_buf()];
        scope
    }

    fn walk(&self) -> Tree {
        walk_under(&testing::run(self.scope()))
    }
}

fn walk_under(run: &Run) -> Tree {
    let tree = walk(run, &run.scope.assets[0], 0, &AtomicU64::new(0));
    assert_no_names(&tree);
    tree
}

fn outcome<'a>(tree: &'a Tree, id: &str) -> &'a Outcome {
    let mut found = tree.outcomes.iter().filter(|outcome| outcome.check.id == id);
    let outcome = found.next().unwrap_or_else(|| panic!("{id} has no outcome"));
    assert!(found.next().is_none(), "{id} has two outcomes");
    outcome
}

fn tally(outcome: &Outcome, fact: &str, name: &str) -> u64 {
    match outcome.evidence.fact(fact) {
        Some(Fact::Tally(tally)) => {
            tally.iter().find(|(known, _)| known.as_str() == name).map_or(0, |(_, count)| *count)
        }
        other => panic!("{fact} is {other:?}"),
    }
}

fn explicit(group: u16, element: u16, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = [group.to_le_bytes(), element.to_le_bytes()].concat();
    bytes.extend(vr.as_bytes());
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(if vr == "UI" { 0 } else { b' ' });
    }
    if matches!(vr, "SQ" | "OB" | "OW" | "UN" | "UT") {
        bytes.extend([0, 0]);
        bytes.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    } else {
        bytes.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

fn part10(preamble: &[u8], elements: &[Vec<u8>]) -> Vec<u8> {
    let mut file = preamble.to_vec();
    file.resize(128, 0);
    file.extend(b"DICM");
    file.extend(explicit(2, 0x10, "UI", b"1.2.840.10008.1.2.1"));
    elements.iter().for_each(|element| file.extend(element));
    file
}

fn instance(more: &[Vec<u8>]) -> Vec<u8> {
    let mut elements = vec![
        explicit(8, 0x16, "UI", b"1.2.840.10008.5.1.4.1.1.2"),
        explicit(8, 0x18, "UI", b"2.25.1"),
        explicit(0x10, 0x10, "PN", PLANTED[0].as_bytes()),
        explicit(0x10, 0x20, "LO", PLANTED[1].as_bytes()),
        explicit(0x10, 0x30, "DA", PLANTED[2].as_bytes()),
    ];
    elements.extend_from_slice(more);
    elements.push(explicit(0x7FE0, 0x10, "OW", &[0; 64]));
    part10(b"", &elements)
}

#[test]
fn files_that_everyone_may_read() {
    let ground = Ground::new();
    ground.folder("open", 0o755);
    ground.folder("shut", 0o750);
    ground.file("open/a.dcm", &instance(&[]), 0o644);
    ground.file("open/b.dcm", &instance(&[]), 0o640);
    ground.file("shut/c.dcm", &instance(&[]), 0o666);
    let tree = ground.walk();
    assert_eq!((tree.files, tree.dicom_files, tree.unreadable), (3, 3, 0));
    let readable = outcome(&tree, "F-01");
    assert_eq!((readable.state, readable.severity), (State::Finding, Severity::Critical));
    assert_eq!(readable.evidence.count("readable"), 1, "others do not pass the second folder");
    assert_eq!(readable.evidence.count("folders"), 1);
    let Some(Fact::Modes(modes)) = readable.evidence.fact("modes") else { panic!() };
    assert_eq!(
        modes.iter().map(|(mode, count)| (*mode, *count)).collect::<Vec<_>>(),
        [(0o640, 1), (0o644, 1), (0o666, 1)]
    );
    assert_eq!(outcome(&tree, "F-02").state, State::Pass, "the writable one cannot be reached");
    ground.folder("open", 0o777);
    assert_eq!(outcome(&ground.walk(), "F-02").evidence.count("writable-folders"), 1);
    ground.folder("open", 0o1777);
    assert_eq!(outcome(&ground.walk(), "F-02").state, State::Pass, "the sticky bit");
    fs::set_permissions(ground.path(), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(outcome(&ground.walk(), "F-01").state, State::Pass);
}

#[test]
fn the_paths_behind_hashes_go_to_the_owner_alone() {
    let ground = Ground::new();
    ground.folder(PLANTED[0], 0o755);
    ground.file(&format!("{}/a.dcm", PLANTED[0]), &instance(&[]), 0o644);
    let told = parking_lot::Mutex::new(Vec::new());
    let sink = |hash, path: &Path| told.lock().push((hash, path.to_path_buf()));
    let run = testing::run(ground.scope());
    let options = Options { paths: Some(&sink), ..Options::default() };
    let tree = walk_with(&run, &run.scope.assets[0], 0, &AtomicU64::new(0), options);
    assert_no_names(&tree);
    let told = told.into_inner();
    assert_eq!(told.len(), 1);
    assert!(told[0].1.ends_with(PLANTED[0]));
    assert_eq!(outcome(&tree, "F-01").evidence.fact("example-folder"), Some(&Fact::Hash(told[0].0)));
}

#[test]
fn an_export_that_holds_open_files() {
    let (ground, etc) = (Ground::new(), Ground::new());
    ground.file("a.dcm", &instance(&[]), 0o644);
    let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n";
    etc.file("proc/self/mountinfo", mounts.as_bytes(), 0o644);
    etc.file("sys/dev/block/8:1/size", b"1", 0o644);
    let run = testing::run(ground.scope());
    let look = || {
        let options = Options { host: Host::at(etc.path()), ..Options::default() };
        walk_with(&run, &run.scope.assets[0], 0, &AtomicU64::new(0), options)
    };
    assert_eq!(outcome(&look(), "F-03").state, State::Pass);
    assert_eq!(outcome(&look(), "F-08").state, State::Finding);
    let root = fs::canonicalize(ground.path()).unwrap();
    etc.file("etc/exports", format!("{} *(ro)\n", root.display()).as_bytes(), 0o644);
    etc.file("sys/dev/block/8:1/dm/uuid", b"CRYPT-LUKS2-x", 0o644);
    let tree = look();
    let exported = outcome(&tree, "F-03");
    assert_eq!((exported.state, exported.severity), (State::Finding, Severity::Critical));
    let Some(Fact::Names(kinds)) = exported.evidence.fact("exports") else { panic!() };
    assert_eq!(kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(), ["nfs"]);
    assert_eq!(outcome(&tree, "F-08").state, State::Pass);
    fs::set_permissions(ground.path().join("a.dcm"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(outcome(&look(), "F-03").state, State::Pass, "exported, and closed");
}

#[test]
fn what_identifies_and_what_claims_not_to() {
    let ground = Ground::new();
    ground.file("1", &instance(&[]), 0o600);
    ground.file("2", &instance(&[explicit(0x10, 0x4000, "LT", PLANTED[3].as_bytes())]), 0o600);
    let removed = explicit(0x12, 0x62, "CS", b"YES");
    let clean = [explicit(8, 0x18, "UI", b"2.25.1"), explicit(0x10, 0x10, "PN", b"ANON"), removed.clone()];
    ground.file("3", &part10(b"", &clean), 0o600);
    let tree = ground.walk();
    let identifying = outcome(&tree, "F-05");
    assert_eq!((identifying.state, identifying.severity), (State::Finding, Severity::High));
    assert_eq!(identifying.evidence.count("identifying"), 2);
    assert_eq!(identifying.evidence.count("records"), 3);
    assert_eq!(identifying.evidence.count("median-elements"), 5);
    assert_eq!(tally(identifying, "attributes", "PatientName"), 2);
    assert_eq!(tally(identifying, "attributes", "PatientComments"), 1);
    assert_eq!(outcome(&tree, "F-06").state, State::Pass);
    let lying = [
        vec![explicit(9, 0x10, "LO", b"MAKER"), explicit(9, 0x1001, "LO", PLANTED[0].as_bytes())],
        vec![explicit(0x20, 0xD, "UI", b"1.2.840.113619.2.55.1")],
        vec![explicit(0x10, 0x4000, "LT", PLANTED[0].as_bytes())],
    ];
    for (name, more) in lying.iter().enumerate() {
        let elements = [more.clone(), vec![removed.clone()]].concat();
        let mut elements = [clean.to_vec(), elements].concat();
        elements.dedup();
        ground.file(&format!("lying/{name}.dcm"), &part10(b"", &elements), 0o600);
    }
    let tree = ground.walk();
    let lies = outcome(&tree, "F-06");
    assert_eq!((lies.state, lies.severity), (State::Finding, Severity::High));
    assert_eq!(lies.evidence.count("contradictions"), 3);
    assert_eq!(lies.evidence.count("claimed"), 4);
    assert_eq!(lies.evidence.count("manufacturer-uids"), 1);
    assert_eq!(tally(lies, "attributes", "PrivateAttributes"), 1);
    assert_eq!(tally(lies, "attributes", "PatientComments"), 1);
}

#[test]
fn text_in_the_pixels_and_programs_in_the_preamble() {
    let ground = Ground::new();
    let ultrasound = explicit(8, 0x16, "UI", b"1.2.840.10008.5.1.4.1.1.6.1");
    let no = explicit(0x28, 0x301, "CS", b"NO");
    ground.file("1.dcm", &part10(b"", std::slice::from_ref(&ultrasound)), 0o600);
    ground.file("2.dcm", &part10(b"", &[ultrasound, no]), 0o600);
    ground.file("3.dcm", &instance(&[explicit(0x28, 0x301, "CS", b"YES")]), 0o600);
    ground.file("4.dcm", &instance(&[]), 0o600);
    ground.file("5.dcm", &part10(PLANTED[0].as_bytes(), &[]), 0o600);
    let tree = ground.walk();
    let burned = outcome(&tree, "F-07");
    assert_eq!(burned.state, State::Finding);
    assert_eq!((burned.evidence.count("at-risk"), burned.evidence.count("said-so")), (2, 1));
    assert_eq!(tally(burned, "classes", "ultrasound"), 1);
    let preambles = outcome(&tree, "F-09");
    assert_eq!((preambles.state, preambles.severity), (State::Finding, Severity::Low));
    ground.file("6.dcm", &part10(b"\x7fELF", &[]), 0o600);
    let tree = ground.walk();
    let preambles = outcome(&tree, "F-09");
    assert_eq!((preambles.state, preambles.severity), (State::Finding, Severity::Critical));
    assert_eq!(tally(preambles, "preambles", "elf-executable"), 1);
    assert_eq!(tally(preambles, "preambles", "zero"), 4);
}

#[test]
fn strays_secrets_and_programs() {
    let ground = Ground::new();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_560_000_000);
    for name in ["backup/2019/a.dcm", "backup/b.dcm", "Research-AI/c.dcm", "ct/d.dcm"] {
        let path = ground.file(name, &instance(&[]), 0o600);
        OpenOptions::new().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    let fresh = SystemTime::UNIX_EPOCH + Duration::from_secs(testing::NOW.unsigned_abs() - 86_400);
    let path = ground.file("backup/fresh.dcm", &instance(&[]), 0o600);
    OpenOptions::new().write(true).open(path).unwrap().set_modified(fresh).unwrap();
    ground.file("orthanc.json", b"{}", 0o644);
    ground.file("server.key", b"", 0o600);
    ground.file("ct/shell.php", b"", 0o644);
    let tree = ground.walk();
    let stray = outcome(&tree, "F-10");
    assert_eq!(stray.state, State::Finding);
    assert_eq!(stray.evidence.count("stray"), 3);
    assert_eq!(tally(stray, "classes", "backup"), 2);
    assert_eq!(stray.evidence.fact("oldest-year"), Some(&Fact::Code(2019)));
    let secrets = outcome(&tree, "F-11");
    assert_eq!((secrets.state, secrets.severity), (State::Finding, Severity::High));
    assert_eq!(tally(secrets, "readable", "orthanc-configuration"), 1);
    assert_eq!(secrets.evidence.count("closed"), 1);
    assert_eq!(tally(outcome(&tree, "F-12"), "programs", "php"), 1);
}

#[test]
fn real_files_and_containers() {
    let ground = Ground::new();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/samples");
    let mut copied = 0;
    let mut folders = vec![samples];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if fs::read(entry.path()).unwrap().get(128..132) == Some(b"DICM") {
                copied += 1;
                ground.file(&format!("{copied}"), &fs::read(entry.path()).unwrap(), 0o644);
            }
        }
    }
    ground.file("study.zip", b"PK\x03\x04", 0o644);
    ground.file("study.dcm.gz", b"\x1f\x8b\x08", 0o644);
    ground.file("eye.e2e", b"CMDb", 0o644);
    ground.file("notes", b"PLANTED^JANE", 0o644);
    let tree = ground.walk();
    assert!(copied > 10);
    assert_eq!((tree.dicom_files, tree.files), (copied, copied + 4));
    let inventory = outcome(&tree, "F-04");
    for kind in ["zip", "gzip", "heidelberg-e2e", "other"] {
        assert_eq!(tally(inventory, "kinds", kind), 1, "{kind}");
    }
    assert_eq!(tally(inventory, "headers", "malformed") + tally(inventory, "headers", "truncated"), 0);
    let text = serde_json::to_string(&tree).unwrap();
    assert_eq!(serde_json::from_str::<Tree>(&text).unwrap(), tree, "a report is read back");
}

#[test]
fn hostile_trees_end() {
    let ground = Ground::new();
    ground.file("a/good.dcm", &instance(&[]), 0o644);
    symlink(ground.path(), ground.path().join("a/loop")).unwrap();
    symlink("good.dcm", ground.path().join("a/link.dcm")).unwrap();
    symlink("/etc", ground.path().join("a/etc")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        ground.path().join("a/fifo.dcm"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(ground.path().join("a/socket.dcm")).unwrap();
    File::create(ground.path().join("sparse.dcm")).unwrap().set_len(10 << 30).unwrap();
    let mut huge = instance(&[]);
    huge.truncate(300);
    huge.extend([0x10, 0, 0, 0x40, b'U', b'T', 0, 0, 0xFE, 0xFF, 0xFF, 0xFF]);
    ground.file("lying.dcm", &huge, 0o644);
    let sparse = ground.file("long.dcm", &part10(b"", &[explicit(8, 0x18, "UI", b"2.25.1")]), 0o644);
    let mut long = OpenOptions::new().append(true).open(&sparse).unwrap();
    long.write_all(&[0x10, 0, 0, 0x40, b'U', b'T', 0, 0, 0, 0, 0, 0xF0]).unwrap();
    long.set_len(10 << 30).unwrap();
    let tree = ground.walk();
    assert_eq!(tree.dicom_files, 3, "good, lying and long");
    let inventory = outcome(&tree, "F-04");
    assert_eq!(tally(inventory, "not-looked-at", "symbolic-links"), 3);
    assert_eq!(tally(inventory, "not-looked-at", "special-files"), 2);
}

#[test]
fn a_tree_deeper_than_is_walked() {
    let ground = Ground::new();
    ground.file("top.dcm", &instance(&[]), 0o644);
    let mut at = rustix::fs::open(ground.path(), rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..5_000 {
        rustix::fs::mkdirat(&at, "d", rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
        at = rustix::fs::openat(&at, "d", rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    }
    let tree = ground.walk();
    assert_eq!(tree.dicom_files, 1);
    assert_eq!(tally(outcome(&tree, "F-04"), "not-looked-at", "too-deep"), 1);
    remove_deep(ground.path());
}

/// Removes a chain of folders longer than a path can be.
fn remove_deep(root: &Path) {
    use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, openat, renameat_with, unlinkat};
    let root = rustix::fs::open(root, OFlags::DIRECTORY, Mode::empty()).unwrap();
    // Lifts what is below out of the first folder, then removes it, until nothing is below.
    while let Ok(first) = openat(&root, "d", OFlags::DIRECTORY, Mode::empty()) {
        let lifted = renameat_with(&first, "d", &root, "e", RenameFlags::empty()).is_ok();
        unlinkat(&root, "d", AtFlags::REMOVEDIR).unwrap();
        if lifted {
            renameat_with(&root, "e", &root, "d", RenameFlags::empty()).unwrap();
        }
    }
}

#[test]
fn files_that_change_while_they_are_read() {
    let ground = Ground::new();
    let paths: Vec<_> = (0..40).map(|at| ground.file(&format!("{at}.dcm"), &instance(&[]), 0o644)).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (at, path) in paths.iter().enumerate() {
                    match at % 3 {
                        0 => fs::write(path, &instance(&[])[..200]).unwrap(),
                        1 => drop(fs::remove_file(path)),
                        _ => File::create(path).unwrap().set_len(1 << 20).unwrap(),
                    }
                }
                paths.iter().for_each(|path| fs::write(path, instance(&[])).unwrap());
            }
        });
        for _ in 0..20 {
            let tree = ground.walk();
            assert!(tree.files <= 40);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(ground.walk().dicom_files, 40);
}

#[test]
fn what_the_scope_does_not_allow_is_left_alone() {
    let ground = Ground::new();
    ground.file("kept/a.dcm", &instance(&[]), 0o644);
    ground.file("left/b.dcm", &instance(&[]), 0o644);
    ground.file("kept/left.dcm", &instance(&[]), 0o644);
    let mut scope = ground.scope();
    scope.excluded_paths = vec![ground.path().join("left"), ground.path().join("kept/left.dcm")];
    let tree = walk_under(&testing::run(scope.clone()));
    assert_eq!((tree.files, tree.dicom_files), (1, 1));
    assert_eq!(tally(outcome(&tree, "F-04"), "not-looked-at", "excluded"), 2);

    let skipped = |scope: Scope| {
        let tree = walk_under(&testing::run(scope));
        tree.files == 0 && tree.outcomes.iter().all(|outcome| outcome.state == State::SkippedByPolicy)
    };
    let mut above = ground.scope();
    above.excluded_paths = vec![ground.path().parent().unwrap().to_path_buf()];
    assert!(skipped(above));
    let mut expired = ground.scope();
    expired.validity.until = testing::NOW;
    assert!(skipped(expired));
    let mut shallow = ground.scope();
    shallow.depth = Depth::Import;
    assert!(skipped(shallow));

    let mut handshake = ground.scope();
    handshake.depth = Depth::Handshake;
    let tree = walk_under(&testing::run(handshake));
    assert_eq!(tree.dicom_files, 3);
    assert_eq!(outcome(&tree, "F-05").state, State::SkippedByPolicy);
    assert_eq!(outcome(&tree, "F-01").state, State::Finding);
}

#[test]
fn a_stopped_walk_calls_nothing_closed() {
    let ground = Ground::new();
    ground.file("a.dcm", &instance(&[]), 0o600);
    let run = testing::run(ground.scope());
    run.stop.cancel();
    let tree = walk_under(&run);
    assert_eq!(outcome(&tree, "F-04").evidence.fact("stopped"), Some(&Fact::Flag(true)));
    assert!(tree.outcomes.iter().all(|outcome| outcome.state != State::Pass));
}

#[test]
fn a_root_that_is_not_there() {
    let ground = Ground::new();
    let mut scope = ground.scope();
    scope.assets[0].paths = vec![ground.path().join("nowhere")];
    let tree = walk_under(&testing::run(scope));
    assert_eq!(tree.unreadable, 1);
    assert!(tree.outcomes.iter().all(|outcome| outcome.state == State::Error));
    assert_eq!(tree.outcomes.len(), 12);
}

#[test]
fn a_tree_without_images_has_nothing_to_judge() {
    let ground = Ground::new();
    ground.file("notes.txt", b"", 0o644);
    let tree = ground.walk();
    for outcome in &tree.outcomes {
        let expected = if outcome.check.id == "F-04" { State::Pass } else { State::NotApplicable };
        assert_eq!(outcome.state, expected, "{}", outcome.check.id);
    }
}

/// Every attribute of a text VR that the profile knows gets a name, in 1,000 files with names for names.
#[test]
fn names_everywhere_come_out_nowhere() {
    let ground = Ground::new();
    let mut scope = ground.scope();
    let tags = table::rows().iter().filter_map(|row| match row.pattern {
        Pattern::One(tag) => Some((tag.0, tag.1)),
        _ => None,
    });
    let tags: Vec<_> = tags.filter(|(group, _)| (3..0x7FE0).contains(group)).collect();
    for at in 0..1_000_usize {
        let name = PLANTED[at % PLANTED.len()];
        let elements: Vec<_> =
            tags.iter().map(|(group, element)| explicit(*group, *element, "LT", name.as_bytes())).collect();
        let preamble = if at % 7 == 0 { name.as_bytes() } else { b"" };
        let extension = ["", ".dcm", ".php", ".zip", ".key"][at % 5];
        ground.file(&format!("{name}/backup {name}/{name}-{at}{extension}"), &part10(preamble, &elements), 0o644);
    }
    scope.owner = "Test Hospital".to_owned();
    let run = testing::run(scope);
    let tree = walk_under(&run);
    assert_eq!(tree.files, 1_000);
    assert_eq!(tree.dicom_files, 800, "all but those that are named like keys");
    assert_eq!(outcome(&tree, "F-04").evidence.count("skipped-by-name"), 200);
    assert_eq!(outcome(&tree, "F-05").evidence.count("identifying"), 800);
    let again = walk_under(&run);
    assert_eq!(tree, again, "the same whoever of the threads came first");
    let one = Options { threads: Some(1), ..Options::default() };
    assert_eq!(tree, walk_with(&run, &run.scope.assets[0], 0, &AtomicU64::new(0), one));
}
