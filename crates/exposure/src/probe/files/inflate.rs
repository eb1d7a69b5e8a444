//! Headers of deflated data sets, PS3.5 A.5: the beginning is inflated, within bounds.

use flate2::{Decompress, FlushDecompress};
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
    let mut inflated = vec![0; MOST_INFLATED];
    let mut inflater = Decompress::new(false);
    let length = {
        let Ok(deflated) = window.stretch(at, MOST_DEFLATED) else { return };
        // An error late in the stream leaves what came before it.
        let _ = inflater.decompress(deflated, &mut inflated, FlushDecompress::None);
        usize::try_from(inflater.total_out()).unwrap_or(0).min(MOST_INFLATED)
    };
    if length == 0 {
        return;
    }
    let inflated = &inflated[..length];
    let mut buffer = vec![0; super::source::FIRST_READ];
    let mut window = Window::new(inflated, &mut buffer);
    let mut read = read_data_set(&mut window, length as u64, 0, Encoding::ExplicitLittleEndian);
    record.present.iter().for_each(|row| read.present.set(row));
    read.is_directory = record.is_directory;
    read.class = read.class.or(record.class);
    read.syntax = Syntax::Deflated;
    if read.end == End::Truncated && length == MOST_INFLATED {
        read.end = End::TooLong;
    }
    *record = read;
}
