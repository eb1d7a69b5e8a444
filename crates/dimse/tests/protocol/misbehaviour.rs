//! What breaks the protocol is answered by A-ABORT with the reason of PS3.8 Table 9-26.

use super::common::*;
use leadglass_dimse::pdu::associate::encode_request;
use leadglass_dimse::pdu::control::{RELEASE_RESPONSE, abort};
use leadglass_dimse::{AssociationError, CommandSet, Limits, acceptor, requestor};
use tokio::io::AsyncWriteExt;

const NOT_SPECIFIED: u8 = 0;
const UNRECOGNIZED_PDU: u8 = 1;
const UNEXPECTED_PDU: u8 = 2;
const UNEXPECTED_PARAMETER: u8 = 5;
const INVALID_VALUE: u8 = 6;

/// Sends bytes on an open association, reads one message and its data set, expects the abort.
async fn open_association_aborts(bytes: &[u8], reason: u8) {
    let (mut peer, mut association) = acceptor_of_bytes(&Limits::default()).await;
    peer.write_all(bytes).await.unwrap();
    let ours = tokio::spawn(async move {
        association.receive().await?;
        association.receive_data_set(1 << 20).await?;
        association.receive().await.map(|_| ())
    });
    assert_eq!(read_pdu(&mut peer).await, abort(2, reason), "{bytes:x?}");
    drop(peer);
    let end = ours.await.unwrap();
    assert!(matches!(end, Err(AssociationError::PeerMisbehaved(_))), "{end:?}");
}

/// Sends bytes instead of an A-ASSOCIATE-RQ.
async fn acceptor_answers(bytes: &[u8], answer: [u8; 10]) {
    let (mut peer, stream) = tokio::io::duplex(1 << 20);
    peer.write_all(bytes).await.unwrap();
    let ours = tokio::spawn(async move { acceptor::receive(stream, &Limits::default()).await.map(|_| ()) });
    assert_eq!(read_pdu(&mut peer).await, answer, "{:x?}", &bytes[..bytes.len().min(80)]);
    drop(peer);
    assert!(ours.await.unwrap().is_err());
}

fn command(has_data_set: bool) -> Vec<u8> {
    let mut command = CommandSet::from(&store_request(1));
    command.put_has_data_set(has_data_set);
    command.encode()
}

#[tokio::test]
async fn pdus_that_have_no_place_in_an_open_association() {
    let request = encode_request(&request()).unwrap();
    open_association_aborts(&request, UNEXPECTED_PDU).await;
    open_association_aborts(&pdu(2, &request[6..]), UNEXPECTED_PDU).await;
    open_association_aborts(&pdu(3, &[0; 4]), UNEXPECTED_PDU).await;
    open_association_aborts(&RELEASE_RESPONSE, UNEXPECTED_PDU).await;
    for kind in [0, 8, 0x47, 0xFF] {
        open_association_aborts(&pdu(kind, &[0; 4]), UNRECOGNIZED_PDU).await;
    }
    for kind in [5, 7] {
        open_association_aborts(&pdu(kind, &[0; 5]), INVALID_VALUE).await;
        open_association_aborts(&[kind, 0, 0xFF, 0xFF, 0xFF, 0xFF], INVALID_VALUE).await;
    }
}

#[tokio::test]
async fn a_release_inside_a_message_has_no_place() {
    let bytes = [data(&[(STORE, 3, &command(true))]), pdu(5, &[0; 4])].concat();
    open_association_aborts(&bytes, UNEXPECTED_PDU).await;
    let bytes = [data(&[(STORE, 1, &command(true)[..20])]), pdu(5, &[0; 4])].concat();
    open_association_aborts(&bytes, UNEXPECTED_PDU).await;
}

#[tokio::test]
async fn data_values_that_lie() {
    open_association_aborts(&[4, 0, 0x40, 0, 0, 0], INVALID_VALUE).await;
    open_association_aborts(&[4, 0, 0xFF, 0xFF, 0xFF, 0xFF], INVALID_VALUE).await;
    open_association_aborts(&pdu(4, &[]), INVALID_VALUE).await;
    open_association_aborts(&pdu(4, &[0; 5]), INVALID_VALUE).await;
    open_association_aborts(&pdu(4, &[0, 0, 0, 0, ECHO, 3]), INVALID_VALUE).await;
    open_association_aborts(&pdu(4, &[0, 0, 0, 1, ECHO, 3]), INVALID_VALUE).await;
    open_association_aborts(&pdu(4, &[0, 0, 0, 9, ECHO, 3, 1, 2]), INVALID_VALUE).await;
    open_association_aborts(&pdu(4, &[0xFF, 0xFF, 0xFF, 0xFF, ECHO, 3]), INVALID_VALUE).await;
    let trailing = [&data(&[(STORE, 3, &command(true))])[6..], &[0, 0, 0]].concat();
    open_association_aborts(&pdu(4, &trailing), INVALID_VALUE).await;
    open_association_aborts(&data(&[(7, 3, &command(false))]), INVALID_VALUE).await;
}

#[tokio::test]
async fn fragments_out_of_order() {
    let (whole, half) = (command(true), &command(true)[..20]);
    open_association_aborts(&data(&[(STORE, 2, b"data")]), UNEXPECTED_PARAMETER).await;
    open_association_aborts(&data(&[(STORE, 1, half), (STORE, 0, b"data")]), UNEXPECTED_PARAMETER).await;
    open_association_aborts(&data(&[(STORE, 1, half), (ECHO, 3, &whole[20..])]), UNEXPECTED_PARAMETER).await;
    open_association_aborts(&data(&[(STORE, 3, &whole), (ECHO, 2, b"data")]), UNEXPECTED_PARAMETER).await;
    open_association_aborts(&data(&[(STORE, 3, &whole), (STORE, 3, &whole)]), UNEXPECTED_PARAMETER).await;
    open_association_aborts(&data(&[(STORE, 3, &command(false)), (STORE, 2, b"data")]), UNEXPECTED_PARAMETER).await;
    open_association_aborts(&data(&[(STORE, 3, &whole[..30])]), NOT_SPECIFIED).await;
}

#[tokio::test]
async fn a_command_set_without_end_is_cut_off() {
    let fragment = vec![0; 30_000];
    let bytes: Vec<u8> = (0..3).flat_map(|_| data(&[(STORE, 1, &fragment)])).collect();
    open_association_aborts(&bytes, NOT_SPECIFIED).await;
}

#[tokio::test]
async fn many_fragments_in_one_pdu_and_empty_ones_are_fine() {
    let (mut peer, mut association) = acceptor_of_bytes(&Limits::default()).await;
    let whole = command(true);
    let pdvs = [
        (STORE, 1, &whole[..9]),
        (STORE, 1, &[]),
        (STORE, 3, &whole[9..]),
        (STORE, 0, b"ab"),
        (STORE, 0, b""),
        (STORE, 0, b"cd"),
        (STORE, 2, b""),
    ];
    for byte in data(&pdvs) {
        peer.write_all(&[byte]).await.unwrap();
    }
    assert!(association.receive().await.unwrap().unwrap().has_data_set);
    assert_eq!(association.receive_data_set(4).await.unwrap(), b"abcd");
}

#[tokio::test]
async fn a_data_set_over_the_limit_is_the_peers_fault() {
    let (mut peer, mut association) = acceptor_of_bytes(&Limits::default()).await;
    peer.write_all(&data(&[(STORE, 3, &command(true)), (STORE, 2, b"12345")])).await.unwrap();
    association.receive().await.unwrap();
    let (end, answer) = tokio::join!(association.receive_data_set(4), async {
        let answer = read_pdu(&mut peer).await;
        drop(peer);
        answer
    });
    assert!(matches!(end, Err(AssociationError::PeerMisbehaved(_))));
    assert_eq!(answer, abort(2, NOT_SPECIFIED));
}

#[tokio::test]
async fn what_is_no_request_is_aborted() {
    acceptor_answers(b"GET / HTTP/1.1\r\n", abort(2, UNRECOGNIZED_PDU)).await;
    acceptor_answers(&[0x16, 3, 1, 2, 0, 1, 0, 1], abort(2, UNRECOGNIZED_PDU)).await;
    acceptor_answers(&pdu(2, &[0; 100]), abort(2, UNEXPECTED_PDU)).await;
    acceptor_answers(&pdu(3, &[0; 4]), abort(2, UNEXPECTED_PDU)).await;
    acceptor_answers(&data(&[(1, 3, b"x")]), abort(2, UNEXPECTED_PDU)).await;
    acceptor_answers(&pdu(5, &[0; 4]), abort(2, UNEXPECTED_PDU)).await;
    acceptor_answers(&[1, 0, 0xFF, 0xFF, 0xFF, 0xFF], abort(2, INVALID_VALUE)).await;
    acceptor_answers(&pdu(1, &[0, 1, 0]), abort(2, INVALID_VALUE)).await;
}

/// A request after `change` to its bytes.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = encode_request(&request()).unwrap().split_off(6);
    change(&mut body);
    pdu(1, &body)
}

/// Where the items begin, and the first presentation context after the application context.
const ITEMS: usize = 68;
const FIRST_CONTEXT: usize = ITEMS + 25;

#[tokio::test]
async fn requests_with_lies_are_aborted() {
    let invalid = abort(2, INVALID_VALUE);
    acceptor_answers(&changed(|body| body[FIRST_CONTEXT + 2] = 0xFF), invalid).await;
    acceptor_answers(&changed(|body| body[FIRST_CONTEXT + 4] = 2), invalid).await;
    acceptor_answers(&changed(|body| body[FIRST_CONTEXT + 4] = STORE), invalid).await;
    acceptor_answers(&changed(|body| body.truncate(ITEMS)), invalid).await;
    acceptor_answers(&changed(|body| body.truncate(FIRST_CONTEXT)), invalid).await;
    acceptor_answers(&changed(|body| body.push(0x50)), invalid).await;
    acceptor_answers(&changed(|body| body[ITEMS + 4] = b'/'), invalid).await;
    let twice = abort(2, UNEXPECTED_PARAMETER);
    acceptor_answers(&changed(|body| body.extend_from_within(ITEMS..FIRST_CONTEXT)), twice).await;
}

#[tokio::test]
async fn requests_that_cannot_be_met_are_rejected() {
    let rejected = |result, source, reason| [3, 0, 0, 0, 0, 4, 0, result, source, reason];
    acceptor_answers(&changed(|body| body[1] = 2), rejected(1, 2, 2)).await;
    acceptor_answers(&changed(|body| body[FIRST_CONTEXT - 1] = b'9'), rejected(1, 1, 2)).await;
    acceptor_answers(&changed(|body| body[4..20].fill(b' ')), rejected(1, 1, 7)).await;
    acceptor_answers(&changed(|body| body[20] = b'\\'), rejected(1, 1, 3)).await;
}

#[tokio::test]
async fn maximum_lengths_that_leave_no_room_are_refused() {
    for max_pdu_bytes in [1, 2, 7, 15] {
        let mut request = request();
        request.max_pdu_bytes = max_pdu_bytes;
        acceptor_answers(&encode_request(&request).unwrap(), abort(2, INVALID_VALUE)).await;
    }
}

#[tokio::test]
async fn an_acceptor_that_grants_what_was_not_asked_is_aborted() {
    use leadglass_dimse::negotiation::ContextResult::Accepted;
    use leadglass_dimse::pdu::associate::{AssociateAccept, encode_accept};
    for contexts in [vec![(1, Accepted(uid("1.2.3")))], vec![(9, Accepted(uid("1.2.840.10008.1.2")))]] {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let accept = AssociateAccept { contexts, ..AssociateAccept::default() };
        far.write_all(&encode_accept(&request(), &accept).unwrap()).await.unwrap();
        let ours =
            tokio::spawn(async move { requestor::request(near, request(), &Limits::default()).await.map(|_| ()) });
        assert_eq!(read_pdu(&mut far).await[0], 1);
        assert_eq!(read_pdu(&mut far).await, abort(2, INVALID_VALUE));
        drop(far);
        assert!(matches!(ours.await.unwrap(), Err(AssociationError::PeerMisbehaved(_))));
    }
}
