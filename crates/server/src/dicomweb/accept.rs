//! What the client takes: `Accept`, or the `accept` query parameter in its stead
//! (PS3.18 8.3.3.1), and `Accept-Encoding`.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};

use super::media_type::{Accepted, MediaType, parse_accept, weight};
use crate::web::Problem;

/// The media types a client takes, best first. What it will not take at all is at the end
/// with quality 0.
#[derive(Clone, Debug)]
pub struct Accept(Vec<Accepted>);

impl Accept {
    /// What the client takes, best first.
    pub fn wanted(&self) -> impl Iterator<Item = &MediaType> {
        self.0.iter().filter(|entry| entry.quality > 0).map(|entry| &entry.media_type)
    }

    /// Whether the client said by name that it does not take that `type/subtype`.
    pub fn excludes(&self, essence: &str) -> bool {
        self.0.iter().any(|entry| entry.quality == 0 && entry.media_type.essence() == essence)
    }

    /// The first of `offered` that the client likes best; 406 when there is none.
    pub fn choose<'a>(&self, offered: &[&'a str]) -> Result<&'a str, Problem> {
        self.wanted()
            .find_map(|wanted| offered.iter().find(|offer| wanted.holds(offer) && !self.excludes(offer)))
            .copied()
            .ok_or_else(|| Problem::not_acceptable(format!("this comes as {}", offered.join(" or "))))
    }

    /// Reads the text of an `Accept` header.
    pub fn parse(text: &str) -> Option<Accept> {
        parse_accept(text).map(Accept)
    }

    fn read(headers: &HeaderMap, query: Option<&str>) -> Option<Accept> {
        let parameter = query.into_iter().flat_map(|q| q.split('&')).find_map(|pair| pair.strip_prefix("accept="));
        let text = match parameter {
            Some(encoded) => percent_decoded(encoded)?,
            None => {
                let values: Option<Vec<&str>> =
                    headers.get_all(header::ACCEPT).iter().map(|v| v.to_str().ok()).collect();
                values?.join(",")
            }
        };
        Accept::parse(if text.trim().is_empty() { "*/*" } else { &text })
    }
}

impl<S: Sync> FromRequestParts<S> for Accept {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Accept, Problem> {
        Accept::read(&parts.headers, parts.uri.query())
            .ok_or_else(|| Problem::not_acceptable("Accept names no media type"))
    }
}

/// A content coding of JSON and XML answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// None.
    Identity,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Coding {
    /// The coding the client likes best; of equals the quicker one.
    pub fn wanted(headers: &HeaderMap) -> Coding {
        let mut best = (Coding::Identity, 0);
        let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for entry in values.flat_map(|value| value.split(',')).take(32) {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let quality = weight(parameters.trim().strip_prefix("q="));
            let coding = match name.trim().to_ascii_lowercase().as_str() {
                "zstd" => Coding::Zstd,
                "gzip" | "x-gzip" => Coding::Gzip,
                _ => continue,
            };
            if quality > best.1 || (quality == best.1 && coding == Coding::Zstd) {
                best = (coding, quality);
            }
        }
        if best.1 == 0 { Coding::Identity } else { best.0 }
    }

    /// Its name in `Content-Encoding`.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Coding::Identity => None,
            Coding::Gzip => Some("gzip"),
            Coding::Zstd => Some("zstd"),
        }
    }
}

/// Undoes percent encoding; `+` stays, as media types hold it.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_query_parameter_goes_before_the_header() {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("image/png"))]);
        let essence = |query| Accept::read(&headers, query).unwrap().wanted().next().unwrap().essence().to_owned();
        assert_eq!(essence(None), "image/png");
        assert_eq!(essence(Some("limit=1&accept=application/dicom+json")), "application/dicom+json");
        assert_eq!(essence(Some("accept=application%2Fdicom%2bjson;q=0.5")), "application/dicom+json");
        assert!(Accept::read(&headers, Some("accept=%zz")).is_none());
    }

    #[test]
    fn codings_are_chosen_by_quality() {
        let of =
            |text| Coding::wanted(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))]));
        assert_eq!(of("gzip, deflate"), Coding::Gzip);
        assert_eq!(of("gzip, zstd"), Coding::Zstd);
        assert_eq!(of("zstd;q=0.5, gzip;q=0.8"), Coding::Gzip);
        assert_eq!(of("gzip;q=0"), Coding::Identity);
        assert_eq!(of("br"), Coding::Identity);
        assert_eq!(Coding::wanted(&HeaderMap::new()), Coding::Identity);
    }
}
