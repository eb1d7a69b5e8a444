//! What there is to import below the paths named.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dicomdir;
use super::zip_file::ZipFile;
use crate::cli::walk::walk;

/// Something that may be a DICOM instance.
#[derive(Clone)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// When the file is a zip file: the entry in it.
    pub within: Option<Entry>,
    /// Its bytes, as far as the file system or the zip file says.
    pub bytes: u64,
    /// When the file was modified, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// When the file or what is said of it was changed, in nanoseconds since 1970.
    pub changed_ns: i64,
}

/// An entry of a zip file.
#[derive(Clone)]
pub struct Entry {
    /// The zip file, open.
    pub zip: Arc<ZipFile>,
    /// Which entry.
    pub index: usize,
}

/// What was found.
#[derive(Default)]
pub struct Found {
    /// What to import, in the order of the paths.
    pub sources: Vec<Source>,
    /// What cannot be looked at, and why.
    pub refused: Vec<(String, String)>,
}

impl Source {
    fn new(path: &Path, metadata: &fs::Metadata) -> Source {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Source {
            path: path.to_owned(),
            within: None,
            bytes: metadata.len(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// How reports call it. A name inside a zip file is shown, never used as a path.
    pub fn name(&self) -> String {
        let path = self.path.display();
        self.within.as_ref().map_or_else(|| path.to_string(), |entry| format!("{path}!{}", entry.zip.name(entry.index)))
    }

    /// The number of its entry in a zip file.
    pub fn entry(&self) -> Option<usize> {
        self.within.as_ref().map(|entry| entry.index)
    }
}

/// Walks folders, opens zip files and DICOMDIRs.
pub fn discover(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        if path.is_file() && is_dicomdir(path) {
            found.media(path, true);
            continue;
        }
        let walked = walk(std::slice::from_ref(path));
        found.refused.extend(walked.unreadable.into_iter().map(|(path, why)| (path.display().to_string(), why)));
        for file in walked.files {
            found.file(&file);
        }
    }
    found
}

impl Found {
    fn file(&mut self, path: &Path) {
        if is_dicomdir(path) {
            self.media(path, false);
        } else if is_zip(path) {
            self.zip(path);
        } else {
            self.plain(path);
        }
    }

    fn plain(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) => self.sources.push(Source::new(path, &metadata)),
            Err(error) => self.refuse(path, error.to_string()),
        }
    }

    /// What a DICOMDIR references. Met on a walk it adds nothing, as the walk finds all
    /// files; but a file it names and that is not there is missed.
    fn media(&mut self, path: &Path, alone: bool) {
        match dicomdir::read(path) {
            Ok(media) => {
                for (name, reason) in media.refused {
                    self.refused.push((format!("{}: {name}", path.display()), reason));
                }
                for file in media.files.iter().filter(|_| alone) {
                    self.plain(file);
                }
            }
            Err(reason) => self.refuse(path, reason),
        }
    }

    fn zip(&mut self, path: &Path) {
        // Its times are taken before it is opened: a change in between is seen the next time.
        let opened = fs::metadata(path).map_err(|error| error.to_string());
        match opened.and_then(|metadata| Ok((metadata, Arc::new(ZipFile::open(path)?)))) {
            Ok((metadata, zip)) => {
                let whole = Source::new(path, &metadata);
                self.sources.extend(zip.entries().into_iter().map(|(index, bytes)| {
                    let within = Some(Entry { zip: zip.clone(), index });
                    Source { within, bytes, ..whole.clone() }
                }));
            }
            Err(reason) => self.refuse(path, reason),
        }
    }

    fn refuse(&mut self, path: &Path, reason: String) {
        self.refused.push((path.display().to_string(), reason));
    }
}

fn is_dicomdir(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"))
}

/// Whether the file begins as a zip file does, whatever its name.
fn is_zip(path: &Path) -> bool {
    let mut front = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut front));
    read.is_ok() && (front == *b"PK\x03\x04" || front == *b"PK\x05\x06")
}
