//! Queries that match nothing, and one whose answers are counted unread.
//!
//! Identifiers in implicit VR little endian (PS3.5 §7.1.3), which every context here has.

use leadglass_dicom::{AeTitle, Uid};

use super::services::STUDY_ROOT_FIND;

/// A query for one study (or patient) that cannot exist: the information model's unique key,
/// a fresh UID, is its only key beside the level (PS3.4 C.4.1.3).
pub(super) fn canary(place: usize, canary: &Uid) -> Vec<u8> {
    let mut identifier = Vec::new();
    if place == STUDY_ROOT_FIND {
        put(&mut identifier, (0x0008, 0x0052), b"STUDY", b' ');
        put(&mut identifier, (0x0020, 0x000D), canary.as_str().as_bytes(), 0);
    } else {
        put(&mut identifier, (0x0008, 0x0052), b"PATIENT", b' ');
        put(&mut identifier, (0x0010, 0x0020), canary.as_str().as_bytes(), b' ');
    }
    identifier
}

/// A worklist query for a patient that cannot exist at a station that nobody has (PS3.4 K.6.1).
pub(super) fn worklist_canary(canary: &Uid, station: &AeTitle) -> Vec<u8> {
    let mut step = Vec::new();
    put(&mut step, (0x0040, 0x0001), station.as_str().as_bytes(), b' ');
    let mut item = vec![0xFE, 0xFF, 0x00, 0xE0];
    item.extend(u32::try_from(step.len()).unwrap_or(0).to_le_bytes());
    item.extend(step);
    let mut identifier = Vec::new();
    put(&mut identifier, (0x0010, 0x0020), canary.as_str().as_bytes(), b' ');
    put(&mut identifier, (0x0040, 0x0100), &item, 0);
    identifier
}

/// A query whose answers are counted: it asks for UIDs and numbers only, and for no name.
pub(super) fn count(place: usize) -> Vec<u8> {
    let mut identifier = Vec::new();
    if place == STUDY_ROOT_FIND {
        put(&mut identifier, (0x0008, 0x0052), b"STUDY", b' ');
        put(&mut identifier, (0x0020, 0x000D), b"", 0);
        put(&mut identifier, (0x0020, 0x1208), b"", 0);
    } else {
        put(&mut identifier, (0x0008, 0x0052), b"PATIENT", b' ');
        put(&mut identifier, (0x0020, 0x1200), b"", 0);
    }
    identifier
}

/// Appends an element, padded to an even length.
fn put(out: &mut Vec<u8>, (group, element): (u16, u16), value: &[u8], padding: u8) {
    out.extend(group.to_le_bytes());
    out.extend(element.to_le_bytes());
    let length = value.len().next_multiple_of(2);
    out.extend(u32::try_from(length).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(value);
    if length > value.len() {
        out.push(padding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_even_and_ask_for_nothing_else() {
        let uid = Uid::parse("2.25.123").unwrap();
        let bytes = canary(STUDY_ROOT_FIND, &uid);
        assert_eq!(bytes, b"\x08\0\x52\0\x06\0\0\0STUDY \x20\0\x0D\0\x08\0\0\x002.25.123");
        let station = AeTitle::parse("NOBODY").unwrap();
        let bytes = worklist_canary(&uid, &station);
        assert_eq!(bytes.len() % 2, 0);
        assert!(bytes.ends_with(b"\x40\0\x01\0\x06\0\0\0NOBODY"));
    }
}
