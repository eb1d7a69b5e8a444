//! Sites of each kind, and what the web family makes of them.

use crate::site::{Asked, answer, json, look, nothing, outcome, page, site, state};
use leadglass_exposure::catalogue::Depth;
use leadglass_exposure::evidence::{Bucket, Fact};
use leadglass_exposure::finding::{Confidence, Severity, State};
use leadglass_exposure::net::Over;
use leadglass_exposure::probe::web;
use leadglass_exposure::scope::link::Link;
use leadglass_exposure::testing;

fn open_archive(asked: &Asked) -> String {
    match (asked.method.as_str(), asked.path.split('?').next().unwrap_or_default()) {
        ("GET", "/dicom-web/studies") => answer(200, "Content-Type: application/dicom+json\r\n", "[]"),
        ("POST", "/dicom-web/studies") => answer(415, "", ""),
        ("OPTIONS", "/dicom-web/studies") => answer(204, "Allow: GET, POST, DELETE\r\n", ""),
        ("GET", "/dicom-web/workitems") => answer(204, "", ""),
        ("GET", "/wado") => answer(400, "", "bad"),
        _ => nothing(),
    }
}

fn asks(_: &Asked) -> String {
    answer(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", "who?")
}

#[tokio::test]
async fn an_open_archive_is_open_in_every_way() {
    let run = testing::run(testing::scope());
    let (port, log) = site(open_archive).await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(known.open);
    for row in ["W-01", "W-02", "W-03/wado-rs", "W-03/wado-uri", "W-04", "W-05", "W-06"] {
        assert_eq!(state(&outcomes, row), State::Finding, "{row}");
    }
    assert_eq!(outcome(&outcomes, "W-02").severity, Severity::Critical);
    assert_eq!(outcome(&outcomes, "W-02").evidence.fact("length"), Some(&Fact::Bucket(Bucket::Ones)));
    let asked = log.all();
    assert!(asked.iter().all(|asked| ["GET", "HEAD", "OPTIONS", "POST"].contains(&asked.method.as_str())));
    assert!(asked.iter().all(|asked| asked.body.is_empty() && asked.head.contains("Leadglass-Audit/")));
    assert!(asked.iter().filter(|asked| asked.method == "POST").all(|asked| asked.head.contains("text/plain")));
    assert!(asked.len() <= 40 && log.connections() <= 6, "{} over {}", asked.len(), log.connections());
}

#[tokio::test]
async fn an_archive_that_asks_who_comes_passes() {
    let run = testing::run(testing::scope());
    let (port, log) = site(asks).await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(!known.open);
    for row in ["W-02", "W-03/wado-rs", "W-03/wado-uri", "W-04", "W-05", "W-06", "W-10", "W-11"] {
        assert_eq!(state(&outcomes, row), State::Pass, "{row}");
    }
    assert!(log.all().len() <= 40);
}

#[tokio::test]
async fn who_says_yes_to_everything_is_not_open() {
    let run = testing::run(testing::scope());
    let (port, _) = site(|_| page("<title>hello</title>")).await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(!known.open);
    for row in ["W-02", "W-03/wado-rs", "W-06", "W-11", "A-01", "A-03"] {
        assert_eq!(state(&outcomes, row), State::NotApplicable, "{row}");
    }
    let (port, _) = site(|_| json("[]")).await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(!known.open);
    assert_eq!(state(&outcomes, "W-02"), State::Error);
    let (port, _) = site(|_| answer(200, "Content-Type: application/dicom+json\r\n", "[]")).await;
    assert!(!look(&run, port, Depth::Canary).await.0.open);
    let (port, _) = site(|_| answer(200, "Content-Type: application/dicom\r\n", "")).await;
    assert!(!look(&run, port, Depth::Canary).await.0.open);
    let (port, _) = site(|_| answer(204, "", "")).await;
    assert!(!look(&run, port, Depth::Canary).await.0.open);
}

#[tokio::test]
async fn a_log_in_page_instead_of_an_answer_is_no_open_door() {
    let run = testing::run(testing::scope());
    let (port, _) = site(|asked| match asked.path.as_str() {
        "/" => page("<form><input type=\"password\"></form>"),
        path if path.starts_with("/dicom-web") => page("<form><input type=\"password\"></form>"),
        path if path.starts_with("/rs") => answer(302, "Location: /login?next=/rs\r\n", ""),
        _ => nothing(),
    })
    .await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(!known.open);
    assert_eq!(state(&outcomes, "W-02"), State::Pass);
    assert_eq!(state(&outcomes, "A-07"), State::RefusedBefore);
}

#[tokio::test]
async fn a_clear_port_that_only_sends_to_https_passes() {
    let run = testing::run(testing::scope());
    let (port, log) = site(|_| answer(301, "Location: https://127.0.0.1/x\r\n", "")).await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(state(&outcomes, "W-01"), State::Pass);
    assert_eq!(outcome(&outcomes, "W-01").evidence.fact("redirect-in-scope"), Some(&Fact::Flag(true)));
    assert_eq!(state(&outcomes, "W-02"), State::NotApplicable);
    assert!(log.all().iter().all(|asked| asked.path != "/x"), "a redirect was followed");
    let (port, _) = site(|_| answer(301, "Location: https://elsewhere.example/\r\n", "")).await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(outcome(&outcomes, "W-01").evidence.fact("redirect-in-scope"), Some(&Fact::Flag(false)));
}

#[tokio::test]
async fn origins_are_judged_with_and_without_credentials() {
    let run = testing::run(testing::scope());
    for (headers, expected) in [
        ("", None),
        ("Access-Control-Allow-Origin: https://viewer.example\r\n", None),
        ("Access-Control-Allow-Origin: *\r\n", Some(Severity::Medium)),
        (
            "Access-Control-Allow-Origin: https://audit.invalid\r\nAccess-Control-Allow-Credentials: true\r\n",
            Some(Severity::High),
        ),
    ] {
        let (port, _) = site(move |asked| match asked.path.starts_with("/dicom-web/studies?") {
            true => answer(200, &format!("Content-Type: application/dicom+json\r\n{headers}"), "[]"),
            false => nothing(),
        })
        .await;
        let (_, outcomes) = look(&run, port, Depth::Canary).await;
        let cors = outcome(&outcomes, "W-07");
        assert_eq!(cors.is_finding().then_some(cors.severity), expected, "{headers}");
    }
}

#[tokio::test]
async fn a_portal_is_judged_by_its_headers_and_cookies() {
    let run = testing::run(testing::scope());
    let good = "Content-Type: text/html\r\nContent-Security-Policy: default-src 'self'; frame-ancestors 'none'\r\n\
                X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n\
                Set-Cookie: s=1; Secure; HttpOnly; SameSite=Strict\r\n";
    for (headers, expected) in [
        (good.to_owned(), None),
        ("Content-Type: text/html\r\n".to_owned(), Some(Severity::Low)),
        (good.replace("Secure; ", ""), Some(Severity::Medium)),
        (good.replace("Cache-Control: no-store\r\n", ""), Some(Severity::Medium)),
    ] {
        let (port, _) = site(move |_| answer(200, &headers, "<p>portal")).await;
        let (_, outcomes) = look(&run, port, Depth::Handshake).await;
        let portal = outcome(&outcomes, "W-08");
        assert_eq!(portal.is_finding().then_some(portal.severity), expected);
        assert_eq!(state(&outcomes, "W-02"), State::SkippedByPolicy);
    }
}

fn apache_listing(asked: &Asked) -> String {
    match asked.path.as_str() {
        "/" | "/images/" => page(
            "<title>Index of /</title><h1>Index of /</h1><a href=\"?C=N;O=D\">Name</a>\
             <a href=\"../secret.dcm\">up</a><a href=\"IM1.dcm\">1</a><a href=\"IM2.dcm\">2</a><a href=\"DICOMDIR\">d</a>\
             <a href=\"1.2.840.10008.1\">n</a><a href=\"notes.pdf\">p</a><a href=\"sub/\">s</a>",
        ),
        "/IM1.dcm" | "/images/IM1.dcm" if asked.head.contains("bytes=128-131") => answer(206, "", "DICM"),
        _ => nothing(),
    }
}

#[tokio::test]
async fn a_listing_is_counted_and_four_bytes_of_one_file_looked_at() {
    let run = testing::run(testing::scope());
    let (port, log) = site(apache_listing).await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(known.open);
    let listing = outcome(&outcomes, "W-10");
    assert_eq!((listing.state, listing.severity), (State::Finding, Severity::Critical));
    assert_eq!(listing.evidence.count("dicom-names"), 4);
    assert_eq!(listing.evidence.fact("dicom-prefix"), None);
    assert!(log.all().iter().all(|asked| !asked.path.contains("IM1")), "asked for a file at depth 2");
    let (_, outcomes) = look(&run, port, Depth::Counts).await;
    assert_eq!(outcome(&outcomes, "W-10").evidence.fact("dicom-prefix"), Some(&Fact::Flag(true)));
    assert_eq!(
        log.all().iter().filter(|asked| asked.head.contains("Range:") || asked.head.contains("range:")).count(),
        1
    );
}

#[tokio::test]
async fn a_listing_without_images_passes_and_digits_alone_are_a_guess() {
    let run = testing::run(testing::scope());
    let (port, _) =
        site(|_| page("<title>Index of /</title><pre><a href=\"../\">../</a><a href=\"a.txt\">a</a>")).await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(state(&outcomes, "W-10"), State::Pass);
    let (port, _) = site(|_| page("<title>Directory listing for /</title><li><a href=\"00000001\">1</a>")).await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(outcome(&outcomes, "W-10").confidence, Confidence::Offered);
}

#[tokio::test]
async fn a_url_of_the_scope_is_a_base_and_a_folder() {
    let mut scope = testing::scope();
    let (port, _) = site(|asked| match asked.path.as_str() {
        "/images/" => apache_listing(asked),
        path if path.starts_with("/custom/studies?") => answer(200, "Content-Type: application/dicom+json\r\n", "[]"),
        _ => nothing(),
    })
    .await;
    let texts = [format!("http://127.0.0.1:{port}/images/"), format!("http://127.0.0.1:{port}/custom/")];
    scope.assets[0].urls = texts.to_vec();
    let run = testing::run(scope);
    let urls = run.scope.assets[0].urls.iter().map(|url| Link::parse(url).unwrap());
    let (known, outcomes) = testing::look(&run, port, Depth::Canary, async |look| {
        for (place, url) in (0..).zip(urls) {
            web::audit_url(look, place, &url).await;
        }
    })
    .await;
    assert!(known.open);
    assert_eq!((state(&outcomes, "W-10/1"), state(&outcomes, "W-10/2")), (State::Finding, State::Pass));
    assert_eq!((state(&outcomes, "W-02/1"), state(&outcomes, "W-02/2")), (State::NotApplicable, State::Finding));
}

#[tokio::test]
async fn a_share_link_is_asked_for_with_get_where_head_is_not_served() {
    let mut scope = testing::scope();
    let (port, log) = site(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        (_, "/s/1?t=x") => answer(200, "", ""),
        (_, "/s/2") => answer(410, "", ""),
        (_, "/s/3") => answer(302, "Location: /login\r\n", ""),
        ("GET", "/s/4" | "/s/5") => page("PLANTED^JANE"),
        (_, "/s/4") => "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".to_owned(),
        (_, "/s/5") => "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n".to_owned(),
        _ => answer(302, "Location: /viewer/study\r\n", ""),
    })
    .await;
    scope.assets[0].share_links =
        ["1?t=x", "2", "3", "4", "5", "6"].map(|name| format!("http://127.0.0.1:{port}/s/{name}")).to_vec();
    let run = testing::run(scope);
    let links = run.scope.assets[0].share_links.iter().map(|url| Link::parse(url).unwrap());
    let (known, outcomes) = testing::look(&run, port, Depth::Canary, async |look| {
        for (place, link) in (0..).zip(links) {
            web::audit_link(look, place, &link).await;
        }
    })
    .await;
    assert!(known.open);
    assert_eq!(state(&outcomes, "W-12/1"), State::Finding);
    assert_eq!((state(&outcomes, "W-12/2"), state(&outcomes, "W-12/3")), (State::Pass, State::Pass));
    assert_eq!((state(&outcomes, "W-12/4"), state(&outcomes, "W-12/5")), (State::Finding, State::Finding));
    assert_eq!(state(&outcomes, "W-12/6"), State::RefusedBefore);
    let asked = log.all();
    assert!(asked.iter().filter(|asked| asked.path == "/s/1?t=x").all(|asked| asked.method == "HEAD"));
    assert!(asked.iter().all(|asked| ["HEAD", "GET"].contains(&asked.method.as_str())));
    testing::assert_no_names(&outcomes);
}

#[tokio::test]
async fn a_viewer_without_log_in_is_seen_where_products_have_it() {
    let run = testing::run(testing::scope());
    let (port, _) = site(|asked| match asked.path.as_str() {
        "/oviyam2/" => page("<title>Oviyam</title>"),
        _ => nothing(),
    })
    .await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(state(&outcomes, "W-11"), State::Finding);
    let (port, _) = site(|asked| match asked.path.as_str() {
        "/oviyam2/" => page("<title>Oviyam</title><input type=password>"),
        _ => nothing(),
    })
    .await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_ne!(state(&outcomes, "W-11"), State::Finding);
}

#[tokio::test]
async fn what_speaks_no_http_is_not_greeted() {
    let run = testing::run(testing::scope());
    let (port, _) = site(|_| "220 FTP ready\r\nConnection: close".to_owned()).await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(known.web.is_none() && known.clear.is_none() && outcomes.is_empty());
    let (port, _) = site(|_| answer(400, "", "The plain HTTP request was sent to HTTPS port")).await;
    let greeted = testing::look(&run, port, Depth::Canary, async |look| {
        assert!(!web::greet(look, Over::Clear).await);
    });
    assert!(greeted.await.0.clear.is_none());
}

#[tokio::test]
async fn a_look_can_be_sent_between_threads() {
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    let run = testing::run(testing::scope());
    let (port, _) = site(asks).await;
    let (mut line, mut known) = (leadglass_exposure::net::Line::new(&run, testing::LOOPBACK), Default::default());
    let mut notes = leadglass_exposure::finding::Notes::default();
    let asset = &run.scope.assets[0];
    let depth = Depth::Canary;
    let mut look =
        leadglass_exposure::probe::Look { line: &mut line, asset, depth, port, known: &mut known, notes: &mut notes };
    is_send(web::greet(&mut look, Over::Clear)).await;
    is_send(web::audit(&mut look)).await;
    is_send(leadglass_exposure::probe::product::audit(&mut look)).await;
    let url = Link::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    is_send(web::audit_url(&mut look, 0, &url)).await;
    is_send(web::audit_link(&mut look, 0, &url)).await;
}
