//! Outgoing objects from one native transfer syntax to another, in a stream.
//!
//! Pixel values do not change, only how they are written. Sequences come out with undefined
//! lengths, group lengths are left out (both change with the encoding). Deliberately absent:
//! codecs.

pub(crate) mod rewrite;

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::TransferSyntax;
use crate::scan::inflate::Inflater;
use crate::scan::walk::Walk;
use crate::scan::{Limits, ScanError};
use rewrite::Rewriter;

/// Why an object cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// One of the two syntaxes encapsulates its pixel data.
    #[error("only native transfer syntaxes convert into each other without a codec")]
    NotNative,
    /// The stored bytes do not parse.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Deflating failed, which no input can cause.
    #[error("deflating failed")]
    Deflate,
}

/// Converts a data set piece by piece. Memory does not grow with the object, only with the
/// pieces pushed (a deflated piece may inflate about a thousandfold).
pub struct Converter {
    inflater: Option<Inflater>,
    rewriter: Option<(Walk, Rewriter)>,
    deflater: Option<Compress>,
}

impl Converter {
    /// A converter between two native syntaxes; the same one twice passes bytes through.
    pub fn new(from: &TransferSyntax, to: &TransferSyntax) -> Result<Converter, ConvertError> {
        if from == to {
            return Ok(Converter { inflater: None, rewriter: None, deflater: None });
        }
        if !from.is_native() || !to.is_native() {
            return Err(ConvertError::NotNative);
        }
        let limits = Limits { elements: u64::MAX, ..Limits::default() };
        let rewrites = from.encoding() != to.encoding();
        Ok(Converter {
            inflater: from.is_deflated().then(|| Inflater::new(&limits)),
            rewriter: rewrites.then(|| (Walk::new(from.encoding(), &limits), Rewriter::new(to.encoding()))),
            deflater: to.is_deflated().then(|| Compress::new(Compression::fast(), false)),
        })
    }

    /// Whether a stored object of the one syntax can go out in the other.
    pub fn can_convert(from: &TransferSyntax, to: &TransferSyntax) -> bool {
        from == to || (from.is_native() && to.is_native())
    }

    /// Takes bytes of the source and appends to `out` what can be said already.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ConvertError> {
        let Converter { inflater, rewriter, deflater } = self;
        match inflater {
            None => forward(bytes, rewriter, deflater, out),
            Some(inflater) => inflater.push(bytes, |piece| forward(piece, rewriter, deflater, out)),
        }
    }

    /// The source has ended; appends the rest.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), ConvertError> {
        if let Some(inflater) = &self.inflater {
            inflater.finish()?;
        }
        if let Some((walk, _)) = &self.rewriter {
            walk.finish()?;
        }
        if let Some(deflater) = &mut self.deflater {
            deflate(deflater, &[], FlushCompress::Finish, out)?;
            // PS3.5 A.5: even length.
            if !deflater.total_out().is_multiple_of(2) {
                out.push(0);
            }
        }
        Ok(())
    }
}

fn forward(
    bytes: &[u8],
    rewriter: &mut Option<(Walk, Rewriter)>,
    deflater: &mut Option<Compress>,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    let rewritten = match rewriter {
        None => None,
        Some((walk, rewriter)) => {
            walk.push(bytes, rewriter)?;
            Some(rewriter)
        }
    };
    let written: &[u8] = rewritten.as_ref().map_or(bytes, |rewriter| rewriter.written());
    match deflater {
        None => out.extend_from_slice(written),
        Some(deflater) => deflate(deflater, written, FlushCompress::None, out)?,
    }
    if let Some(rewriter) = rewritten {
        rewriter.forget_written();
    }
    Ok(())
}

fn deflate(
    deflater: &mut Compress,
    mut bytes: &[u8],
    flush: FlushCompress,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    loop {
        out.reserve(16 * 1024);
        let before = deflater.total_in();
        let status = deflater.compress_vec(bytes, out, flush).map_err(|_| ConvertError::Deflate)?;
        bytes = bytes.get((deflater.total_in() - before) as usize..).unwrap_or_default();
        let room_left = out.len() < out.capacity();
        let done = match flush {
            FlushCompress::Finish => status == Status::StreamEnd,
            _ => bytes.is_empty() && room_left,
        };
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
