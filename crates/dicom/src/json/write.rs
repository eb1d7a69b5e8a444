//! Writing, straight to bytes.

use super::{base64, number};
use crate::{Bulk, DataSet, Element, Tag, VR, Value};

/// Names a bulk value: by its path and where it is.
type BulkUri<'a> = &'a mut dyn FnMut(&str, &Bulk) -> String;

/// Appends the data set as one JSON object. `bulk_uri` names a bulk value by its path,
/// `7FE00010` or inside sequences `tag/item/tag…` with items counted from 0.
pub fn write(data_set: &DataSet, out: &mut Vec<u8>, bulk_uri: BulkUri<'_>) {
    write_data_set(data_set, out, &mut String::new(), bulk_uri);
}

/// The recursion is as deep as the data set, which every way into one bounds.
fn write_data_set(data_set: &DataSet, out: &mut Vec<u8>, path: &mut String, bulk_uri: BulkUri<'_>) {
    out.push(b'{');
    let mut first = true;
    for (tag, element) in data_set.iter() {
        // PS3.18 F.2.2: no group lengths.
        if tag.element() == 0 && tag.group() != 0 {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        write_element(tag, element, out, path, bulk_uri);
    }
    out.push(b'}');
}

fn write_element(tag: Tag, element: &Element, out: &mut Vec<u8>, path: &mut String, bulk_uri: BulkUri<'_>) {
    let before = path.len();
    push_tag(tag, path);
    out.push(b'"');
    out.extend_from_slice(&path.as_bytes()[before..]);
    out.extend_from_slice(b"\":{\"vr\":\"");
    out.extend_from_slice(&element.vr.to_bytes());
    out.push(b'"');
    match &element.value {
        Value::Empty => {}
        Value::Bytes(bytes) => {
            out.extend_from_slice(b",\"InlineBinary\":\"");
            base64::encode(bytes, out);
            out.push(b'"');
        }
        Value::Bulk(bulk) => {
            out.extend_from_slice(b",\"BulkDataURI\":");
            let uri = bulk_uri(path, bulk);
            write_string(&uri, out);
        }
        Value::Sequence(items) => {
            out.extend_from_slice(b",\"Value\":[");
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                let inside = path.len();
                path.push('/');
                path.push_str(&number.to_string());
                path.push('/');
                write_data_set(item, out, path, bulk_uri);
                path.truncate(inside);
            }
            out.push(b']');
        }
        Value::Text(texts) => write_list(texts, out, |text, out| write_text(element.vr, text, out)),
        Value::Unsigned(values) => write_list(values, out, |n, out| out.extend_from_slice(n.to_string().as_bytes())),
        Value::Signed(values) => write_list(values, out, |n, out| out.extend_from_slice(n.to_string().as_bytes())),
        Value::Float(values) => write_list(values, out, |n, out| number::write_float(*n, out)),
        Value::Tags(values) => write_list(values, out, |tag, out| {
            out.extend_from_slice(format!("\"{:04X}{:04X}\"", tag.0, tag.1).as_bytes());
        }),
    }
    out.push(b'}');
    path.truncate(before);
}

fn write_list<T>(values: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    if values.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"Value\":[");
    for (number, value) in values.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write(value, out);
    }
    out.push(b']');
}

fn write_text(vr: VR, text: &str, out: &mut Vec<u8>) {
    match vr {
        _ if text.is_empty() => out.extend_from_slice(b"null"),
        VR::PN => write_person_name(text, out),
        VR::DS | VR::IS => {
            if !number::write_text(text, out) {
                write_string(text, out);
            }
        }
        _ => write_string(text, out),
    }
}

/// PS3.18 F.2.2: the component groups by name, up to the last that says anything.
fn write_person_name(text: &str, out: &mut Vec<u8>) {
    let text = text.trim_end_matches('=');
    out.push(b'{');
    for (number, (name, group)) in ["Alphabetic", "Ideographic", "Phonetic"].iter().zip(text.split('=')).enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        write_string(group, out);
    }
    out.push(b'}');
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

fn push_tag(tag: Tag, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for half in [tag.0, tag.1] {
        for shift in [12, 8, 4, 0] {
            out.push(char::from(DIGITS[usize::from(half >> shift & 0xF)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(data_set: &DataSet) -> String {
        let mut out = Vec::new();
        write(data_set, &mut out, &mut |path, _| format!("lg:{path}"));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_kind_of_value_has_its_form() {
        let mut item = DataSet::new();
        item.put(Tag(0x7FE0, 0x0010), VR::OW, Value::Bulk(Bulk::InDataSet { offset: 8, length: 2 }));
        let mut data_set = DataSet::new();
        data_set.put(Tag(0x0008, 0x0000), VR::UL, Value::Unsigned(vec![4]));
        data_set.put(Tag(0x0010, 0x0010), VR::PN, Value::Text(vec!["A^B=張=".into(), String::new()]));
        data_set.put_text(Tag(0x0010, 0x0020), VR::LO, "a\"\\\n\u{1}");
        data_set.put(Tag(0x0018, 0x0050), VR::DS, Value::Text(vec!["1.50".into(), "x".into()]));
        data_set.put(Tag(0x0028, 0x0009), VR::AT, Value::Tags(vec![Tag(0x0018, 0x1063)]));
        data_set.put(Tag(0x0088, 0x0200), VR::SQ, Value::Sequence(vec![item, DataSet::new()]));
        let expected = concat!(
            r#"{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B","Ideographic":"張"},null]},"#,
            r#""00100020":{"vr":"LO","Value":["a\"\\\n\u0001"]},"#,
            r#""00180050":{"vr":"DS","Value":[1.50,"x"]},"#,
            r#""00280009":{"vr":"AT","Value":["00181063"]},"#,
            r#""00880200":{"vr":"SQ","Value":[{"7FE00010":{"vr":"OW","BulkDataURI":"lg:00880200/0/7FE00010"}},{}]}}"#,
        );
        assert_eq!(json(&data_set), expected);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut data_set = DataSet::new();
        data_set.put_text(Tag(0x0010, 0x0010), VR::PN, "A^B=C");
        data_set.put(Tag(0x0028, 0x0010), VR::US, Value::Unsigned(vec![512]));
        data_set.put(Tag(0x0018, 0x9087), VR::FD, Value::Float(vec![0.1, -1e300]));
        data_set.put(Tag(0x0009, 0x1001), VR::UN, Value::Bytes(vec![1, 2, 3]));
        data_set.put(Tag(0x0088, 0x0200), VR::SQ, Value::Sequence(vec![DataSet::new()]));
        let read = super::super::parse(json(&data_set).as_bytes(), &crate::scan::Limits::small()).unwrap();
        assert_eq!(read, [data_set]);
    }
}
