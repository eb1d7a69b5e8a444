//! Redis: `PING`, in clear or behind TLS.

use super::backend::{Access, Backend};
use super::talk::{Talk, Unanswered};
use super::{Answer, Service};
use crate::finding::Severity;
use crate::net::{Line, Over};
use crate::probe::Look;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>, over: Over) -> Answer {
    let Some(backend) = ask(look.line, look.port, over).await? else { return Ok(None) };
    backend.note(look);
    Ok(Some(over))
}

async fn ask(line: &mut Line<'_>, port: u16, over: Over) -> Result<Option<Backend>, Unanswered> {
    let mut talk = Talk::begin(line, port, over, b"PING\r\n").await?;
    let answer = talk.line(512).await?;
    // Redis serialization protocol: a simple string, or an error with its kind in capitals.
    let refused = [b"-NOAUTH ".as_slice(), b"-NOPERM ", b"-DENIED ", b"-WRONGPASS "];
    let access = if answer == b"+PONG" {
        Access::Served(Severity::Critical)
    } else if refused.iter().any(|kind| answer.starts_with(kind)) {
        Access::Guarded
    } else {
        return Ok(None);
    };
    Ok(Some(Backend { tls: Some(over == Over::Tls), access, ..Backend::new(Service::Redis, over) }))
}
