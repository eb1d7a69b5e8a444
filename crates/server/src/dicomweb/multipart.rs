//! `multipart/related` (RFC 2046, RFC 2387) taken apart as it arrives.
//!
//! Bytes in, events out: no socket, no clock, and memory bounded by one chunk and one
//! header block whatever is sent. Deliberately absent: nested multiparts and transfer
//! encodings other than identity, which DICOMweb does not use.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem::Finder;

use super::media_type::MediaType;

/// A boundary is at most this long, RFC 2046 §5.1.1.
const LONGEST_BOUNDARY: usize = 70;
/// Bytes in front of the first boundary that are skipped; nobody sends more on purpose.
const LONGEST_PREAMBLE: usize = 16 << 10;
/// Spaces and tabs that may follow a boundary on its line.
const LONGEST_PADDING: usize = 64;

/// What a parser says next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins.
    Part(PartHeaders),
    /// Bytes of the part, never empty.
    Data(Bytes),
    /// The part has ended.
    PartEnd,
    /// The closing boundary has been read; what follows is of no interest.
    End,
    /// Nothing more can be said before more bytes come.
    NeedMore,
}

/// The headers of a part that mean something here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHeaders {
    /// Content-Type.
    pub content_type: Option<MediaType>,
    /// Content-Location, as sent.
    pub content_location: Option<String>,
    /// Content-ID, as sent.
    pub content_id: Option<String>,
}

/// Why bytes are no multipart. Never repeats them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// No boundary parameter, or one that RFC 2046 does not allow.
    #[error("the multipart boundary is missing or malformed")]
    Boundary,
    /// The boundary of the header does not come.
    #[error("the multipart body does not begin with its boundary")]
    NoFirstBoundary,
    /// More parts than the limit.
    #[error("the multipart body has too many parts")]
    TooManyParts,
    /// The headers of a part are longer than the limit.
    #[error("the headers of a part are too long")]
    HeadersTooLong,
    /// The headers of a part are malformed.
    #[error("the headers of a part are malformed")]
    Headers,
    /// A part with a transfer encoding.
    #[error("a part has a content transfer encoding; send binary")]
    TransferEncoding,
    /// The body ended before its closing boundary.
    #[error("the multipart body ends before its closing boundary")]
    Truncated,
}

/// Takes a multipart body apart.
pub struct MultipartParser {
    /// Line break and `--boundary`: LF alone until the first boundary shows which it is.
    delimiter: Finder<'static>,
    boundary: String,
    buffer: BytesMut,
    state: State,
    parts: usize,
    most_parts: usize,
    longest_headers: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Bytes of preamble skipped so far.
    Preamble(usize),
    Headers,
    /// Bytes at the front of the buffer that are no data but may begin a delimiter: the line
    /// break that ended the headers, when the part is empty and its writer terse.
    Body(usize),
    Ended,
}

/// What the bytes after a boundary say of it.
enum Line {
    /// It opens a part; its line is so long, and ends so.
    Open { length: usize, with_carriage_return: bool },
    /// It closes the multipart.
    Close,
    /// It is data that looks like a boundary.
    Data,
    /// Too few bytes to tell.
    Unknown,
}

impl MultipartParser {
    /// A parser for that boundary, which takes at most so many parts and so many bytes of
    /// headers in each.
    pub fn new(boundary: &str, most_parts: usize, longest_headers: usize) -> Result<MultipartParser, MultipartError> {
        let printable = boundary.bytes().all(|b| (b' '..=b'~').contains(&b));
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY || !printable {
            return Err(MultipartError::Boundary);
        }
        Ok(MultipartParser {
            delimiter: Finder::new(&format!("\n--{boundary}")).into_owned(),
            boundary: boundary.to_owned(),
            // As if a line had ended just before the body, so that a boundary at its very
            // start is found like any other.
            buffer: BytesMut::from(&b"\n"[..]),
            state: State::Preamble(0),
            parts: 0,
            most_parts,
            longest_headers,
        })
    }

    /// Takes the next bytes of the body. Ask [`MultipartParser::event`] until it needs more.
    pub fn feed(&mut self, chunk: Bytes) {
        if self.state == State::Ended {
            return;
        }
        match (self.buffer.is_empty(), chunk.try_into_mut()) {
            (true, Ok(owned)) => self.buffer = owned,
            (false, Ok(owned)) => self.buffer.extend_from_slice(&owned),
            (_, Err(shared)) => self.buffer.extend_from_slice(&shared),
        }
    }

    /// What can be said of the bytes so far.
    pub fn event(&mut self) -> Result<Event, MultipartError> {
        loop {
            let event = match self.state {
                State::Preamble(skipped) => self.preamble(skipped)?,
                State::Headers => Some(self.headers()?),
                State::Body(held) => Some(self.body(held)?),
                State::Ended => Some(Event::End),
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    /// The body has ended: an error unless its closing boundary came.
    pub fn finish(&self) -> Result<(), MultipartError> {
        match self.state {
            State::Ended => Ok(()),
            State::Preamble(_) => Err(MultipartError::NoFirstBoundary),
            State::Headers | State::Body(_) => Err(MultipartError::Truncated),
        }
    }

    /// Skips to the first boundary.
    fn preamble(&mut self, skipped: usize) -> Result<Option<Event>, MultipartError> {
        let (before, line) = self.search();
        let skipped = skipped + before;
        if skipped > LONGEST_PREAMBLE {
            return Err(MultipartError::NoFirstBoundary);
        }
        self.buffer.advance(before);
        self.state = State::Preamble(skipped);
        match line {
            Some(Line::Open { length, with_carriage_return }) => {
                self.open(length)?;
                if with_carriage_return {
                    self.delimiter = Finder::new(&format!("\r\n--{}", self.boundary)).into_owned();
                }
                Ok(None)
            }
            Some(Line::Close) => {
                self.end();
                Ok(None)
            }
            Some(Line::Data) => {
                self.buffer.advance(1);
                Ok(None)
            }
            Some(Line::Unknown) | None => Ok(Some(Event::NeedMore)),
        }
    }

    fn headers(&mut self) -> Result<Event, MultipartError> {
        let Some(length) = header_block_length(&self.buffer) else {
            return match self.buffer.len() > self.longest_headers {
                true => Err(MultipartError::HeadersTooLong),
                false => Ok(Event::NeedMore),
            };
        };
        if length > self.longest_headers {
            return Err(MultipartError::HeadersTooLong);
        }
        let headers = part_headers(self.buffer.get(..length).unwrap_or_default())?;
        let line_break = self.delimiter.needle().iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let held = line_break.min(length);
        self.buffer.advance(length - held);
        self.state = State::Body(held);
        Ok(Event::Part(headers))
    }

    fn body(&mut self, held: usize) -> Result<Event, MultipartError> {
        let (mut before, line) = self.search();
        if held > 0 && before >= held {
            self.buffer.advance(held);
            self.state = State::Body(0);
            before -= held;
        }
        if before > 0 {
            return Ok(match self.state {
                State::Body(0) => Event::Data(self.buffer.split_to(before).freeze()),
                _ => Event::NeedMore,
            });
        }
        match line {
            Some(Line::Open { length, .. }) => {
                self.open(length)?;
                Ok(Event::PartEnd)
            }
            Some(Line::Close) => {
                self.end();
                Ok(Event::PartEnd)
            }
            Some(Line::Data) => {
                let held = if let State::Body(held) = self.state { held } else { 0 };
                self.buffer.advance(held);
                self.state = State::Body(0);
                let looked_like_one = self.delimiter.needle().len() - held;
                Ok(Event::Data(self.buffer.split_to(looked_like_one).freeze()))
            }
            Some(Line::Unknown) | None => Ok(Event::NeedMore),
        }
    }

    /// How many bytes certainly precede the next delimiter, and what that is if it was found.
    fn search(&self) -> (usize, Option<Line>) {
        let needle = self.delimiter.needle().len();
        match self.delimiter.find(&self.buffer) {
            Some(at) => (at, Some(boundary_line(self.buffer.get(at + needle..).unwrap_or_default()))),
            None => (self.buffer.len().saturating_sub(needle - 1), None),
        }
    }

    /// Consumes the delimiter at the front of the buffer and the rest of its line.
    fn open(&mut self, line: usize) -> Result<(), MultipartError> {
        self.parts += 1;
        if self.parts > self.most_parts {
            return Err(MultipartError::TooManyParts);
        }
        self.buffer.advance(self.delimiter.needle().len() + line);
        self.state = State::Headers;
        Ok(())
    }

    fn end(&mut self) {
        self.buffer = BytesMut::new();
        self.state = State::Ended;
    }
}

/// Judges what follows a boundary on its line.
fn boundary_line(rest: &[u8]) -> Line {
    if rest.starts_with(b"--") {
        return Line::Close;
    }
    let padding = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    match rest.get(padding..).unwrap_or_default() {
        _ if padding > LONGEST_PADDING => Line::Data,
        [b'\r', b'\n', ..] => Line::Open { length: padding + 2, with_carriage_return: true },
        [b'\n', ..] => Line::Open { length: padding + 1, with_carriage_return: false },
        [] | [b'\r'] => Line::Unknown,
        [b'-'] if padding == 0 => Line::Unknown,
        _ => Line::Data,
    }
}

/// Bytes of a header block with the empty line that ends it, once that has come.
fn header_block_length(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for line_end in memchr::memchr_iter(b'\n', bytes) {
        if matches!(bytes.get(line_start..line_end), Some([] | [b'\r'])) {
            return Some(line_end + 1);
        }
        line_start = line_end + 1;
    }
    None
}

fn part_headers(block: &[u8]) -> Result<PartHeaders, MultipartError> {
    let text = std::str::from_utf8(block).map_err(|_| MultipartError::Headers)?;
    let mut headers = PartHeaders::default();
    for line in unfold(text) {
        let (name, value) = line.split_once(':').ok_or(MultipartError::Headers)?;
        let (name, value) = (name.trim_end(), value.trim());
        if name.is_empty() || value.contains(|c: char| c.is_control() && c != '\t') {
            return Err(MultipartError::Headers);
        }
        match name.to_ascii_lowercase().as_str() {
            "content-type" => {
                headers.content_type = Some(MediaType::parse(value).ok_or(MultipartError::Headers)?);
            }
            "content-location" => headers.content_location = Some(value.to_owned()),
            "content-id" => headers.content_id = Some(value.to_owned()),
            "content-transfer-encoding" => {
                let identity = ["binary", "8bit", "7bit"].iter().any(|known| value.eq_ignore_ascii_case(known));
                if !identity {
                    return Err(MultipartError::TransferEncoding);
                }
            }
            _ => {}
        }
    }
    Ok(headers)
}

/// Header lines, those that begin with white space joined to the one before (RFC 5322 §2.2.3).
fn unfold(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n').map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty()) {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parts as (content type, bytes), or the error.
    fn parse(body: &[u8], chunk: usize) -> Result<Vec<(String, Vec<u8>)>, MultipartError> {
        let mut parser = MultipartParser::new("b", 1_000, 1_000)?;
        let mut parts = Vec::new();
        for piece in body.chunks(chunk.max(1)) {
            parser.feed(Bytes::copy_from_slice(piece));
            loop {
                match parser.event()? {
                    Event::Part(headers) => {
                        parts.push((
                            headers.content_type.map(|t| t.essence().to_owned()).unwrap_or_default(),
                            Vec::new(),
                        ));
                    }
                    Event::Data(data) => {
                        assert!(!data.is_empty());
                        parts.last_mut().unwrap().1.extend_from_slice(&data);
                    }
                    Event::PartEnd => {}
                    Event::End | Event::NeedMore => break,
                }
            }
            assert!(parser.buffer.len() <= 1_000 + chunk + 80, "memory is bounded");
        }
        parser.finish()?;
        Ok(parts)
    }

    fn one(body: &[u8]) -> Vec<u8> {
        let parts = parse(body, usize::MAX >> 1).unwrap();
        assert_eq!(parts.len(), 1);
        parts[0].1.clone()
    }

    #[test]
    fn real_clients_are_understood() {
        assert_eq!(one(b"--b\r\nContent-Type: application/dicom\r\n\r\nabc\r\n--b--\r\n"), b"abc");
        assert_eq!(one(b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\nabc\r\n--b--"), b"abc", "line break first");
        assert_eq!(
            one(b"preamble\r\n--b \t\r\n\r\nabc\r\n--b--\r\nepilogue --b"),
            b"abc",
            "preamble, padding, no headers"
        );
        assert_eq!(one(b"--b\nContent-Type: a/b\n\nabc\r\n\n--b--\n"), b"abc\r\n", "line feeds alone");
        assert_eq!(one(b"--b\r\nA: b\r\n c\r\n\r\n\r\n--b--"), b"", "an empty part");
        assert_eq!(one(b"--b\r\nA: b\r\n\r\n--b--"), b"", "an empty part, tersely");
    }

    #[test]
    fn data_that_looks_like_a_boundary_is_data() {
        for data in ["\r\n--bx", "\r\n--", "x--b\r\n", "\n--b\r\n", "\r\n--b-", "\r\n--b\rx", "\r\n\r\n--bb\r\n\r\n"] {
            let body = format!("--b\r\n\r\n{data}|\r\n--b--");
            assert_eq!(one(body.as_bytes()), format!("{data}|").as_bytes(), "{data:?}");
        }
    }

    #[test]
    fn wrong_bodies_are_refused() {
        let cases: [(&[u8], MultipartError); 6] = [
            (b"", MultipartError::NoFirstBoundary),
            (b"hello\r\n\r\n", MultipartError::NoFirstBoundary),
            (b"--b\r\nContent-Type: application/dicom\r\n\r\nabc", MultipartError::Truncated),
            (b"--b\r\nno colon\r\n\r\nabc\r\n--b--", MultipartError::Headers),
            (b"--b\r\nContent-Type: nonsense\r\n\r\nabc\r\n--b--", MultipartError::Headers),
            (b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\nabc\r\n--b--", MultipartError::TransferEncoding),
        ];
        for (body, error) in cases {
            assert_eq!(parse(body, 7), Err(error));
        }
        for boundary in ["", "\u{e4}", "a\r\nb", &"x".repeat(71)] {
            assert_eq!(MultipartParser::new(boundary, 1, 1).err(), Some(MultipartError::Boundary));
        }
    }

    #[test]
    fn bombs_are_refused() {
        let headers = [b"--b\r\nX: ".as_slice(), &[b'a'; 100_000]].concat();
        assert_eq!(parse(&headers, 100), Err(MultipartError::HeadersTooLong));
        let parts = b"--b\r\n\r\n\r\n".repeat(100_000);
        assert_eq!(parse(&parts, 4096), Err(MultipartError::TooManyParts));
        assert_eq!(parse(&[b'x'; 100_000], 4096), Err(MultipartError::NoFirstBoundary));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_whatever_the_chunks(
            parts in prop::collection::vec("[\r\n\\-ab ]{0,40}".prop_map(String::into_bytes), 1..5),
            chunk in 1usize..64,
        ) {
            // A part that holds the delimiter itself could not be written with this boundary.
            let mut body = Vec::new();
            for part in &parts {
                let framed = [b"\r\n".as_slice(), part, b"\r\n--b"].concat();
                let hits = memchr::memmem::find_iter(&framed, b"\r\n--b").count();
                prop_assume!(hits == 1);
                body.extend_from_slice(b"--b\r\nContent-Type: a/b\r\n\r\n");
                body.extend_from_slice(part);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"--b--\r\n");
            let read: Vec<Vec<u8>> = parse(&body, chunk).unwrap().into_iter().map(|(_, data)| data).collect();
            prop_assert_eq!(read, parts);
        }

        #[test]
        fn any_bytes_are_survived(body in prop::collection::vec(prop::sample::select(b"\r\n-b: ax".to_vec()), 0..200), chunk in 1usize..20) {
            prop_assert_eq!(parse(&body, chunk), parse(&body, 1));
        }
    }
}
