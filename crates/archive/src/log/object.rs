//! Parts too large for a segment: a file each, in `data_dir/objects/`.
//!
//! A file is born `<random>.new`; once the record that refers to it is durable it becomes
//! `.obj`. The renames are made durable before the next checkpoint or segment, so that the
//! few records walked at start tell for every `.new` file whether it is referred to.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::files::{Files, sync_directory};
use super::{LogError, RecordId};
use crate::digest::Digest;

/// A file being written. Dropped before [`SpillFile::sync`], it is removed.
pub struct SpillFile {
    file: File,
    object: SpilledObject,
}

impl SpillFile {
    pub(super) fn create(files: &Arc<Files>) -> Result<SpillFile, LogError> {
        let name = RecordId::random().map_err(|_| LogError::Seal(crate::seal::SealError::Broken))?.0;
        let path = files.new_object_path(&name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(LogError::io("cannot create", &path))?;
        let object = SpilledObject { files: Arc::clone(files), name, path, bytes: 0, digest: [0; 32], kept: false };
        Ok(SpillFile { file, object })
    }

    /// Appends sealed bytes.
    pub fn write(&mut self, sealed: &[Vec<u8>]) -> Result<(), LogError> {
        for piece in sealed {
            self.file.write_all(piece).map_err(LogError::io("cannot write", &self.object.path))?;
            self.object.bytes += piece.len() as u64;
        }
        Ok(())
    }

    /// Makes file and name durable; `digest` is that of all bytes written. What it gives goes
    /// into a record; dropped without being appended, the file is removed.
    pub fn sync(mut self, digest: Digest) -> Result<SpilledObject, LogError> {
        self.file.sync_all().map_err(LogError::io("cannot sync", &self.object.path))?;
        sync_directory(self.object.files.objects())?;
        self.object.digest = digest;
        Ok(self.object)
    }
}

/// A durable file of sealed bytes that a record may refer to. Dropped without having been
/// appended, it is removed.
#[derive(Debug)]
pub struct SpilledObject {
    files: Arc<Files>,
    name: [u8; 16],
    path: PathBuf,
    bytes: u64,
    digest: Digest,
    kept: bool,
}

impl SpilledObject {
    /// Sealed bytes in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Their digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub(super) fn name(&self) -> [u8; 16] {
        self.name
    }

    /// From now on a record may refer to it: it is not removed, whatever happens.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    /// The record that refers to it is durable.
    pub(super) fn settle(&self) -> Result<(), LogError> {
        let path = self.files.object_path(&self.name);
        std::fs::rename(&self.path, &path).map_err(LogError::io("cannot rename to", &path))
    }
}

impl Drop for SpilledObject {
    fn drop(&mut self) {
        if !self.kept && std::fs::remove_file(&self.path).is_err() {
            tracing::debug!("an abandoned object file is left for the next start to remove");
        }
    }
}

/// Settles the `.new` files that `referred` names and removes the others; how many went.
pub(super) fn sweep(files: &Files, referred: &[[u8; 16]]) -> Result<u64, LogError> {
    let io = |what| LogError::io(what, files.objects());
    let (mut swept, mut settled) = (0, 0);
    for entry in std::fs::read_dir(files.objects()).map_err(io("cannot list"))? {
        let path = entry.map_err(io("cannot list"))?.path();
        if path.extension().is_none_or(|extension| extension != "new") {
            continue;
        }
        match referred.iter().find(|name| files.new_object_path(name) == path) {
            Some(name) => {
                std::fs::rename(&path, files.object_path(name)).map_err(io("cannot rename in"))?;
                settled += 1;
            }
            None => {
                std::fs::remove_file(&path).map_err(io("cannot remove from"))?;
                swept += 1;
            }
        }
    }
    if swept + settled > 0 {
        sync_directory(files.objects())?;
    }
    Ok(swept)
}
