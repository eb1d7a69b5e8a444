//! The log's files: where they are, open handles, reading. Shared by all who read.

use std::collections::HashMap;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

use super::record::MAX_HEADER_BYTES;
use super::{Header, Location, LogError};

/// Segments kept open for reading.
const OPEN_SEGMENTS: usize = 256;

/// The directories of a log and the segments open for reading.
#[derive(Debug)]
pub(super) struct Files {
    log: PathBuf,
    objects: PathBuf,
    segments: RwLock<HashMap<u32, Arc<File>>>,
}

impl Files {
    /// The files of a data directory, which are left as they are.
    pub fn of(data_dir: &Path) -> Files {
        Files { log: data_dir.join("log"), objects: data_dir.join("objects"), segments: RwLock::default() }
    }

    /// Makes the directories where they are not, mode 0700, durable.
    pub fn make_directories(&self) -> Result<(), LogError> {
        for directory in [&self.log, &self.objects] {
            if directory.is_dir() {
                continue;
            }
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(LogError::io("cannot make", directory))?;
            sync_directory(directory.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    /// The directory of segments.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The directory of objects.
    pub fn objects(&self) -> &Path {
        &self.objects
    }

    /// The path of a segment.
    pub fn segment_path(&self, number: u32) -> PathBuf {
        self.log.join(format!("{number:08}.seg"))
    }

    /// The path of a spilled object, once a record refers to it.
    pub fn object_path(&self, name: &[u8; 16]) -> PathBuf {
        self.objects.join(format!("{}.obj", hex::encode(name)))
    }

    /// The path of a spilled object that no record is known to refer to.
    pub fn new_object_path(&self, name: &[u8; 16]) -> PathBuf {
        self.objects.join(format!("{}.new", hex::encode(name)))
    }

    /// Numbers of all segments, ascending.
    pub fn segment_numbers(&self) -> Result<Vec<u32>, LogError> {
        let entries = match std::fs::read_dir(&self.log) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LogError::io("cannot list", &self.log)(error)),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(LogError::io("cannot list", &self.log))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".seg"));
            numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A segment open for reading.
    pub fn segment(&self, number: u32) -> Result<Arc<File>, LogError> {
        if let Some(file) = self.segments.read().get(&number) {
            return Ok(Arc::clone(file));
        }
        let path = self.segment_path(number);
        let file = Arc::new(File::open(&path).map_err(LogError::io("cannot open", &path))?);
        let mut segments = self.segments.write();
        if segments.len() >= OPEN_SEGMENTS {
            segments.clear();
        }
        segments.insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// A spilled object open for reading; [`LogError::Erased`] when it is gone.
    pub fn object(&self, name: &[u8; 16]) -> Result<File, LogError> {
        for path in [self.object_path(name), self.new_object_path(name)] {
            match File::open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => return opened.map_err(LogError::io("cannot open", &path)),
            }
        }
        // Renamed between the two looks.
        match File::open(self.object_path(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(LogError::Erased),
            opened => opened.map_err(LogError::io("cannot open", &self.objects)),
        }
    }

    /// The header of the record there.
    pub fn header(&self, location: Location) -> Result<Header, LogError> {
        let file = self.segment(location.segment)?;
        let bytes = read_up_to(&file, location.offset, MAX_HEADER_BYTES)
            .map_err(LogError::io("cannot read", &self.segment_path(location.segment)))?;
        Header::decode(&bytes).ok_or(LogError::Damaged { location, what: "the header of the record" })
    }

    /// File and first byte of a part.
    pub fn part(&self, location: Location, header: &Header, part: usize) -> Result<(Arc<File>, u64), LogError> {
        match header.parts.get(part).ok_or(LogError::OutOfRange)?.object {
            None => Ok((self.segment(location.segment)?, location.offset.saturating_add(header.part_offset(part)))),
            Some(name) => Ok((Arc::new(self.object(&name)?), 0)),
        }
    }
}

/// Reads exactly `bytes` bytes from `offset` on; a file that ends before is an error and no
/// reason to allocate for what it says.
pub(super) fn read_exact(file: &File, offset: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if offset.checked_add(bytes).is_none_or(|end| end > length) {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let mut out = vec![0; usize::try_from(bytes).map_err(|_| ErrorKind::OutOfMemory)?];
    file.read_exact_at(&mut out, offset)?;
    Ok(out)
}

/// Reads up to that many bytes, fewer only at the end of the file.
pub(super) fn read_up_to(file: &File, offset: u64, bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut out = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match file.read_at(&mut out[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.truncate(filled);
    Ok(out)
}

/// Makes new names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), LogError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(LogError::io("cannot sync", path))
}
