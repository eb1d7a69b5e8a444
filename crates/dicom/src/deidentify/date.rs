//! Dates moved by whole days, PS3.15 E.3.6: what was a day apart stays a day apart, and the time
//! of day and the offset from UTC stay as they are.

use time::{Date, Duration, Month};

/// A DA value moved by that many days; `None` when it is no date. The form with dots that
/// ACR-NEMA had comes out without.
pub(super) fn shifted_date(value: &str, days: i32) -> Option<String> {
    let value = value.trim();
    let plain: String = match value.as_bytes() {
        [_, _, _, _, b'.', _, _, b'.', _, _] => value.chars().filter(|c| *c != '.').collect(),
        _ => value.to_owned(),
    };
    (plain.len() == 8).then(|| moved(&plain, days)).flatten()
}

/// A DT value moved by that many days; `None` when it is no date and time. One that says only
/// the year or the month is taken as its first day, and is as short when it comes out.
pub(super) fn shifted_date_time(value: &str, days: i32) -> Option<String> {
    let value = value.trim();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (date, rest) = value.split_at_checked(digits.min(8))?;
    if !is_time_and_offset(rest) || (date.len() < 8 && rest.starts_with(|c: char| c.is_ascii_digit() || c == '.')) {
        return None;
    }
    let whole = match date.len() {
        4 => format!("{date}0101"),
        6 => format!("{date}01"),
        8 => date.to_owned(),
        _ => return None,
    };
    let moved = moved(&whole, days)?;
    Some(format!("{}{rest}", moved.get(..date.len())?))
}

/// Whether that is a TM value, PS3.5 6.2: it stays as it is.
pub(super) fn is_time(value: &str) -> bool {
    let value = value.trim();
    !value.is_empty()
        && value.len() <= 14
        && value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':'))
}

/// Whether that is an offset from UTC, as in (0008,0201): `&ZZXX`.
pub(super) fn is_offset(value: &str) -> bool {
    matches!(value.trim().as_bytes(), [b'+' | b'-', digits @ ..] if digits.len() == 4 && digits.iter().all(u8::is_ascii_digit))
}

fn is_time_and_offset(text: &str) -> bool {
    let at = text.find(['+', '-']).unwrap_or(text.len());
    let Some((time, offset)) = text.split_at_checked(at) else { return false };
    let plain = time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain && time.len() <= 13 && (offset.is_empty() || is_offset(offset))
}

/// YYYYMMDD moved.
fn moved(text: &str, days: i32) -> Option<String> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<u16>().ok());
    let month = Month::try_from(u8::try_from(number(4..6)?).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(number(0..4)?), month, u8::try_from(number(6..8)?).ok()?).ok()?;
    let date = date.checked_add(Duration::days(i64::from(days)))?;
    let year = u16::try_from(date.year()).ok()?;
    Some(format!("{year:04}{:02}{:02}", u8::from(date.month()), date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_move_by_days_over_months_and_leap_years() {
        assert_eq!(shifted_date("20240301", -1).as_deref(), Some("20240229"));
        assert_eq!(shifted_date("2023.03.01", -1).as_deref(), Some("20230228"));
        assert_eq!(shifted_date("20240101 ", -366).as_deref(), Some("20221231"));
        for text in ["", "20241301", "20240230", "Doe", "2024010", "-2024010", "2024-01-01"] {
            assert_eq!(shifted_date(text, -1), None, "{text:?}");
        }
    }

    #[test]
    fn times_and_offsets_stay() {
        assert_eq!(shifted_date_time("20240301235959.123456+0200", -1).as_deref(), Some("20240229235959.123456+0200"));
        assert_eq!(shifted_date_time("20240301", -1).as_deref(), Some("20240229"));
        assert_eq!(shifted_date_time("202403", -1).as_deref(), Some("202402"));
        assert_eq!(shifted_date_time("2024", -1).as_deref(), Some("2023"));
        assert_eq!(shifted_date_time("2024-0500", -1).as_deref(), Some("2023-0500"));
        for text in ["", "20240", "Doe", "20240301Doe", "20240301120000+02", "20240301120000+0200x", "2024.5"] {
            assert_eq!(shifted_date_time(text, -1), None, "{text:?}");
        }
        assert!(is_time("235959.123") && is_time("23:59") && !is_time("Doe") && !is_time("") && !is_time("-1"));
        assert!(is_offset("+0100") && is_offset("-0330 ") && !is_offset("0100") && !is_offset("+01"));
    }

    proptest! {
        #[test]
        fn intervals_stay(a in 0..50_000_i64, b in 0..50_000_i64, days in -3680..-30_i32) {
            let origin = Date::from_calendar_date(1950, Month::January, 1).unwrap();
            let text = |date: Date| format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day());
            let read = |text: &str| {
                let number = |range: std::ops::Range<usize>| text[range].parse::<u16>().unwrap();
                let month = Month::try_from(number(4..6) as u8).unwrap();
                Date::from_calendar_date(i32::from(number(0..4)), month, number(6..8) as u8).unwrap()
            };
            let (one, other) = (origin + Duration::days(a), origin + Duration::days(b));
            let (moved, moved_too) = (shifted_date(&text(one), days).unwrap(), shifted_date(&text(other), days).unwrap());
            prop_assert_eq!(read(&moved) - read(&moved_too), one - other);
        }

        #[test]
        fn any_text_is_moved_or_refused(text: String) {
            let _ = (shifted_date(&text, -30), shifted_date_time(&text, -30), is_time(&text), is_offset(&text));
        }
    }
}
