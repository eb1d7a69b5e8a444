//! How a request is refused: one type, one table from the archive's reasons to HTTP statuses.
//!
//! Bodies are `application/problem+json` (RFC 9457). They never repeat what the caller sent
//! and never tell apart what does not exist from what the caller may not know.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use leadglass_archive::Refused;
use leadglass_archive::store::StoreRefused;

/// Seconds after which a caller who was turned away may try again.
const RETRY_AFTER_SECONDS: u64 = 5;
/// The type of a refusal beyond the caller's envelope.
const BRAKED: &str = "urn:leadglass:beyond-envelope";
/// The same, where it helps to say again who one is.
const STEP_UP: &str = "urn:leadglass:step-up";

/// An answer that is a refusal.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    /// Its type, RFC 9457 3.1.1.
    kind: &'static str,
    /// When it makes sense to ask again, where that is known.
    retry_after_s: Option<u64>,
}

impl Problem {
    /// A refusal of that status; the text goes to the caller.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem { status, detail: detail.into(), kind: "about:blank", retry_after_s: None }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: nobody we know; the same words whatever was wrong.
    pub fn unauthenticated() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "a valid access token is required")
    }

    /// 404: nothing of that name that the caller may know of.
    pub fn not_found() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "there is nothing here")
    }

    /// 406: no form that the caller accepts.
    pub fn not_acceptable(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::NOT_ACCEPTABLE, detail)
    }

    /// 413: over a limit of size.
    pub fn too_large(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 415: a body we do not take.
    pub fn unsupported_media_type(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 429: this caller has too many requests under way.
    pub fn too_many_requests() -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests of this caller are under way")
    }

    /// 500: a fault of ours; what it was is in the log alone.
    pub fn internal(cause: impl std::fmt::Display) -> Problem {
        tracing::error!(%cause, "request failed");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
    }

    /// 503: try again later.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Refused> for Problem {
    /// The one table from refusals to statuses. Callers that address a resource turn
    /// `NotAllowed` into 404 by [`hidden`].
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::NotAllowed => Problem::new(StatusCode::FORBIDDEN, "the access token does not allow this"),
            Refused::NotFound => Problem::not_found(),
            Refused::Invalid(text) => Problem::bad_request(text),
            Refused::Braked { limit, wait_s, step_up } => {
                let said = Refused::Braked { limit, wait_s, step_up }.to_string();
                let status = if step_up { StatusCode::FORBIDDEN } else { StatusCode::TOO_MANY_REQUESTS };
                let kind = if step_up { STEP_UP } else { BRAKED };
                Problem { kind, retry_after_s: Some(wait_s), ..Problem::new(status, said) }
            }
            Refused::OutOfResources(text) => Problem::new(StatusCode::INSUFFICIENT_STORAGE, text),
            Refused::ReadOnly(cause) => {
                tracing::error!(%cause, "the archive is read-only");
                Problem::unavailable("the archive is read-only for now")
            }
            Refused::Damaged(cause) => {
                tracing::error!(%cause, "stored data is damaged");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "what is stored there is damaged and is not given out")
            }
            Refused::Broken(cause) => Problem::internal(cause),
        }
    }
}

impl From<StoreRefused> for Problem {
    fn from(refused: StoreRefused) -> Problem {
        match refused {
            StoreRefused::CannotUnderstand(text) => Problem::bad_request(text),
            StoreRefused::DoesNotMatch(text) => Problem::new(StatusCode::CONFLICT, text),
            StoreRefused::Refused(refused) => refused.into(),
        }
    }
}

/// A refusal where a resource was addressed: not allowed reads as not there.
pub fn hidden(refused: Refused) -> Problem {
    match refused {
        Refused::NotAllowed => Problem::not_found(),
        other => other.into(),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": self.kind,
            "title": self.status.canonical_reason().unwrap_or("refused"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"leadglass\""));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let seconds = self.retry_after_s.unwrap_or(RETRY_AFTER_SECONDS);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            _ => {}
        }
        response
    }
}
