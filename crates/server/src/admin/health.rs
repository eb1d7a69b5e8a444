//! Liveness and readiness, for whoever watches the process. They say one word, to anyone.

use axum::extract::State;
use http::StatusCode;

use crate::web::WebState;

/// `GET /healthz/live`: the process answers.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// `GET /healthz/ready`: 200 while requests are welcome, 503 from the moment it stops.
pub(super) async fn ready(State(state): State<WebState>) -> (StatusCode, &'static str) {
    match state.is_ready() {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    }
}
