//! People at the web face: cookies, pages, and who else might send what they send.

use http::{Method, header};
use leadglass_archive::testing::totp_code;
use leadglass_dicom::clock::Clock as _;
use serde_json::{Value, json};

use crate::server::{Call, Reply, Server};

const HOST: &str = "pacs.example";
const ORIGIN: &str = "https://pacs.example";
const PASSPHRASE: &str = "a lead apron in the attic";

/// A request of our own page.
fn of_page<'a>(server: &'a Server, method: Method, path: &str, body: &Value) -> Call<'a> {
    let call = server.call(method, path).header(header::HOST, HOST).header(header::ORIGIN, ORIGIN);
    call.header(header::CONTENT_TYPE, "application/json").body(body.to_string())
}

fn cookie(reply: &Reply, name: &str) -> String {
    let set: Vec<&str> =
        reply.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
    let found = set.iter().find(|line| line.starts_with(name) && !line.contains("Max-Age=0"));
    let line = found.unwrap_or_else(|| panic!("no {name} in {set:?}: {}", reply.text()));
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(line.contains(attribute), "{line}");
    }
    line.split(';').next().unwrap().to_owned()
}

/// A person who chose a passphrase: the cookie of their session.
async fn person(server: &Server, role: &str) -> String {
    let new = json!({ "name": "ada", "rights": [{ "role": role }] }).to_string();
    let added = server.post("/admin/v1/users", "application/json", new).send().await;
    assert_eq!(added.status, 201, "{}", added.text());
    let invitation = added.json()["invitation"].clone();
    let body = json!({ "name": "ada", "invitation": invitation, "passphrase": PASSPHRASE });
    let reply = of_page(server, Method::POST, "/login/invitation", &body).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    cookie(&reply, "__Host-leadglass-session")
}

#[tokio::test]
async fn a_cookie_opens_dicomweb_and_signing_out_ends_it_at_once() {
    let server = Server::new().await;
    let session = person(&server, "reader").await;
    let get = |path: &str| server.call(Method::GET, path).header(header::COOKIE, &session).header(header::HOST, HOST);
    assert_eq!(get("/dicom-web/studies").send().await.status, 204);
    assert_eq!(get("/admin/v1/users").send().await.status, 403);
    let both = get("/dicom-web/studies").token(&server.administrator).send().await;
    assert_eq!(both.status, 401, "a cookie and a token are neither");
    let foreign = get("/dicom-web/studies").header(header::HeaderName::from_static("sec-fetch-site"), "cross-site");
    assert_eq!(foreign.send().await.status, 403);
    let out = of_page(&server, Method::POST, "/logout", &json!({})).header(header::COOKIE, &session).send().await;
    assert_eq!(out.status, 204);
    assert_eq!(out.headers["clear-site-data"], r#""cache", "storage""#);
    assert_eq!(get("/dicom-web/studies").send().await.status, 401);
}

#[tokio::test]
async fn two_steps_and_a_new_cookie_at_each_change() {
    let server = Server::new().await;
    let first = person(&server, "administrator").await;
    let ask = |method, path: &str, body: Value, cookie: &str| {
        of_page(&server, method, path, &body).header(header::COOKIE, cookie)
    };
    assert_eq!(ask(Method::POST, "/admin/v1/tokens", json!({}), &first).send().await.status, 400);
    let new = json!({ "name": "t", "role": "viewer" });
    assert_eq!(ask(Method::POST, "/admin/v1/tokens", new, &first).send().await.status, 403, "one factor is none");
    let begun = ask(Method::POST, "/account/v1/totp", json!({}), &first).send().await.json();
    let code = |begun: &Value| totp_code(begun["secret"].as_str().unwrap(), server.archive.clock().now());
    let confirm = json!({ "ticket": begun["ticket"], "code": code(&begun) });
    let confirmed = ask(Method::POST, "/account/v1/totp/confirm", confirm, &first).send().await;
    assert_eq!(confirmed.json()["recovery_codes"].as_array().unwrap().len(), 10);
    let second = cookie(&confirmed, "__Host-leadglass-session");
    assert_ne!(first, second, "fixation");
    assert_eq!(ask(Method::GET, "/account/v1", json!({}), &first).send().await.status, 401);
    assert_eq!(ask(Method::GET, "/admin/v1/users", json!({}), &second).send().await.status, 200);
    let own = |days: u32| json!({ "name": format!("{days} days"), "role": "administrator", "lifetime_days": days });
    assert_eq!(ask(Method::POST, "/admin/v1/tokens", own(2), &second).send().await.status, 400);
    assert_eq!(
        ask(Method::POST, "/admin/v1/tokens", own(1), &second).send().await.status,
        201,
        "just signed in, by two"
    );
    let by_token = server.post("/admin/v1/tokens", "application/json", own(1).to_string()).send().await;
    assert_eq!(by_token.status, 400, "a token makes none that administers");

    server.archive.clock().advance(std::time::Duration::from_secs(60));
    let shown = json!({ "name": "ADA", "passphrase": PASSPHRASE });
    let step = of_page(&server, Method::POST, "/login/passphrase", &shown).send().await;
    assert_eq!(step.json()["second_factor"]["code"], true);
    let ticket = cookie(&step, "__Host-leadglass-begun");
    assert_eq!(ask(Method::POST, "/login/code", json!({ "code": "000000" }), &ticket).send().await.status, 401);
    let right = json!({ "code": code(&begun) });
    let done = ask(Method::POST, "/login/code", right.clone(), &ticket).send().await;
    let third = cookie(&done, "__Host-leadglass-session");
    assert_ne!(second, third);
    assert_eq!(ask(Method::POST, "/login/code", right, &ticket).send().await.status, 401, "replayed");
}

#[tokio::test]
async fn what_is_wrong_reads_the_same_and_too_much_of_it_waits() {
    let server = Server::new().await;
    person(&server, "reader").await;
    let mut answers = std::collections::BTreeSet::new();
    for (name, passphrase) in [("ada", "wrong"), ("nobody", PASSPHRASE), ("", ""), ("ada", ""), ("a\u{0}", "x")] {
        let reply =
            of_page(&server, Method::POST, "/login/passphrase", &json!({ "name": name, "passphrase": passphrase }));
        let reply = reply.send().await;
        let mut headers = reply.headers.clone();
        headers.remove("x-request-id");
        answers.insert(format!("{} {headers:?} {}", reply.status, reply.text()));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let wrong = json!({ "name": "ada", "passphrase": "wrong" });
    let mut last = of_page(&server, Method::POST, "/login/passphrase", &wrong).send().await;
    for _ in 0..10 {
        last = of_page(&server, Method::POST, "/login/passphrase", &wrong).send().await;
    }
    assert_eq!(last.status, 429);
    assert!((1..=7).contains(&last.header(header::RETRY_AFTER).parse::<u32>().unwrap()));
}

#[tokio::test]
async fn no_other_page_signs_anybody_in_or_out() {
    let server = Server::new().await;
    let session = person(&server, "reader").await;
    for path in [
        "/login/passphrase",
        "/login/code",
        "/login/invitation",
        "/login/passkey",
        "/login/passkey/challenge",
        "/logout",
        "/account/v1/passphrase",
        "/account/v1/totp",
        "/admin/v1/tokens",
        "/dicom-web/studies",
    ] {
        for origin in ["https://evil.example", "null", "http://pacs.example", "https://pacs.example.evil.example"] {
            let call = of_page(&server, Method::POST, path, &json!({})).header(header::ORIGIN, origin);
            assert_eq!(call.header(header::COOKIE, &session).send().await.status, 403, "{path} {origin}");
        }
        let call = server.call(Method::POST, path).header(header::HOST, HOST).header(header::COOKIE, &session);
        assert_eq!(call.send().await.status, 403, "{path} without Origin");
    }
    let get = server.call(Method::GET, "/dicom-web/studies").header(header::COOKIE, &session);
    assert_eq!(get.header(header::HOST, HOST).send().await.status, 204, "the session goes on");
}

#[tokio::test]
async fn pages_hold_nothing_and_run_nothing_that_is_not_ours() {
    let server = Server::new().await;
    for path in ["/login", "/account"] {
        let reply = server.call(Method::GET, path).send().await;
        assert_eq!(reply.status, 200);
        let policy = reply.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = reply.text();
        assert!(!text.contains("style=") && !text.contains("onclick") && !text.contains("<script>"), "{text}");
        assert_eq!(text.matches("<script").count(), 1);
    }
    for (path, kind) in [("/login/app.js", "text/javascript"), ("/login/app.css", "text/css")] {
        assert!(server.call(Method::GET, path).send().await.header(header::CONTENT_TYPE).starts_with(kind));
    }
    assert_eq!(server.call(Method::GET, "/login/oidc/nobody").send().await.status, 404);
    for path in ["/account/v1", "/logout", "/login/no", "/account/no", "/admin/v1/users"] {
        assert_eq!(server.call(Method::GET, path).send().await.status, 401, "{path}");
    }
}
