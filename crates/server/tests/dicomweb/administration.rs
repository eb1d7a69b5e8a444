//! `/admin/v1`, `/setup`, `/metrics`, `/healthz`.

use http::Method;
use leadglass_archive::testing::Sample;
use serde_json::{Value, json};

use crate::server::{Server, file, study_path};

const JSON: &str = "application/json";

async fn post(server: &Server, path: &str, body: Value) -> (u16, Value) {
    let reply = server.post(path, JSON, body.to_string()).send().await;
    (reply.status.as_u16(), reply.json())
}

#[tokio::test]
async fn tokens_are_made_shown_once_and_revoked() {
    let server = Server::new().await;
    let (status, made) =
        post(&server, "/admin/v1/tokens", json!({ "name": "console", "role": "viewer", "lifetime_days": 1 })).await;
    assert_eq!(status, 201, "{made}");
    let token = made["token"].as_str().unwrap();
    assert_eq!(server.get("/dicom-web/studies").token(token).send().await.status, 204);
    let list = server.get("/admin/v1/tokens").send().await;
    assert!(list.text().contains("console") && !list.text().contains(token));
    let revoked = server.call(Method::DELETE, "/admin/v1/tokens/console").token(&server.administrator).send().await;
    assert_eq!(revoked.status, 204);
    assert_eq!(server.get("/dicom-web/studies").token(token).send().await.status, 401);
    assert_eq!(post(&server, "/admin/v1/tokens", json!({ "name": "x", "role": "emperor" })).await.0, 400);
    assert_eq!(post(&server, "/admin/v1/tokens", json!({ "name": "x", "role": "viewer", "more": 1 })).await.0, 400);
}

#[tokio::test]
async fn peers_get_a_certificate_once_and_are_revoked() {
    let server = Server::new().await;
    let (status, made) =
        post(&server, "/admin/v1/peers", json!({ "ae": "CT1", "verbs": ["store"], "address": null })).await;
    assert_eq!((status, &made["issued"]["key_pem"]), (201, &json!("key")), "{made}");
    let request = json!({ "ae": "CT2", "verbs": ["find"], "certificate": { "request": "CERTIFICATE REQUEST" } });
    let (status, signed) = post(&server, "/admin/v1/peers", request).await;
    assert_eq!((status, signed["issued"].get("key_pem")), (201, None), "{signed}");
    let known = json!({ "ae": "CT3", "verbs": ["store"], "certificate": { "sha256": "CD".repeat(32) } });
    assert_eq!(post(&server, "/admin/v1/peers", known).await.1["peer"]["certificate_sha256"], "cd".repeat(32));
    let list = server.get("/admin/v1/peers").send().await;
    assert_eq!(list.json().as_array().unwrap().len(), 3);
    assert!(!list.text().contains("key_pem"));
    let revoked = server.call(Method::DELETE, "/admin/v1/peers/CT1").token(&server.administrator).send().await;
    assert_eq!(revoked.status, 204);
    for wrong in [
        json!({ "ae": "A\\B", "verbs": [] }),
        json!({ "ae": "X", "verbs": ["fly"] }),
        json!({ "ae": "X", "verbs": [], "certificate": { "sha256": "zz" } }),
        json!({ "ae": "X", "verbs": [], "certificate": { "request": "no" } }),
    ] {
        assert_eq!(post(&server, "/admin/v1/peers", wrong).await.0, 400);
    }
}

#[tokio::test]
async fn only_administrators_administer() {
    let server = Server::new().await;
    for path in ["/admin/v1/peers", "/admin/v1/tokens", "/admin/v1/statistics", "/metrics"] {
        assert_eq!(server.get(path).token(&server.viewer).send().await.status, 403, "{path}");
        assert_eq!(server.get(path).send().await.status, 200, "{path}");
    }
    let body = json!({ "ae": "CT1", "verbs": ["store"] }).to_string();
    assert_eq!(server.post("/admin/v1/peers", JSON, body).token(&server.viewer).send().await.status, 403);
    assert!(server.get("/admin/v1/peers").send().await.json().as_array().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_signed_for_who_may_not_add_a_peer() {
    let server = Server::new().await;
    let host = server.archive.host().await;
    let signed = || server.signed.load(std::sync::atomic::Ordering::SeqCst);
    for role in ["auditor", "privacy-officer", "viewer"] {
        let everything = leadglass_archive::access::Scope::everything();
        let hour = crate::server::HOUR;
        let token = server.archive.archive().create_token(&host, role, role, hour, everything).await.unwrap();
        let body = json!({ "ae": "CT1", "verbs": ["store"] }).to_string();
        let reply = server.post("/admin/v1/peers", "application/json", body).token(&token).send().await;
        assert_eq!((reply.status.as_u16(), signed()), (403, 0), "{role}");
    }
    let refused = server.archive.trail().await;
    assert_eq!(refused.iter().filter(|row| row.action == "add-peer" && &*row.outcome == "refused").count(), 3);
    assert_eq!(post(&server, "/admin/v1/peers", json!({ "ae": "CT1", "verbs": ["store"] })).await.0, 201);
    assert_eq!(signed(), 1);
}

#[tokio::test]
async fn figures_count_what_is_stored() {
    let server = Server::new().await;
    server.store(&[file(&Sample::new(1, 1, 1)), file(&Sample::new(1, 2, 2))]).await;
    let figures = server.get("/admin/v1/statistics").send().await.json();
    assert_eq!((&figures["studies"], &figures["series"], &figures["instances"]), (&json!(1), &json!(2), &json!(2)));
    let metrics = server.get("/metrics").send().await;
    assert!(metrics.text().contains("leadglass_instances 2\n"), "{}", metrics.text());
}

#[tokio::test]
async fn health_says_one_word_to_anyone() {
    let server = Server::new().await;
    for (path, word) in [("/healthz/live", "live\n"), ("/healthz/ready", "ready\n")] {
        let reply = server.call(Method::GET, path).send().await;
        assert_eq!((reply.status.as_u16(), reply.text().as_str()), (200, word));
    }
}

#[tokio::test]
async fn setup_gives_the_first_token_to_who_has_the_code_once() {
    let server = Server::new().await;
    let code = server.archive.archive().new_setup_code(&server.archive.host().await).await;
    let Ok(code) = code else {
        // Tokens made by the host count as set up: then there is nothing at /setup.
        let reply = server.call(Method::POST, "/setup").send().await;
        assert_eq!(reply.status, 401);
        return;
    };
    let setup = |code: &str| {
        let body = json!({ "code": code, "administrator": "Ada" }).to_string();
        server.call(Method::POST, "/setup").header(http::header::CONTENT_TYPE, JSON).body(body).send()
    };
    assert_eq!(setup("lgs_wrong").await.status, 401);
    let reply = setup(&code).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/admin/v1/tokens").token(&token).send().await.status, 200);
    assert_eq!(setup(&code).await.status, 401);
}

#[tokio::test]
async fn bodies_of_the_administration_are_bounded() {
    let server = Server::new().await;
    let body = format!("{{\"name\": \"{}\", \"role\": \"viewer\"}}", "x".repeat(100_000));
    assert_eq!(server.post("/admin/v1/tokens", JSON, body).send().await.status, 413);
    assert_eq!(server.post("/admin/v1/tokens", "text/plain", "{}").send().await.status, 415);
    let reply = server.post("/admin/v1/tokens", JSON, "{\"name\": \"SECRET").send().await;
    assert_eq!(reply.status, 400);
    assert!(!reply.text().contains("SECRET"));
}

#[tokio::test]
async fn a_scoped_token_finds_and_fetches_its_own_alone() {
    let server = Server::new().await;
    let mr = Sample { modality: "MR".into(), ..Sample::new(2, 1, 1) };
    server.store(&[file(&Sample::new(1, 1, 1)), file(&mr)]).await;
    let scope = json!({ "modalities": ["MR"] });
    let (status, made) =
        post(&server, "/admin/v1/tokens", json!({ "name": "mr", "role": "viewer", "scope": scope })).await;
    assert_eq!(status, 201, "{made}");
    let token = made["token"].as_str().unwrap();
    let studies = server.get("/dicom-web/studies").token(token).send().await.json();
    assert_eq!(studies.as_array().unwrap().len(), 1);
    let path = |study: &str, rest: &str| format!("/dicom-web/studies/{study}{rest}");
    let other = Sample::new(1, 1, 1);
    for rest in ["", "/metadata", &format!("/series/{}/instances/{}/frames/1", other.series, other.sop_instance)] {
        let hidden = server.get(&path(&other.study, rest)).token(token).send().await;
        let absent = server.get(&path(&other.study, rest).replace(&other.study, "1.2.3")).token(token).send().await;
        assert_eq!((hidden.status.as_u16(), hidden.text()), (404, absent.text()), "{rest}");
    }
    assert_eq!(server.get(&path(&mr.study, "/metadata")).token(token).send().await.status, 200);
    for wrong in [json!({}), json!({ "modalities": [""] }), json!({ "colours": ["x"] })] {
        let asked = json!({ "name": "x", "role": "viewer", "scope": wrong });
        assert_eq!(post(&server, "/admin/v1/tokens", asked).await.0, 400);
    }
    let peer = json!({ "ae": "CT1", "verbs": ["store"], "scope": { "institutions": ["A"] } });
    assert_eq!(post(&server, "/admin/v1/peers", peer).await.1["peer"]["scope"]["institutions"], json!(["A"]));
}

#[tokio::test]
async fn the_trail_and_the_quarantine_are_read_in_pages() {
    let server = Server::new().await;
    server.store(&[file(&Sample::new(1, 1, 1))]).await;
    server.stow("", &[file(&Sample { seed: 77, ..Sample::new(1, 1, 1) })]).await;
    let page = server.get("/admin/v1/trail?limit=2").send().await.json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let further = server.get(&format!("/admin/v1/trail?limit=2&after={next}")).send().await.json();
    assert_ne!(page["entries"], further["entries"]);
    let of_patient = server.get("/admin/v1/trail?patient_id=PAT-1&from=2025-01-01T00:00:00Z").send().await.json();
    let entries = of_patient["entries"].as_array().unwrap();
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry["patient_id"] == "PAT-1"));
    let objects = server.get("/admin/v1/quarantine").send().await.json();
    assert_eq!((objects["objects"].as_array().unwrap().len(), &objects["next"]), (1, &Value::Null));
    for wrong in ["limit=0", "limit=1001", "from=SECRET", "study=SECRET", "after=SECRET", "what=SECRET"] {
        let reply = server.get(&format!("/admin/v1/trail?{wrong}")).send().await;
        assert_eq!(reply.status, 400, "{wrong}");
        assert!(!reply.text().contains("SECRET"));
    }
    for path in ["/admin/v1/trail", "/admin/v1/quarantine"] {
        assert_eq!(server.get(path).token(&server.viewer).send().await.status, 403);
    }
}

#[tokio::test]
async fn figures_of_the_web_door_are_kept_like_those_of_the_other() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let server = Server::new().await;
    let sample = Sample::new(1, 1, 1);
    server.store(&[file(&sample)]).await;
    assert_eq!(server.get("/dicom-web/studies").send().await.status, 200);
    assert_eq!(server.get(&study_path(&sample)).send().await.status, 200);
    let figures = recorder.handle().render();
    let bytes = sample.encode().len();
    for line in [
        format!("leadglass_received_bytes_total{{door=\"web\"}} {bytes}\n"),
        format!("leadglass_sent_bytes_total{{door=\"web\"}} {bytes}\n"),
        "leadglass_store_duration_seconds_count{door=\"web\"} 1\n".to_owned(),
        "leadglass_find_duration_seconds_count{door=\"web\"} 1\n".to_owned(),
        "leadglass_retrieve_duration_seconds_count{door=\"web\"} 1\n".to_owned(),
    ] {
        assert!(figures.contains(&line), "{line} is not in {figures}");
    }
}
