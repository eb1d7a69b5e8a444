//! Who may read, write and pass: mode bits, POSIX ACLs, and the ACLs of Windows where a file
//! system shows them. Only what holds for everybody counts; named grants are counted apart.

use std::os::fd::AsFd;

/// Others may read.
pub(super) const OTHERS_READ: u32 = 0o004;
/// Others may write.
pub(super) const OTHERS_WRITE: u32 = 0o002;
/// Others may pass through a folder.
pub(super) const OTHERS_PASS: u32 = 0o001;
/// Only owners may delete in a folder.
pub(super) const STICKY: u32 = 0o1000;

/// What an access control list adds to the mode bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grants {
    /// Everybody may read, by the list.
    pub everyone: bool,
    /// Named users or groups have rights.
    pub named: bool,
}

/// The POSIX ACL of an open file; `None` when the file system has none at all.
pub(super) fn posix_acl(file: impl AsFd) -> Option<Grants> {
    let mut buffer = [0; 1024];
    match rustix::fs::fgetxattr(file, c"system.posix_acl_access", &mut buffer[..]) {
        Ok(length) => Some(parse_posix_acl(buffer.get(..length).unwrap_or_default())),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => None,
        Err(_) => Some(Grants::default()),
    }
}

/// The security descriptor of an open file on NTFS or CIFS.
pub(super) fn windows_acl(file: impl AsFd) -> Grants {
    let mut buffer = [0; 8192];
    for name in [c"system.ntfs_acl", c"system.cifs_acl"] {
        if let Ok(length) = rustix::fs::fgetxattr(&file, name, &mut buffer[..]) {
            return parse_windows_acl(buffer.get(..length).unwrap_or_default()).unwrap_or_default();
        }
    }
    Grants::default()
}

/// Version 2 of the kernel's form: a version, then entries of tag, permissions, id.
fn parse_posix_acl(acl: &[u8]) -> Grants {
    const USER: u16 = 0x02;
    const GROUP: u16 = 0x08;
    const OTHER: u16 = 0x20;
    let mut grants = Grants::default();
    let Some((version, entries)) = acl.split_first_chunk::<4>() else { return grants };
    if u32::from_le_bytes(*version) != 2 {
        return grants;
    }
    for entry in entries.chunks_exact(8) {
        let tag = u16::from_le_bytes([entry[0], entry[1]]);
        let reads = u16::from_le_bytes([entry[2], entry[3]]) & 4 != 0;
        grants.named |= reads && matches!(tag, USER | GROUP);
        grants.everyone |= reads && tag == OTHER;
    }
    grants
}

/// A self-relative security descriptor (MS-DTYP 2.4.6): whether its DACL lets Everyone,
/// Authenticated Users, Users or Domain Users read. No DACL lets everybody do everything.
fn parse_windows_acl(descriptor: &[u8]) -> Option<Grants> {
    const DACL_PRESENT: u16 = 0x0004;
    let control = u16::from_le_bytes(*descriptor.get(2..)?.first_chunk()?);
    let offset = u32::from_le_bytes(*descriptor.get(16..)?.first_chunk()?) as usize;
    if control & DACL_PRESENT == 0 || offset == 0 {
        return Some(Grants { everyone: true, named: false });
    }
    let acl = descriptor.get(offset..)?;
    let count = u16::from_le_bytes(*acl.get(4..)?.first_chunk()?);
    let mut rest = acl.get(8..)?;
    let mut grants = Grants::default();
    for _ in 0..count {
        let size = usize::from(u16::from_le_bytes(*rest.get(2..)?.first_chunk()?));
        let ace = rest.get(..size.max(8))?;
        match ace_of_everyone(ace) {
            // An entry that denies comes before those that allow.
            Some(false) => return Some(grants),
            Some(true) => grants.everyone = true,
            None => grants.named = true,
        }
        rest = rest.get(size.max(8)..)?;
    }
    Some(grants)
}

/// Whether an entry allows (or denies) reading to everybody; `None` when it is about somebody else.
fn ace_of_everyone(ace: &[u8]) -> Option<bool> {
    // FILE_READ_DATA, GENERIC_READ, GENERIC_ALL.
    const READS: u32 = 0x0000_0001 | 0x8000_0000 | 0x1000_0000;
    let mask = u32::from_le_bytes(*ace.get(4..)?.first_chunk()?);
    let allows = match ace.first()? {
        0 => true,
        1 => false,
        _ => return None,
    };
    (mask & READS != 0 && is_everyone(ace.get(8..)?)).then_some(allows)
}

/// S-1-1-0, S-1-5-11, S-1-5-32-545 and S-1-5-21-…-513.
fn is_everyone(sid: &[u8]) -> bool {
    let Some(([1, count, 0, 0, 0, 0, 0, authority], rest)) = sid.split_first_chunk::<8>() else { return false };
    let mut numbers = [0_u32; 5];
    for (number, bytes) in numbers.iter_mut().zip(rest.chunks_exact(4)) {
        *number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    matches!(
        (*authority, *count, numbers),
        (1, 1, [0, ..]) | (5, 1, [11, ..]) | (5, 2, [32, 545, ..]) | (5, 5, [21, _, _, _, 513])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posix(entries: &[(u16, u16)]) -> Vec<u8> {
        let mut acl = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions) in entries {
            acl.extend(tag.to_le_bytes());
            acl.extend(permissions.to_le_bytes());
            acl.extend(u32::MAX.to_le_bytes());
        }
        acl
    }

    #[test]
    fn named_grants_are_told_from_everybodys() {
        assert_eq!(
            parse_posix_acl(&posix(&[(1, 6), (2, 4), (4, 4), (16, 4), (32, 0)])),
            Grants { everyone: false, named: true }
        );
        assert_eq!(parse_posix_acl(&posix(&[(1, 6), (4, 4), (32, 4)])), Grants { everyone: true, named: false });
        assert_eq!(parse_posix_acl(b"PLANTED"), Grants::default());
    }

    fn descriptor(aces: &[(u8, u32, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0];
        bytes.extend([2, 0, 0, 0]);
        bytes.extend(u16::try_from(aces.len()).unwrap().to_le_bytes());
        bytes.extend([0, 0]);
        for (kind, mask, sid) in aces {
            bytes.extend([*kind, 0]);
            bytes.extend(u16::try_from(8 + sid.len()).unwrap().to_le_bytes());
            bytes.extend(mask.to_le_bytes());
            bytes.extend(*sid);
        }
        bytes
    }

    #[test]
    fn a_windows_acl_that_opens_to_everyone() {
        let everyone = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let system = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        let grants = |aces: &[(u8, u32, &[u8])]| parse_windows_acl(&descriptor(aces)).unwrap();
        assert!(grants(&[(0, 0x001F_01FF, &system), (0, 0x0012_0089, &everyone)]).everyone);
        assert!(!grants(&[(0, 0x001F_01FF, &system)]).everyone);
        assert!(!grants(&[(1, 1, &everyone), (0, 1, &everyone)]).everyone);
        assert_eq!(parse_windows_acl(&[0; 3]), None);
    }
}
