//! PostgreSQL: does it take TLS. Nobody logs in.

use super::backend::{Access, Backend};
use super::talk::{Talk, Unanswered};
use super::{Answer, Service};
use crate::net::{Line, Over};
use crate::probe::Look;

/// SSLRequest, PostgreSQL protocol 3.0 §55.7: length 8, code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>) -> Answer {
    let Some(backend) = ask(look.line, look.port).await? else { return Ok(None) };
    backend.note(look);
    Ok(Some(backend.over))
}

async fn ask(line: &mut Line<'_>, port: u16) -> Result<Option<Backend>, Unanswered> {
    let mut talk = Talk::begin(line, port, Over::Clear, &SSL_REQUEST).await?;
    let answer = talk.take(1).await?;
    let tls = match answer[0] {
        // The next byte would be ours: whoever says more than this letter is something else.
        b'S' => Some(true),
        b'N' => Some(false),
        // ErrorResponse: length follows, then fields that begin with the severity.
        b'E' => {
            let head = talk.take(5).await?;
            if head[0] != 0 || head[1] != 0 || head[4] != b'S' {
                return Ok(None);
            }
            None
        }
        _ => return Ok(None),
    };
    let access = if tls.is_none() { Access::RefusedBefore } else { Access::NotAsked };
    Ok(Some(Backend { tls, access, ..Backend::new(Service::Postgresql, Over::Clear) }))
}
