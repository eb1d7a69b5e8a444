//! WADO-RS metadata and the bulk data it points to.

use std::io::Read as _;

use http::header;
use leadglass_archive::testing::Sample;
use leadglass_dicom::part10;
use leadglass_dicom::scan::{self, Limits};

use crate::server::{JSON, PUBLIC_URL, Server, file, instance_path, path_of, study_path, testdata};

async fn filled() -> (Server, Vec<Sample>) {
    let server = Server::new().await;
    let samples: Vec<Sample> = (1..=6).map(|number| Sample::new(1, 1, number)).collect();
    server.store(&samples.iter().map(file).collect::<Vec<_>>()).await;
    (server, samples)
}

#[tokio::test]
async fn metadata_come_for_every_level() {
    let (server, samples) = filled().await;
    let series = format!("{}/series/{}", study_path(&samples[0]), samples[0].series);
    for (path, count) in [(study_path(&samples[0]), 6), (series, 6), (instance_path(&samples[3]), 1)] {
        let reply = server.get(&format!("{path}/metadata")).accept(JSON).send().await;
        assert_eq!((reply.status.as_u16(), reply.header(header::CONTENT_TYPE)), (200, JSON));
        let model = reply.json();
        assert_eq!(model.as_array().unwrap().len(), count);
        assert_eq!(model[0]["00100010"]["Value"][0]["Alphabetic"], "Doe^Jane1");
    }
}

#[tokio::test]
async fn bulk_data_uris_are_urls_of_this_server_and_answer() {
    let (server, samples) = filled().await;
    let model = server.get(&format!("{}/metadata", study_path(&samples[0]))).send().await.json();
    for (object, sample) in model.as_array().unwrap().iter().zip(&samples) {
        let uri = object["7FE00010"]["BulkDataURI"].as_str().unwrap();
        let path = uri.strip_prefix(PUBLIC_URL).unwrap();
        assert_eq!(path, format!("{}/bulkdata/7FE00010", instance_path(sample)));
        let whole = server.get(path).send().await;
        assert!(whole.parts() == [("application/octet-stream".to_owned(), sample.frame(1))]);
        let part =
            server.get(path).accept("application/octet-stream").header(header::RANGE, "bytes=10-19").send().await;
        assert_eq!((part.status.as_u16(), part.body.to_vec()), (206, sample.frame(1)[10..20].to_vec()));
        let pixels =
            server.get(&format!("{}/pixeldata", instance_path(sample))).accept("application/octet-stream").send().await;
        assert_eq!(pixels.body, sample.frame(1));
    }
}

#[tokio::test]
async fn codings_hold_the_same_and_have_their_own_tag() {
    let (server, samples) = filled().await;
    let path = format!("{}/metadata", study_path(&samples[0]));
    let plain = server.get(&path).send().await;
    let gzip = server.get(&path).header(header::ACCEPT_ENCODING, "gzip").send().await;
    let zstd = server.get(&path).header(header::ACCEPT_ENCODING, "gzip, zstd").send().await;
    assert_eq!((gzip.header(header::CONTENT_ENCODING), zstd.header(header::CONTENT_ENCODING)), ("gzip", "zstd"));
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(gzip.body.as_ref()).read_to_end(&mut inflated).unwrap();
    assert_eq!(inflated, plain.body);
    assert_eq!(zstd::decode_all(zstd.body.as_ref()).unwrap(), plain.body);
    let tags: std::collections::HashSet<&str> = [&plain, &gzip, &zstd].map(|reply| reply.header(header::ETAG)).into();
    assert_eq!(tags.len(), 3);
    let kept = server.get(&path).header(header::ACCEPT_ENCODING, "gzip").send().await;
    assert_eq!(kept.body, gzip.body, "again, from memory");
    let again = server.get(&path).header(header::IF_NONE_MATCH, plain.header(header::ETAG)).send().await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
}

#[tokio::test]
async fn an_answer_in_memory_is_for_those_who_may_see_it() {
    let (server, samples) = filled().await;
    let path = format!("{}/metadata", study_path(&samples[0]));
    assert_eq!(server.get(&path).send().await.status, 200);
    assert_eq!(server.get(&path).token(&server.sender).send().await.status, 404);
    server.store(&[file(&Sample::new(1, 1, 50))]).await;
    assert_eq!(server.get(&path).send().await.json().as_array().unwrap().len(), 7, "a new instance shows at once");
}

#[tokio::test]
async fn xml_is_the_native_dicom_model() {
    let (server, samples) = filled().await;
    let path = format!("{}/metadata", study_path(&samples[0]));
    let reply = server.get(&path).accept("multipart/related; type=\"application/dicom+xml\"").send().await;
    let parts = reply.parts();
    assert_eq!(parts.len(), 6);
    for ((content_type, part), sample) in parts.iter().zip(&samples) {
        let text = String::from_utf8_lossy(part);
        assert_eq!(content_type, "application/dicom+xml");
        assert!(text.contains("<NativeDicomModel") && text.contains(&sample.sop_instance), "{text}");
        assert!(text.contains(&format!("{PUBLIC_URL}{}/bulkdata/7FE00010", instance_path(sample))), "{text}");
    }
}

#[tokio::test]
async fn bulk_values_of_real_objects_come_from_any_depth() {
    for name in ["samples/pydicom-pydicom/waveform_ecg.dcm", "samples/pantelisgeorgiadis-dcmjs-dimse/pdf.dcm"] {
        let server = Server::new().await;
        let bytes = testdata(name);
        let (meta, data) = part10::split(&bytes).unwrap();
        let scanned = scan::scan(data, &meta.transfer_syntax, &Limits::default()).unwrap();
        let identity = scanned.identity.unwrap();
        server.store(std::slice::from_ref(&bytes)).await;
        let mut seen = 0;
        for bulk in scanned.bulk {
            let path = format!("{}/bulkdata/{}", path_of(&identity), bulk.path);
            let reply = server.get(&path).accept("application/octet-stream").send().await;
            let start = usize::try_from(bulk.offset).unwrap();
            let end = start + usize::try_from(bulk.length).unwrap();
            assert!(reply.status == 200 && reply.body == data[start..end], "{path}: {}", reply.status);
            seen += 1;
        }
        assert!(seen > 0, "{name}");
    }
}

#[tokio::test]
async fn reading_piece_by_piece_is_one_entry_in_the_trail() {
    let (server, samples) = filled().await;
    for sample in &samples {
        server.get(&format!("{}/metadata", instance_path(sample))).token(&server.viewer).send().await;
        server.get(&format!("{}/frames/1", instance_path(sample))).token(&server.viewer).send().await;
    }
    let trail = server.trail().await;
    let retrieved = trail.iter().filter(|(action, _, caller)| action == "retrieve" && caller == "the viewer").count();
    assert_eq!(retrieved, 1, "{trail:?}");
}

/// Not a benchmark (`make bench` is): a series of 600 must not take seconds by mistake.
#[tokio::test]
async fn a_large_series_is_answered_at_once() {
    let server = Server::new().await;
    let samples: Vec<Sample> = (1..=600).map(|number| Sample { side: 4, ..Sample::new(1, 1, number) }).collect();
    for batch in samples.chunks(100) {
        server.store(&batch.iter().map(file).collect::<Vec<_>>()).await;
    }
    let path = format!("{}/metadata", study_path(&samples[0]));
    for round in ["first", "again"] {
        let begun = std::time::Instant::now();
        let reply = server.get(&path).header(header::ACCEPT_ENCODING, "gzip").send().await;
        let elapsed = begun.elapsed();
        println!("{round}: {elapsed:?}, {} bytes", reply.body.len());
        assert!(reply.status == 200 && elapsed.as_secs() < 5, "{round}: {elapsed:?}");
    }
}
