//! `leadglass exposure`: the exposure audit's commands, a file each.
//!
//! They read files, call `leadglass_exposure` and say what came of it. Exit codes are its own:
//! 0 clean, 1 findings, 2 a mistake in scope or usage, 3 incomplete, 4 our own fault.

mod checks;
mod compare;
mod fleet;
mod progress;
mod run;
mod scope;
mod self_;
mod terms;

use clap::Subcommand;
use leadglass_exposure::report::verdict::Verdict;

use super::output::{Exit, Output};

/// The exposure audit: which systems in your own scope would hand images to a stranger.
#[derive(clap::Args, Debug)]
pub struct Exposure {
    #[command(subcommand)]
    command: ExposureCommand,
}

#[derive(Subcommand, Debug)]
enum ExposureCommand {
    /// Begin, check and sign the file that says what may be looked at.
    Scope(scope::ScopeCommand),
    /// Audit what a scope file allows.
    Run(Box<run::Run>),
    /// Write a report in other forms, or judge it by other terms.
    Report(compare::Report),
    /// Say what changed between two reports.
    Diff(compare::Diff),
    /// Make one report of the reports of all shards of a run.
    Merge(compare::Merge),
    /// Make one picture of many runs.
    Fleet(fleet::FleetCommand),
    /// Sign a report.
    Sign(compare::Sign),
    /// Check the chain of a run's log and the signature of its report.
    Verify(compare::Verify),
    /// Look at this host's running archive as a stranger would.
    #[command(name = "self")]
    SelfAudit(self_::SelfAudit),
    /// List the checks, or print the whole manual.
    Checks(checks::Checks),
}

/// Why a command did not end as it should: whose fault it is decides the exit code.
#[derive(Debug)]
enum Failure {
    /// The scope, a file that was named, or how the command was called.
    Usage(anyhow::Error),
    /// Anything else.
    Internal(anyhow::Error),
}

/// Says that an error is the caller's to mend.
trait Blame<T> {
    fn usage(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> Blame<T> for Result<T, E> {
    fn usage(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Usage(error.into()))
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Internal(error.into())
    }
}

impl Exposure {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let ended = match self.command {
            ExposureCommand::Scope(command) => command.run(output),
            ExposureCommand::Run(command) => command.run(output).await,
            ExposureCommand::Report(command) => command.run(output),
            ExposureCommand::Diff(command) => command.run(output),
            ExposureCommand::Merge(command) => command.run(output),
            ExposureCommand::Fleet(command) => command.run(output),
            ExposureCommand::Sign(command) => command.run(output),
            ExposureCommand::Verify(command) => command.run(output),
            ExposureCommand::SelfAudit(command) => command.run(output).await,
            ExposureCommand::Checks(command) => command.run(output),
        };
        Ok(Exit::Code(match ended {
            Ok(verdict) => verdict.code(),
            Err(Failure::Usage(error)) => told(output, &error, Verdict::Usage),
            Err(Failure::Internal(error)) => told(output, &error, Verdict::Internal),
        }))
    }
}

fn told(output: &Output, error: &anyhow::Error, verdict: Verdict) -> u8 {
    let _ = output.failed(error);
    verdict.code()
}
