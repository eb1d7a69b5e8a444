//! Deflated data sets, PS3.5 A.5, inflated within a bound and a ratio.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Fault, Limits, ScanError};

/// Bytes handed on at a time.
const PIECE: usize = 32 * 1024;
/// After the end of the stream: one byte of padding (PS3.5 A.5), with some patience.
const TRAILING: u64 = 8;

/// Inflates what is pushed.
pub(crate) struct Inflater {
    stream: Option<Decompress>,
    first: Vec<u8>,
    piece: Vec<u8>,
    bytes_in: u64,
    bytes_out: u64,
    trailing: u64,
    ended: bool,
    limits: (u64, u64, u32),
}

impl Inflater {
    pub(crate) fn new(limits: &Limits) -> Inflater {
        Inflater {
            stream: None,
            first: Vec::new(),
            piece: vec![0; PIECE],
            bytes_in: 0,
            bytes_out: 0,
            trailing: 0,
            ended: false,
            limits: (limits.inflated_bytes, limits.inflate_ratio_from, limits.inflate_ratio),
        }
    }

    /// Takes deflated bytes; hands inflated ones to `sink` piece by piece.
    pub(crate) fn push<E: From<ScanError>>(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.stream.is_some() {
            return self.inflate(bytes, &mut sink);
        }
        // Two bytes tell whether somebody wrote a zlib header, which does not belong here.
        self.first.extend_from_slice(bytes);
        if self.first.len() < 2 {
            return Ok(());
        }
        let first = std::mem::take(&mut self.first);
        let zlib = matches!(first.as_slice(), [a, b, ..] if a & 0x0F == 8 && a >> 4 <= 7 && (u16::from(*a) << 8 | u16::from(*b)).is_multiple_of(31));
        self.stream = Some(Decompress::new(zlib));
        self.inflate(&first, &mut sink)
    }

    /// The deflated bytes have ended.
    pub(crate) fn finish(&self) -> Result<(), ScanError> {
        if self.ended { Ok(()) } else { Err(self.error(Fault::BadDeflate)) }
    }

    fn inflate<E: From<ScanError>>(
        &mut self,
        mut bytes: &[u8],
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            if self.ended {
                self.trailing += bytes.len() as u64;
                return if self.trailing > TRAILING { Err(self.error(Fault::BadDeflate).into()) } else { Ok(()) };
            }
            let (consumed, produced, status) = self.step(bytes)?;
            bytes = &bytes[consumed..];
            self.check_growth()?;
            sink(&self.piece[..produced])?;
            self.ended = status == Status::StreamEnd;
            if !self.ended && bytes.is_empty() && produced < PIECE {
                return Ok(());
            }
            if !self.ended && consumed == 0 && produced == 0 {
                return Err(self.error(Fault::BadDeflate).into());
            }
        }
    }

    fn step(&mut self, bytes: &[u8]) -> Result<(usize, usize, Status), ScanError> {
        let offset = self.bytes_out;
        let bad = ScanError { offset, fault: Fault::BadDeflate };
        let Some(stream) = &mut self.stream else { return Err(bad) };
        let (before_in, before_out) = (stream.total_in(), stream.total_out());
        let status = stream.decompress(bytes, &mut self.piece, FlushDecompress::None).map_err(|_| bad)?;
        let (consumed, produced) = (stream.total_in() - before_in, stream.total_out() - before_out);
        self.bytes_in += consumed;
        self.bytes_out += produced;
        Ok((consumed as usize, produced as usize, status))
    }

    fn check_growth(&self) -> Result<(), ScanError> {
        let (bytes, ratio_from, ratio) = self.limits;
        let allowed = self.bytes_in.saturating_mul(u64::from(ratio)).max(ratio_from).min(bytes);
        if self.bytes_out > allowed { Err(self.error(Fault::InflatesTooFar)) } else { Ok(()) }
    }

    fn error(&self, fault: Fault) -> ScanError {
        ScanError { offset: self.bytes_out, fault }
    }
}
