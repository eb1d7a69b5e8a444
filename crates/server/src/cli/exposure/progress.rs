//! What a run shows while it runs, to people who watch.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use leadglass_exposure::engine::{Phase, Progress, Standing};
use leadglass_exposure::finding::Severity;
use tokio::task::JoinHandle;

use crate::cli::output::Output;

const EVERY: Duration = Duration::from_millis(250);

/// A line that follows a run until told to finish.
pub struct Watched {
    bar: ProgressBar,
    task: Option<JoinHandle<()>>,
}

/// Follows a run on standard error, where people watch; silent elsewhere.
pub fn watch(output: &Output, progress: Arc<Progress>) -> Watched {
    if output.is_json() || !std::io::stderr().is_terminal() {
        return Watched { bar: ProgressBar::hidden(), task: None };
    }
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} eta {eta}  {msg}") {
        bar.set_style(style);
    }
    let shown = bar.clone();
    let task = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        let (mut last, mut at) = (0, Instant::now());
        loop {
            ticks.tick().await;
            let standing = progress.now();
            let rate = (standing.probes - last) as f64 / at.elapsed().as_secs_f64().max(0.001);
            (last, at) = (standing.probes, Instant::now());
            show(&shown, &standing, rate);
        }
    });
    Watched { bar, task: Some(task) }
}

impl Watched {
    /// The run is over; the line goes.
    pub fn finish(self) {
        if let Some(task) = self.task {
            task.abort();
        }
        self.bar.finish_and_clear();
    }
}

fn show(bar: &ProgressBar, standing: &Standing, rate: f64) {
    let (name, done, all) = match standing.phase {
        Phase::Preparing => ("preparing", 0, 1),
        Phase::Sweep => ("sweep", standing.probes, standing.probes_planned),
        Phase::Hosts => ("hosts", standing.hosts + standing.trees, standing.hosts_planned + standing.trees_planned),
        Phase::Report | Phase::Ended => ("report", 1, 1),
    };
    bar.set_prefix(name);
    bar.set_length(all.max(1));
    bar.set_position(done);
    let worst = standing.findings_of(Severity::Critical);
    let findings: u64 = standing.findings.iter().sum();
    let mut said = format!("{} open, {findings} findings ({worst} critical)", standing.open);
    if standing.phase == Phase::Sweep {
        said.push_str(&format!(", {rate:.0}/s"));
    }
    if standing.files > 0 {
        said.push_str(&format!(", {} files", standing.files));
    }
    bar.set_message(said);
}
