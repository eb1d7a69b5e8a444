//! How fast a series of CTs is de-identified, from sealed records to bytes that would leave.
//!
//! `cargo run --release -p leadglass-archive --example deidentify_bench [INSTANCES] [WORKERS]`
//! prints one JSON line: instances a second with that many workers, over a series of 525 KB CTs, and the
//! processor time of one, which a machine with other work does not change much.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use leadglass_archive::testing::{Sample, TestArchive};
use leadglass_archive::{Archive, Caller, Selection};
use leadglass_dicom::deidentify::{Profile, ProfileOption};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().unwrap());
    let (instances, workers): (u32, usize) = (arguments.next().unwrap_or(600) as u32, arguments.next().unwrap_or(2));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
    runtime.block_on(run(instances, workers));
}

async fn run(instances: u32, workers: usize) {
    let test = TestArchive::new();
    let host = test.host().await;
    for number in 1..=instances {
        test.store(&host, &Sample { side: 512, ..Sample::new(1, 1, number) }).await.unwrap();
    }
    let options = [ProfileOption::RetainModifiedDates, ProfileOption::CleanDescriptors].into_iter().collect();
    let profile = Profile { options, ..Profile::default() };
    test.archive().make_project(&host, "bench", profile).await.unwrap();
    let (next, bytes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let tasks: Vec<_> = (0..workers)
        .map(|_| tokio::spawn(work(test.archive().clone(), host.clone(), next.clone(), bytes.clone())))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let seconds = begin.elapsed().as_secs_f64();
    let rate = f64::from(instances) / seconds;
    let cpu_ms = (cpu_seconds() - cpu) * 1e3 / f64::from(instances);
    let megabytes = bytes.load(Ordering::Relaxed) as f64 / 1e6;
    println!(
        "{{\"deidentified\": {instances}, \"workers\": {workers}, \"seconds\": {seconds:.3}, \
         \"instances_per_second\": {rate:.0}, \"cpu_ms_each\": {cpu_ms:.2}, \"megabytes\": {megabytes:.0}}}"
    );
}

/// Processor time of this process so far, in seconds: fields 14 and 15 of /proc/self/stat, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

async fn work(archive: Archive, caller: Caller, next: Arc<AtomicUsize>, bytes: Arc<AtomicUsize>) {
    let selection = Selection { studies: vec![Sample::new(1, 1, 1).study_uid()], ..Selection::default() };
    let deidentified = archive.retrieve_deidentified(&caller, "bench", selection).await.unwrap();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= deidentified.len() {
            break;
        }
        let outgoing = deidentified.examine(at).await.unwrap().unwrap();
        let mut reader = deidentified.open(&outgoing).await.unwrap();
        while let Some(chunk) = reader.next_chunk().await.unwrap() {
            bytes.fetch_add(chunk.len(), Ordering::Relaxed);
        }
    }
    deidentified.complete().await.unwrap();
}
