//! What a caller took lately, from the trail: for the brake, which forgets with a restart.
//!
//! Bytes are not in the trail, so they begin anew. Rows are: as many different patients as rows
//! of each different question, which is never too few.

use std::collections::{HashMap, HashSet};

use rusqlite::params;

use super::engine::unsigned;
use super::{Index, IndexError};
use crate::Operation;
use crate::brake::Habit;

/// Most entries looked at; the newest.
const MOST: u32 = 100_000;
/// Most patients that the rows of one question are taken for.
const MOST_LISTED: u64 = 10_000;
const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;
/// Whose entries: theirs as a person or program, and as a caller of that whole name.
const THEIRS: [&str; 2] = ["person = $1", "caller = $1 AND coalesce(person, '') <> $1"];

/// What a caller took lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// Patients opened.
    pub(crate) opened: Vec<Opened>,
    /// Patients that rows told of in the last hour, and when; made up where the trail has only
    /// their number.
    pub(crate) listed: Vec<(String, i64)>,
    /// The habit that shows in it.
    pub(crate) habit: Habit,
}

/// A patient who was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Patient ID, or Study Instance UID where there is none.
    pub(crate) patient: String,
    /// When first, of the time looked at.
    pub(crate) first_ns: i64,
    /// When last.
    pub(crate) last_ns: i64,
}

/// A search: whom it was for or what it was, rows, and when.
type Listing = (Option<String>, String, u64, i64);

impl Index {
    /// What that caller took since then.
    pub(crate) fn past_of(&self, caller: &str, since_ns: i64, now_ns: i64) -> Result<Past, IndexError> {
        let (accesses, listings) = self.read(|connection| {
            let (mut accesses, mut listings) = (Vec::<(String, i64)>::new(), Vec::<Listing>::new());
            for theirs in THEIRS {
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT coalesce(patient_id, study), time_ns FROM trail WHERE {theirs} AND time_ns >= $2
                         AND action IN ($3, $4) AND coalesce(patient_id, study) IS NOT NULL AND outcome <> 'refused'
                     ORDER BY time_ns DESC LIMIT $5"
                ))?;
                let actions = [Operation::Retrieve, Operation::RetrieveDeidentified].map(Operation::name);
                let mut rows = statement.query(params![caller, since_ns, actions[0], actions[1], MOST])?;
                while let Some(row) = rows.next()? {
                    accesses.push((row.get(0)?, row.get(1)?));
                }
                // What was refused in the middle had rows before.
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT coalesce(patient_id, study), coalesce(json_extract(detail, '$.detail'), ''), amount, time_ns
                     FROM trail WHERE {theirs} AND time_ns >= $2 AND action = $3 AND amount > 0
                     ORDER BY time_ns DESC LIMIT $4"
                ))?;
                let mut rows = statement.query(params![caller, now_ns - HOUR_NS, Operation::Search.name(), MOST])?;
                while let Some(row) = rows.next()? {
                    listings.push((row.get(0)?, row.get(1)?, unsigned(row.get(2)?), row.get(3)?));
                }
            }
            Ok((accesses, listings))
        })?;
        let (opened, habit) = opened(accesses);
        Ok(Past { opened, listed: listed(listings), habit })
    }
}

/// Patients opened, and the habit that shows in it.
fn opened(mut accesses: Vec<(String, i64)>) -> (Vec<Opened>, Habit) {
    accesses.sort_unstable_by_key(|(_, at)| *at);
    let mut patients: HashMap<&str, (i64, i64)> = HashMap::new();
    let mut hours: HashMap<i64, HashSet<&str>> = HashMap::new();
    for (patient, at) in &accesses {
        patients.entry(patient).or_insert((*at, *at)).1 = *at;
        hours.entry(at.div_euclid(HOUR_NS)).or_default().insert(patient);
    }
    let mut days: HashMap<i64, u64> = HashMap::new();
    for (first, _) in patients.values() {
        *days.entry(first.div_euclid(DAY_NS)).or_default() += 1;
    }
    let at_work: HashSet<i64> = accesses.iter().map(|(_, at)| at.div_euclid(DAY_NS)).collect();
    // Of the first day nobody knows who was new.
    if let Some(first) = at_work.iter().min() {
        days.remove(first);
    }
    let habit = Habit {
        days: at_work.len() as u64,
        busiest_hour: hours.values().map(|patients| patients.len() as u64).max().unwrap_or(0),
        busiest_day: days.values().copied().max().unwrap_or(0),
    };
    let of = |(patient, (first_ns, last_ns)): (&str, _)| Opened { patient: patient.to_owned(), first_ns, last_ns };
    (patients.into_iter().map(of).collect(), habit)
}

/// Whom rows told of: who was asked for, or else somebody for each row of a question. The same
/// question again tells of the same.
fn listed(listings: Vec<Listing>) -> Vec<(String, i64)> {
    let mut named: HashMap<String, i64> = HashMap::new();
    let mut asked: HashMap<String, (u64, i64)> = HashMap::new();
    for (about, question, rows, at) in listings {
        match about {
            Some(about) => {
                let last = named.entry(about).or_insert(at);
                *last = at.max(*last);
            }
            None => {
                let (most, last) = asked.entry(question).or_insert((0, at));
                (*most, *last) = (rows.max(*most), at.max(*last));
            }
        }
    }
    let somebody = asked.into_iter().flat_map(|(question, (rows, at))| {
        (0..rows.min(MOST_LISTED)).map(move |row| (format!("row {row} of {question}"), at))
    });
    named.into_iter().chain(somebody).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_hour_and_day_are_those_of_different_patients() {
        let at = |day: i64, hour: i64, patient: &str| (patient.to_owned(), day * DAY_NS + hour * HOUR_NS);
        let accesses = vec![
            at(9, 0, "b"),
            at(0, 1, "a"),
            at(0, 1, "a"),
            at(0, 1, "b"),
            at(0, 2, "c"),
            at(3, 1, "a"),
            at(3, 1, "d"),
        ];
        let (mut patients, habit) = opened(accesses);
        patients.sort_unstable_by(|one, other| one.patient.cmp(&other.patient));
        let a = Opened { patient: "a".into(), first_ns: HOUR_NS, last_ns: 3 * DAY_NS + HOUR_NS };
        assert_eq!((patients.len(), &patients[0]), (4, &a));
        assert_eq!(habit, Habit { days: 3, busiest_hour: 2, busiest_day: 1 }, "all look new on the first day");
        assert_eq!(opened(Vec::new()), (vec![], Habit::default()));
    }

    #[test]
    fn a_question_asked_again_lists_nobody_else() {
        let of = |about: Option<&str>, question: &str, rows, at| (about.map(str::to_owned), question.into(), rows, at);
        let told = listed(vec![
            of(Some("PAT-1"), "a", 400, 5),
            of(Some("PAT-1"), "b", 400, 3),
            of(None, "today", 3, 4),
            of(None, "today", 2, 6),
            of(None, "yesterday", 1, 7),
        ]);
        assert_eq!(told.len(), 1 + 3 + 1);
        assert!(told.contains(&("PAT-1".into(), 5)));
        assert_eq!(told.iter().filter(|(_, at)| *at == 6).count(), 3);
    }
}
