//! `leadglass rebuild`: makes the index again from the log.

use leadglass_archive::Archive;

use super::output::{Exit, Output, Progress};
use super::whereabouts::OnDisk;

/// Delete the index and make it again from the log, while the archive does not serve.
#[derive(clap::Args, Debug)]
pub struct Rebuild {
    #[command(flatten)]
    archive: OnDisk,
}

impl Rebuild {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let settings = self.archive.settings()?;
        let progress = Progress::of_records(output, "rebuilding");
        let told = progress.clone();
        let rebuilt = tokio::task::spawn_blocking(move || Archive::rebuild(&settings, &mut |done| told.at(done, done)));
        let records = rebuilt.await??;
        progress.finish();
        output.say(&serde_json::json!({ "records": records }), format!("index rebuilt from {records} records"))?;
        Ok(Exit::Done)
    }
}
