//! The seal: everything at rest is encrypted, and the keys live apart from what they open.
//!
//! One [`DataKey`] per study (and one each for trail, changes and index), wrapped by the
//! [`MasterKey`] in the [`Keyring`]; a key of its own for every sealed part, derived from
//! the data key and a random salt; AES-256-GCM in chunks, so that a frame is read by
//! opening its chunks alone. Destroying a data key makes everything sealed with it
//! unreadable, which is how a study is erased.
//!
//! Deliberately absent: an off switch, a choice of algorithms, SQL, and any path or name
//! that came from outside.

mod blob;
mod chunk;
mod key;
mod keyring;
mod keyring_file;
mod master;
mod recovery;

pub(crate) use blob::blob_key;
pub use blob::{Opener, SealContext, SealError, SealedBlob, SealedDigest, Sealer, open_blob, seal_blob};
pub use chunk::{CHUNK_BYTES, SALT_BYTES, TAG_BYTES, plain_bytes, sealed_bytes, sealed_range};
pub(crate) use key::random_bytes;
pub use key::{DataKey, KeyId};
pub use keyring::{Keyring, SubjectTag};
pub use master::{KeyError, MasterKey};
pub use recovery::RecoveryKit;
