//! Sends C-ECHO, and bytes by C-STORE, to a peer on 127.0.0.1 in clear text, so that the
//! protocol can be tried against other implementations. For tests only.
//!
//! `cargo run -p leadglass-dimse --example echo_scu -- 11112 [bytes times]`: the object is
//! a data set of one long element, in Explicit VR Little Endian.

use bytes::{BufMut, Bytes, BytesMut};
use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::message::{CStoreRequest, Priority};
use leadglass_dimse::{AssociateRequest, Limits, requestor, scu};
use tokio::net::TcpStream;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).flat_map(|text| text.parse::<u32>());
    let port = u16::try_from(arguments.next().ok_or("which port?")?)?;
    let (length, times) = (arguments.next().unwrap_or(0), arguments.next().unwrap_or(1));
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;

    let mut request = AssociateRequest::new(AeTitle::parse("ECHO_SCU")?, AeTitle::parse("ANY-SCP")?);
    let syntaxes = [Uid::parse("1.2.840.10008.1.2.1")?];
    let echo = request.propose(&Uid::parse("1.2.840.10008.1.1")?, &syntaxes).ok_or("no room")?;
    let ct = Uid::parse("1.2.840.10008.5.1.4.1.1.2")?;
    let store = request.propose(&ct, &syntaxes).ok_or("no room")?;
    let mut association = requestor::request(stream, request, &Limits::default()).await?;
    println!("echo: {}", scu::echo(&mut association, echo).await?);
    for number in 0..if length == 0 { 0 } else { times } {
        let instance = format!("2.25.{}", number + 1);
        let request = CStoreRequest {
            message_id: association.next_message_id(),
            affected_sop_class: ct.clone(),
            affected_sop_instance: Uid::parse(&instance)?,
            priority: Priority::Medium,
            move_originator: None,
        };
        let response = scu::store(&mut association, store, &request, data_set(&ct, &instance, length)).await?;
        println!("store: {}", response.status);
    }
    association.release().await?;
    println!("released");
    Ok(())
}

fn data_set(class: &Uid, instance: &str, length: u32) -> Bytes {
    let mut bytes = BytesMut::new();
    for (element, uid) in [(0x16, class.as_str()), (0x18, instance)] {
        let padded = uid.len() + uid.len() % 2;
        bytes.put_u16_le(8);
        bytes.put_u16_le(element);
        bytes.put_slice(b"UI");
        bytes.put_u16_le(u16::try_from(padded).unwrap_or(0));
        bytes.put_slice(uid.as_bytes());
        bytes.put_bytes(0, padded - uid.len());
    }
    bytes.put_slice(&[0xE0, 0x7F, 0x10, 0x00]);
    bytes.put_slice(b"OW\0\0");
    bytes.put_u32_le(length & !1);
    bytes.put_bytes(7, usize::try_from(length & !1).unwrap_or(0));
    bytes.freeze()
}
