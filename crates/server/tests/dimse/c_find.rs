//! C-FIND: matches, what is asked for and absent, refusals, extended negotiation.

use leadglass_dicom::scan::Limits;
use leadglass_dicom::{DataSet, Encoding, Tag, VR, encode};
use leadglass_dimse::{Status, scu};

use crate::harness::*;

const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const ACCESSION_NUMBER: Tag = Tag(0x0008, 0x0050);

async fn find(association: &mut Opened, identifier: &[u8]) -> (Vec<DataSet>, Status, Vec<Tag>) {
    let mut find = scu::find(association, 1, identifier).await.unwrap();
    let mut rows = Vec::new();
    while let Some(bytes) = find.next().await.unwrap() {
        rows.push(encode::decode(&bytes, Encoding::ExplicitLittleEndian, &Limits::small()).unwrap());
    }
    let outcome = find.outcome().unwrap();
    (rows, outcome.status, outcome.detail.offending_elements.clone())
}

async fn server_with_images() -> (TestServer, TestPeer) {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let umlaut = TestImage { name: "Müller^Jürgen", ..TestImage::new(2, 1, 1) };
    store_all(&server, &peer, &[TestImage::new(1, 1, 1), TestImage::new(1, 1, 2), TestImage::new(3, 1, 1)]).await;
    let mut association = server.associate(&peer, Asking::of(&[(CT, &[EXPLICIT])])).await.unwrap();
    let latin_1 = leadglass_dicom::charset::SpecificCharacterSet::from_terms(&["ISO_IR 100"]);
    let bytes = umlaut.data_set().encode(Encoding::ExplicitLittleEndian, &latin_1).unwrap();
    assert_eq!(store(&mut association, 1, &umlaut, bytes).await.unwrap().status, Status::SUCCESS);
    (server, peer)
}

#[tokio::test]
async fn a_match_has_level_source_and_what_was_asked_for() {
    let (server, peer) = server_with_images().await;
    let mut association = server.associate(&peer, Asking::of(&[(STUDY_FIND, &[EXPLICIT])])).await.unwrap();
    let keys = identifier(
        "STUDY",
        &[(STUDY_UID, VR::UI, "1.2.3.1"), (PATIENT_NAME, VR::PN, ""), (ACCESSION_NUMBER, VR::SH, "")],
    );
    let (rows, status, _) = find(&mut association, &keys).await;
    assert_eq!((rows.len(), status), (1, Status::SUCCESS));
    assert_eq!(rows[0].text(PATIENT_NAME), Some("Doe^Jane"));
    assert_eq!(rows[0].text(Tag(0x0008, 0x0052)), Some("STUDY"));
    assert_eq!(rows[0].text(Tag(0x0008, 0x0054)), Some(server.host().ae_title.as_str()));
    assert!(rows[0].element(ACCESSION_NUMBER).is_some(), "asked for, without value");
    association.release().await.unwrap();
}

#[tokio::test]
async fn names_come_back_in_a_character_set_that_has_them() {
    let (server, peer) = server_with_images().await;
    let mut association = server.associate(&peer, Asking::of(&[(STUDY_FIND, &[EXPLICIT])])).await.unwrap();
    let keys = identifier("STUDY", &[(STUDY_UID, VR::UI, ""), (PATIENT_NAME, VR::PN, "muller*")]);
    let (rows, _, _) = find(&mut association, &keys).await;
    assert_eq!(rows.len(), 1, "case and accents do not matter");
    assert_eq!(rows[0].text(PATIENT_NAME), Some("Müller^Jürgen"));
    assert_eq!(rows[0].text(Tag(0x0008, 0x0005)), Some("ISO_IR 100"));
    association.release().await.unwrap();
}

#[tokio::test]
async fn a_query_without_its_unique_keys_needs_relational_negotiation() {
    let (server, peer) = server_with_images().await;
    let series = identifier("SERIES", &[(SERIES_UID, VR::UI, ""), (Tag(0x0008, 0x0060), VR::CS, "CT")]);
    let plain = Asking::of(&[(STUDY_FIND, &[EXPLICIT])]);
    let mut association = server.associate(&peer, plain).await.unwrap();
    let (rows, status, offending) = find(&mut association, &series).await;
    assert_eq!((rows.len(), status), (0, Status::DATA_SET_DOES_NOT_MATCH));
    assert_eq!(offending, [STUDY_UID]);
    association.release().await.unwrap();
    let relational = Asking::of(&[(STUDY_FIND, &[EXPLICIT])]).extended(STUDY_FIND, &[1, 0, 0]);
    let mut association = server.associate(&peer, relational).await.unwrap();
    assert_eq!(association.extended()[0].information, [1, 0, 0]);
    assert_eq!(find(&mut association, &series).await.0.len(), 3);
    association.release().await.unwrap();
}

#[tokio::test]
async fn garbage_is_refused_and_the_association_lives() {
    let (server, peer) = server_with_images().await;
    let mut association = server.associate(&peer, Asking::of(&[(STUDY_FIND, &[EXPLICIT])])).await.unwrap();
    assert_eq!(find(&mut association, &[0xFF; 64]).await.1, Status::CANNOT_UNDERSTAND);
    assert_eq!(find(&mut association, &identifier("WORLD", &[])).await.1, Status::DATA_SET_DOES_NOT_MATCH);
    assert_eq!(find(&mut association, &identifier("STUDY", &[(STUDY_UID, VR::UI, "")])).await.0.len(), 3);
    association.release().await.unwrap();
}
