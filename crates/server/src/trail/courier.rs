//! One destination's courier: reads on in the log, hands on, writes down how far.

use std::sync::Arc;
use std::time::Duration;

use leadglass_archive::trail::{Alert, Batch, Event, TrailDelivery};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::cursor::Cursor;
use super::sink::{Now, Sink, is_for_mail};
use super::{Failed, Reporter};
use crate::host::Host;

/// How often it looks for what is new.
const LOOK: Duration = Duration::from_secs(1);
/// Things handed on at once.
const MOST: usize = 500;
/// Alerts that are gathered for one mail; what is beyond waits for the next.
const GATHERED: usize = 10_000;
/// The first pause after a failure; the next is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// For what is handed on at the end.
const LAST: Duration = Duration::from_secs(5);

/// Records behind, by destination.
pub const BEHIND: &str = "leadglass_trail_destination_behind_records";
/// Things that arrived, by destination.
pub const SENT: &str = "leadglass_trail_destination_sent_total";
/// Tries that failed, by destination.
pub const FAILED: &str = "leadglass_trail_destination_failures_total";
/// Whether the last try failed, by destination.
pub const IS_FAILING: &str = "leadglass_trail_destination_failing";

pub(super) struct Courier {
    host: Arc<Host>,
    reporter: Reporter,
    sink: Sink,
    name: String,
    /// Tries that failed in a row.
    failures: u32,
}

impl Courier {
    pub fn new(host: Arc<Host>, sink: Sink) -> Courier {
        let reporter = Reporter::of(&host);
        Courier { reporter, name: sink.name().to_owned(), sink, host, failures: 0 }
    }

    /// Until `stop`, and then what is there by then, if it can be handed on at once.
    pub async fn run(mut self, stop: CancellationToken) {
        let what = if self.sink.keeps_checkpoints() { "checkpoints" } else { "entries" };
        let said = format!("{what} to {}", self.name);
        let (mut delivery, mut cursor) = loop {
            match self.begin(&said).await {
                Ok(begun) => break begun,
                Err(error) => self.failed(&error),
            }
            if pause(self.pause(), &stop).await {
                return;
            }
        };
        loop {
            let handed = tokio::select! {
                handed = self.hand_on(&mut delivery, &mut cursor) => handed,
                () = long_stopped(&stop) => break,
            };
            let wait = match handed {
                Ok(true) if !stop.is_cancelled() => continue,
                Ok(_) => {
                    self.succeeded();
                    LOOK
                }
                Err(error) => {
                    self.failed(&error);
                    self.pause()
                }
            };
            if stop.is_cancelled() || pause(wait, &stop).await {
                break;
            }
        }
        if self.failures == 0 {
            let _ = tokio::time::timeout(LAST, self.hand_on(&mut delivery, &mut cursor)).await;
        }
        delivery.end();
    }

    async fn begin(&self, said: &str) -> Result<(TrailDelivery, Cursor), Failed> {
        let delivery = self.host.archive.deliver_trail(self.host.operator(), said).await?;
        let cursor = Cursor::read(&self.host, &self.name, &delivery)?;
        Ok((delivery, cursor))
    }

    /// Hands on the next things; whether there may be more.
    async fn hand_on(&mut self, delivery: &mut TrailDelivery, cursor: &mut Cursor) -> Result<bool, Failed> {
        if self.sink.waits() {
            return Ok(false);
        }
        let mut batch = delivery.after(cursor.record, MOST).await?;
        if self.sink.makes_one_of_all() {
            gather(delivery, &mut batch).await?;
        }
        let name = self.name.clone();
        if batch.upto == cursor.record {
            metrics::gauge!(BEHIND, "destination" => name).set(0.0);
            return Ok(false);
        }
        metrics::gauge!(BEHIND, "destination" => name.clone()).set((batch.upto - cursor.record) as f64);
        let time = OffsetDateTime::from(self.host.clock.now());
        let now = Now { reporter: &self.reporter, time, sent: cursor.sent };
        let sent = self.sink.hand_on(&batch.items, &now).await?;
        cursor.moved(batch.upto, cursor.sent + sent, delivery)?;
        metrics::counter!(SENT, "destination" => name).increment(sent);
        self.succeeded();
        Ok(true)
    }

    /// The trail says when its delivery stops and goes on: CID 403, 110133 and 110134.
    fn failed(&mut self, error: &Failed) {
        self.failures = self.failures.saturating_add(1);
        metrics::counter!(FAILED, "destination" => self.name.clone()).increment(1);
        metrics::gauge!(IS_FAILING, "destination" => self.name.clone()).set(1.0);
        tracing::warn!(destination = self.name, %error, tries = self.failures, "the trail waits for a destination");
        if self.failures == 1 {
            let said = format!("delivery to {} stopped; what follows waits in the log", self.name);
            self.host.archive.alert(Alert::of(Event::AuditRecordingStopped).saying(said));
        }
    }

    fn succeeded(&mut self) {
        metrics::gauge!(IS_FAILING, "destination" => self.name.clone()).set(0.0);
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!(destination = self.name, "the trail goes on to a destination");
            let said = format!("delivery to {} goes on", self.name);
            self.host.archive.alert(Alert::of(Event::AuditRecordingStarted).saying(said));
        }
    }

    fn pause(&self) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.saturating_sub(1).min(10));
        doubled.min(LONGEST_PAUSE)
    }
}

/// What follows in the log is put to that batch, to the log's end or as much as there is room for:
/// alerts alone.
async fn gather(delivery: &mut TrailDelivery, batch: &mut Batch) -> Result<(), Failed> {
    batch.items.retain(is_for_mail);
    while batch.items.len() < GATHERED {
        let more = delivery.after(batch.upto, MOST).await?;
        if more.upto == batch.upto {
            break;
        }
        batch.upto = more.upto;
        batch.items.extend(more.items.into_iter().filter(is_for_mail));
    }
    Ok(())
}

/// Returns when it is time to stop, and has been for a while.
async fn long_stopped(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST).await;
}

/// Waits; whether it is time to stop.
async fn pause(wait: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => true,
        () = tokio::time::sleep(wait) => false,
    }
}
