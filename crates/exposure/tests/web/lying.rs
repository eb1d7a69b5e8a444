//! Proxies and portals that hide an open door from whoever looks once: none of them may pass.

use crate::site::{Asked, answer, json, look, nothing, outcome, page, site, state};
use leadglass_exposure::catalogue::Depth;
use leadglass_exposure::evidence::Fact;
use leadglass_exposure::finding::State;
use leadglass_exposure::testing;

const DICOM_JSON: &str = "Content-Type: application/dicom+json\r\n";

fn is_search(asked: &Asked, base: &str) -> bool {
    asked.method == "GET" && asked.path.starts_with(&format!("{base}/studies?"))
}

#[tokio::test]
async fn a_filter_of_foreign_origins_closes_nothing() {
    let run = testing::run(testing::scope());
    let (port, log) = site(|asked| match asked.head.to_ascii_lowercase().contains("\r\norigin:") {
        true => answer(403, "", "Invalid CORS request"),
        false if is_search(asked, "/dicom-web") => answer(200, DICOM_JSON, "[]"),
        false => nothing(),
    })
    .await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(known.open);
    assert_eq!((state(&outcomes, "W-02"), state(&outcomes, "W-07")), (State::Finding, State::Pass));
    let foreign = log.all().into_iter().filter(|asked| asked.head.to_ascii_lowercase().contains("\r\norigin:"));
    assert_eq!(foreign.count(), 1);
}

#[tokio::test]
async fn a_base_that_asks_says_nothing_of_the_next() {
    let run = testing::run(testing::scope());
    for elsewhere in [401, 404] {
        let (port, _) = site(move |asked| match asked.path.as_str() {
            _ if is_search(asked, "/wado-rs") => answer(200, DICOM_JSON, "[]"),
            path if path.starts_with("/dicom-web") => answer(401, "", ""),
            _ => answer(elsewhere, "", ""),
        })
        .await;
        let (known, outcomes) = look(&run, port, Depth::Canary).await;
        assert!(known.open, "{elsewhere}");
        let search = outcome(&outcomes, "W-02");
        assert_eq!(search.state, State::Finding, "{elsewhere}");
        let base = search.evidence.fact("base").map(|fact| format!("{fact:?}")).unwrap_or_default();
        assert!(base.contains("wado-rs"), "{base}");
    }
}

#[tokio::test]
async fn retrieval_is_asked_for_at_every_base_that_asks() {
    let run = testing::run(testing::scope());
    let (port, _) = site(|asked| match asked.path.as_str() {
        path if path.starts_with("/rs/studies/") => answer(404, "", ""),
        _ => answer(401, "", ""),
    })
    .await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!((state(&outcomes, "W-02"), state(&outcomes, "W-03/wado-rs")), (State::Pass, State::Finding));
}

#[tokio::test]
async fn a_first_page_that_sends_to_https_closes_no_base() {
    let run = testing::run(testing::scope());
    let (port, _) = site(|asked| match is_search(asked, "/dicom-web") {
        true => answer(200, DICOM_JSON, "[]"),
        false => answer(301, "Location: https://127.0.0.1/x\r\n", ""),
    })
    .await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert!(known.open);
    assert_eq!((state(&outcomes, "W-01"), state(&outcomes, "W-02")), (State::Finding, State::Finding));
}

#[tokio::test]
async fn words_within_words_and_hosts_are_no_log_in() {
    let run = testing::run(testing::scope());
    for (location, expected) in [
        ("https://radiology-associates.example/portal", State::NotApplicable),
        ("https://sso.example/portal", State::NotApplicable),
        ("/author/studies", State::NotApplicable),
        ("/portal?next=/login", State::NotApplicable),
        ("/auth/realms/x", State::Pass),
        ("/app/login.php?next=x", State::Pass),
        ("https://elsewhere.example/sso", State::Pass),
        ("/#/login", State::Pass),
        ("login;jsessionid=1", State::Pass),
    ] {
        let (port, _) = site(move |asked| match asked.path.starts_with("/dicom-web") {
            true => answer(302, &format!("Location: {location}\r\n"), ""),
            false => nothing(),
        })
        .await;
        let (_, outcomes) = look(&run, port, Depth::Canary).await;
        assert_eq!(state(&outcomes, "W-02"), expected, "{location}");
    }
}

#[tokio::test]
async fn a_listing_that_was_not_seen_whole_is_no_pass() {
    let run = testing::run(testing::scope());
    let long =
        format!("<title>Index of /</title><pre>{}<a href=\"IM1.dcm\">1</a>", "<a href=\"a.txt\">a</a>".repeat(4000));
    let (port, _) = site(move |_| page(&long)).await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(state(&outcomes, "W-10"), State::Error);
    assert_eq!(outcome(&outcomes, "W-10").evidence.fact("cut"), Some(&Fact::Flag(true)));
    let (port, _) =
        site(|_| page("<title>Index of /</title><pre><a href=\"../\">../</a><a href=\"ct/\">ct/</a>")).await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(state(&outcomes, "W-10"), State::RefusedBefore);
}

#[tokio::test]
async fn every_viewer_is_asked_for() {
    let run = testing::run(testing::scope());
    let (port, _) = site(|asked| match asked.path.as_str() {
        "/ohif/" | "/viewer" => answer(401, "", ""),
        "/meddream/" => page("<title>MedDream DICOM viewer</title>"),
        _ => nothing(),
    })
    .await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(state(&outcomes, "W-11"), State::Finding);
    let (port, _) = site(|asked| match asked.path.as_str() {
        "/ohif/" => answer(401, "", ""),
        "/meddream/" => answer(503, "", ""),
        _ => nothing(),
    })
    .await;
    let (_, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!(state(&outcomes, "W-11"), State::RefusedBefore);
}

#[tokio::test]
async fn digits_that_a_target_chooses_stay_there() {
    let run = testing::run(testing::scope());
    let (port, _) = site(|asked| match asked.path.as_str() {
        "/" => answer(
            200,
            "Content-Type: text/html\r\nServer: nginx/1960.12.31.4711\r\n",
            "<title>Orthanc Explorer</title>",
        ),
        "/system" => json(r#"{"ApiVersion":18,"DicomAet":"x","Version":"1960.12.31.4711"}"#),
        "/statistics" => json(r#"{"CountPatients":19601231,"CountStudies":"19601231","CountSeries":19601231}"#),
        "/dicom-web/studies?" => nothing(),
        _ if is_search(asked, "/dicom-web") => {
            format!("HTTP/1.1 200 X\r\n{DICOM_JSON}Content-Length: 19601231\r\nConnection: close\r\n\r\n[{{")
        }
        _ => nothing(),
    })
    .await;
    let (known, outcomes) = look(&run, port, Depth::Canary).await;
    assert_eq!((state(&outcomes, "W-02"), state(&outcomes, "A-01")), (State::Finding, State::Finding));
    testing::assert_no_names(&outcomes);
    let written = serde_json::to_string(&outcomes).unwrap();
    assert!(!written.contains("4711") && !written.contains("1960.12"), "{written}");
    assert_eq!((known.studies, known.product_version), (Some(19_000_000), None));
}
