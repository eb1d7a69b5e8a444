//! Containers in which images travel and rest, told by their first bytes (PS3.17 YYYY names
//! ZIP, TAR and gzip for exchange; the others are what backups are made of).

/// Bytes to look at.
pub(super) const MAGIC: usize = 512;
/// Where an ISO 9660 volume descriptor says so.
pub(super) const ISO_OFFSET: u64 = 32_769;
/// What it says.
pub(super) const ISO_MAGIC: &[u8] = b"CD001";

/// The kind's name in the catalogue; `None` for what is no container.
pub(super) fn container(start: &[u8]) -> Option<&'static str> {
    const MAGICS: [(&[u8], &str); 14] = [
        (b"PK\x03\x04", "zip"),
        (b"PK\x05\x06", "zip"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"Rar!\x1a\x07", "rar"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"TAPE", "mssql-backup"),
        (b"PGDMP", "postgresql-dump"),
        (b"CMDb", "heidelberg-e2e"),
        (b"conectix", "virtual-disk"),
        (b"KDMV", "virtual-disk"),
        (b"QFI\xfb", "virtual-disk"),
    ];
    if start.get(257..262) == Some(b"ustar") {
        return Some("tar");
    }
    MAGICS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_by_magic() {
        let mut tar = vec![0; MAGIC];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(container(&tar), Some("tar"));
        assert_eq!(container(b"PK\x03\x04rest"), Some("zip"));
        assert_eq!(container(b"CMDb"), Some("heidelberg-e2e"));
        assert_eq!(container(b"PLANTED^JANE"), None);
        assert_eq!(container(b""), None);
    }
}
