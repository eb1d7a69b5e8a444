//! Writing the front of a file.

use super::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use crate::scan::header;
use crate::{Encoding, SopClassUid, SopInstanceUid, Tag, TransferSyntax, VR};

/// Preamble (always zero), prefix and file meta information of an instance, PS3.10 §7.1.
pub fn write_file_meta(
    sop_class: &SopClassUid,
    sop_instance: &SopInstanceUid,
    transfer_syntax: &TransferSyntax,
) -> Vec<u8> {
    let mut meta = Vec::with_capacity(512);
    put(&mut meta, 0x0001, VR::OB, &[0, 1]);
    put_uid(&mut meta, 0x0002, sop_class.as_str());
    put_uid(&mut meta, 0x0003, sop_instance.as_str());
    put_uid(&mut meta, 0x0010, transfer_syntax.uid().as_str());
    put_uid(&mut meta, 0x0012, IMPLEMENTATION_CLASS_UID);
    put_padded(&mut meta, 0x0013, VR::SH, IMPLEMENTATION_VERSION_NAME, b' ');
    let mut out = vec![0; 128];
    out.extend_from_slice(b"DICM");
    put(&mut out, 0x0000, VR::UL, &(meta.len() as u32).to_le_bytes());
    out.extend_from_slice(&meta);
    out
}

fn put_uid(out: &mut Vec<u8>, element: u16, uid: &str) {
    put_padded(out, element, VR::UI, uid, 0);
}

fn put_padded(out: &mut Vec<u8>, element: u16, vr: VR, text: &str, padding: u8) {
    let mut value = text.as_bytes().to_vec();
    if !value.len().is_multiple_of(2) {
        value.push(padding);
    }
    put(out, element, vr, &value);
}

fn put(out: &mut Vec<u8>, element: u16, vr: VR, value: &[u8]) {
    header::write(out, Tag(0x0002, element), vr, value.len() as u32, Encoding::ExplicitLittleEndian);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::super::split;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let class = SopClassUid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap();
        let instance = SopInstanceUid::parse("1.2.3.4").unwrap();
        let mut file = write_file_meta(&class, &instance, &TransferSyntax::explicit_little_endian());
        assert!(file[..128].iter().all(|byte| *byte == 0));
        file.extend_from_slice(b"\x08\0\x16\0");
        let (meta, data_set) = split(&file).unwrap();
        assert_eq!(meta.sop_class.as_ref(), Some(class.as_uid()));
        assert_eq!(meta.sop_instance.as_ref(), Some(instance.as_uid()));
        assert_eq!(meta.transfer_syntax, TransferSyntax::explicit_little_endian());
        assert_eq!(data_set, b"\x08\0\x16\0");
    }

    #[test]
    fn our_names_are_allowed() {
        assert!(IMPLEMENTATION_VERSION_NAME.len() <= 16);
        assert!(crate::Uid::parse(IMPLEMENTATION_CLASS_UID).is_ok());
    }
}
