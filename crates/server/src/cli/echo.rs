//! `leadglass echo`: asks an archive by C-ECHO whether it is there, over mutual TLS.

use std::time::Instant;

use anyhow::{Context, bail};
use leadglass_dicom::{Uid, transfer_syntax};
use leadglass_dimse::scu;
use leadglass_dimse::status::Status;

use super::connection::PeerConnection;
use super::output::{Exit, Output};

/// Verification, PS3.4 A.
const VERIFICATION: &str = "1.2.840.10008.1.1";

/// Ask an archive whether it is there (C-ECHO over mutual TLS).
#[derive(clap::Args, Debug)]
pub struct Echo {
    #[command(flatten)]
    peer: PeerConnection,
}

impl Echo {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let peering = self.peer.peering()?;
        let begun = Instant::now();
        let mut request = peering.request();
        let implicit = Uid::parse(transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN)?;
        let context = request.propose(&Uid::parse(VERIFICATION)?, &[implicit]).context("no room for a context")?;
        let mut association = peering.associate(request).await?;
        let associated_ms = begun.elapsed().as_millis() as u64;
        let status = scu::echo(&mut association, context).await?;
        association.release().await?;
        if status != Status::SUCCESS {
            bail!("{} answers with status {:04X}", peering.called, status.0);
        }
        let ms = begun.elapsed().as_millis() as u64;
        let answer = serde_json::json!({ "called": peering.called.as_str(), "associated_ms": associated_ms, "ms": ms });
        output.say(&answer, format!("{} at {} answers, in {ms} ms", peering.called, peering.address))?;
        Ok(Exit::Done)
    }
}
