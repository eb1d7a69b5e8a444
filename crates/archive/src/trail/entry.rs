//! What one trail entry says.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

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
    /// The address of the other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Through which door.
    pub door: Door,
    /// What was asked.
    pub operation: Operation,
    /// How it ended, as far as known.
    pub outcome: Outcome,
    /// What it was about.
    #[serde(flatten)]
    pub subject: Subject,
}

/// What an operation was about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// Patient ID, when one patient is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient_id: Option<String>,
    /// Study Instance UID, when one study is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study: Option<String>,
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
            Err(Refused::NotAllowed) => Outcome::Refused,
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
        Entry {
            closes: None,
            time_ns,
            caller: caller.name().to_owned(),
            address: caller.address(),
            door: caller.door(),
            operation,
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
            address: source.address,
            door: source.door,
            operation: Operation::Authenticate,
            outcome: Outcome::Refused,
            subject: Subject { count, detail: Some(reason.to_owned()), ..Subject::default() },
        }
    }
}
