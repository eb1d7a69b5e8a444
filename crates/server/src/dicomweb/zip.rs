//! A zip archive written as its files come: stored, not compressed, ZIP64 where needed.
//!
//! Sizes and checksums follow each file in a data descriptor, so nothing is read twice.
//! Names are ours. (PKWARE APPNOTE 6.3.10, sections 4.3.7 to 4.3.16.)

use crc32fast::Hasher;

/// A file that may grow to this is described with 64-bit sizes.
const LARGE: u64 = u32::MAX as u64;
/// More files than this need a ZIP64 end record.
const MANY: usize = u16::MAX as usize;
/// General purpose flags: sizes follow the data (bit 3).
const FLAGS: u16 = 1 << 3;
/// Version needed: 4.5 for ZIP64, 2.0 otherwise.
const VERSION_64: u16 = 45;
const VERSION: u16 = 20;
/// 1 January 1980: the format has no way to say "not told".
const DOS_DATE: u16 = 1 << 5 | 1;

/// Writes a zip archive piece by piece; each call gives the bytes that come next.
#[derive(Default)]
pub struct ZipWriter {
    offset: u64,
    files: Vec<File>,
    checksum: Hasher,
    size: u64,
}

struct File {
    name: String,
    offset: u64,
    size: u64,
    checksum: u32,
    large: bool,
}

impl ZipWriter {
    /// Begins a file that will have about so many bytes.
    pub fn begin(&mut self, name: &str, about_bytes: u64) -> Vec<u8> {
        let large = about_bytes >= LARGE / 2;
        let unknown = if large { u32::MAX } else { 0 };
        let mut out = Record::new(0x0403_4b50);
        out.u16(if large { VERSION_64 } else { VERSION }).u16(FLAGS).u16(0).u16(0).u16(DOS_DATE);
        out.u32(0).u32(unknown).u32(unknown);
        out.u16(u16::try_from(name.len()).unwrap_or(0)).u16(if large { 20 } else { 0 });
        out.bytes(name.as_bytes());
        if large {
            out.u16(1).u16(16).u64(0).u64(0);
        }
        self.files.push(File { name: name.to_owned(), offset: self.offset, size: 0, checksum: 0, large });
        self.checksum = Hasher::new();
        self.size = 0;
        self.passed(out)
    }

    /// Takes note of bytes of the file; they themselves come next in the archive.
    pub fn data(&mut self, bytes: &[u8]) {
        self.checksum.update(bytes);
        self.size += bytes.len() as u64;
        self.offset += bytes.len() as u64;
    }

    /// Ends the file.
    pub fn end(&mut self) -> Vec<u8> {
        let checksum = std::mem::take(&mut self.checksum).finalize();
        let size = self.size;
        let mut out = Record::new(0x0807_4b50);
        out.u32(checksum);
        if let Some(file) = self.files.last_mut() {
            (file.size, file.checksum) = (size, checksum);
            if file.large {
                out.u64(size).u64(size);
            } else {
                out.u32(low(size)).u32(low(size));
            }
        }
        self.passed(out)
    }

    /// Ends the archive: the central directory.
    pub fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        for file in &self.files {
            out.extend(file.central());
        }
        let (start, size, count) = (self.offset, out.len() as u64, self.files.len());
        if start + size >= LARGE || count >= MANY {
            let mut end = Record::new(0x0606_4b50);
            end.u64(44).u16(VERSION_64).u16(VERSION_64).u32(0).u32(0);
            end.u64(count as u64).u64(count as u64).u64(size).u64(start);
            let mut locator = Record::new(0x0706_4b50);
            locator.u32(0).u64(start + size).u32(1);
            out.extend(end.0);
            out.extend(locator.0);
        }
        let mut end = Record::new(0x0605_4b50);
        let files = u16::try_from(count).unwrap_or(u16::MAX);
        end.u16(0).u16(0).u16(files).u16(files).u32(low(size)).u32(low(start)).u16(0);
        out.extend(end.0);
        out
    }

    fn passed(&mut self, record: Record) -> Vec<u8> {
        self.offset += record.0.len() as u64;
        record.0
    }
}

impl File {
    fn central(&self) -> Vec<u8> {
        let far = self.large || self.offset >= LARGE;
        let mut out = Record::new(0x0201_4b50);
        let version = if far { VERSION_64 } else { VERSION };
        out.u16(version).u16(version).u16(FLAGS).u16(0).u16(0).u16(DOS_DATE).u32(self.checksum);
        let all = u32::MAX;
        if far {
            out.u32(all).u32(all)
        } else {
            out.u32(low(self.size)).u32(low(self.size))
        };
        out.u16(u16::try_from(self.name.len()).unwrap_or(0)).u16(if far { 28 } else { 0 }).u16(0).u16(0).u16(0).u32(0);
        out.u32(if far { all } else { low(self.offset) });
        out.bytes(self.name.as_bytes());
        if far {
            out.u16(1).u16(24).u64(self.size).u64(self.size).u64(self.offset);
        }
        out.0
    }
}

/// The value, or all ones where a ZIP64 field says it.
fn low(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

struct Record(Vec<u8>);

impl Record {
    fn new(signature: u32) -> Record {
        Record(signature.to_le_bytes().to_vec())
    }

    fn u16(&mut self, value: u16) -> &mut Record {
        self.bytes(&value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Record {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Record {
        self.bytes(&value.to_le_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Record {
        self.0.extend_from_slice(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::*;

    fn read_back(files: &[(&str, &[u8], u64)]) -> Vec<(String, Vec<u8>)> {
        let mut writer = ZipWriter::default();
        let mut bytes = Vec::new();
        for (name, data, about) in files {
            bytes.extend(writer.begin(name, *about));
            writer.data(data);
            bytes.extend_from_slice(data);
            bytes.extend(writer.end());
        }
        bytes.extend(writer.finish());
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        (0..archive.len())
            .map(|at| {
                let mut file = archive.by_index(at).unwrap();
                let mut data = Vec::new();
                file.read_to_end(&mut data).unwrap();
                (file.name().to_owned(), data)
            })
            .collect()
    }

    #[test]
    fn another_reader_reads_it() {
        let files: [(&str, &[u8], u64); 3] =
            [("DICOM/00000001", b"one", 3), ("DICOM/00000002", b"", 0), ("DICOM/00000003", &[7; 70_000], u64::MAX)];
        let read = read_back(&files);
        assert_eq!(read.len(), 3);
        for ((name, data), (wanted, bytes, _)) in read.iter().zip(files) {
            assert_eq!((name.as_str(), data.as_slice()), (wanted, bytes));
        }
    }

    #[test]
    fn more_files_than_16_bits_count() {
        let files: Vec<(&str, &[u8], u64)> = (0..70_000).map(|_| ("x", b"".as_slice(), 0)).collect();
        let mut writer = ZipWriter::default();
        let mut bytes = Vec::new();
        for (name, _, about) in &files {
            bytes.extend(writer.begin(name, *about));
            bytes.extend(writer.end());
        }
        bytes.extend(writer.finish());
        assert!(memchr::memmem::find(&bytes, &0x0606_4b50_u32.to_le_bytes()).is_some());
        assert!(zip::ZipArchive::new(Cursor::new(bytes)).is_ok());
    }
}
