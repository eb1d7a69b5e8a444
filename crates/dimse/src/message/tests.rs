//! Every message survives the wire, and what is no message is refused.

use leadglass_dicom::{AeTitle, Uid};
use proptest::prelude::*;

use super::*;

fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

fn over_the_wire(set: CommandSet) -> Command {
    let set = CommandSet::decode(&set.encode()).unwrap();
    Command::try_from(&set).unwrap()
}

#[test]
fn store_survives_the_wire() {
    let request = CStoreRequest {
        message_id: 7,
        affected_sop_class: uid("1.2.840.10008.5.1.4.1.1.2"),
        affected_sop_instance: uid("1.2.3.45"),
        priority: Priority::High,
        move_originator: Some((AeTitle::parse("MOVER").unwrap(), 3)),
    };
    let set = CommandSet::from(&request);
    assert!(set.has_data_set());
    assert_eq!(over_the_wire(set), Command::CStoreRequest(request.clone()));
    let response = request.response(Status::OUT_OF_RESOURCES, StatusDetail::comment("full").offending([Tag(8, 0x18)]));
    assert_eq!(over_the_wire(response.clone().into()), Command::CStoreResponse(response));
}

#[test]
fn retrieve_and_find_survive_the_wire() {
    let request = CMoveRequest {
        message_id: 1,
        affected_sop_class: uid("1.2.840.10008.5.1.4.1.2.2.2"),
        priority: Priority::Low,
        move_destination: AeTitle::parse("DEST").unwrap(),
    };
    let counts = SubOperations { remaining: Some(5), completed: 4, failed: 3, warning: 2 };
    let response = request.response(Status::PENDING, Some(counts));
    assert_eq!(over_the_wire(request.clone().into()), Command::CMoveRequest(request));
    assert_eq!(over_the_wire(response.clone().into()), Command::CMoveResponse(response));

    let request = CGetRequest { message_id: 1, affected_sop_class: uid("1.2.3"), priority: Priority::Medium };
    let response = request.response(Status::CANCEL, None);
    assert_eq!(over_the_wire(request.clone().into()), Command::CGetRequest(request));
    assert_eq!(over_the_wire(response.clone().into()), Command::CGetResponse(response));

    let request = CFindRequest { message_id: 1, affected_sop_class: uid("1.2.3"), priority: Priority::Medium };
    let response = request.response(Status::PENDING_WARNING, StatusDetail::none());
    assert!(CommandSet::from(&response).has_data_set());
    assert!(!CommandSet::from(&request.response(Status::SUCCESS, StatusDetail::none())).has_data_set());
    assert_eq!(over_the_wire(request.clone().into()), Command::CFindRequest(request));
    assert_eq!(over_the_wire(response.clone().into()), Command::CFindResponse(response));
}

#[test]
fn echo_cancel_and_n_services_survive_the_wire() {
    let request = CEchoRequest { message_id: 9, affected_sop_class: uid("1.2.840.10008.1.1") };
    let response = request.response(Status::SUCCESS);
    assert_eq!(over_the_wire(request.clone().into()), Command::CEchoRequest(request));
    assert_eq!(over_the_wire(response.clone().into()), Command::CEchoResponse(response));

    let cancel = CCancelRequest { responded_to: 4 };
    assert_eq!(over_the_wire(cancel.into()), Command::CCancelRequest(cancel));

    let request = NActionRequest {
        message_id: 9,
        requested_sop_class: uid("1.2.840.10008.1.20.1"),
        requested_sop_instance: uid("1.2.840.10008.1.20.1.1"),
        action_type: 1,
    };
    let response = request.response(Status::SUCCESS, StatusDetail::none());
    assert_eq!(over_the_wire(request.clone().into()), Command::NActionRequest(request));
    assert_eq!(over_the_wire(response.clone().into()), Command::NActionResponse(response));

    let request = NEventReportRequest {
        message_id: 9,
        affected_sop_class: uid("1.2.840.10008.1.20.1"),
        affected_sop_instance: uid("1.2.840.10008.1.20.1.1"),
        event_type: 2,
    };
    let response = request.response(Status::SUCCESS, StatusDetail::none());
    assert_eq!(over_the_wire(request.clone().into()), Command::NEventReportRequest(request));
    assert_eq!(over_the_wire(response.clone().into()), Command::NEventReportResponse(response));
}

#[test]
fn a_missing_uid_is_named() {
    let mut set = request(c_store::RQ, 1, true);
    set.put_uid(element::AFFECTED_SOP_CLASS_UID, &uid("1.2"));
    assert_eq!(Command::try_from(&set), Err(CommandError::Missing(element::AFFECTED_SOP_INSTANCE_UID)));
    set.put_text(element::AFFECTED_SOP_INSTANCE_UID, "../etc");
    assert_eq!(Command::try_from(&set), Err(CommandError::Malformed(element::AFFECTED_SOP_INSTANCE_UID)));
}

#[test]
fn any_request_can_be_refused() {
    let mut set = request(0x0140, 77, true);
    set.put_uid(element::REQUESTED_SOP_CLASS_UID, &uid("1.2.3"));
    assert_eq!(Command::try_from(&set), Ok(Command::Unrecognized { command_field: 0x0140 }));
    let response = refusal(&set, Status::UNRECOGNIZED_OPERATION, &StatusDetail::none()).unwrap();
    assert_eq!(response.command_field(), Some(0x8140));
    assert_eq!(response.u16(element::MESSAGE_ID_BEING_RESPONDED_TO), Some(77));
    assert_eq!(response.u16(element::STATUS), Some(0x0211));
    assert_eq!(response.uid(element::AFFECTED_SOP_CLASS_UID), Ok(Some(uid("1.2.3"))));
    assert!(!response.has_data_set());
    assert_eq!(refusal(&response, Status::SUCCESS, &StatusDetail::none()), None);
    assert_eq!(refusal(&CCancelRequest { responded_to: 1 }.into(), Status::SUCCESS, &StatusDetail::none()), None);
}

#[test]
fn comments_are_short_and_printable() {
    assert_eq!(ErrorComment::new("a\x1b[31m\\é\n").as_str(), "a?[31m???");
    assert_eq!(ErrorComment::new(&"x".repeat(100)).as_str().len(), 64);
}

proptest! {
    #[test]
    fn any_command_set_is_a_command_or_an_error(field in any::<u16>(), bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(mut set) = CommandSet::decode(&bytes) {
            set.put_u16(element::COMMAND_FIELD, field);
            let _ = Command::try_from(&set);
            let _ = refusal(&set, Status::PROCESSING_FAILURE, &StatusDetail::none());
        }
    }
}
