//! The icon of a site, by its hash (W-09): it tells a product that hides its name.
//!
//! One GET, and of what comes nothing remains but which of our own entries has that hash. The
//! list is short: it holds what could be taken from a product's own package. Orthanc 1.10 has no
//! icon, and neither has this archive. Deliberately absent: icons that a page leads to elsewhere.

use aws_lc_rs::digest;

use super::signature::{Kind, Seen};
use crate::catalogue::Name;
use crate::net::http::{Answer, Request, Talk};

/// Longest icon that is looked at.
const LONGEST: usize = 64 * 1024;
/// Where an icon is when a page says nothing else (HTML 4.6.7.8).
const USUAL: &str = "/favicon.ico";
/// Another place, when the first page names it.
const OTHERS: [&str; 1] = ["/assets/favicon.ico"];

/// An icon of a product.
struct Icon {
    name: &'static str,
    kind: Kind,
    /// SHA-256, in hex.
    sha256: &'static str,
}

static ICONS: [Icon; 1] = [
    // npm: @ohif/app 3.12.10, dist/assets/favicon.ico.
    Icon {
        name: "ohif",
        kind: Kind::Viewer,
        sha256: "4726bfa9932025fb635c4ec26b0e2881abbe4b633296190568da99ac93c4f490",
    },
];

/// Where the icon of a site with this first page is.
pub(super) fn place(page: &Answer) -> &'static str {
    let body = super::signature::lower(&page.body);
    OTHERS.iter().find(|place| body.contains(**place)).copied().unwrap_or(USUAL)
}

/// Asks for the icon at that place; whose it is.
pub(super) async fn recognise(talk: &mut Talk, place: &'static str) -> Option<Seen> {
    let answer = talk.ask(Request::get(place, LONGEST)).await.ok()?;
    if answer.status == 200 && answer.whole { of(&answer.body) } else { None }
}

fn of(bytes: &[u8]) -> Option<Seen> {
    let hash = hex::encode(digest::digest(&digest::SHA256, bytes));
    let icon = ICONS.iter().find(|icon| icon.sha256 == hash)?;
    Some(Seen { name: Name::fixed(icon.name), kind: icon.kind, version: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_hashes_of_known_names() {
        for icon in &ICONS {
            assert_eq!(hex::decode(icon.sha256).unwrap().len(), 32);
            assert!(super::super::signature::NAMES.contains(&icon.name));
        }
        assert_eq!(of(b"PLANTED^JANE"), None);
    }
}
