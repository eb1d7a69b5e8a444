//! A URL of the scope file: the owner's own words, never a target's.

use crate::net::Over;
use crate::net::http::Server;

/// An `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `http` is clear, `https` behind TLS.
    pub over: Over,
    /// The name or address; an IPv6 address without its brackets.
    pub host: String,
    /// The port, 80 or 443 when none is named.
    pub port: u16,
    /// The path with its query, `/` at least.
    pub path: String,
}

impl Url {
    /// Reads `https://host:port/path?query`. None when it is no such URL, or holds what cannot
    /// be asked for: credentials, a fragment alone, characters outside of printable ASCII.
    pub fn parse(text: &str) -> Option<Url> {
        let (scheme, rest) = text.split_once("://")?;
        let over = match scheme.to_ascii_lowercase().as_str() {
            "http" => Over::Clear,
            "https" => Over::Tls,
            _ => return None,
        };
        let rest = rest.split('#').next()?;
        if rest.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return None;
        }
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let (host, port) = split_authority(authority)?;
        let usual = if over == Over::Tls { 443 } else { 80 };
        let port = if port.is_empty() { usual } else { port.parse().ok().filter(|port| *port > 0)? };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Url { over, host, port, path })
    }

    /// The server that it is at.
    pub fn server(&self) -> Server {
        Server { port: self.port, over: self.over, host: self.host.clone() }
    }

    /// Its path without a query and without a slash at the end: the base of a DICOMweb service.
    pub fn base(&self) -> &str {
        self.path.split('?').next().unwrap_or_default().trim_end_matches('/')
    }
}

fn split_authority(authority: &str) -> Option<(String, &str)> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = if rest.is_empty() { rest } else { rest.strip_prefix(':')? };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    (!host.is_empty() && host.bytes().all(plain)).then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_apart() {
        let url = Url::parse("https://PACS.example:8443/dicom-web/?x=1#y").unwrap();
        assert_eq!((url.over, url.host.as_str(), url.port), (Over::Tls, "pacs.example", 8443));
        assert_eq!((url.path.as_str(), url.base()), ("/dicom-web/?x=1", "/dicom-web"));
        let bare = Url::parse("http://[::1]").unwrap();
        assert_eq!((bare.host.as_str(), bare.port, bare.path.as_str(), bare.base()), ("::1", 80, "/", ""));
    }

    #[test]
    fn what_cannot_be_asked_is_no_url() {
        for text in ["ftp://a/", "http://", "http://u:p@a/", "http://a:0/", "http://a/ b", "http://a:b/", "/a", ""] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }
}
