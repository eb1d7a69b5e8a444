//! The keyring: data keys and named secrets, wrapped by the master key.
//!
//! Keys stay wrapped in memory until asked for. New ones are appended; destroying one and
//! changing the master key write the whole file anew beside the old and rename it over it,
//! so that there is always one whole keyring.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::keyring_file::{self as disk, EntryKind, Wrap};
use super::master::{Stretch, sync_directory};
use super::{DataKey, KeyError, KeyId, MasterKey, RecoveryKit};
use crate::log::CheckpointKey;
use crate::settings::KeySource;

const FILE: &str = "keyring";
const MAX_SECRET_BYTES: usize = 1 << 20;
/// Names of our own secrets; others' may not begin like that.
const OURS: &str = "leadglass/";
const TRAIL: &str = "leadglass/trail";
const CHANGE: &str = "leadglass/change";
const INDEX: &str = "leadglass/index";
const CHECKPOINT: &str = "leadglass/checkpoint";
/// Bytes of a wrapped data key: nonce, key, tag.
const WRAPPED: usize = 12 + 32 + 16;
/// Bytes of the file that a key takes with its frame, about: keys come in frames of few.
const FRAME_BYTES: usize = 128;

/// Whose key it is: a keyed hash of a patient's or study's name, see [`Keyring::subject_tag`].
pub type SubjectTag = [u8; 16];

/// All keys of an archive. Shared by reference; its methods lock inside and block on disk
/// where they say so.
pub struct Keyring {
    path: PathBuf,
    state: Mutex<State>,
    trail: (KeyId, DataKey),
    change: (KeyId, DataKey),
    index: DataKey,
    checkpoint: DataKey,
}

struct State {
    master: MasterKey,
    stretch: Stretch,
    wrap: Wrap,
    file: File,
    /// Where the next frame goes.
    end: u64,
    keys: HashMap<KeyId, [u8; WRAPPED]>,
    /// Keys that seal what the trail says of somebody, by the tag of who that is.
    subjects: HashMap<SubjectTag, KeyId>,
    /// Subjects whose keys were destroyed since it was opened, and the last record before that.
    destroyed: HashMap<SubjectTag, u64>,
    secrets: HashMap<String, Vec<u8>>,
    /// Entries not yet written.
    pending: Vec<u8>,
    poisoned: bool,
}

impl Keyring {
    /// Opens `data_dir/keyring/`. An archive without records and without keyring gets a
    /// fresh one (and a fresh master key file when the source is an absent file).
    pub fn open_or_create(data_dir: &Path, source: &KeySource) -> Result<Keyring, KeyError> {
        let path = data_dir.join("keyring").join(FILE);
        if !path.exists() {
            if holds_records(data_dir) {
                return Err(KeyError::NoKeyring(path));
            }
            return Keyring::create(path, source);
        }
        Keyring::open_existing(data_dir, source)
    }

    /// Opens `data_dir/keyring/` and makes nothing: for who only looks.
    pub fn open_existing(data_dir: &Path, source: &KeySource) -> Result<Keyring, KeyError> {
        let path = data_dir.join("keyring").join(FILE);
        if !path.exists() {
            return Err(KeyError::NoKeyring(path));
        }
        let bytes = std::fs::read(&path).map_err(KeyError::io("cannot read", &path))?;
        let stretch = disk::decode_header(&path, &bytes)?;
        Keyring::open(path, &bytes, MasterKey::load(source, &stretch)?, stretch)
    }

    /// Opens `data_dir/keyring/` with a master key at hand, from a recovery kit.
    pub fn open_with(data_dir: &Path, master: MasterKey) -> Result<Keyring, KeyError> {
        let path = data_dir.join("keyring").join(FILE);
        let bytes = std::fs::read(&path).map_err(KeyError::io("cannot read", &path))?;
        let stretch = disk::decode_header(&path, &bytes)?;
        Keyring::open(path, &bytes, master, stretch)
    }

    /// Makes a key. Not durable until [`Keyring::persist`].
    pub fn create_key(&self) -> Result<(KeyId, DataKey), KeyError> {
        let (id, key) = (KeyId::random()?, DataKey::random()?);
        let mut state = self.state.lock();
        state.check()?;
        state.put_key(id, &key)?;
        Ok((id, key))
    }

    /// The tag of a subject: keyed, so that the keyring names nobody to who lacks the master key.
    pub fn subject_tag(&self, subject: &[u8]) -> SubjectTag {
        self.tag(b"leadglass trail subject 1", subject)
    }

    /// The tag of a note that is kept outside of log and keyring: only we can have made it.
    pub fn note_tag(&self, note: &[u8]) -> [u8; 16] {
        self.tag(b"leadglass trail note 1", note)
    }

    fn tag(&self, kind: &[u8], of: &[u8]) -> [u8; 16] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.trail.1.secret());
        let mut context = hmac::Context::with_key(&key);
        context.update(kind);
        context.update(of);
        let mut tag = [0; 16];
        tag.copy_from_slice(&context.sign().as_ref()[..16]);
        tag
    }

    /// The key that seals what the trail says of that subject, made when there is none. A
    /// fresh one is not durable until [`Keyring::persist`].
    pub fn subject_key(&self, tag: SubjectTag) -> Result<(KeyId, DataKey), KeyError> {
        let there = self.state.lock().subjects.get(&tag).copied();
        if let Some(id) = there {
            return Ok((id, self.key(id)?));
        }
        let (id, key) = (KeyId::random()?, DataKey::random()?);
        let mut state = self.state.lock();
        state.check()?;
        state.put_key(id, &key)?;
        let name = subject_name(tag, id);
        let sealed = state.wrap.seal(EntryKind::Subject, &name, &[])?;
        disk::encode_entry(EntryKind::Subject, &name, &sealed, &mut state.pending);
        state.subjects.insert(tag, id);
        Ok((id, key))
    }

    /// The id of that subject's key, when it has one.
    pub fn subject(&self, tag: SubjectTag) -> Option<KeyId> {
        self.state.lock().subjects.get(&tag).copied()
    }

    /// Destroys the key of that subject, durable when this returns; says which it was. What
    /// the trail says of the subject from then on is sealed with another. `last` is the last
    /// record that can have been sealed with it.
    pub fn destroy_subject(&self, tag: SubjectTag, last: u64) -> Result<Option<KeyId>, KeyError> {
        let mut state = self.state.lock();
        state.check()?;
        let Some(id) = state.subjects.remove(&tag) else { return Ok(None) };
        state.destroyed.insert(tag, last);
        let removed = state.keys.remove(&id);
        let rewritten = state.rewrite(&self.path);
        if rewritten.is_err() && !state.poisoned {
            state.subjects.insert(tag, id);
            state.destroyed.remove(&tag);
            removed.map(|sealed| state.keys.insert(id, sealed));
        }
        rewritten.map(|()| Some(id))
    }

    /// Whether the key of that subject was destroyed, since this keyring was opened, after that
    /// record was written.
    pub fn was_destroyed(&self, tag: SubjectTag, after: u64) -> bool {
        self.state.lock().destroyed.get(&tag).is_some_and(|last| after <= *last)
    }

    /// Makes the keys created so far durable (one fdatasync, none when nothing is pending).
    /// To be called before the log write that uses them.
    pub fn persist(&self) -> Result<(), KeyError> {
        self.state.lock().persist(&self.path)
    }

    /// The key of that name.
    pub fn key(&self, id: KeyId) -> Result<DataKey, KeyError> {
        if let Some((_, key)) = [&self.trail, &self.change].into_iter().find(|(own, _)| *own == id) {
            return Ok(key.clone());
        }
        let state = self.state.lock();
        let sealed = state.keys.get(&id).ok_or(KeyError::NoSuchKey(id))?;
        let secret = state.wrap.open(EntryKind::Key, &id.to_bytes(), sealed).map_err(|_| self.damaged())?;
        data_key(&secret).ok_or_else(|| self.damaged())
    }

    /// Whether there is such a key; `false` when it was destroyed.
    pub fn has_key(&self, id: KeyId) -> bool {
        id == self.trail.0 || id == self.change.0 || self.state.lock().keys.contains_key(&id)
    }

    /// The names of all data keys, in no order.
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.state.lock().keys.keys().copied().collect()
    }

    /// Destroys a key: the keyring is rewritten without it, durable when this returns.
    pub fn destroy(&self, id: KeyId) -> Result<(), KeyError> {
        let mut state = self.state.lock();
        state.check()?;
        let removed = state.keys.remove(&id).ok_or(KeyError::NoSuchKey(id))?;
        state.subjects.retain(|_, subject| *subject != id);
        let rewritten = state.rewrite(&self.path);
        if rewritten.is_err() && !state.poisoned {
            state.keys.insert(id, removed);
        }
        rewritten
    }

    /// The key that seals trail entries.
    pub fn trail_key(&self) -> (KeyId, DataKey) {
        self.trail.clone()
    }

    /// The key that seals changes (peers, tokens, labels, tombstones).
    pub fn change_key(&self) -> (KeyId, DataKey) {
        self.change.clone()
    }

    /// The key of the index's page encryption.
    pub fn index_key(&self) -> DataKey {
        self.index.clone()
    }

    /// The key that signs checkpoints.
    pub fn checkpoint_key(&self) -> Result<CheckpointKey, KeyError> {
        CheckpointKey::from_seed(self.checkpoint.secret()).ok_or(KeyError::Broken)
    }

    /// Keeps a secret under that name, replacing any before. Durable when it returns.
    pub fn put_secret(&self, name: &str, secret: &[u8]) -> Result<(), KeyError> {
        if name.is_empty() || name.len() > 255 || name.starts_with(OURS) || secret.len() > MAX_SECRET_BYTES {
            return Err(KeyError::SecretLimits);
        }
        let mut state = self.state.lock();
        state.check()?;
        state.put(name, secret)?;
        state.persist(&self.path)
    }

    /// The secret of that name.
    pub fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let state = self.state.lock();
        let Some(sealed) = state.secrets.get(name).filter(|_| !name.starts_with(OURS)) else { return Ok(None) };
        state.wrap.open(EntryKind::Secret, name.as_bytes(), sealed).map(Some).map_err(|_| self.damaged())
    }

    /// Wraps everything with the key of another source, in one atomic rewrite. An absent key
    /// file is made.
    pub fn rotate_master(&self, new: &KeySource) -> Result<(), KeyError> {
        let mut state = self.state.lock();
        state.check()?;
        let stretch = Stretch::fresh()?;
        let master = MasterKey::load_or_create(new, &stretch)?;
        let wrap = Wrap::new(&master, &stretch)?;
        let mut keys = HashMap::with_capacity(state.keys.len());
        for (id, sealed) in &state.keys {
            let secret = state.wrap.open(EntryKind::Key, &id.to_bytes(), sealed).map_err(|_| self.damaged())?;
            let sealed = wrap.seal(EntryKind::Key, &id.to_bytes(), &secret)?;
            keys.insert(*id, sealed.try_into().map_err(|_| KeyError::Broken)?);
        }
        let mut secrets = HashMap::with_capacity(state.secrets.len());
        for (name, sealed) in &state.secrets {
            let secret = state.wrap.open(EntryKind::Secret, name.as_bytes(), sealed).map_err(|_| self.damaged())?;
            secrets.insert(name.clone(), wrap.seal(EntryKind::Secret, name.as_bytes(), &secret)?);
        }
        let old_keys = std::mem::replace(&mut state.keys, keys);
        let old_secrets = std::mem::replace(&mut state.secrets, secrets);
        let old_wrap = std::mem::replace(&mut state.wrap, wrap);
        let old = (std::mem::replace(&mut state.master, master), std::mem::replace(&mut state.stretch, stretch));
        let rewritten = state.rewrite(&self.path);
        if rewritten.is_err() && !state.poisoned {
            (state.keys, state.secrets, state.wrap) = (old_keys, old_secrets, old_wrap);
            (state.master, state.stretch) = old;
        }
        rewritten
    }

    /// The master key as text for paper.
    pub fn recovery_kit(&self) -> RecoveryKit {
        RecoveryKit::of(&self.state.lock().master)
    }

    fn create(path: PathBuf, source: &KeySource) -> Result<Keyring, KeyError> {
        let stretch = Stretch::fresh()?;
        let master = MasterKey::load_or_create(source, &stretch)?;
        let directory = path.parent().unwrap_or(Path::new(".")).to_owned();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(KeyError::io("cannot make", &directory))?;
        sync_directory(directory.parent().unwrap_or(Path::new(".")))?;
        let wrap = Wrap::new(&master, &stretch)?;
        let mut entries = Vec::new();
        for name in [TRAIL, CHANGE, INDEX, CHECKPOINT] {
            let secret = Zeroizing::new([KeyId::random()?.to_bytes().as_slice(), DataKey::random()?.secret()].concat());
            let sealed = wrap.seal(EntryKind::Secret, name.as_bytes(), &secret)?;
            disk::encode_entry(EntryKind::Secret, name.as_bytes(), &sealed, &mut entries);
        }
        let bytes = [disk::encode_header(&stretch, &wrap)?, disk::encode_frame(&entries)].concat();
        replace(&path, &bytes)?;
        Keyring::open(path, &bytes, master, stretch)
    }

    fn open(path: PathBuf, bytes: &[u8], master: MasterKey, stretch: Stretch) -> Result<Keyring, KeyError> {
        let wrap = Wrap::new(&master, &stretch)?;
        disk::check_master(bytes, &wrap)?;
        let (mut keys, mut secrets) = (HashMap::with_capacity(bytes.len() / FRAME_BYTES), HashMap::new());
        let (mut subjects, mut forged) = (HashMap::new(), false);
        let end = disk::decode_frames(&path, bytes, &mut |kind, name, sealed| {
            if kind == EntryKind::Secret as u8 {
                secrets.insert(String::from_utf8_lossy(name).into_owned(), sealed.to_vec());
            } else if kind == EntryKind::Subject as u8 {
                let named = name.split_first_chunk().and_then(|(tag, id)| Some((*tag, <[u8; 16]>::try_from(id).ok()?)));
                forged |= named.is_none() || wrap.open(EntryKind::Subject, name, sealed).is_err();
                subjects.extend(named.map(|(tag, id)| (tag, KeyId::from_bytes(id))));
            } else if let (Ok(name), Ok(sealed)) = (name.try_into(), sealed.try_into()) {
                keys.insert(KeyId::from_bytes(name), sealed);
            }
        })?;
        if forged {
            return Err(KeyError::Damaged { path, offset: 0 });
        }
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(KeyError::io("cannot open", &path))?;
        if end < bytes.len() as u64 {
            file.set_len(end).and_then(|()| file.sync_all()).map_err(KeyError::io("cannot trim", &path))?;
        }
        let own = |name: &str| {
            let damaged = || KeyError::Damaged { path: path.clone(), offset: 0 };
            let sealed: &Vec<u8> = secrets.get(name).ok_or_else(damaged)?;
            let secret = wrap.open(EntryKind::Secret, name.as_bytes(), sealed)?;
            let (id, key) = secret.split_first_chunk::<16>().ok_or_else(damaged)?;
            Ok::<_, KeyError>((KeyId::from_bytes(*id), data_key(key).ok_or_else(damaged)?))
        };
        let (trail, change, index, checkpoint) = (own(TRAIL)?, own(CHANGE)?, own(INDEX)?.1, own(CHECKPOINT)?.1);
        let destroyed = HashMap::new();
        let pending = Vec::new();
        let state =
            State { master, stretch, wrap, file, end, keys, subjects, destroyed, secrets, pending, poisoned: false };
        Ok(Keyring { path, state: Mutex::new(state), trail, change, index, checkpoint })
    }

    fn damaged(&self) -> KeyError {
        KeyError::Damaged { path: self.path.clone(), offset: 0 }
    }
}

impl State {
    fn check(&self) -> Result<(), KeyError> {
        if self.poisoned { Err(KeyError::Poisoned) } else { Ok(()) }
    }

    fn put_key(&mut self, id: KeyId, key: &DataKey) -> Result<(), KeyError> {
        let sealed = self.wrap.seal(EntryKind::Key, &id.to_bytes(), key.secret())?;
        disk::encode_entry(EntryKind::Key, &id.to_bytes(), &sealed, &mut self.pending);
        self.keys.insert(id, sealed.try_into().map_err(|_| KeyError::Broken)?);
        Ok(())
    }

    fn put(&mut self, name: &str, secret: &[u8]) -> Result<(), KeyError> {
        let sealed = self.wrap.seal(EntryKind::Secret, name.as_bytes(), secret)?;
        disk::encode_entry(EntryKind::Secret, name.as_bytes(), &sealed, &mut self.pending);
        self.secrets.insert(name.to_owned(), sealed);
        Ok(())
    }

    /// Writes what is pending as one frame. A write that fails is never tried again: what
    /// the disk holds is then unknown.
    fn persist(&mut self, path: &Path) -> Result<(), KeyError> {
        self.check()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        let frame = disk::encode_frame(&self.pending);
        let written = self.file.write_all_at(&frame, self.end).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            self.poisoned = true;
            return Err(KeyError::Io { what: "cannot write", path: path.to_owned(), source });
        }
        self.end += frame.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Writes everything to a new file, renames it over the old, wipes the old.
    fn rewrite(&mut self, path: &Path) -> Result<(), KeyError> {
        let mut bytes = disk::encode_header(&self.stretch, &self.wrap)?;
        let mut entries = Vec::with_capacity(self.keys.len() * (WRAPPED + 22));
        for (name, sealed) in &self.secrets {
            disk::encode_entry(EntryKind::Secret, name.as_bytes(), sealed, &mut entries);
        }
        for (id, sealed) in &self.keys {
            disk::encode_entry(EntryKind::Key, &id.to_bytes(), sealed, &mut entries);
        }
        for (tag, id) in &self.subjects {
            let name = subject_name(*tag, *id);
            let sealed = self.wrap.seal(EntryKind::Subject, &name, &[])?;
            disk::encode_entry(EntryKind::Subject, &name, &sealed, &mut entries);
        }
        bytes.extend_from_slice(&disk::encode_frame(&entries));
        // From here on the disk may hold either: only success lets the keyring go on.
        let old_bytes = self.end;
        self.poisoned = true;
        let new = replace(path, &bytes)?;
        self.poisoned = false;
        let old = std::mem::replace(&mut self.file, new);
        self.end = bytes.len() as u64;
        self.pending.clear();
        wipe(&old, old_bytes);
        Ok(())
    }
}

fn subject_name(tag: SubjectTag, id: KeyId) -> Vec<u8> {
    [tag, id.to_bytes()].concat()
}

/// Overwrites the blocks of the file no longer named, as far as the medium obeys.
fn wipe(old: &File, bytes: u64) {
    let zeros = vec![0; 64 * 1024];
    let mut at = 0;
    while at < bytes {
        let piece = &zeros[..zeros.len().min((bytes - at) as usize)];
        if old.write_all_at(piece, at).is_err() {
            return;
        }
        at += piece.len() as u64;
    }
    if old.sync_data().is_err() {
        tracing::warn!("the keyring's old blocks could not be wiped");
    }
}

/// Puts `bytes` at `path` so that after a power cut there is the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<File, KeyError> {
    let fresh = path.with_extension("new");
    let io = |what| KeyError::io(what, &fresh);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(io("cannot create"))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io("cannot write"))?;
    std::fs::rename(&fresh, path).map_err(io("cannot rename"))?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    Ok(file)
}

fn data_key(secret: &[u8]) -> Option<DataKey> {
    secret.try_into().ok().map(DataKey::from_bytes)
}

/// Whether the log has a segment.
fn holds_records(data_dir: &Path) -> bool {
    std::fs::read_dir(data_dir.join("log")).is_ok_and(|mut entries| entries.next().is_some())
}

#[cfg(test)]
mod tests;
