//! `[identities]`: whose word is trusted for the people at a peer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use leadglass_archive::access::federation::{Federation, RolesOf, SamlIssuer};
use leadglass_archive::access::public_key::PublicKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use x509_parser::public_key::PublicKey as Spki;

use super::ConfigError;
use super::section::section;

/// Longest file with keys, bytes.
const LONGEST_FILE: u64 = 256 << 10;

section! {
    /// Whose word is trusted for the people at a peer: user identities that associations bring
    /// along (PS3.7 D.3.3.7). Nobody's is, unless named here; tokens (type 5) are believed of the
    /// providers that people sign in by. What an issuer says adds nothing to
    /// what the peer itself may do: both must allow it.
    pub struct Identities {
        /// Issuers of SAML 2.0 assertions (type 4), each a table: `issuer` (its entity ID),
        /// `certificates` (PEM files with the keys it signs with), `audience` (what it calls
        /// us), `recipient` (the recipient it names), `attribute` (the one with groups), `roles`
        /// (a table from group to role: reader, viewer, sender or a defined one).
        pub saml: Vec<Saml> = Vec::new(),
    }
}

/// An issuer of SAML assertions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saml {
    /// Its entity ID.
    pub issuer: String,
    /// PEM files, a certificate each.
    pub certificates: Vec<PathBuf>,
    /// What it calls us.
    pub audience: String,
    /// The recipient it names.
    pub recipient: String,
    /// The attribute with groups.
    pub attribute: String,
    /// Role by group.
    pub roles: BTreeMap<String, String>,
}

impl Identities {
    /// Reads the keys.
    pub fn federation(&self) -> Result<Federation, ConfigError> {
        let saml = self.saml.iter().map(|one| {
            Ok(SamlIssuer {
                issuer: one.issuer.clone(),
                keys: one.certificates.iter().map(|path| key_of(path)).collect::<Result<_, _>>()?,
                audience: one.audience.clone(),
                recipient: one.recipient.clone(),
                roles: roles(&one.attribute, &one.roles),
            })
        });
        Ok(Federation { saml: saml.collect::<Result<_, ConfigError>>()? })
    }
}

fn roles(attribute: &str, roles: &BTreeMap<String, String>) -> RolesOf {
    let roles = roles.iter().map(|(group, role)| (group.clone(), role.clone())).collect();
    RolesOf { attribute: attribute.to_owned(), roles }
}

/// The key of a certificate: the certificate is not looked at otherwise, for it was put there.
fn key_of(path: &Path) -> Result<PublicKey, ConfigError> {
    let unusable = |what| unusable(path, what);
    let der = CertificateDer::from_pem_slice(&read(path)?).map_err(|_| unusable("no certificate"))?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| unusable("no certificate"))?;
    let key = match certificate.public_key().parsed() {
        Ok(Spki::RSA(rsa)) => PublicKey::rsa(unsigned(rsa.modulus), unsigned(rsa.exponent)),
        Ok(Spki::EC(point)) => match point.data() {
            [4, both @ ..] if both.len() == 64 => PublicKey::p256(&both[..32], &both[32..]),
            _ => None,
        },
        _ => None,
    };
    key.ok_or_else(|| unusable("neither RSA of 2048 bits or more, nor P-256"))
}

/// A number without leading zeros.
fn unsigned(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > LONGEST_FILE {
        return Err(unusable(path, "too long"));
    }
    std::fs::read(path).map_err(unreadable)
}

fn unusable(path: &Path, what: &str) -> ConfigError {
    ConfigError::Malformed { path: path.into(), reason: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const SAML: &str = "[[identities.saml]]\nissuer='i'\ncertificates=['@']\naudience='a'\nrecipient='r'\n\
                        attribute='groups'\nroles={ doctors='reader' }\n";

    #[test]
    fn issuers_are_read_with_their_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("idp.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        std::fs::write(&path, certificate.pem()).unwrap();
        let config = Config::parse(&SAML.replace('@', path.to_str().unwrap())).unwrap();
        let federation = config.identities.federation().unwrap();
        assert_eq!(federation.saml[0].keys, [PublicKey::P256(key.public_key_raw().to_vec())]);
        assert_eq!(federation.saml[0].roles.roles["doctors"], "reader");
        assert!(Config::parse(SAML).unwrap().identities.federation().is_err(), "no such file");
        std::fs::write(&path, "x").unwrap();
        assert!(config.identities.federation().is_err());
    }

    #[test]
    fn nobody_is_trusted_unless_named() {
        let none = Config::default().identities.federation().unwrap();
        assert!(none.saml.is_empty());
        assert!(Config::parse("[[identities.saml]]\nissuer='i'\ntrust_all=true").is_err());
    }
}
