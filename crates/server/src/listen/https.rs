//! HTTP/1.1 and HTTP/2 behind the HTTPS threshold: hyper, with bounds on everything.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response, StatusCode, header};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Visitor;
use crate::admin::enrol::ClientCertificate;
use crate::config::Limits;
use crate::listen::idle::Idle;

/// Bytes HTTP/2 holds for one connection that the other end has not taken.
const SEND_BUFFER_BYTES: usize = 1 << 20;

/// Serves requests with `router` until the connection ends; a stop lets requests in
/// flight finish. The caller's address is in the request's extensions as
/// [`ConnectInfo<SocketAddr>`].
pub async fn serve(visitor: Visitor, router: Router, limits: Arc<Limits>, stop: CancellationToken) {
    let Visitor { stream, address, place } = visitor;
    let over = place.is_over();
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let shown = shown.map(|certificate| ClientCertificate(certificate.to_vec()));
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let (router, shown) = (router.clone(), shown.clone());
        async move {
            if over {
                return Ok(busy());
            }
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(address));
            if let Some(shown) = shown {
                request.extensions_mut().insert(shown);
            }
            router.oneshot(request).await
        }
    });
    let idle = Duration::from_secs(limits.http_body_idle_s);
    let builder = builder(&limits);
    let connection = builder.serve_connection(TokioIo::new(Idle::new(stream, idle)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(door = "https", %error, "connection ended");
    }
    drop(place);
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.http_header_s))
        .max_headers(limits.http_headers)
        .max_buf_size(limits.http_header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.http_header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .adaptive_window(true)
        .keep_alive_interval(Duration::from_secs(limits.http_body_idle_s))
        .keep_alive_timeout(Duration::from_secs(limits.http_header_s));
    builder
}

fn busy() -> Response<Body> {
    let mut response = Response::new(Body::from("too many connections\n"));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}
