//! RDP: whether Network Level Authentication is insisted on (MS-RDPBCGR 2.2.1.1). The
//! connection request offers TLS alone; a server that insists refuses it by a code of its own.

use super::talk::{Talk, Unanswered, be16, le32};
use super::{Answer, Service};
use crate::catalogue::network::N_04;
use crate::evidence::Fact;
use crate::finding::State;
use crate::net::{Line, Over};
use crate::probe::Look;

/// TPKT, X.224 connection request, RDP_NEG_REQ with PROTOCOL_SSL.
const CONNECTION_REQUEST: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 0x01, 0, 8, 0, 0x01, 0, 0, 0];

/// HYBRID_REQUIRED_BY_SERVER.
const NLA_REQUIRED: u32 = 5;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>) -> Answer {
    let Some(negotiated) = ask(look.line, look.port).await? else { return Ok(None) };
    let (nla, tls, status) = match negotiated {
        Negotiated::Plain => (false, false, None),
        Negotiated::Chosen(protocol) => (false, protocol == 1, Some(protocol)),
        Negotiated::Refused(code) => (code == NLA_REQUIRED, code == NLA_REQUIRED, Some(code)),
    };
    let outcome = look.notes.note(&N_04, if nla { State::Pass } else { State::Finding });
    outcome.with("service", Fact::Known(Service::Rdp.name()));
    outcome.with("nla-required", Fact::Flag(nla)).with("tls", Fact::Flag(tls));
    if let Some(status) = status {
        outcome.with("status", Fact::Code(status));
    }
    Ok(Some(Over::Clear))
}

#[derive(Clone, Copy)]
enum Negotiated {
    /// A server that knows no negotiation: Standard RDP Security.
    Plain,
    /// selectedProtocol.
    Chosen(u32),
    /// failureCode.
    Refused(u32),
}

async fn ask(line: &mut Line<'_>, port: u16) -> Result<Option<Negotiated>, Unanswered> {
    let mut talk = Talk::begin(line, port, Over::Clear, &CONNECTION_REQUEST).await?;
    let head = talk.take(4).await?;
    let length = usize::from(be16(&head, 2).unwrap_or(0));
    if head[0] != 3 || !(11..=64).contains(&length) {
        return Ok(None);
    }
    let confirm = talk.take(length - 4).await?;
    // X.224 connection confirm.
    if confirm[1] & 0xf0 != 0xd0 {
        return Ok(None);
    }
    Ok(match (confirm.get(7), le32(&confirm, 11)) {
        (Some(2), Some(protocol)) if protocol < 32 => Some(Negotiated::Chosen(protocol)),
        (Some(3), Some(code)) if code < 32 => Some(Negotiated::Refused(code)),
        (None, _) => Some(Negotiated::Plain),
        _ => None,
    })
}
