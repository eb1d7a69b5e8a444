//! How many files a second the walk of the exposure audit looks at: `walk_bench FOLDER` prints
//! one line of JSON. `walk_bench --report FOLDER…` prints the trees instead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use leadglass_exposure::probe::files::walk;
use leadglass_exposure::testing;

fn main() {
    let mut folders: Vec<_> = std::env::args().skip(1).collect();
    let is_report = folders.first().is_some_and(|first| first == "--report");
    if is_report {
        folders.remove(0);
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
