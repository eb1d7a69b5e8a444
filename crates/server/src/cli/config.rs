//! `leadglass config`: makes, checks and explains configuration files.

use std::path::PathBuf;

use super::output::{Exit, Output};
use crate::config::{Config, manual};

/// Make, check and explain configuration files.
#[derive(clap::Args, Debug)]
pub struct ConfigCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Print a file with every key at its default, each explained.
    Generate,
    /// Check a file and print what it means with its defaults.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print docs/CONFIG.md.
    Manual,
}

impl ConfigCommand {
    /// Runs it.
    pub fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self.what {
            What::Generate => print!("{}", manual::commented_file()),
            What::Manual => print!("{}", manual::markdown()),
            What::Check { file } => {
                let config = Config::load(Some(&file))?;
                output.say(&config, toml::to_string_pretty(&config)?)?;
            }
        }
        Ok(Exit::Done)
    }
}
