//! Headers of deflated data sets, PS3.5 A.5: the beginning is inflated, within bounds.

use flate2::{Decompress, FlushDecompress, Status};
use leadglass_dicom::Encoding;

use super::reader::read_data_set;
use super::record::{End, Record, Syntax};
use super::source::{ReadAt, Window};

/// Bytes of a deflated data set that are read.
const MOST_DEFLATED: usize = 64 * 1024;
/// Bytes that they may become.
const MOST_INFLATED: usize = 512 * 1024;

/// Reads the data set that begins at an offset, as far as its beginning inflates, into the
/// record of its file meta information.
pub(super) fn read<S: ReadAt>(window: &mut Window<'_, S>, at: u64, record: &mut Record) {
    let Ok(deflated) = window.stretch(at, MOST_DEFLATED) else { return };
    // Some writers put the header of zlib (RFC 1950) before what is to be a bare stream (RFC 1951).
    let wrapped = is_zlib(deflated).then(|| data_set(deflated, true)).flatten();
    let Some(mut read) = wrapped.or_else(|| data_set(deflated, false)) else { return };
    record.present.iter().for_each(|row| read.present.set(row));
    read.is_directory = record.is_directory;
    read.class = read.class.or(record.class);
    read.syntax = Syntax::Deflated;
    *record = read;
}

/// What a stream holds, as far as its beginning inflates; `None` when it does not inflate.
fn data_set(deflated: &[u8], is_wrapped: bool) -> Option<Record> {
    let mut inflated = vec![0; MOST_INFLATED];
    let mut inflater = Decompress::new(is_wrapped);
    // An error late in the stream leaves what came before it.
    let status = inflater.decompress(deflated, &mut inflated, FlushDecompress::None);
    let length = usize::try_from(inflater.total_out()).unwrap_or(0).min(MOST_INFLATED);
    if length == 0 {
        return None;
    }
    let mut buffer = vec![0; super::source::FIRST_READ];
    let mut window = Window::new(&inflated[..length], &mut buffer);
    let mut read = read_data_set(&mut window, length as u64, 0, Encoding::ExplicitLittleEndian);
    let is_all = matches!(status, Ok(Status::StreamEnd));
    read.end = match read.end {
        End::Truncated if length == MOST_INFLATED => End::TooLong,
        // It ends with an element by chance.
        End::File if !is_all => End::Truncated,
        end => end,
    };
    Some(read)
}

/// Whether a stream begins as RFC 1950 2.2 says.
fn is_zlib(bytes: &[u8]) -> bool {
    let [first, second, ..] = *bytes else { return false };
    first & 0x0F == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}
