//! Tables with columns: zmap's, and an inventory's.

use std::io::BufRead;

use csv::StringRecord;

use super::counted::{Counted, at_line};
use super::rows::Rows;
use super::{Format, ImportError, address};

/// Longest record, in bytes.
const MAX_RECORD: usize = 64 * 1024;
/// What a column of addresses is called.
pub(super) const ADDRESS: [&str; 6] = ["saddr", "ip", "address", "ip_address", "ipaddress", "ip address"];
/// What a column of ports is called.
const PORT: [&str; 4] = ["sport", "port", "tcp_port", "tcp port"];

/// Reads all records. The first may be headings; without them, the address comes first and the
/// port second.
pub(super) fn read(source: impl BufRead, comma: u8, rows: &mut Rows<'_>) -> Result<(), ImportError> {
    let source = Counted::new(source, MAX_RECORD);
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(comma).has_headers(false).flexible(true).comment(Some(b'#')).trim(csv::Trim::All);
    let mut reader = builder.from_reader(source);
    let mut record = StringRecord::new();
    let mut columns = None;
    loop {
        let line = reader.position().line();
        reader.get_mut().mark();
        let read = reader.read_record(&mut record);
        if !read.map_err(|error| at_record(error, line, rows.format()))? {
            return Ok(());
        }
        let known = columns.is_some();
        let columns = columns.get_or_insert_with(|| Columns::of(&record));
        if known || !columns.are_headings {
            columns.put(&record, line, rows)?;
        }
    }
}

/// Where in a record things are.
struct Columns {
    are_headings: bool,
    address: usize,
    port: Option<usize>,
    /// zmap's: whether it was an answer of an open port.
    success: Option<usize>,
    classification: Option<usize>,
}

impl Columns {
    /// By a first record: headings, unless it begins with an address.
    fn of(first: &StringRecord) -> Columns {
        let named = |names: &[&str]| first.iter().position(|name| names.contains(&&*name.to_ascii_lowercase()));
        match named(&ADDRESS) {
            Some(address) => Columns {
                are_headings: true,
                address,
                port: named(&PORT),
                success: named(&["success"]),
                classification: named(&["classification"]),
            },
            None => Columns { are_headings: false, address: 0, port: Some(1), success: None, classification: None },
        }
    }

    fn put(&self, record: &StringRecord, line: u64, rows: &mut Rows<'_>) -> Result<(), ImportError> {
        let column = |at: Option<usize>| at.and_then(|at| record.get(at)).filter(|text| !text.is_empty());
        let port = column(self.port).map(str::parse::<u16>);
        let (Some(address), Ok(port)) = (column(Some(self.address)).and_then(address), port.transpose()) else {
            rows.malformed();
            return Ok(());
        };
        let failed = column(self.success).is_some_and(|success| success != "1");
        let closed = column(self.classification).is_some_and(|class| class != "synack");
        if failed || closed {
            rows.not_open();
            return Ok(());
        }
        rows.open(address, port, line)
    }
}

fn at_record(error: csv::Error, line: u64, format: Format) -> ImportError {
    match error.into_kind() {
        csv::ErrorKind::Io(source) => at_line(source, line, MAX_RECORD),
        _ => ImportError::Broken { line, format },
    }
}
