//! How studies are called in the server's own log: never by their UIDs, which lead to a
//! patient, but by a keyed hash that is the same for the same study in every line.

use aws_lc_rs::hmac;
use leadglass_dicom::StudyInstanceUid;

/// Makes the names. Clones make the same.
#[derive(Clone)]
pub struct StudyNames {
    key: hmac::Key,
}

impl StudyNames {
    /// By that secret.
    pub fn new(secret: &[u8]) -> StudyNames {
        StudyNames { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// The log's name of a study.
    pub fn name(&self, study: &StudyInstanceUid) -> String {
        let tag = hmac::sign(&self.key, study.as_str().as_bytes());
        hex::encode(tag.as_ref().get(..8).unwrap_or_default())
    }
}
