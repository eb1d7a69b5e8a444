//! Every route, with every method, asked by nobody and by each kind of caller: what comes back is
//! the page that is reviewed, `docs/route-matrix.txt`. A shield's routes are on it too, and what a
//! shield refuses does not reach the old archive.
//!
//! The routes are read from the sources, so that one that is added is on the page or fails here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest;
use http::{Method, header};
use leadglass::admin::enrol::ClientCertificate;
use leadglass_archive::access::Scope;
use leadglass_archive::testing::{Sample, totp_code};
use leadglass_archive::{Credential, Door, Source};
use leadglass_dicom::clock::Clock as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::server::{Call, HOUR, Server, file};

/// What a stranger may ask, and why. Nothing else answers without proof.
const OPEN: [&str; 17] = [
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
    "/account",
];

/// Roles of tokens.
const ROLES: [&str; 8] =
    ["monitor", "viewer", "researcher", "reader", "sender", "auditor", "privacy-officer", "administrator"];

const STUDY: &str = "/dicom-web/studies/{study}";
const SERIES: &str = "/dicom-web/studies/{study}/series/{series}";
const INSTANCE: &str = "/dicom-web/studies/{study}/series/{series}/instances/{instance}";

/// Somebody who asks.
enum Who {
    Nobody,
    Token(String),
    /// People alike, by their cookies: one for each route of [`ENDS`], and the last for all others.
    Person(Vec<String>),
    /// A peer's certificate.
    Peer,
}

/// Where a session ends, gets another secret, or may more afterwards.
const ENDS: [&str; 4] = ["/logout", "/account/v1/recovery-codes", "/account/v1/totp", "/admin/v1/emergencies"];

/// Where whoever may is given what they ask for.
const GIVEN: [&str; 2] = ["/admin/v1/emergencies", "/admin/v1/shares"];

/// The certificate of the peer: nothing looks into it but at its digest.
const CERTIFICATE: &[u8] = b"a certificate";

/// What is sent where a body decides whether anybody is asked: well formed, and about nothing
/// that is there, but for [`GIVEN`]. The empty object elsewhere.
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
        // Who they are shared with asks for nothing but to be signed out.
        "/admin/v1/shares" => json!({ "study": There::new().study, "with": "person-0", "hours": 1 }),
        "/admin/v1/emergencies" => json!({ "patient_id": "x", "reason": "a row of the page", "minutes": 60 }),
        "/enrol/renew" => json!({ "ae": "PEER1", "request": "REQUEST" }),
        _ => json!({}),
    }
}

type Routes = BTreeMap<String, Vec<Method>>;

/// The routes of the sources and their methods: of an archive, and those of a shield in place of DICOMweb's.
fn routes() -> (Routes, Routes) {
    let (mut archives, mut shields) = (Routes::new(), Routes::new());
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in ["admin", "dicomweb", "login", "web", "trail", "shield", "."] {
        let routes = if folder == "shield" { &mut shields } else { &mut archives };
        let files = std::fs::read_dir(sources.join(folder)).unwrap();
        for file in files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "rs")) {
            let text = std::fs::read_to_string(file).unwrap();
            read_routes(text.split("#[cfg(test)]").next().unwrap(), routes);
        }
    }
    (archives, shields)
}

/// Reads `.route(PATH, get(…).post(…))` wherever it stands, and what PATH is put together from.
fn read_routes(text: &str, routes: &mut Routes) {
    let known = [
        ("get(", Method::GET),
        ("searched(", Method::GET),
        ("retrieved(", Method::GET),
        ("whole(", Method::GET),
        ("capabilities(", Method::GET),
        ("capabilities(", Method::OPTIONS),
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
        let (path, handlers) = call.split_once(',').unwrap();
        let methods: Vec<Method> =
            known.iter().filter(|(name, _)| handlers.contains(name)).map(|(_, method)| method.clone()).collect();
        assert!(!methods.is_empty(), "how {call} is asked is not known here");
        for path in paths(path.trim()) {
            assert!(path.starts_with('/'), "where {call} is, is not known here");
            routes.entry(path).or_default().extend(methods.iter().cloned());
        }
    }
}

/// The paths that an expression of a router stands for.
fn paths(expression: &str) -> Vec<String> {
    let literal = expression.split('"').nth(1).unwrap_or_default();
    let below = |base: &str| vec![format!("{base}{literal}")];
    match expression.trim_start_matches('&') {
        "STUDY" => return vec![STUDY.into()],
        "SERIES" => return vec![SERIES.into()],
        "INSTANCE" => return vec![INSTANCE.into()],
        piece if piece.starts_with("study(") => return below(STUDY),
        piece if piece.starts_with("series(") => return below(SERIES),
        piece if piece.starts_with("instance(") => return below(INSTANCE),
        piece if !piece.starts_with("format!(") => return vec![literal.to_owned()],
        _ => {}
    }
    let mut paths = vec![literal.to_owned()];
    for (name, values) in [
        ("{STUDY}", &[STUDY][..]),
        ("{SERIES}", &[SERIES]),
        ("{INSTANCE}", &[INSTANCE]),
        ("{target}", &[STUDY, SERIES, INSTANCE]),
        ("{below}", &["metadata", "rendered", "thumbnail"]),
    ] {
        let put = |path: &String| values.iter().map(|value| path.replacen(name, value, 1)).collect::<Vec<_>>();
        paths =
            paths.iter().flat_map(|path| if path.contains(name) { put(path) } else { vec![path.clone()] }).collect();
    }
    paths.into_iter().map(|path| path.replace("{{", "{").replace("}}", "}")).collect()
}

/// The object that is there.
struct There {
    study: String,
    series: String,
    instance: String,
    file: Vec<u8>,
}

impl There {
    fn new() -> There {
        let sample = Sample::new(1, 1, 1);
        There {
            study: sample.study.to_string(),
            series: sample.series.to_string(),
            instance: sample.sop_instance.to_string(),
            file: file(&sample),
        }
    }
}

/// The path with what is there, or something, in its places.
fn filled(route: &str, there: &There) -> String {
    let mut path = String::new();
    for part in route.split('/').skip(1) {
        path.push('/');
        path.push_str(match part {
            "{study}" => &there.study,
            "{series}" => &there.series,
            "{instance}" => &there.instance,
            "{ae}" => "CT1",
            "{frames}" | "{rest}" => "1",
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

fn asked<'a>(server: &'a Server, who: &Who, method: &Method, route: &str) -> Call<'a> {
    let there = There::new();
    let query = match route {
        "/admin/v1/marks" => "?study=".to_owned(),
        "/wado" => format!(
            "?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}&contentType=application/dicom",
            there.study, there.series, there.instance
        ),
        _ => String::new(),
    };
    let call = server.call(method.clone(), &format!("{}{query}", filled(route, &there)));
    let call = match who {
        Who::Nobody => call,
        Who::Token(token) => call.token(token),
        Who::Person(cookies) => {
            let cookie = &cookies[ENDS.iter().position(|ends| route == *ends).unwrap_or(ENDS.len())];
            let of_page = call.header(header::HOST, "pacs.example").header(header::ORIGIN, "https://pacs.example");
            of_page.header(header::COOKIE, &format!("__Host-leadglass-session={cookie}"))
        }
        Who::Peer => call.extension(ClientCertificate(CERTIFICATE.to_vec())),
    };
    match *method {
        Method::GET | Method::DELETE | Method::OPTIONS => call,
        _ if route.starts_with("/dicom-web") => call.header(header::CONTENT_TYPE, "application/dicom").body(there.file),
        _ => call.header(header::CONTENT_TYPE, "application/json").body(body(route).to_string()),
    }
}

/// Everybody who can ask over HTTPS, and what their column is called.
async fn callers(server: &Server) -> Vec<(&'static str, Who)> {
    let host = server.archive.host().await;
    let mut callers = vec![("nobody", Who::Nobody)];
    for role in ROLES {
        let name = format!("a {role}");
        let token = server.archive.archive().create_token(&host, &name, role, HOUR, Scope::everything()).await;
        callers.push((role, Who::Token(token.unwrap())));
    }
    let of_role = |role: &str| json!([{ "role": role }]);
    for (column, rights) in
        [("person", json!([])), ("emergency", of_role("emergency")), ("signed-in reader", of_role("reader"))]
    {
        let mut cookies = Vec::new();
        for number in 0..=ENDS.len() {
            cookies.push(session(server, &format!("{}-{number}", column.replace(' ', "-")), &rights).await);
        }
        callers.push((column, Who::Person(cookies)));
    }
    let certificate = json!({ "sha256": hex::encode(digest::digest(&digest::SHA256, CERTIFICATE)) });
    let peer = json!({ "ae": "PEER1", "verbs": ["store", "find", "retrieve", "commit"], "certificate": certificate });
    let added = server.post("/admin/v1/peers", "application/json", peer.to_string()).send().await;
    assert_eq!(added.status, 201, "{}", added.text());
    callers.push(("peer", Who::Peer));
    callers
}

/// What a person of these rights shows after signing in, with a second factor when there are any.
async fn session(server: &Server, name: &str, rights: &Value) -> String {
    let new = json!({ "name": name, "rights": rights }).to_string();
    let added = server.post("/admin/v1/users", "application/json", new).send().await;
    assert_eq!(added.status, 201, "{}", added.text());
    let source = Source { address: Some([127, 0, 0, 1].into()), door: Door::Admin };
    let invitation = added.json()["invitation"].as_str().unwrap().to_owned();
    let archive = server.archive.archive();
    let session = archive.accept_invitation(&source, name, &invitation, "a lead apron in the attic").await.unwrap();
    let secret = session.secret.as_str().to_owned();
    if rights.as_array().unwrap().is_empty() {
        return secret;
    }
    let caller = archive.authenticate(source, Credential::Session(secret)).await.unwrap();
    let begun = archive.begin_totp(&caller).await.unwrap();
    let code = totp_code(&begun.secret, server.archive.clock().now());
    let changed = archive.confirm_totp(&caller, &begun.ticket, &code).await.unwrap();
    changed.secret.as_str().to_owned()
}

/// The lines of a page: what each route answers whom.
async fn lines(server: &Server, routes: &Routes, passed_on: &AtomicUsize) -> String {
    let callers = callers(server).await;
    let mut page = format!("{:<93}", "");
    for (column, _) in &callers {
        let _ = write!(page, "{column:>17}");
    }
    page.push('\n');
    for (route, methods) in routes {
        for method in methods {
            let _ = write!(page, "{:<93}", format!("{method} {route}"));
            for (column, who) in &callers {
                let before = passed_on.load(Ordering::SeqCst);
                let answer = asked(server, who, method, route).send().await.status.as_u16();
                assert!(answer < 500, "{method} {route}: {answer}");
                let is_given = GIVEN.contains(&route.as_str()) && cell(answer) == "yes";
                assert!(!is_given || answer == 201, "{method} {route}: {column} is told {answer}");
                if *column == "nobody" && !OPEN.contains(&route.as_str()) {
                    assert_eq!(answer, 401, "{method} {route} answers a stranger");
                }
                let is_refused = [401, 403, 404].contains(&answer);
                assert!(
                    !is_refused || passed_on.load(Ordering::SeqCst) == before,
                    "{method} {route}: {column} is passed on"
                );
                let _ = write!(page, "{:>17}", cell(answer));
            }
            page.push('\n');
        }
    }
    page
}

/// An old archive that has nothing, and how often it was asked.
async fn old_archive() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        }
    });
    (at, asked)
}

#[tokio::test]
async fn every_route_is_on_the_page_that_was_reviewed() {
    let (archives, shields) = routes();
    assert!(archives.len() > 80 && shields.len() > 18, "they are not where they are looked for: {archives:?}");
    let mut page = String::from(
        "# What each route answers whom. Generated by crates/server/tests/dicomweb/routes.rs; do not edit.\n\
         # nobody = asks for proof, no = not allowed, no? = not there or not to be known of, yes = what was asked is looked at\n\
         # person = signed in with one factor, without any right; emergency = with two, may break the glass\n\
         # signed-in reader = a person with two, of that role; peer = shows a certificate alone\n\n",
    );
    let server = Server::new().await;
    server.store(&[There::new().file]).await;
    page.push_str(&lines(&server, &archives, &AtomicUsize::new(0)).await);
    let (at, passed_on) = old_archive().await;
    page.push_str(
        "\n# A shield's, in place of /dicom-web of an archive; what is not `yes` does not reach the old archive.\n\n",
    );
    page.push_str(&lines(&Server::before(at).await, &shields, &passed_on).await);
    assert!(passed_on.load(Ordering::SeqCst) > shields.len(), "what is allowed is passed on");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/route-matrix.txt");
    if std::env::var_os("LEADGLASS_UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), page, "look at what changed, then LEADGLASS_UPDATE=1");
}

#[test]
fn routes_are_read_whatever_their_layout() {
    let mut routes = Routes::new();
    read_routes(".route(\"/a/{b}\", get(x::y).post(\n  z))\n .route(\n \"/c\",\n delete(q))", &mut routes);
    assert_eq!(routes["/a/{b}"], [Method::GET, Method::POST]);
    assert_eq!(routes["/c"], [Method::DELETE]);
    read_routes(".route(SERIES, retrieved().merge(post(x))).route(&study(\"/x/{*rest}\"), whole(y))", &mut routes);
    assert_eq!(routes[SERIES], [Method::GET, Method::POST]);
    assert_eq!(routes["/dicom-web/studies/{study}/x/{*rest}"], [Method::GET]);
    assert_eq!(paths("&format!(\"{INSTANCE}/frames/{{frames}}\")"), [format!("{INSTANCE}/frames/{{frames}}")]);
    assert_eq!(paths("&format!(\"{target}/{below}\")").len(), 9);
    assert_eq!(filled("/studies/{study}/x/{id}", &There::new()), format!("/studies/{}/x/x", There::new().study));
}
