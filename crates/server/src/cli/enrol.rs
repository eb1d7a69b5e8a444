//! `leadglass enrol`: makes this device a peer of an archive, and keeps it one.
//!
//! The key is made here and never leaves. The archive is known by the fingerprint of its
//! authority that came with the token, before anything is sent to it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use http::StatusCode;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};

use super::output::{Exit, Output};
use crate::client::Client;
use crate::host::write_file;
use crate::tls;
use crate::tls::verify::Fingerprint;

/// Make this device a DICOM peer of an archive, with a key that never leaves it; or renew its
/// certificate.
#[derive(clap::Args, Debug)]
pub struct Enrol {
    /// Where the archive answers over HTTPS.
    #[arg(long, value_name = "HOST:PORT")]
    server: String,
    /// The folder for certificate, key and authority; made when absent, mode 0700.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// SHA-256 of the archive's authority, as it came with the token.
    #[arg(long, value_name = "HEX", required_unless_present = "renew")]
    ca_fingerprint: Option<String>,
    /// The enrolment token.
    #[arg(long, value_name = "TOKEN", conflicts_with = "renew")]
    token: Option<String>,
    /// A file with the enrolment token, instead.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["token", "renew"])]
    token_file: Option<PathBuf>,
    /// Renew the certificate in the folder, by showing it.
    #[arg(long)]
    renew: bool,
}

/// The files of an enrolled device.
struct Files {
    ae: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
}

impl Enrol {
    /// Runs it.
    pub async fn run(self, output: &Output) -> anyhow::Result<Exit> {
        let files = Files::within(&self.out);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("cannot make a key")?;
        let request = CertificateParams::default().serialize_request(&key).context("cannot make a request")?.pem()?;
        let answer = if self.renew {
            files.finish_renewal();
            self.renewed(&files, &request).await?
        } else {
            files.prepare(&self.out)?;
            self.enrolled(&request).await?
        };
        let ae = text(&answer, "ae")?;
        let certificate = &answer["certificate"];
        let fresh = files.fresh();
        write_file(&fresh.key, key.serialize_pem().as_bytes(), 0o600)?;
        write_file(&fresh.certificate, text(certificate, "certificate_pem")?.as_bytes(), 0o644)?;
        files.finish_renewal();
        write_file(&files.authority, text(certificate, "authority_pem")?.as_bytes(), 0o644)?;
        write_file(&files.ae, ae.as_bytes(), 0o644)?;
        let expires = text(certificate, "expires")?;
        let said = format!("this device is {ae}; its certificate in {} ends {expires}", self.out.display());
        let answer = json!({
            "ae": ae, "verbs": answer["verbs"], "expires": expires,
            "cert": files.certificate, "key": files.key, "ca": files.authority,
        });
        output.say(&answer, said)?;
        Ok(Exit::Done)
    }

    async fn enrolled(&self, request: &str) -> anyhow::Result<Value> {
        let fingerprint = fingerprint(self.ca_fingerprint.as_deref().unwrap_or_default())?;
        let client = self.client(tls::client_pinning(fingerprint)?).await?;
        let body = json!({ "token": self.token()?, "request": request });
        let (status, answer) = client.post("/enrol", None, &body).await?;
        accepted(status, answer, "the token is used, over, or wrong; ask for another")
    }

    async fn renewed(&self, files: &Files, request: &str) -> anyhow::Result<Value> {
        let read = |path: &Path| format!("cannot read {}", path.display());
        let chain = CertificateDer::from_pem_file(&files.certificate).with_context(|| read(&files.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).with_context(|| read(&files.key))?;
        let ca = CertificateDer::from_pem_file(&files.authority).with_context(|| read(&files.authority))?;
        let ae = fs::read_to_string(&files.ae).with_context(|| read(&files.ae))?;
        let mut config = tls::client_with(&ca, vec![chain], key)?;
        config.alpn_protocols = vec![tls::RENEWAL_ALPN.to_vec()];
        let body = json!({ "ae": ae.trim(), "request": request });
        let (status, answer) = self.client(config).await?.post("/enrol/renew", None, &body).await?;
        accepted(status, answer, "the certificate is no longer this peer's; ask for an enrolment token")
    }

    async fn client(&self, config: rustls::ClientConfig) -> anyhow::Result<Client> {
        let (host, _) = self.server.rsplit_once(':').context("--server is HOST:PORT")?;
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).context("--server names no host")?;
        let mut found = tokio::net::lookup_host(&self.server).await.context("--server cannot be found")?;
        let address: SocketAddr = found.next().context("--server cannot be found")?;
        Ok(Client::with(address, name, config))
    }

    fn token(&self) -> anyhow::Result<String> {
        match (&self.token, &self.token_file) {
            (Some(token), _) => Ok(token.clone()),
            (None, Some(path)) => {
                let read = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
                Ok(read.trim().to_owned())
            }
            (None, None) => bail!("a token is needed: --token or --token-file"),
        }
    }
}

impl Files {
    fn within(folder: &Path) -> Files {
        Files {
            ae: folder.join("ae-title"),
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            authority: folder.join("ca.pem"),
        }
    }

    /// Where the next key and certificate wait for both to be there.
    fn fresh(&self) -> Files {
        let next = |path: &Path| path.with_extension("pem.next");
        Files { certificate: next(&self.certificate), key: next(&self.key), ..Files::within(Path::new("")) }
    }

    /// Puts the next key and certificate in place once both are there: also those of a renewal
    /// that was cut off in between.
    fn finish_renewal(&self) {
        let fresh = self.fresh();
        let half_done = fresh.certificate.exists() && !fresh.key.exists();
        if fresh.certificate.exists() && (half_done || fs::rename(&fresh.key, &self.key).is_ok()) {
            let _ = fs::rename(&fresh.certificate, &self.certificate);
        }
    }

    /// Makes the folder, and refuses to write over what is there, before the token is used up.
    fn prepare(&self, folder: &Path) -> anyhow::Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
        for path in [&self.certificate, &self.key] {
            ensure!(path.symlink_metadata().is_err(), "{} is there already: name another folder", path.display());
        }
        let probe = folder.join("key.pem.probe");
        write_file(&probe, b"", 0o600).with_context(|| format!("cannot write into {}", folder.display()))?;
        Ok(fs::remove_file(&probe)?)
    }
}

fn fingerprint(text: &str) -> anyhow::Result<Fingerprint> {
    let plain: String = text.chars().filter(|c| *c != ':').collect();
    let mut fingerprint = Fingerprint::default();
    hex::decode_to_slice(plain.trim(), &mut fingerprint).context("--ca-fingerprint is 64 hexadecimal digits")?;
    Ok(fingerprint)
}

fn accepted(status: StatusCode, answer: Value, why: &str) -> anyhow::Result<Value> {
    match status {
        status if status.is_success() => Ok(answer),
        StatusCode::UNAUTHORIZED => bail!("the archive refuses: {why}"),
        status => {
            let said = answer["detail"].as_str().unwrap_or("no reason given");
            bail!("the archive answers {}: {}", status.as_u16(), said.escape_debug())
        }
    }
}

fn text<'a>(answer: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    answer[field].as_str().with_context(|| format!("the archive's answer has no {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_that_was_cut_off_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::within(folder.path());
        let fresh = files.fresh();
        for (old_key, cut_after) in [("old", 0), ("new", 1)] {
            fs::write(&files.key, old_key).unwrap();
            fs::write(&files.certificate, "old").unwrap();
            fs::write(&fresh.certificate, "new").unwrap();
            if cut_after == 0 {
                fs::write(&fresh.key, "new").unwrap();
            }
            files.finish_renewal();
            assert_eq!(fs::read_to_string(&files.key).unwrap(), "new");
            assert_eq!(fs::read_to_string(&files.certificate).unwrap(), "new");
            assert!(!fresh.key.exists() && !fresh.certificate.exists());
        }
        fs::write(&fresh.key, "half").unwrap();
        files.finish_renewal();
        assert_eq!(fs::read_to_string(&files.key).unwrap(), "new", "no certificate came for that key");
    }

    #[test]
    fn a_fingerprint_is_read_with_and_without_colons() {
        assert_eq!(fingerprint("aB:".repeat(32).trim_end_matches(':')).unwrap(), [0xAB; 32]);
        assert!(fingerprint("").is_err() && fingerprint(&"ab".repeat(31)).is_err());
    }
}
