//! Who came in, recorded: PS3.15 A.5.3 User Authentication.
//!
//! Each association of a peer has its entry. A token is shown with every HTTP request, so of one
//! caller from one address at one door the first within five minutes is recorded and the
//! rest are the same visit; unknown senders of one address are one caller here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Caller, Door};
use crate::Operation;
use crate::trail::{Entry, Outcome, Subject};

/// How long a visit lasts.
const VISIT: Duration = Duration::from_secs(300);
/// Most visits told apart; beyond, all begin anew.
const MOST: usize = 4096;

/// Name, address, door.
type Visitor = (String, Option<IpAddr>, Door);

/// Visits of the last minutes: since when.
#[derive(Default)]
pub(crate) struct Visits {
    since: Mutex<HashMap<Visitor, i64>>,
}

impl Visits {
    /// A caller was recognized, who says to be `claimed`; the entry to write when it is news.
    pub(crate) fn entry(&self, caller: &Caller, claimed: Option<&str>, now_ns: i64) -> Option<Entry> {
        let each = matches!(caller.door(), Door::Dimse | Door::Legacy) && !caller.is_stranger();
        if !each && !self.begins(caller, now_ns) {
            return None;
        }
        let detail = claimed.map(|name| format!("user name given and not verified: {name:?}"));
        let unproven =
            || caller.unproven_ae_title().map(|_| "clear text: title and address as given, nothing proven".into());
        let detail = detail.or_else(unproven);
        let subject = Subject { count: 1, detail, ..Subject::default() };
        Some(Entry::of(caller, Operation::Authenticate, Outcome::Done, subject, now_ns))
    }

    fn begins(&self, caller: &Caller, now_ns: i64) -> bool {
        let mut since = self.since.lock();
        // Who is nobody takes any title, and fills the trail with none of them.
        let name = if caller.is_stranger() { "" } else { caller.name() };
        let key = (name.to_owned(), caller.address(), caller.door());
        if since.get(&key).is_some_and(|since| is_open(*since, now_ns)) {
            return false;
        }
        if since.len() >= MOST {
            since.retain(|_, since| is_open(*since, now_ns));
        }
        if since.len() >= MOST {
            since.clear();
        }
        since.insert(key, now_ns);
        true
    }
}

fn is_open(since_ns: i64, now_ns: i64) -> bool {
    i64::try_from(VISIT.as_nanos()).is_ok_and(|visit| now_ns.saturating_sub(since_ns) < visit)
}
