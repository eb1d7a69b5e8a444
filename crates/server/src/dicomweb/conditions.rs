//! Entity tags, conditional requests and ranges (RFC 9110 §8.8.3, §13, §14).
//!
//! Stored objects never change, so an entity tag is computed from their digests and the
//! form they are wanted in, without reading them.

use std::ops::Range;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use leadglass_archive::retrieve::StoredInstance;

use crate::web::Problem;

/// The entity tag of a representation: strong, so equal tags mean equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(String);

impl EntityTag {
    /// The tag of these instances in a form; `form` names all that decides the bytes.
    pub fn of(instances: &[StoredInstance], form: &[&str]) -> EntityTag {
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let mut add = |bytes: &[u8]| {
            digest.update(&(bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        // A newer version may write the same object in other words.
        add(env!("CARGO_PKG_VERSION").as_bytes());
        form.iter().for_each(|word| add(word.as_bytes()));
        for instance in instances {
            add(instance.sop_instance.as_str().as_bytes());
            add(&instance.digest);
        }
        EntityTag(hex::encode(digest.finish().as_ref().get(..16).unwrap_or_default()))
    }

    /// The tag without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The header's value.
    pub fn to_header(&self) -> Result<HeaderValue, Problem> {
        HeaderValue::from_str(&format!("\"{}\"", self.0)).map_err(Problem::internal)
    }

    /// The answer that the request's conditions ask for instead of the representation:
    /// 412 or 304.
    pub fn instead(&self, headers: &HeaderMap) -> Option<Response> {
        if headers.contains_key(header::IF_MATCH) && !self.is_among(headers, header::IF_MATCH, false) {
            let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "what is stored there has another entity tag");
            return Some(problem.into_response());
        }
        if self.is_among(headers, header::IF_NONE_MATCH, true) {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            self.mark(response.headers_mut());
            return Some(response);
        }
        None
    }

    /// Puts tag and caching rules into a response: private, and checked at every use.
    pub fn mark(&self, headers: &mut HeaderMap) {
        if let Ok(tag) = self.to_header() {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding, authorization, cookie"));
    }

    fn is_among(&self, headers: &HeaderMap, name: http::HeaderName, weak: bool) -> bool {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| {
            let tag = if weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
            tag == "*" || tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')) == Some(&self.0)
        })
    }
}

/// The bytes of a representation of `length` bytes that a request asks for: `None` for all
/// of it. Several ranges at once are answered with all of it, as RFC 9110 §14.2 allows.
pub fn wanted_range(headers: &HeaderMap, tag: &EntityTag, length: u64) -> Result<Option<Range<u64>>, Problem> {
    if headers.contains_key(header::IF_RANGE) && !tag.is_among(headers, header::IF_RANGE, false) {
        return Ok(None);
    }
    let Some(text) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let range = match (first.trim().parse::<u64>(), last.trim()) {
        (Ok(first), "") => Some(first..length),
        (Ok(first), last) => match last.parse::<u64>() {
            Ok(last) if last >= first => Some(first..last.saturating_add(1).min(length)),
            _ => return Ok(None),
        },
        (Err(_), last) if first.trim().is_empty() => match last.parse::<u64>() {
            Ok(suffix) => Some(length.saturating_sub(suffix)..length),
            Err(_) => return Ok(None),
        },
        _ => return Ok(None),
    };
    match range {
        Some(range) if range.start < range.end => Ok(Some(range)),
        _ => Err(Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("it has {length} bytes"))),
    }
}

/// The headers of a partial answer.
pub fn mark_range(headers: &mut HeaderMap, range: &Range<u64>, length: u64) -> Result<(), Problem> {
    let text = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
    headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&text).map_err(Problem::internal)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn ranges_read_as_rfc_9110_says() {
        let tag = EntityTag("t".into());
        let range =
            |text: &str| wanted_range(&headers(header::RANGE, text), &tag, 100).map_err(|p| p.status().as_u16());
        assert_eq!(range("bytes=0-9"), Ok(Some(0..10)));
        assert_eq!(range("bytes=90-"), Ok(Some(90..100)));
        assert_eq!(range("bytes=90-1000"), Ok(Some(90..100)));
        assert_eq!(range("bytes=-10"), Ok(Some(90..100)));
        assert_eq!(range("bytes=-1000"), Ok(Some(0..100)));
        assert_eq!(range("bytes=100-"), Err(416));
        assert_eq!(range("bytes=-0"), Err(416));
        for whole in ["bytes=9-0", "bytes=0-1,3-4", "lines=0-1", "bytes=", "bytes=a-b", "bytes=0-18446744073709551616"]
        {
            assert_eq!(range(whole), Ok(None), "{whole}");
        }
        assert_eq!(range("bytes=0-18446744073709551615"), Ok(Some(0..100)));
    }

    #[test]
    fn a_range_of_something_else_is_not_given() {
        let mut wanted = headers(header::RANGE, "bytes=0-9");
        wanted.insert(header::IF_RANGE, HeaderValue::from_static("\"other\""));
        assert_eq!(wanted_range(&wanted, &EntityTag("t".into()), 100).unwrap(), None);
    }

    #[test]
    fn conditions_choose_the_answer() {
        let tag = EntityTag("t".into());
        let status = |name, value| tag.instead(&headers(name, value)).map(|response| response.status().as_u16());
        assert_eq!(status(header::IF_NONE_MATCH, "\"x\", W/\"t\""), Some(304));
        assert_eq!(status(header::IF_NONE_MATCH, "\"x\""), None);
        assert_eq!(status(header::IF_NONE_MATCH, "*"), Some(304));
        assert_eq!(status(header::IF_MATCH, "\"t\""), None);
        assert_eq!(status(header::IF_MATCH, "W/\"t\""), Some(412));
    }
}
