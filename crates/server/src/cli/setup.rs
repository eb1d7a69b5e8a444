//! `leadglass setup`: makes the first administrator of a running archive, from its host.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::output::{Exit, Output};
use super::whereabouts::{Serving, Whereabouts};
use crate::client::Client;
use crate::first_run::{remove_setup_code, setup_code_path};
use crate::host::write_file;

/// Make the first administrator of a running archive, from its host.
#[derive(clap::Args, Debug)]
pub struct Setup {
    #[command(flatten)]
    whereabouts: Whereabouts,
    /// The administrator's name, for the trail.
    #[arg(long, default_value = "administrator")]
    admin: String,
    /// Write the token into this file (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Setup {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let dir = self.whereabouts.load()?.data.dir;
        let serving = Serving::read(&dir)?;
        let path = setup_code_path(&dir);
        let code = std::fs::read_to_string(&path).with_context(|| {
            format!("no setup code in {}: setup is done, or `serve` must be restarted", path.display())
        })?;
        let client = Client::new(serving.https, &dir.join("ca.pem"))?;
        let request = serde_json::json!({ "code": code.trim(), "administrator": self.admin });
        let (status, answer) = client.post("/setup", None, &request).await?;
        if !status.is_success() {
            bail!(
                "the archive refuses the setup code ({status}): it works once and for 30 minutes; restart `serve` for a fresh one"
            );
        }
        let token = answer["token"].as_str().context("the archive's answer has no token")?;
        remove_setup_code(&dir);
        self.hand_over(output, token)?;
        Ok(Exit::Done)
    }

    fn hand_over(&self, output: &Output, token: &str) -> anyhow::Result<()> {
        let Some(path) = &self.token_file else {
            return output.say(&serde_json::json!({ "administrator": self.admin, "token": token }), token);
        };
        write_file(path, token.as_bytes(), 0o600)?;
        let answer = serde_json::json!({ "administrator": self.admin, "token_file": path });
        output.say(&answer, format!("the token of {} is in {}", self.admin, path.display()))
    }
}
