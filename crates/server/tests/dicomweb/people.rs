//! People at the web face: cookies, pages, and who else might send what they send.

use http::{Method, header};
use leadglass_archive::testing::{Sample, totp_code};
use leadglass_dicom::clock::Clock as _;
use serde_json::{Value, json};

use crate::server::{Call, Reply, Server, file, study_path};

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
    person_of(server, "ada", &[role]).await
}

async fn person_of(server: &Server, name: &str, roles: &[&str]) -> String {
    let rights: Vec<Value> = roles.iter().map(|role| json!({ "role": role })).collect();
    let new = json!({ "name": name, "rights": rights }).to_string();
    let added = server.post("/admin/v1/users", "application/json", new).send().await;
    assert_eq!(added.status, 201, "{}", added.text());
    let invitation = added.json()["invitation"].clone();
    let body = json!({ "name": name, "invitation": invitation, "passphrase": PASSPHRASE });
    let reply = of_page(server, Method::POST, "/login/invitation", &body).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    cookie(&reply, "__Host-leadglass-session")
}

/// The session's new cookie after an app for codes was enrolled.
async fn with_second_factor(server: &Server, session: &str) -> String {
    let begun = asked(server, Method::POST, "/account/v1/totp", json!({}), session).await.json();
    let code = totp_code(begun["secret"].as_str().unwrap(), server.archive.clock().now());
    let confirm = json!({ "ticket": begun["ticket"], "code": code });
    let confirmed = asked(server, Method::POST, "/account/v1/totp/confirm", confirm, session).await;
    cookie(&confirmed, "__Host-leadglass-session")
}

/// What our own page is told in that session.
async fn asked(server: &Server, method: Method, path: &str, body: Value, session: &str) -> Reply {
    of_page(server, method, path, &body).header(header::COOKIE, session).send().await
}

/// Whether a session gets a study by DICOMweb.
async fn opens(server: &Server, session: &str, sample: &Sample) -> bool {
    let call = server.call(Method::GET, &study_path(sample)).header(header::COOKIE, session).header(header::HOST, HOST);
    let reply = call.accept("multipart/related; type=\"application/dicom\"").send().await;
    match reply.status.as_u16() {
        200 => reply.parts().len() == 1,
        401 | 403 | 404 => false,
        other => panic!("{other}: {}", reply.text()),
    }
}

/// The names of what a form of the account page sends.
async fn fields_of(server: &Server, form: &str) -> Vec<String> {
    let page = server.call(Method::GET, "/account").send().await.text();
    let form = page.split(&format!("<form id=\"{form}\">")).nth(1).unwrap().split("</form>").next().unwrap();
    form.split("name=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
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
        "/admin/v1/emergencies",
        "/admin/v1/shares",
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

#[tokio::test]
async fn an_emergency_is_taken_on_the_account_page_and_opens_one_patient_until_it_is_ended() {
    let server = Server::new().await;
    let (one, two) = (Sample::new(1, 1, 1), Sample::new(2, 1, 1));
    server.store(&[file(&one), file(&two)]).await;
    let first = person_of(&server, "ada", &["emergency"]).await;
    let emergency = |reason: &str, minutes: u32| json!({ "patient_id": "PAT-1", "reason": reason, "minutes": minutes });
    let reason = "unconscious in the emergency room, allergies unknown";
    let weak = asked(&server, Method::GET, "/account/v1/grants", json!({}), &first).await.json();
    assert_eq!(weak["may_break_glass"], false, "not before a second factor");
    let early = asked(&server, Method::POST, "/admin/v1/emergencies", emergency(reason, 10), &first).await;
    assert_eq!(early.status, 403);
    let ada = with_second_factor(&server, &first).await;
    let own = async || asked(&server, Method::GET, "/account/v1/grants", json!({}), &ada).await.json();
    let nothing =
        json!({ "may_break_glass": true, "may_share": false, "emergencies": [], "given": [], "received": [] });
    assert_eq!(own().await, nothing);
    assert!(!opens(&server, &ada, &one).await);

    assert_eq!(fields_of(&server, "emergency").await, ["patient_id", "reason", "minutes"]);
    let take = async |reason: &str, minutes| {
        asked(&server, Method::POST, "/admin/v1/emergencies", emergency(reason, minutes), &ada).await
    };
    for (reason, minutes, said) in [
        ("urgent", 10, "a reason has 10 to 1000 printable characters"),
        (reason, 61, "an emergency lasts a minute at least and an hour at most"),
        (reason, 0, "an emergency lasts a minute at least and an hour at most"),
    ] {
        let refused = take(reason, minutes).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["detail"], said);
    }
    let taken = take(reason, 10).await;
    assert_eq!(taken.status, 201, "{}", taken.text());
    let grant = taken.json();
    assert!(grant["right"]["until"].as_str().is_some_and(|until| until.contains('T')), "{grant}");
    let rows = server.archive.trail().await;
    let begun = rows.iter().find(|row| row.action == "break-glass" && row.outcome == "done").unwrap();
    assert_eq!((begun.event.as_deref(), begun.person.as_deref()), (Some("110127"), Some("ada")));
    assert_eq!(begun.patient_id.as_deref(), Some("PAT-1"));
    let reviews = server.get("/admin/v1/reviews").send().await.json();
    let told = (&reviews[0]["alarm"], &reviews[0]["caller"], &reviews[0]["patient_id"]);
    assert_eq!(told, (&json!("break-glass"), &json!("ada"), &json!("PAT-1")), "{reviews}");
    assert_eq!((opens(&server, &ada, &one).await, opens(&server, &ada, &two).await), (true, false));
    assert_eq!(own().await["emergencies"], json!([grant]));

    let path = format!("/account/v1/grants/{}", grant["id"].as_str().unwrap());
    let eve = with_second_factor(&server, &person_of(&server, "eve", &["emergency"]).await).await;
    assert_eq!(asked(&server, Method::DELETE, &path, json!({}), &eve).await.status, 404, "another's");
    assert!(opens(&server, &ada, &one).await);
    assert_eq!(asked(&server, Method::DELETE, &path, json!({}), &ada).await.status, 204);
    assert!(!opens(&server, &ada, &one).await);
    assert_eq!(own().await, nothing);
    assert_eq!(asked(&server, Method::DELETE, &path, json!({}), &ada).await.status, 404, "over");

    let pass = async |minutes: u64| server.archive.pass(std::time::Duration::from_secs(60 * minutes)).await;
    pass(1).await;
    assert_eq!(take(reason, 10).await.status, 201);
    assert!(opens(&server, &ada, &one).await);
    pass(10).await;
    assert!(!opens(&server, &ada, &one).await, "it ends by itself");
    let rows = server.archive.trail().await;
    let stopped = rows.iter().filter(|row| row.event.as_deref() == Some("110138")).count();
    assert_eq!(stopped, 2, "ended, and over");
}

#[tokio::test]
async fn a_study_is_shared_on_the_account_page_until_whoever_shares_it_ends_that() {
    let server = Server::new().await;
    let (one, two) = (Sample::new(1, 1, 1), Sample::new(2, 1, 1));
    server.store(&[file(&one), file(&two)]).await;
    let ada = person_of(&server, "ada", &["reader"]).await;
    let eve = person_of(&server, "eve", &[]).await;
    let own = async |session: &str| asked(&server, Method::GET, "/account/v1/grants", json!({}), session).await.json();
    assert_eq!((&own(&ada).await["may_share"], &own(&eve).await["may_share"]), (&json!(true), &json!(false)));
    assert!(!opens(&server, &eve, &one).await);

    assert_eq!(fields_of(&server, "share").await, ["study", "with", "until"]);
    let share = async |with: &str, minutes: u32| {
        let body = json!({ "study": one.study, "with": with, "minutes": minutes });
        asked(&server, Method::POST, "/admin/v1/shares", body, &ada).await
    };
    assert_eq!(share("nobody", 90).await.status, 404);
    let refused = share("eve", 31 * 24 * 60).await;
    assert_eq!(refused.json()["detail"], "a study is shared for a minute at least and 30 days at most");
    assert_eq!(share("ada", 90).await.status, 400, "with oneself");
    let shared = share("eve", 90).await;
    assert_eq!(shared.status, 201, "{}", shared.text());
    let grant = shared.json();
    assert_eq!((&own(&ada).await["given"], &own(&eve).await["received"]), (&json!([grant]), &json!([grant])));
    assert_eq!((opens(&server, &eve, &one).await, opens(&server, &eve, &two).await), (true, false));

    let path = format!("/account/v1/grants/{}", grant["id"].as_str().unwrap());
    assert_eq!(asked(&server, Method::DELETE, &path, json!({}), &eve).await.status, 404, "not hers to end");
    assert_eq!(asked(&server, Method::DELETE, &path, json!({}), &ada).await.status, 204);
    assert!(!opens(&server, &eve, &one).await);
    assert_eq!(own(&eve).await["received"], json!([]));
}
