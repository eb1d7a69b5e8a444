//! Certificates for peers, as the administration asks for them.

use futures::FutureExt;
use futures::future::BoxFuture;
use leadglass_dicom::AeTitle;

use super::bundle::pem;
use super::verify::fingerprint;
use super::{Tls, TlsError};
use crate::admin::certificates::{IssueCertificate, IssueError, IssuedBundle, IssuedCertificate};

impl IssueCertificate for Tls {
    fn issue<'a>(&'a self, ae: &'a AeTitle) -> BoxFuture<'a, Result<IssuedBundle, IssueError>> {
        async move {
            use base64::Engine;
            let bundle = self.issue_peer(ae).map_err(|error| IssueError::Authority(error.to_string()))?;
            let certificate = IssuedCertificate {
                certificate_pem: bundle.certificate_pem,
                authority_pem: bundle.ca_pem,
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
            })
        }
        .boxed()
    }
}
