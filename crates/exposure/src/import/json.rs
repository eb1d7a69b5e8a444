//! JSON as the engines write it: arrays with a comma too few or too many, or an object a line.
//!
//! Objects are cut out one by one, whatever stands between them, so that the file never is in
//! memory as a whole.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::IpAddr;

use serde::Deserialize;

use super::counted::Counted;
use super::rows::Rows;
use super::{Format, ImportError, address};

/// Largest object, in bytes: Shodan's hold whole pages, an answer of Censys a hundred hosts.
const MAX_OBJECT: usize = 16 * 1024 * 1024;
/// Deepest nesting; serde_json goes no deeper either.
const MAX_DEPTH: usize = 120;

/// Reads all objects.
pub(super) fn read(source: impl BufRead, rows: &mut Rows<'_>) -> Result<(), ImportError> {
    let mut elements = Elements::new(source, rows.format());
    let put = match rows.format() {
        Format::MasscanNdjson => ndjson,
        Format::Zgrab2 => zgrab2,
        Format::Shodan => shodan,
        Format::Censys => censys,
        _ => masscan,
    };
    loop {
        let line = elements.line();
        let Some(object) = elements.next()? else { return Ok(()) };
        // What older versions of masscan end with: no JSON.
        if object == b"{finished: 1}" {
            continue;
        }
        if put(object, line, rows)?.is_none() {
            rows.malformed();
        }
    }
}

/// What came of an object: none when it is none as the format has it.
type Put = Result<Option<()>, ImportError>;

#[derive(Deserialize)]
struct Masscan<'a> {
    #[serde(borrow)]
    ip: Text<'a>,
    ports: Vec<MasscanPort<'a>>,
}

#[derive(Deserialize)]
struct MasscanPort<'a> {
    port: u16,
    #[serde(borrow)]
    proto: Text<'a>,
    /// Absent where a banner was read.
    #[serde(borrow)]
    status: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Ndjson<'a> {
    #[serde(borrow)]
    ip: Text<'a>,
    port: u16,
    #[serde(borrow)]
    proto: Text<'a>,
    #[serde(borrow)]
    data: NdjsonData<'a>,
}

#[derive(Deserialize)]
struct NdjsonData<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Zgrab2<'a> {
    #[serde(borrow)]
    ip: Text<'a>,
    #[serde(borrow)]
    data: BTreeMap<Text<'a>, Zgrab2Module<'a>>,
}

#[derive(Deserialize)]
struct Zgrab2Module<'a> {
    #[serde(borrow)]
    status: Text<'a>,
    /// Absent in older versions.
    port: Option<u16>,
}

#[derive(Deserialize)]
struct Shodan<'a> {
    #[serde(borrow)]
    ip_str: Text<'a>,
    port: u16,
    #[serde(borrow)]
    transport: Option<Text<'a>>,
}

/// A host, or what it is wrapped in: an answer of the API, a hit, a resource.
#[derive(Deserialize)]
struct Censys<'a> {
    #[serde(borrow)]
    ip: Option<Text<'a>>,
    #[serde(borrow)]
    services: Option<Vec<CensysService<'a>>>,
    #[serde(borrow, alias = "host_v1", alias = "resource", alias = "result")]
    host: Option<Box<Censys<'a>>>,
    #[serde(borrow)]
    hits: Option<Vec<Censys<'a>>>,
}

#[derive(Deserialize)]
struct CensysService<'a> {
    port: u16,
    #[serde(borrow)]
    transport_protocol: Option<Text<'a>>,
}

/// A short text, escaped or not.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Text<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

impl Text<'_> {
    fn address(&self) -> Option<IpAddr> {
        address(&self.0)
    }

    fn is(&self, word: &str) -> bool {
        self.0.eq_ignore_ascii_case(word)
    }
}

fn masscan(object: &[u8], line: u64, rows: &mut Rows<'_>) -> Put {
    let Ok(row) = serde_json::from_slice::<Masscan<'_>>(object) else { return Ok(None) };
    let Some(address) = row.ip.address() else { return Ok(None) };
    for port in row.ports {
        if port.proto.is("tcp") && port.status.is_none_or(|status| status.is("open")) {
            rows.open(address, Some(port.port), line)?;
        } else {
            rows.not_open();
        }
    }
    Ok(Some(()))
}

fn ndjson(object: &[u8], line: u64, rows: &mut Rows<'_>) -> Put {
    let Ok(row) = serde_json::from_slice::<Ndjson<'_>>(object) else { return Ok(None) };
    let Some(address) = row.ip.address() else { return Ok(None) };
    if row.proto.is("tcp") && row.data.status.is_none_or(|status| status.is("open")) {
        rows.open(address, Some(row.port), line)?;
    } else {
        rows.not_open();
    }
    Ok(Some(()))
}

fn zgrab2(object: &[u8], line: u64, rows: &mut Rows<'_>) -> Put {
    // These end a grab after the connect.
    const CONNECTED: [&str; 5] = ["success", "protocol-error", "application-error", "io-timeout", "connection-closed"];
    let Ok(row) = serde_json::from_slice::<Zgrab2<'_>>(object) else { return Ok(None) };
    let Some(address) = row.ip.address() else { return Ok(None) };
    for module in row.data.values() {
        if CONNECTED.iter().any(|status| module.status.is(status)) {
            rows.open(address, module.port, line)?;
        } else {
            rows.not_open();
        }
    }
    Ok(Some(()))
}

fn shodan(object: &[u8], line: u64, rows: &mut Rows<'_>) -> Put {
    let Ok(row) = serde_json::from_slice::<Shodan<'_>>(object) else { return Ok(None) };
    let Some(address) = row.ip_str.address() else { return Ok(None) };
    if row.transport.is_none_or(|transport| transport.is("tcp")) {
        rows.open(address, Some(row.port), line)?;
    } else {
        rows.not_open();
    }
    Ok(Some(()))
}

fn censys(object: &[u8], line: u64, rows: &mut Rows<'_>) -> Put {
    let Ok(row) = serde_json::from_slice::<Censys<'_>>(object) else { return Ok(None) };
    let mut left = vec![row];
    let mut hosts = None;
    while let Some(row) = left.pop() {
        if let Some(address) = row.ip.as_ref().and_then(Text::address) {
            hosts = Some(());
            for service in row.services.into_iter().flatten() {
                if service.transport_protocol.is_none_or(|transport| transport.is("tcp")) {
                    rows.open(address, Some(service.port), line)?;
                } else {
                    rows.not_open();
                }
            }
        } else if row.ip.is_some() {
            rows.malformed();
        }
        hosts = hosts.or(row.hits.as_ref().map(|_| ()));
        left.extend(row.host.map(|host| *host));
        left.extend(row.hits.into_iter().flatten());
    }
    Ok(hosts)
}

/// The objects of a file, one after the other.
pub(super) struct Elements<R> {
    source: Counted<R>,
    object: Vec<u8>,
    format: Format,
}

impl<R: BufRead> Elements<R> {
    pub(super) fn new(source: R, format: Format) -> Elements<R> {
        Elements { source: Counted::new(source, MAX_OBJECT), object: Vec::new(), format }
    }

    /// The line that is read.
    pub(super) fn line(&self) -> u64 {
        self.source.line()
    }

    /// The next object's bytes; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, ImportError> {
        self.object.clear();
        self.source.mark();
        let mut state = State::default();
        loop {
            let line = self.source.line();
            let buffer = self.source.fill_buf();
            let buffer = match buffer {
                Ok(buffer) => buffer,
                Err(source) => return Err(self.source.error(source)),
            };
            if buffer.is_empty() {
                return if state.depth == 0 { Ok(None) } else { Err(ImportError::Cut { line }) };
            }
            let mut taken = 0;
            let mut ended = Ok(false);
            for byte in buffer {
                taken += 1;
                let within = state.depth > 0;
                ended = state.step(*byte);
                if within || state.depth > 0 {
                    self.object.push(*byte);
                }
                if !matches!(ended, Ok(false)) {
                    break;
                }
            }
            let between = state.depth == 0 && self.object.is_empty();
            self.source.consume(taken);
            if between {
                self.source.mark();
            }
            let line = self.source.line();
            match ended {
                Ok(false) => {}
                Ok(true) => return Ok(Some(&self.object)),
                Err(Odd::Deep) => return Err(ImportError::TooDeep { line }),
                Err(Odd::Between) => return Err(ImportError::Broken { line, format: self.format }),
            }
        }
    }
}

/// Where in an object a byte is.
#[derive(Default)]
struct State {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

/// What no engine writes.
enum Odd {
    /// Between objects something other than brackets, commas and space.
    Between,
    /// Nesting without end.
    Deep,
}

impl State {
    /// Goes on by a byte; true when it ends an object.
    fn step(&mut self, byte: u8) -> Result<bool, Odd> {
        if self.in_text {
            self.in_text = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return Ok(false);
        }
        if self.depth == 0 {
            return match byte {
                b'{' => {
                    self.depth = 1;
                    Ok(false)
                }
                b'[' | b']' | b',' => Ok(false),
                space if space.is_ascii_whitespace() => Ok(false),
                _ => Err(Odd::Between),
            };
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' if self.depth == MAX_DEPTH => return Err(Odd::Deep),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        Ok(self.depth == 0)
    }
}
