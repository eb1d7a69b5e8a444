//! What a caller opened lately, from the trail: for the brake.

use std::collections::{HashMap, HashSet};

use rusqlite::params;

use super::{Index, IndexError};
use crate::Operation;
use crate::brake::Habit;

/// Most entries looked at; the newest.
const MOST: u32 = 100_000;
const HOUR_NS: i64 = 3_600_000_000_000;
const DAY_NS: i64 = 24 * HOUR_NS;

/// Patients and when each was opened last, and the habit that shows in it.
pub(crate) type Opened = (Vec<(String, i64)>, Habit);

impl Index {
    /// What that caller opened since then.
    pub(crate) fn habit_of(&self, caller: &str, since_ns: i64, now_ns: i64) -> Result<Opened, IndexError> {
        let accesses = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT patient_id, time_ns FROM trail WHERE caller = $1 AND time_ns >= $2 AND action = $3
                     AND patient_id IS NOT NULL AND outcome <> 'refused' ORDER BY time_ns DESC LIMIT $4",
            )?;
            let mut rows = statement.query(params![caller, since_ns, Operation::Retrieve.name(), MOST])?;
            let mut accesses: Vec<(String, i64)> = Vec::new();
            while let Some(row) = rows.next()? {
                accesses.push((row.get(0)?, row.get(1)?));
            }
            Ok(accesses)
        })?;
        Ok(opened(&accesses, now_ns))
    }
}

/// Of accesses, newest first.
fn opened(accesses: &[(String, i64)], now_ns: i64) -> Opened {
    let (mut last, mut first) = (HashMap::<&str, i64>::new(), HashMap::<&str, i64>::new());
    let mut hours: HashMap<i64, HashSet<&str>> = HashMap::new();
    for (patient, at) in accesses {
        last.entry(patient).or_insert(*at);
        first.insert(patient, *at);
        hours.entry(at.div_euclid(HOUR_NS)).or_default().insert(patient);
    }
    let mut days: HashMap<i64, u64> = HashMap::new();
    for at in first.values() {
        *days.entry(at.div_euclid(DAY_NS)).or_default() += 1;
    }
    let oldest = accesses.last().map_or(now_ns, |(_, at)| *at);
    let habit = Habit {
        days: u64::try_from((now_ns - oldest) / DAY_NS).unwrap_or(0),
        busiest_hour: hours.values().map(|patients| patients.len() as u64).max().unwrap_or(0),
        busiest_day: days.values().copied().max().unwrap_or(0),
    };
    (last.into_iter().map(|(patient, at)| (patient.to_owned(), at)).collect(), habit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_hour_and_day_are_those_of_different_patients() {
        let at = |day: i64, hour: i64, patient: &str| (patient.to_owned(), day * DAY_NS + hour * HOUR_NS);
        let mut accesses = vec![
            at(0, 1, "a"),
            at(0, 1, "a"),
            at(0, 1, "b"),
            at(0, 2, "c"),
            at(3, 1, "a"),
            at(3, 1, "d"),
            at(9, 0, "b"),
        ];
        accesses.reverse();
        let (mut last, habit) = opened(&accesses, 10 * DAY_NS);
        last.sort();
        assert_eq!(last[0], ("a".to_owned(), 3 * DAY_NS + HOUR_NS));
        assert_eq!(habit, Habit { days: 9, busiest_hour: 2, busiest_day: 3 });
        assert_eq!(opened(&[], 5), (vec![], Habit::default()));
    }
}
