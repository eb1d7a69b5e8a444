//! A load generator that is never what is measured: DIMSE and DICOMweb over N connections,
//! and the machine's own floor. Prints one JSON object a run. It speaks to 127.0.0.0/8 only.

mod connect;
mod dimse;
mod floor;
mod http;
mod instance;
mod sample;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// C-STORE of distinct CT instances.
    Store(dimse::Store),
    /// C-ECHO on one association.
    Echo(dimse::Echo),
    /// STOW-RS of distinct CT instances, several in a request.
    Stow(http::Stow),
    /// GET of the URLs in a file, over and over.
    Get(http::Get),
    /// Writes distinct CT instances as Part 10 files, for stock clients.
    Files {
        /// Where to.
        #[arg(long)]
        out: PathBuf,
        /// What they are like.
        #[command(flatten)]
        kind: instance::Kind,
    },
    /// What the machine can do at all.
    Floor(floor::Floor),
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = match Arguments::parse().command {
        Command::Store(store) => runtime.block_on(store.run())?,
        Command::Echo(echo) => runtime.block_on(echo.run())?,
        Command::Stow(stow) => runtime.block_on(stow.run())?,
        Command::Get(get) => runtime.block_on(get.run())?,
        Command::Files { out, kind } => instance::write_files(&out, &kind)?,
        Command::Floor(floor) => runtime.block_on(floor.run())?,
    };
    println!("{result}");
    Ok(())
}
