//! One call of ONC RPC over TCP (RFC 5531), without credentials.

use super::talk::{MAX_ANSWER, Talk, Unanswered, be32};

/// What a call came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Accepted: the results.
    Results(Vec<u8>),
    /// The program is not here, or not in this version.
    NotHere,
    /// Refused, or the call is not understood.
    Refused,
}

/// Calls a procedure that takes these arguments. `None` when the answer is not of RPC.
pub(super) async fn call(
    talk: &mut Talk<'_>,
    id: u32,
    (program, version, procedure): (u32, u32, u32),
    arguments: &[u32],
) -> Result<Option<Reply>, Unanswered> {
    // Call, RPC version 2, the procedure, AUTH_NONE twice.
    let words = [id, 0, 2, program, version, procedure, 0, 0, 0, 0];
    let body: Vec<u8> = words.iter().chain(arguments).flat_map(|word| word.to_be_bytes()).collect();
    let head = (1 << 31 | body.len() as u32).to_be_bytes();
    talk.send(&[&head[..], &body].concat()).await?;
    let record = record(talk, id).await?;
    Ok(record.and_then(|record| reply(&record, id)))
}

/// A record: fragments until the last (§11), bounded together. `None` when the first cannot begin a reply;
/// a reply that is too long is [`Unanswered::Babble`].
async fn record(talk: &mut Talk<'_>, id: u32) -> Result<Option<Vec<u8>>, Unanswered> {
    let mut record = Vec::new();
    loop {
        let head = talk.take(4).await?;
        let head = be32(&head, 0).unwrap_or(0);
        let (last, length) = (head >> 31 == 1, (head & 0x7fff_ffff) as usize);
        if record.len() + length > MAX_ANSWER || length == 0 {
            let begun = !record.is_empty() || (length > 0 && is_reply(&talk.take(8).await?, id));
            return if begun { Err(Unanswered::Babble) } else { Ok(None) };
        }
        record.extend(talk.take(length).await?);
        if last {
            return Ok(Some(record));
        }
    }
}

/// §9: a reply to this call.
fn is_reply(record: &[u8], id: u32) -> bool {
    be32(record, 0) == Some(id) && be32(record, 4) == Some(1)
}

/// §9: reply, accepted, a verifier that is skipped, how it went.
fn reply(record: &[u8], id: u32) -> Option<Reply> {
    if !is_reply(record, id) {
        return None;
    }
    match be32(record, 8)? {
        0 => {}
        1 => return Some(Reply::Refused),
        _ => return None,
    }
    let verifier = usize::try_from(be32(record, 16)?).ok().filter(|length| *length <= 400)?.next_multiple_of(4);
    let results = record.get(24 + verifier..)?;
    Some(match be32(record, 20 + verifier)? {
        0 => Reply::Results(results.to_vec()),
        1..=3 => Reply::NotHere,
        4 | 5 => Reply::Refused,
        _ => return None,
    })
}
