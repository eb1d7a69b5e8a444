//! A whole archive on free ports, its peers, and the objects they send.

use std::net::SocketAddr;
use std::sync::Arc;

use leadglass::host::Host;
use leadglass::listen::quick::Quick;
use leadglass::tls::bundle::PeerBundle;
use leadglass::{Config, Running, first_run};
use leadglass_archive::access::Scope;
use leadglass_archive::administer::{Peer, Verb};
use leadglass_archive::{Caller, Credential, Door, Source};
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::clock::SystemClock;
use leadglass_dicom::{AeTitle, DataSet, Encoding, Tag, Uid, VR, Value};
use leadglass_dimse::message::{CStoreRequest, CStoreResponse, Priority};
use leadglass_dimse::negotiation::{
    AssociateRequest, ExtendedNegotiation, ProposedContext, RoleSelection, UserIdentityItem,
};
use leadglass_dimse::{Association, AssociationError, Limits, Status, requestor, scu};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const VERIFICATION: &str = "1.2.840.10008.1.1";
pub const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
pub const STUDY_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
pub const STUDY_MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";
pub const STUDY_GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
pub const COMMITMENT: &str = "1.2.840.10008.1.20.1";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const ALL_VERBS: [Verb; 4] = [Verb::Store, Verb::Find, Verb::Retrieve, Verb::Commit];

/// An association of a test.
pub type Opened = Association<TlsStream<Quick>>;

/// A running archive in a directory of its own.
pub struct TestServer {
    pub running: Running,
    pub administrator: Caller,
    pub dir: tempfile::TempDir,
}

/// An enrolled peer with its key.
pub struct TestPeer {
    pub ae: AeTitle,
    pub bundle: PeerBundle,
}

/// The default repertoire.
pub fn charset() -> SpecificCharacterSet {
    SpecificCharacterSet::default()
}

pub fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

impl TestServer {
    pub async fn start() -> TestServer {
        TestServer::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> TestServer {
        let (running, dir) = start_new(change).await;
        let host = running.host();
        let code = first_run::issue_setup_code(host).await.unwrap().unwrap();
        let at_admin = Source { address: None, door: Door::Admin };
        let setup = host.archive.authenticate(at_admin.clone(), Credential::SetupCode(code)).await.unwrap();
        let token = host.archive.complete_setup(&setup, "test").await.unwrap();
        let administrator = host.archive.authenticate(at_admin, Credential::ApiToken(token)).await.unwrap();
        TestServer { running, administrator, dir }
    }

    pub fn host(&self) -> &Arc<Host> {
        self.running.host()
    }

    /// Enrols a peer with a certificate of ours.
    pub async fn peer(&self, ae: &str, verbs: &[Verb]) -> TestPeer {
        self.peer_at(ae, verbs, None).await
    }

    pub async fn peer_at(&self, ae: &str, verbs: &[Verb], address: Option<String>) -> TestPeer {
        self.scoped_peer(ae, verbs, address, Scope::everything()).await
    }

    /// One that reaches so far.
    pub async fn scoped_peer(&self, ae: &str, verbs: &[Verb], address: Option<String>, scope: Scope) -> TestPeer {
        let ae = AeTitle::parse(ae).unwrap();
        let bundle = self.host().tls.issue_peer(&ae).unwrap();
        let peer = Peer {
            ae: ae.to_string(),
            certificate_sha256: bundle.certificate_sha256.clone(),
            verbs: verbs.to_vec(),
            scope,
            address,
            ..Peer::default()
        };
        self.host().archive.add_peer(&self.administrator, peer).await.unwrap();
        TestPeer { ae, bundle }
    }

    pub async fn associate(&self, peer: &TestPeer, asking: Asking) -> Result<Opened, AssociationError> {
        let stream = connect(self.running.dicom, &peer.bundle).await.map_err(AssociationError::Io)?;
        requestor::request(stream, asking.between(&peer.ae, &self.host().ae_title), &Limits::default()).await
    }
}

/// A TLS stream to an archive, showing that peer's certificate.
pub async fn connect(to: SocketAddr, bundle: &PeerBundle) -> std::io::Result<TlsStream<Quick>> {
    let chain = vec![CertificateDer::from_pem_slice(bundle.certificate_pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(bundle.key_pem.as_bytes()).unwrap();
    handshake(to, trusting(bundle).with_client_auth_cert(chain, key).unwrap()).await
}

/// A TLS stream to an archive, showing nothing; that peer's is only the authority.
pub async fn connect_without_certificate(to: SocketAddr, bundle: &PeerBundle) -> std::io::Result<TlsStream<Quick>> {
    handshake(to, trusting(bundle).with_no_client_auth()).await
}

fn trusting(bundle: &PeerBundle) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(bundle.ca_pem.as_bytes()).unwrap()).unwrap();
    rustls::ClientConfig::builder_with_provider(leadglass::tls::provider::provider())
        .with_protocol_versions(leadglass::tls::provider::VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
}

async fn handshake(to: SocketAddr, config: rustls::ClientConfig) -> std::io::Result<TlsStream<Quick>> {
    let stream = Quick::new(TcpStream::connect(to).await?)?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Starts an archive that is not set up.
pub async fn start_new(change: impl FnOnce(&mut Config)) -> (Running, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.data.dir = dir.path().join("archive");
    config.data.segment_bytes = 16 << 20;
    config.data.reserve_bytes = 1 << 20;
    config.listen.https.set_port(0);
    config.listen.dicom.set_port(0);
    change(&mut config);
    let host = Host::open(config, Arc::new(SystemClock)).await.unwrap();
    let running = Running::start(host).await.unwrap();
    (running, dir)
}

/// What an association is asked for.
pub struct Asking(AssociateRequest);

impl Asking {
    /// For one SOP class in each transfer syntax named.
    pub fn of(classes: &[(&str, &[&str])]) -> Asking {
        let contexts = classes.iter().zip((1..=255).step_by(2)).map(|((class, syntaxes), id)| ProposedContext {
            id,
            abstract_syntax: uid(class),
            transfer_syntaxes: syntaxes.iter().map(|syntax| uid(syntax)).collect(),
        });
        Asking(AssociateRequest {
            called_ae: AeTitle::parse("?").unwrap(),
            calling_ae: AeTitle::parse("?").unwrap(),
            contexts: contexts.collect(),
            max_pdu_bytes: 16 << 10,
            implementation_class: None,
            implementation_version: None,
            roles: Vec::new(),
            extended: Vec::new(),
            async_operations: None,
            user_identity: None,
        })
    }

    /// The request, from and to these unless it names others.
    pub fn between(self, calling: &AeTitle, called: &AeTitle) -> AssociateRequest {
        let mut request = self.0;
        if request.called_ae.as_str() == "?" {
            request.called_ae = called.clone();
        }
        if request.calling_ae.as_str() == "?" {
            request.calling_ae = calling.clone();
        }
        request
    }

    pub fn called(mut self, ae: &str) -> Asking {
        self.0.called_ae = AeTitle::parse(ae).unwrap();
        self
    }

    pub fn calling(mut self, ae: &str) -> Asking {
        self.0.calling_ae = AeTitle::parse(ae).unwrap();
        self
    }

    pub fn receiving(mut self, sop_class: &str) -> Asking {
        self.0.roles.push(RoleSelection { sop_class: uid(sop_class), scu: true, scp: true });
        self
    }

    pub fn extended(mut self, sop_class: &str, information: &[u8]) -> Asking {
        self.0.extended.push(ExtendedNegotiation { sop_class: uid(sop_class), information: information.to_vec() });
        self
    }

    pub fn identity(mut self, kind: u8, primary: &str, secondary: &str) -> Asking {
        let (primary, secondary) = (primary.as_bytes().to_vec(), secondary.as_bytes().to_vec());
        self.0.user_identity = Some(UserIdentityItem { kind, response_requested: true, primary, secondary });
        self
    }
}

/// A small CT image.
pub struct TestImage {
    pub study: String,
    pub series: String,
    pub instance: String,
    pub name: &'static str,
    pub pixel: u8,
}

impl TestImage {
    pub fn new(study: u32, series: u32, instance: u32) -> TestImage {
        TestImage {
            study: format!("1.2.3.{study}"),
            series: format!("1.2.3.{study}.{series}"),
            instance: format!("1.2.3.{study}.{series}.{instance}"),
            name: "Doe^Jane",
            pixel: 7,
        }
    }

    pub fn data_set(&self) -> DataSet {
        let mut image = DataSet::new();
        image.put_text(Tag(0x0008, 0x0016), VR::UI, CT);
        image.put_text(Tag(0x0008, 0x0018), VR::UI, &*self.instance);
        image.put_text(Tag(0x0008, 0x0020), VR::DA, "20260102");
        image.put_text(Tag(0x0008, 0x0060), VR::CS, "CT");
        image.put_text(Tag(0x0010, 0x0010), VR::PN, self.name);
        image.put_text(Tag(0x0010, 0x0020), VR::LO, "P1");
        image.put_text(Tag(0x0020, 0x000D), VR::UI, &*self.study);
        image.put_text(Tag(0x0020, 0x000E), VR::UI, &*self.series);
        image.put_text(Tag(0x0020, 0x0013), VR::IS, "1");
        for (element, value) in
            [(0x0002, 1), (0x0010, 4), (0x0011, 4), (0x0100, 8), (0x0101, 8), (0x0102, 7), (0x0103, 0)]
        {
            image.put(Tag(0x0028, element), VR::US, Value::Unsigned(vec![value]));
        }
        image.put_text(Tag(0x0028, 0x0004), VR::CS, "MONOCHROME2");
        image.put(Tag(0x7FE0, 0x0010), VR::OB, Value::Bytes(vec![self.pixel; 16]));
        image
    }

    pub fn bytes(&self, encoding: Encoding) -> Vec<u8> {
        self.data_set().encode(encoding, &charset()).unwrap()
    }
}

/// Sends one image on the context of that id.
pub async fn store<S: AsyncRead + AsyncWrite + Unpin + Send>(
    association: &mut Association<S>,
    context_id: u8,
    image: &TestImage,
    bytes: Vec<u8>,
) -> Result<CStoreResponse, AssociationError> {
    let request = CStoreRequest {
        message_id: association.next_message_id(),
        affected_sop_class: uid(CT),
        affected_sop_instance: uid(&image.instance),
        priority: Priority::Medium,
        move_originator: None,
    };
    scu::store(association, context_id, &request, bytes::Bytes::from(bytes)).await
}

/// Stores images over an association of their own.
pub async fn store_all(server: &TestServer, peer: &TestPeer, images: &[TestImage]) {
    let mut association = server.associate(peer, Asking::of(&[(CT, &[EXPLICIT])])).await.unwrap();
    for image in images {
        let bytes = image.bytes(Encoding::ExplicitLittleEndian);
        assert_eq!(store(&mut association, 1, image, bytes).await.unwrap().status, Status::SUCCESS);
    }
    association.release().await.unwrap();
}

/// An identifier in explicit VR.
pub fn identifier(level: &str, keys: &[(Tag, VR, &str)]) -> Vec<u8> {
    let mut identifier = DataSet::new();
    identifier.put_text(Tag(0x0008, 0x0052), VR::CS, level);
    for (tag, vr, value) in keys {
        identifier.put_text(*tag, *vr, *value);
    }
    identifier.encode(Encoding::ExplicitLittleEndian, &charset()).unwrap()
}

pub const STUDY_UID: Tag = Tag(0x0020, 0x000D);
pub const SERIES_UID: Tag = Tag(0x0020, 0x000E);
