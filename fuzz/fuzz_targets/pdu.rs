//! A peer that sends any bytes: to begin with, and on an open association.
#![no_main]

use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::negotiation::select;
use leadglass_dimse::pdu::associate::encode_request;
use leadglass_dimse::{Acceptance, AssociateRequest, Limits, acceptor};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (_peer, stream) = peer_that_sends(&[bytes]).await;
        let _ = acceptor::receive(stream, &Limits::default()).await;
        on_open_association(bytes).await;
    });
});

async fn on_open_association(bytes: &[u8]) {
    let title = AeTitle::parse("A").unwrap();
    let syntax = Uid::parse("1.2.840.10008.1.2").unwrap();
    let mut request = AssociateRequest::new(title.clone(), title);
    request.propose(&Uid::parse("1.2.840.10008.1.1").unwrap(), std::slice::from_ref(&syntax));
    let (peer, stream) = peer_that_sends(&[&encode_request(&request).unwrap(), bytes]).await;
    let requested = acceptor::receive(stream, &Limits::default()).await.unwrap();
    let contexts = select(&requested.request().contexts, |_| Some(vec![syntax.clone()]));
    let mut association = requested.accept(Acceptance { contexts, ..Acceptance::default() }).await.unwrap();
    drop(peer);
    while let Ok(Some(_)) = association.receive().await {
        while let Ok(Some(_)) = association.next_data_chunk().await {}
    }
}

/// The two ends of a connection on which that has been sent and no more will be.
async fn peer_that_sends(sent: &[&[u8]]) -> (DuplexStream, DuplexStream) {
    let sent = sent.concat();
    let (mut peer, stream) = duplex(sent.len() + 4096);
    peer.write_all(&sent).await.unwrap();
    peer.shutdown().await.unwrap();
    (peer, stream)
}
