//! Administration over HTTPS: JSON under `/admin/v1`, metrics, health, setup.
//!
//! Handlers translate; the archive decides, here too: a token of role `monitor` reads
//! `/metrics`, one of role `administrator` adds peers, and nothing in this folder knows that.

mod brake;
pub mod certificates;
pub mod enrol;
mod enrolments;
mod grants;
pub mod health;
mod held;
mod legacy;
mod peers;
mod projects;
mod review;
mod rights;
mod setup;
mod statistics;
mod tokens;
mod users;

use axum::Json;
use axum::RequestExt as _;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::routing::{delete, get, patch, post, put};
use http::StatusCode;

use crate::web::{Problem, WebState};

/// What a known caller can ask.
pub(crate) fn router() -> Router<WebState> {
    Router::new()
        .route("/admin/v1/peers", get(peers::list).post(peers::add))
        .route("/admin/v1/peers/{ae}", delete(peers::revoke))
        .route("/admin/v1/legacy-peers", get(legacy::list).post(legacy::add))
        .route("/admin/v1/legacy-peers/{ae}", delete(legacy::revoke))
        .route("/admin/v1/enrolments", get(enrolments::list).post(enrolments::create))
        .route("/admin/v1/enrolments/{id}", delete(enrolments::withdraw))
        .route("/admin/v1/held", get(held::list))
        .route("/admin/v1/held/{sender}", get(held::show))
        .route("/admin/v1/held/{sender}/accept", post(held::accept))
        .route("/admin/v1/held/{sender}/enrol", post(held::enrol))
        .route("/admin/v1/held/{sender}/discard", post(held::discard))
        .route("/admin/v1/projects", get(projects::list).post(projects::make))
        .route("/admin/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/admin/v1/tokens/{name}", delete(tokens::revoke))
        .route("/admin/v1/users", get(users::list).post(users::add))
        .route("/admin/v1/users/{name}", patch(users::change))
        .route("/admin/v1/users/{name}/invitation", post(users::reset))
        .route("/admin/v1/users/{name}/sessions", delete(users::end_sessions))
        .route("/admin/v1/roles", get(rights::roles).post(rights::define))
        .route("/admin/v1/marks", get(rights::marks).put(rights::mark))
        .route("/admin/v1/grants", get(grants::list))
        .route("/admin/v1/grants/{id}", delete(grants::end))
        .route("/admin/v1/emergencies", post(grants::break_glass))
        .route("/admin/v1/shares", post(grants::share))
        .route("/admin/v1/envelopes", get(brake::envelopes))
        .route("/admin/v1/envelopes/{caller}", put(brake::set).delete(brake::unset))
        .route("/admin/v1/envelopes/{caller}/release", post(brake::release))
        .route("/admin/v1/reviews", get(brake::reviews))
        .route("/admin/v1/reviews/{id}/close", post(brake::close))
        .route("/admin/v1/explain", get(rights::explain))
        .route("/admin/v1/trail", get(review::trail))
        .route("/admin/v1/trail/bundle", post(review::bundle))
        .route("/admin/v1/quarantine", get(review::quarantine))
        .route("/admin/v1/statistics", get(statistics::statistics))
        .route("/metrics", get(statistics::metrics))
}

/// What a stranger can ask: whether we live, whether we are ready, setup, and enrolment.
pub(crate) fn public_router() -> Router<WebState> {
    Router::new()
        .route("/healthz/live", get(health::live))
        .route("/healthz/ready", get(health::ready))
        .route("/setup", post(setup::complete))
        .route("/enrol", post(enrol::enrol))
        .route("/enrol/renew", post(enrol::renew))
}

/// A JSON body within `WebLimits::admin_body_bytes`, unknown fields refused by its type.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: serde::de::DeserializeOwned + 'static> FromRequest<WebState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &WebState) -> Result<Body<T>, Problem> {
        DefaultBodyLimit::max(state.limits().admin_body_bytes).apply(&mut request);
        let body = tokio::time::timeout(state.limits().body_idle, request.extract::<Json<T>, _>()).await;
        match body {
            Ok(Ok(Json(value))) => Ok(Body(value)),
            Ok(Err(rejection)) => Err(refuse(&rejection)),
            Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come")),
        }
    }
}

/// The status is axum's; the words are ours, because its text repeats the body's.
fn refuse(rejection: &JsonRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large("the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::unsupported_media_type("send application/json"),
        _ => Problem::bad_request("the body is not the JSON expected here; see docs/OPERATIONS.md"),
    }
}
