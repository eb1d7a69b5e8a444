//! Elasticsearch and OpenSearch: `GET /`.

use super::backend::{Access, Backend};
use super::http::{self, LOOK_AT};
use super::{Answer, Service};
use crate::finding::Severity;
use crate::net::Over;
use crate::net::http::Request;
use crate::probe::Look;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>, over: Over) -> Answer {
    let request = Request::get("/", LOOK_AT).accepting("application/json");
    let Some(page) = http::ask(look, over, request).await? else {
        return Ok(None);
    };
    let taglines = ["You Know, for Search", "The OpenSearch Project"];
    let greets = taglines.iter().any(|tagline| page.body_holds(tagline));
    let asks = page.body_holds("security_exception")
        || page.field_holds("www-authenticate", "realm=\"security\"")
        || page.field_holds("www-authenticate", "OpenSearch Security");
    let access = match page.0.status {
        200 if greets => Access::Served(Severity::Critical),
        401 | 403 if asks => Access::Guarded,
        _ => return Ok(None),
    };
    let backend = Backend {
        tls: Some(over == Over::Tls),
        access,
        status: Some(u32::from(page.0.status)),
        ..Backend::new(Service::Elasticsearch, over)
    };
    backend.note(look);
    Ok(Some(over))
}
