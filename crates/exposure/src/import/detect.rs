//! Which format a file is, by its beginning.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::json::Elements;
use super::{Format, address, list};

/// How much of a file is looked at, in bytes.
pub(super) const BEGINNING: u64 = 1024 * 1024;

/// How many bytes of UTF-8 byte order mark there are.
pub(super) fn byte_order_mark(beginning: &[u8]) -> usize {
    if beginning.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}

/// The format, when it is plain.
pub(super) fn format(beginning: &[u8]) -> Option<Format> {
    match beginning.iter().find(|byte| !byte.is_ascii_whitespace())? {
        b'<' => xml(beginning),
        b'[' | b'{' => json(beginning).or_else(|| lines(beginning)),
        _ => lines(beginning),
    }
}

/// What stands between the columns: in some countries a semicolon.
pub(super) fn delimiter(beginning: &[u8]) -> u8 {
    let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter| line.iter().filter(|byte| **byte == delimiter).count();
    if count(b';') > count(b',') { b';' } else { b',' }
}

fn xml(beginning: &[u8]) -> Option<Format> {
    let holds = |part: &[u8]| beginning.windows(part.len()).any(|window| window == part);
    if holds(b"scanner=\"masscan\"") {
        return Some(Format::MasscanXml);
    }
    // A bomb before the root is to be named as one by the reader.
    (holds(b"<nmaprun") || holds(b"<!DOCTYPE")).then_some(Format::NmapXml)
}

fn json(beginning: &[u8]) -> Option<Format> {
    let mut elements = Elements::new(beginning, Format::MasscanJson);
    let Some(first) = elements.next().ok()? else {
        // An array of nothing is what masscan writes when nothing answered.
        return Some(Format::MasscanJson);
    };
    let keys: BTreeMap<String, IgnoredAny> = serde_json::from_slice(first).ok()?;
    let signs = [
        ("ip_str", Format::Shodan),
        ("rec_type", Format::MasscanNdjson),
        ("ports", Format::MasscanJson),
        ("services", Format::Censys),
        ("host", Format::Censys),
        ("host_v1", Format::Censys),
        ("result", Format::Censys),
        ("data", Format::Zgrab2),
    ];
    signs.into_iter().find(|(key, _)| keys.contains_key(*key)).map(|(_, format)| format)
}

fn lines(beginning: &[u8]) -> Option<Format> {
    if beginning.starts_with(b"#masscan") {
        return Some(Format::MasscanList);
    }
    let lines = beginning.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let first = lines.map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    if ["open ", "closed ", "banner "].iter().any(|start| first.starts_with(start)) {
        return Some(Format::MasscanList);
    }
    let mut columns = first.split([',', ';']).map(|column| column.trim().trim_matches('"').to_ascii_lowercase());
    if columns.clone().any(|column| column == "saddr") {
        return Some(Format::ZmapCsv);
    }
    if first.contains([',', ';']) {
        let known = columns.any(|column| address(&column).is_some() || super::table::ADDRESS.contains(&&*column));
        return known.then_some(Format::Csv);
    }
    list::endpoint(first).map(|_| Format::List)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_tell_the_format() {
        let beginnings = [
            ("[\n{   \"ip\": \"10.0.0.5\",   \"ports\": [] }\n", Format::MasscanJson),
            ("[\n]\n", Format::MasscanJson),
            ("{\"ip\":\"10.0.0.5\",\"port\":1,\"rec_type\":\"status\",\"data\":{}}\n", Format::MasscanNdjson),
            ("{\"data\": \"\", \"ip_str\": \"10.0.0.5\", \"ports\": 1}", Format::Shodan),
            ("{\"ip\":\"10.0.0.5\",\"data\":{\"http\":{}}}", Format::Zgrab2),
            ("[{\"ip\":\"10.0.0.5\",\"services\":[]}]", Format::Censys),
            ("#masscan\nopen tcp 104 10.0.0.5 1\n", Format::MasscanList),
            ("open tcp 104 10.0.0.5 1\n", Format::MasscanList),
            ("<?xml version=\"1.0\"?>\r\n<nmaprun scanner=\"masscan\">", Format::MasscanXml),
            ("<?xml version=\"1.0\"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner=\"nmap\">", Format::NmapXml),
            ("saddr\n10.0.0.5\n", Format::ZmapCsv),
            ("saddr,sport\n10.0.0.5,104\n", Format::ZmapCsv),
            ("ip;port;label\n", Format::Csv),
            ("10.0.0.5,104,archive\n", Format::Csv),
            ("# ours\n\n10.0.0.5:104\n", Format::List),
            ("[fd00::5]:104\n", Format::List),
        ];
        for (beginning, expected) in beginnings {
            assert_eq!(format(beginning.as_bytes()), Some(expected), "{beginning}");
        }
    }

    #[test]
    fn other_files_are_not_guessed() {
        for beginning in ["", "\n\n", "\x1f\u{8b}\x08", "hello\n", "a,b,c\n1,2,3\n", "<html>", "{\"a\":1}", "{\"ip\":"]
        {
            assert_eq!(format(beginning.as_bytes()), None, "{beginning:?}");
        }
        assert_eq!(format(b"\xff\xfe1\x000\x00"), None);
    }
}
