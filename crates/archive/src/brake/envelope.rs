//! How much a caller may take before somebody is asked: numbers, theirs or their kind's.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a caller may do within an hour or a day. Beyond it the brake holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Different patients whose images are opened within an hour.
    pub patients_opened_an_hour: u64,
    /// Different patients that searches tell of within an hour.
    pub patients_listed_an_hour: u64,
    /// Bytes of images handed out within an hour.
    pub bytes_an_hour: u64,
    /// Patients opened within a day that the caller had not opened in the thirty days before.
    pub new_patients_a_day: u64,
    /// The hours in which it works at all; any when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
}

/// A part of the day, in a fixed offset from UTC. When it ends before it begins, it holds
/// midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The first hour, 0 to 23.
    pub from: u8,
    /// The hour that is no longer in it, 0 to 24.
    pub to: u8,
    /// Minutes east of UTC.
    #[serde(default)]
    pub utc_offset_minutes: i16,
}

impl Hours {
    /// Whether that moment is in it.
    pub(super) fn hold(self, moment: OffsetDateTime) -> bool {
        let hour = (moment + time::Duration::minutes(self.utc_offset_minutes.into())).hour();
        if self.from < self.to { (self.from..self.to).contains(&hour) } else { hour >= self.from || hour < self.to }
    }

    /// Whether it is a part of a day at all.
    pub(crate) fn is_possible(self) -> bool {
        self.from < 24 && self.to <= 24 && self.from != self.to && self.utc_offset_minutes.abs() <= 14 * 60
    }
}

/// Who calls, as the brake tells callers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Somebody who signed in and can be asked again who they are.
    Person,
    /// A DICOM peer.
    Machine,
    /// Whoever holds a token.
    Program,
}

impl Kind {
    /// What a caller of the kind may do as long as nothing else was set or learnt.
    pub(crate) fn envelope(self) -> Envelope {
        const GIB: u64 = 1 << 30;
        match self {
            Kind::Person => Envelope {
                patients_opened_an_hour: 60,
                patients_listed_an_hour: 2_000,
                bytes_an_hour: 50 * GIB,
                new_patients_a_day: 150,
                hours: None,
            },
            Kind::Machine | Kind::Program => Envelope {
                patients_opened_an_hour: 300,
                patients_listed_an_hour: 5_000,
                bytes_an_hour: 200 * GIB,
                new_patients_a_day: 2_000,
                hours: None,
            },
        }
    }
}

/// Patients opened in the busiest hour and day of the last thirty days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Habit {
    /// Days of those thirty with an access.
    pub(crate) days: u64,
    /// Different patients opened in the busiest hour.
    pub(crate) busiest_hour: u64,
    /// New patients of the busiest day.
    pub(crate) busiest_day: u64,
}

/// Days of work before a habit says anything.
const ENOUGH_DAYS: u64 = 7;
/// A habit may be exceeded so many times.
const ROOM: u64 = 3;
/// However little somebody does, this much is never too much.
const LEAST_OPENED: u64 = 20;

impl Envelope {
    /// As narrow as a habit allows, never wider than it is.
    pub(crate) fn narrowed(self, habit: Habit) -> Envelope {
        if habit.days < ENOUGH_DAYS {
            return self;
        }
        let room = |busiest: u64, most: u64| busiest.saturating_mul(ROOM).max(LEAST_OPENED).min(most);
        Envelope {
            patients_opened_an_hour: room(habit.busiest_hour, self.patients_opened_an_hour),
            new_patients_a_day: room(habit.busiest_day, self.new_patients_a_day),
            ..self
        }
    }
}

/// In words, for the trail.
impl std::fmt::Display for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} patients opened and {} listed an hour, {} bytes an hour, {} new patients a day",
            self.patients_opened_an_hour, self.patients_listed_an_hour, self.bytes_an_hour, self.new_patients_a_day
        )?;
        match self.hours {
            Some(Hours { from, to, utc_offset_minutes }) => {
                write!(f, ", from {from} to {to} h, {utc_offset_minutes} min from UTC")
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn hours_hold_midnight_when_they_end_before_they_begin() {
        let day = Hours { from: 7, to: 19, utc_offset_minutes: 60 };
        assert!(day.hold(datetime!(2026-01-05 06:00 UTC)) && !day.hold(datetime!(2026-01-05 18:00 UTC)));
        let night = Hours { from: 20, to: 6, utc_offset_minutes: 0 };
        assert!(night.hold(datetime!(2026-01-05 23:59 UTC)) && night.hold(datetime!(2026-01-05 05:00 UTC)));
        assert!(!night.hold(datetime!(2026-01-05 12:00 UTC)));
        assert!(!Hours { from: 24, to: 1, utc_offset_minutes: 0 }.is_possible());
    }

    #[test]
    fn a_habit_narrows_and_never_widens() {
        let person = Kind::Person.envelope();
        let young = Habit { days: 6, busiest_hour: 1, busiest_day: 1 };
        assert_eq!(person.narrowed(young), person);
        let quiet = Habit { days: 30, busiest_hour: 2, busiest_day: 4 };
        assert_eq!(person.narrowed(quiet).patients_opened_an_hour, LEAST_OPENED);
        let busy = Habit { days: 30, busiest_hour: 1_000, busiest_day: 1_000 };
        assert_eq!(person.narrowed(busy), person);
        assert_eq!(person.narrowed(Habit { days: 30, busiest_hour: 12, busiest_day: 30 }).patients_opened_an_hour, 36);
    }
}
