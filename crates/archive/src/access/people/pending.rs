//! What is begun and not yet done: a first factor shown, a challenge sent, a code to confirm.
//!
//! In memory alone, for minutes, each under a secret of its own and good once. Bounded: the
//! oldest goes first.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::session::Factor;
use crate::access::secret::{fresh_ticket, sha256_hex};

/// How long something may be begun.
const LIFETIME: Duration = Duration::from_secs(300);
/// Most that are begun at once.
const MOST: usize = 10_000;
/// Wrong codes under one ticket.
const TRIES: u8 = 5;

/// What is begun.
#[derive(Clone, Debug)]
pub(crate) enum Begun {
    /// A first factor was right; the second is due.
    /// From where: the digest of the browser's secret.
    SecondFactor { user: String, shown: Factor, tries: u8, browser: Option<String> },
    /// A passkey was asked for; this is the challenge.
    PasskeySignIn { challenge: String },
    /// A session's owner is making a passkey.
    PasskeyEnrolment { session: String, challenge: String },
    /// A session's owner is given the secret of one-time codes, hex.
    TotpEnrolment { session: String, secret: String },
}

/// All that is begun, by digest of its ticket.
#[derive(Default)]
pub(crate) struct Pending {
    begun: HashMap<String, (SystemTime, Begun)>,
    /// What anybody can begin, apart: a flood of it pushes out nothing else.
    by_anybody: HashMap<String, (SystemTime, Begun)>,
}

impl Pending {
    /// Begins it; the ticket to go on with.
    pub(crate) fn begin(&mut self, what: Begun, now: SystemTime) -> Option<String> {
        let begun = match what {
            Begun::PasskeySignIn { .. } => &mut self.by_anybody,
            _ => &mut self.begun,
        };
        if begun.len() >= MOST {
            begun.retain(|_, (since, _)| is_open(*since, now));
        }
        if begun.len() >= MOST
            && let Some(oldest) = begun.iter().min_by_key(|(_, (since, _))| *since).map(|(ticket, _)| ticket.clone())
        {
            begun.remove(&oldest);
        }
        let ticket = fresh_ticket()?;
        begun.insert(sha256_hex(ticket.as_bytes()), (now, what));
        Some(ticket)
    }

    /// What was begun under that ticket, which is over with this.
    pub(crate) fn take(&mut self, ticket: &str, now: SystemTime) -> Option<Begun> {
        let digest = sha256_hex(ticket.as_bytes());
        let (since, what) = self.begun.remove(&digest).or_else(|| self.by_anybody.remove(&digest))?;
        is_open(since, now).then_some(what)
    }

    /// Puts a second factor back that was wrong, unless it was wrong too often.
    pub(crate) fn put_back(&mut self, ticket: &str, mut what: Begun, now: SystemTime) {
        if let Begun::SecondFactor { tries, .. } = &mut what {
            *tries += 1;
            if *tries >= TRIES {
                return;
            }
        }
        self.begun.insert(sha256_hex(ticket.as_bytes()), (now, what));
    }
}

fn is_open(since: SystemTime, now: SystemTime) -> bool {
    now.duration_since(since).is_ok_and(|age| age < LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due() -> Begun {
        Begun::SecondFactor { user: "ada".into(), shown: Factor::Passphrase, tries: 0, browser: None }
    }

    #[test]
    fn a_ticket_is_good_once_for_five_minutes_and_five_tries() {
        let (mut pending, now) = (Pending::default(), SystemTime::UNIX_EPOCH);
        let ticket = pending.begin(due(), now).unwrap();
        assert!(pending.take("guess", now).is_none());
        for _ in 0..4 {
            let what = pending.take(&ticket, now).unwrap();
            pending.put_back(&ticket, what, now);
        }
        let last = pending.take(&ticket, now).unwrap();
        pending.put_back(&ticket, last, now);
        assert!(pending.take(&ticket, now).is_none());
        let ticket = pending.begin(due(), now).unwrap();
        assert!(pending.take(&ticket, now + LIFETIME).is_none());
        for _ in 0..MOST + 5 {
            pending.begin(due(), now);
        }
        assert_eq!(pending.begun.len(), MOST);
    }
}
