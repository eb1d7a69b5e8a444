//! How long a decision takes: what who asks has proved, whether it still holds, their roles and scopes at that moment.
//!
//! `cargo run --release -p leadglass-archive --example decision_bench [CALLERS]`: among that many tokens (1,000), prints one
//! JSON line with the mean, p50 and p99, in microseconds, of decisions for peers and tokens of several roles.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::time::Instant;

use leadglass_archive::access::Scope;
use leadglass_archive::administer::Verb;
use leadglass_archive::testing::TestArchive;
use leadglass_archive::{Caller, Door, Operation};

const DECISIONS: usize = 100_000;
const PEERS: usize = 4;

fn main() {
    let others = std::env::args().nth(1).map_or(1_000, |argument| argument.parse().unwrap());
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run(others));
}

async fn run(others: usize) {
    let test = TestArchive::new();
    let host = test.host().await;
    for number in 0..others {
        let scope = Scope { modalities: vec!["CT".into(), "MR".into()], ..Scope::default() };
        let hours = std::time::Duration::from_secs(3600);
        test.archive().create_token(&host, &format!("other {number}"), "reader", hours, scope).await.unwrap();
    }
    let mut callers: Vec<Caller> = Vec::new();
    for number in 0..PEERS {
        let scope = Scope { modalities: vec!["CT".into()], ..Scope::default() };
        callers
            .push(test.scoped_peer(&format!("PEER{number}"), &[Verb::Find, Verb::Retrieve, Verb::Store], scope).await);
    }
    for role in ["reader", "administrator", "viewer"] {
        callers.push(test.caller(role, Door::DicomWeb).await);
    }
    let operations = [Operation::Search, Operation::Retrieve, Operation::Store, Operation::ReadTrail];
    let mut took = Vec::with_capacity(DECISIONS);
    let (mut allowed, begun) = (0_u64, Instant::now());
    for number in 0..DECISIONS {
        let (caller, operation) = (&callers[number % callers.len()], operations[number % operations.len()]);
        let asked = Instant::now();
        allowed += u64::from(test.reaches(caller, operation));
        took.push(asked.elapsed());
    }
    let mean = begun.elapsed().as_secs_f64() * 1e6 / DECISIONS as f64;
    took.sort_unstable();
    let at = |share: usize| took[DECISIONS * share / 1000].as_secs_f64() * 1e6;
    println!(
        "{{\"callers\": {}, \"decisions\": {DECISIONS}, \"allowed\": {allowed}, \"mean_us\": {mean:.3}, \"p50_us\": {:.3}, \
         \"p99_us\": {:.3}, \"p999_us\": {:.3}}}",
        others + callers.len(),
        at(500),
        at(990),
        at(999)
    );
}
