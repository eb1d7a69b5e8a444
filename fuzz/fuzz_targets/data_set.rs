//! Any bytes as a data set, in each encoding and deflated, whole and in pieces; what is understood is written
//! and read again.
#![no_main]

use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::encode::decode;
use leadglass_dicom::scan::{Limits, PixelDataLayout, ScanError, Scanned, Scanner, scan};
use leadglass_dicom::{DataSet, Encoding, TransferSyntax, Uid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for encoding in [Encoding::ImplicitLittleEndian, Encoding::ExplicitLittleEndian, Encoding::ExplicitBigEndian] {
        if let Ok(data_set) = decode(bytes, encoding, &Limits::small()) {
            write_and_read(&data_set, encoding);
        }
        scan_whole_and_in_pieces(bytes, &TransferSyntax::of_encoding(encoding));
    }
    let deflated = Uid::parse(leadglass_dicom::transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
    scan_whole_and_in_pieces(bytes, &TransferSyntax::from_uid(deflated));
    let _ = PixelDataLayout::from_bytes(bytes);
});

fn write_and_read(data_set: &DataSet, encoding: Encoding) {
    if let Ok(written) = data_set.encode(encoding, &SpecificCharacterSet::utf8()) {
        decode(&written, encoding, &Limits::default()).unwrap();
    }
    let mut json = Vec::new();
    leadglass_dicom::json::write(data_set, &mut json, &mut |path, _| path.to_owned());
    leadglass_dicom::json::parse(&json, &Limits::default()).unwrap();
    leadglass_dicom::xml::write(data_set, &mut Vec::new(), &mut |path, _| path.to_owned());
}

fn scan_whole_and_in_pieces(bytes: &[u8], syntax: &TransferSyntax) {
    let whole = scan(bytes, syntax, &Limits::default());
    match (whole, scan_in_pieces(bytes, syntax)) {
        // Not `==`: a NaN is not itself.
        (Ok(whole), Ok(pieces)) => assert_eq!(format!("{whole:?}"), format!("{pieces:?}")),
        // What a damaged deflate stream yields before it fails is anybody's guess.
        (Err(_), Err(_)) if syntax.is_deflated() => {}
        (whole, pieces) => assert_eq!(whole.err(), pieces.err()),
    }
}

fn scan_in_pieces(bytes: &[u8], syntax: &TransferSyntax) -> Result<Scanned, ScanError> {
    let mut scanner = Scanner::new(syntax, Limits::default());
    bytes.chunks(61).try_for_each(|piece| scanner.push(piece))?;
    scanner.finish()
}
