//! Messages between our own two ends, over streams that cut bytes in every way.

use super::common::*;
use bytes::Bytes;
use leadglass_dimse::message::*;
use leadglass_dimse::{Association, Command, Limits, Status, scu};
use tokio::io::DuplexStream;

/// Takes a store and says how long the data set was by its Error ID.
async fn serve_store(mut association: Association<DuplexStream>) -> Vec<u8> {
    let mut received = Vec::new();
    while let Some(message) = association.receive().await.unwrap() {
        let Ok(Command::CStoreRequest(request)) = Command::try_from(&message.command) else { panic!("no store") };
        while let Some(chunk) = association.next_data_chunk().await.unwrap() {
            received.extend_from_slice(&chunk);
        }
        let response = request.response(Status::SUCCESS, StatusDetail::none());
        association.send(message.context_id, &response.into(), None).await.unwrap();
    }
    received
}

async fn store_with(pipe: usize, max_pdu_bytes: u32, acceptor_max: u32, bytes: &[u8]) {
    let limits = Limits { max_pdu_bytes: acceptor_max, ..Limits::default() };
    let (mut us, them) = associate_with(pipe, max_pdu_bytes, &limits).await;
    let server = tokio::spawn(serve_store(them));
    let request = store_request(us.next_message_id());
    let response = scu::store(&mut us, STORE, &request, Bytes::copy_from_slice(bytes)).await.unwrap();
    assert_eq!(response.status, Status::SUCCESS);
    us.release().await.unwrap();
    assert!(server.await.unwrap() == bytes);
}

#[tokio::test]
async fn objects_survive_any_pdu_size_and_any_cut() {
    let bytes: Vec<u8> = (0..100_000u32).flat_map(|n| n.to_le_bytes()).collect();
    store_with(1 << 20, 0, 256 * 1024, &bytes).await;
    store_with(4096, 16 * 1024, 16 * 1024, &bytes).await;
    store_with(1, 16 * 1024, 4096, &bytes[..20_000]).await;
    store_with(7, 16, 4096, &bytes[..5_000]).await;
    store_with(1 << 16, 0, 4096, &bytes[..4090]).await;
    store_with(1 << 16, 0, 4096, &[]).await;
}

#[tokio::test]
async fn echo_answers() {
    let (mut us, mut them) = associate().await;
    let server = tokio::spawn(async move {
        let message = them.receive().await.unwrap().unwrap();
        let Ok(Command::CEchoRequest(request)) = Command::try_from(&message.command) else { panic!("no echo") };
        them.send(message.context_id, &request.response(Status::SUCCESS).into(), None).await.unwrap();
        assert!(them.receive().await.unwrap().is_none());
    });
    assert_eq!(scu::echo(&mut us, ECHO).await.unwrap(), Status::SUCCESS);
    us.release().await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_data_set_that_was_not_read_is_skipped() {
    let (mut us, mut them) = associate().await;
    let request = store_request(1);
    us.send(STORE, &(&request).into(), Some(&[1; 70_000])).await.unwrap();
    us.send(ECHO, &echo_request(2).into(), None).await.unwrap();
    assert!(them.receive().await.unwrap().unwrap().has_data_set);
    assert!(them.next_data_chunk().await.unwrap().is_some());
    let second = them.receive().await.unwrap().unwrap();
    assert_eq!(second.command.u16(element::MESSAGE_ID), Some(2));
    assert!(them.next_data_chunk().await.unwrap().is_none());
}

#[tokio::test]
async fn matches_come_until_the_final_response_and_cancel_is_seen() {
    let (mut us, mut them) = associate().await;
    let server = tokio::spawn(async move {
        let message = them.receive().await.unwrap().unwrap();
        let Ok(Command::CFindRequest(request)) = Command::try_from(&message.command) else { panic!("no find") };
        assert_eq!(them.receive_data_set(100).await.unwrap(), b"query");
        assert!(!them.cancel_requested(request.message_id).await.unwrap());
        let mut sent = 0;
        while !them.cancel_requested(request.message_id).await.unwrap() {
            let pending = request.response(Status::PENDING, StatusDetail::none());
            them.send(message.context_id, &pending.into(), Some(b"match")).await.unwrap();
            sent += 1;
            tokio::task::yield_now().await;
        }
        let end = request.response(Status::CANCEL, StatusDetail::none());
        them.send(message.context_id, &end.into(), None).await.unwrap();
        assert!(them.receive().await.unwrap().is_none());
        sent
    });
    let mut matches = 0;
    {
        let mut find = scu::find(&mut us, FIND, b"query").await.unwrap();
        while let Some(identifier) = find.next().await.unwrap() {
            assert_eq!(identifier, b"match");
            matches += 1;
            if matches == 2 {
                find.cancel().await.unwrap();
            }
        }
        assert_eq!(find.outcome().map(|response| response.status), Some(Status::CANCEL));
    }
    us.release().await.unwrap();
    assert_eq!(server.await.unwrap(), matches);
}

#[tokio::test]
async fn what_comes_while_looking_for_a_cancel_is_kept() {
    let (mut us, mut them) = associate().await;
    us.send(ECHO, &echo_request(5).into(), None).await.unwrap();
    us.send(ECHO, &CCancelRequest { responded_to: 9 }.into(), None).await.unwrap();
    us.send(STORE, &store_request(6).into(), Some(b"bytes")).await.unwrap();
    assert!(!them.cancel_requested(5).await.unwrap());
    assert!(them.cancel_requested(9).await.unwrap());
    assert!(!them.cancel_requested(9).await.unwrap());
    assert_eq!(them.receive().await.unwrap().unwrap().command.u16(element::MESSAGE_ID), Some(5));
    assert_eq!(them.receive().await.unwrap().unwrap().command.u16(element::MESSAGE_ID), Some(6));
    assert_eq!(them.receive_data_set(5).await.unwrap(), b"bytes");
}

#[tokio::test]
async fn get_brings_objects_on_the_same_association() {
    let (mut us, mut them) = associate().await;
    let server = tokio::spawn(async move {
        let message = them.receive().await.unwrap().unwrap();
        let Ok(Command::CGetRequest(request)) = Command::try_from(&message.command) else { panic!("no get") };
        them.receive_data_set(100).await.unwrap();
        let id = them.next_message_id();
        let response = scu::store(&mut them, STORE, &store_request(id), Bytes::from_static(b"pixels")).await.unwrap();
        let counts = SubOperations { completed: 1, ..SubOperations::default() };
        them.send(message.context_id, &request.response(response.status, Some(counts)).into(), None).await.unwrap();
        assert!(them.receive().await.unwrap().is_none());
    });
    {
        let mut get = scu::get(&mut us, FIND, b"study").await.unwrap();
        let Some(scu::GetEvent::Instance { context_id, .. }) = get.next().await.unwrap() else { panic!("no object") };
        assert_eq!(context_id, STORE);
        assert_eq!(get.next_data_chunk().await.unwrap().unwrap(), &b"pixels"[..]);
        get.answer(Status::SUCCESS, StatusDetail::none()).await.unwrap();
        let Some(scu::GetEvent::Progress(end)) = get.next().await.unwrap() else { panic!("no response") };
        assert_eq!((end.status, end.sub_operations.map(|counts| counts.completed)), (Status::SUCCESS, Some(1)));
        assert_eq!(get.next().await.unwrap(), None);
    }
    us.release().await.unwrap();
    server.await.unwrap();
}
