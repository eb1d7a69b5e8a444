//! What other engines found, as targets: read, cut down to the scope, and believed in nothing else.
//!
//! An imported endpoint is neither authorised nor a finding: the scope is asked of each row
//! here, and again at the connect, and what is there is looked at anew.
//! Deliberately absent: banners, titles and whatever else the rows hold.

mod counted;
mod detect;
mod json;
mod list;
mod rows;
mod table;
mod xml;

use std::fmt;
use std::io::{BufReader, Cursor, Read};
use std::net::IpAddr;
use std::str::FromStr;

use crate::scope::Scope;
use rows::Rows;
pub use rows::{Dropped, Imported};

/// What the files of other engines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `masscan -oJ`: an array of objects, with or without the commas that it needs.
    MasscanJson,
    /// `masscan -oD`: an object a line.
    MasscanNdjson,
    /// `masscan -oL`: `open tcp PORT ADDRESS TIME`.
    MasscanList,
    /// `masscan -oX`.
    MasscanXml,
    /// `nmap -oX`.
    NmapXml,
    /// zmap's CSV: `saddr`, and `sport` when it was asked for.
    ZmapCsv,
    /// zgrab2's object a line.
    Zgrab2,
    /// `shodan download`, unpacked: an object a line.
    Shodan,
    /// Censys hosts: an array of objects, an object a line, or an answer of its API.
    Censys,
    /// An `address`, `address:port` or `[address]:port` a line.
    List,
    /// An inventory: `ip,port,label`, with or without a line of headings.
    Csv,
}

/// What the reader is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Which format it is; told by its beginning when it is not said.
    pub format: Option<Format>,
    /// The port of rows that have none. Without it, they get the ports of their asset.
    pub port: Option<u16>,
}

/// Why a file cannot be imported. Whoever brought the file is to mend it; nothing of what is
/// in it stands in these messages.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Its beginning is of no format known.
    #[error("the file is of no known format; unpack it when it is packed, or say which of {} it is", Format::list())]
    NotRecognised,
    /// It cannot be read on.
    #[error("line {line}: the file cannot be read")]
    Io {
        /// Counted from 1.
        line: u64,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line, object or element is larger than any that the engines write.
    #[error("line {line}: a row of more than {} KiB", limit / 1024)]
    TooLong {
        /// Counted from 1.
        line: u64,
        /// In bytes.
        limit: usize,
    },
    /// Objects or elements in one another, deeper than any that the engines write.
    #[error("line {line}: nested too deeply")]
    TooDeep {
        /// Counted from 1.
        line: u64,
    },
    /// A document type definition: never read, since it can hold a bomb or lead elsewhere.
    #[error("line {line}: a document type definition or entity, which no engine writes")]
    Dtd {
        /// Counted from 1.
        line: u64,
    },
    /// It stops being what it began as.
    #[error("line {line}: not {format}; mend the line, or say which format it is")]
    Broken {
        /// Counted from 1.
        line: u64,
        /// What it was read as.
        format: Format,
    },
    /// It ends where something is open yet.
    #[error("line {line}: the file ends in the middle; let the scan end, then export again")]
    Cut {
        /// Counted from 1.
        line: u64,
    },
    /// More endpoints in scope than a list can hold.
    #[error("line {line}: more than {} endpoints in scope; write their networks into the scope instead", rows::MOST / 2)]
    TooMany {
        /// Counted from 1.
        line: u64,
    },
}

/// Reads a file that another engine wrote and keeps the endpoints that the scope holds, at
/// whatever hour: the hour is asked when one connects.
pub fn read(mut file: impl Read, scope: &Scope, options: Options) -> Result<Imported, ImportError> {
    let mut beginning = Vec::new();
    let read = file.by_ref().take(detect::BEGINNING).read_to_end(&mut beginning);
    read.map_err(|source| ImportError::Io { line: 1, source })?;
    let mark = detect::byte_order_mark(&beginning);
    let format = options.format.or_else(|| detect::format(&beginning[mark..])).ok_or(ImportError::NotRecognised)?;
    let comma = detect::delimiter(&beginning[mark..]);
    let mut beginning = Cursor::new(beginning);
    beginning.set_position(mark as u64);
    let source = BufReader::new(beginning.chain(file));
    let mut rows = Rows::new(scope, format, options.port);
    match format {
        Format::MasscanJson | Format::MasscanNdjson | Format::Zgrab2 | Format::Shodan | Format::Censys => {
            json::read(source, &mut rows)?;
        }
        Format::MasscanXml | Format::NmapXml => xml::read(source, &mut rows)?,
        Format::MasscanList | Format::List => list::read(source, &mut rows)?,
        Format::ZmapCsv | Format::Csv => table::read(source, comma, &mut rows)?,
    }
    Ok(rows.finish())
}

/// An address as the engines write it; IPv4 whichever way it is spelled.
fn address(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok().map(|address: IpAddr| address.to_canonical())
}

impl Format {
    /// All of them with their names.
    pub const NAMES: [(&'static str, Format); 11] = [
        ("masscan-json", Format::MasscanJson),
        ("masscan-ndjson", Format::MasscanNdjson),
        ("masscan-list", Format::MasscanList),
        ("masscan-xml", Format::MasscanXml),
        ("nmap-xml", Format::NmapXml),
        ("zmap-csv", Format::ZmapCsv),
        ("zgrab2", Format::Zgrab2),
        ("shodan", Format::Shodan),
        ("censys", Format::Censys),
        ("list", Format::List),
        ("csv", Format::Csv),
    ];

    fn list() -> String {
        Format::NAMES.map(|(name, _)| name).join(", ")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Format::NAMES.iter().find(|(_, format)| format == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl FromStr for Format {
    type Err = ImportError;

    fn from_str(text: &str) -> Result<Format, ImportError> {
        let found = Format::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, format)| *format).ok_or(ImportError::NotRecognised)
    }
}

#[cfg(test)]
mod tests;
