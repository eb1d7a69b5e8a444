//! Sweeps a part of 127.0.0.0/8 with the rate lifted, which no command can do, and prints what
//! it took as JSON: `sweep_bench [PREFIX_LENGTH [MOST_PROBES]]`, a /16 unless told otherwise, six
//! ports. With MOST_PROBES the same plan is cut short after about so many.
//!
//! `sweep_bench --floor PREFIX_LENGTH [MOST_PROBES]` is what the machine can do at all: the same
//! connects that do not wait, address by address, two threads, no engine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
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
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

/// The six ports of DICOM.
const PORTS: &[u16] = &[104, 2345, 2761, 2762, 4242, 11112];

/// Threads of the floor: one for each processor of the machine that the budget is for.
const THREADS: u32 = 2;

fn main() {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let is_floor = arguments.first().is_some_and(|first| first == "--floor");
    if is_floor {
        arguments.remove(0);
    }
    let number = |at: usize| arguments.get(at).and_then(|number| number.parse::<u64>().ok());
    let length = number(0).unwrap_or(16).clamp(8, 32) as u32;
    let most = number(1).unwrap_or(u64::MAX);
    let began = Instant::now();
    let counted = if is_floor { floor(length, most) } else { engine(length, most) };
    let Some(Counted { refused, silent, open, whole }) = counted else { std::process::exit(1) };
    let seconds = began.elapsed().as_secs_f64();
    let probes = refused + silent + open;
    let row = serde_json::json!({
        "prefix": length, "ports": PORTS.len(), "whole": whole, "probes": probes, "refused": refused,
        "silent": silent, "open": open, "seconds": round(seconds), "per_second": (probes as f64 / seconds) as u64,
        "cpu_seconds": round(cpu_seconds()), "peak_rss_kib": peak_rss_kib(),
    });
    println!("{row}");
}

/// What became of the connects, and whether all of them were made.
#[derive(Default)]
struct Counted {
    refused: u64,
    silent: u64,
    open: u64,
    whole: bool,
}

/// The sweep as the audit makes it.
#[tokio::main(worker_threads = 2)]
async fn engine(length: u32, most: u64) -> Option<Counted> {
    let run = Arc::new(run(length));
    let plan = Arc::new(Plan::new(run.scope.clone(), PORTS, 1, Shard::WHOLE, true, true).ok()?);
    let mut counted = Counted::default();
    let progress = Arc::new(Progress::default());
    let halt = sweep(&run, &plan, 0, &progress, |passed| {
        counted.refused += passed.refused;
        counted.silent += passed.silent;
        counted.open += passed.opens.len() as u64;
        if passed.upto >= most {
            run.stop.cancel();
        }
        Ok::<(), ()>(())
    });
    counted.whole = halt.await == Ok(None);
    Some(counted)
}

/// The same connects without the engine.
fn floor(length: u32, most: u64) -> Option<Counted> {
    let (low, high) = range(length);
    let hosts = (u64::from(high - low) + 1).min(most / PORTS.len() as u64);
    let parts: Vec<_> = thread::scope(|scope| {
        let part = |first: u32| (u64::from(first)..hosts).step_by(THREADS as usize).map(move |host| low + host as u32);
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || connects(part(first)))).collect();
        threads.into_iter().map(|thread| thread.join().ok()).collect()
    });
    let add = |sum: Counted, part: Option<Counted>| {
        let part = part?;
        Some(Counted {
            refused: sum.refused + part.refused,
            silent: sum.silent + part.silent,
            open: sum.open + part.open,
            whole: true,
        })
    };
    parts.into_iter().try_fold(Counted::default(), add)
}

/// Connects to each port of each host, asks once more what the kernel says, and closes.
fn connects(hosts: impl Iterator<Item = u32>) -> Counted {
    let mut counted = Counted::default();
    let targets = hosts.flat_map(|host| PORTS.iter().map(move |port| SocketAddr::new(v4(host), *port)));
    for target in targets {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let said = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).and_then(|socket| {
            sockopt::set_socket_linger(&socket, Some(std::time::Duration::ZERO))?;
            match connect(&socket, &target) {
                Err(Errno::INPROGRESS) => connect(&socket, &target),
                said => said,
            }
        });
        match said {
            Err(Errno::CONNREFUSED | Errno::CONNRESET) => counted.refused += 1,
            Ok(()) | Err(Errno::ISCONN) => counted.open += 1,
            Err(_) => counted.silent += 1,
        }
    }
    counted
}

/// A run over part of loopback without a pace.
fn run(length: u32) -> Run {
    let (low, high) = range(length);
    let mut scope = testing::scope();
    scope.validity = Validity { from: 0, until: i64::MAX };
    scope.assets[0].addresses = RangeSet::new([(v4(low), v4(high))]);
    Run { clock: Arc::new(SystemClock), rate: Rate::per_second(0), ..testing::run(scope) }
}

fn range(length: u32) -> (u32, u32) {
    let behind = u32::MAX.checked_shr(length).unwrap_or(0);
    let low = Ipv4Addr::new(127, 1, 0, 0).to_bits() & !behind;
    (low, low | behind)
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
