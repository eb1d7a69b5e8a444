//! Any bytes as a data set, in each encoding and deflated; what is understood is written again.
#![no_main]

use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::encode::decode;
use leadglass_dicom::scan::{Limits, PixelDataLayout, scan};
use leadglass_dicom::{Encoding, TransferSyntax, Uid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let encodings = [Encoding::ImplicitLittleEndian, Encoding::ExplicitLittleEndian, Encoding::ExplicitBigEndian];
    for encoding in encodings {
        if let Ok(data_set) = decode(bytes, encoding, &Limits::small()) {
            let _ = data_set.encode(encoding, &SpecificCharacterSet::utf8());
            let mut out = Vec::new();
            leadglass_dicom::json::write(&data_set, &mut out, &mut |path, _| path.to_owned());
            leadglass_dicom::xml::write(&data_set, &mut out, &mut |path, _| path.to_owned());
        }
        let _ = scan(bytes, &TransferSyntax::of_encoding(encoding), &Limits::default());
    }
    if let Ok(deflated) = Uid::parse(leadglass_dicom::transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN) {
        let _ = scan(bytes, &TransferSyntax::from_uid(deflated), &Limits::default());
    }
    let _ = PixelDataLayout::from_bytes(bytes);
});
