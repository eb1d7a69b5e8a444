//! WebDAV: `PROPFIND` of depth 0 at the usual roots. Orthanc serves `/webdav/` unless told not to.

use super::{Answer, http, note_transport};
use crate::evidence::Fact;
use crate::finding::State;
use crate::net::Over;
use crate::net::http::Request;
use crate::probe::Look;

/// Where to ask.
const ROOTS: [&str; 2] = ["/", "/webdav/"];

/// Looks. Who refuses PROPFIND to a stranger passes, whether or not WebDAV is behind it.
pub(super) async fn audit(look: &mut Look<'_, '_>, over: Over) -> Answer {
    let (mut guarded, mut last) = (false, None);
    for root in ROOTS {
        let page = match http::ask(look, over, Request::propfind(root)).await {
            Ok(page) => page,
            Err(_) if last.is_some() => break,
            Err(error) => return Err(error),
        };
        let Some(page) = page else { return Ok(None) };
        last = Some(page.0.status);
        if page.0.status == 207 {
            note_transport(look, "webdav", State::Finding).with("status", Fact::Code(207));
            return Ok(Some(over));
        }
        guarded |= page.refuses();
    }
    if !guarded {
        return Ok(None);
    }
    let status = last.map_or(0, u32::from);
    note_transport(look, "webdav", State::Pass).with("status", Fact::Code(status));
    Ok(Some(over))
}
