//! WADO-RS frames.

use leadglass_archive::testing::Sample;
use leadglass_dicom::scan::{self, FrameLocation, Limits};
use leadglass_dicom::{Encoding, TransferSyntax, part10};

use crate::server::{Server, file, file_of, instance_path, path_of, testdata, uid};

const OCTETS: &str = "multipart/related; type=\"application/octet-stream\"";

#[tokio::test]
async fn native_frames_come_in_the_order_asked_for() {
    let server = Server::new().await;
    let sample = Sample { frames: 5, ..Sample::new(1, 1, 1) };
    server.store(&[file(&sample)]).await;
    for accept in [OCTETS, "*/*", "multipart/related; type=application/octet-stream; transfer-syntax=*"] {
        let reply = server.get(&format!("{}/frames/5,1,3", instance_path(&sample))).accept(accept).send().await;
        let expected: Vec<_> =
            [5, 1, 3].map(|n| ("application/octet-stream;1.2.840.10008.1.2.1".to_owned(), sample.frame(n))).into();
        assert!(reply.parts() == expected, "{accept}");
    }
    let one =
        server.get(&format!("{}/frames/2", instance_path(&sample))).accept("application/octet-stream").send().await;
    assert_eq!(one.body, sample.frame(2));
}

#[tokio::test]
async fn frames_that_are_not_there_are_not_found() {
    let server = Server::new().await;
    let sample = Sample { frames: 2, ..Sample::new(1, 1, 1) };
    server.store(&[file(&sample)]).await;
    for (list, status) in
        [("3", 404), ("1,3", 404), ("4294967295", 404), ("0", 400), ("a", 400), ("1,,2", 400), ("-1", 400)]
    {
        assert_eq!(
            server.get(&format!("{}/frames/{list}", instance_path(&sample))).send().await.status,
            status,
            "{list}"
        );
    }
    let report = testdata("samples/imagingdatacommons-highdicom/sr_document.dcm");
    let (meta, data) = part10::split(&report).unwrap();
    let identity = scan::scan(data, &meta.transfer_syntax, &Limits::default()).unwrap().identity.unwrap();
    server.store(std::slice::from_ref(&report)).await;
    assert_eq!(server.get(&format!("{}/frames/1", path_of(&identity))).send().await.status, 404);
}

#[tokio::test]
async fn compressed_frames_come_as_they_are_stored() {
    for (name, media_type) in [
        ("samples/pydicom-pydicom/examples_ybr_color.dcm", "image/jpeg"),
        ("corpus/pydicom-pydicom-data/emri_small_RLE.dcm", "image/dicom-rle"),
        ("corpus/pydicom-pydicom-data/emri_small_jpeg_2k_lossless.dcm", "image/jp2"),
        ("corpus/pydicom-pydicom-data/emri_small_jpeg_ls_lossless.dcm", "image/jls"),
        ("corpus/derived-codecs/ct_htj2k_lossless.dcm", "image/jphc"),
        ("corpus/derived-codecs/mf_jpeg_3frag.dcm", "image/jpeg"),
        ("corpus/derived-codecs/mf_jpeg_eot.dcm", "image/jpeg"),
    ] {
        let server = Server::new().await;
        let bytes = testdata(name);
        let (meta, data) = part10::split(&bytes).unwrap();
        let scanned = scan::scan(data, &meta.transfer_syntax, &Limits::default()).unwrap();
        let (identity, layout) = (scanned.identity.unwrap(), scanned.pixel_data.unwrap());
        server.store(std::slice::from_ref(&bytes)).await;
        let list: Vec<String> = (1..=layout.frames).map(|n| n.to_string()).collect();
        let path = format!("{}/frames/{}", path_of(&identity), list.join(","));
        for accept in [
            "*/*".to_owned(),
            format!("multipart/related; type=\"{media_type}\""),
            "multipart/related; type=\"image/*\"".into(),
        ] {
            let parts = server.get(&path).accept(&accept).send().await.parts();
            assert_eq!(parts.len() as u32, layout.frames, "{name}");
            for (number, (content_type, part)) in (1..).zip(&parts) {
                assert_eq!(*content_type, format!("{media_type};{}", meta.transfer_syntax.uid()), "{name}");
                let Some(FrameLocation::Fragments(fragments)) = layout.frame(number) else { panic!("{name}") };
                let stored: Vec<u8> = fragments
                    .iter()
                    .flat_map(|f| data[f.offset as usize..f.offset as usize + f.length as usize].to_vec())
                    .collect();
                assert!(*part == stored, "{name} frame {number}");
            }
        }
        let octets = server.get(&path).accept(&format!("{OCTETS}; transfer-syntax=*")).send().await.parts();
        assert_eq!(octets[0].0, format!("application/octet-stream;{}", meta.transfer_syntax.uid()));
        assert_eq!(server.get(&path).accept(OCTETS).send().await.status, 406, "decoding is not done");
        assert_eq!(server.get(&path).accept("multipart/related; type=\"image/png\"").send().await.status, 406);
        let bulk = server.get(&format!("{}/bulkdata/7FE00010", path_of(&identity))).send().await.parts();
        assert_eq!(bulk.len() as u32, layout.frames);
    }
}

#[tokio::test]
async fn big_endian_pixels_come_in_little_endian_order() {
    let server = Server::new().await;
    let sample = Sample { frames: 2, ..Sample::new(1, 1, 1) };
    let big = TransferSyntax::of_encoding(Encoding::ExplicitBigEndian);
    let mut converter =
        leadglass_dicom::convert::Converter::new(&TransferSyntax::explicit_little_endian(), &big).unwrap();
    let mut bytes = Vec::new();
    converter.push(&sample.encode(), &mut bytes).unwrap();
    converter.finish(&mut bytes).unwrap();
    server.store(&[file_of(&uid(Sample::SOP_CLASS).into(), &sample.sop_uid(), &big, &bytes)]).await;
    let frames = server.get(&format!("{}/frames/1,2", instance_path(&sample))).accept(OCTETS).send().await.parts();
    assert!(frames[0].1 == sample.frame(1) && frames[1].1 == sample.frame(2));
    let bulk = format!("{}/bulkdata/7FE00010", instance_path(&sample));
    let part =
        server.get(&bulk).accept("application/octet-stream").header(http::header::RANGE, "bytes=3-8").send().await;
    assert_eq!(part.body.to_vec(), sample.frame(1)[3..9]);
}
