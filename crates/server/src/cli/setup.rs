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
        let path = format!("/admin/v1/users/{}/invitation", super::peer::percent(&self.admin));
        let (status, invited) = client.post(&path, Some(token), &serde_json::json!({})).await?;
        let invitation = invited["invitation"].as_str().filter(|_| status.is_success());
        let invitation =
            invitation.context("the administrator is made, but not invited: `leadglass user reset` does that")?;
        self.hand_over(output, token, invitation, serving.https.port())?;
        Ok(Exit::Done)
    }

    /// The token, and beside it the invitation: who sits there signs in with the one, scripts
    /// work with the other.
    fn hand_over(&self, output: &Output, token: &str, invitation: &str, port: u16) -> anyhow::Result<()> {
        let admin = &self.admin;
        let Some(path) = &self.token_file else {
            let answer = serde_json::json!({ "administrator": admin, "token": token, "invitation": invitation });
            return output.say(&answer, token);
        };
        write_file(path, token.as_bytes(), 0o600)?;
        let invited = crate::config::data::beside(path, "invitation");
        write_file(&invited, invitation.as_bytes(), 0o600)?;
        let answer = serde_json::json!({ "administrator": admin, "token_file": path, "invitation_file": invited });
        let text = format!(
            "the token of {admin} is in {}; to sign in, open https://localhost:{port}/login on this machine within a day, \
             with the invitation in {}",
            path.display(),
            invited.display()
        );
        output.say(&answer, text)
    }
}
