//! C-STORE over N associations, C-ECHO over one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::message::{CStoreRequest, Priority};
use leadglass_dimse::negotiation::ProposedContext;
use leadglass_dimse::{AssociateRequest, Association, CommandSet, Limits, requestor, scu};
use serde_json::Value;

use crate::connect::{Connector, Stream, Target};
use crate::instance::{CT, Kind, SYNTAX};
use crate::sample::summary;

/// Verification, PS3.4 A.2.
const VERIFICATION: &str = "1.2.840.10008.1.1";

/// Whom to associate with, and as whom.
#[derive(Args)]
pub struct Titles {
    #[command(flatten)]
    target: Target,
    /// Our AE title.
    #[arg(long)]
    calling: String,
    /// Theirs.
    #[arg(long)]
    called: String,
}

/// C-ECHO, one after the other on one association.
#[derive(Args)]
pub struct Echo {
    #[command(flatten)]
    titles: Titles,
    /// How many.
    #[arg(long, default_value_t = 2000)]
    count: usize,
}

impl Echo {
    /// Sends them all; fails when one is not answered with success.
    pub async fn run(self) -> anyhow::Result<Value> {
        let mut association = self.titles.associate(&self.titles.target.connector()?, VERIFICATION).await?;
        let (started, mut latencies) = (Instant::now(), Vec::with_capacity(self.count));
        for _ in 0..self.count {
            let asked = Instant::now();
            let status = scu::echo(&mut association, 1).await?;
            latencies.push(asked.elapsed());
            if status.0 != 0 {
                bail!("an echo came back with status {:04X}", status.0);
            }
        }
        let elapsed = started.elapsed();
        association.release().await?;
        Ok(summary(latencies, elapsed, 0))
    }
}

/// C-STORE of distinct CT instances.
#[derive(Args)]
pub struct Store {
    #[command(flatten)]
    titles: Titles,
    #[command(flatten)]
    kind: Kind,
    /// Associations at once.
    #[arg(long, default_value_t = 1)]
    associations: usize,
}

impl Store {
    /// Sends them all; fails when one is not stored.
    pub async fn run(self) -> anyhow::Result<Value> {
        let connector = self.titles.target.connector()?;
        let this = Arc::new(self);
        let next = Arc::new(AtomicU64::new(0));
        let mut open = Vec::new();
        for _ in 0..this.associations {
            open.push(this.titles.associate(&connector, CT).await?);
        }
        let started = Instant::now();
        let tasks: Vec<_> = open.into_iter().map(|a| tokio::spawn(send(this.clone(), a, next.clone()))).collect();
        let (mut latencies, mut bytes) = (Vec::new(), 0);
        for task in tasks {
            let (took, sent) = task.await??;
            latencies.extend(took);
            bytes += sent;
        }
        Ok(summary(latencies, started.elapsed(), bytes))
    }
}

impl Titles {
    async fn associate(&self, connector: &Connector, abstract_syntax: &str) -> anyhow::Result<Association<Stream>> {
        let request = AssociateRequest {
            called_ae: AeTitle::parse(&self.called)?,
            calling_ae: AeTitle::parse(&self.calling)?,
            contexts: vec![ProposedContext {
                id: 1,
                abstract_syntax: Uid::parse(abstract_syntax)?,
                transfer_syntaxes: vec![Uid::parse(SYNTAX)?],
            }],
            max_pdu_bytes: 128 * 1024,
            implementation_class: Some(Uid::parse("2.25.77.9")?),
            implementation_version: None,
            roles: Vec::new(),
            extended: Vec::new(),
            async_operations: None,
            user_identity: None,
        };
        let stream = connector.open().await?;
        let association = requestor::request(stream, request, &Limits::default()).await.context("no association")?;
        if association.context(1).is_none() {
            bail!("{abstract_syntax} was not accepted");
        }
        Ok(association)
    }
}

async fn send(
    store: Arc<Store>,
    mut association: Association<Stream>,
    next: Arc<AtomicU64>,
) -> anyhow::Result<(Vec<Duration>, u64)> {
    let (mut latencies, mut bytes) = (Vec::new(), 0);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= store.kind.count {
            break;
        }
        let instance = store.kind.instance(index);
        let request = CStoreRequest {
            message_id: association.next_message_id(),
            affected_sop_class: Uid::parse(CT)?,
            affected_sop_instance: Uid::parse(&instance.sop_instance)?,
            priority: Priority::Medium,
            move_originator: None,
        };
        let started = Instant::now();
        association.begin_data(1, &CommandSet::from(&request)).await?;
        association.send_data(&instance.header).await?;
        association.send_data(instance.pixels).await?;
        association.end_data().await?;
        let answer = association.receive().await?.context("released instead of answered")?;
        latencies.push(started.elapsed());
        bytes += instance.bytes();
        let status = leadglass_dimse::message::CStoreResponse::try_from(&answer.command)?.status;
        if status.0 != 0 {
            bail!("instance {index} was not stored: status {:04X}", status.0);
        }
    }
    association.release().await?;
    Ok((latencies, bytes))
}
