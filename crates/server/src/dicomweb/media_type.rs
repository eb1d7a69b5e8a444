//! Media types and the `Accept` lists they stand in (RFC 9110 §8.3.1, §12.5.1).
//!
//! Tolerant where real DICOMweb clients are sloppy: `type=application/dicom` without quotes
//! is read. Deliberately absent: any knowledge of DICOM; see [`super::negotiate`].

/// A media type with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    parameters: Vec<(String, String)>,
}

/// Longest text looked at; nobody needs more.
const LONGEST: usize = 4096;
/// Most media types in one `Accept`.
const MOST: usize = 64;

impl MediaType {
    /// Reads `type/subtype; name=value; name="value"`. `None` when it is none.
    pub fn parse(text: &str) -> Option<MediaType> {
        if text.len() > LONGEST {
            return None;
        }
        let mut fields = split_outside_quotes(text, ';').into_iter();
        let essence = fields.next()?.trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        let token =
            |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&b));
        if !token(kind) || !token(subtype) {
            return None;
        }
        let mut parameters = Vec::new();
        for field in fields.filter(|field| !field.trim().is_empty()) {
            let (name, value) = field.split_once('=')?;
            parameters.push((name.trim().to_ascii_lowercase(), unquote(value.trim())));
        }
        Some(MediaType { essence, parameters })
    }

    /// `type/subtype` in lower case.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// The parameter of that (lower-case) name, unquoted.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether this, as a range (`*/*`, `image/*`), holds that `type/subtype`.
    pub fn holds(&self, essence: &str) -> bool {
        match self.essence.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => essence.split_once('/').is_some_and(|(k, _)| k == kind),
            None => self.essence == essence,
        }
    }
}

/// One entry of an `Accept`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The media type or range.
    pub media_type: MediaType,
    /// Its weight in thousandths; 0 means not acceptable.
    pub quality: u16,
}

/// Reads an `Accept` list, best first, equal ones in the order given. Entries that are no
/// media types are skipped; `None` when nothing is left.
pub fn parse_accept(text: &str) -> Option<Vec<Accepted>> {
    if text.len() > LONGEST {
        return None;
    }
    let mut accepted: Vec<Accepted> = split_outside_quotes(text, ',')
        .into_iter()
        .filter_map(MediaType::parse)
        .take(MOST)
        .map(|media_type| Accepted { quality: quality(&media_type), media_type })
        .collect();
    accepted.sort_by_key(|entry| std::cmp::Reverse(entry.quality));
    (!accepted.is_empty()).then_some(accepted)
}

/// The weight of a `q` parameter in thousandths, RFC 9110 §12.4.2; 1 when absent or odd.
fn quality(media_type: &MediaType) -> u16 {
    weight(media_type.parameter("q"))
}

/// A `q` value in thousandths; 1000 when absent or odd.
pub(super) fn weight(text: Option<&str>) -> u16 {
    let value = text.and_then(|q| q.trim().parse::<f32>().ok()).filter(|q| (0.0..=1.0).contains(q));
    value.map_or(1000, |q| (q * 1000.0).round() as u16)
}

/// Splits at a separator that is not inside a quoted string.
fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let (mut fields, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                fields.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    fields.push(&text[start..]);
    fields
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.trim_matches('"').to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        out.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_unquoted_parameters_read_alike() {
        for text in [
            "multipart/related; type=\"application/dicom\"; boundary=abc",
            "Multipart/Related;Type=application/dicom;boundary=\"abc\"",
            "multipart/related ; type = \"application\\/dicom\" ; boundary=abc;",
        ] {
            let media_type = MediaType::parse(text).unwrap();
            assert_eq!(media_type.essence(), "multipart/related");
            assert_eq!(media_type.parameter("type"), Some("application/dicom"), "{text}");
            assert_eq!(media_type.parameter("boundary"), Some("abc"));
        }
    }

    #[test]
    fn no_media_type_is_none() {
        for text in ["", "dicom", "a/", "/b", "a/b; novalue", "a b/c", "a/b\r\nX: y"] {
            assert_eq!(MediaType::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn accept_is_ordered_by_quality_and_then_as_given() {
        let list = parse_accept("a/a;q=0.1, b/b;x=\"1,2\", c/c;q=0, d/d, */*;q=0.05").unwrap();
        let order: Vec<_> = list.iter().map(|e| (e.media_type.essence(), e.quality)).collect();
        assert_eq!(order, [("b/b", 1000), ("d/d", 1000), ("a/a", 100), ("*/*", 50), ("c/c", 0)]);
        assert_eq!(parse_accept("nonsense"), None);
    }

    #[test]
    fn ranges_hold_what_they_should() {
        let range = |text| MediaType::parse(text).unwrap();
        assert!(
            range("*/*").holds("image/jpeg")
                && range("image/*").holds("image/jpeg")
                && range("image/jpeg").holds("image/jpeg")
        );
        assert!(!range("image/*").holds("imagery/x") && !range("image/jpeg").holds("image/jls"));
    }
}
