//! Dates and times as DICOM writes them, PS3.5 §6.2 (DA, TM, DT), and ranges of them,
//! PS3.4 C.2.2.2.5.
//!
//! A value that leaves out its smaller parts (`1015` for a time) is the span of all moments it
//! may mean. Deliberately absent: the machine's clock and its time zone.

use std::fmt;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A day of the Gregorian calendar. Written and ordered as `YYYYMMDD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A time of day in microseconds. Written and ordered as `HHMMSS.FFFFFF`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A moment in microseconds since 1970-01-01T00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(i64);

/// From one value to another, both included; an open end is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range<T> {
    /// The first value that matches.
    pub from: Option<T>,
    /// The last value that matches.
    pub to: Option<T>,
}

impl<T: PartialOrd> Range<T> {
    /// Whether the value lies within.
    pub fn contains(&self, value: &T) -> bool {
        self.from.as_ref().is_none_or(|from| from <= value) && self.to.as_ref().is_none_or(|to| value <= to)
    }
}

impl Date {
    /// Parses `YYYYMMDD` or the older `YYYY.MM.DD`; `None` for what is no day of the calendar.
    pub fn parse(text: &str) -> Option<Date> {
        let text = text.trim_matches([' ', '\0']);
        let bytes = text.as_bytes();
        let (year, month, day) = match bytes.len() {
            8 => (&bytes[..4], &bytes[4..6], &bytes[6..]),
            10 if bytes[4] == b'.' && bytes[7] == b'.' => (&bytes[..4], &bytes[5..7], &bytes[8..]),
            _ => return None,
        };
        Date::new(digits(year)? as u16, digits(month)? as u8, digits(day)? as u8)
    }

    /// The day of that year, month and day of month, when there is one.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Date> {
        let exists = year <= 9999 && (1..=12).contains(&month) && day >= 1 && day <= days_of_month(year, month);
        exists.then_some(Date { year, month, day })
    }

    /// Days since 1970-01-01.
    fn days_since_1970(self) -> i64 {
        // Years begin in March, so that the leap day is a year's last.
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let year = if month <= 2 { year - 1 } else { year };
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        days + day_of_year - 719_468
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{:02}{:02}", self.year, self.month, self.day)
    }
}

impl Time {
    /// The first moment of the day.
    pub const MIDNIGHT: Time = Time(0);
    /// The last moment of the day.
    pub const END_OF_DAY: Time = Time(DAY as u64 - 1);

    /// Parses `HH`, `HHMM`, `HHMMSS`, `HHMMSS.F…` or the older `HH:MM:SS.F…`; the first moment
    /// that the text may mean.
    pub fn parse(text: &str) -> Option<Time> {
        Time::parse_span(text).map(|(first, _)| first)
    }

    /// The first and the last moment that the text may mean. A leap second is the second
    /// before it.
    pub fn parse_span(text: &str) -> Option<(Time, Time)> {
        let text = text.trim_matches([' ', '\0']);
        if text.len() > 16 || !text.is_ascii() {
            return None;
        }
        let plain: String = match text.as_bytes() {
            [_, _, b':', ..] => text.chars().filter(|c| *c != ':').collect(),
            _ => text.to_owned(),
        };
        let (whole, fraction) = match plain.split_once('.') {
            Some((whole, fraction)) if whole.len() == 6 && (1..=6).contains(&fraction.len()) => (whole, fraction),
            Some(_) => return None,
            None => (plain.as_str(), ""),
        };
        let whole = whole.as_bytes();
        if !matches!(whole.len(), 2 | 4 | 6) {
            return None;
        }
        let part = |at: usize| whole.get(at..at + 2).map_or(Some(0), digits);
        let (hour, minute, second) = (part(0)?, part(2)?, part(4)?.min(60));
        if hour > 23 || minute > 59 || part(4)? > 60 {
            return None;
        }
        let mut micros = u64::from((hour * 60 + minute) * 60 + second.min(59)) * 1_000_000;
        let mut span = match whole.len() {
            2 => 3_600_000_000,
            4 => 60_000_000,
            _ => 1_000_000,
        };
        if !fraction.is_empty() {
            span = 10u64.pow(6 - fraction.len() as u32);
            micros += u64::from(digits(fraction.as_bytes())?) * span;
        }
        Some((Time(micros), Time(micros + span - 1)))
    }

    /// Microseconds since midnight.
    pub fn micros(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        write!(f, "{:02}{:02}{:02}.{micros:06}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

impl DateTime {
    /// The first moment that a DT value may mean, see [`DateTime::parse_span`].
    pub fn parse(text: &str, offset: UtcOffset) -> Option<DateTime> {
        DateTime::parse_span(text, offset).map(|(first, _)| first)
    }

    /// The first and the last moment that `YYYYMMDDHHMMSS.FFFFFF&ZZXX` may mean; everything
    /// after the year may be left out. `offset` holds where the value names none.
    pub fn parse_span(text: &str, offset: UtcOffset) -> Option<(DateTime, DateTime)> {
        let text = text.trim_matches([' ', '\0']);
        if text.len() > 26 || !text.is_ascii() {
            return None;
        }
        let (local, offset) = match text.rfind(['+', '-']) {
            Some(at) => (&text[..at], UtcOffset::parse(&text[at..])?),
            None => (text, offset),
        };
        let (date, time) = local.split_at(local.len().min(8));
        let bytes = date.as_bytes();
        let year = digits(bytes.get(..4)?)? as u16;
        let month = bytes.get(4..6).map(digits);
        let day = bytes.get(6..8).map(digits);
        if !matches!(bytes.len(), 4 | 6 | 8) {
            return None;
        }
        let (first, last) = match (month, day) {
            (None, _) => (Date::new(year, 1, 1)?, Date::new(year, 12, 31)?),
            (Some(month), None) => {
                let month = month? as u8;
                let first = Date::new(year, month, 1)?;
                (first, Date { day: days_of_month(year, month), ..first })
            }
            (Some(month), Some(day)) => {
                let date = Date::new(year, month? as u8, day? as u8)?;
                (date, date)
            }
        };
        let (start, end) = if time.is_empty() { (Time::MIDNIGHT, Time::END_OF_DAY) } else { Time::parse_span(time)? };
        Some((DateTime::at(first, start, offset), DateTime::at(last, end, offset)))
    }

    /// The moment of a local date and time.
    pub fn at(date: Date, time: Time, offset: UtcOffset) -> DateTime {
        DateTime(date.days_since_1970() * DAY + time.0 as i64 - i64::from(offset.minutes) * 60_000_000)
    }

    /// Microseconds since 1970-01-01T00:00:00 UTC: what a column holds.
    pub fn micros(self) -> i64 {
        self.0
    }
}

/// Minutes east of UTC, as Timezone Offset From UTC (0008,0201) names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UtcOffset {
    minutes: i16,
}

impl UtcOffset {
    /// UTC itself.
    pub const ZERO: UtcOffset = UtcOffset { minutes: 0 };

    /// Parses `&ZZXX`, from `-1200` to `+1400`.
    pub fn parse(text: &str) -> Option<UtcOffset> {
        let bytes = text.trim_matches([' ', '\0']).as_bytes();
        let sign = match bytes {
            [b'+', _, _, _, _] => 1,
            [b'-', _, _, _, _] => -1,
            _ => return None,
        };
        let (hours, minutes) = (digits(&bytes[1..3])? as i16, digits(&bytes[3..])? as i16);
        let total = sign * (hours * 60 + minutes);
        ((-720..=840).contains(&total) && minutes < 60).then_some(UtcOffset { minutes: total })
    }

    /// Minutes east of UTC.
    pub fn minutes(self) -> i16 {
        self.minutes
    }
}

/// Splits a range key at its hyphen: both ends as text, an empty one open. `None` when there is
/// no hyphen, more than one, or nothing around it.
pub(crate) fn split_range(text: &str) -> Option<(&str, &str)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (from.trim(), to.trim());
    let open = from.is_empty() && to.is_empty();
    (!open && !to.contains('-')).then_some((from, to))
}

fn digits(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 6 {
        return None;
    }
    bytes.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

fn days_of_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        assert_eq!(Date::parse("20240229").map(|d| d.to_string()).as_deref(), Some("20240229"));
        assert_eq!(Date::parse("1993.08.22"), Date::parse("19930822"));
        for text in ["20230229", "00000000", "2024010", "2024-1-1", "20241301", "", "２０２４"] {
            assert_eq!(Date::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_time_spans_what_it_leaves_out() {
        let span = |text| Time::parse_span(text).map(|(a, b)| format!("{a}-{b}"));
        assert_eq!(span("10").as_deref(), Some("100000.000000-105959.999999"));
        assert_eq!(span("1015").as_deref(), Some("101500.000000-101559.999999"));
        assert_eq!(span("101530.5").as_deref(), Some("101530.500000-101530.599999"));
        assert_eq!(span("10:15:30 ").as_deref(), Some("101530.000000-101530.999999"));
        assert_eq!(span("235960").as_deref(), Some("235959.000000-235959.999999"));
        for text in ["24", "1060", "101561", "1", "10.5", "101530.", "101530.1234567", "1é"] {
            assert_eq!(span(text), None, "{text:?}");
        }
    }

    #[test]
    fn moments_compare_across_offsets() {
        let parse = |text| DateTime::parse(text, UtcOffset::ZERO);
        assert_eq!(parse("20240101000000+0100"), parse("20231231230000"));
        assert_eq!(parse("19700101").map(DateTime::micros), Some(0));
        assert_eq!(parse("20000301").map(DateTime::micros), Some(951_868_800_000_000));
        let (first, last) = DateTime::parse_span("202402", UtcOffset::ZERO).unwrap();
        assert_eq!(last.micros() - first.micros(), 29 * DAY - 1);
        for text in ["", "202", "20241", "202413", "20240101-9900", "2024-01-01", "+0100"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn ranges_include_their_ends() {
        let day = |text| Date::parse(text);
        let range = Range { from: day("20240101"), to: None };
        assert!(range.contains(&day("20240101").unwrap()) && !range.contains(&day("20231231").unwrap()));
        assert_eq!(split_range("-20240101"), Some(("", "20240101")));
        assert_eq!(split_range("-"), None);
        assert_eq!(split_range("20240101"), None);
    }
}
