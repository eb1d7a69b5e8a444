//! Numbers of DS, IS, FL and FD as JSON has them.

/// Appends the text of a DS or IS as a number; `false`, and nothing appended, when it is none.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) -> bool {
    let text = text.trim_matches(' ');
    if is_json_number(text.as_bytes()) {
        // Enough digits for f64 to stay finite: nobody downstream turns it into infinity.
        if text.len() <= 64 && (!text.contains(['e', 'E']) || parses_finite(text)) {
            out.extend_from_slice(text.as_bytes());
            return true;
        }
        return false;
    }
    let allowed = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    match text.parse::<f64>() {
        Ok(number) if allowed && number.is_finite() => {
            write_float(number, out);
            true
        }
        _ => false,
    }
}

/// Appends a float in its shortest form that reads back the same. What JSON has no number
/// for becomes a string (PS3.18 F.2.3).
pub(super) fn write_float(number: f64, out: &mut Vec<u8>) {
    let text = if number.is_nan() {
        "\"NaN\"".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "\"inf\"" } else { "\"-inf\"" }.to_owned()
    } else {
        format!("{number:?}")
    };
    out.extend_from_slice(text.as_bytes());
}

fn parses_finite(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// RFC 8259 §6.
fn is_json_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => match digits(fraction) {
            (0, _) => return false,
            (_, rest) => rest,
        },
    };
    match rest.split_first() {
        None => true,
        Some((b'e' | b'E', exponent)) => {
            let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
            let (count, rest) = digits(exponent);
            count > 0 && rest.is_empty()
        }
        Some(_) => false,
    }
}

fn digits(text: &[u8]) -> (usize, &[u8]) {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    (count, &text[count..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_numbers_or_nothing() {
        for (text, json) in [
            ("1.500", "1.500"),
            (" 12 ", "12"),
            ("+3", "3.0"),
            ("007", "7.0"),
            (".5", "0.5"),
            ("-5.", "-5.0"),
            ("1E3", "1E3"),
            ("-0.0", "-0.0"),
            ("", ""),
            ("NaN", ""),
            ("inf", ""),
            ("1..2", ""),
            ("1e999", ""),
            ("0x10", ""),
        ] {
            let mut out = Vec::new();
            write_text(text, &mut out);
            assert_eq!(out, json.as_bytes(), "{text:?}");
            if !out.is_empty() {
                assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
            }
        }
    }
}
