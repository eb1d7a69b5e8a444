//! MLLP: whether TLS is spoken. No message is ever sent, so nothing tells HL7 from another
//! silent listener but the port, or the scope's word.

use super::talk::Unanswered;
use super::{Answer, Service};
use crate::catalogue::network::N_03;
use crate::evidence::Fact;
use crate::finding::Confidence;
use crate::net::{self, Line, Over};
use crate::probe::Look;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>, declared: bool) -> Answer {
    // Whoever greets is something else; a listener for messages waits for them.
    let asked =
        if look.known.behind_tls.is_some() { Some(Tls::Spoken(None)) } else { ask(look.line, look.port).await? };
    let Some(tls) = asked else { return Ok(None) };
    let outcome = match tls {
        Tls::Spoken(_) => look.notes.pass(&N_03),
        Tls::NotSpoken => look.notes.finding(&N_03),
    };
    outcome.with("service", Fact::Known(Service::Mllp.name())).with("tls", Fact::Flag(tls != Tls::NotSpoken));
    if let Tls::Spoken(Some(asked)) = tls {
        outcome.with("client-certificate-asked", Fact::Flag(asked));
    }
    if tls == Tls::NotSpoken && !declared {
        outcome.confidence(Confidence::Offered);
    }
    Ok(Some(if tls == Tls::NotSpoken { Over::Clear } else { Over::Tls }))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tls {
    /// And whether a certificate of ours was asked for, when that was seen.
    Spoken(Option<bool>),
    NotSpoken,
}

async fn ask(line: &mut Line<'_>, port: u16) -> Result<Option<Tls>, Unanswered> {
    match net::open(line, port, Over::Tls, None, &[]).await.map_err(Unanswered::from) {
        Ok((_, handshake)) => Ok(Some(Tls::Spoken(handshake.map(|handshake| handshake.asked_for_certificate)))),
        Err(Unanswered::NoTls(error)) => {
            let alert = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
            Ok(match alert {
                Some(rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_)) => Some(Tls::Spoken(None)),
                // Anything but TLS said, a reset, a farewell or silence: it took the connection.
                _ => Some(Tls::NotSpoken),
            })
        }
        Err(error) => Err(error),
    }
}
