//! What one trail entry says.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Event;
use crate::access::{Caller, Door, Source};
use crate::{Operation, Refused};

/// One entry of the trail, PS3.15 A.5: who did what to whom, from where, when, and how it
/// ended. Sealed with the trail key; its JSON never reaches a log line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The sequence number of the entry this one completes and replaces in views.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<u64>,
    /// When the operation began, nanoseconds since 1970-01-01 UTC.
    pub time_ns: i64,
    /// Who, as authenticated; empty for a stranger.
    pub caller: String,
    /// The person or program among who called, by its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The DICOM peer among who called, by its AE title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The address of the other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Through which door.
    pub door: Door,
    /// What was asked, or what happened.
    #[serde(flatten)]
    pub act: Act,
    /// How it ended, as far as known.
    pub outcome: Outcome,
    /// What it was about.
    #[serde(flatten)]
    pub subject: Subject,
}

/// What was asked, or what happened beside operations. In JSON a field `operation`, or `event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// An operation of the archive.
    Operation(Operation),
    /// What happens beside operations.
    Event(Event),
}

impl Act {
    /// The name in views.
    pub fn name(self) -> &'static str {
        match self {
            Act::Operation(operation) => operation.name(),
            Act::Event(event) => event.name(),
        }
    }
}

impl From<Operation> for Act {
    fn from(operation: Operation) -> Act {
        Act::Operation(operation)
    }
}

impl From<Event> for Act {
    fn from(event: Event) -> Act {
        Act::Event(event)
    }
}

/// What an operation was about. Patient, study, detail and query identify somebody: they are
/// sealed with that somebody's own key, see `trail::identity`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// Patient ID, when one patient is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient_id: Option<String>,
    /// Study Instance UID, when one study is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study: Option<String>,
    /// Patient's Name, where it is known and one patient is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient_name: Option<String>,
    /// What was searched for: a data set in Explicit VR Little Endian, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Instances stored or handed out, rows found.
    pub count: u64,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The rest in words: a search's keys, a peer's title, why a stranger was turned away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Allowed and begun; an entry that closes this one says how it ended.
    Begun,
    /// Carried out.
    Done,
    /// Given up before its end: the other side went away, or stopped reading.
    Interrupted,
    /// Not allowed.
    Refused,
    /// The request was wrong, or named nothing.
    Unanswerable,
    /// Could not be carried out: no space, damage, a fault.
    Failed,
    /// Set aside: other bytes of that SOP Instance UID are kept already.
    Quarantined,
}

impl Outcome {
    /// The outcome of a result.
    pub(crate) fn of<T>(result: &Result<T, Refused>) -> Outcome {
        match result {
            Ok(_) => Outcome::Done,
            Err(Refused::NotAllowed | Refused::Braked { .. }) => Outcome::Refused,
            Err(Refused::NotFound | Refused::Invalid(_)) => Outcome::Unanswerable,
            Err(_) => Outcome::Failed,
        }
    }

    /// The name in views.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Begun => "begun",
            Outcome::Done => "done",
            Outcome::Interrupted => "interrupted",
            Outcome::Refused => "refused",
            Outcome::Unanswerable => "unanswerable",
            Outcome::Failed => "failed",
            Outcome::Quarantined => "quarantined",
        }
    }
}

impl Entry {
    /// An entry for what a caller asks.
    pub(crate) fn of(caller: &Caller, operation: Operation, outcome: Outcome, subject: Subject, time_ns: i64) -> Entry {
        let (person, peer) = parties(caller);
        Entry {
            closes: None,
            time_ns,
            caller: caller.name().to_owned(),
            person,
            peer,
            address: caller.address(),
            door: caller.door(),
            act: operation.into(),
            outcome,
            subject,
        }
    }

    /// An entry for strangers turned away.
    pub(crate) fn of_strangers(source: &Source, reason: &str, count: u64, time_ns: i64) -> Entry {
        Entry {
            closes: None,
            time_ns,
            caller: String::new(),
            person: None,
            peer: None,
            address: source.address,
            door: source.door,
            act: Operation::Authenticate.into(),
            outcome: Outcome::Refused,
            subject: Subject { count, detail: Some(reason.to_owned()), ..Subject::default() },
        }
    }
}

/// Who of a caller is a person (or program) and who is a peer: a user on a console is both.
pub(super) fn parties(caller: &Caller) -> (Option<String>, Option<String>) {
    let owner = caller.user().map(str::to_owned);
    if let Some(unproven) = caller.unproven_ae_title() {
        return (owner, Some(unproven.to_owned()));
    }
    let Some(peer) = caller.ae_title() else { return (owner.or_else(|| Some(caller.name().to_owned())), None) };
    let user = caller.name().strip_prefix(peer).and_then(|rest| rest.strip_prefix(" (")?.strip_suffix(')'));
    (owner.or_else(|| user.map(str::to_owned)), Some(peer.to_owned()))
}
