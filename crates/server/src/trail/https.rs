//! One request over HTTPS to a configured destination: no redirect, a bounded answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;

use super::Failed;
use super::tls::Towards;
use crate::config::trail::ClientTls;

/// Bytes of an answer.
const ANSWER_BYTES: usize = 64 << 10;
/// For a request with its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A URL of https, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `host:port`, to connect to.
    pub to: String,
    /// Host, and port when it is not 443: for the header.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Of an `https` URL without user; `None` of anything else.
    pub fn parse(url: &str) -> Option<Target> {
        let uri: http::Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        if uri.scheme_str() != Some("https") || authority.as_str().contains('@') || url.contains('#') {
            return None;
        }
        let port = authority.port_u16().unwrap_or(443);
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(Target { to: format!("{}:{port}", authority.host()), authority: authority.as_str().to_owned(), path })
    }
}

/// Sends the request on a connection of its own; `Ok` when it was answered with success.
pub async fn send(target: &Target, tls: &ClientTls, request: Request<Full<Bytes>>) -> Result<(), Failed> {
    let towards = Towards::new(&target.to, tls)?;
    let exchanged = tokio::time::timeout(PATIENCE, async {
        let stream = towards.connect().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Failed::Http)?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(Failed::Http)?;
        let status = response.status();
        // What it says beside the status is read to its end and not believed.
        let _ = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        connection.abort();
        Ok::<StatusCode, Failed>(status)
    });
    let status = exchanged.await.map_err(|_| Failed::Silent)??;
    if status.is_success() { Ok(()) } else { Err(Failed::Answered(status.as_u16())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_without_user_is_a_target() {
        let target = Target::parse("https://hook.example:8443/a?b=c").unwrap();
        assert_eq!((target.to.as_str(), target.path.as_str()), ("hook.example:8443", "/a?b=c"));
        assert_eq!(
            Target::parse("https://h").unwrap(),
            Target { to: "h:443".into(), authority: "h".into(), path: "/".into() }
        );
        for url in
            ["http://h/", "ftp://h/", "https://u:p@h/", "//h/", "file:///etc/passwd", "https://h/#x", "", "https://"]
        {
            assert_eq!(Target::parse(url), None, "{url}");
        }
    }
}
