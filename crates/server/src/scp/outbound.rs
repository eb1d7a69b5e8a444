//! Associations of our own: to C-MOVE destinations and for commitment reports.
//!
//! They go to enrolled peers only, at the address enrolled, over mutual TLS, and only to
//! the one that shows the enrolled certificate.

use std::io;
use std::time::Duration;

use leadglass_archive::administer::Peer;
use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::negotiation::{AssociateRequest, ProposedContext, RoleSelection};
use leadglass_dimse::{Association, AssociationError, requestor};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::host::Host;
use crate::listen::quick::Quick;

/// An association we asked for.
pub type Outbound = Association<TlsStream<Quick>>;

/// Presentation contexts of one association: ids are odd, 1 to 255 (PS3.8 9.3.2.2).
pub const MAX_CONTEXTS: usize = 128;

/// Why there is no association.
#[derive(Debug, thiserror::Error)]
pub enum NotReached {
    /// The peer has no address, or what is enrolled of it is no address or certificate.
    #[error("the destination has no usable address")]
    NoAddress,
    /// No connection, no TLS, another certificate.
    #[error("the destination cannot be reached over TLS")]
    Connect(#[source] io::Error),
    /// Our own TLS.
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    /// No association.
    #[error(transparent)]
    Association(#[from] AssociationError),
}

/// Opens an association with that peer for these SOP classes, each with its transfer syntaxes.
pub async fn associate(
    host: &Host,
    peer: &Peer,
    contexts: Vec<(Uid, Vec<Uid>)>,
    roles: Vec<RoleSelection>,
) -> Result<Outbound, NotReached> {
    let within = Duration::from_secs(host.config.dimse.connect_s);
    let connected = tokio::time::timeout(within, connect(host, peer)).await;
    let stream = connected.unwrap_or_else(|_| Err(NotReached::Connect(io::ErrorKind::TimedOut.into())))?;
    let called_ae = AeTitle::parse(&peer.ae).map_err(|_| NotReached::NoAddress)?;
    let limits = host.config.dimse.limits();
    let request = AssociateRequest {
        contexts: numbered(contexts),
        max_pdu_bytes: limits.max_pdu_bytes,
        roles,
        ..AssociateRequest::new(host.ae_title.clone(), called_ae)
    };
    Ok(requestor::request(stream, request, &limits).await?)
}

async fn connect(host: &Host, peer: &Peer) -> Result<TlsStream<Quick>, NotReached> {
    let address = peer.address.as_deref().ok_or(NotReached::NoAddress)?;
    let mut fingerprint = [0; 32];
    hex::decode_to_slice(&peer.certificate_sha256, &mut fingerprint).map_err(|_| NotReached::NoAddress)?;
    let tls = TlsConnector::from(host.tls.towards(fingerprint)?);
    let stream = TcpStream::connect(address).await.map_err(NotReached::Connect)?;
    let name = server_name(address)?;
    let stream = Quick::new(stream).map_err(NotReached::Connect)?;
    tls.connect(name, stream).await.map_err(NotReached::Connect)
}

/// The host of `host:port`; it is told in the handshake and not believed in the certificate.
fn server_name(address: &str) -> Result<ServerName<'static>, NotReached> {
    let (host, _) = address.rsplit_once(':').ok_or(NotReached::NoAddress)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).map_err(|_| NotReached::NoAddress)
}

fn numbered(contexts: Vec<(Uid, Vec<Uid>)>) -> Vec<ProposedContext> {
    let ids = (1..=u8::MAX).step_by(2);
    ids.zip(contexts)
        .map(|(id, (abstract_syntax, transfer_syntaxes))| ProposedContext { id, abstract_syntax, transfer_syntaxes })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts_are_told_from_their_ports() {
        for (address, host) in
            [("127.0.0.1:104", "127.0.0.1"), ("[::1]:104", "::1"), ("pacs.example:104", "pacs.example")]
        {
            assert_eq!(server_name(address).unwrap().to_str(), host);
        }
        assert!(server_name("nothing").is_err());
    }

    #[test]
    fn context_ids_are_odd_and_no_more_than_128() {
        let uid = Uid::parse("1.2").unwrap();
        let contexts = numbered(vec![(uid.clone(), vec![uid]); MAX_CONTEXTS + 9]);
        assert_eq!(contexts.len(), MAX_CONTEXTS);
        assert!(contexts.iter().all(|context| context.id % 2 == 1));
    }
}
