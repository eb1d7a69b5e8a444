//! C-STORE: kept, idempotent, quarantined, refused.

use leadglass_dicom::Encoding;
use leadglass_dimse::Status;

use crate::harness::*;

#[tokio::test]
async fn the_same_bytes_twice_are_fine_and_other_bytes_are_told() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let mut association = server.associate(&peer, Asking::of(&[(CT, &[EXPLICIT])])).await.unwrap();
    let image = TestImage::new(1, 1, 1);
    for _ in 0..2 {
        let bytes = image.bytes(Encoding::ExplicitLittleEndian);
        assert_eq!(store(&mut association, 1, &image, bytes).await.unwrap().status, Status::SUCCESS);
    }
    let other = TestImage { pixel: 8, ..TestImage::new(1, 1, 1) };
    let response = store(&mut association, 1, &other, other.bytes(Encoding::ExplicitLittleEndian)).await.unwrap();
    assert_eq!(response.status, Status::DUPLICATE_SOP_INSTANCE);
    association.release().await.unwrap();
}

#[tokio::test]
async fn what_is_no_data_set_or_another_object_is_refused_and_the_association_lives() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let mut association = server.associate(&peer, Asking::of(&[(CT, &[EXPLICIT])])).await.unwrap();
    let image = TestImage::new(1, 1, 1);
    let garbage = vec![0xFF; 300_000];
    assert_eq!(store(&mut association, 1, &image, garbage).await.unwrap().status, Status::CANNOT_UNDERSTAND);
    let other = TestImage::new(1, 1, 2).bytes(Encoding::ExplicitLittleEndian);
    assert_eq!(store(&mut association, 1, &image, other).await.unwrap().status, Status::DATA_SET_DOES_NOT_MATCH);
    let bytes = image.bytes(Encoding::ExplicitLittleEndian);
    assert_eq!(store(&mut association, 1, &image, bytes).await.unwrap().status, Status::SUCCESS);
    association.release().await.unwrap();
}
