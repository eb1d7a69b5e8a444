//! Dummies: values that tell nothing and are valid for their value representation, PS3.15 E.1.1
//! action D.

use crate::VR;

/// What stands in for a text.
const TEXT: &str = "ANONYMIZED";
/// Most numbers a dummy has: those of the value it stands for, up to this.
const MOST_NUMBERS: u32 = 4096;

/// A dummy for a value of that many bytes, little endian, of even length. For UI there is none:
/// a UID stands for a UID.
pub(super) fn dummy(vr: VR, length: u32) -> Vec<u8> {
    let text = match vr {
        VR::AS => "000D",
        VR::DA => "19000101",
        VR::DT => "19000101000000",
        VR::TM => "000000",
        VR::DS | VR::IS => "0",
        VR::UR => "urn:anonymized",
        VR::AE | VR::CS | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT => TEXT,
        VR::UI => return Vec::new(),
        _ => return zeros(vr, length),
    };
    let mut bytes = text.as_bytes().to_vec();
    if !bytes.len().is_multiple_of(2) {
        bytes.push(b' ');
    }
    bytes
}

/// As many zeros as there were numbers, at least one.
fn zeros(vr: VR, length: u32) -> Vec<u8> {
    let unit = match vr {
        VR::US | VR::SS | VR::OW | VR::OB | VR::UN => 2,
        VR::FD | VR::OD | VR::SV | VR::UV | VR::OV => 8,
        _ => 4,
    };
    let bytes = (length - length % unit).clamp(unit, unit * MOST_NUMBERS);
    vec![0; bytes as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dummies_are_valid_and_of_even_length() {
        for vr in [VR::AE, VR::AS, VR::CS, VR::DA, VR::DS, VR::DT, VR::IS, VR::LO, VR::PN, VR::SH, VR::TM, VR::UR] {
            let text = dummy(vr, 7);
            assert!(text.len().is_multiple_of(2) && !text.is_empty() && text.len() <= 16, "{vr:?}");
        }
        assert_eq!(dummy(VR::FL, 12), [0; 12]);
        assert_eq!(dummy(VR::FD, 3), [0; 8]);
        assert_eq!(dummy(VR::OB, u32::MAX).len(), 8192);
    }
}
