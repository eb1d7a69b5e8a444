//! Any bytes through the converter, from each native syntax to each other.
#![no_main]

use leadglass_dicom::convert::Converter;
use leadglass_dicom::{TransferSyntax, Uid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let deflated = Uid::parse(leadglass_dicom::transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN);
    let Ok(deflated) = deflated.map(TransferSyntax::from_uid) else { return };
    let syntaxes = [
        TransferSyntax::implicit_little_endian(),
        TransferSyntax::explicit_little_endian(),
        TransferSyntax::explicit_big_endian(),
        deflated,
    ];
    for from in &syntaxes {
        for to in &syntaxes {
            let Ok(mut converter) = Converter::new(from, to) else { continue };
            let mut out = Vec::new();
            let fine = bytes.chunks(61).all(|piece| {
                out.clear();
                converter.push(piece, &mut out).is_ok()
            });
            if fine {
                let _ = converter.finish(&mut out);
            }
        }
    }
});
