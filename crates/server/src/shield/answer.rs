//! The old archive's answer: what of it is handed on.
//!
//! A body of a DICOM media type, its media type and nothing else: no header of the old
//! archive's, no page, no redirect. Its own address in JSON becomes ours. Rows are read and
//! counted before they leave; what is long ends when whoever takes it may not any longer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use leadglass_archive::Refused;
use leadglass_archive::relay::{Ended, Relaying};
use tokio::sync::OwnedSemaphorePermit;

use super::upstream::LONGEST;
use super::{Shield, held, rows};
use crate::web::Problem;

/// Media types of DICOMweb, PS3.18 8.7; a multipart's parts are of them too.
const MEDIA_TYPES: [&str; 9] = [
    "application/dicom",
    "application/dicom+json",
    "application/dicom+xml",
    "application/octet-stream",
    "application/json",
    "application/zip",
    "application/pdf",
    "multipart/related",
    "text/plain",
];

/// What an answer is of.
pub(super) enum Answered {
    /// A search: rows.
    Rows,
    /// A retrieval.
    Objects,
    /// A store.
    Stored,
}

/// The answer to a request whose old archive's address is `theirs` and whose own is `ours`.
pub(super) async fn handed_on(
    answer: Response<Incoming>,
    relaying: Relaying,
    answered: &Answered,
    (theirs, ours): (&str, &str),
    (shield, most_json): (&Shield, usize),
) -> Result<Response, Problem> {
    let status = answer.status();
    if !is_handed_on(status) {
        relaying.close(Ended::Failed);
        return Err(told(status));
    }
    let Some(media_type) = media_type(answer.headers().get(header::CONTENT_TYPE), status) else {
        return Err(something_else(relaying));
    };
    let is_json = media_type.as_ref().is_some_and(|value| value.as_bytes().windows(4).any(|window| window == b"json"));
    let body = match (is_json, answered) {
        (true, _) => {
            let whole = gathered(answer.into_body(), most_json, shield, &relaying).await;
            let checked = match whole {
                Ok(whole) => counted(&relaying, answered, &whole.bytes).await.map(|()| whole),
                Err(ended) => Err(ended),
            };
            match checked {
                Ok(Gathered { bytes, room }) => {
                    relaying.close(Ended::Done);
                    let body = Full::new(Bytes::from(replaced(&bytes, theirs.as_bytes(), ours.as_bytes())));
                    Body::new(body.map_frame(move |frame| {
                        let _until_sent = &room;
                        frame
                    }))
                }
                Err((ended, problem)) => {
                    relaying.close(ended);
                    return Err(problem);
                }
            }
        }
        // Rows that cannot be read cannot be counted.
        (false, Answered::Rows) if media_type.is_some() => return Err(something_else(relaying)),
        (false, Answered::Rows) => {
            relaying.close(Ended::Done);
            Body::empty()
        }
        (false, Answered::Objects | Answered::Stored) => Body::new(Recorded::new(answer.into_body(), relaying)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(media_type) = media_type {
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    }
    Ok(response)
}

fn is_handed_on(status: StatusCode) -> bool {
    // 202 and 409 of a store have a body that says of each object what became of it.
    matches!(status.as_u16(), 200 | 202 | 204 | 206 | 409)
}

/// Refusals are told in our own words.
fn told(status: StatusCode) -> Problem {
    match status.as_u16() {
        404 | 410 => Problem::not_found(),
        400 => Problem::bad_request("the archive behind does not take this request"),
        406 => Problem::not_acceptable("the archive behind has no form that is accepted"),
        413 => Problem::too_large("the archive behind finds this too large"),
        415 => Problem::unsupported_media_type("the archive behind takes no such body"),
        503 | 429 => Problem::unavailable("the archive behind is busy"),
        other => {
            tracing::warn!(door = "shield", status = other, "the old archive did not do as asked");
            Problem::new(StatusCode::BAD_GATEWAY, "the archive behind did not do as asked")
        }
    }
}

/// The media type, when it is one of DICOMweb's; the inner `None` for an answer without body.
fn media_type(value: Option<&HeaderValue>, status: StatusCode) -> Option<Option<HeaderValue>> {
    let Some(value) = value else {
        return (status == StatusCode::NO_CONTENT).then_some(None);
    };
    let text = value.to_str().ok()?;
    let essence = text.split(';').next()?.trim().to_ascii_lowercase();
    let media = essence.starts_with("image/") && essence != "image/svg+xml" || essence.starts_with("video/");
    (media || MEDIA_TYPES.contains(&essence.as_str())).then(|| Some(value.clone()))
}

fn something_else(relaying: Relaying) -> Problem {
    relaying.close(Ended::Failed);
    tracing::warn!(door = "shield", "the old archive answered with something that is not DICOMweb");
    Problem::new(StatusCode::BAD_GATEWAY, "the archive behind answered with something else")
}

/// A body that is held whole, and the room that was taken for it.
struct Gathered {
    bytes: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
}

/// A JSON body whole, or what is told instead: in time, for who may still have it, and as long as
/// there is room for it beside those of others.
async fn gathered(
    body: Incoming,
    most: usize,
    shield: &Shield,
    relaying: &Relaying,
) -> Result<Gathered, (Ended, Problem)> {
    let unanswered = || {
        tracing::warn!(
            door = "shield",
            most,
            "the old archive's answer broke off, took too long, or is longer than dicomweb.metadata_bytes"
        );
        let why = "the archive behind answered too much, or not to the end";
        (Ended::Failed, Problem::new(StatusCode::BAD_GATEWAY, why))
    };
    tokio::select! {
        whole = whole(body, most.min(LONGEST), shield) => whole.map_err(|short| match short {
            Short::OfRoom => (Ended::Failed, Problem::unavailable("too much is on its way already: try again")),
            Short::OfAnswer => unanswered(),
        }),
        refused = held::no_longer(relaying.holder()) => Err((Ended::Refused, Problem::from(refused))),
        () = tokio::time::sleep(shield.patience()) => Err(unanswered()),
    }
}

/// What a body that is held fell short of.
enum Short {
    OfRoom,
    OfAnswer,
}

async fn whole(mut body: Incoming, most: usize, shield: &Shield) -> Result<Gathered, Short> {
    let mut whole = Gathered { bytes: Vec::new(), room: None };
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| Short::OfAnswer)?.into_data() else { continue };
        if whole.bytes.len() + piece.len() > most {
            return Err(Short::OfAnswer);
        }
        // Twice: it is copied once more with our address in it.
        let more = shield.room(2 * piece.len()).ok_or(Short::OfRoom)?;
        match &mut whole.room {
            Some(room) => room.merge(more),
            none => *none = Some(more),
        }
        whole.bytes.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// Counts what a JSON body tells of, before any of it leaves.
async fn counted(relaying: &Relaying, answered: &Answered, whole: &[u8]) -> Result<(), (Ended, Problem)> {
    let held = |refused: Refused| (Ended::Refused, Problem::from(refused));
    match answered {
        Answered::Rows => {
            let Some(rows) = rows::of_json(whole) else {
                tracing::warn!(door = "shield", "the old archive's rows cannot be read, so they cannot be counted");
                let why = "the archive behind answered with rows that cannot be read";
                return Err((Ended::Failed, Problem::new(StatusCode::BAD_GATEWAY, why)));
            };
            relaying.tells(&rows).await.map_err(held)
        }
        Answered::Objects => {
            relaying.charge(whole.len() as u64);
            relaying.holder().may_go_on().await.map_err(held)
        }
        Answered::Stored => Ok(()),
    }
}

fn replaced(text: &[u8], theirs: &[u8], ours: &[u8]) -> Vec<u8> {
    let (mut out, mut from) = (Vec::with_capacity(text.len()), 0);
    for at in memchr::memmem::find_iter(text, theirs) {
        out.extend_from_slice(&text[from..at]);
        out.extend_from_slice(ours);
        from = at + theirs.len();
    }
    out.extend_from_slice(&text[from..]);
    out
}

/// A body whose end closes the entry; given up before, the entry says so. It breaks off when
/// whoever takes it may not any longer.
struct Recorded {
    body: Incoming,
    relaying: Option<Relaying>,
    held: BoxFuture<'static, Refused>,
}

impl Recorded {
    fn new(body: Incoming, relaying: Relaying) -> Recorded {
        let held = Box::pin(held::no_longer(relaying.holder()));
        Recorded { body, relaying: Some(relaying), held }
    }

    fn close(&mut self, ended: Ended) {
        if let Some(relaying) = self.relaying.take() {
            relaying.close(ended);
        }
    }
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.relaying.is_none() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(refused) = self.held.as_mut().poll(cx) {
            tracing::info!(door = "shield", %refused, "what was being handed on broke off");
            self.close(Ended::Refused);
            return Poll::Ready(Some(Err(axum::Error::new(refused))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.close(Ended::Done),
            Some(Err(_)) => self.close(Ended::Failed),
            Some(Ok(data)) => {
                if let (Some(relaying), Some(bytes)) = (&self.relaying, data.data_ref()) {
                    relaying.charge(bytes.len() as u64);
                }
                if self.body.is_end_stream() {
                    self.close(Ended::Done);
                }
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dicomweb_is_handed_on() {
        let of = |text: &'static str| media_type(Some(&HeaderValue::from_static(text)), StatusCode::OK).is_some();
        for good in [
            "application/dicom+json",
            "multipart/related; type=\"application/dicom\"; boundary=x",
            "image/jpeg",
            "Application/DICOM",
            "video/mp4",
        ] {
            assert!(of(good), "{good}");
        }
        for bad in ["text/html", "image/svg+xml", "application/javascript", "text/html; x=application/dicom", ""] {
            assert!(!of(bad), "{bad}");
        }
        assert!(media_type(None, StatusCode::OK).is_none());
        assert!(media_type(None, StatusCode::NO_CONTENT).is_some());
        for status in [301, 302, 307, 308, 401, 403, 500] {
            assert!(!is_handed_on(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }

    #[test]
    fn their_address_becomes_ours() {
        let text = br#"{"a":"http://127.0.0.1:8042/dicom-web/studies/1","b":"http://127.0.0.1:8042/dicom-web/x"}"#;
        let out = replaced(text, b"http://127.0.0.1:8042/dicom-web", b"https://edge:8443/dicom-web");
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.matches("https://edge:8443/dicom-web/").count(), 2);
        assert!(!out.contains("8042"));
    }
}
