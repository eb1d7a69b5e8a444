//! What every response carries, and the one log line of each request.
//!
//! The line names the route's template, never the path: paths hold UIDs, queries hold names.
//! A study appears under its [`StudyNames`] name.
//! A method is named when it is a known one: what else a client sends as its method is text
//! of its own, and would be a series of the metrics for ever.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use leadglass_dicom::StudyInstanceUid;
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::{Problem, WebState};
use crate::study_names::StudyNames;

/// Headers of every response. Pages, scripts and frames are out: this is an API. The few pages
/// there are bring a policy of their own.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The caller's name, in the extensions of a response, for the log line.
#[derive(Clone, Debug)]
pub(super) struct CallerName(pub(super) String);

/// The one study a request was about, in the extensions of a response, for the log line:
/// for handlers whose path does not say.
#[derive(Clone, Debug)]
pub(crate) struct NamedStudy(pub(crate) StudyInstanceUid);

/// Puts headers, request id, log line, metrics and the net under panics around a router.
pub(super) fn around(router: Router<WebState>, state: &WebState) -> Router<WebState> {
    router
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Problem::internal("a handler panicked").into_response()
        }))
        .layer(axum::middleware::from_fn_with_state(state.study_names().clone(), accompany))
}

/// Keeps `kept` until the body has left or was given up.
pub(crate) fn hold(body: Body, kept: impl Send + Unpin + 'static) -> Body {
    Body::new(Holding { body, _kept: kept })
}

async fn accompany(State(study_names): State<StudyNames>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let study = named_study(&mut parts).await;
    let request = Request::from_parts(parts, body);
    let is_browsers = request.headers().contains_key(header::COOKIE);
    let line = Line {
        id: request_id(),
        method: method_name(request.method()),
        route: request.extensions().get::<MatchedPath>().map_or("none".into(), |path| path.as_str().to_owned()),
        started: Instant::now(),
        caller: None,
        study: None,
        status: StatusCode::OK,
        bytes: 0,
        ended: false,
    };
    let span = tracing::info_span!("request", id = line.id);
    let mut response = next.run(request).instrument(span).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // A browser's cache is on the disk of a machine that others sit at.
    if is_browsers {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&line.id) {
        headers.insert(REQUEST_ID, id);
    }
    let caller = response.extensions_mut().remove::<CallerName>().map(|caller| caller.0);
    let study = response.extensions_mut().remove::<NamedStudy>().map(|named| named.0).or(study);
    let study = study.map(|study| study_names.name(&study));
    let line = Line { caller, study, status: response.status(), ..line };
    response.map(|body| Body::new(Logged { body, line }))
}

/// The study in a path.
async fn named_study(parts: &mut Parts) -> Option<StudyInstanceUid> {
    let named = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    let (_, uid) = named.iter().find(|(name, _)| *name == "study")?;
    StudyInstanceUid::parse(uid).ok()
}

/// The methods of RFC 9110 and RFC 5789 by name; all others, which anyone may invent, are one.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

/// Unique within this process and unlikely to repeat in another; tells nothing.
fn request_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    static PROCESS: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
        let mut bits = [0; 4];
        let _ = aws_lc_rs::rand::fill(&mut bits);
        u32::from_ne_bytes(bits)
    });
    format!("{:08x}-{:x}", *PROCESS, LAST.fetch_add(1, Ordering::Relaxed))
}

/// What the log says of a request, when its response has left.
struct Line {
    id: String,
    method: &'static str,
    route: String,
    started: Instant,
    caller: Option<String>,
    study: Option<String>,
    status: StatusCode,
    bytes: u64,
    ended: bool,
}

impl Line {
    fn write(&self) {
        let elapsed = self.started.elapsed();
        tracing::info!(
            target: "leadglass::http",
            id = self.id,
            method = self.method,
            route = self.route,
            status = self.status.as_u16(),
            caller = self.caller.as_deref().unwrap_or("-"),
            study = self.study.as_deref().unwrap_or("-"),
            bytes = self.bytes,
            elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            interrupted = !self.ended,
            "answered"
        );
        let labels = [
            ("method", self.method.to_owned()),
            ("route", self.route.clone()),
            ("status", self.status.as_u16().to_string()),
        ];
        metrics::counter!("leadglass_http_requests_total", &labels).increment(1);
        metrics::counter!("leadglass_http_sent_bytes_total").increment(self.bytes);
        metrics::histogram!("leadglass_http_request_seconds", "route" => self.route.clone()).record(elapsed);
    }
}

/// A body whose end writes the log line.
struct Logged {
    body: Body,
    line: Line,
}

impl HttpBody for Logged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.line.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => {}
            None => self.line.ended = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.line.ended |= self.body.is_end_stream();
        self.line.write();
    }
}

/// A body with something that must live as long.
struct Holding<T> {
    body: Body,
    _kept: T,
}

impl<T: Unpin + Send> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
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
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn what_a_browser_gets_is_kept_by_no_cache() {
        let answer = async |cookie: Option<&str>| {
            let marked = async || [(header::CACHE_CONTROL, "private, no-cache")];
            let router: Router = Router::new()
                .route("/", axum::routing::get(marked))
                .layer(axum::middleware::from_fn_with_state(StudyNames::new(b"secret"), accompany));
            let mut request = Request::builder().uri("/");
            if let Some(cookie) = cookie {
                request = request.header(header::COOKIE, cookie);
            }
            let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            response.headers().get(header::CACHE_CONTROL).cloned().unwrap()
        };
        assert_eq!(answer(None).await, "private, no-cache");
        assert_eq!(answer(Some("__Host-leadglass-session=x")).await, "no-store");
    }

    #[test]
    fn a_method_a_client_invents_is_no_series_of_the_metrics() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        metrics::with_local_recorder(&recorder, || {
            for method in ["GET", "INVENTED-1", "INVENTED-2"] {
                let router: Router = Router::new()
                    .route("/", axum::routing::get(async || ""))
                    .layer(axum::middleware::from_fn_with_state(StudyNames::new(b"secret"), accompany));
                let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
                drop(runtime.block_on(router.oneshot(request)).unwrap());
            }
        });
        let rendered = recorder.handle().render();
        assert!(rendered.contains("method=\"GET\"") && rendered.contains("method=\"other\""), "{rendered}");
        assert!(!rendered.contains("INVENTED"), "{rendered}");
    }
}
