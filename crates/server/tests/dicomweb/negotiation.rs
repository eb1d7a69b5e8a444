//! What `Accept` gets, and what it does not.

use http::header;
use leadglass_archive::testing::Sample;
use leadglass_dicom::part10;
use leadglass_dicom::scan::{self, Limits};

use crate::server::{JSON, Server, data_set, file, instance_path, path_of, study_path, testdata};

#[tokio::test]
async fn an_instance_comes_in_what_is_liked_best() {
    let server = Server::new().await;
    let sample = Sample::new(1, 1, 1);
    server.store(&[file(&sample)]).await;
    for (accept, answer) in [
        ("application/dicom", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),
        (
            "application/dicom; transfer-syntax=1.2.840.10008.1.2",
            "application/dicom; transfer-syntax=1.2.840.10008.1.2",
        ),
        (
            "application/dicom; transfer-syntax=1.2.840.10008.1.2.2",
            "application/dicom; transfer-syntax=1.2.840.10008.1.2.2",
        ),
        ("image/png;q=0.9, application/dicom;q=0.1", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),
        ("application/dicom;q=0.1, application/zip;q=0.9", "application/zip"),
        (
            "multipart/related; type=\"image/jpeg\", application/*",
            "application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
        ),
        ("image/png", "406"),
        ("application/dicom;q=0", "406"),
        ("*/*, multipart/related;q=0", "406"),
        ("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90", "406"),
        ("application/dicom; transfer-syntax=nonsense", "406"),
        ("nonsense", "406"),
    ] {
        let reply = server.get(&instance_path(&sample)).accept(accept).send().await;
        match answer {
            "406" => assert_eq!(reply.status, 406, "{accept}"),
            content_type => assert_eq!(reply.header(header::CONTENT_TYPE), content_type, "{accept}"),
        }
    }
}

#[tokio::test]
async fn the_accept_parameter_stands_for_the_header() {
    let server = Server::new().await;
    let sample = Sample::new(1, 1, 1);
    server.store(&[file(&sample)]).await;
    let path = format!("{}?accept=application/zip", instance_path(&sample));
    assert_eq!(server.get(&path).accept("image/png").send().await.header(header::CONTENT_TYPE), "application/zip");
    let path = "/dicom-web/studies?PatientID=PAT-1&accept=application/dicom%2Bjson";
    assert_eq!(server.get(path).accept("image/png").send().await.header(header::CONTENT_TYPE), JSON);
}

#[tokio::test]
async fn compressed_objects_come_as_they_are_or_not_at_all() {
    let server = Server::new().await;
    let bytes = testdata("samples/pydicom-pydicom/examples_ybr_color.dcm");
    let (meta, data) = part10::split(&bytes).unwrap();
    let identity = scan::scan(data, &meta.transfer_syntax, &Limits::default()).unwrap().identity.unwrap();
    let stored = meta.transfer_syntax.uid().to_string();
    server.store(std::slice::from_ref(&bytes)).await;
    let path = path_of(&identity);
    for accept in [
        "application/dicom; transfer-syntax=*".to_owned(),
        format!("application/dicom; transfer-syntax={stored}"),
        "application/*".into(),
    ] {
        let reply = server.get(&path).accept(&accept).send().await;
        assert_eq!(reply.status, 200, "{accept}");
        assert!(data_set(&reply.body) == (stored.clone(), data.to_vec()), "{accept}");
    }
    let converted = server.get(&path).accept("application/dicom").send().await;
    assert_eq!(converted.status, 406);
    assert!(converted.text().contains("transfer-syntax=*"), "{}", converted.text());
    assert_eq!(server.get(&path).accept("application/zip").send().await.status, 200);
}

#[tokio::test]
async fn what_comes_with_pixel_support_says_so() {
    let server = Server::new().await;
    let sample = Sample::new(1, 1, 1);
    for path in ["rendered", "thumbnail", "frames/1/rendered"] {
        let reply = server.get(&format!("{}/{path}", instance_path(&sample))).send().await;
        assert_eq!(reply.status, 406);
        assert!(reply.text().contains("pixel support"));
    }
    assert_eq!(server.get(&format!("{}/rendered", study_path(&sample))).send().await.status, 406);
}

#[tokio::test]
async fn capabilities_name_only_what_answers() {
    let server = Server::new().await;
    let reply = server.get("/dicom-web/").accept("application/json").send().await;
    for method in reply.json()["methods"].as_array().unwrap() {
        let path = method["path"].as_str().unwrap();
        let path = ["{study}", "{series}", "{instance}"]
            .iter()
            .fold(path.to_owned(), |path, name| path.replace(name, "1.2.3"));
        let path = format!("/dicom-web/{}", path.replace("{list}", "1").replace("{path}", "7FE00010"));
        let verb = method["method"].as_str().unwrap().parse().unwrap();
        let status = server.call(verb, &path).token(&server.administrator).send().await.status.as_u16();
        // A resource that does not exist would be 404 with any method; one that does says 405.
        assert_eq!(
            server.call(http::Method::PATCH, &path).token(&server.administrator).send().await.status,
            405,
            "{path}"
        );
        assert!([200, 204, 404, 415].contains(&status), "{path}: {status}");
    }
    let wadl = server.call(http::Method::OPTIONS, "/dicom-web/").token(&server.administrator).send().await;
    assert_eq!((wadl.status.as_u16(), wadl.header(header::CONTENT_TYPE)), (200, "application/vnd.sun.wadl+xml"));
    assert!(wadl.text().contains("<resource path=\"studies/{study}/metadata\">"));
}
