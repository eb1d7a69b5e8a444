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
use super::serve::{StopSignal, raise_descriptor_limit};
use crate::edge::config::EdgeConfig;
use crate::edge::{RunningEdge, manual};
use crate::logging;

/// Stand beside modalities that cannot speak TLS, and send on what they send.
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
    let running = RunningEdge::start(config.clone(), Arc::new(SystemClock)).await?;
    let listening = running.listening;
    tracing::warn!(%listening, interface = config.listen.interface, "the edge listens in clear text to configured modalities");
    if output.is_json() || output.is_for_people() {
        let text = format!(
            "Leadglass edge\n  modalities  {listening} ({}), in clear text\n  archive     {} as {}, over TLS\n",
            config.listen.interface, config.archive.address, config.archive.ae_title
        );
        output.say(&json!({ "listening": listening, "pid": std::process::id() }), text)?;
    }
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    stop.wait().await;
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    let clean = running.stop().await;
    tracing::info!(clean, "stopped");
    Ok(if clean { Exit::Done } else { Exit::Failed })
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
