//! Who is not known, and requests that are wrong.

use axum::body::Body;
use bytes::Bytes;
use http::{Method, header};
use leadglass_archive::testing::Sample;

use crate::server::{Server, file, multipart};

const PROBLEM: &str = "application/problem+json";

#[tokio::test]
async fn nothing_answers_a_stranger() {
    let server = Server::new().await;
    server.store(&[file(&Sample::new(1, 1, 1))]).await;
    let mut bodies = std::collections::HashSet::new();
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/dicom-web"),
        (Method::OPTIONS, "/dicom-web/"),
        (Method::GET, "/dicom-web/studies"),
        (Method::POST, "/dicom-web/studies"),
        (Method::DELETE, "/dicom-web/studies/1.2.3"),
        (Method::GET, "/dicom-web/studies/1.2.3/metadata"),
        (Method::GET, "/wado"),
        (Method::GET, "/metrics"),
        (Method::GET, "/admin/v1/tokens"),
        (Method::POST, "/admin/v1/peers"),
        (Method::GET, "/no/such/path"),
    ] {
        for authorization in [None, Some("Bearer lgt_wrong"), Some("Basic YTpi"), Some("Bearer ")] {
            let mut call = server.call(method.clone(), path);
            if let Some(value) = authorization {
                call = call.header(header::AUTHORIZATION, value);
            }
            let reply = call.send().await;
            assert_eq!(reply.status, 401, "{method} {path} {authorization:?}");
            assert!(reply.header(header::WWW_AUTHENTICATE).starts_with("Bearer"));
            bodies.insert(reply.body);
        }
    }
    assert_eq!(bodies.len(), 1, "one answer for all");
    let token_in_query = format!("/dicom-web/studies?access_token={}", server.administrator);
    assert_eq!(server.call(Method::GET, &token_in_query).send().await.status, 401);
}

#[tokio::test]
async fn a_revoked_token_ends_at_once() {
    let server = Server::new().await;
    assert_eq!(server.get("/dicom-web/studies").token(&server.viewer).send().await.status, 204);
    server.archive.archive().revoke_token(&server.archive.host().await, "the viewer").await.unwrap();
    assert_eq!(server.get("/dicom-web/studies").token(&server.viewer).send().await.status, 401);
}

#[tokio::test]
async fn every_answer_carries_its_headers() {
    let server = Server::new().await;
    for path in ["/healthz/live", "/dicom-web/studies", "/dicom-web/studies/1.2.3", "/nowhere"] {
        let reply = server.get(path).send().await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
        assert!(reply.header("strict-transport-security").starts_with("max-age="));
        assert!(reply.header("cache-control").contains("no-store"));
        assert!(!reply.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn problems_are_problem_json() {
    let server = Server::new().await;
    for (path, status) in [
        ("/dicom-web/studies/1.2.3", 404),
        ("/dicom-web/studies/not-a-uid", 400),
        ("/dicom-web/studies/..%2f..%2fetc", 400),
        ("/dicom-web/studies/1.2.3/series/4.5.6/instances/7.8.9/frames/0", 400),
        ("/dicom-web/studies/1.2.3/series/4.5.6/instances/7.8.9/bulkdata/..%2f..", 404),
        ("/dicom-web/studies?limit=-1", 400),
        ("/dicom-web/no-such-service", 404),
    ] {
        let reply = server.get(path).send().await;
        assert_eq!((reply.status.as_u16(), reply.header(header::CONTENT_TYPE)), (status, PROBLEM), "{path}");
        assert_eq!(reply.json()["status"], status);
    }
    let reply = server.call(Method::DELETE, "/dicom-web/studies").token(&server.administrator).send().await;
    assert_eq!((reply.status.as_u16(), reply.header(header::CONTENT_TYPE)), (405, PROBLEM));
}

#[tokio::test]
async fn hostile_multiparts_are_refused() {
    let server = Server::with(|limits| limits.parts = 1000).await;
    let related = "multipart/related; type=\"application/dicom\"; boundary=b";
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("multipart/related; type=\"application/dicom\"", b"--b\r\n\r\n\r\n--b--".to_vec(), 400),
        (related, Vec::new(), 400),
        (related, b"--b--\r\n".to_vec(), 400),
        (related, b"garbage".repeat(10_000), 400),
        (related, b"--b\r\nContent-Type: application/dicom\r\n\r\nabc".to_vec(), 400),
        (related, [b"--b\r\nX: ".as_slice(), &[b'a'; 1 << 20]].concat(), 400),
        (related, b"--b\r\nContent-Type: application/dicom\r\n\r\n\r\n".repeat(100_000), 400),
        (related, b"--b\r\nContent-Type: text/html\r\n\r\n<script>\r\n--b--".to_vec(), 415),
        (related, b"--b\r\nContent-Type: application/dicom+xml\r\n\r\n<!DOCTYPE x>\r\n--b--".to_vec(), 415),
        ("multipart/related; type=\"application/dicom+xml\"; boundary=b", b"--b".to_vec(), 415),
        ("multipart/form-data; boundary=b", b"--b--".to_vec(), 415),
        ("application/x-www-form-urlencoded", b"a=b".to_vec(), 415),
        ("application/dicom", Vec::new(), 409),
        (
            "multipart/related; type=\"application/dicom+json\"; boundary=b",
            b"--b\r\nContent-Type: application/dicom+json\r\n\r\n[[[\r\n--b--".to_vec(),
            400,
        ),
    ];
    for (content_type, body, status) in cases {
        let start = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let reply = server.post("/dicom-web/studies", content_type, body).send().await;
        assert_eq!(reply.status, status, "{content_type} {start}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_stores_what_was_whole_and_nothing_else() {
    let server = Server::new().await;
    let (content_type, mut body) =
        multipart("application/dicom", &[file(&Sample::new(1, 1, 1)), file(&Sample::new(1, 1, 2))]);
    body.truncate(body.len() - 200);
    let pieces = [Ok(Bytes::from(body)), Err(std::io::Error::other("reset"))];
    let body = Body::from_stream(futures::stream::iter(pieces));
    let reply = server.post("/dicom-web/studies", &content_type, body).send().await;
    assert_eq!(reply.status, 400);
    let found = server.get("/dicom-web/instances").send().await;
    let count = if found.status == 204 { 0 } else { found.json().as_array().unwrap().len() };
    assert!(count <= 1, "{count}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming_is_not_waited_for() {
    let server = Server::new().await;
    let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let reply = server.post("/dicom-web/studies", "application/dicom", body).send().await;
    assert_eq!(reply.status, 408);
}

#[tokio::test]
async fn too_much_metadata_is_refused() {
    let server = Server::with(|limits| limits.metadata_bytes = 1000).await;
    let (content_type, body) = multipart("application/dicom+json", &[vec![b'['; 2000]]);
    assert_eq!(server.post("/dicom-web/studies", &content_type, body).send().await.status, 413);
}

#[tokio::test]
async fn a_caller_with_too_many_requests_is_told_to_wait() {
    let server = Server::with(|limits| limits.requests_per_caller = 1).await;
    server.store(&[file(&Sample::new(1, 1, 1))]).await;
    let held = server.get("/dicom-web/studies").begin().await;
    let reply = server.get("/dicom-web/studies").send().await;
    assert_eq!(reply.status, 429);
    assert!(!reply.header(header::RETRY_AFTER).is_empty());
    assert_eq!(server.get("/dicom-web/studies").token(&server.viewer).send().await.status, 200);
    drop(held);
    assert_eq!(server.get("/dicom-web/studies").send().await.status, 200);
}
