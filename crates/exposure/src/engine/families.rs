//! The families, in the order in which the engine asks them.

use super::Progress;
use super::log::{Pointer, Walked};
use crate::probe::recognise::Guess;
use crate::probe::{Look, network, tls};
use crate::report::Report;
use crate::run::Run;
use crate::scope::Asset;

/// Whether a service of the network family is expected on a port.
pub(super) fn is_service(asset: &Asset, port: u16) -> bool {
    network::Service::usual_on(port).is_some() || asset.services.iter().any(|(known, _)| *known == port)
}

/// Says the first words of a guess; whether they were understood.
pub(super) async fn greet(look: &mut Look<'_, '_>, guess: Guess) -> bool {
    match guess {
        Guess::Dicom(_) => false,
        Guess::Tls => tls::greet(look).await,
        Guess::Http(_) => false,
        Guess::Service => network::audit(look).await,
    }
}

/// All looks at a port that is open, after it is known what it speaks.
pub(super) async fn audit(look: &mut Look<'_, '_>) {
    network::audit(look).await;
    tls::audit(look).await;
}

/// The look at a URL or share link of an asset, on the port that it leads to.
pub(super) async fn audit_url(look: &mut Look<'_, '_>, pointer: Pointer) {
    let _ = (look, pointer);
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
    for system in &mut report.systems {
        for service in &mut system.services {
            service.outcomes.retain(|outcome| outcome.check.id != crate::catalogue::tls::T_09.id);
        }
    }
    tls::shared_keys(&mut report.systems);
}
