//! An object de-identified as it passes by.

use std::sync::Arc;

use super::plan::Plan;
use super::report::Report;
use super::writer::Writer;
use crate::scan::inflate::Inflater;
use crate::scan::walk::Walk;
use crate::scan::{Limits, ScanError};

/// De-identifies a data set piece by piece. Memory does not grow with the object, only with the
/// pieces pushed (a deflated piece may inflate about a thousandfold).
pub struct Deidentifier {
    walk: Walk,
    writer: Writer,
    inflater: Option<Inflater>,
}

impl Deidentifier {
    /// For the object that the plan was made for, from its first byte.
    pub fn new(plan: Arc<Plan>, limits: &Limits) -> Deidentifier {
        Deidentifier {
            walk: Walk::new(plan.from.encoding(), limits),
            inflater: plan.from.is_deflated().then(|| Inflater::new(limits)),
            writer: Writer::new(plan),
        }
    }

    /// Takes bytes of the object as it is stored and appends to `out` what can be said already.
    ///
    /// # Errors
    /// The object is no data set, or exceeds a limit; what was appended before is not whole.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ScanError> {
        let Deidentifier { walk, writer, inflater } = self;
        let outcome = match inflater {
            None => walk.push(bytes, writer),
            Some(inflater) => inflater.push(bytes, |piece| walk.push(piece, writer)),
        };
        out.extend_from_slice(self.writer.written());
        self.writer.forget_written();
        outcome
    }

    /// The object has ended: appends the rest and says what was done.
    ///
    /// # Errors
    /// It ended too early.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<Report, ScanError> {
        if let Some(inflater) = &self.inflater {
            inflater.finish()?;
        }
        self.walk.finish()?;
        let (rest, report) = self.writer.finish();
        out.extend_from_slice(&rest);
        Ok(report)
    }
}
