//! nmap's XML, and masscan's, which is a part of it.
//!
//! Read as it comes, element by element. Entities are never expanded: nothing that is looked
//! at here has any.

use std::io::BufRead;
use std::net::IpAddr;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::counted::{Counted, at_line};
use super::rows::Rows;
use super::{ImportError, address};

/// Largest element without what is in it, in bytes: scripts put whole answers into attributes.
const MAX_EVENT: usize = 4 * 1024 * 1024;
/// Deepest nesting: nmap's tables come to a dozen.
const MAX_DEPTH: usize = 64;

/// Reads all ports of all hosts.
pub(super) fn read(source: impl BufRead, rows: &mut Rows<'_>) -> Result<(), ImportError> {
    let mut reader = Reader::from_reader(Counted::new(source, MAX_EVENT));
    let mut buffer = Vec::new();
    let mut host = Host::default();
    let mut depth = 0;
    loop {
        buffer.clear();
        reader.get_mut().mark();
        let begins = reader.get_ref().line();
        let event = reader.read_event_into(&mut buffer);
        let line = reader.get_ref().line();
        match event {
            Ok(Event::Start(_)) if depth == MAX_DEPTH => return Err(ImportError::TooDeep { line }),
            Ok(Event::Start(element)) => {
                depth += 1;
                host.begin(&element);
            }
            Ok(Event::Empty(element)) => {
                host.begin(&element);
                host.end(element.name().as_ref(), line, rows)?;
            }
            Ok(Event::End(element)) => {
                depth = depth.saturating_sub(1);
                host.end(element.name().as_ref(), line, rows)?;
            }
            // nmap writes this one, which says nothing.
            Ok(Event::DocType(definition)) if definition.trim_ascii() == b"nmaprun" => {}
            Ok(Event::DocType(_)) => return Err(ImportError::Dtd { line }),
            Ok(Event::Eof) if depth > 0 => return Err(ImportError::Cut { line }),
            Ok(Event::Eof) => return Ok(()),
            Ok(_) => {}
            Err(quick_xml::Error::Io(source)) => {
                return Err(at_line(source.kind().into(), begins, MAX_EVENT));
            }
            Err(_) => return Err(ImportError::Broken { line, format: rows.format() }),
        }
    }
}

/// The host that is read, and its port.
#[derive(Default)]
struct Host {
    inside: bool,
    address: Option<IpAddr>,
    port: Option<Port>,
}

#[derive(Default)]
struct Port {
    number: Option<u16>,
    tcp: bool,
    open: bool,
}

impl Host {
    fn begin(&mut self, element: &BytesStart<'_>) {
        match element.name().as_ref() {
            b"host" => *self = Host { inside: true, ..Host::default() },
            b"address" if self.inside => {
                // A host's hardware address comes after; it is no address here.
                let written = attribute(element, b"addr").and_then(|text| address(&text));
                self.address = self.address.or(written);
            }
            b"port" if self.inside => {
                let number = attribute(element, b"portid").and_then(|text| text.parse().ok());
                let tcp = attribute(element, b"protocol").is_some_and(|text| text == "tcp");
                self.port = Some(Port { number, tcp, open: false });
            }
            b"state" => {
                if let Some(port) = &mut self.port {
                    port.open = attribute(element, b"state").is_some_and(|text| text == "open");
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8], line: u64, rows: &mut Rows<'_>) -> Result<(), ImportError> {
        match name {
            b"host" => *self = Host::default(),
            b"port" => match (self.port.take(), self.address) {
                (Some(Port { number: Some(number), tcp: true, open: true }), Some(address)) => {
                    rows.open(address, Some(number), line)?;
                }
                (Some(Port { number: Some(_), .. }), Some(_)) => rows.not_open(),
                (Some(_), _) => rows.malformed(),
                (None, _) => {}
            },
            _ => {}
        }
        Ok(())
    }
}

/// A short attribute, as it is written.
fn attribute(element: &BytesStart<'_>, name: &[u8]) -> Option<String> {
    // Looking for attributes that come twice would cost the square of their number.
    let mut attributes = element.attributes();
    let attributes = attributes.with_checks(false);
    let found = attributes.filter_map(Result::ok).find(|attribute| attribute.key.as_ref() == name)?;
    std::str::from_utf8(&found.value).ok().filter(|text| text.len() <= 64).map(str::to_owned)
}
