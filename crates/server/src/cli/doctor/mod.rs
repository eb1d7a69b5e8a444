//! `leadglass doctor`: looks at an archive's host and says what is not as it should be, and
//! what to do about it.

mod doors;
mod external;
mod host;

use std::path::PathBuf;

use serde::Serialize;

use super::legacy;
use super::output::{Exit, Output};
use super::whereabouts::OnDisk;

/// Look at this host's archive: configuration, key, modes, space, lock, who hears of alerts and
/// keeps checkpoints, doors, certificates, index. Ends with 3 when something is not as it should be.
#[derive(clap::Args, Debug)]
pub struct Doctor {
    #[command(flatten)]
    archive: OnDisk,
    /// A file with an API token that may read statistics, to compare index and log; or the
    /// variable LEADGLASS_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print what to try from another machine, and what has to come back.
    #[arg(long)]
    external: bool,
}

/// The one thing that is never fine while it is there.
const LEGACY: &str = "legacy peers";

/// One thing looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    fine: bool,
    detail: String,
    /// What to do when it is not fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

impl Finding {
    fn fine(what: &'static str, detail: impl Into<String>) -> Finding {
        Finding { what, fine: true, detail: detail.into(), advice: None }
    }

    fn bad(what: &'static str, detail: impl Into<String>, advice: &'static str) -> Finding {
        Finding { what, fine: false, detail: detail.into(), advice: Some(advice) }
    }

    fn of(what: &'static str, fine: bool, detail: impl Into<String>, advice: &'static str) -> Finding {
        if fine { Finding::fine(what, detail) } else { Finding::bad(what, detail, advice) }
    }

    fn line(&self) -> String {
        let mark = if self.fine { "ok  " } else { "LOOK" };
        let advice = self.advice.map(|advice| format!("\n     {:<16} -> {advice}", "")).unwrap_or_default();
        format!("{mark} {:<16} {}{advice}", self.what, self.detail)
    }
}

impl Doctor {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let config = self.archive.load()?;
        if self.external {
            let lines = external::lines(&config);
            output.say(&lines, lines.join("\n"))?;
            return Ok(Exit::Done);
        }
        let mut findings = host::findings(&config);
        findings.extend(doors::findings(&config, self.token_file.as_deref()).await);
        let shown = |finding: &Finding| match finding.what {
            LEGACY => legacy::red(&finding.line(), output),
            _ => finding.line(),
        };
        let lines: Vec<String> = findings.iter().map(shown).collect();
        output.say(&findings, lines.join("\n"))?;
        Ok(if findings.iter().all(|finding| finding.fine) { Exit::Done } else { Exit::Found })
    }
}
