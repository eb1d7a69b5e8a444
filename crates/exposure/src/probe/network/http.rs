//! One request of HTTP/1.1, and the beginning of what comes back.
//!
//! Deliberately absent: redirects, decompression, cookies, more than one request a connection.

use super::talk::{Talk, Unanswered, holds};
use crate::net::{Line, Over};

/// Bytes read of an answer: signatures stand at its beginning.
const MOST: usize = 16 * 1024;

/// The beginning of an answer. Bytes of the target: match, do not keep.
pub(super) struct Page {
    /// The status code.
    pub(super) status: u16,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Page {
    /// Whether a line of the head holds the signature after the field's name.
    pub(super) fn field_holds(&self, field: &str, signature: &str) -> bool {
        self.head.split(|byte| *byte == b'\n').any(|line| {
            let named = line.get(..field.len()).is_some_and(|name| name.eq_ignore_ascii_case(field.as_bytes()));
            named && line.get(field.len()) == Some(&b':') && holds(line, signature.as_bytes())
        })
    }

    /// Whether the body's beginning holds a signature.
    pub(super) fn body_holds(&self, signature: &str) -> bool {
        holds(&self.body, signature.as_bytes())
    }

    /// Whether it asks who we are, or says that we may not.
    pub(super) fn refuses(&self) -> bool {
        matches!(self.status, 401 | 403)
    }
}

/// A request without a body. `fields` are whole lines with their ends. `None` when what comes
/// back is not HTTP.
pub(super) async fn ask(
    line: &mut Line<'_>,
    port: u16,
    over: Over,
    method: &str,
    path: &str,
    fields: &str,
) -> Result<Option<Page>, Unanswered> {
    let contact = line.run().scope.contacts.first().map_or("", String::as_str);
    let contact: String = contact.chars().filter(|c| c.is_ascii_graphic()).collect();
    let host = match line.address() {
        std::net::IpAddr::V4(address) => format!("{address}:{port}"),
        std::net::IpAddr::V6(address) => format!("[{address}]:{port}"),
    };
    let version = env!("CARGO_PKG_VERSION");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: leadglass/{version} (authorised audit; {contact})\r\n\
         {fields}Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    );
    let mut talk = Talk::begin(line, port, over, request.as_bytes()).await?;
    let answer = talk.until(MOST, is_whole).await?;
    Ok(page(&answer))
}

/// Whether a whole answer with a declared length has come, so that nobody waits for more.
fn is_whole(answer: &[u8]) -> bool {
    if !b"HTTP/1.".iter().zip(answer).all(|(expected, byte)| expected == byte) {
        return true;
    }
    let Some(end) = end_of_head(answer) else { return false };
    let length = answer[..end].split(|byte| *byte == b'\n').find_map(|line| {
        let value = line.get(15..).filter(|_| line[..15].eq_ignore_ascii_case(b"content-length:"))?;
        std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok()
    });
    length.is_some_and(|length| answer.len() - end >= length)
}

fn page(answer: &[u8]) -> Option<Page> {
    let rest = answer.strip_prefix(b"HTTP/1.")?;
    let status = rest.get(2..5).filter(|_| rest[1] == b' ')?;
    let status = std::str::from_utf8(status).ok()?.parse().ok().filter(|status| (100..600).contains(status))?;
    let end = end_of_head(answer).unwrap_or(answer.len());
    Some(Page { status, head: answer[..end].to_vec(), body: answer[end..].to_vec() })
}

fn end_of_head(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}
