//! W-11: viewers that show themselves to whoever comes.

use crate::catalogue::Name;
use crate::catalogue::web::W_11;
use crate::evidence::Fact;
use crate::finding::{Notes, State};
use crate::net::http::{Request, Talk};
use crate::probe::web::dicomweb::Place;
use crate::probe::web::door::asks_who;
use crate::probe::web::greeting::Greeting;
use crate::probe::web::signature::{self, Kind};

/// Bytes of a page in which a signature is looked for.
const LOOK_AT: usize = 16 * 1024;

/// Requests that are left for what is asked of products.
const KEPT_FOR_PRODUCTS: u32 = 12;

/// Where viewers are found, and with which product.
static PATHS: &[(&str, Option<&str>)] = &[
    ("/app/explorer.html", Some("orthanc")),
    ("/ui/app/", Some("orthanc")),
    ("/stone-webviewer/index.html", Some("orthanc")),
    ("/osimis-viewer/app/index.html", Some("orthanc")),
    ("/ohif/", None),
    ("/viewer", None),
    ("/oviyam2/", None),
    ("/meddream/", Some("meddream")),
    ("/dcm4chee-arc/ui2/", Some("dcm4chee")),
    ("/weasis", Some("dcm4chee")),
    ("/WebReadyViewer/", Some("merge")),
];

/// Looks for a viewer: on the first page, then where products have it, the recognised one's first.
pub async fn audit(talk: &mut Talk, place: &Place<'_>, greeting: Option<&Greeting>, notes: &mut Notes) {
    if let Some((greeting, viewer)) = greeting.and_then(|greeting| Some((greeting, on_first_page(greeting)?))) {
        let outcome = notes.finding(&W_11);
        outcome.with("viewer", Fact::Known(viewer)).with("status", Fact::Code(greeting.status.into()));
        return;
    }
    let product = place.product.map(Name::as_str);
    let of_product = PATHS.iter().any(|(_, of)| of.is_some() && *of == product);
    let mut paths: Vec<_> = PATHS.iter().filter(|(_, of)| !of_product || of.is_none() || *of == product).collect();
    paths.sort_by_key(|(_, of)| if of_product { *of != product } else { of.is_some() });
    let (mut asked, mut refused, mut missed) = (0, 0, false);
    for (path, _) in paths {
        if talk.left() <= KEPT_FOR_PRODUCTS {
            missed = true;
            break;
        }
        let Ok(answer) = talk.ask(Request::get(*path, LOOK_AT).accepting("text/html")).await else {
            missed = true;
            continue;
        };
        asked += 1;
        let seen = signature::matches(&answer);
        let viewer = seen.iter().find(|seen| seen.kind == Kind::Viewer);
        let viewer = viewer.or_else(|| seen.iter().find(|seen| seen.kind == Kind::Product && of_product));
        if answer.is_success()
            && !signature::has_log_in_form(&answer)
            && let Some(viewer) = viewer
        {
            let outcome = notes.finding(&W_11);
            outcome.with("viewer", Fact::Known(viewer.name)).with("status", Fact::Code(answer.status.into()));
            return;
        }
        refused += u64::from(asks_who(&answer, place.server, place.run));
        missed |= matches!(answer.status, 429 | 500..=999);
    }
    // One that asks who looks says nothing of the others: all were asked, or it is no pass.
    let state = match (asked, refused) {
        (0, _) if missed => State::Error,
        (_, 1..) if missed => State::RefusedBefore,
        (_, 1..) => State::Pass,
        _ => State::NotApplicable,
    };
    notes.note(&W_11, state).with("paths-asked", Fact::Count(asked));
}

fn on_first_page(greeting: &Greeting) -> Option<Name> {
    let served = (200..300).contains(&greeting.status) && !greeting.log_in_form && greeting.listing.is_none();
    greeting.seen.iter().find(|seen| served && seen.kind == Kind::Viewer).map(|seen| seen.name)
}
