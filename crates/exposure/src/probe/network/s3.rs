//! Stores that speak as S3 does: whether a bucket, or the list of buckets, is shown to anyone.
//! `max-keys=0` asks for the list without its entries.

use super::{Answer, http, note_transport};
use crate::catalogue::Name;
use crate::evidence::Fact;
use crate::finding::{Facet, State};
use crate::net::Over;
use crate::net::http::Request;
use crate::probe::Look;
use crate::probe::web::at_rest;

/// Buckets of the scope that are asked for.
const MOST_BUCKETS: usize = 4;

/// Looks: at the root, and at the buckets that the scope's URLs name on this port.
pub(super) async fn audit(look: &mut Look<'_, '_>, over: Over) -> Answer {
    let mut paths = vec!["/".to_owned()];
    paths.extend(buckets(look).take(MOST_BUCKETS));
    let mut refused = None;
    for path in paths {
        let asked = http::ask(look, over, Request::get(format!("{path}?max-keys=0"), http::LOOK_AT)).await;
        let page = match asked {
            Ok(Some(page)) => page,
            Ok(None) => break,
            Err(error) => {
                if refused.is_none() {
                    return Err(error);
                }
                break;
            }
        };
        let listing = match page.0.status {
            200 if page.body_holds("<ListBucketResult") => Some("bucket"),
            200 if page.body_holds("<ListAllMyBucketsResult") => Some("buckets"),
            _ => None,
        };
        let status = u32::from(page.0.status);
        if let Some(listing) = listing {
            let outcome = note_transport(look, "s3", State::Finding).with("status", Fact::Code(status));
            outcome.with("listing", Fact::Known(Name::fixed(listing)));
            at_rest::note(look.notes, &page.0, Facet::Part(Name::fixed("s3")));
            return Ok(Some(over));
        }
        let speaks = page.body_holds("<Code>AccessDenied</Code>") || page.body_holds("<Code>InvalidAccessKeyId</Code>");
        if speaks && page.refuses() {
            refused = Some(status);
        }
    }
    let Some(status) = refused else { return Ok(None) };
    note_transport(look, "s3", State::Pass).with("status", Fact::Code(status));
    Ok(Some(over))
}

/// Paths of the scope's URLs on this port.
fn buckets<'look>(look: &'look Look<'_, '_>) -> impl Iterator<Item = String> + use<'look> {
    let port = look.port;
    look.asset.urls.iter().filter_map(move |url| {
        let url: ::http::Uri = url.parse().ok()?;
        let usual = if url.scheme_str() == Some("https") { 443 } else { 80 };
        let here = url.port_u16().unwrap_or(usual) == port;
        (here && url.path().len() > 1).then(|| format!("/{}", url.path().trim_matches('/')))
    })
}
