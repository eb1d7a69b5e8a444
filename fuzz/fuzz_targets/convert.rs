//! Any bytes through the converter, from each native syntax to each other, whole and in pieces; what comes out
//! goes back.
#![no_main]

use leadglass_dicom::convert::{ConvertError, Converter};
use leadglass_dicom::{Encoding, TransferSyntax, Uid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let deflated = Uid::parse(leadglass_dicom::transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
    let syntaxes = [
        TransferSyntax::implicit_little_endian(),
        TransferSyntax::explicit_little_endian(),
        TransferSyntax::explicit_big_endian(),
        TransferSyntax::from_uid(deflated),
    ];
    for from in &syntaxes {
        for to in &syntaxes {
            let whole = convert(bytes, from, to, usize::MAX);
            let pieces = convert(bytes, from, to, 61);
            // Deflate may cut its blocks elsewhere, and what a damaged stream yields is anybody's guess.
            if from.is_deflated() || to.is_deflated() {
                assert_eq!(whole.is_ok(), pieces.is_ok());
            } else {
                assert_eq!(whole, pieces);
            }
            // Without its VR, an element may say something else than with a VR that was not the dictionary's.
            if let Ok(written) = whole
                && to.encoding() != Encoding::ImplicitLittleEndian
            {
                convert(&written, to, from, usize::MAX).unwrap();
            }
        }
    }
});

fn convert(bytes: &[u8], from: &TransferSyntax, to: &TransferSyntax, piece: usize) -> Result<Vec<u8>, ConvertError> {
    let mut converter = Converter::new(from, to)?;
    let mut out = Vec::new();
    bytes.chunks(piece).try_for_each(|piece| converter.push(piece, &mut out))?;
    converter.finish(&mut out)?;
    Ok(out)
}
