//! How many files a second the walk of the exposure audit looks at: `walk_bench FOLDER` prints
//! one line of JSON. `walk_bench --report FOLDER…` prints the trees instead.
//!
//! `walk_bench --floor FOLDER` is what the machine can do at all: each file found, opened, its
//! metadata and its beginning read, and nothing made of it, by as many threads.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use leadglass_exposure::probe::files::walk;
use leadglass_exposure::testing;

fn main() {
    let mut folders: Vec<_> = std::env::args().skip(1).collect();
    let is_report = folders.first().is_some_and(|first| first == "--report");
    let is_floor = folders.first().is_some_and(|first| first == "--floor");
    if is_report || is_floor {
        folders.remove(0);
    }
    if is_floor {
        return match floor(folders.into_iter().map(PathBuf::from).collect()) {
            Ok(row) => println!("{row}"),
            Err(error) => {
                eprintln!("walk_bench: {error}");
                std::process::exit(1);
            }
        };
    }
    let mut scope = testing::scope();
    scope.assets[0].paths = folders.iter().map(Into::into).collect();
    let run = testing::run(scope);
    let progress = AtomicU64::new(0);
    let started = Instant::now();
    let trees: Vec<_> =
        (0..).zip(&folders).map(|(root, _)| walk(&run, &run.scope.assets[0], root, &progress)).collect();
    let seconds = started.elapsed().as_secs_f64();
    if is_report {
        println!("{}", serde_json::json!({ "trees": trees }));
        return;
    }
    let files = progress.load(Ordering::Relaxed);
    let dicom: u64 = trees.iter().map(|tree| tree.dicom_files).sum();
    println!(
        "{}",
        serde_json::json!({
            "files": files,
            "dicom_files": dicom,
            "seconds": seconds,
            "files_per_second": (files as f64 / seconds).round(),
        })
    );
}

/// Bytes that are read of a file, and threads: as the walk has them on two processors.
const BEGINNING: usize = 16 * 1024;
const THREADS: usize = 4;

/// Finds all folders first, alone; then the threads take one after the other.
fn floor(mut folders: Vec<PathBuf>) -> io::Result<serde_json::Value> {
    let started = Instant::now();
    let mut at = 0;
    while let Some(folder) = folders.get(at) {
        let mut below = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                below.push(entry.path());
            }
        }
        folders.append(&mut below);
        at += 1;
    }
    let next = AtomicUsize::new(0);
    let files = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| read_beginnings(&folders, &next))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread failed"))))
            .sum::<io::Result<u64>>()
    })?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(serde_json::json!({ "files": files, "seconds": seconds, "files_per_second": (files as f64 / seconds).round() }))
}

fn read_beginnings(folders: &[PathBuf], next: &AtomicUsize) -> io::Result<u64> {
    let (mut files, mut buffer) = (0, vec![0; BEGINNING]);
    while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let file = File::open(entry.path())?;
                file.metadata()?;
                file.read_at(&mut buffer, 0)?;
                files += 1;
            }
        }
    }
    Ok(files)
}
