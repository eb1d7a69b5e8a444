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
/// Most paths asked for.
const MAX_GUESSES: usize = 3;

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
    ("/oviyam2/", Some("dcm4chee")),
    ("/WebReadyViewer/", Some("merge")),
];

/// Looks for a viewer: on the first page, then where the recognised product has it.
pub async fn audit(talk: &mut Talk, place: &Place<'_>, greeting: Option<&Greeting>, notes: &mut Notes) {
    if let Some((greeting, viewer)) = greeting.and_then(|greeting| Some((greeting, on_first_page(greeting)?))) {
        let outcome = notes.finding(&W_11);
        outcome.with("viewer", Fact::Known(viewer)).with("status", Fact::Code(greeting.status.into()));
        return;
    }
    let product = place.product.map(Name::as_str);
    let of_product = PATHS.iter().any(|(_, of)| of.is_some() && *of == product);
    let paths = PATHS.iter().filter(|(_, of)| if of_product { *of == product } else { of.is_none() });
    let (mut asked, mut refused, mut failed) = (0, 0, 0);
    for (path, _) in paths.take(MAX_GUESSES) {
        if talk.left() == 0 {
            break;
        }
        let Ok(answer) = talk.ask(Request::get(*path, LOOK_AT).accepting("text/html")).await else {
            failed += 1;
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
        if place.baseline.asks && refused > 0 {
            break;
        }
    }
    let state = match (asked, refused) {
        (0, _) if failed > 0 => State::Error,
        (_, 1..) => State::Pass,
        _ => State::NotApplicable,
    };
    notes.note(&W_11, state).with("paths-asked", Fact::Count(asked));
}

fn on_first_page(greeting: &Greeting) -> Option<Name> {
    let served = (200..300).contains(&greeting.status) && !greeting.log_in_form && greeting.listing.is_none();
    greeting.seen.iter().find(|seen| served && seen.kind == Kind::Viewer).map(|seen| seen.name)
}
