//! The file by which an import remembers what is done.
//!
//! A line is the digest of a source's path, size and times: nothing in it tells of a patient.
//! Beside the time of modification, which anyone may set, it is the time of change, which the
//! file system alone sets: a file whose content may have changed is sent again.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use aws_lc_rs::digest;
use parking_lot::Mutex;

use super::discover::Source;

type Digest = [u8; 32];

/// An open journal.
pub struct Journal {
    file: Mutex<File>,
    done: HashSet<Digest>,
}

impl Journal {
    /// Opens it, making it when absent. A line that was cut off by a crash counts for nothing.
    pub fn open(path: &Path) -> anyhow::Result<Journal> {
        let opened = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path);
        let mut file = opened.with_context(|| format!("cannot open the journal {}", path.display()))?;
        let mut done = HashSet::new();
        let mut whole = true;
        for line in BufReader::new(&file).split(b'\n') {
            let line = line.with_context(|| format!("cannot read the journal {}", path.display()))?;
            let mut digest = Digest::default();
            whole = hex::decode_to_slice(&line, &mut digest).is_ok();
            if whole {
                done.insert(digest);
            }
        }
        if !whole {
            file.write_all(b"\n").with_context(|| format!("cannot write the journal {}", path.display()))?;
        }
        Ok(Journal { file: Mutex::new(file), done })
    }

    /// Whether an earlier run has done it.
    pub fn has(&self, source: &Source) -> bool {
        self.done.contains(&digest_of(source))
    }

    /// Remembers that it is done.
    pub fn note(&self, source: &Source) -> anyhow::Result<()> {
        let line = format!("{}\n", hex::encode(digest_of(source)));
        self.file.lock().write_all(line.as_bytes()).context("cannot write the journal")
    }
}

fn digest_of(source: &Source) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    let path = source.path.as_os_str().as_bytes();
    context.update(&(path.len() as u64).to_be_bytes());
    context.update(path);
    context.update(&source.entry().map_or(u64::MAX, |entry| entry as u64).to_be_bytes());
    context.update(&source.bytes.to_be_bytes());
    context.update(&source.modified_ns.to_be_bytes());
    context.update(&source.changed_ns.to_be_bytes());
    let mut digest = Digest::default();
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(bytes: u64) -> Source {
        Source { path: "/a/file".into(), within: None, bytes, modified_ns: 1, changed_ns: 2 }
    }

    #[test]
    fn what_is_done_is_remembered_and_a_cut_line_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        Journal::open(&path).unwrap().note(&source(1)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"00ff").unwrap();
        let journal = Journal::open(&path).unwrap();
        assert!(journal.has(&source(1)));
        assert!(!journal.has(&source(2)));
        assert!(!journal.has(&Source { changed_ns: 3, ..source(1) }), "written to, its old time set again");
        journal.note(&source(2)).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert!(journal.has(&source(1)) && journal.has(&source(2)));
    }
}
