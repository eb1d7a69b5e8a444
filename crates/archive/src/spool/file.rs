//! The layout of a spooled object's file.
//!
//! ```text
//! "LGSPOOL1" | id (16) | key id (16) | bytes of the sealed sheet (4, little-endian)
//! sealed sheet | sealed data set
//! ```

use serde::{Deserialize, Serialize};

use crate::seal::{DataKey, KeyId, SALT_BYTES, SealContext, SealError, TAG_BYTES, open_blob, plain_bytes, seal_blob};

const MAGIC: &[u8; 8] = b"LGSPOOL1";
/// Bytes before the sealed sheet.
pub(super) const HEAD_BYTES: usize = 8 + 16 + 16 + 4;
/// Most bytes of a sealed sheet, or of a sealed reason.
pub(super) const MOST_SHEET_BYTES: usize = 16 * 1024;
const SHEET_PART: u8 = 1;
const DATA_SET_PART: u8 = 2;
const REASON_PART: u8 = 3;

/// What is known of an object beside its data set. Sealed with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// Who sent it: the calling AE title.
    pub calling_ae: String,
    /// Affected SOP Class UID.
    pub sop_class: String,
    /// Affected SOP Instance UID.
    pub sop_instance: String,
    /// Transfer syntax of the data set.
    pub transfer_syntax: String,
    /// When its first byte came, nanoseconds since 1970-01-01 UTC; set by the spool.
    pub received_ns: i64,
    /// What its sender showed, where senders are told apart by more than the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
}

/// What a sender showed that nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// SHA-256 of its certificate (DER), lower-case hex.
    pub certificate_sha256: String,
    /// The subject of the certificate, for people; printable.
    pub subject: String,
    /// When the certificate ends, seconds since 1970-01-01 UTC, when that is known.
    pub expires_s: Option<i64>,
    /// The address it came from.
    pub address: Option<std::net::IpAddr>,
}

impl Sheet {
    /// Whose object it is: certificate and title, or nobody in particular. Objects of one
    /// sender share keys, and with no other.
    pub fn sender(&self) -> String {
        match &self.shown {
            Some(shown) => sender_id(&shown.certificate_sha256, &self.calling_ae),
            None => String::new(),
        }
    }
}

/// What a sender is called: 16 hexadecimal digits made of certificate and title.
pub fn sender_id(certificate_sha256: &str, calling_ae: &str) -> String {
    let mut digest = crate::access::secret::sha256_hex(format!("{certificate_sha256} {calling_ae}").as_bytes());
    digest.truncate(16);
    digest
}

/// Why an object was set apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reason {
    pub(super) reason: String,
    pub(super) since_ns: i64,
}

/// The fixed bytes a file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: [u8; 16],
    pub(super) key: KeyId,
    pub(super) sheet_bytes: usize,
}

impl Head {
    /// Reads them; `None` when they are not ours.
    pub(super) fn decode(bytes: &[u8; HEAD_BYTES]) -> Option<Head> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (key, rest) = rest.split_first_chunk::<16>()?;
        let sheet_bytes = usize::try_from(u32::from_le_bytes(rest.try_into().ok()?)).ok()?;
        let smallest = usize::try_from(SALT_BYTES + TAG_BYTES).ok()?;
        let head = Head { id: *id, key: KeyId::from_bytes(*key), sheet_bytes };
        (smallest..=MOST_SHEET_BYTES).contains(&sheet_bytes).then_some(head)
    }

    pub(super) fn data_set_context(&self) -> SealContext {
        context(self.id, DATA_SET_PART)
    }

    /// Opens the sheet.
    pub(super) fn sheet(&self, key: &DataKey, sealed: &[u8]) -> Option<Sheet> {
        let plain = open_blob(key, context(self.id, SHEET_PART), sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// Seals a reason, for a file of its own.
    pub(super) fn seal_reason(&self, key: &DataKey, reason: &Reason) -> Result<Vec<u8>, SealError> {
        let plain = serde_json::to_vec(reason).map_err(|_| SealError::Broken)?;
        Ok(seal_blob(key, context(self.id, REASON_PART), &plain)?.bytes)
    }

    /// Opens a reason.
    pub(super) fn reason(&self, key: &DataKey, sealed: &[u8]) -> Option<Reason> {
        let plain = open_blob(key, context(self.id, REASON_PART), sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// Where the sealed data set begins.
    pub(super) fn data_set_offset(&self) -> u64 {
        (HEAD_BYTES + self.sheet_bytes) as u64
    }

    /// Plain bytes of the data set in a file that long; `None` when none is that long.
    pub(super) fn data_set_bytes(&self, file_bytes: u64) -> Option<u64> {
        plain_bytes(file_bytes.checked_sub(self.data_set_offset())?)
    }
}

/// The bytes of a file before the data set.
pub(super) fn begin(id: [u8; 16], key_id: KeyId, key: &DataKey, sheet: &Sheet) -> Result<Vec<u8>, SealError> {
    let plain = serde_json::to_vec(sheet).map_err(|_| SealError::Broken)?;
    let sealed = seal_blob(key, context(id, SHEET_PART), &plain)?.bytes;
    let bytes = u32::try_from(sealed.len()).ok().filter(|_| sealed.len() <= MOST_SHEET_BYTES);
    let bytes = bytes.ok_or(SealError::Length(sealed.len() as u64))?;
    Ok([MAGIC.as_slice(), &id, &key_id.to_bytes(), &bytes.to_le_bytes(), &sealed].concat())
}

fn context(id: [u8; 16], part: u8) -> SealContext {
    SealContext { kind: 0, part, id }
}
