//! The TLS family (T): versions, suites, certificates, who is asked for one.
//!
//! One handshake by a library, and hellos made by hand for what a library will not say: ten
//! TLS connections to a port at most. Deliberately absent: anything that completes a handshake
//! in a withdrawn version, and any text of a certificate.

pub mod ask;
pub mod certificate;
pub mod exam;
pub mod flight;
pub mod hello;
mod keys;
mod notes;
mod peers;
pub mod suites;

use ask::{Answer, ask};
use certificate::Presented;
pub use keys::shared_keys;

use super::{Look, Speech};
use crate::catalogue::Depth;
use crate::catalogue::tls::{T_01, T_02, T_03, T_04, T_05, T_06, T_09};
use crate::evidence::Fact;
use crate::finding::State;
use crate::net::stream::server_name;
use crate::net::tls::{self, Failed, Handshake};
use crate::scope::Asset;

/// Most TLS connections that this family makes to one port.
const MOST_CONNECTIONS: u32 = 10;

/// What is known of a port's TLS.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What a handshake agreed on, when one could be made.
    pub handshake: Option<Shaken>,
    /// Whether a certificate of ours was asked for.
    pub asked_for_certificate: bool,
    /// How the handshake was ended because we have no certificate, when it was.
    pub refused_without: Option<Refusal>,
    /// Its certificate.
    pub certificate: Presented,
    connections: u32,
}

/// What a handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shaken {
    /// The version: 0x0303, 0x0304.
    pub version: u16,
    /// The suite.
    pub suite: u16,
    /// The group.
    pub group: Option<u16>,
}

/// How a peer without certificate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// With this alert, or by closing.
    pub alert: Option<u8>,
}

/// One handshake. Tells whether TLS is spoken, and keeps what it showed.
pub async fn greet(look: &mut Look<'_, '_>) -> bool {
    let name = server_name(asked_name(look.asset), look.line.address());
    let Ok(wire) = look.line.dial(look.port).await else { return false };
    let facts = match tls::open(wire, name, &[]).await {
        Ok((stream, handshake)) => {
            drop(stream);
            Some(shaken(look, &handshake))
        }
        Err(failed) if failed.spoke_tls() => Some(refused(look, &failed)),
        Err(failed) if is_usually_tls(look.port) && !failed.timed_out() => greet_by_hand(look).await,
        Err(_) => None,
    };
    let Some(facts) = facts else { return false };
    look.known.tls = Some(facts);
    look.known.behind_tls.get_or_insert(Speech::Tls);
    true
}

/// All checks of the family. Does nothing where no TLS is.
pub async fn audit(look: &mut Look<'_, '_>) {
    let Some(mut facts) = look.known.tls.clone() else {
        if look.port == peers::DICOM_TLS && look.known.clear == Some(Speech::Dicom) {
            look.notes.finding(&T_01);
        }
        return;
    };
    if look.depth >= Depth::Canary {
        // One is kept for the question whether a certificate is demanded.
        let left = MOST_CONNECTIONS.saturating_sub(facts.connections + u32::from(facts.asked_for_certificate));
        let exam = exam::examine(look, left).await;
        if let (Presented::Nothing, Some(first)) = (&facts.certificate, &exam.first) {
            facts.certificate = certificate::read(look, &first.chain);
            facts.asked_for_certificate |= first.asked_for_certificate;
        }
        notes::examined(look, &exam, &facts);
    } else {
        for check in [&T_02, &T_03, &T_04, &T_05] {
            look.may(check);
        }
    }
    certified(look, &facts);
    peers::certificates(look, &facts).await;
    peers::in_clear(look).await;
    look.known.tls = Some(facts);
}

/// The name that a client of this asset would ask for.
fn asked_name(asset: &Asset) -> Option<&str> {
    let name = asset.tls_name.as_deref().or(asset.hosts.first().map(String::as_str));
    name.filter(|name| name.parse::<std::net::IpAddr>().is_err() && name.len() <= 253)
}

fn shaken(look: &Look<'_, '_>, handshake: &Handshake) -> Facts {
    let &Handshake { version, suite, group, asked_for_certificate, .. } = handshake;
    Facts {
        handshake: Some(Shaken { version, suite, group }),
        asked_for_certificate,
        refused_without: None,
        certificate: certificate::read(look, &handshake.chain),
        connections: 1,
    }
}

fn refused(look: &Look<'_, '_>, failed: &Failed) -> Facts {
    let asked = failed.asked_for_certificate;
    Facts {
        handshake: None,
        asked_for_certificate: asked,
        refused_without: (asked && !failed.timed_out()).then(|| Refusal { alert: tls::alert(&failed.error) }),
        certificate: certificate::read(look, &failed.chain),
        connections: 1,
    }
}

/// There are servers so old that they close at a hello of today: one of yesterday tells.
async fn greet_by_hand(look: &mut Look<'_, '_>) -> Option<Facts> {
    let hello = exam::usual_hello(look);
    let facts = Facts { connections: 2, ..Facts::default() };
    match ask(look.line, look.port, &hello).await {
        Answer::Agreed(agreed) => Some(Facts {
            asked_for_certificate: agreed.asked_for_certificate,
            certificate: certificate::read(look, &agreed.chain),
            ..facts
        }),
        Answer::Refused(Some(_)) => Some(facts),
        Answer::Refused(None) | Answer::Nonsense | Answer::Silent | Answer::NotAsked(_) => None,
    }
}

fn is_usually_tls(port: u16) -> bool {
    matches!(port, 443 | 636 | 990 | peers::DICOM_TLS | 4443 | 8443 | 9443)
}

/// T-06, and for T-09 the key: [`shared_keys`] compares it when all hosts were looked at.
fn certified(look: &mut Look<'_, '_>, facts: &Facts) {
    match &facts.certificate {
        Presented::Readable(certificate) => {
            certificate::judge(look, certificate);
            look.notes.pass(&T_09).with("key", Fact::Hash(certificate.key));
        }
        Presented::Unreadable => both(look, State::Error),
        Presented::Nothing if facts.handshake.is_none() => both(look, State::RefusedBefore),
        Presented::Nothing => both(look, State::NotApplicable),
    }
}

fn both(look: &mut Look<'_, '_>, state: State) {
    look.notes.note(&T_06, state);
    look.notes.note(&T_09, state);
}

#[cfg(test)]
mod tests;
