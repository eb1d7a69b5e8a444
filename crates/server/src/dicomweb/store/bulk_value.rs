//! Bulk values put in the place of their BulkDataURI.

use leadglass_dicom::{Bulk, DataSet, Tag, VR, Value};

/// All BulkDataURIs of a data set and its sequences. Depth is bounded by the JSON parser.
pub fn collect_uris(data_set: &DataSet, uris: &mut Vec<String>) {
    for (_, element) in data_set.iter() {
        match &element.value {
            Value::Bulk(Bulk::Uri(uri)) if !uris.contains(uri) => uris.push(uri.clone()),
            Value::Sequence(items) => items.iter().for_each(|item| collect_uris(item, uris)),
            _ => {}
        }
    }
}

/// Puts the bytes (little endian) wherever that URI stands; false when an element cannot
/// hold them.
pub fn put(data_set: &mut DataSet, uri: &str, bytes: &[u8]) -> bool {
    let tags: Vec<Tag> = data_set.iter().map(|(tag, _)| tag).collect();
    let mut fits = true;
    for tag in tags {
        let Some(element) = data_set.element_mut(tag) else { continue };
        let vr = element.vr;
        match &mut element.value {
            Value::Bulk(Bulk::Uri(found)) if found == uri => match value(vr, bytes) {
                Some(value) => element.value = value,
                None => fits = false,
            },
            Value::Sequence(items) => items.iter_mut().for_each(|item| fits &= put(item, uri, bytes)),
            _ => {}
        }
    }
    fits
}

/// The bytes as a value of that representation.
fn value(vr: VR, bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return Some(Value::Empty);
    }
    match vr {
        VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN => Some(Value::Bytes(bytes.to_vec())),
        VR::US => words(bytes, |b: [u8; 2]| u64::from(u16::from_le_bytes(b))).map(Value::Unsigned),
        VR::UL => words(bytes, |b: [u8; 4]| u64::from(u32::from_le_bytes(b))).map(Value::Unsigned),
        VR::UV => words(bytes, u64::from_le_bytes).map(Value::Unsigned),
        VR::SS => words(bytes, |b: [u8; 2]| i64::from(i16::from_le_bytes(b))).map(Value::Signed),
        VR::SL => words(bytes, |b: [u8; 4]| i64::from(i32::from_le_bytes(b))).map(Value::Signed),
        VR::SV => words(bytes, i64::from_le_bytes).map(Value::Signed),
        VR::FL => words(bytes, |b: [u8; 4]| f64::from(f32::from_le_bytes(b))).map(Value::Float),
        VR::FD => words(bytes, f64::from_le_bytes).map(Value::Float),
        VR::AT => words(bytes, |[a, b, c, d]: [u8; 4]| Tag(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])))
            .map(Value::Tags),
        VR::SQ => None,
        VR::LT | VR::ST | VR::UT | VR::UR => text(bytes).map(|text| Value::Text(vec![text.to_owned()])),
        _ => text(bytes).map(|text| Value::Text(text.split('\\').map(str::to_owned).collect())),
    }
}

fn words<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
    let (words, []) = bytes.as_chunks::<N>() else { return None };
    Some(words.iter().map(|word| read(*word)).collect())
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().map(|text| text.trim_end_matches(['\0', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_where_their_uri_stands() {
        let (numbers, letters) = (Tag(0x0009, 0x1001), Tag(0x0009, 0x1002));
        let mut item = DataSet::new();
        item.put(numbers, VR::US, Value::Bulk(Bulk::Uri("a".into())));
        let mut data_set = DataSet::new();
        data_set.put(Tag(0x0008, 0x1140), VR::SQ, Value::Sequence(vec![item]));
        data_set.put(letters, VR::LO, Value::Bulk(Bulk::Uri("b".into())));
        let mut uris = Vec::new();
        collect_uris(&data_set, &mut uris);
        assert_eq!(uris, ["a", "b"]);
        assert!(put(&mut data_set, "a", &[1, 0, 2, 1]));
        assert!(put(&mut data_set, "b", b"x\\y "));
        assert_eq!(
            data_set.items(Tag(0x0008, 0x1140))[0].element(numbers).unwrap().value,
            Value::Unsigned(vec![1, 258])
        );
        assert_eq!(data_set.texts(letters), ["x", "y"]);
    }

    #[test]
    fn bytes_that_are_no_whole_values_do_not_fit() {
        assert_eq!(value(VR::UL, &[1, 2, 3]), None);
        assert_eq!(value(VR::UT, &[0xFF]), None);
        assert_eq!(value(VR::SQ, b"x"), None);
    }
}
