//! MongoDB: `hello`, then a list of databases filtered by a name that none has. Whoever is let
//! list gets an empty list; no name travels.

use super::backend::{Access, Backend};
use super::talk::{Talk, Unanswered, le32};
use super::{Answer, Service};
use crate::finding::Severity;
use crate::net::{Line, Over};
use crate::probe::Look;

/// OP_MSG of the wire protocol.
const OP_MSG: u32 = 2013;
/// Error code of a command that needs a log-in.
const UNAUTHORIZED: u32 = 13;
/// A database that nobody has.
const CANARY: &str = "leadglass-audit-canary";

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>, over: Over) -> Answer {
    let Some(backend) = ask(look.line, look.port, over).await? else { return Ok(None) };
    backend.note(look);
    Ok(Some(over))
}

async fn ask(line: &mut Line<'_>, port: u16, over: Over) -> Result<Option<Backend>, Unanswered> {
    let mut talk = Talk::begin(line, port, over, &message(1, &hello())).await?;
    let Some(reply) = reply(&mut talk, 1).await? else { return Ok(None) };
    if reply.ok.is_none() {
        return Ok(None);
    }
    talk.send(&message(2, &list_databases())).await?;
    let (access, status) = match self::reply(&mut talk, 2).await {
        Ok(Some(Reply { ok: Some(true), .. })) => (Access::Served(Severity::Critical), None),
        Ok(Some(Reply { code: Some(code), .. })) if code == UNAUTHORIZED => (Access::Guarded, Some(code)),
        Ok(Some(Reply { code, .. })) => (Access::Unclear, code),
        _ => (Access::Unclear, None),
    };
    let tls = Some(over == Over::Tls);
    Ok(Some(Backend { tls, access, status, ..Backend::new(Service::Mongodb, over) }))
}

/// What a reply says: its own `ok` and `code`, nothing else of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reply {
    ok: Option<bool>,
    code: Option<u32>,
}

async fn reply(talk: &mut Talk<'_>, to: u32) -> Result<Option<Reply>, Unanswered> {
    let head = talk.take(16).await?;
    let length = le32(&head, 0).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if le32(&head, 8) != Some(to) || le32(&head, 12) != Some(OP_MSG) || length < 26 {
        return Ok(None);
    }
    let body = talk.take(length - 16).await?;
    // Flags, then one section of kind 0: a document.
    Ok((body[4] == 0).then(|| read(&body[5..])))
}

/// Walks the top level of a BSON document; elements of kinds that are not known end the walk.
fn read(document: &[u8]) -> Reply {
    let mut reply = Reply::default();
    let mut rest = document.get(4..).unwrap_or_default();
    while let Some((element, next)) = element(rest) {
        match (element.name, element.kind, element.value) {
            (b"ok", 0x01, value) => reply.ok = Some(value == 1f64.to_le_bytes()),
            (b"ok", 0x10, value) => reply.ok = Some(value == 1i32.to_le_bytes()),
            (b"code", 0x10, value) => reply.code = le32(value, 0).filter(|code| *code < 1 << 20),
            _ => {}
        }
        rest = next;
    }
    reply
}

struct Element<'bytes> {
    kind: u8,
    name: &'bytes [u8],
    value: &'bytes [u8],
}

/// The first element and what follows it (BSON 1.1).
fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (name, rest) = (&rest[..end], &rest[end + 1..]);
    let declared = || le32(rest, 0).and_then(|length| usize::try_from(length).ok());
    let length = match kind {
        0x01 | 0x09 | 0x11 | 0x12 => 8,
        0x02 => declared()?.checked_add(4)?,
        0x03 | 0x04 => declared()?,
        0x05 => declared()?.checked_add(5)?,
        0x07 => 12,
        0x08 => 1,
        0x0a => 0,
        0x10 => 4,
        _ => return None,
    };
    let value = rest.get(..length)?;
    Some((Element { kind, name, value }, &rest[length..]))
}

fn message(id: u32, document: &[u8]) -> Vec<u8> {
    let length = (16 + 5 + document.len()) as u32;
    let mut message = Vec::with_capacity(length as usize);
    for number in [length, id, 0, OP_MSG, 0] {
        message.extend(number.to_le_bytes());
    }
    message.push(0);
    message.extend(document);
    message
}

fn hello() -> Vec<u8> {
    document(&[int("hello", 1), text("$db", "admin")])
}

fn list_databases() -> Vec<u8> {
    let filter = document(&[text("name", CANARY)]);
    let filter = [b"\x03filter\0".as_slice(), &filter].concat();
    document(&[int("listDatabases", 1), b"\x08nameOnly\0\x01".to_vec(), filter, text("$db", "admin")])
}

fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let inner = elements.concat();
    [&(inner.len() as u32 + 5).to_le_bytes()[..], &inner, &[0]].concat()
}

fn int(name: &str, value: i32) -> Vec<u8> {
    [&[0x10], name.as_bytes(), &[0], &value.to_le_bytes()].concat()
}

fn text(name: &str, value: &str) -> Vec<u8> {
    let length = (value.len() as u32 + 1).to_le_bytes();
    [&[0x02], name.as_bytes(), &[0], &length, value.as_bytes(), &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_reply_only_its_outcome_is_read() {
        let answer = document(&[text("errmsg", "PLANTED^JANE"), int("code", 13), int("ok", 0)]);
        assert_eq!(read(&answer), Reply { ok: Some(false), code: Some(13) });
        // A name inside of another document is not this one's.
        let nested = [b"\x03inner\0".as_slice(), &document(&[int("ok", 1)])].concat();
        assert_eq!(read(&document(&[nested])), Reply::default());
        // A length that points behind the end ends the walk.
        assert_eq!(read(&[0xff, 0, 0, 0, 0x02, b'x', 0, 0xff, 0xff, 0xff, 0xff]), Reply::default());
    }
}
