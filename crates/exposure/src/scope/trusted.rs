//! Certificates that an owner issued or trusts: PEM files beside the scope file, or fingerprints.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::section::{Section, quoted};

/// Largest file of certificates that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// SHA-256 of each certificate and of its public key, or as given.
pub(super) fn read(file: &Section<'_>, folder: &Path) -> Vec<[u8; 32]> {
    let mend = "write the name of a PEM file, or sha256: and 64 hexadecimal digits";
    let mut keys = Vec::new();
    for text in file.texts("trusted", mend) {
        let read = match text.value.strip_prefix("sha256:") {
            Some(digits) => fingerprint(digits).map(|key| vec![key]).ok_or("is no SHA-256"),
            None => certificates(&folder.join(text.value)),
        };
        match read {
            Ok(read) => keys.extend(read),
            Err(mistake) => file.faults.at(text.offset, format!("{} {mistake}", quoted(text.value)), mend),
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn fingerprint(digits: &str) -> Option<[u8; 32]> {
    let digits: String = digits.chars().filter(|digit| *digit != ':').collect();
    let mut key = [0; 32];
    hex::decode_to_slice(digits, &mut key).ok().map(|()| key)
}

fn certificates(path: &Path) -> Result<Vec<[u8; 32]>, &'static str> {
    let mut pem = Vec::new();
    let file = File::open(path).map_err(|_| "cannot be opened")?;
    file.take(MAX_BYTES + 1).read_to_end(&mut pem).map_err(|_| "cannot be read")?;
    if pem.len() as u64 > MAX_BYTES {
        return Err("is larger than 1 MiB");
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|_| "is no PEM file of certificates")?;
    if certificates.is_empty() {
        return Err("holds no certificate");
    }
    let mut keys = Vec::new();
    for certificate in certificates {
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&certificate).map_err(|_| "holds a broken certificate")?;
        keys.extend([sha256(&certificate), sha256(parsed.tbs_certificate.subject_pki.raw)]);
    }
    Ok(keys)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}
