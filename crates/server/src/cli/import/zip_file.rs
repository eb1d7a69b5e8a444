//! A zip file as a source: bounded, and no name in it is ever a path.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;

/// Entries of one zip file.
const MAX_ENTRIES: usize = 2_000_000;
/// Bytes of one entry when inflated.
const MAX_ENTRY_BYTES: u64 = 16 << 30;
/// How many times an entry may grow, once it is larger than [`RATIO_FROM`]: empty images
/// compress extremely well.
const MAX_RATIO: u64 = 250;
const RATIO_FROM: u64 = 64 << 20;

/// An open zip file. Many entries of it may be read at once.
pub struct ZipFile {
    archive: ZipArchive<At>,
}

impl ZipFile {
    /// Opens it and reads its directory.
    pub fn open(path: &Path) -> Result<ZipFile, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        let at = At { file: Arc::new(file), position: 0, length };
        let archive = ZipArchive::new(at).map_err(|error| format!("not a zip file: {error}"))?;
        if archive.len() > MAX_ENTRIES {
            return Err(format!("a zip file of more than {MAX_ENTRIES} entries"));
        }
        Ok(ZipFile { archive })
    }

    /// The entries that are files, and what they say they grow to.
    pub fn entries(&self) -> Vec<(usize, u64)> {
        let mut archive = self.reader();
        let sizes = (0..archive.len()).map(|index| match archive.by_index_raw(index) {
            Ok(entry) if entry.is_dir() => None,
            Ok(entry) => Some((index, entry.size().min(MAX_ENTRY_BYTES))),
            Err(_) => Some((index, 0)),
        });
        sizes.flatten().collect()
    }

    /// An entry's name, to be shown.
    pub fn name(&self, index: usize) -> String {
        let name = self.archive.name_for_index(index).unwrap_or_default();
        name.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    /// Hands an entry to `read`, within bounds.
    pub fn read<T>(&self, index: usize, read: impl FnOnce(&mut dyn Read) -> T) -> Result<T, String> {
        let mut archive = self.reader();
        let entry = archive.by_index(index).map_err(|error| format!("in the zip file: {error}"))?;
        if entry.is_symlink() {
            return Err("a link inside a zip file".into());
        }
        let allowed = MAX_ENTRY_BYTES.min(RATIO_FROM.max(entry.compressed_size().saturating_mul(MAX_RATIO)));
        Ok(read(&mut Bounded { entry, left: allowed }))
    }

    /// The same zip file, with a place in it of its own; the directory is shared.
    fn reader(&self) -> ZipArchive<At> {
        self.archive.clone()
    }
}

/// Bytes of an entry, to a bound.
struct Bounded<R> {
    entry: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.entry.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other("it inflates without bound"))?;
        Ok(count)
    }
}

/// A file read at a place of one's own.
#[derive(Clone)]
struct At {
    file: Arc<File>,
    position: u64,
    length: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use zip::write::SimpleFileOptions;

    #[test]
    fn entries_are_read_within_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.zip");
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        writer.add_directory("folder", SimpleFileOptions::default()).unwrap();
        writer.start_file("../../escape", SimpleFileOptions::default()).unwrap();
        writer.write_all(b"small").unwrap();
        writer.start_file("bomb", SimpleFileOptions::default()).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..RATIO_FROM >> 20 {
            writer.write_all(&zeros).unwrap();
        }
        writer.write_all(b"one more").unwrap();
        writer.finish().unwrap();

        let zip = ZipFile::open(&path).unwrap();
        let entries = zip.entries();
        assert_eq!(entries.len(), 2);
        assert_eq!(zip.name(entries[0].0), "../../escape");
        let mut small = Vec::new();
        zip.read(entries[0].0, |entry| entry.read_to_end(&mut small)).unwrap().unwrap();
        assert_eq!(small, b"small");
        let ended = zip.read(entries[1].0, |entry| io::copy(entry, &mut io::sink())).unwrap();
        assert!(ended.is_err());
    }
}
