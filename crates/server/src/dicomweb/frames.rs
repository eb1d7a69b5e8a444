//! Retrieve frames as they are stored, PS3.18 10.4.1.1.6, and pixel data as all of them.
//!
//! A frame is read by its place in the object alone. Deliberately absent: decoding; what
//! needs it is answered 406.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, header};
use leadglass_archive::retrieve::{Purpose, Retrieval, StoredInstance};
use leadglass_archive::{Caller, Refused};

use super::accept::Accept;
use super::body;
use super::byte_order::{self, WordTurner};
use super::conditions::EntityTag;
use super::media_type::MediaType;
use super::multipart_writer::MultipartWriter;
use super::pixel_media::{self, OCTET_STREAM};
use super::target::{PathRest, Target, instance_url};
use crate::metrics::{self, WEB};
use crate::web::problem::hidden;
use crate::web::{Problem, WebState};

/// The elements that hold pixels: Pixel Data, Float Pixel Data, Double Float Pixel Data.
pub const PIXEL_ELEMENTS: [&str; 3] = ["7FE00010", "7FE00008", "7FE00009"];

/// `GET …/instances/{instance}/frames/{list}`.
pub async fn frames(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    target: Target,
    PathRest(list): PathRest,
    accept: Accept,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let numbers = frame_list(&list, state.limits().frames)?;
    let retrieval = state.archive().retrieve(&caller, target.selection(), Purpose::Viewing).await.map_err(hidden)?;
    let instance = one(&retrieval)?;
    if numbers.iter().any(|number| *number > instance.frames) {
        return Err(Problem::not_found());
    }
    answer(&state, retrieval, instance, numbers, &accept, &headers).await
}

/// The one instance of a retrieval that addressed one.
pub fn one(retrieval: &Retrieval) -> Result<StoredInstance, Problem> {
    retrieval.instances().first().cloned().ok_or_else(Problem::not_found)
}

/// These frames in the form the client likes best.
pub async fn answer(
    state: &WebState,
    retrieval: Retrieval,
    instance: StoredInstance,
    numbers: Vec<u32>,
    accept: &Accept,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let form = frame_form(accept, &instance, numbers.len())?;
    let list: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let words = ["frames", &list.join(","), &form.content_type, if form.multipart { "multipart" } else { "single" }];
    let tag = EntityTag::of(std::slice::from_ref(&instance), &words);
    let mut response = match tag.instead(headers) {
        Some(response) => {
            retrieval.complete().await.map_err(hidden)?;
            return Ok(response);
        }
        None if form.multipart => multipart(state, retrieval, instance, numbers, &form, &tag).await?,
        None => single(retrieval, &instance, &numbers, &form).await?,
    };
    tag.mark(response.headers_mut());
    Ok(response)
}

/// How frames go out.
struct FrameForm {
    multipart: bool,
    /// `type/subtype`.
    essence: &'static str,
    /// With its transfer syntax.
    content_type: String,
}

fn frame_form(accept: &Accept, instance: &StoredInstance, count: usize) -> Result<FrameForm, Problem> {
    let stored = pixel_media::media_type(&instance.transfer_syntax);
    for wanted in accept.wanted() {
        let (multipart, inner) = match wanted.essence() {
            "*/*" => (true, None),
            "multipart/related" | "multipart/*" => (true, wanted.parameter("type").and_then(MediaType::parse)),
            _ if count == 1 => (false, Some(wanted.clone())),
            _ => continue,
        };
        let named = wanted.parameter("transfer-syntax").or_else(|| inner.as_ref()?.parameter("transfer-syntax"));
        let Some(essence) = frame_essence(inner.as_ref(), named, stored, instance) else { continue };
        if accept.excludes(essence) {
            continue;
        }
        let syntax = pixel_media::frame_syntax(&instance.transfer_syntax);
        return Ok(FrameForm { multipart, essence, content_type: format!("{essence}; transfer-syntax={syntax}") });
    }
    Err(Problem::not_acceptable(format!(
        "these frames are stored as {stored} and come so, in a multipart/related unless it is one; \
         decoding and rendering come with pixel support"
    )))
}

/// The media type to label frames with, when a wish can be met by them as they are stored.
fn frame_essence(
    inner: Option<&MediaType>,
    named: Option<&str>,
    stored: &'static str,
    instance: &StoredInstance,
) -> Option<&'static str> {
    let as_sent = pixel_media::frame_syntax(&instance.transfer_syntax);
    if named.is_some_and(|named| named != "*" && named != as_sent) {
        return None;
    }
    match inner {
        None => Some(stored),
        Some(range) if range.holds(stored) || pixel_media::canonical(range.essence()) == stored => Some(stored),
        // Viewers ask for octets in any syntax and look at the part's own label.
        Some(range) if range.essence() == OCTET_STREAM && named.is_some() => Some(OCTET_STREAM),
        Some(_) => None,
    }
}

async fn single(
    retrieval: Retrieval,
    instance: &StoredInstance,
    numbers: &[u32],
    form: &FrameForm,
) -> Result<Response, Problem> {
    let number = numbers.first().copied().ok_or_else(Problem::not_found)?;
    let frame = frame(&retrieval, instance, number).await.map_err(hidden)?;
    retrieval.complete().await.map_err(hidden)?;
    let mut response = Response::new(body::pieces([frame]));
    let content_type = HeaderValue::from_str(&form.content_type).map_err(Problem::internal)?;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

async fn multipart(
    state: &WebState,
    retrieval: Retrieval,
    instance: StoredInstance,
    numbers: Vec<u32>,
    form: &FrameForm,
    tag: &EntityTag,
) -> Result<Response, Problem> {
    let writer = MultipartWriter::new(tag, form.essence);
    let frames_url = format!("{}/frames", instance_url(state.public_url(), &instance));
    let content_type = writer.content_type()?;
    let part_type = form.content_type.clone();
    let body = match numbers.as_slice() {
        [number] => {
            let frame = frame(&retrieval, &instance, *number).await.map_err(hidden)?;
            retrieval.complete().await.map_err(hidden)?;
            let head = writer.part(&part_type, Some(&format!("{frames_url}/{number}")));
            body::pieces([head.into(), frame, writer.end().into()])
        }
        _ => {
            body::written(retrieval, None, move |retrieval, outlet| {
                async move {
                    for number in numbers {
                        let frame = frame(retrieval, &instance, number).await?;
                        outlet.send(writer.part(&part_type, Some(&format!("{frames_url}/{number}")))).await?;
                        outlet.send(frame).await?;
                    }
                    outlet.send(writer.end()).await
                }
                .boxed()
            })
            .await?
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

/// A frame in little endian order.
async fn frame(retrieval: &Retrieval, instance: &StoredInstance, number: u32) -> Result<Bytes, Refused> {
    let frame = retrieval.frame(instance, number).await?;
    metrics::sent(WEB, frame.len());
    if !byte_order::is_turned(&instance.transfer_syntax) {
        return Ok(frame);
    }
    let metadata = retrieval.metadata(instance).await?;
    let vr = PIXEL_ELEMENTS.iter().find_map(|path| byte_order::vr_of(&metadata, path));
    let mut turner = WordTurner::new(vr.map_or(1, byte_order::word_bytes));
    let turned = turner.turn(frame);
    Ok([turned, turner.rest()].concat().into())
}

/// `1,2,3`: at least one, from 1, at most so many.
fn frame_list(text: &str, most: usize) -> Result<Vec<u32>, Problem> {
    let numbers: Option<Vec<u32>> =
        text.split(',').take(most + 1).map(|number| number.trim().parse().ok().filter(|number| *number > 0)).collect();
    match numbers {
        Some(numbers) if numbers.len() <= most => Ok(numbers),
        Some(_) => Err(Problem::bad_request("too many frames in one request")),
        None => Err(Problem::bad_request("frames are counted from 1 and separated by commas")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_lists_are_bounded_and_positive() {
        assert_eq!(frame_list("1, 3,2", 3).unwrap(), [1, 3, 2]);
        for text in ["", "0", "-1", "1,", "a", "4294967296", "1,2,3,4"] {
            assert_eq!(frame_list(text, 3).unwrap_err().status(), 400, "{text:?}");
        }
    }
}
