//! MySQL and MariaDB: what the greeting says. Nobody logs in.

use super::backend::{Access, Backend};
use super::talk::{Talk, Unanswered, le16};
use super::{Answer, Service};
use crate::evidence::Version;
use crate::net::{Line, Over};
use crate::probe::Look;

/// CLIENT_SSL among the capability flags.
const CLIENT_SSL: u16 = 0x0800;
/// Longest greeting: version, salt and plugin name take some hundred bytes.
const MAX_GREETING: usize = 1024;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>) -> Answer {
    let Some(backend) = ask(look.line, look.port).await? else { return Ok(None) };
    backend.note(look);
    Ok(Some(backend.over))
}

/// Whether these are the first bytes of a greeting: a packet of sensible length with number 0,
/// protocol version 10 or an error.
pub(super) fn is_greeting(bytes: &[u8]) -> bool {
    matches!(bytes, [_, high, 0, 0, 0x0a | 0xff, ..] if usize::from(*high) < MAX_GREETING / 256)
}

async fn ask(line: &mut Line<'_>, port: u16) -> Result<Option<Backend>, Unanswered> {
    let mut talk = Talk::open(line, port, Over::Clear).await?;
    let head = talk.take(5).await?;
    if !is_greeting(&head) {
        return Ok(None);
    }
    let length = usize::from(head[0]) | usize::from(head[1]) << 8;
    let rest = talk.take(length.saturating_sub(1)).await?;
    Ok(if head[4] == 0xff { refusal(&rest) } else { greeting(&rest) })
}

/// ERR_Packet: this host may not connect, or too many do.
fn refusal(rest: &[u8]) -> Option<Backend> {
    let code = le16(rest, 0).filter(|code| (1000..5000).contains(code))?;
    let status = Some(u32::from(code));
    Some(Backend { access: Access::RefusedBefore, status, ..Backend::new(Service::Mysql, Over::Clear) })
}

/// Protocol::HandshakeV10: version text, NUL, thread id (4), salt (8), NUL, capability flags (2).
fn greeting(rest: &[u8]) -> Option<Backend> {
    let end = rest.iter().take(128).position(|byte| *byte == 0)?;
    let version = std::str::from_utf8(&rest[..end]).ok()?;
    // MariaDB puts this before its own version for the sake of old replicas.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    if rest.get(end + 13) != Some(&0) {
        return None;
    }
    let capabilities = le16(rest, end + 14)?;
    let tls = Some(capabilities & CLIENT_SSL != 0);
    Some(Backend { tls, version: Version::parse(version), ..Backend::new(Service::Mysql, Over::Clear) })
}
