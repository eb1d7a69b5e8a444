//! The look at a file tree: which DICOM files lie there, who may read them, what identifies
//! patients in them, what lies beside them.
//!
//! Everything is reached from the root's descriptor downwards; no link is followed, no other file
//! system entered, nothing but regular files opened. Of a file at most its header is read, and
//! of a header only which attributes have a value. Deliberately absent: Pixel Data, writing,
//! recursion by what a tree or a header contains, and paths in clear (a [`Paths`] of the
//! owner's own gets them, off by default).

mod access;
mod element;
mod exports;
mod file;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod inflate;
mod magic;
mod naming;
mod orthanc;
mod outcomes;
mod preamble;
mod profile;
mod queue;
mod reader;
mod record;
mod source;
mod tally;
mod worker;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::thread;

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags};

use crate::catalogue::{Depth, files::CHECKS};
use crate::evidence::Hash;
use crate::finding::{Notes, State};
use crate::report::Tree;
use crate::run::Run;
use crate::scope::Asset;
use folder::{Folder, is_writable, others_reach};
pub use host::Host;
use outcomes::note;
pub use profile::keywords;
use queue::{Queue, Work};
use tally::Tally;
use worker::{Walk, Worker};

/// Where the owner wants to have the folders behind the hashes written: on their own machine,
/// beside the report and never in it.
pub type Paths<'a> = dyn Fn(Hash, &Path) + Sync + 'a;

/// How a tree is walked.
#[derive(Default)]
pub struct Options<'a> {
    /// The host that the tree is mounted on.
    pub host: Host,
    /// No deeper than this; never deeper than scope and asset.
    pub depth: Option<Depth>,
    /// Threads; none for twice the processors, at most 8.
    pub threads: Option<usize>,
    /// Where paths in clear go; nowhere by default.
    pub paths: Option<&'a Paths<'a>>,
}

/// Walks one of an asset's folders (`asset.paths[root]`) and says what it came to. Blocks; works
/// with threads of its own. `progress` counts the files as they are met.
///
/// Cancelling `run.stop` ends it soon: F-04 is then in state `error` with `stopped`, findings
/// stand, and nothing is called closed. The same happens when the hours that the scope allows end.
pub fn walk(run: &Run, asset: &Asset, root: u32, progress: &AtomicU64) -> Tree {
    walk_with(run, asset, root, progress, Options::default())
}

/// [`walk`], with options.
pub fn walk_with(run: &Run, asset: &Asset, root: u32, progress: &AtomicU64, options: Options<'_>) -> Tree {
    let mut notes = Notes::default();
    let path = usize::try_from(root).ok().and_then(|root| asset.paths.get(root));
    let depth = run.scope.depth_of(asset).min(options.depth.unwrap_or(Depth::Credentials));
    let tally = match path {
        Some(path) if depth >= Depth::Handshake && run.scope.holds_at(run.now()).is_ok() => {
            look(run, path, depth, progress, options, &mut notes)
        }
        _ => all(&mut notes, State::SkippedByPolicy),
    };
    Tree {
        label: asset.label.clone(),
        root,
        labels: asset.labels.clone(),
        dicom_files: tally.dicom,
        files: tally.files,
        unreadable: tally.unreadable,
        outcomes: notes.into_outcomes(),
    }
}

fn look(run: &Run, path: &Path, depth: Depth, progress: &AtomicU64, options: Options<'_>, notes: &mut Notes) -> Tally {
    // The root is the owner's word, and may be a link; what is in it may not.
    let opened = fs::canonicalize(path).ok().and_then(|path| Folder::root(&path).ok().map(|root| (path, root)));
    let Some((path, (mut root, stat))) = opened else {
        let mut tally = all(notes, State::Error);
        tally.unreadable = 1;
        return tally;
    };
    let excluded: HashSet<PathBuf> = run.scope.excluded_paths.iter().map(|path| resolved(path)).collect();
    if path.ancestors().any(|above| excluded.contains(above)) {
        return all(notes, State::SkippedByPolicy);
    }
    let encrypts = rustix::fs::statx(&root.fd, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
        .is_ok_and(|statx| statx.stx_attributes.contains(StatxAttributes::ENCRYPTED));
    let exports = options.host.exports(&path);
    // Who comes through an export does not pass the folders above it.
    let reached = !exports.kinds.is_empty() || others_reach(&path);
    root.passable &= reached;
    let at_rest = options.host.at_rest(&path, encrypts);
    let reads_headers = depth >= Depth::Canary;
    let walk = Walk {
        run,
        device: stat.st_dev,
        excluded,
        reads_headers,
        windows_acls: options.host.shows_windows_acls(&path),
        progress,
        paths: options.paths,
        asked: AtomicI64::new(run.now()),
        over: AtomicBool::new(false),
        queue: Queue::with(Work::Within(Arc::new(root))),
    };
    let mut tally = work(&walk, options.threads.unwrap_or_else(usual_threads));
    tally.writable_folders += u64::from(reached && is_writable(&stat));
    note(&tally, &exports, at_rest, reads_headers, notes);
    tally
}

fn work(walk: &Walk<'_>, threads: usize) -> Tally {
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, || Worker::new(walk).work()).ok())
            .collect();
        let mut tally = Worker::new(walk).work();
        for other in others {
            match other.join() {
                Ok(part) => tally.add(&part),
                // Its part is missing: what was counted is no more than half of the truth.
                Err(_) => tally.stopped = true,
            }
        }
        tally
    })
}

/// Every check in one state.
fn all(notes: &mut Notes, state: State) -> Tally {
    for check in CHECKS {
        notes.note(check, state);
    }
    Tally::default()
}

/// Disks answer better when several ask.
fn usual_threads() -> usize {
    thread::available_parallelism().map_or(2, |processors| (processors.get() * 2).clamp(2, 8))
}

fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
