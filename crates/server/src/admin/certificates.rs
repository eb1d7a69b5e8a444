//! What the administration asks of whoever holds the certificate authority.
//!
//! Deliberately absent: keys. The `tls` module implements [`IssueCertificate`]; nothing in
//! this folder sees the authority's key, and a peer's new key passes through once.

use std::time::SystemTime;

use futures::future::BoxFuture;
use leadglass_archive::administer::Certified;
use leadglass_dicom::AeTitle;

/// Issues certificates to DICOM peers.
pub trait IssueCertificate: Send + Sync {
    /// A new key pair and its certificate for a peer of that title.
    fn issue<'a>(&'a self, ae: &'a AeTitle) -> BoxFuture<'a, Result<IssuedBundle, IssueError>>;

    /// Looks at a certificate that a peer has already (PEM): whether it could be shown on the
    /// DICOM door.
    ///
    /// # Errors
    /// [`IssueError::Unfit`] says what is wrong with it.
    fn check(&self, certificate_pem: &str) -> Result<Certified, IssueError>;

    /// SHA-256 of the authority's certificate, lower-case hex: what devices pin us by.
    fn authority_sha256(&self) -> String;

    /// A certificate for the key of a certificate signing request (PKCS #10, PEM), whose
    /// subject is replaced by ours.
    fn sign<'a>(
        &'a self,
        ae: &'a AeTitle,
        request_pem: &'a str,
    ) -> BoxFuture<'a, Result<IssuedCertificate, IssueError>>;
}

/// A certificate with the authority that vouches for it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct IssuedCertificate {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The authority's certificate, PEM: what the peer trusts us by.
    pub authority_pem: String,
    /// SHA-256 of the certificate (DER), lower-case hex.
    pub certificate_sha256: String,
    /// When it ends.
    #[serde(serialize_with = "rfc3339")]
    pub expires: SystemTime,
}

impl IssuedCertificate {
    /// What the archive keeps of it.
    pub fn certified(&self) -> Certified {
        Certified { sha256: self.certificate_sha256.clone(), expires: self.expires }
    }
}

fn rfc3339<S: serde::Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    time::serde::rfc3339::serialize(&time::OffsetDateTime::from(*time), to)
}

/// A certificate and its private key, as a modality console loads them. Shown once.
#[derive(Clone, serde::Serialize)]
pub struct IssuedBundle {
    /// The certificate.
    #[serde(flatten)]
    pub certificate: IssuedCertificate,
    /// The private key, PKCS #8 PEM.
    pub key_pem: String,
    /// All of it as PKCS #12, base64, for consoles that take nothing else.
    pub pkcs12_base64: String,
    /// The password of the PKCS #12.
    pub pkcs12_password: String,
}

/// Why no certificate was issued.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IssueError {
    /// The signing request is not one, or its key is of a kind or size not allowed.
    #[error("the certificate signing request is not acceptable")]
    BadRequest,
    /// The certificate is not one that could be shown on the DICOM door.
    #[error("the certificate cannot be enrolled: {0}")]
    Unfit(&'static str),
    /// The authority failed; the text is for our log.
    #[error("the certificate authority failed: {0}")]
    Authority(String),
}
