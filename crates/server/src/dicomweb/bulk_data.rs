//! Retrieve bulk data by the URLs that metadata hold, PS3.18 10.4.1.1.5.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use leadglass_archive::retrieve::{Purpose, Retrieval, StoredInstance};
use leadglass_archive::{Caller, Refused};

use super::accept::Accept;
use super::body::{self, Outlet, Stop};
use super::byte_order::{self, WordTurner};
use super::conditions::{self, EntityTag};
use super::frames::{self, PIXEL_ELEMENTS};
use super::media_type::MediaType;
use super::multipart_writer::MultipartWriter;
use super::pixel_media::OCTET_STREAM;
use super::target::{PathRest, Target, instance_url};
use crate::metrics::{self, WEB};
use crate::web::problem::hidden;
use crate::web::{Problem, WebState};

/// Longest way to a value: eight levels of sequences.
const LONGEST_PATH: usize = 256;

/// `GET …/instances/{instance}/bulkdata/{path}`; the path is `tag[/item/tag…]`.
pub async fn bulk_data(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    target: Target,
    PathRest(path): PathRest,
    accept: Accept,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !is_path(&path) {
        return Err(Problem::not_found());
    }
    let retrieval = state.archive().retrieve(&caller, target.selection(), Purpose::Viewing).await.map_err(hidden)?;
    value(&state, retrieval, &path, &accept, &headers).await
}

/// `GET …/instances/{instance}/pixeldata`: whichever of the three elements holds the pixels.
pub async fn pixel_data(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    target: Target,
    accept: Accept,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let retrieval = state.archive().retrieve(&caller, target.selection(), Purpose::Viewing).await.map_err(hidden)?;
    let instance = frames::one(&retrieval)?;
    for path in PIXEL_ELEMENTS {
        if retrieval.bulk(&instance, path).await.is_ok() {
            return value(&state, retrieval, path, &accept, &headers).await;
        }
    }
    Err(Problem::not_found())
}

async fn value(
    state: &WebState,
    retrieval: Retrieval,
    path: &str,
    accept: &Accept,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let instance = frames::one(&retrieval)?;
    if instance.transfer_syntax.is_encapsulated() && PIXEL_ELEMENTS.contains(&path) && instance.frames > 0 {
        let all = (1..=instance.frames).collect();
        return frames::answer(state, retrieval, instance, all, accept, headers).await;
    }
    let (_, length) = retrieval.bulk(&instance, path).await.map_err(hidden)?;
    let multipart = is_multipart(accept, headers)?;
    let tag =
        EntityTag::of(std::slice::from_ref(&instance), &["bulk", path, if multipart { "multipart" } else { "single" }]);
    if let Some(response) = tag.instead(headers) {
        retrieval.complete().await.map_err(hidden)?;
        return Ok(response);
    }
    let word = word_bytes(&retrieval, &instance, path).await.map_err(hidden)?;
    let value = BulkValue { path: path.to_owned(), length, word, instance };
    let mut response = match multipart {
        true => whole(state, retrieval, value, &tag).await?,
        false => ranged(retrieval, value, &tag, headers).await?,
    };
    tag.mark(response.headers_mut());
    Ok(response)
}

/// A bulk value about to go out.
struct BulkValue {
    path: String,
    length: u64,
    /// Bytes of a word, when words have to be turned; 1 otherwise.
    word: usize,
    instance: StoredInstance,
}

/// Multipart is what a client without a wish gets, unless it asks for a range.
fn is_multipart(accept: &Accept, headers: &HeaderMap) -> Result<bool, Problem> {
    let holds = |range: &MediaType| range.holds(OCTET_STREAM) && !accept.excludes(OCTET_STREAM);
    for wanted in accept.wanted() {
        match wanted.essence() {
            "*/*" => return Ok(!headers.contains_key(header::RANGE)),
            "multipart/related" | "multipart/*" => {
                let inner = wanted.parameter("type").and_then(MediaType::parse);
                if inner.is_none_or(|inner| holds(&inner)) {
                    return Ok(true);
                }
            }
            _ if holds(wanted) => return Ok(false),
            _ => {}
        }
    }
    Err(Problem::not_acceptable("bulk data come as application/octet-stream, in a multipart/related or alone"))
}

async fn word_bytes(retrieval: &Retrieval, instance: &StoredInstance, path: &str) -> Result<usize, Refused> {
    if !byte_order::is_turned(&instance.transfer_syntax) {
        return Ok(1);
    }
    let metadata = retrieval.metadata(instance).await?;
    Ok(byte_order::vr_of(&metadata, path).map_or(1, byte_order::word_bytes))
}

async fn whole(state: &WebState, retrieval: Retrieval, value: BulkValue, tag: &EntityTag) -> Result<Response, Problem> {
    let writer = MultipartWriter::new(tag, OCTET_STREAM);
    let location = format!("{}/bulkdata/{}", instance_url(state.public_url(), &value.instance), value.path);
    let head = writer.part(OCTET_STREAM, Some(&location));
    let length = head.len() as u64 + value.length + writer.end().len() as u64;
    let content_type = writer.content_type()?;
    let body = body::written(retrieval, Some(length), move |retrieval, outlet| {
        async move {
            outlet.send(head).await?;
            write_value(retrieval, &value, 0..value.length, outlet).await?;
            outlet.send(writer.end()).await
        }
        .boxed()
    });
    let mut response = Response::new(body.await?);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

async fn ranged(
    retrieval: Retrieval,
    value: BulkValue,
    tag: &EntityTag,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let length = value.length;
    let range = conditions::wanted_range(headers, tag, length)?;
    let wanted = range.clone().unwrap_or(0..length);
    let body = body::written(retrieval, Some(wanted.end - wanted.start), move |retrieval, outlet| {
        async move { write_value(retrieval, &value, wanted, outlet).await }.boxed()
    });
    let mut response = Response::new(body.await?);
    let marks = response.headers_mut();
    marks.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCTET_STREAM));
    marks.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = range {
        conditions::mark_range(marks, &range, length)?;
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Writes bytes of a value; reading starts at the word in which they begin.
async fn write_value(
    retrieval: &Retrieval,
    value: &BulkValue,
    range: std::ops::Range<u64>,
    outlet: &mut Outlet,
) -> Result<(), Stop> {
    let (mut skipped, mut remaining) = (range.start % value.word as u64, range.end - range.start);
    let mut reader = retrieval.open_bulk(&value.instance, &value.path).await?;
    reader.seek(range.start - skipped).await?;
    let mut turner = WordTurner::new(value.word);
    while remaining > 0 {
        let chunk = reader.next_chunk().await?;
        let ended = chunk.is_none();
        let mut bytes = match chunk {
            Some(chunk) => turner.turn(chunk),
            None => std::mem::replace(&mut turner, WordTurner::new(1)).rest(),
        };
        let skip = bytes.len().min(usize::try_from(skipped).unwrap_or(0));
        let _ = bytes.split_to(skip);
        skipped -= skip as u64;
        bytes.truncate(usize::try_from(remaining).unwrap_or(usize::MAX));
        remaining -= bytes.len() as u64;
        metrics::sent(WEB, bytes.len());
        outlet.send(bytes).await?;
        if ended && remaining > 0 {
            return Err(Refused::Damaged("a bulk value is shorter than recorded".into()).into());
        }
    }
    Ok(())
}

/// Tags of eight hexadecimal digits with item numbers between them.
fn is_path(path: &str) -> bool {
    let mut steps = path.split('/').enumerate();
    let well_formed = |(at, step): (usize, &str)| match at % 2 {
        0 => step.len() == 8 && step.bytes().all(|b| b.is_ascii_hexdigit()),
        _ => (1..=6).contains(&step.len()) && step.bytes().all(|b| b.is_ascii_digit()),
    };
    path.len() <= LONGEST_PATH && path.split('/').count() % 2 == 1 && steps.all(well_formed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tags_and_items() {
        for path in ["7FE00010", "00081140/0/0009abcd"] {
            assert!(is_path(path), "{path}");
        }
        for path in ["", "7FE0001", "00081140/0", "00081140//7FE00010", "../../etc", "00081140/0/", &"0".repeat(300)] {
            assert!(!is_path(path), "{path}");
        }
    }
}
