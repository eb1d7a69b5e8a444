//! QIDO-RS.

use http::header;
use leadglass_archive::testing::Sample;
use serde_json::Value;

use crate::server::{JSON, PUBLIC_URL, Server, file, study_path};

async fn filled() -> Server {
    let server = Server::new().await;
    let mut files = Vec::new();
    for study in 1..=3 {
        for (series, number) in [(1, 1), (1, 2), (2, 1)] {
            files.push(file(&Sample::new(study, series, number)));
        }
    }
    server.store(&files).await;
    server
}

async fn rows(server: &Server, path: &str) -> Vec<Value> {
    let reply = server.get(path).accept(JSON).send().await;
    match reply.status.as_u16() {
        204 => Vec::new(),
        200 => reply.json().as_array().unwrap().clone(),
        status => panic!("{path}: {status} {}", reply.text()),
    }
}

#[tokio::test]
async fn every_level_and_path_answers() {
    let server = filled().await;
    let study = study_path(&Sample::new(1, 1, 1));
    let series = format!("{study}/series/{}", Sample::new(1, 1, 1).series);
    for (path, count) in [
        ("/dicom-web/studies", 3),
        ("/dicom-web/series", 6),
        ("/dicom-web/instances", 9),
        (format!("{study}/series").as_str(), 2),
        (format!("{study}/instances").as_str(), 3),
        (format!("{series}/instances").as_str(), 2),
        ("/dicom-web/studies?PatientID=PAT-2", 1),
        ("/dicom-web/studies?00100020=PAT-2", 1),
        ("/dicom-web/studies?PatientName=doe*", 3),
        ("/dicom-web/studies?PatientName=Doe%5EJane3", 1),
        ("/dicom-web/studies?StudyDate=20250101-20261231&ModalitiesInStudy=CT", 3),
        ("/dicom-web/studies?ModalitiesInStudy=MR", 0),
        ("/dicom-web/studies?PatientID=nobody", 0),
    ] {
        assert_eq!(rows(&server, path).await.len(), count, "{path}");
    }
}

#[tokio::test]
async fn rows_say_where_to_retrieve() {
    let server = filled().await;
    for (path, tail) in [("studies", 0), ("series", 2), ("instances", 4)] {
        for row in rows(&server, &format!("/dicom-web/{path}?PatientID=PAT-1")).await {
            let url = row["00081190"]["Value"][0].as_str().unwrap();
            let path = url.strip_prefix(PUBLIC_URL).unwrap();
            assert_eq!(path.split('/').count(), 4 + tail, "{url}");
            assert_eq!(server.get(path).send().await.status, 200, "{url}");
            assert_eq!(row["00080056"]["Value"][0], "ONLINE");
        }
    }
}

#[tokio::test]
async fn paging_is_honest() {
    let server = filled().await;
    let mut seen = Vec::new();
    for (offset, more) in [(0, true), (4, true), (8, false), (12, false)] {
        let reply = server.get(&format!("/dicom-web/instances?limit=4&offset={offset}")).accept(JSON).send().await;
        assert_eq!(reply.headers.contains_key(header::WARNING), more, "offset {offset}");
        if reply.status == 200 {
            seen.extend(reply.json().as_array().unwrap().iter().map(|row| row["00080018"]["Value"][0].to_string()));
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9);
}

#[tokio::test]
async fn an_answer_is_cut_at_the_servers_own_limit() {
    let server = Server::with(|limits| limits.results = 2).await;
    server.store(&[1, 2, 3].map(|study| file(&Sample::new(study, 1, 1)))).await;
    for query in ["", "?limit=1000000"] {
        let reply = server.get(&format!("/dicom-web/studies{query}")).send().await;
        assert_eq!(reply.json().as_array().unwrap().len(), 2);
        assert!(reply.header(header::WARNING).starts_with("299 leadglass"));
    }
}

#[tokio::test]
async fn fields_are_included_when_asked_for() {
    let server = filled().await;
    let one = "/dicom-web/instances?PatientID=PAT-1&limit=1";
    assert!(rows(&server, one).await[0].get("00280004").is_none());
    let all = &rows(&server, &format!("{one}&includefield=all")).await[0];
    assert_eq!(all["00280010"]["Value"][0], 64);
    assert!(all.get("7FE00010").is_none());
}

#[tokio::test]
async fn xml_and_codings_on_request() {
    let server = filled().await;
    let xml = server.get("/dicom-web/studies").accept("multipart/related; type=\"application/dicom+xml\"").send().await;
    let parts = xml.parts();
    assert_eq!(parts.len(), 3);
    assert!(String::from_utf8_lossy(&parts[0].1).contains("<NativeDicomModel"));
    let plain = server.get("/dicom-web/instances").send().await;
    let gzip = server.get("/dicom-web/instances").header(header::ACCEPT_ENCODING, "gzip").send().await;
    assert_eq!(gzip.header(header::CONTENT_ENCODING), "gzip");
    assert!(gzip.body.len() < plain.body.len() / 2);
}

#[tokio::test]
async fn a_search_is_recorded_with_who_made_it() {
    let server = filled().await;
    server.get("/dicom-web/studies?PatientName=Doe*").token(&server.viewer).send().await;
    let trail = server.trail().await;
    let found = trail.iter().find(|(action, _, caller)| action == "search" && caller == "the viewer");
    assert_eq!(found.map(|(_, outcome, _)| outcome.as_str()), Some("done"), "{trail:?}");
    let sender = server.get("/dicom-web/studies").token(&server.sender).send().await;
    assert_eq!(sender.status, 403);
}

#[tokio::test]
async fn wrong_queries_are_told_what_is_wrong_without_repeating_it() {
    let server = Server::new().await;
    for query in [
        "limit=-1",
        "limit=x",
        "offset=-1",
        "NoSuchKeyword=Secret",
        "StudyDate=Secret",
        "PatientName=%ff",
        "fuzzymatching=maybe",
    ] {
        let reply = server.get(&format!("/dicom-web/studies?{query}")).send().await;
        assert_eq!(reply.status, 400, "{query}");
        assert!(!reply.text().contains("Secret"), "{}", reply.text());
    }
}
