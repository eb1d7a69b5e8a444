//! Any bytes as DICOM JSON; what is understood is written and read to the same, and written as a data set.
#![no_main]

use leadglass_dicom::{DataSet, Encoding, VR, Value};
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::encode::decode;
use leadglass_dicom::json::{parse, write};
use leadglass_dicom::scan::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for data_set in parse(bytes, &Limits::small()).unwrap_or_default() {
        let mut out = Vec::new();
        write(&data_set, &mut out, &mut |path, _| path.to_owned());
        assert!(parse(&out, &Limits::default()).is_ok());
        // The bytes of a UN may be anything, and are read as what the dictionary says they are (PS3.5 6.2.2).
        if has_unknown(&data_set) {
            continue;
        }
        if let Ok(written) = data_set.encode(Encoding::ExplicitLittleEndian, &SpecificCharacterSet::utf8()) {
            assert!(decode(&written, Encoding::ExplicitLittleEndian, &Limits::default()).is_ok());
        }
    }
});

fn has_unknown(data_set: &DataSet) -> bool {
    data_set.iter().any(|(_, element)| match &element.value {
        Value::Sequence(items) => items.iter().any(has_unknown),
        _ => element.vr == VR::UN,
    })
}
