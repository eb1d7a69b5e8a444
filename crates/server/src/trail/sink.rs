//! A destination: what of the trail it is given, and how.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use leadglass_archive::log::Checkpoint;
use leadglass_archive::trail::{Delivered, Entry, Outcome};
use serde_json::json;
use time::OffsetDateTime;

use super::fhir::instant;
use super::syslog::{self, Message};
use super::tls::Towards;
use super::{Failed, Reporter, file, s3, smtp, webhook};
use crate::config::trail::{Delivery, Keeper, What};

/// MSGID of a checkpoint.
const CHECKPOINT_ID: &str = "LEADGLASS-CHECKPOINT";

/// The least time between two mails of alerts: the first goes at once, what follows it together.
const BETWEEN_MAILS: Duration = Duration::from_secs(60);

/// Alerts of one kind that a mail has a line for.
const LINES_OF_A_KIND: usize = 20;

/// Where something goes.
pub(super) struct Sink {
    to: To,
    /// When the last mail of a checkpoint went, seconds since 1970.
    mailed_s: Option<i64>,
    /// When the last mail of alerts went.
    told: Option<Instant>,
}

enum To {
    Entries(Delivery),
    Checkpoints(Keeper),
}

/// What is known while handing on.
pub(super) struct Now<'a> {
    /// Who reports.
    pub reporter: &'a Reporter,
    /// The hour.
    pub time: OffsetDateTime,
    /// Things sent to this destination before.
    pub sent: u64,
}

impl Sink {
    /// A destination of entries.
    pub fn of_entries(delivery: Delivery) -> Sink {
        Sink { to: To::Entries(delivery), mailed_s: None, told: None }
    }

    /// A keeper of checkpoints.
    pub fn of_checkpoints(keeper: Keeper) -> Sink {
        Sink { to: To::Checkpoints(keeper), mailed_s: None, told: None }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        match &self.to {
            To::Entries(delivery) => delivery.name(),
            To::Checkpoints(keeper) => keeper.name(),
        }
    }

    /// Whether it keeps checkpoints.
    pub fn keeps_checkpoints(&self) -> bool {
        matches!(self.to, To::Checkpoints(_))
    }

    /// Whether it makes one thing of all there is: then what is there is gathered to its end, or
    /// whoever makes many alerts would keep back the one that matters.
    pub fn makes_one_of_all(&self) -> bool {
        matches!(self.to, To::Entries(Delivery::EMail(_)))
    }

    /// Whether what there is waits in the log a little longer: whoever makes alerts makes no mails.
    pub fn waits(&self) -> bool {
        self.told.is_some_and(|told| told.elapsed() < BETWEEN_MAILS)
    }

    /// Hands on what of these is its; how many things that were. All of them have arrived
    /// when it returns, or none counts.
    pub async fn hand_on(&mut self, items: &[Delivered], now: &Now<'_>) -> Result<u64, Failed> {
        match &self.to {
            To::Entries(Delivery::EMail(mail)) => {
                let entries = latest(items);
                let Some((subject, text)) = letter(&entries, now.reporter) else { return Ok(0) };
                smtp::send(mail.into(), &now.reporter.host, &subject, &text, now.time).await?;
                self.told = Some(Instant::now());
                Ok(alerts(&entries).count() as u64)
            }
            To::Entries(delivery) => entries(delivery, &latest(items), now).await,
            To::Checkpoints(keeper) => {
                let checkpoints: Vec<&Checkpoint> = items.iter().filter_map(checkpoint).collect();
                if let Keeper::EMail(mail) = keeper {
                    let now_s = now.time.unix_timestamp();
                    let every_s = i64::try_from(mail.every_h.saturating_mul(3600)).unwrap_or(i64::MAX);
                    let Some(newest) = checkpoints.last() else { return Ok(0) };
                    if self.mailed_s.is_some_and(|mailed| now_s.saturating_sub(mailed) < every_s) {
                        return Ok(0);
                    }
                    let subject = format!("Leadglass checkpoint {}", newest.size);
                    smtp::send(mail.into(), &now.reporter.host, &subject, &newest.note, now.time).await?;
                    self.mailed_s = Some(now_s);
                    return Ok(1);
                }
                checkpoints_to(keeper, &checkpoints, now).await
            }
        }
    }
}

/// Of several records of one entry the last says all that the others do.
fn latest(items: &[Delivered]) -> Vec<(u64, &Entry)> {
    let entries: Vec<(u64, &Entry)> = items
        .iter()
        .filter_map(|item| match item {
            Delivered::Entry(number, entry) => Some((*number, &**entry)),
            Delivered::Checkpoint(..) => None,
        })
        .collect();
    let mut last = HashMap::new();
    for (at, (_, entry)) in entries.iter().enumerate() {
        // The beginning of a transfer is a message of its own, and stays.
        if let Some(named) = entry.closes {
            last.insert(named, at);
        }
    }
    let is_last = |(at, (number, entry)): &(usize, (u64, &Entry))| match entry.closes {
        Some(named) => last.get(&named) == Some(at),
        None => entry.outcome == Outcome::Begun || !last.contains_key(number),
    };
    entries.into_iter().enumerate().filter(is_last).map(|(_, entry)| entry).collect()
}

fn checkpoint(item: &Delivered) -> Option<&Checkpoint> {
    match item {
        Delivered::Checkpoint(_, checkpoint) => Some(checkpoint),
        Delivered::Entry(..) => None,
    }
}

async fn entries(delivery: &Delivery, entries: &[(u64, &Entry)], now: &Now<'_>) -> Result<u64, Failed> {
    let reporter = now.reporter;
    match delivery {
        Delivery::Syslog(to) => {
            let messages: Vec<(i64, String)> =
                entries.iter().filter_map(|(_, entry)| Some((entry.time_ns, reporter.message(entry)?))).collect();
            if messages.is_empty() {
                return Ok(0);
            }
            let frames: Vec<Vec<u8>> = messages
                .iter()
                .zip(now.sent + 1..)
                .map(|((time_ns, text), number)| {
                    let message = Message {
                        time: micros(*time_ns),
                        host: &reporter.host,
                        message_id: to.message_id.text(),
                        number,
                        text,
                    };
                    message.frame()
                })
                .collect();
            syslog::send(&Towards::new(&to.to, &to.tls)?, &frames, to.arrival).await?;
            Ok(frames.len() as u64)
        }
        Delivery::FhirFile(to) => {
            let events = entries
                .iter()
                .filter_map(|(number, entry)| Some((entry.time_ns, reporter.audit_event(*number, entry)?)));
            let mut count = 0;
            let mut lines = String::new();
            for (_, event) in events {
                lines.push_str(&format!("{event}\n"));
                count += 1;
            }
            if count > 0 {
                let day = now.time.date();
                let name = format!("audit-events-{:04}{:02}{:02}.ndjson", day.year(), u8::from(day.month()), day.day());
                file::append(&to.folder, &name, &lines)?;
            }
            Ok(count)
        }
        Delivery::Webhook(to) => {
            let wanted = |entry: &Entry| entry.is_told() && (to.what == What::All || entry.is_alert());
            let told: Vec<_> = entries.iter().filter(|(_, entry)| wanted(entry)).collect();
            if told.is_empty() {
                return Ok(0);
            }
            let body = json!({
                "source": reporter.source,
                "entries": told.iter().map(|(number, entry)| json!({
                    "record": number,
                    "time": instant(entry.time_ns),
                    "event_code": entry.event_code(),
                    "entry": entry,
                })).collect::<Vec<_>>(),
            });
            webhook::post(to, body.to_string().into_bytes(), now.time.unix_timestamp()).await?;
            Ok(told.len() as u64)
        }
        // A mail of its own: see [`Sink::hand_on`].
        Delivery::EMail(_) => Ok(0),
    }
}

/// The security alerts among entries.
fn alerts<'a>(entries: &'a [(u64, &'a Entry)]) -> impl Iterator<Item = (u64, &'a Entry)> {
    entries.iter().copied().filter(|(_, entry)| is_alert(entry))
}

fn is_alert(entry: &Entry) -> bool {
    entry.is_told() && entry.is_alert()
}

/// Whether a mail of alerts is about it.
pub(super) fn is_for_mail(item: &Delivered) -> bool {
    matches!(item, Delivered::Entry(_, entry) if is_alert(entry))
}

/// Subject and text of a mail about the alerts among entries: when, of which kind, under which
/// number; the rarest kinds first, so that none drowns in another. Mail is read by others on its
/// way: who and about whom is in the trail alone.
fn letter(entries: &[(u64, &Entry)], reporter: &Reporter) -> Option<(String, String)> {
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (number, entry) in alerts(entries) {
        let meaning = entry.coding().and_then(|coding| coding.kind).map_or("Security Alert", |kind| kind.1);
        let (code, act, ended) = (entry.event_code().unwrap_or_default(), entry.act.name(), entry.outcome.name());
        let number = entry.closes.unwrap_or(number);
        let kind = format!("{code} {meaning} ({act}, {ended})");
        let line = format!("{}  entry {number}: {kind}\n", instant(entry.time_ns));
        kinds.entry(kind).or_default().push(line);
    }
    let count: usize = kinds.values().map(Vec::len).sum();
    let mut kinds: Vec<Vec<String>> = kinds.into_values().collect();
    kinds.sort_by_key(Vec::len);
    let mut lines = String::new();
    for kind in &kinds {
        lines.extend(kind.iter().take(LINES_OF_A_KIND).map(String::as_str));
        if let Some(more) = kind.len().checked_sub(LINES_OF_A_KIND).filter(|more| *more > 0) {
            lines.push_str(&format!("    and {more} more of this kind\n"));
        }
    }
    let source: String = reporter.source.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    let text = format!("{lines}\nWho, from where and about what: leadglass trail search, at the archive.\n");
    (count > 0).then(|| (format!("Leadglass {source}: security alerts ({count})"), text))
}

async fn checkpoints_to(keeper: &Keeper, checkpoints: &[&Checkpoint], now: &Now<'_>) -> Result<u64, Failed> {
    let name = |checkpoint: &Checkpoint| format!("checkpoint-{:020}.txt", checkpoint.size);
    match keeper {
        Keeper::File(to) => {
            for checkpoint in checkpoints {
                file::keep(&to.folder, &name(checkpoint), &checkpoint.note)?;
            }
        }
        Keeper::Syslog(to) => {
            let time = micros(i64::try_from(now.time.unix_timestamp_nanos()).unwrap_or_default());
            let frames: Vec<Vec<u8>> = checkpoints
                .iter()
                .zip(now.sent + 1..)
                .map(|(checkpoint, number)| {
                    // A line each: syslog servers write lines.
                    let text = checkpoint.note.replace('\n', "\\n");
                    Message {
                        time: time.clone(),
                        host: &now.reporter.host,
                        message_id: CHECKPOINT_ID,
                        number,
                        text: &text,
                    }
                    .frame()
                })
                .collect();
            if !frames.is_empty() {
                syslog::send(&Towards::new(&to.to, &to.tls)?, &frames, to.arrival).await?;
            }
        }
        Keeper::S3(to) => {
            for checkpoint in checkpoints {
                s3::put(to, &name(checkpoint), checkpoint.note.clone().into_bytes(), now.time).await?;
            }
        }
        Keeper::EMail(_) => {}
    }
    Ok(checkpoints.len() as u64)
}

/// RFC 5424 6.2.3: at most six digits of a second.
fn micros(time_ns: i64) -> String {
    instant(time_ns.div_euclid(1000) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, json: &str) -> Delivered {
        Delivered::Entry(number, Box::new(serde_json::from_str(json).unwrap()))
    }

    #[test]
    fn the_last_record_of_an_entry_is_told_and_beginnings_of_transfers() {
        let store = |number, closes: &str, count: u64| {
            entry(
                number,
                &format!(
                    r#"{{{closes}"time_ns":1,"caller":"a","door":"dimse","operation":"store","outcome":"done","count":{count}}}"#
                ),
            )
        };
        let retrieve = |number, closes: &str, outcome: &str| {
            entry(
                number,
                &format!(
                    r#"{{{closes}"time_ns":1,"caller":"a","door":"dimse","operation":"retrieve","outcome":"{outcome}","purpose":"to B"}}"#
                ),
            )
        };
        let items = [
            store(1, "", 1),
            retrieve(2, "", "begun"),
            store(3, "\"closes\":1,", 2),
            store(4, "\"closes\":1,", 3),
            retrieve(5, "\"closes\":2,", "done"),
        ];
        let told: Vec<u64> = latest(&items).iter().map(|(number, _)| *number).collect();
        assert_eq!(told, [2, 4, 5]);
    }

    #[test]
    fn a_mail_tells_of_alerts_and_of_nobody() {
        let reporter =
            Reporter { source: "PACS1\r\nBcc: x@y".into(), site: "".into(), ae_title: "A".into(), host: "h".into() };
        let about = r#"{"time_ns":1767225600000000000,"caller":"ada","address":"10.1.2.3","door":"dicom-web","outcome":"done",
            "patient_id":"P-1","patient_name":"Doe^Jane","detail":"Doe^Jane was asked for","count":0,"#;
        let alert = entry(7, &format!(r#"{about}"event":"canary-touched"}}"#));
        let read = entry(8, &format!(r#"{about}"operation":"store"}}"#));
        let items = [alert, read];
        let (subject, text) = letter(&latest(&items), &reporter).unwrap();
        assert_eq!(subject, "Leadglass PACS1Bcc: x@y: security alerts (1)");
        assert!(
            text.starts_with("2026-01-01T00:00:00Z  entry 7: 110132 Use of Restricted Function (canary-touched, done)"),
            "{text}"
        );
        for word in ["ada", "Doe", "P-1", "10.1.2.3", "asked", "entry 8"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        assert_eq!(letter(&latest(&items[1..]), &reporter), None);
    }

    #[test]
    fn in_a_mail_of_many_alerts_the_rare_one_is_seen() {
        let reporter = Reporter { source: "P".into(), site: "".into(), ae_title: "A".into(), host: "h".into() };
        let of = |number, event| {
            let about = r#"{"time_ns":0,"caller":"-","address":null,"door":"dimse","outcome":"refused","count":0,"#;
            entry(number, &format!(r#"{about}"event":"{event}"}}"#))
        };
        let mut items: Vec<Delivered> = (0..5_000).map(|number| of(number, "node-authentication-failed")).collect();
        items.insert(4_000, of(9_999, "canary-touched"));
        let (subject, text) = letter(&latest(&items), &reporter).unwrap();
        assert_eq!(subject, "Leadglass P: security alerts (5001)");
        assert!(text.lines().next().unwrap().contains("entry 9999: 110132"), "{text}");
        assert!(text.contains("and 4980 more of this kind") && text.lines().count() < 40, "{text}");
    }

    #[test]
    fn a_time_has_six_digits_of_a_second_at_most() {
        assert_eq!(micros(1_767_225_600_123_456_789), "2026-01-01T00:00:00.123456Z");
    }
}
