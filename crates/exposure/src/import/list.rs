//! A line each: masscan's list, and addresses with or without a port.

use std::io::BufRead;
use std::net::{IpAddr, SocketAddr};

use super::counted::{Counted, text};
use super::rows::Rows;
use super::{Format, ImportError, address};

/// Longest line, in bytes: masscan's hold banners.
const MAX_LINE: usize = 64 * 1024;

/// Reads all lines.
pub(super) fn read(source: impl BufRead, rows: &mut Rows<'_>) -> Result<(), ImportError> {
    let mut source = Counted::new(source, MAX_LINE);
    let mut bytes = Vec::new();
    loop {
        let line = source.line();
        if !source.read_line(&mut bytes)? {
            return Ok(());
        }
        let row = text(&bytes, line, rows.format())?.trim();
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        if rows.format() == Format::MasscanList {
            masscan(row, line, rows)?;
        } else {
            match endpoint(row) {
                Some((address, port)) => rows.open(address, port, line)?,
                None => rows.malformed(),
            }
        }
    }
}

/// `10.0.0.5`, `10.0.0.5:104`, `fd00::5` or `[fd00::5]:104`.
pub(super) fn endpoint(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Some(address) = address(text.trim_start_matches('[').trim_end_matches(']')) {
        return Some((address, None));
    }
    let endpoint: SocketAddr = text.parse().ok()?;
    Some((endpoint.ip().to_canonical(), Some(endpoint.port())))
}

/// `open tcp 104 10.0.0.5 1500000000`; a banner's line goes on.
fn masscan(row: &str, line: u64, rows: &mut Rows<'_>) -> Result<(), ImportError> {
    let mut words = row.split_ascii_whitespace();
    let (status, transport) = (words.next(), words.next());
    let port = words.next().and_then(|port| port.parse().ok());
    let address = words.next().and_then(address);
    match (status, transport, port, address) {
        (Some("open" | "banner"), Some("tcp"), Some(port), Some(address)) => rows.open(address, Some(port), line)?,
        (Some(_), Some(_), Some(_), Some(_)) => rows.not_open(),
        _ => rows.malformed(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_with_and_without_a_port() {
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(endpoint("10.0.0.5"), Some((at("10.0.0.5"), None)));
        assert_eq!(endpoint("10.0.0.5:104"), Some((at("10.0.0.5"), Some(104))));
        assert_eq!(endpoint("fd00::5"), Some((at("fd00::5"), None)));
        assert_eq!(endpoint("[fd00::5]"), Some((at("fd00::5"), None)));
        assert_eq!(endpoint("[fd00::5]:104"), Some((at("fd00::5"), Some(104))));
        assert_eq!(endpoint("[::ffff:10.0.0.5]:104"), Some((at("10.0.0.5"), Some(104))));
        for text in ["", "pacs", "10.0.0.5:", "10.0.0.5:99999", "10.0.0.0/24", "10.0.0.5 104", "[fd00::5]:"] {
            assert_eq!(endpoint(text), None, "{text}");
        }
    }
}
