//! The families, in the order in which the engine asks them.

use super::Progress;
use super::log::{Pointer, Walked};
use crate::probe::Look;
use crate::probe::recognise::Guess;
use crate::report::Report;
use crate::run::Run;

/// Whether a service of the network family is usual on a port.
pub(super) fn is_service(port: u16) -> bool {
    let _ = port;
    false
}

/// Says the first words of a guess; whether they were understood.
pub(super) async fn greet(look: &mut Look<'_, '_>, guess: Guess) -> bool {
    let _ = (look, guess);
    false
}

/// All looks at a port that is open, after it is known what it speaks.
pub(super) async fn audit(look: &mut Look<'_, '_>) {
    let _ = look;
}

/// The look at a URL or share link of an asset, on the port that it leads to.
pub(super) async fn audit_url(look: &mut Look<'_, '_>, asset: u32, pointer: Pointer) {
    let _ = (look, asset, pointer);
}

/// Walks one file tree; blocks.
pub(super) fn walk(run: &Run, asset: u32, root: u32, progress: &Progress) -> Walked {
    let _ = (run, progress);
    Walked { asset, root, dicom_files: 0, files: 0, unreadable: 0, outcomes: Vec::new() }
}

/// The date of the offline rule base.
pub(super) fn rules_date() -> String {
    crate::probe::version::Rules::built_in().date()
}

/// What is only known of all systems together.
pub(super) fn assemble(report: &mut Report) {
    let _ = report;
}
