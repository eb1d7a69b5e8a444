//! `leadglass verify`: proves that the log is as it was written, without the server.

use std::path::PathBuf;

use anyhow::Context;
use leadglass_archive::Archive;
use leadglass_archive::log::Damage;

use super::output::{Exit, Output, Progress};
use super::whereabouts::OnDisk;

/// Check every record on disk: digests, seals, tree and signed checkpoints.
///
/// Runs beside a serving archive too. Ends with 3 when something is damaged.
#[derive(clap::Args, Debug)]
pub struct Verify {
    #[command(flatten)]
    archive: OnDisk,
    /// A signed checkpoint kept elsewhere, which the log must contain.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

impl Verify {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let settings = self.archive.settings()?;
        let since = self.since.as_ref().map(|path| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read the checkpoint {}", path.display()))
        });
        let since = since.transpose()?;
        let progress = Progress::of_bytes(output, "verifying");
        let told = progress.clone();
        let verified = tokio::task::spawn_blocking(move || {
            Archive::verify_offline(&settings, since.as_deref(), |done, all| told.at(done, all))
        });
        let report = verified.await??;
        progress.finish();
        let damaged: Vec<_> = report.damaged.iter().map(structured).collect();
        let answer = serde_json::json!({
            "records": report.records,
            "bytes": report.bytes,
            "erased": report.erased,
            "checkpoints": report.checkpoints,
            "root": hex::encode(report.root),
            "damaged": damaged,
        });
        let mut text = format!(
            "{} records, {} bytes, {} erased, {} checkpoints, root {}",
            report.records,
            report.bytes,
            report.erased,
            report.checkpoints,
            hex::encode(report.root)
        );
        for damage in &report.damaged {
            text.push_str(&format!("\nDAMAGED  {}", described(damage)));
        }
        output.say(&answer, text)?;
        Ok(if damaged.is_empty() { Exit::Done } else { Exit::Found })
    }
}

fn structured(damage: &Damage) -> serde_json::Value {
    let Damage { location, sequence, what } = damage;
    serde_json::json!({
        "segment": location.segment,
        "offset": location.offset,
        "record": sequence,
        "what": what.to_string(),
    })
}

fn described(damage: &Damage) -> String {
    let Damage { location, sequence, what } = damage;
    let record = sequence.map_or_else(|| "a record".to_owned(), |sequence| format!("record {sequence}"));
    format!("{record} in segment {} at byte {}: {what}", location.segment, location.offset)
}
