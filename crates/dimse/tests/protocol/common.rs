//! Two ends of an association, and a peer that sends whatever bytes it likes.

use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::message::{CEchoRequest, CStoreRequest, Priority};
use leadglass_dimse::negotiation::select;
use leadglass_dimse::{Acceptance, AssociateRequest, Association, Limits, acceptor, requestor};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Context ids of [`request`].
pub const ECHO: u8 = 1;
pub const STORE: u8 = 3;
pub const FIND: u8 = 5;

pub fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

/// A request for verification, CT storage and study root query.
pub fn request() -> AssociateRequest {
    let title = |text| AeTitle::parse(text).unwrap();
    let mut request = AssociateRequest::new(title("CALLING"), title("CALLED"));
    for class in ["1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.1"] {
        request.propose(&uid(class), &[uid("1.2.840.10008.1.2")]).unwrap();
    }
    request
}

pub fn acceptance(request: &AssociateRequest) -> Acceptance {
    let contexts = select(&request.contexts, |_| Some(vec![uid("1.2.840.10008.1.2")]));
    Acceptance { contexts, ..Acceptance::default() }
}

pub fn echo_request(message_id: u16) -> CEchoRequest {
    CEchoRequest { message_id, affected_sop_class: uid("1.2.840.10008.1.1") }
}

pub fn store_request(message_id: u16) -> CStoreRequest {
    CStoreRequest {
        message_id,
        affected_sop_class: uid("1.2.840.10008.5.1.4.1.1.2"),
        affected_sop_instance: uid("1.2.3"),
        priority: Priority::Medium,
        move_originator: None,
    }
}

/// An open association, requestor and acceptor, over a pipe of 1 MiB.
pub async fn associate() -> (Association<DuplexStream>, Association<DuplexStream>) {
    associate_with(1 << 20, 0, &Limits::default()).await
}

/// An open association over a pipe of that many bytes.
pub async fn associate_with(
    pipe: usize,
    requestor_max: u32,
    acceptor_limits: &Limits,
) -> (Association<DuplexStream>, Association<DuplexStream>) {
    let (near, far) = tokio::io::duplex(pipe);
    let mut request = request();
    request.max_pdu_bytes = requestor_max;
    let limits = Limits::default();
    let (us, them) = tokio::join!(requestor::request(near, request, &limits), accept(far, acceptor_limits));
    (us.unwrap(), them)
}

pub async fn accept(stream: DuplexStream, limits: &Limits) -> Association<DuplexStream> {
    let requested = acceptor::receive(stream, limits).await.unwrap();
    let acceptance = acceptance(requested.request());
    requested.accept(acceptance).await.unwrap()
}

/// An acceptor's association whose peer is a bare stream.
pub async fn acceptor_of_bytes(limits: &Limits) -> (DuplexStream, Association<DuplexStream>) {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    near.write_all(&leadglass_dimse::pdu::associate::encode_request(&request()).unwrap()).await.unwrap();
    let association = accept(far, limits).await;
    assert_eq!(read_pdu(&mut near).await[0], 2);
    (near, association)
}

/// A requestor's association whose peer is a bare stream.
pub async fn requestor_of_bytes(limits: &Limits) -> (DuplexStream, Association<DuplexStream>) {
    use leadglass_dimse::pdu::associate::{AssociateAccept, encode_accept};
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let contexts =
        [1, 3, 5].map(|id| (id, leadglass_dimse::negotiation::ContextResult::Accepted(uid("1.2.840.10008.1.2"))));
    let accept = AssociateAccept { contexts: contexts.to_vec(), max_pdu_bytes: 16384, ..AssociateAccept::default() };
    far.write_all(&encode_accept(&request(), &accept).unwrap()).await.unwrap();
    let association = requestor::request(near, request(), limits).await.unwrap();
    assert_eq!(read_pdu(&mut far).await[0], 1);
    (far, association)
}

/// Reads one whole PDU.
pub async fn read_pdu(stream: &mut DuplexStream) -> Vec<u8> {
    let mut pdu = vec![0; 6];
    stream.read_exact(&mut pdu).await.unwrap();
    let length = u32::from_be_bytes([pdu[2], pdu[3], pdu[4], pdu[5]]) as usize;
    pdu.resize(6 + length, 0);
    stream.read_exact(&mut pdu[6..]).await.unwrap();
    pdu
}

/// A P-DATA-TF of these presentation data values: context, control, fragment.
pub fn data(pdvs: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (context, control, fragment) in pdvs {
        body.extend((fragment.len() as u32 + 2).to_be_bytes());
        body.extend([*context, *control]);
        body.extend_from_slice(fragment);
    }
    pdu(4, &body)
}

/// A PDU of any type and body.
pub fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut pdu = vec![kind, 0];
    pdu.extend((body.len() as u32).to_be_bytes());
    pdu.extend_from_slice(body);
    pdu
}
