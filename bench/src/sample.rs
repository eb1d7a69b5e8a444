//! Durations, summed up.

use std::time::Duration;

use serde_json::{Value, json};

/// What a run took: `latencies` of each operation, `elapsed` from the first to the last.
pub fn summary(mut latencies: Vec<Duration>, elapsed: Duration, bytes: u64) -> Value {
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(0.0, |d| d.as_secs_f64() * 1000.0)
    };
    let seconds = elapsed.as_secs_f64();
    json!({
        "operations": latencies.len(),
        "seconds": seconds,
        "per_second": latencies.len() as f64 / seconds,
        "megabytes_per_second": bytes as f64 / 1e6 / seconds,
        "p50_ms": at(0.50),
        "p95_ms": at(0.95),
        "p99_ms": at(0.99),
        "max_ms": at(1.0),
    })
}
