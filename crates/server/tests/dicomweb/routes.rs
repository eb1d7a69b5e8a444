//! Every route, with every method, asked by nobody and by each role: what comes back is the
//! page that is reviewed, `docs/route-matrix.txt`.
//!
//! The routes are read from the sources, so that one that is added is on the page or fails here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use http::{Method, header};
use leadglass_archive::access::Scope;

use serde_json::{Value, json};

use crate::server::{Call, HOUR, Server};

/// What a stranger may ask, and why. Nothing else answers without proof.
const OPEN: [&str; 18] = [
    "/enrol",
    "/enrol/renew",
    "/healthz/live",
    "/healthz/ready",
    "/login",
    "/login/app.css",
    "/login/app.js",
    "/login/code",
    "/login/invitation",
    "/login/oidc/{name}",
    "/login/oidc/{name}/callback",
    "/login/passkey",
    "/login/passkey/challenge",
    "/login/passphrase",
    "/logout",
    "/setup",
    "/",
    "/account",
];

const ROLES: [&str; 7] = ["monitor", "viewer", "reader", "sender", "auditor", "privacy-officer", "administrator"];

/// DICOMweb's routes, which the sources put together from pieces; those without pieces are
/// compared with the sources.
const DICOMWEB: [&str; 20] = [
    "GET /dicom-web",
    "GET /dicom-web/",
    "GET /dicom-web/studies",
    "POST /dicom-web/studies",
    "GET /dicom-web/series",
    "GET /dicom-web/instances",
    "GET /dicom-web/studies/{study}",
    "POST /dicom-web/studies/{study}",
    "GET /dicom-web/studies/{study}/series",
    "GET /dicom-web/studies/{study}/instances",
    "GET /dicom-web/studies/{study}/metadata",
    "GET /dicom-web/studies/{study}/rendered",
    "GET /dicom-web/studies/{study}/series/{series}",
    "GET /dicom-web/studies/{study}/series/{series}/metadata",
    "GET /dicom-web/studies/{study}/series/{series}/instances/{instance}",
    "GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata",
    "GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
    "GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata/{tag}",
    "GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/pixeldata",
    "GET /wado",
];

/// What is sent where a body decides whether anybody is asked: well formed, and about nothing
/// that is there. The empty object elsewhere.
fn body(route: &str) -> Value {
    let digest = "0".repeat(64);
    match route {
        "/admin/v1/peers" => json!({ "ae": "X", "verbs": [], "certificate": { "sha256": digest } }),
        "/admin/v1/legacy-peers" => json!({ "ae": "X", "address": "192.0.2.1", "days": 1 }),
        "/admin/v1/tokens" => json!({ "name": "", "role": "viewer" }),
        "/admin/v1/users" => json!({ "name": "", "rights": [] }),
        "/admin/v1/roles" => json!({ "name": "", "operations": [] }),
        "/admin/v1/envelopes/{caller}" => json!({
            "patients_opened_an_hour": u64::MAX, "patients_listed_an_hour": 1, "bytes_an_hour": 1, "new_patients_a_day": 1
        }),
        "/admin/v1/reviews/{id}/close" => json!({ "reason": "" }),
        "/admin/v1/held/{sender}/enrol" => json!({ "verbs": [] }),
        "/admin/v1/held/{sender}/discard" => json!({ "reason": "" }),
        "/admin/v1/shares" => json!({ "study": "1.2.3", "with": "x", "hours": 0 }),
        "/admin/v1/emergencies" => json!({ "patient_id": "x", "reason": "", "minutes": 0 }),
        _ => json!({}),
    }
}

/// The routes of the sources and their methods.
fn routes() -> BTreeMap<String, Vec<Method>> {
    let mut routes: BTreeMap<String, Vec<Method>> = BTreeMap::new();
    for line in DICOMWEB {
        let (method, route) = line.split_once(' ').unwrap();
        routes.entry(route.to_owned()).or_default().push(method.parse().unwrap());
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in ["admin", "dicomweb", "login", "web", "trail", "."] {
        let Ok(files) = std::fs::read_dir(sources.join(folder)) else { continue };
        for file in files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "rs")) {
            read_routes(&std::fs::read_to_string(file).unwrap(), &mut routes);
        }
    }
    routes
}

/// Reads `.route("PATH", get(…).post(…))` wherever it stands.
fn read_routes(text: &str, routes: &mut BTreeMap<String, Vec<Method>>) {
    let known = [
        ("get(", Method::GET),
        ("post(", Method::POST),
        ("put(", Method::PUT),
        ("patch(", Method::PATCH),
        ("delete(", Method::DELETE),
    ];
    for (_, rest) in text.match_indices(".route(").map(|(at, found)| text.split_at(at + found.len())) {
        let mut depth = 1;
        let end = rest.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        let call = &rest[..end.unwrap_or(rest.len())];
        let Some(path) = call.split('"').nth(1).filter(|path| path.starts_with('/')) else { continue };
        // Pieces, and what is listed above.
        if path.starts_with("/frames") || path.starts_with("/dicom-web") || path == "/wado" {
            continue;
        }
        let methods = known.iter().filter(|(name, _)| call.contains(name)).map(|(_, method)| method.clone());
        routes.entry(path.to_owned()).or_default().extend(methods);
    }
}

/// The path with something in its places.
fn filled(route: &str) -> String {
    let mut path = String::new();
    for part in route.split('/').skip(1) {
        path.push('/');
        path.push_str(match part {
            "{study}" | "{series}" | "{instance}" => "1.2.3",
            "{ae}" => "CT1",
            "{frames}" => "1",
            part if part.starts_with('{') => "x",
            part => part,
        });
    }
    path
}

/// What an answer says of whoever asked.
fn cell(status: u16) -> &'static str {
    match status {
        401 => "nobody",
        403 => "no",
        404 => "no?",
        405 => "-",
        500.. => "BROKEN",
        _ => "yes",
    }
}

fn asked<'a>(server: &'a Server, method: &Method, route: &str) -> Call<'a> {
    let query = if route == "/admin/v1/marks" { "?study=" } else { "" };
    let call = server.call(method.clone(), &format!("{}{query}", filled(route)));
    if [Method::GET, Method::DELETE].contains(method) || route.starts_with("/dicom-web") {
        return call;
    }
    call.header(header::CONTENT_TYPE, "application/json").body(body(route).to_string())
}

#[tokio::test]
async fn every_route_is_on_the_page_that_was_reviewed() {
    let server = Server::new().await;
    let host = server.archive.host().await;
    let mut tokens = Vec::new();
    for role in ROLES {
        let name = format!("a {role}");
        tokens
            .push(server.archive.archive().create_token(&host, &name, role, HOUR, Scope::everything()).await.unwrap());
    }
    let mut page = String::from(
        "# What each route answers whom. Generated by crates/server/tests/dicomweb/routes.rs; do not edit.\n\
         # nobody = asks for proof, no = not allowed, no? = not there or not to be known of, yes = what was asked is looked at\n\n",
    );
    let _ = write!(page, "{:<62}{:>8}", "", "nobody");
    for role in ROLES {
        let _ = write!(page, "{role:>17}");
    }
    page.push('\n');
    let routes = routes();
    assert!(routes.len() > 50, "the routes are not where they are looked for: {}", routes.len());
    for (route, methods) in &routes {
        for method in methods {
            let stranger = asked(&server, method, route).send().await.status.as_u16();
            if !OPEN.contains(&route.as_str()) {
                assert_eq!(stranger, 401, "{method} {route} answers a stranger");
            }
            let _ = write!(page, "{:<62}{:>8}", format!("{method} {route}"), cell(stranger));
            for token in &tokens {
                let answer = asked(&server, method, route).token(token).send().await.status.as_u16();
                assert!(answer < 500, "{method} {route}: {answer}");
                let _ = write!(page, "{:>17}", cell(answer));
            }
            page.push('\n');
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/route-matrix.txt");
    if std::env::var_os("LEADGLASS_UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), page, "look at what changed, then LEADGLASS_UPDATE=1");
}

#[test]
fn routes_are_read_whatever_their_layout() {
    let mut routes = BTreeMap::new();
    read_routes(".route(\"/a/{b}\", get(x::y).post(\n  z))\n .route(\n \"/c\",\n delete(q))", &mut routes);
    assert_eq!(routes["/a/{b}"], [Method::GET, Method::POST]);
    assert_eq!(routes["/c"], [Method::DELETE]);
    assert_eq!(filled("/studies/{study}/x/{id}"), "/studies/1.2.3/x/x");
}
