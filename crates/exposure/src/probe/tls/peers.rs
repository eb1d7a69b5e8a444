//! T-01, T-07, T-08: who may speak DICOM here without having shown who he is.

use std::io;

use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::negotiation::{AssociateRequest, ProposedContext};
use leadglass_dimse::pdu::associate::encode_request;
use leadglass_dimse::pdu::control;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Facts, Refusal};
use crate::catalogue::tls::{T_01, T_07, T_08};
use crate::evidence::Fact;
use crate::finding::{Severity, State};
use crate::net::stream::server_name;
use crate::net::tls;
use crate::probe::dimse::RefusedOverTls;
use crate::probe::tls::ask::without_connection;
use crate::probe::{Look, Speech};
use crate::{AUDIT_AE_TITLE, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

/// The port registered for DICOM over TLS, PS3.15 B.12.
pub const DICOM_TLS: u16 = 2762;

/// T-07 and T-08: whether DICOM was spoken with us, who have no certificate.
pub async fn certificates(look: &mut Look<'_, '_>, facts: &Facts) {
    let asked = facts.asked_for_certificate;
    match look.known.behind_tls {
        Some(Speech::Dicom) if asked => note(look, State::Pass, State::Finding, asked, None),
        Some(Speech::Dicom) => note(look, State::Finding, State::NotApplicable, asked, None),
        Some(Speech::Http | Speech::Other(_)) => note(look, State::NotApplicable, State::NotApplicable, asked, None),
        Some(Speech::Tls) | None => match demand(look, facts).await {
            Demand::Made(refusal) => note(look, State::Pass, State::Pass, true, refusal.alert),
            Demand::NotMade if asked => note(look, State::Pass, State::NotApplicable, asked, None),
            Demand::NotMade => note(look, State::NotApplicable, State::NotApplicable, asked, None),
            Demand::Unclear(state) => note(look, state, state, asked, None),
        },
    }
}

fn note(look: &mut Look<'_, '_>, asks: State, demands: State, asked: bool, alert: Option<u8>) {
    let only_rejected = look.known.dicom.as_ref().is_some_and(|dicom| !dicom.accepted_over_tls_without_certificate);
    for (check, state) in [(&T_07, asks), (&T_08, demands)] {
        let outcome = look.notes.note(check, state).with("asked", Fact::Flag(asked));
        if state == State::Finding && only_rejected {
            // Heard, and turned away for another reason: an AE Title is soon guessed.
            outcome.severity(Severity::Medium);
        }
        if let Some(alert) = alert {
            outcome.with("alert", Fact::Code(alert.into()));
        }
    }
}

/// Whether a certificate is demanded where nothing was spoken with us.
enum Demand {
    Made(Refusal),
    NotMade,
    Unclear(State),
}

/// With TLS 1.3, and with some servers of 1.2, the demand shows only after our last word of the
/// handshake: one more handshake, and a short while of listening.
async fn demand(look: &mut Look<'_, '_>, facts: &Facts) -> Demand {
    if let Some(refusal) = facts.refused_without {
        return Demand::Made(refusal);
    }
    if facts.handshake.is_none() {
        return Demand::Unclear(State::RefusedBefore);
    }
    if !facts.asked_for_certificate {
        return Demand::NotMade;
    }
    if let Some(refused) = look.known.dicom.as_ref().and_then(|dicom| dicom.refused_over_tls) {
        let alert = if let RefusedOverTls::Alert(alert) = refused { Some(alert) } else { None };
        return Demand::Made(Refusal { alert });
    }
    let name = server_name(super::asked_name(look.asset), look.line.address());
    let patience = look.line.run().limits.connect;
    let wire = match look.line.dial(look.port).await {
        Ok(wire) => wire,
        Err(error) => return Demand::Unclear(without_connection(error)),
    };
    let (mut stream, _) = match tls::open(wire, name, &[]).await {
        Ok(opened) => opened,
        Err(failed) if failed.timed_out() => return Demand::Unclear(State::Error),
        Err(failed) => return Demand::Made(Refusal { alert: tls::alert(&failed.error) }),
    };
    match timeout(patience, stream.read(&mut [0; 16])).await {
        Ok(Ok(0)) => Demand::Made(Refusal { alert: None }),
        Ok(Err(error)) => Demand::Made(Refusal { alert: tls::alert(&error) }),
        Ok(Ok(_)) | Err(_) => Demand::NotMade,
    }
}

/// T-01: whether DICOM is spoken in clear where TLS is.
pub async fn in_clear(look: &mut Look<'_, '_>) {
    if look.known.clear == Some(Speech::Dicom) {
        look.notes.finding(&T_01);
        return;
    }
    if matches!(look.known.behind_tls, Some(Speech::Http | Speech::Other(_))) {
        look.notes.note(&T_01, State::NotApplicable);
        return;
    }
    if !look.may(&T_01) {
        return;
    }
    match associate(look).await {
        Ok(Reply::Dicom(pdu)) => {
            look.notes.finding(&T_01).with("pdu-type", Fact::Code(pdu.into()));
        }
        Ok(Reply::Alert(alert)) => {
            look.notes.pass(&T_01).with("alert", Fact::Code(alert.into()));
        }
        Ok(Reply::Nothing) => {
            look.notes.pass(&T_01);
        }
        Err(state) => {
            look.notes.note(&T_01, state);
        }
    }
}

enum Reply {
    Dicom(u8),
    Alert(u8),
    Nothing,
}

/// One A-ASSOCIATE-RQ in clear; an association that is granted is aborted at once.
async fn associate(look: &mut Look<'_, '_>) -> Result<Reply, State> {
    let request = request(look).ok_or(State::Error)?;
    let mut wire = look.line.dial(look.port).await.map_err(without_connection)?;
    let mut reply = Vec::new();
    let mut buffer = [0; 256];
    if let Err(error) = wire.write_all(&request).await {
        return if error.kind() == io::ErrorKind::TimedOut { Err(State::Error) } else { Ok(Reply::Nothing) };
    }
    while reply.len() < ENOUGH {
        match wire.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => reply.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && reply.is_empty() => return Err(State::Error),
            Err(_) => break,
        }
        if reply.len() >= 10 && reply[0] != 2 {
            break;
        }
    }
    let reply = recognise(&reply);
    if matches!(reply, Reply::Dicom(2)) {
        // It may be gone already: the reset that follows says the same.
        let _ = wire.write_all(&control::abort(0, 0)).await;
    }
    Ok(reply)
}

/// Bytes of an A-ASSOCIATE-AC up to the end of its first item's header.
const ENOUGH: usize = 78;

/// PS3.8 9.3.3, 9.3.4, 9.3.8: strictly, for other protocols begin with such bytes too.
fn recognise(reply: &[u8]) -> Reply {
    match reply {
        [2, 0, 0, 0, _, _, version_high, version_low, rest @ ..] => {
            let version = u16::from_be_bytes([*version_high, *version_low]);
            let application_context = rest.get(66) == Some(&0x10);
            if version & 1 == 1 && application_context { Reply::Dicom(2) } else { Reply::Nothing }
        }
        [3, 0, 0, 0, 0, 4, 0, 1..=2, 1..=3, _] => Reply::Dicom(3),
        [7, 0, 0, 0, 0, 4, 0, _, 0..=2, 0..=6] => Reply::Dicom(7),
        [21, 3, _, 0, 2, _, alert, ..] => Reply::Alert(*alert),
        _ => Reply::Nothing,
    }
}

fn request(look: &Look<'_, '_>) -> Option<Vec<u8>> {
    let uid = |text| Uid::parse(text).ok();
    let verification = ProposedContext {
        id: 1,
        abstract_syntax: uid("1.2.840.10008.1.1")?,
        transfer_syntaxes: vec![uid("1.2.840.10008.1.2")?],
    };
    let request = AssociateRequest {
        called_ae: look.asset.called_ae.clone().or_else(|| AeTitle::parse("ANY-SCP").ok())?,
        calling_ae: AeTitle::parse(AUDIT_AE_TITLE).ok()?,
        contexts: vec![verification],
        max_pdu_bytes: 16_384,
        implementation_class: uid(IMPLEMENTATION_CLASS_UID),
        implementation_version: Some(IMPLEMENTATION_VERSION_NAME.to_owned()),
        roles: Vec::new(),
        extended: Vec::new(),
        async_operations: None,
        user_identity: None,
    };
    encode_request(&request).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dicom_counts_as_dicom() {
        let mut accept = vec![2, 0, 0, 0, 0, 80, 0, 1];
        accept.resize(74, b' ');
        accept.push(0x10);
        assert!(matches!(recognise(&accept), Reply::Dicom(2)));
        accept[7] = 0;
        assert!(matches!(recognise(&accept), Reply::Nothing));
        assert!(matches!(recognise(&[3, 0, 0, 0, 0, 4, 0, 1, 1, 7]), Reply::Dicom(3)));
        assert!(matches!(recognise(&[7, 0, 0, 0, 0, 4, 0, 0, 0, 0]), Reply::Dicom(7)));
        assert!(matches!(recognise(&[21, 3, 3, 0, 2, 2, 10]), Reply::Alert(10)));
        assert!(matches!(recognise(b"HTTP/1.1 400"), Reply::Nothing));
        assert!(matches!(recognise(&[2, 0, 0]), Reply::Nothing));
    }
}
