//! Answers C-ECHO and takes C-STORE to nowhere, in clear text on 127.0.0.1, so that other
//! implementations can be tried against the protocol. For tests only: it knows no peers,
//! keeps nothing and is no part of the product.
//!
//! `cargo run -p leadglass-dimse --example echo_scp -- 11112`

use leadglass_dicom::Uid;
use leadglass_dimse::message::{StatusDetail, refusal};
use leadglass_dimse::negotiation::select;
use leadglass_dimse::{Acceptance, Association, AssociationError, Command, Limits, Status, acceptor};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            match serve(stream).await {
                Ok(bytes) => println!("released after {bytes} bytes of data sets"),
                Err(error) => println!("ended: {error}"),
            }
        });
    }
}

async fn serve(stream: TcpStream) -> Result<u64, AssociationError> {
    let requested = acceptor::receive(stream, &Limits::default()).await?;
    let proposed = &requested.request().contexts;
    let first: Vec<Uid> = proposed.iter().flat_map(|context| context.transfer_syntaxes.first().cloned()).collect();
    let contexts = select(proposed, |_| Some(first.clone()));
    let mut association = requested.accept(Acceptance { contexts, ..Acceptance::default() }).await?;
    let mut bytes = 0;
    while let Some(message) = association.receive().await? {
        bytes += take_data_set(&mut association).await?;
        let response = match Command::try_from(&message.command) {
            Ok(Command::CEchoRequest(request)) => Some(request.response(Status::SUCCESS).into()),
            Ok(Command::CStoreRequest(request)) => Some(request.response(Status::SUCCESS, StatusDetail::none()).into()),
            _ => refusal(&message.command, Status::UNRECOGNIZED_OPERATION, &StatusDetail::none()),
        };
        if let Some(response) = response {
            association.send(message.context_id, &response, None).await?;
        }
    }
    Ok(bytes)
}

async fn take_data_set(association: &mut Association<TcpStream>) -> Result<u64, AssociationError> {
    let mut bytes = 0;
    while let Some(chunk) = association.next_data_chunk().await? {
        bytes += u64::try_from(chunk.len()).unwrap_or(0);
    }
    Ok(bytes)
}
