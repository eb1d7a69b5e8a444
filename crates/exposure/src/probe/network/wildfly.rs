//! WildFly's management, the application server under dcm4chee: `GET /management`, which only
//! reads the model's root.

use super::backend::{Access, Backend};
use super::http::{self, LOOK_AT};
use super::{Answer, Service};
use crate::finding::Severity;
use crate::net::Over;
use crate::net::http::Request;
use crate::probe::Look;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>, over: Over) -> Answer {
    let request = Request::get("/management", LOOK_AT).accepting("application/json");
    let Some(page) = http::ask(look, over, request).await? else {
        return Ok(None);
    };
    let access = match page.0.status {
        200 if page.body_holds("\"management-major-version\"") => Access::Served(Severity::Critical),
        401 if page.field_holds("www-authenticate", "ManagementRealm") => Access::Guarded,
        403 if page.field_holds("server", "WildFly") => Access::Guarded,
        _ => return Ok(None),
    };
    let backend = Backend {
        tls: Some(over == Over::Tls),
        access,
        status: Some(u32::from(page.0.status)),
        ..Backend::new(Service::Wildfly, over)
    };
    backend.note(look);
    Ok(Some(over))
}
