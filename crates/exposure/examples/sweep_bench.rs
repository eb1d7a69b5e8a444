//! Sweeps a part of 127.0.0.0/8 with the rate lifted, which no command can do, and prints what
//! it took as JSON: `sweep_bench [PREFIX_LENGTH]`, a /16 unless told otherwise, six ports.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use leadglass_dicom::clock::SystemClock;
use leadglass_exposure::engine::plan::Plan;
use leadglass_exposure::engine::sweep::sweep;
use leadglass_exposure::engine::{Progress, Shard};
use leadglass_exposure::net::rate::Rate;
use leadglass_exposure::run::Run;
use leadglass_exposure::scope::Validity;
use leadglass_exposure::scope::range::RangeSet;
use leadglass_exposure::testing;

/// The six ports of DICOM.
const PORTS: &[u16] = &[104, 2345, 2761, 2762, 4242, 11112];

#[tokio::main(worker_threads = 2)]
async fn main() {
    let length = std::env::args().nth(1).and_then(|length| length.parse().ok()).unwrap_or(16).clamp(8, 32);
    let run = Arc::new(run(length));
    let plan = Plan::new(run.scope.clone(), PORTS, 1, Shard::WHOLE, true, true);
    let Ok(plan) = plan.map(Arc::new) else { return };
    let (mut refused, mut silent, mut open) = (0, 0, 0);
    let began = Instant::now();
    let progress = Arc::new(Progress::default());
    let halt = sweep(&run, &plan, 0, &progress, |passed| {
        refused += passed.refused;
        silent += passed.silent;
        open += passed.opens.len() as u64;
        Ok::<(), ()>(())
    });
    let whole = halt.await == Ok(None);
    let seconds = began.elapsed().as_secs_f64();
    let probes = refused + silent + open;
    let row = serde_json::json!({
        "prefix": length, "ports": PORTS.len(), "whole": whole, "probes": probes, "refused": refused,
        "silent": silent, "open": open, "seconds": round(seconds), "per_second": (probes as f64 / seconds) as u64,
        "cpu_seconds": round(cpu_seconds()), "peak_rss_kib": peak_rss_kib(),
    });
    println!("{row}");
}

/// A run over part of loopback without a pace.
fn run(length: u32) -> Run {
    let low = Ipv4Addr::new(127, 1, 0, 0).to_bits() & (u32::MAX << (32 - length));
    let high = low | u32::MAX.checked_shr(length).unwrap_or(0);
    let mut scope = testing::scope();
    scope.validity = Validity { from: 0, until: i64::MAX };
    scope.assets[0].addresses = RangeSet::new([(v4(low), v4(high))]);
    Run { clock: Arc::new(SystemClock), rate: Rate::per_second(0), ..testing::run(scope) }
}

fn v4(bits: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(bits))
}

/// Seconds of processor time of this process, user and kernel.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// The most memory that was resident.
fn peak_rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn round(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}
