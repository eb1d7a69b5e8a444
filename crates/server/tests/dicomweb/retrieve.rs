//! WADO-RS and WADO-URI: whole objects.

use std::io::{Cursor, Read as _};

use http::header;
use http_body_util::BodyExt as _;
use leadglass_archive::testing::Sample;

use crate::server::{Server, data_set, file, instance_path, study_path};

const AS_STORED: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

async fn filled(count: u32) -> (Server, Vec<Sample>) {
    let server = Server::new().await;
    let samples: Vec<Sample> = (1..=count).map(|number| Sample::new(1, 1 + number % 2, number)).collect();
    server.store(&samples.iter().map(file).collect::<Vec<_>>()).await;
    (server, samples)
}

#[tokio::test]
async fn studies_series_and_instances_come_as_multipart() {
    let (server, samples) = filled(5).await;
    let series = format!("{}/series/{}", study_path(&samples[0]), samples[0].series);
    for (path, count) in [(study_path(&samples[0]), 5), (series, 3), (instance_path(&samples[0]), 1)] {
        for accept in [AS_STORED, "multipart/related; type=application/dicom", "*/*", "multipart/related"] {
            let reply = server.get(&path).accept(accept).send().await;
            assert_eq!(reply.status, 200, "{path} {accept}");
            assert!(reply.header(header::CONTENT_TYPE).starts_with("multipart/related; type=\"application/dicom\";"));
            let parts = reply.parts();
            assert_eq!(parts.len(), count);
            for (content_type, part) in parts {
                assert_eq!(content_type, "application/dicom;1.2.840.10008.1.2.1");
                assert!(samples.iter().any(|sample| sample.encode() == data_set(&part).1));
            }
        }
    }
}

#[tokio::test]
async fn the_length_is_told_when_it_is_known() {
    let (server, samples) = filled(3).await;
    let response = server.get(&study_path(&samples[0])).accept(AS_STORED).begin().await;
    let told = http_body::Body::size_hint(response.body()).exact().unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len() as u64, told);
}

#[tokio::test]
async fn a_download_under_way_ends_when_its_token_is_revoked() {
    let server = Server::new().await;
    let large = Sample { side: 2048, ..Sample::new(1, 1, 1) };
    server.store(&[file(&large)]).await;
    let call = server.get(&study_path(&large)).token(&server.viewer).accept(AS_STORED);
    let response = call.begin().await;
    let told = http_body::Body::size_hint(response.body()).exact().unwrap();
    let mut body = response.into_body();
    let length = |frame: http_body::Frame<bytes::Bytes>| frame.data_ref().map_or(0, |data| data.len() as u64);
    let mut came = length(body.frame().await.unwrap().unwrap());
    server.archive.archive().revoke_token(&server.archive.host().await, "the viewer").await.unwrap();
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(5)).await;
    tokio::time::resume();
    let broke_off = loop {
        match body.frame().await {
            Some(Ok(frame)) => came += length(frame),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broke_off && came < told, "{came} of {told} bytes");
}

#[tokio::test]
async fn a_zip_holds_every_instance() {
    let (server, samples) = filled(4).await;
    let reply = server.get(&study_path(&samples[0])).accept("application/zip").send().await;
    assert_eq!(reply.header(header::CONTENT_TYPE), "application/zip");
    let mut zip = zip::ZipArchive::new(Cursor::new(reply.body)).unwrap();
    assert_eq!(zip.len(), 4);
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).unwrap();
        assert_eq!(entry.name(), format!("DICOM/{:08}", at + 1));
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert!(samples.iter().any(|sample| sample.encode() == data_set(&bytes).1));
    }
}

#[tokio::test]
async fn any_range_of_an_instance_comes() {
    let (server, samples) = filled(1).await;
    let path = instance_path(&samples[0]);
    let whole = server.get(&path).accept("application/dicom").send().await;
    assert_eq!(whole.header(header::ACCEPT_RANGES), "bytes");
    let length = whole.body.len();
    for (first, last) in [(0, 0), (100, 200), (0, length - 1), (length - 10, length - 1), (300, 5000)] {
        let reply = server
            .get(&path)
            .accept("application/dicom")
            .header(header::RANGE, &format!("bytes={first}-{last}"))
            .send()
            .await;
        assert_eq!(reply.status, 206);
        assert_eq!(reply.header(header::CONTENT_RANGE), format!("bytes {first}-{last}/{length}"));
        assert_eq!(reply.body, whole.body.slice(first..=last));
    }
    let beyond =
        server.get(&path).accept("application/dicom").header(header::RANGE, &format!("bytes={length}-")).send().await;
    assert_eq!(beyond.status, 416);
}

#[tokio::test]
async fn entity_tags_are_strong_and_conditions_hold() {
    let (server, samples) = filled(2).await;
    let path = study_path(&samples[0]);
    let first = server.get(&path).accept(AS_STORED).send().await;
    let tag = first.header(header::ETAG).to_owned();
    assert!(tag.starts_with('"'));
    assert_eq!(first.body, server.get(&path).accept(AS_STORED).send().await.body, "equal tags, equal bytes");
    let again = server.get(&path).accept(AS_STORED).header(header::IF_NONE_MATCH, &tag).send().await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_ne!(server.get(&path).accept("application/zip").send().await.header(header::ETAG), tag);
    assert_eq!(server.get(&path).accept(AS_STORED).header(header::IF_MATCH, "\"other\"").send().await.status, 412);
    server.store(&[file(&Sample::new(1, 1, 77))]).await;
    assert_eq!(server.get(&path).accept(AS_STORED).header(header::IF_NONE_MATCH, &tag).send().await.status, 200);
}

#[tokio::test]
async fn a_dropped_connection_is_recorded_as_interrupted() {
    let server = Server::new().await;
    let large = Sample { side: 1024, ..Sample::new(1, 1, 1) };
    server.store(&[file(&large), file(&Sample { side: 1024, ..Sample::new(1, 1, 2) })]).await;
    let mut body = server.get(&study_path(&large)).accept(AS_STORED).begin().await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    // The writing task sees the loss when it next hands something over.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        if server.trail().await.iter().any(|(action, outcome, _)| action == "retrieve" && outcome == "interrupted") {
            break;
        }
    }
    server.get(&study_path(&large)).accept(AS_STORED).send().await;
    let outcomes: Vec<String> = server
        .trail()
        .await
        .into_iter()
        .filter(|(action, ..)| action == "retrieve")
        .map(|(_, outcome, _)| outcome)
        .collect();
    assert!(outcomes.contains(&"interrupted".to_owned()), "{outcomes:?}");
}

#[tokio::test]
async fn what_one_may_not_know_is_not_there() {
    let (server, samples) = filled(1).await;
    for path in [study_path(&samples[0]), instance_path(&samples[0])] {
        let forbidden = server.get(&path).token(&server.sender).send().await;
        let absent = server.get("/dicom-web/studies/1.2.3").send().await;
        assert_eq!((forbidden.status.as_u16(), absent.status.as_u16()), (404, 404));
        assert_eq!(forbidden.body, absent.body);
    }
    // An instance is there only below its own study and series.
    let elsewhere =
        format!("/dicom-web/studies/1.2.3/series/{}/instances/{}", samples[0].series, samples[0].sop_instance);
    assert_eq!(server.get(&elsewhere).send().await.status, 404);
}

#[tokio::test]
async fn wado_uri_gives_the_instance() {
    let (server, samples) = filled(1).await;
    let sample = &samples[0];
    let base = format!(
        "/wado?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}",
        sample.study, sample.series, sample.sop_instance
    );
    let reply = server.get(&format!("{base}&contentType=application/dicom")).send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(data_set(&reply.body).1, sample.encode());
    let implicit =
        server.get(&format!("{base}&contentType=application%2Fdicom&transferSyntax=1.2.840.10008.1.2")).send().await;
    assert_eq!(data_set(&implicit.body).0, "1.2.840.10008.1.2");
    assert_eq!(server.get(&base).send().await.status, 406);
    assert_eq!(server.get(&format!("{base}&contentType=image/jpeg")).send().await.status, 406);
    assert_eq!(server.get("/wado?requestType=WADO").send().await.status, 400);
    assert_eq!(server.get("/wado").send().await.status, 400);
}
