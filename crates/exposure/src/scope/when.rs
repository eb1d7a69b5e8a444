//! Dates, hours and days of a scope file.

use toml::value::{Datetime, Offset};

use super::section::{At, Section, quoted};
use super::{Validity, Window};

/// Longest validity of an authorisation, in seconds: 400 days.
const LONGEST: i64 = 400 * DAY;
const DAY: i64 = 86_400;
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `valid_from` and `valid_until`. A date alone is the day in UTC, the last day included.
pub(super) fn validity(file: &Section<'_>) -> Option<Validity> {
    let mend = "write a date as 2026-11-22, or a time as 2026-11-22T20:00:00+01:00";
    let from = bound(file, "valid_from", mend, 0);
    let until = bound(file, "valid_until", mend, DAY);
    let (from, until) = (from?, until?);
    if until.value <= from.value {
        file.faults.at(until.offset, "valid_until is not after valid_from", "write a later date");
    } else if until.value - from.value > LONGEST {
        let mend = "have it authorised anew each year";
        file.faults.at(until.offset, "the authorisation is to hold for more than 400 days", mend);
    }
    Some(Validity { from: from.value, until: until.value })
}

/// One `[[window]]`.
pub(super) fn window(section: Section<'_>) -> Option<Window> {
    let days = days(&section);
    let hour = "write an hour as \"20:00\"";
    let from = minute(&section, "from", hour);
    let until = minute(&section, "until", hour);
    let utc_offset_minutes = utc_offset(&section);
    let offset = section.offset;
    let faults = section.faults;
    section.finish();
    let (from_minute, until_minute) = (from?, until?);
    if from_minute == until_minute || from_minute == 1440 {
        let mend = "write from = \"00:00\" and until = \"24:00\" for a whole day";
        faults.at(offset, "a [[window]] of no length", mend);
    }
    Some(Window { days, from_minute, until_minute, utc_offset_minutes })
}

fn bound(file: &Section<'_>, key: &'static str, mend: &str, whole_day: i64) -> Option<At<i64>> {
    if !file.has(key) {
        file.faults.at(file.offset, format!("{key} is missing"), mend);
    }
    let written = file.datetime(key, mend)?;
    let Some(second) = second(&written.value, whole_day) else {
        file.faults.at(written.offset, format!("{key} has no date"), mend);
        return None;
    };
    Some(At { value: second, offset: written.offset })
}

fn second(written: &Datetime, whole_day: i64) -> Option<i64> {
    let date = written.date?;
    let month = time::Month::try_from(date.month).ok()?;
    let date = time::Date::from_calendar_date(i32::from(date.year), month, date.day).ok()?;
    let midnight = date.midnight().assume_utc().unix_timestamp();
    let Some(time) = written.time else { return Some(midnight + whole_day) };
    let seconds = i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or(0));
    let east = match written.offset {
        Some(Offset::Custom { minutes }) => i64::from(minutes) * 60,
        Some(Offset::Z) | None => 0,
    };
    Some(midnight + seconds - east)
}

fn days(section: &Section<'_>) -> u8 {
    let mend = "write days as \"mon-fri\" or [\"sat\", \"sun\"]";
    let mut days = 0;
    for text in section.texts("days", mend) {
        match days_of(text.value) {
            Some(more) => days |= more,
            None => section.faults.at(text.offset, format!("{} names no days", quoted(text.value)), mend),
        }
    }
    if section.has("days") { days } else { 0b111_1111 }
}

fn days_of(text: &str) -> Option<u8> {
    let text = text.to_ascii_lowercase();
    let day = |name: &str| DAYS.iter().position(|day| *day == name.trim());
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let (first, last) = (day(first)?, day(last)?);
    let count = (last + 7 - first) % 7;
    Some((0..=count).fold(0, |days, after| days | 1 << ((first + after) % 7)))
}

fn minute(section: &Section<'_>, key: &'static str, mend: &str) -> Option<u16> {
    let text = section.required(key, mend)?;
    let minute = clock(text.value).filter(|minute| *minute <= 1440);
    if minute.is_none() {
        section.faults.at(text.offset, format!("{key} is no hour"), mend);
    }
    minute
}

fn utc_offset(section: &Section<'_>) -> i16 {
    let mend = "write the clock's distance from UTC as \"+01:00\", or \"Z\"";
    let Some(text) = section.text("utc_offset", mend) else { return 0 };
    let minutes = match text.value.split_at_checked(1) {
        Some(("+", rest)) => clock(rest).and_then(|minutes| i16::try_from(minutes).ok()),
        Some(("-", rest)) => clock(rest).and_then(|minutes| i16::try_from(minutes).ok()).map(|minutes| -minutes),
        Some(("Z", "")) => Some(0),
        _ => None,
    };
    // UTC+14 is the farthest there is.
    let minutes = minutes.filter(|minutes| minutes.abs() <= 14 * 60);
    if minutes.is_none() {
        section.faults.at(text.offset, "utc_offset is no distance from UTC", mend);
    }
    minutes.unwrap_or(0)
}

/// `HH:MM` as minutes.
fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |digits: &str| (digits.len() == 2).then(|| digits.parse::<u8>().ok()).flatten();
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 24 && minutes < 60).then(|| u16::from(hours) * 60 + u16::from(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_ranges_or_names() {
        assert_eq!(days_of("mon-fri"), Some(0b001_1111));
        assert_eq!(days_of("Sat"), Some(0b010_0000));
        assert_eq!(days_of("fri-mon"), Some(0b111_0001));
        assert_eq!(days_of("someday"), None);
    }

    #[test]
    fn a_date_is_its_whole_day_and_a_time_has_its_offset() {
        let second = |text: &str, whole_day| second(&text.parse().unwrap(), whole_day);
        assert_eq!(second("2026-11-22", 0), Some(1_795_305_600));
        assert_eq!(second("2026-11-22", DAY), Some(1_795_305_600 + DAY));
        assert_eq!(second("2026-11-22T13:00:00+01:00", DAY), Some(1_795_348_800));
        assert_eq!(second("2026-11-22T12:00:00", DAY), Some(1_795_348_800));
        assert_eq!(second("12:00:00", 0), None);
    }
}
