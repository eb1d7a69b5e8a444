//! `multipart/related` written part by part.

use http::HeaderValue;

use super::conditions::EntityTag;
use crate::web::Problem;

/// Writes the frame around parts. The boundary comes from the entity tag, a digest over
/// everything inside: so equal tags mean equal bytes, and an object cannot hold the boundary
/// it will be sent with.
#[derive(Clone, Debug)]
pub struct MultipartWriter {
    boundary: String,
    root_type: String,
}

impl MultipartWriter {
    /// A writer of parts whose first has that `type/subtype`.
    pub fn new(tag: &EntityTag, root_type: &str) -> MultipartWriter {
        MultipartWriter { boundary: format!("leadglass-{}", tag.as_str()), root_type: root_type.to_owned() }
    }

    /// `Content-Type` of the whole.
    pub fn content_type(&self) -> Result<HeaderValue, Problem> {
        let text = format!("multipart/related; type=\"{}\"; boundary={}", self.root_type, self.boundary);
        HeaderValue::from_str(&text).map_err(Problem::internal)
    }

    /// What stands before a part: the delimiter and its headers. Both texts are ours.
    pub fn part(&self, content_type: &str, content_location: Option<&str>) -> Vec<u8> {
        let location = content_location.map(|url| format!("Content-Location: {url}\r\n")).unwrap_or_default();
        format!("\r\n--{}\r\nContent-Type: {content_type}\r\n{location}\r\n", self.boundary).into_bytes()
    }

    /// What stands after the last part.
    pub fn end(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }
}
