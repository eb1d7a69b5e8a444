//! STOW-RS.

use http::header;
use leadglass_archive::testing::Sample;
use leadglass_dicom::scan::{self, Limits};
use leadglass_dicom::{TransferSyntax, part10};
use serde_json::{Value, json};

use crate::server::{
    JSON, PUBLIC_URL, Server, data_set, file, file_of, files_below, instance_path, mixed, multipart, path_of,
    study_path, testdata_dir, uid,
};

fn reasons(response: &Value, sequence: &str) -> Vec<u64> {
    let items = response[sequence]["Value"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["00081197"]["Value"][0].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn stored_instances_are_named_and_come_back_as_they_were() {
    let server = Server::new().await;
    let samples = [Sample::new(1, 1, 1), Sample::new(1, 1, 2)];
    let reply = server.stow("", &samples.each_ref().map(file)).await;
    assert_eq!((reply.status.as_u16(), reply.header(header::CONTENT_TYPE)), (200, JSON));
    let response = reply.json();
    assert_eq!(response["00081190"]["Value"][0], format!("{PUBLIC_URL}{}", study_path(&samples[0])));
    let referenced = response["00081199"]["Value"].as_array().unwrap();
    for (item, sample) in referenced.iter().zip(&samples) {
        assert_eq!(item["00081155"]["Value"][0], sample.sop_instance);
        assert_eq!(item["00081190"]["Value"][0], format!("{PUBLIC_URL}{}", instance_path(sample)));
        let back = server.get(&instance_path(sample)).accept("application/dicom; transfer-syntax=*").send().await;
        assert_eq!(data_set(&back.body).1, sample.encode());
    }
    let stores: Vec<_> = server.trail().await.into_iter().filter(|(action, ..)| action == "store").collect();
    assert!(!stores.is_empty() && stores.iter().all(|(_, _, caller)| caller == "the administrator"), "{stores:?}");
}

#[tokio::test]
async fn the_same_bytes_again_are_success_and_other_bytes_never_replace_them() {
    let server = Server::new().await;
    let first = Sample::new(1, 1, 1);
    server.store(&[file(&first)]).await;
    server.store(&[file(&first)]).await;
    let other = Sample { patient_name: "Other^Name".into(), ..first.clone() };
    let reply = server.stow("", &[file(&other)]).await;
    assert_eq!(reply.status, 409);
    assert_eq!(reasons(&reply.json(), "00081198"), [0x0111]);
    let back = server.get(&instance_path(&first)).accept("application/dicom").send().await;
    assert_eq!(data_set(&back.body).1, first.encode());
}

#[tokio::test]
async fn each_instance_gets_its_own_answer() {
    let server = Server::new().await;
    let good = Sample::new(1, 1, 1);
    let mut cut = file(&Sample::new(1, 1, 2));
    cut.truncate(cut.len() - 100);
    let reply = server.stow("", &[b"no DICOM at all, just text".to_vec(), file(&good), cut]).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let response = reply.json();
    assert_eq!(response["00081199"]["Value"].as_array().unwrap().len(), 1);
    assert_eq!(reasons(&response, "00081198"), [0xC000]);
    assert_eq!(response["00081198"]["Value"][0]["00081155"]["Value"][0], Sample::new(1, 1, 2).sop_instance);
    assert_eq!(reasons(&response, "0008119A"), [0xC000]);
}

#[tokio::test]
async fn an_instance_of_another_study_is_refused() {
    let server = Server::new().await;
    let sample = Sample::new(1, 1, 1);
    let reply = server.stow("/1.2.3", &[file(&sample)]).await;
    assert_eq!(reply.status, 409);
    assert_eq!(reasons(&reply.json(), "00081198"), [0xA900]);
    assert_eq!(server.stow(&format!("/{}", sample.study), &[file(&sample)]).await.status, 200);
}

#[tokio::test]
async fn one_file_can_be_the_whole_body_and_the_answer_xml() {
    let server = Server::new().await;
    let body = file(&Sample::new(1, 1, 1));
    let reply =
        server.post("/dicom-web/studies", "application/dicom", body).accept("application/dicom+xml").send().await;
    assert_eq!((reply.status.as_u16(), reply.header(header::CONTENT_TYPE)), (200, "application/dicom+xml"));
    assert!(reply.text().contains("<NativeDicomModel") && reply.text().contains("00081199"), "{}", reply.text());
}

#[tokio::test]
async fn bodies_arrive_in_any_pieces() {
    let server = Server::new().await;
    for (number, piece) in [1, 2, 7, 63, 1000].into_iter().enumerate() {
        let sample = Sample { side: 16, ..Sample::new(2, 1, number as u32 + 1) };
        let (content_type, body) = multipart("application/dicom", &[file(&sample)]);
        let pieces: Vec<Result<Vec<u8>, std::io::Error>> = body.chunks(piece).map(|chunk| Ok(chunk.to_vec())).collect();
        let body = axum::body::Body::from_stream(futures::stream::iter(pieces));
        let reply = server.post("/dicom-web/studies", &content_type, body).send().await;
        assert_eq!(reply.status, 200, "pieces of {piece}: {}", reply.text());
    }
}

#[tokio::test]
async fn who_may_not_store_is_told_so_and_nothing_is_kept() {
    let server = Server::new().await;
    let (content_type, body) = multipart("application/dicom", &[file(&Sample::new(1, 1, 1))]);
    let call = server.post("/dicom-web/studies", &content_type, body).token(&server.viewer);
    assert_eq!(call.send().await.status, 403);
    assert_eq!(server.get("/dicom-web/studies").send().await.status, 204);
    assert!(server.trail().await.iter().any(|(action, _, caller)| action == "store" && caller == "the viewer"));
}

#[tokio::test]
async fn a_full_disk_says_507() {
    let server = Server::new().await;
    server.archive.fail_writes();
    let reply = server.stow("", &[file(&Sample::new(1, 1, 1))]).await;
    assert_eq!(reply.status, 507, "{}", reply.text());
    assert_eq!(reasons(&reply.json(), "00081198"), [0xA700]);
}

/// A sample as DICOM JSON with its pixels elsewhere.
fn metadata(sample: &Sample, uri: &str) -> Value {
    json!({
        "00020010": { "vr": "UI", "Value": ["1.2.840.10008.1.2.1"] },
        "00080016": { "vr": "UI", "Value": [Sample::SOP_CLASS] },
        "00080018": { "vr": "UI", "Value": [sample.sop_instance] },
        "00100010": { "vr": "PN", "Value": [{ "Alphabetic": "Müller^Jörg" }] },
        "00100020": { "vr": "LO", "Value": [sample.patient_id] },
        "0020000D": { "vr": "UI", "Value": [sample.study] },
        "0020000E": { "vr": "UI", "Value": [sample.series] },
        "00280002": { "vr": "US", "Value": [1] },
        "00280004": { "vr": "CS", "Value": ["MONOCHROME2"] },
        "00280008": { "vr": "IS", "Value": [sample.frames] },
        "00280010": { "vr": "US", "Value": [sample.side] },
        "00280011": { "vr": "US", "Value": [sample.side] },
        "00280100": { "vr": "US", "Value": [16] },
        "00280101": { "vr": "US", "Value": [16] },
        "00280102": { "vr": "US", "Value": [15] },
        "00280103": { "vr": "US", "Value": [0] },
        "7FE00010": { "vr": "OW", "BulkDataURI": uri },
    })
}

fn part(headers: &str, body: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (headers.to_owned(), body.into())
}

#[tokio::test]
async fn metadata_and_bulk_data_are_put_together() {
    let server = Server::new().await;
    let samples = [Sample::new(1, 1, 1), Sample::new(1, 1, 2)];
    let model = json!([metadata(&samples[0], "bulk/1"), metadata(&samples[1], "https://elsewhere.example/2")]);
    let (content_type, body) = mixed(
        JSON,
        &[
            part("Content-Type: application/dicom+json; transfer-syntax=1.2.840.10008.1.2.1", model.to_string()),
            part(
                "Content-Type: application/octet-stream\r\nContent-Location: https://elsewhere.example/2",
                samples[1].frame(1),
            ),
            part("Content-Type: application/octet-stream\r\nContent-Location: bulk/1", samples[0].frame(1)),
        ],
    );
    let reply = server.post("/dicom-web/studies", &content_type, body).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    for sample in &samples {
        let frame =
            server.get(&format!("{}/frames/1", instance_path(sample))).accept("application/octet-stream").send().await;
        assert_eq!(frame.body, sample.frame(1));
        let model = server.get(&format!("{}/metadata", instance_path(sample))).send().await.json();
        assert_eq!(model[0]["00100010"]["Value"][0]["Alphabetic"], "Müller^Jörg");
        assert!(model[0].get("00020010").is_none());
    }
}

#[tokio::test]
async fn compressed_frames_are_put_together() {
    let server = Server::new().await;
    let sample = Sample { frames: 2, ..Sample::new(1, 1, 1) };
    let jpeg = "Content-Type: image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50\r\nContent-Location: p";
    let (content_type, body) = mixed(
        JSON,
        &[
            part("Content-Type: application/dicom+json", json!([metadata(&sample, "p")]).to_string()),
            part(jpeg, b"\xFF\xD8first\xFF\xD9".to_vec()),
            part(jpeg, b"\xFF\xD8second\xFF\xD9".to_vec()),
        ],
    );
    let reply = server.post("/dicom-web/studies", &content_type, body).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let frames = server.get(&format!("{}/frames/2,1", instance_path(&sample))).send().await;
    let parts = frames.parts();
    assert_eq!(parts[0], ("image/jpeg;1.2.840.10008.1.2.4.50".into(), b"\xFF\xD8second\xFF\xD9".to_vec()));
    assert_eq!(parts[1].1, b"\xFF\xD8first\xFF\xD9\0".to_vec(), "padded to even length");
}

#[tokio::test]
async fn bulk_data_that_do_not_come_are_never_fetched() {
    let server = Server::new().await;
    // Whoever connects waits in its queue.
    let canary = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let at = canary.local_addr().unwrap();
    let named = ["http", "https", "ftp", "ws", "dicom", "gopher"].map(|scheme| format!("{scheme}://{at}/x"));
    let other = ["file:///etc/passwd", "data:,x", "bulk/1"].map(str::to_owned);
    for uri in named.into_iter().chain(other).chain([format!("//{at}/x"), format!("http://a@{at}:80/../x")]) {
        let model = json!([metadata(&Sample::new(1, 1, 1), &uri)]).to_string();
        let (content_type, body) = mixed(JSON, &[part("Content-Type: application/dicom+json", model)]);
        let reply = server.post("/dicom-web/studies", &content_type, body).send().await;
        assert_eq!(reply.status, 409, "{uri}");
        assert_eq!(reasons(&reply.json(), "00081198"), [0xC000]);
        let called = canary.accept().map(|_| ());
        assert_eq!(called.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "{uri} was called");
    }
    assert_eq!(server.get("/dicom-web/studies").send().await.status, 204);
    let _call = std::net::TcpStream::connect(at).unwrap();
    assert!(canary.accept().is_ok(), "a call would have been seen");
}

#[tokio::test]
async fn pixels_of_the_wrong_length_are_refused() {
    let server = Server::new().await;
    let sample = Sample::new(1, 1, 1);
    for length in [0, 1, sample.frame(1).len() - 2, sample.frame(1).len() + 2] {
        let (content_type, body) = mixed(
            JSON,
            &[
                part("Content-Type: application/dicom+json", json!([metadata(&sample, "p")]).to_string()),
                part("Content-Type: application/octet-stream\r\nContent-Location: p", vec![0; length]),
            ],
        );
        let reply = server.post("/dicom-web/studies", &content_type, body).send().await;
        assert_eq!(reply.status, 409, "{length}: {}", reply.text());
    }
    assert_eq!(server.get("/dicom-web/studies").send().await.status, 204);
}

/// The whole corpus goes in and comes out with equal data sets.
#[tokio::test]
async fn the_corpus_goes_in_and_comes_out() {
    let server = Server::new().await;
    let folder = std::env::var_os("LEADGLASS_CORPUS").map_or_else(|| testdata_dir().join("corpus"), Into::into);
    let (mut stored, mut refused) = (0, Vec::new());
    for path in files_below(&folder) {
        if path.components().any(|part| part.as_os_str() == "hostile") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let Ok((meta, data)) = part10::split(&bytes) else { continue };
        let Ok(scanned) = scan::scan(data, &meta.transfer_syntax, &Limits::default()) else { continue };
        let Some(identity) = scanned.identity else { continue };
        let reply = server.stow("", std::slice::from_ref(&bytes)).await;
        if reply.status != 200 {
            refused.push((path, reply.text()));
            continue;
        }
        let back = server.get(&path_of(&identity)).accept("application/dicom; transfer-syntax=*").send().await;
        assert_eq!(back.status, 200, "{}: {}", path.display(), back.text());
        let (syntax, out) = data_set(&back.body);
        assert!(out == data && syntax == meta.transfer_syntax.uid().as_str(), "{}", path.display());
        stored += 1;
    }
    assert!(stored > 50, "{stored} stored");
    // Other bytes of a UID already stored are the only reason to refuse a well-formed object.
    for (path, answer) in refused {
        assert!(answer.contains("273"), "{}: {answer}", path.display());
    }
}

/// Every hostile file gets an answer of its kind, and the archive goes on.
#[tokio::test]
async fn hostile_files_are_answered() {
    let server = Server::new().await;
    let table = std::fs::read_to_string(testdata_dir().join("hostile/hostile.tsv")).unwrap();
    let mut seen = 0;
    for line in table.lines().skip(1) {
        let mut fields = line.split('\t');
        let (Some(name), Some(expected)) = (fields.next(), fields.next()) else { continue };
        let Ok(bytes) = std::fs::read(testdata_dir().join("hostile").join(name)) else { continue };
        let status = server.stow("", &[bytes]).await.status.as_u16();
        let fitting: &[u16] = match expected {
            "reject" => &[400, 409],
            "accept" => &[200],
            _ => &[200, 202, 400, 409],
        };
        assert!(fitting.contains(&status), "{name}: {expected}, answered {status}");
        seen += 1;
    }
    assert!(seen > 50, "{seen} files");
    server.store(&[file(&Sample::new(99, 1, 1))]).await;
}

#[tokio::test]
async fn implicit_and_big_endian_are_stored_as_they_came() {
    let server = Server::new().await;
    let sample = Sample::new(1, 1, 1);
    let implicit = TransferSyntax::implicit_little_endian();
    let mut converter =
        leadglass_dicom::convert::Converter::new(&TransferSyntax::explicit_little_endian(), &implicit).unwrap();
    let mut bytes = Vec::new();
    converter.push(&sample.encode(), &mut bytes).unwrap();
    converter.finish(&mut bytes).unwrap();
    server.store(&[file_of(&uid(Sample::SOP_CLASS).into(), &sample.sop_uid(), &implicit, &bytes)]).await;
    let back = server.get(&instance_path(&sample)).accept("application/dicom; transfer-syntax=*").send().await;
    assert_eq!(data_set(&back.body), ("1.2.840.10008.1.2".into(), bytes));
    let explicit = server.get(&instance_path(&sample)).accept("application/dicom").send().await;
    assert_eq!(data_set(&explicit.body), ("1.2.840.10008.1.2.1".into(), sample.encode()));
}
