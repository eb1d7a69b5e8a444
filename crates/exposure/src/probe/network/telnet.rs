//! Telnet: that it answers at all. Nothing is sent.

use super::talk::{Talk, Unanswered};
use super::{Answer, Service};
use crate::catalogue::network::N_04;
use crate::evidence::Fact;
use crate::net::{Line, Over};
use crate::probe::Look;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>) -> Answer {
    if !ask(look.line, look.port).await? {
        return Ok(None);
    }
    let outcome = look.notes.finding(&N_04);
    outcome.with("service", Fact::Known(Service::Telnet.name())).with("tls", Fact::Flag(false));
    Ok(Some(Over::Clear))
}

/// Whether these begin a negotiation of options: IAC, then WILL, WON'T, DO or DON'T (RFC 854).
pub(super) fn is_greeting(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfb..=0xfe, option, ..] if *option < 0x40)
}

async fn ask(line: &mut Line<'_>, port: u16) -> Result<bool, Unanswered> {
    let mut talk = Talk::open(line, port, Over::Clear).await?;
    Ok(is_greeting(&talk.take(3).await?))
}
