//! VNC: which security types the server offers (RFC 6143 §7.1). None is chosen.

use super::talk::{Talk, Unanswered, be32};
use super::{Answer, Service};
use crate::catalogue::network::N_04;
use crate::evidence::Fact;
use crate::finding::{Severity, State};
use crate::net::{Line, Over};
use crate::probe::Look;

/// Security type "None".
const NONE: u32 = 1;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>) -> Answer {
    let Some(types) = ask(look.line, look.port).await? else { return Ok(None) };
    let state = match types.as_slice() {
        [] => State::RefusedBefore,
        types if types.contains(&NONE) => State::Finding,
        _ => State::Pass,
    };
    let outcome = look.notes.note(&N_04, state).with("service", Fact::Known(Service::Vnc.name()));
    if state == State::Finding {
        outcome.severity(Severity::Critical);
    }
    if !types.is_empty() {
        outcome.with("security-types", Fact::Codes(types));
    }
    Ok(Some(Over::Clear))
}

/// Whether these begin a ProtocolVersion message: `RFB 003.008\n`.
pub(super) fn is_greeting(bytes: &[u8]) -> bool {
    matches!(bytes, [b'R', b'F', b'B', b' ', a, b, c, b'.', d, e, f, b'\n', ..]
        if [a, b, c, d, e, f].iter().all(|digit| digit.is_ascii_digit()))
}

/// The types, in ascending order; none when the server refuses before it names them.
async fn ask(line: &mut Line<'_>, port: u16) -> Result<Option<Vec<u32>>, Unanswered> {
    let mut talk = Talk::open(line, port, Over::Clear).await?;
    let version = talk.take(12).await?;
    if !is_greeting(&version) {
        return Ok(None);
    }
    // 3.3 servers decide for themselves; all later ones list their types to 3.8.
    let old = version.starts_with(b"RFB 003.003");
    talk.send(if old { b"RFB 003.003\n" } else { b"RFB 003.008\n" }).await?;
    if old {
        let chosen = talk.take(4).await?;
        return Ok(Some(be32(&chosen, 0).filter(|chosen| (1..256).contains(chosen)).into_iter().collect()));
    }
    let count = usize::from(talk.take(1).await?[0]);
    let mut types: Vec<u32> = talk.take(count).await?.into_iter().map(u32::from).collect();
    types.sort_unstable();
    types.dedup();
    Ok(Some(types))
}
