//! `leadglass completions` and `leadglass man`: the command line, described for others.

use std::path::PathBuf;

use anyhow::Context;
use clap_complete::Shell;

use super::output::Exit;

/// Print shell completions.
#[derive(clap::Args, Debug)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<Exit> {
        clap_complete::generate(self.shell, &mut super::command_line(), "leadglass", &mut std::io::stdout());
        Ok(Exit::Done)
    }
}

/// Write the manual pages.
#[derive(clap::Args, Debug)]
pub struct Man {
    /// The directory they are written into.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

impl Man {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<Exit> {
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        clap_mangen::generate_to(super::command_line(), &self.out)
            .with_context(|| format!("cannot write manual pages into {}", self.out.display()))?;
        Ok(Exit::Done)
    }
}
