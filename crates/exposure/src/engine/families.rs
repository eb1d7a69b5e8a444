//! The families, in the order in which the engine asks them.

use super::Progress;
use super::log::{Pointer, Walked};
use crate::catalogue::{self, Check};
use crate::finding::State;
use crate::net::Over;
use crate::probe::recognise::Guess;
use crate::probe::{Look, Speech, dimse, files, network, product, tls, trail, version, web};
use crate::report::{Report, Tree};
use crate::run::Run;
use crate::scope::Asset;
use crate::scope::link::Link;

/// Whether a service of the network family is expected on a port.
pub(super) fn is_service(asset: &Asset, port: u16) -> bool {
    network::is_service(asset, port)
}

/// Says the first words of a guess; whether they were understood.
pub(super) async fn greet(look: &mut Look<'_, '_>, guess: Guess) -> bool {
    match guess {
        Guess::Dicom(over) => greet_dicom(look, over).await,
        Guess::Tls => tls::greet(look).await,
        Guess::Http(over) => web::greet(look, over).await,
        Guess::Service => greet_service(look).await,
    }
}

/// Notes what guesses were to find out on an open port where nobody understood a word, in clear or
/// behind TLS: nothing is known of the port, and that is no good news. Where the door was shut on a
/// stranger after the handshake, it cannot be told what is behind it.
pub(super) fn not_understood(look: &mut Look<'_, '_>, guesses: &[Guess]) {
    let spoken = [look.known.clear, look.known.behind_tls];
    if spoken.iter().any(|speech| matches!(speech, Some(Speech::Dicom | Speech::Http | Speech::Other(_)))) {
        return;
    }
    let shut = look.known.dicom.as_ref().is_some_and(|facts| facts.refused_over_tls.is_some());
    if shut && look.notes.of(&catalogue::dimse::D_07).next().is_some() {
        // A home of DICOM that keeps strangers out: its own family said so.
        return;
    }
    let state = if shut { State::RefusedBefore } else { State::Error };
    for check in guesses.iter().flat_map(|guess| checks_of(*guess)) {
        // D-04 and W-12 are about what the owner named.
        let is_named = [catalogue::dimse::D_04.id, catalogue::web::W_12.id].contains(&check.id);
        if !is_named && look.notes.of(check).next().is_none() && look.may(check) {
            look.notes.note(check, state);
        }
    }
}

/// What a guess was to find out.
fn checks_of(guess: Guess) -> Vec<&'static Check> {
    match guess {
        Guess::Dicom(_) => catalogue::dimse::CHECKS.to_vec(),
        Guess::Tls => vec![&catalogue::tls::T_02],
        Guess::Http(_) => [catalogue::web::CHECKS, &[&catalogue::product::A_01]].concat(),
        Guess::Service => vec![&catalogue::network::N_02],
    }
}

/// A service that speaks HTTP is looked at as a web server, too.
async fn greet_service(look: &mut Look<'_, '_>) -> bool {
    let recognised = network::audit(look).await;
    for over in network::http_ways(look.known) {
        web::greet(look, over).await;
    }
    recognised
}

/// A modality that refused the association is not asked again.
async fn greet_dicom(look: &mut Look<'_, '_>, over: Over) -> bool {
    let speaks = dimse::greet(look, over).await;
    let greeting = look.known.dicom.as_ref().and_then(|facts| match over {
        Over::Clear => facts.clear.as_ref(),
        Over::Tls => facts.tls.as_ref(),
    });
    if matches!(greeting, Some(dimse::Greeting::Refused(_))) {
        look.line.refused();
    }
    speaks
}

/// All looks at a port that is open, after it is known what it speaks.
pub(super) async fn audit(look: &mut Look<'_, '_>) {
    network::audit(look).await;
    dimse::audit(look).await;
    tls::audit(look).await;
    web::audit(look).await;
    product::audit(look).await;
    version::audit(look).await;
}

/// The look at a URL or share link of an asset, on the port that it leads to.
pub(super) async fn audit_url(look: &mut Look<'_, '_>, pointer: Pointer) {
    let link = |list: &[String], at: u32| list.get(at as usize).and_then(|url| Link::parse(url).ok());
    match pointer {
        Pointer::Host(_) => {}
        Pointer::Url(at) => {
            if let Some(url) = link(&look.asset.urls, at) {
                web::audit_url(look, at, &url).await;
            }
        }
        Pointer::ShareLink(at) => {
            if let Some(url) = link(&look.asset.share_links, at) {
                web::audit_link(look, at, &url).await;
            }
        }
    }
}

/// The last look at a port, when everything that was said there is known. No connection is made.
pub(super) async fn conclude(look: &mut Look<'_, '_>) {
    trail::audit(look).await;
}

/// Walks one file tree; blocks.
pub(super) fn walk(run: &Run, asset: u32, root: u32, progress: &Progress, options: files::Options<'_>) -> Walked {
    let walked = Walked { asset, root, dicom_files: 0, files: 0, unreadable: 0, outcomes: Vec::new() };
    match run.scope.assets.get(asset as usize) {
        Some(of_asset) => {
            let tree = files::walk_with(run, of_asset, root, progress.files(), options);
            let Tree { dicom_files, files, unreadable, outcomes, .. } = tree;
            Walked { dicom_files, files, unreadable, outcomes, ..walked }
        }
        None => walked,
    }
}

/// What is only known of all systems together.
pub(super) fn assemble(report: &mut Report) {
    // Seen from the host itself, the addresses of one asset are its own.
    let of_asset = report.scope.vantage == crate::scope::Vantage::Host;
    tls::shared_keys(&mut report.systems, of_asset);
    trail::coverage(report);
}
