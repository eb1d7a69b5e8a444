//! Certificates for peers, as the administration asks for them.

use std::time::SystemTime;

use futures::FutureExt;
use futures::future::BoxFuture;
use leadglass_archive::administer::Certified;
use leadglass_dicom::AeTitle;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::authority::validity;
use super::bundle::pem;
use super::verify::fingerprint;
use super::{Tls, TlsError, fitness};
use crate::admin::certificates::{IssueCertificate, IssueError, IssuedBundle, IssuedCertificate};

impl IssueCertificate for Tls {
    fn issue<'a>(&'a self, ae: &'a AeTitle) -> BoxFuture<'a, Result<IssuedBundle, IssueError>> {
        async move {
            use base64::Engine;
            let bundle = self.issue_peer(ae).map_err(|error| IssueError::Authority(error.to_string()))?;
            let certificate = IssuedCertificate {
                certificate_pem: bundle.certificate_pem,
                authority_pem: bundle.ca_pem,
                expires: validity(&bundle.certificate_der).map_err(|error| IssueError::Authority(error.to_string()))?.1,
                certificate_sha256: bundle.certificate_sha256,
            };
            Ok(IssuedBundle {
                certificate,
                key_pem: bundle.key_pem.to_string(),
                pkcs12_base64: base64::engine::general_purpose::STANDARD.encode(&bundle.pkcs12),
                pkcs12_password: bundle.pkcs12_password.to_string(),
            })
        }
        .boxed()
    }

    fn check(&self, certificate_pem: &str) -> Result<Certified, IssueError> {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|_| IssueError::Unfit(fitness::Unfit::Unparsable.reason()))?;
        let now = self.clock.now();
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        fitness::check(&certificate, UnixTime::since_unix_epoch(since))
            .map_err(|unfit| IssueError::Unfit(unfit.reason()))?;
        let (_, expires) = validity(&certificate).map_err(|error| IssueError::Authority(error.to_string()))?;
        Ok(Certified { sha256: hex::encode(fingerprint(&certificate)), expires })
    }

    fn authority_sha256(&self) -> String {
        self.ca_sha256()
    }

    fn sign<'a>(
        &'a self,
        ae: &'a AeTitle,
        request_pem: &'a str,
    ) -> BoxFuture<'a, Result<IssuedCertificate, IssueError>> {
        async move {
            let signed = self.authority.sign_peer(ae, request_pem, self.clock.now());
            let certificate = signed.map_err(|error| match error {
                TlsError::Request => IssueError::BadRequest,
                error => IssueError::Authority(error.to_string()),
            })?;
            Ok(IssuedCertificate {
                certificate_pem: pem("CERTIFICATE", &certificate),
                authority_pem: self.ca_pem(),
                certificate_sha256: hex::encode(fingerprint(&certificate)),
                expires: validity(&certificate).map_err(|error| IssueError::Authority(error.to_string()))?.1,
            })
        }
        .boxed()
    }
}
