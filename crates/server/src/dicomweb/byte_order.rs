//! Bulk values stored in big endian order, turned to little endian on their way out:
//! every media type of PS3.18 8.7 means little endian.

use bytes::Bytes;
use leadglass_dicom::scan::Limits;
use leadglass_dicom::{Bulk, DataSet, Encoding, TransferSyntax, VR, Value, json};

/// Bytes of one word of a value representation's values.
pub fn word_bytes(vr: VR) -> usize {
    match vr {
        VR::OW | VR::US | VR::SS | VR::AT => 2,
        VR::OF | VR::OL | VR::UL | VR::SL | VR::FL => 4,
        VR::OD | VR::OV | VR::UV | VR::SV | VR::FD => 8,
        _ => 1,
    }
}

/// Whether values stored in that syntax have to be turned.
pub fn is_turned(syntax: &TransferSyntax) -> bool {
    syntax.encoding() == Encoding::ExplicitBigEndian
}

/// The value representation of the bulk value of that path, in an instance's metadata.
pub fn vr_of(metadata: &[u8], path: &str) -> Option<VR> {
    let data_sets = json::parse(metadata, &Limits::default()).ok()?;
    find(data_sets.first()?, &format!("lg:{path}"))
}

fn find(data_set: &DataSet, uri: &str) -> Option<VR> {
    data_set.iter().find_map(|(_, element)| match &element.value {
        Value::Bulk(Bulk::Uri(found)) if found == uri => Some(element.vr),
        Value::Sequence(items) => items.iter().find_map(|item| find(item, uri)),
        _ => None,
    })
}

/// Turns the words of a value that comes in chunks of any size.
pub struct WordTurner {
    word: usize,
    carried: Vec<u8>,
}

impl WordTurner {
    /// A turner of words of so many bytes.
    pub fn new(word: usize) -> WordTurner {
        WordTurner { word: word.max(1), carried: Vec::new() }
    }

    /// The next bytes, turned as far as whole words go.
    pub fn turn(&mut self, chunk: Bytes) -> Bytes {
        if self.word == 1 {
            return chunk;
        }
        let mut bytes = std::mem::take(&mut self.carried);
        bytes.extend_from_slice(&chunk);
        let whole = bytes.len() - bytes.len() % self.word;
        self.carried = bytes.split_off(whole);
        bytes.chunks_exact_mut(self.word).for_each(<[u8]>::reverse);
        bytes.into()
    }

    /// What is left when the value ends inside a word: as it came.
    pub fn rest(self) -> Bytes {
        self.carried.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_turn_whatever_the_chunks() {
        for chunk in 1..9 {
            let mut turner = WordTurner::new(4);
            let mut out = Vec::new();
            for piece in [1u8, 2, 3, 4, 5, 6, 7, 8, 9].chunks(chunk) {
                out.extend_from_slice(&turner.turn(Bytes::copy_from_slice(piece)));
            }
            out.extend_from_slice(&turner.rest());
            assert_eq!(out, [4, 3, 2, 1, 8, 7, 6, 5, 9]);
        }
    }
}
