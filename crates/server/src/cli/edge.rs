//! `leadglass edge`: runs an edge, and looks after its spool.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;
use comfy_table::Table;
use leadglass_archive::spool::{Listed, SpoolDirectory};
use leadglass_dicom::clock::SystemClock;
use sd_notify::NotifyState;
use serde_json::json;

use super::output::{Exit, Output};
use super::serve::{StopSignal, Up, raise_descriptor_limit};
use super::whereabouts::Serving;
use crate::edge::config::EdgeConfig;
use crate::edge::{RunningEdge, manual};
use crate::shield::Shield;
use crate::{Host, Running, first_run, logging};

/// Stand beside modalities, or before an old archive, that cannot speak TLS.
#[derive(clap::Args, Debug)]
pub struct Edge {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Run the edge.
    Run {
        #[command(flatten)]
        file: File,
    },
    /// Make, check and explain its configuration file.
    Config {
        #[command(subcommand)]
        what: ConfigWhat,
    },
    /// Look at the objects that wait or were set apart.
    Spool {
        #[command(subcommand)]
        what: SpoolWhat,
    },
}

#[derive(clap::Args, Debug)]
struct File {
    /// The edge's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Subcommand, Debug)]
enum ConfigWhat {
    /// Print a file with every key at its default, each explained.
    Generate,
    /// Check a file and print what it means with its defaults.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print docs/EDGE-CONFIG.md.
    Manual,
}

#[derive(Subcommand, Debug)]
enum SpoolWhat {
    /// All objects, those that wait and those set apart, with the reason.
    List {
        #[command(flatten)]
        file: File,
    },
    /// Put objects that were set apart back among those that wait.
    Retry {
        /// Their numbers, as listed.
        #[arg(required = true)]
        numbers: Vec<String>,
        #[command(flatten)]
        file: File,
    },
    /// Remove objects that were set apart. Nobody has them then.
    Discard {
        /// Their numbers, as listed.
        #[arg(required = true)]
        numbers: Vec<String>,
        #[command(flatten)]
        file: File,
    },
}

impl Edge {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::Run { file } => run(&EdgeConfig::load(&file.config)?, output).await,
            What::Config { what } => config(what, output),
            What::Spool { what } => spool(what, output),
        }
    }
}

async fn run(config: &EdgeConfig, output: &Output) -> anyhow::Result<Exit> {
    logging::install(&config.log);
    raise_descriptor_limit();
    let mut stop = StopSignal::new()?;
    let edge = match config.modality.is_empty() {
        true => None,
        false => Some(RunningEdge::start(config.clone(), Arc::new(SystemClock)).await?),
    };
    let before = Before::start(config).await?;
    announce(config, edge.as_ref(), before.as_ref(), output)?;
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    stop.wait().await;
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    let mut clean = true;
    if let Some(before) = before {
        clean &= before.stop().await;
    }
    if let Some(edge) = edge {
        clean &= edge.stop().await;
    }
    tracing::info!(clean, "stopped");
    Ok(if clean { Exit::Done } else { Exit::Failed })
}

/// The doors before an old archive.
struct Before {
    running: Running,
    serving: Serving,
    code: Option<String>,
}

impl Before {
    async fn start(config: &EdgeConfig) -> anyhow::Result<Option<Before>> {
        let Some(shield) = &config.shield else { return Ok(None) };
        let shield = Arc::new(Shield::open(shield.clone())?);
        let host = Host::open_before(config.serve.clone(), Some(shield), Arc::new(SystemClock)).await?;
        let code = first_run::issue_setup_code(&host).await?;
        let running = Running::start(host.clone()).await?;
        let serving = super::serve::serving(&running);
        serving.write(&host.config.data.dir)?;
        Ok(Some(Before { running, serving, code }))
    }

    async fn stop(self) -> bool {
        Serving::remove(&self.running.host().config.data.dir);
        self.running.stop().await
    }
}

fn announce(
    config: &EdgeConfig,
    edge: Option<&RunningEdge>,
    before: Option<&Before>,
    output: &Output,
) -> anyhow::Result<()> {
    let mut text = String::from("Leadglass edge\n");
    if let Some(edge) = edge {
        let (listening, interface) = (edge.listening, &config.listen.interface);
        tracing::warn!(%listening, interface, "the edge listens in clear text to configured modalities");
        text.push_str(&format!(
            "  modalities  {listening} ({interface}), in clear text\n  archive     {} as {}, over TLS\n",
            config.archive.address, config.archive.ae_title
        ));
    }
    let up = before.map(|before| Up::of(before.running.host(), &before.serving, before.code.as_deref()));
    if let (Some(before), Some(shield)) = (before, &config.shield) {
        let Serving { https, dicom, ae_title, .. } = &before.serving;
        tracing::info!(%https, %dicom, "shielding");
        let dir = before.running.host().config.data.dir.display();
        text.push_str(&format!(
            "  shield      https://{https} and {dicom} as {ae_title}, before {} as {}\n",
            shield.dicom, shield.ae_title
        ));
        if before.code.is_some() {
            text.push_str(&format!("\nNot set up yet: within 30 minutes, run `leadglass setup --data {dir}` here.\n"));
        }
    }
    if !output.is_json() && !output.is_for_people() {
        return Ok(());
    }
    output.say(&json!({ "listening": edge.map(|edge| edge.listening), "pid": std::process::id(), "shield": up }), text)
}

fn config(what: ConfigWhat, output: &Output) -> anyhow::Result<Exit> {
    match what {
        ConfigWhat::Generate => print!("{}", manual::commented_file()),
        ConfigWhat::Manual => print!("{}", manual::markdown()),
        ConfigWhat::Check { file } => {
            let config = EdgeConfig::load(&file)?;
            output.say(&config, toml::to_string_pretty(&config)?)?;
        }
    }
    Ok(Exit::Done)
}

fn spool(what: SpoolWhat, output: &Output) -> anyhow::Result<Exit> {
    match what {
        SpoolWhat::List { file } => {
            let config = EdgeConfig::load(&file.config)?;
            let listed = SpoolDirectory::list(&config.spool.dir, &config.spool.key_source())?;
            output.say(&listed, table(&listed))?;
        }
        SpoolWhat::Retry { numbers, file } => {
            let directory = SpoolDirectory::of(&EdgeConfig::load(&file.config)?.spool.dir);
            each(&numbers, |number| Ok(directory.retry(number)?))?;
            output
                .say(&json!({ "retried": numbers }), "They wait again; a running edge sends them on within seconds.")?;
        }
        SpoolWhat::Discard { numbers, file } => {
            let directory = SpoolDirectory::of(&EdgeConfig::load(&file.config)?.spool.dir);
            each(&numbers, |number| Ok(directory.discard(number)?))?;
            output.say(&json!({ "discarded": numbers }), "They are gone.")?;
        }
    }
    Ok(Exit::Done)
}

fn each(numbers: &[String], act: impl Fn(u64) -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let parsed: Vec<u64> = numbers
        .iter()
        .map(|number| u64::from_str_radix(number, 16).with_context(|| format!("{number:?} is no number of the list")))
        .collect::<Result<_, _>>()?;
    for (number, text) in parsed.into_iter().zip(numbers) {
        if !act(number)? {
            bail!("no object {text} is set apart");
        }
    }
    Ok(())
}

fn table(listed: &[Listed]) -> Table {
    let mut table = Table::new();
    table.set_header(["number", "from", "bytes", "SOP Instance UID", "state"]);
    for object in listed {
        let bytes = object.bytes.to_string();
        let state =
            object.reason.as_deref().map_or_else(|| "waits".to_owned(), |reason| format!("set apart: {reason}"));
        table.add_row([&object.number, &object.sheet.calling_ae, &bytes, &object.sheet.sop_instance, &state]);
    }
    table
}
