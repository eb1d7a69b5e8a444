//! The commands: one file each, and what they share.
//!
//! A command is a clap struct with `run`. To add one: its file, its line in [`Command`],
//! its line in [`Command::run`].

pub mod completions;
pub mod config;
pub mod connection;
pub mod demo;
pub mod doctor;
pub mod echo;
pub mod edge;
pub mod enrol;
pub mod envelope;
pub mod explain;
pub mod export;
pub mod exposure;
pub mod find;
pub mod get;
pub mod grant;
pub mod held;
pub mod import;
mod legacy;
pub mod mark;
pub mod output;
pub mod peer;
pub mod project;
pub mod ready;
pub mod rebuild;
pub mod recover;
pub mod review;
pub mod role;
mod scope;
pub mod send;
pub mod serve;
pub mod setup;
mod sign_in;
pub mod token;
pub mod trail;
pub mod user;
pub mod verify;
pub mod walk;
pub mod whereabouts;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use output::{Exit, Output};

/// The medical image archive that cannot be left open.
#[derive(Parser, Debug)]
#[command(name = "leadglass", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// Answer in JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
#[expect(clippy::large_enum_variant, reason = "parsed once")]
pub enum Command {
    /// Run the archive.
    Serve(serve::Serve),
    /// Start a closed archive, send it real studies, show what it did, and stay up.
    Demo(demo::Demo),
    /// Make the first administrator of a running archive, from its host.
    Setup(setup::Setup),
    /// Enrol, list and revoke DICOM peers.
    Peer(peer::Peer),
    /// What unknown senders sent and waits: look, accept, enrol its sender, discard.
    Held(held::Held),
    /// Make this device a peer of an archive, or renew its certificate.
    Enrol(enrol::Enrol),
    /// Add, list, change, disable, reset and sign out users.
    User(user::User),
    /// Make, list and revoke API tokens.
    Token(token::Token),
    /// Sign in as an administrator, for a token of one's own for a day.
    SignIn(sign_in::SignIn),
    /// Define roles, and list them.
    Role(role::Role),
    /// Label studies; restrict studies and patients to those who are cleared.
    Mark(mark::Mark),
    /// Rights for a time: studies shared, patients taken in an emergency.
    Grant(grant::Grant),
    /// Say how much a caller may take, and let go whom the brake held.
    Envelope(envelope::Envelope),
    /// What waits for somebody to look at it: emergencies, envelopes, canaries.
    Review(review::Review),
    /// Show where the doors are, who may come in and what they may do.
    Explain(explain::Explain),
    /// Make and list projects that things are de-identified for.
    Project(project::ProjectCommand),
    /// Bring folders, zip files and media into a running archive.
    Import(import::Import),
    /// Write a study into a zip file.
    Export(export::Export),
    /// Look, within a scope, for systems that would hand images to a stranger.
    Exposure(exposure::Exposure),
    /// Stand beside modalities, or before an old archive, that cannot speak TLS.
    Edge(edge::Edge),
    /// Ask an archive whether it is there.
    Echo(echo::Echo),
    /// Ask an archive what it has.
    Find(find::Find),
    /// Fetch a study, series or instance into a folder.
    Get(get::Get),
    /// Send files and folders to an archive.
    Send(send::Send),
    /// Make, check and explain configuration files.
    Config(config::ConfigCommand),
    /// Look at this host's archive and say what is not as it should be.
    Doctor(doctor::Doctor),
    /// Ask who did what and who saw whom; write it out, with proofs; check and erase.
    Trail(trail::Trail),
    /// Check every record on disk.
    Verify(verify::Verify),
    /// Make the index again from the log.
    Rebuild(rebuild::Rebuild),
    /// Make a key file from the recovery kit.
    Recover(recover::Recover),
    /// Print shell completions.
    Completions(completions::Completions),
    /// Write the manual pages.
    Man(completions::Man),
}

impl Command {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        match self {
            Command::Serve(command) => command.run(output).await,
            Command::Demo(command) => command.run(output).await,
            Command::Setup(command) => command.run(output).await,
            Command::Peer(command) => command.run(output).await,
            Command::Held(command) => command.run(output).await,
            Command::Enrol(command) => command.run(output).await,
            Command::User(command) => command.run(output).await,
            Command::Token(command) => command.run(output).await,
            Command::SignIn(command) => command.run(output).await,
            Command::Role(command) => command.run(output).await,
            Command::Mark(command) => command.run(output).await,
            Command::Grant(command) => command.run(output).await,
            Command::Envelope(command) => command.run(output).await,
            Command::Review(command) => command.run(output).await,
            Command::Explain(command) => command.run(output).await,
            Command::Project(command) => command.run(output).await,
            Command::Import(command) => command.run(output).await,
            Command::Export(command) => command.run(output).await,
            Command::Exposure(command) => command.run(output).await,
            Command::Edge(command) => command.run(output).await,
            Command::Echo(command) => command.run(output).await,
            Command::Find(command) => command.run(output).await,
            Command::Get(command) => command.run(output).await,
            Command::Send(command) => command.run(output).await,
            Command::Config(command) => command.run(output),
            Command::Doctor(command) => command.run(output).await,
            Command::Trail(command) => command.run(output).await,
            Command::Verify(command) => command.run(output).await,
            Command::Rebuild(command) => command.run(output).await,
            Command::Recover(command) => command.run(output),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
        }
    }
}

/// The whole command line, for completions and manual pages.
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// Parses the command line and runs the command on a runtime of its own.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.failed(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let ended = runtime.block_on(cli.command.run(&output));
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => output.failed(&error),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command_line().debug_assert();
    }

    #[test]
    fn every_command_and_argument_says_what_it_is_for() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} has no help");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
            }
            command.get_subcommands().for_each(|below| check(below, &path));
        }
        let mut all = super::command_line();
        all.build();
        check(&all, "");
    }
}
