//! The server's own log: on standard error, never patient data.

use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Log;
use crate::config::log::Format;

/// Installs the process's log, once; later calls change nothing.
pub fn install(log: &Log) {
    let level = tracing::level_filters::LevelFilter::from(log.level);
    // Other crates may log what a peer sent: only ours speak below `warn`.
    let others = level.min(tracing::level_filters::LevelFilter::WARN);
    let filter = Targets::new()
        .with_default(others)
        .with_target("leadglass", level)
        .with_target("leadglass_archive", level)
        .with_target("leadglass_dimse", level);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match log.format {
        Format::Json => layer.json().flatten_event(true).boxed(),
        Format::Text => layer.with_ansi(false).boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}
