//! Fixed signatures of web servers, products and viewers. Only a signature's name is kept of
//! what matched.

use crate::catalogue::Name;
use crate::evidence::Version;
use crate::net::http::Answer;

/// What a signature is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A web server or framework: says nothing of the product behind it.
    Server,
    /// An archive, portal or other product of imaging.
    Product,
    /// A viewer of images.
    Viewer,
    /// A console of something else: identity, containers, storage.
    Console,
}

/// A signature.
#[derive(Debug)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// What it is of.
    pub kind: Kind,
    /// Where to look.
    place: Place,
    /// What to look for, lower case.
    mark: &'static str,
    /// Whether a version follows the mark.
    versioned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// `Server`, `X-Powered-By`, `Via`.
    Banner,
    /// `WWW-Authenticate`.
    Realm,
    /// `Location`.
    Location,
    /// `Set-Cookie`.
    Cookie,
    /// The body.
    Body,
}

/// One signature that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: Name,
    /// What it is of.
    pub kind: Kind,
    /// The version that followed, numbers only.
    pub version: Option<Version>,
}

const fn banner(name: &'static str, kind: Kind, mark: &'static str) -> Signature {
    Signature { name, kind, place: Place::Banner, mark, versioned: true }
}

const fn at(place: Place, name: &'static str, kind: Kind, mark: &'static str) -> Signature {
    Signature { name, kind, place, mark, versioned: false }
}

/// All of them.
static SIGNATURES: &[Signature] = &[
    banner("orthanc", Kind::Product, "orthanc/"),
    banner("dicoogle", Kind::Product, "dicoogle/"),
    banner("conquest", Kind::Product, "conquest/"),
    banner("leadglass", Kind::Product, "leadglass/"),
    banner("nginx", Kind::Server, "nginx/"),
    banner("apache", Kind::Server, "apache/"),
    banner("iis", Kind::Server, "microsoft-iis/"),
    banner("lighttpd", Kind::Server, "lighttpd/"),
    banner("python-http", Kind::Server, "simplehttp/"),
    banner("jetty", Kind::Server, "jetty("),
    // The number that follows is HTTP's.
    at(Place::Banner, "tomcat", Kind::Server, "apache-coyote/"),
    Signature {
        name: "tomcat",
        kind: Kind::Server,
        place: Place::Body,
        mark: "<title>apache tomcat/",
        versioned: true,
    },
    banner("wildfly", Kind::Server, "wildfly/"),
    banner("undertow", Kind::Server, "undertow/"),
    banner("openssl", Kind::Server, "openssl/"),
    banner("php", Kind::Server, "php/"),
    banner("werkzeug", Kind::Server, "werkzeug/"),
    banner("gunicorn", Kind::Server, "gunicorn/"),
    banner("mongoose", Kind::Server, "mongoose/"),
    banner("civetweb", Kind::Server, "civetweb/"),
    at(Place::Banner, "nginx", Kind::Server, "nginx"),
    at(Place::Banner, "asp-net", Kind::Server, "asp.net"),
    at(Place::Banner, "express", Kind::Server, "express"),
    at(Place::Banner, "kestrel", Kind::Server, "kestrel"),
    at(Place::Banner, "caddy", Kind::Server, "caddy"),
    at(Place::Banner, "minio", Kind::Console, "minio"),
    at(Place::Realm, "orthanc", Kind::Product, "orthanc secure area"),
    at(Place::Realm, "dcm4chee", Kind::Product, "dcm4che"),
    at(Place::Location, "orthanc", Kind::Product, "app/explorer.html"),
    at(Place::Location, "orthanc", Kind::Product, "ui/app/"),
    at(Place::Location, "dcm4chee", Kind::Product, "/dcm4chee-arc"),
    at(Place::Location, "dcm4chee", Kind::Product, "realms/dcm4che"),
    at(Place::Location, "oviyam", Kind::Viewer, "/oviyam"),
    at(Place::Location, "meddream", Kind::Viewer, "/meddream"),
    at(Place::Location, "keycloak", Kind::Console, "/realms/"),
    at(Place::Cookie, "keycloak", Kind::Console, "keycloak_session"),
    at(Place::Body, "orthanc", Kind::Product, "orthanc explorer"),
    at(Place::Body, "orthanc", Kind::Product, "orthanc secure area"),
    at(Place::Body, "dcm4chee", Kind::Product, "dcm4chee"),
    at(Place::Body, "dicoogle", Kind::Product, "dicoogle"),
    at(Place::Body, "conquest", Kind::Product, "conquest dicom"),
    at(Place::Body, "conquest", Kind::Product, "conquest pacs"),
    at(Place::Body, "clearcanvas", Kind::Product, "clearcanvas"),
    at(Place::Body, "pacsone", Kind::Product, "pacsone"),
    at(Place::Body, "kheops", Kind::Product, "kheops"),
    at(Place::Body, "osirix", Kind::Product, "osirix"),
    at(Place::Body, "horos", Kind::Product, "horos project"),
    at(Place::Body, "synapse", Kind::Product, "fujifilm synapse"),
    at(Place::Body, "logipacs", Kind::Product, "logipacs"),
    at(Place::Body, "mantrey", Kind::Product, "mantrey"),
    at(Place::Body, "merge", Kind::Product, "merge pacs"),
    at(Place::Body, "sante-pacs", Kind::Product, "sante pacs"),
    at(Place::Body, "leadglass", Kind::Product, "<title>leadglass"),
    at(Place::Body, "ohif", Kind::Viewer, "ohif viewer"),
    at(Place::Body, "ohif", Kind::Viewer, "open health imaging foundation"),
    at(Place::Body, "stone-viewer", Kind::Viewer, "stone web viewer"),
    at(Place::Body, "stone-viewer", Kind::Viewer, "stonewebviewer"),
    at(Place::Body, "osimis-viewer", Kind::Viewer, "osimis"),
    at(Place::Body, "weasis", Kind::Viewer, "weasis"),
    at(Place::Body, "oviyam", Kind::Viewer, "oviyam"),
    at(Place::Body, "meddream", Kind::Viewer, "meddream"),
    at(Place::Body, "webready-viewer", Kind::Viewer, "webreadyviewer"),
    at(Place::Body, "orthanc-explorer", Kind::Viewer, "<title>orthanc explorer"),
    at(Place::Body, "dwv", Kind::Viewer, "dicom web viewer"),
    at(Place::Body, "cornerstone", Kind::Viewer, "cornerstone"),
    at(Place::Body, "keycloak", Kind::Console, "keycloak"),
    at(Place::Body, "wildfly", Kind::Console, "wildfly"),
    at(Place::Body, "portainer", Kind::Console, "portainer"),
    at(Place::Body, "minio", Kind::Console, "minio console"),
];

/// The names of all signatures, for those who read a report back.
pub const NAMES: &[&str] = &[
    "apache",
    "asp-net",
    "caddy",
    "civetweb",
    "clearcanvas",
    "conquest",
    "cornerstone",
    "dcm4chee",
    "dicoogle",
    "dwv",
    "express",
    "gunicorn",
    "horos",
    "iis",
    "jetty",
    "kestrel",
    "keycloak",
    "kheops",
    "leadglass",
    "lighttpd",
    "logipacs",
    "mantrey",
    "meddream",
    "merge",
    "minio",
    "mongoose",
    "nginx",
    "ohif",
    "openssl",
    "orthanc",
    "orthanc-explorer",
    "osimis-viewer",
    "osirix",
    "oviyam",
    "pacsone",
    "php",
    "portainer",
    "python-http",
    "sante-pacs",
    "stone-viewer",
    "synapse",
    "tomcat",
    "undertow",
    "weasis",
    "webready-viewer",
    "werkzeug",
    "wildfly",
];

/// The signatures that an answer matches, each name once.
pub fn matches(answer: &Answer) -> Vec<Seen> {
    let body = lower(&answer.body);
    let text = |headers: &[&str]| -> String {
        let values = headers.iter().flat_map(|name| answer.headers(name));
        values.collect::<Vec<_>>().join("\n").to_ascii_lowercase()
    };
    let banner = text(&["server", "x-powered-by", "via"]);
    let (realm, location) = (text(&["www-authenticate"]), text(&["location"]));
    let cookie = text(&["set-cookie"]);
    let mut seen: Vec<Seen> = Vec::new();
    for signature in SIGNATURES {
        let place = match signature.place {
            Place::Banner => &banner,
            Place::Realm => &realm,
            Place::Location => &location,
            Place::Cookie => &cookie,
            Place::Body => &body,
        };
        let Some(found) = place.find(signature.mark) else { continue };
        if seen.iter().any(|seen| seen.name.as_str() == signature.name && seen.kind == signature.kind) {
            continue;
        }
        let after = place.get(found + signature.mark.len()..).unwrap_or_default();
        let version = if signature.versioned { Version::parse(after) } else { None };
        seen.push(Seen { name: Name::fixed(signature.name), kind: signature.kind, version });
    }
    seen
}

/// Whether a page asks for a password.
pub fn has_log_in_form(answer: &Answer) -> bool {
    let body = lower(&answer.body);
    ["type=\"password\"", "type='password'", "type=password"].iter().any(|mark| body.contains(mark))
}

/// Text in lower case, whatever its bytes are.
pub fn lower(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_can_be_read_back() {
        for signature in SIGNATURES {
            assert!(NAMES.contains(&signature.name), "{}", signature.name);
            assert_eq!(signature.mark, signature.mark.to_ascii_lowercase());
        }
        for name in NAMES {
            assert!(SIGNATURES.iter().any(|signature| signature.name == *name), "{name}");
            assert!(Name::known(name).is_some(), "{name}");
        }
    }
}
