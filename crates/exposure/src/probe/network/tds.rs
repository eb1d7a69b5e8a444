//! Microsoft SQL Server: the pre-login of TDS tells whether it encrypts. Nobody logs in.

use super::backend::Backend;
use super::talk::{Talk, Unanswered, be16};
use super::{Answer, Service};
use crate::evidence::Version;
use crate::net::{Line, Over};
use crate::probe::Look;

/// MS-TDS 2.2.6.5: VERSION (0) and ENCRYPTION (1 = we want it), with the packet head of 2.2.3.
const PRELOGIN: [u8; 26] = [
    0x12, 1, 0, 26, 0, 0, 0, 0, // PRELOGIN, end of message, 26 bytes
    0, 0, 11, 0, 6, // VERSION at 11, 6 bytes
    1, 0, 17, 0, 1, // ENCRYPTION at 17, 1 byte
    0xff, 0, 0, 0, 0, 0, 0, 1, // end of list; version 0; encryption on
];

/// ENCRYPT_NOT_SUP.
const NOT_SUPPORTED: u8 = 2;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>) -> Answer {
    let Some(backend) = ask(look.line, look.port).await? else { return Ok(None) };
    backend.note(look);
    Ok(Some(backend.over))
}

async fn ask(line: &mut Line<'_>, port: u16) -> Result<Option<Backend>, Unanswered> {
    let mut talk = Talk::begin(line, port, Over::Clear, &PRELOGIN).await?;
    let head = talk.take(8).await?;
    let length = usize::from(be16(&head, 2).unwrap_or(0));
    // A tabular result that fits one packet.
    if head[0] != 4 || head[1] & 1 == 0 || !(8 + 12..=512).contains(&length) {
        return Ok(None);
    }
    let options = talk.take(length - 8).await?;
    let Some(&encryption) = option(&options, 1).and_then(<[u8]>::first).filter(|code| **code <= 3) else {
        return Ok(None);
    };
    let version = option(&options, 0).and_then(|version| match version {
        // The build that follows has as many digits as a year: it is not kept.
        [major, minor, ..] => Version::new([u16::from(*major), u16::from(*minor), 0, 0]),
        _ => None,
    });
    let tls = Some(encryption != NOT_SUPPORTED);
    let status = Some(u32::from(encryption));
    Ok(Some(Backend { tls, version, status, ..Backend::new(Service::Mssql, Over::Clear) }))
}

/// The bytes of one option: token, offset, length, until the token 0xff.
fn option(options: &[u8], token: u8) -> Option<&[u8]> {
    let entries = options.chunks_exact(5).take_while(|entry| entry[0] != 0xff);
    let entry = entries.take(16).find(|entry| entry[0] == token)?;
    let (offset, length) = (usize::from(be16(entry, 1)?), usize::from(be16(entry, 3)?));
    options.get(offset..offset + length)
}
