//! A directory: the root DSE, and whether a stranger may read the entry that its naming context
//! begins with. No attribute of it is asked for; a configuration of dcm4chee lives in such a tree.

use super::backend::{Access, Backend};
use super::talk::{Talk, Unanswered, holds};
use super::{Answer, Service};
use crate::finding::Severity;
use crate::net::{Line, Over};
use crate::probe::Look;

/// StartTLS among the supported extensions, RFC 4511 §4.14.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// Messages read for one search: an entry, a referral or two, and the end.
const MOST_MESSAGES: usize = 8;

/// protocolOp tags of RFC 4511 §4.2 ff.
const ENTRY: u8 = 0x64;
const DONE: u8 = 0x65;
const REFERENCE: u8 = 0x73;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>, over: Over) -> Answer {
    let Some(backend) = ask(look.line, look.port, over).await? else { return Ok(None) };
    backend.note(look);
    Ok(Some(over))
}

async fn ask(line: &mut Line<'_>, port: u16, over: Over) -> Result<Option<Backend>, Unanswered> {
    let root = search(1, b"", &[b"namingContexts", b"supportedExtension"]);
    let mut talk = Talk::begin(line, port, over, &root).await?;
    let Some(found) = answer(&mut talk, 1).await? else { return Ok(None) };
    let context = found.entry.as_deref().and_then(naming_context).unwrap_or_default();
    let start_tls = found.entry.as_deref().map(|entry| holds(entry, START_TLS));
    let tls = if over == Over::Tls { Some(true) } else { start_tls };
    let (mut access, mut status) = (Access::Guarded, found.code);
    if found.entry.is_some() && !context.is_empty() {
        talk.send(&search(2, &context, &[b"1.1"])).await?;
        (access, status) = match answer(&mut talk, 2).await {
            Ok(Some(Found { entry: Some(_), code })) => (Access::Served(Severity::High), code),
            Ok(Some(Found { entry: None, code })) => (Access::Guarded, code),
            _ => (Access::Unclear, 0),
        };
    }
    Ok(Some(Backend { tls, access, status: Some(status), ..Backend::new(Service::Ldap, over) }))
}

/// What a search found: an entry's bytes, for as long as this look takes, and the result code.
struct Found {
    entry: Option<Vec<u8>>,
    code: u32,
}

async fn answer(talk: &mut Talk<'_>, id: u8) -> Result<Option<Found>, Unanswered> {
    let mut entry = None;
    for _ in 0..MOST_MESSAGES {
        let Some(message) = message(talk).await? else { return Ok(None) };
        let Some((0x02, number, rest)) = tlv(&message) else { return Ok(None) };
        let Some((tag, operation, _)) = tlv(rest) else { return Ok(None) };
        match tag {
            // Number 0 is a notice of disconnection.
            _ if number != [id] => return Ok(None),
            ENTRY => entry = Some(operation.to_vec()),
            REFERENCE => {}
            DONE => {
                let code = tlv(operation).filter(|(tag, code, _)| *tag == 0x0a && code.len() == 1);
                return Ok(code.map(|(_, code, _)| Found { entry, code: u32::from(code[0]) }));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The inside of one LDAPMessage.
async fn message(talk: &mut Talk<'_>) -> Result<Option<Vec<u8>>, Unanswered> {
    let head = talk.take(2).await?;
    if head[0] != 0x30 {
        return Ok(None);
    }
    let length = match head[1] {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => {
            let octets = talk.take(usize::from(long & 0x7f)).await?;
            octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet))
        }
        _ => return Ok(None),
    };
    talk.take(length).await.map(Some)
}

/// The first value of `namingContexts` in an entry: name, then a sequence of attributes, each a
/// name and a set of values.
fn naming_context(entry: &[u8]) -> Option<Vec<u8>> {
    let (_, _, rest) = tlv(entry)?;
    let (0x30, mut attributes, _) = tlv(rest)? else { return None };
    while let Some((0x30, attribute, next)) = tlv(attributes) {
        let (_, name, values) = tlv(attribute)?;
        if name.eq_ignore_ascii_case(b"namingContexts") {
            let (_, set, _) = tlv(values)?;
            return tlv(set).map(|(_, value, _)| value.to_vec()).filter(|value| value.len() <= 256);
        }
        attributes = next;
    }
    None
}

/// Tag, value and what follows, in BER with definite lengths.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// A SearchRequest (RFC 4511 §4.5.1) for one entry: base object, any class, at most one, 5 seconds.
fn search(id: u8, base: &[u8], attributes: &[&[u8]]) -> Vec<u8> {
    let attributes: Vec<u8> = attributes.iter().flat_map(|name| ber(0x04, name)).collect();
    let request = [
        ber(0x04, base),
        vec![0x0a, 1, 0, 0x0a, 1, 0, 0x02, 1, 1, 0x02, 1, 5, 0x01, 1, 0],
        ber(0x87, b"objectClass"),
        ber(0x30, &attributes),
    ];
    ber(0x30, &[vec![0x02, 1, id], ber(0x63, &request.concat())].concat())
}

fn ber(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag, 0x82];
    out.extend((value.len() as u16).to_be_bytes());
    out.extend(value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_naming_context_is_found_among_other_attributes() {
        let attribute =
            |name: &[u8], value: &[u8]| ber(0x30, &[ber(0x04, name), ber(0x31, &ber(0x04, value))].concat());
        let attributes = [attribute(b"supportedExtension", START_TLS), attribute(b"namingContexts", b"dc=example")];
        let entry = [ber(0x04, b""), ber(0x30, &attributes.concat())].concat();
        assert_eq!(naming_context(&entry).unwrap(), b"dc=example");
        assert!(naming_context(&entry[..entry.len() - 1]).is_none());
        assert!(tlv(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_none());
    }
}
