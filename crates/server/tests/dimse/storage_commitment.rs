//! Storage commitment: the truth about each object, on the same association.

use leadglass_dicom::scan::Limits;
use leadglass_dicom::{DataSet, Encoding, Tag, VR, Value, encode};
use leadglass_dimse::Status;
use leadglass_dimse::message::{Command, NActionRequest};

use crate::harness::*;

const TRANSACTION_UID: Tag = Tag(0x0008, 0x1195);
const REFERENCED: Tag = Tag(0x0008, 0x1199);
const FAILED: Tag = Tag(0x0008, 0x1198);

fn request(instances: &[&str]) -> Vec<u8> {
    let items = instances.iter().map(|instance| {
        let mut item = DataSet::new();
        item.put_text(Tag(0x0008, 0x1150), VR::UI, CT);
        item.put_text(Tag(0x0008, 0x1155), VR::UI, *instance);
        item
    });
    let mut information = DataSet::new();
    information.put_text(TRANSACTION_UID, VR::UI, "2.25.1");
    information.put(REFERENCED, VR::SQ, Value::Sequence(items.collect()));
    information.encode(Encoding::ExplicitLittleEndian, &charset()).unwrap()
}

async fn ask(association: &mut Opened, information: &[u8], action_type: u16) -> Status {
    let request = NActionRequest {
        message_id: association.next_message_id(),
        requested_sop_class: uid(COMMITMENT),
        requested_sop_instance: uid("1.2.840.10008.1.20.1.1"),
        action_type,
    };
    association.send(1, &request.into(), Some(information)).await.unwrap();
    loop {
        let message = association.receive().await.unwrap().unwrap();
        match Command::try_from(&message.command).unwrap() {
            Command::NActionResponse(response) => return response.status,
            // A report that overtakes the answer; it stays unanswered.
            Command::NEventReportRequest(_) => {
                association.receive_data_set(1 << 16).await.unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_report_comes_on_the_same_association() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let image = TestImage::new(1, 1, 1);
    store_all(&server, &peer, &[TestImage::new(1, 1, 1)]).await;
    let mut association = server.associate(&peer, Asking::of(&[(COMMITMENT, &[EXPLICIT])])).await.unwrap();
    assert_eq!(ask(&mut association, &request(&[&image.instance, "1.2.3.99"]), 1).await, Status::SUCCESS);
    let message = association.receive().await.unwrap().unwrap();
    let Command::NEventReportRequest(event) = Command::try_from(&message.command).unwrap() else {
        panic!("a report");
    };
    let bytes = association.receive_data_set(1 << 16).await.unwrap();
    let report = encode::decode(&bytes, Encoding::ExplicitLittleEndian, &Limits::small()).unwrap();
    association
        .send(1, &event.response(Status::SUCCESS, leadglass_dimse::message::StatusDetail::none()).into(), None)
        .await
        .unwrap();
    assert_eq!(event.event_type, 2);
    assert_eq!(report.text(TRANSACTION_UID), Some("2.25.1"));
    assert_eq!(report.items(REFERENCED)[0].text(Tag(0x0008, 0x1155)), Some(image.instance.as_str()));
    assert_eq!(report.items(FAILED)[0].integer(Tag(0x0008, 0x1197)), Some(0x0112));
    association.release().await.unwrap();
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let server = TestServer::start().await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let mut association = server.associate(&peer, Asking::of(&[(COMMITMENT, &[EXPLICIT])])).await.unwrap();
    assert_eq!(ask(&mut association, &request(&["1.2"]), 2).await, Status::NO_SUCH_ACTION);
    assert_eq!(ask(&mut association, &request(&[]), 1).await, Status::INVALID_ARGUMENT_VALUE);
    assert_eq!(ask(&mut association, &[0xFF; 32], 1).await, Status::PROCESSING_FAILURE);
    association.release().await.unwrap();
}

#[tokio::test]
async fn unanswered_reports_are_bounded_also_after_their_association() {
    let server = TestServer::start_with(|config| config.dimse.commitments_per_peer = 2).await;
    // It takes connections and says nothing: reports on their way there stay on their way.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let peer = server.peer_at("CT1", &ALL_VERBS, Some(address)).await;
    let asking = || Asking::of(&[(COMMITMENT, &[EXPLICIT])]);
    let mut association = server.associate(&peer, asking()).await.unwrap();
    for status in [Status::SUCCESS, Status::SUCCESS, Status::RESOURCE_LIMITATION] {
        assert_eq!(ask(&mut association, &request(&["1.2.3.99"]), 1).await, status);
    }
    association.abort(leadglass_dimse::association::AbortSource::ServiceUser).await;
    let mut association = server.associate(&peer, asking()).await.unwrap();
    assert_eq!(ask(&mut association, &request(&["1.2.3.99"]), 1).await, Status::RESOURCE_LIMITATION);
    let other = server.peer("CT2", &ALL_VERBS).await;
    let mut of_other = server.associate(&other, asking()).await.unwrap();
    assert_eq!(ask(&mut of_other, &request(&["1.2.3.99"]), 1).await, Status::SUCCESS);
}

#[tokio::test]
async fn an_answered_report_makes_room_for_the_next() {
    let server = TestServer::start_with(|config| config.dimse.commitments_per_peer = 1).await;
    let peer = server.peer("CT1", &ALL_VERBS).await;
    let mut association = server.associate(&peer, Asking::of(&[(COMMITMENT, &[EXPLICIT])])).await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&mut association, &request(&["1.2.3.99"]), 1).await, Status::SUCCESS);
        let message = association.receive().await.unwrap().unwrap();
        let Command::NEventReportRequest(event) = Command::try_from(&message.command).unwrap() else {
            panic!("a report");
        };
        association.receive_data_set(1 << 16).await.unwrap();
        let answer = event.response(Status::SUCCESS, leadglass_dimse::message::StatusDetail::none());
        association.send(1, &answer.into(), None).await.unwrap();
    }
    association.release().await.unwrap();
}
