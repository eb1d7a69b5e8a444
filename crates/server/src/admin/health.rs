//! Liveness and readiness, for whoever watches the process. They say one word, to anyone.

use axum::extract::State;
use http::StatusCode;

use crate::web::WebState;

/// `GET /healthz/live`: the process answers.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// `GET /healthz/ready`: 200 while requests are welcome and can be recorded; 503 from the
/// moment it stops, and for as long as nothing can be written.
pub(super) async fn ready(State(state): State<WebState>) -> (StatusCode, &'static str) {
    if !state.is_ready() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match state.archive().read_only() {
        None => (StatusCode::OK, "ready\n"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "read-only\n"),
    }
}
