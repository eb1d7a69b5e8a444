//! WildFly's management, the application server under dcm4chee: `GET /management`, which only
//! reads the model's root.

use super::backend::{Access, Backend};
use super::{Answer, Service, http};
use crate::finding::Severity;
use crate::net::Over;
use crate::probe::Look;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>, over: Over) -> Answer {
    let fields = "Accept: application/json\r\n";
    let Some(page) = http::ask(look.line, look.port, over, "GET", "/management", fields).await? else {
        return Ok(None);
    };
    let access = match page.status {
        200 if page.body_holds("\"management-major-version\"") => Access::Served(Severity::Critical),
        401 if page.field_holds("www-authenticate", "ManagementRealm") => Access::Guarded,
        403 if page.field_holds("server", "WildFly") => Access::Guarded,
        _ => return Ok(None),
    };
    let backend = Backend {
        tls: Some(over == Over::Tls),
        access,
        status: Some(u32::from(page.status)),
        ..Backend::new(Service::Wildfly, over)
    };
    backend.note(look);
    Ok(Some(over))
}
