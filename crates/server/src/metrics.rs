//! Figures for operators: names, units and buckets of what is measured.
//!
//! The recorder is the process's; `/metrics` renders it behind a token. Labels hold
//! doors, verbs and statuses, never anything a peer or patient chose.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds to store one object, from its first byte to its acknowledgement.
pub const STORE_SECONDS: &str = "leadglass_store_duration_seconds";
/// Seconds of a search, from identifier to last row.
pub const FIND_SECONDS: &str = "leadglass_find_duration_seconds";
/// Seconds of a retrieval.
pub const RETRIEVE_SECONDS: &str = "leadglass_retrieve_duration_seconds";
/// Bytes of data sets that came in.
pub const BYTES_IN: &str = "leadglass_received_bytes_total";
/// Bytes of data sets that went out.
pub const BYTES_OUT: &str = "leadglass_sent_bytes_total";
/// Open associations.
pub const ASSOCIATIONS: &str = "leadglass_associations";

/// What a stranger's last look at the doors found.
pub const EXPOSURE_FINDINGS: &str = "leadglass_exposure_findings";
/// 1 when that look could not be taken to its end.
pub const EXPOSURE_UNFINISHED: &str = "leadglass_exposure_look_unfinished";
/// When it was, seconds since 1970.
pub const EXPOSURE_LOOKED: &str = "leadglass_exposure_looked_timestamp_seconds";
/// 1 when the doors are not where they are configured to be.
pub const EXPOSURE_HELD: &str = "leadglass_doors_held";
/// Tokens that administer without anybody's second factor.
pub const ADMINISTRATOR_TOKENS: &str = "leadglass_administrator_tokens";
/// 1 while legacy peers are listened to, in clear text.
pub const CLEAR_TEXT: &str = "leadglass_clear_text_listener";

/// The label `door` of what came through the DICOM door.
pub const DICOM: &str = "dicom";
/// The label `door` of what came through DICOMweb.
pub const WEB: &str = "web";

/// Records into a histogram, when dropped, how long it lived.
pub struct Stopwatch {
    histogram: &'static str,
    door: &'static str,
    begun: Instant,
}

impl Stopwatch {
    /// Running from now on.
    pub fn start(histogram: &'static str, door: &'static str) -> Stopwatch {
        Stopwatch { histogram, door, begun: Instant::now() }
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        metrics::histogram!(self.histogram, "door" => self.door).record(self.begun.elapsed());
    }
}

/// Counts bytes of a data set that came in.
pub fn received(door: &'static str, bytes: usize) {
    metrics::counter!(BYTES_IN, "door" => door).increment(bytes as u64);
}

/// Counts bytes of a data set that went out.
pub fn sent(door: &'static str, bytes: usize) {
    metrics::counter!(BYTES_OUT, "door" => door).increment(bytes as u64);
}

/// Upper bounds in seconds: from a fast single object to a whole study.
const BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// How often the exporter folds its histograms.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// The process's exporter, made and installed at the first call.
pub fn exporter() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let builder = PrometheusBuilder::new();
    let builder = match builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), BUCKETS) {
        Ok(builder) => builder,
        Err(error) => {
            tracing::warn!(%error, "histograms have no buckets");
            PrometheusBuilder::new()
        }
    };
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed in this process");
    }
    describe();
    handle
}

fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_histogram!(STORE_SECONDS, Unit::Seconds, "from an object's first byte to its acknowledgement");
    describe_histogram!(FIND_SECONDS, Unit::Seconds, "from a search's identifier to its last row");
    describe_histogram!(RETRIEVE_SECONDS, Unit::Seconds, "from a retrieval's identifier to its last sub-operation");
    describe_counter!(BYTES_IN, Unit::Bytes, "bytes of data sets received");
    describe_counter!(BYTES_OUT, Unit::Bytes, "bytes of data sets sent");
    describe_gauge!(ASSOCIATIONS, "open DICOM associations");
    describe_gauge!(EXPOSURE_FINDINGS, "what a stranger's last look at the doors found");
    describe_gauge!(EXPOSURE_UNFINISHED, "1 when that look could not be taken to its end");
    describe_gauge!(EXPOSURE_LOOKED, Unit::Seconds, "when it was, since 1970");
    describe_gauge!(CLEAR_TEXT, "1 while legacy peers are listened to, in clear text and unauthenticated");
    describe_gauge!(EXPOSURE_HELD, "1 when the doors are not where they are configured to be");
}
