//! The way to the old archive: clear text to one private address, both protocols.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use http::HeaderValue;
use leadglass_dicom::AeTitle;
use leadglass_dimse::negotiation::AssociateRequest;
use leadglass_dimse::{Association, AssociationError, Limits, requestor};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use super::config::{EdgeShield, Root};
use crate::edge::EdgeError;
use crate::listen::quick::Quick;

/// KiB of answers that may be held at once.
const ROOM_KIB: usize = 256 * 1024;
/// Bytes of one of them, which is there twice.
pub(super) const LONGEST: usize = ROOM_KIB * 1024 / 2;
/// Bytes of the file of credentials.
const MOST_CREDENTIALS: u64 = 1024;

/// The old archive behind a shield.
#[derive(Debug)]
pub struct Shield {
    config: EdgeShield,
    called: AeTitle,
    calling: Option<AeTitle>,
    root: Option<Root>,
    authorization: Option<HeaderValue>,
    /// KiB of answers that may be held at once, of all clients together.
    room: Arc<Semaphore>,
}

impl Shield {
    /// As configured; reads the credentials.
    ///
    /// # Errors
    /// A value that cannot be, a file that others may read.
    pub fn open(config: EdgeShield) -> Result<Shield, EdgeError> {
        config.check()?;
        let title = |text: &str| AeTitle::parse(text).ok();
        let called = title(&config.ae_title).ok_or_else(|| wrong("shield.ae_title", "is no AE title"))?;
        let authorization = match config.credentials_file.as_os_str().is_empty() {
            true => None,
            false => Some(basic(&config.credentials_file)?),
        };
        Ok(Shield {
            calling: title(&config.calling_ae),
            called,
            root: config.root()?,
            authorization,
            config,
            room: Arc::new(Semaphore::new(ROOM_KIB)),
        })
    }

    /// Asks for an association in a client's name, or in the one configured.
    pub(super) async fn associate(
        &self,
        mut request: AssociateRequest,
        limits: &Limits,
    ) -> Result<Association<Quick>, AssociationError> {
        request.called_ae = self.called.clone();
        if let Some(calling) = &self.calling {
            request.calling_ae = calling.clone();
        }
        let stream = self.connect(self.config.dicom).await.map_err(AssociationError::Io)?;
        requestor::request(stream, request, limits).await
    }

    /// A connection to an address of the old archive.
    pub(super) async fn connect(&self, address: std::net::SocketAddr) -> io::Result<Quick> {
        let within = Duration::from_secs(self.config.connect_s);
        let connected = tokio::time::timeout(within, TcpStream::connect(address)).await;
        Quick::new(connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??)
    }

    /// The root of its DICOMweb service, when there is one.
    pub(super) fn root(&self) -> Option<&Root> {
        self.root.as_ref()
    }

    /// What is shown to its DICOMweb service.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Room for so much more of an answer that is held until it is whole; none when there is none.
    pub(super) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        self.room.clone().try_acquire_many_owned(kib).ok()
    }

    /// For its answer to begin, and for one that is held to come to its end.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.config.answer_s)
    }
}

/// `Basic` of a file that holds `user:password` and that its owner alone may read.
fn basic(path: &Path) -> Result<HeaderValue, EdgeError> {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    let failed = |source| EdgeError::Io { what: format!("cannot read {}", path.display()), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(wrong("shield.credentials_file", "others may read it: chmod 600"));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MOST_CREDENTIALS).read_to_string(&mut text).map_err(failed)?;
    let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(text.trim_end_matches(['\r', '\n'])));
    let value = HeaderValue::from_str(&format!("Basic {}", encoded.as_str()));
    let mut value = value.map_err(|_| wrong("shield.credentials_file", "holds user:password"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn wrong(key: &str, reason: &str) -> EdgeError {
    crate::edge::config::EdgeConfigError::Value { key: key.into(), reason: reason.into() }.into()
}
