//! The Native DICOM Model, PS3.19 Annex A.1, as PS3.18 uses it for metadata.
//!
//! Deliberately absent: reading XML.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;

use crate::json::base64;
use crate::{Bulk, DataSet, Element, Tag, VR, Value};

/// Names a bulk value: by its path and where it is.
type BulkUri<'a> = &'a mut dyn FnMut(&str, &Bulk) -> String;

/// Appends the data set as one XML document. `bulk_uri` as in [`crate::json::write`].
pub fn write(data_set: &DataSet, out: &mut Vec<u8>, bulk_uri: BulkUri<'_>) {
    out.extend_from_slice(
        b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">",
    );
    write_elements(data_set, out, &mut String::new(), bulk_uri);
    out.extend_from_slice(b"</NativeDicomModel>");
}

/// The recursion is as deep as the data set, which every way into one bounds.
fn write_elements(data_set: &DataSet, out: &mut Vec<u8>, path: &mut String, bulk_uri: BulkUri<'_>) {
    for (tag, element) in data_set.iter() {
        if tag.element() == 0 && tag.group() != 0 {
            continue;
        }
        let before = path.len();
        path.push_str(&format!("{:04X}{:04X}", tag.0, tag.1));
        write_element(data_set, tag, element, out, path, bulk_uri);
        path.truncate(before);
    }
}

fn write_element(
    data_set: &DataSet,
    tag: Tag,
    element: &Element,
    out: &mut Vec<u8>,
    path: &mut String,
    bulk_uri: BulkUri<'_>,
) {
    open_attribute(data_set, tag, element.vr, out);
    match &element.value {
        Value::Empty => {}
        Value::Bytes(bytes) => {
            push(out, "<InlineBinary>");
            base64::encode(bytes, out);
            push(out, "</InlineBinary>");
        }
        Value::Bulk(bulk) => {
            push(out, "<BulkData uri=\"");
            let uri = bulk_uri(path, bulk);
            escape(&uri, out);
            push(out, "\"/>");
        }
        Value::Sequence(items) => {
            for (number, item) in items.iter().enumerate() {
                let inside = path.len();
                path.push_str(&format!("/{number}/"));
                push(out, &format!("<Item number=\"{}\">", number + 1));
                write_elements(item, out, path, bulk_uri);
                push(out, "</Item>");
                path.truncate(inside);
            }
        }
        Value::Text(texts) if element.vr == VR::PN => write_person_names(texts, out),
        Value::Text(texts) => write_values(texts.iter().map(String::as_str), out),
        Value::Unsigned(values) => write_values(values.iter().map(u64::to_string), out),
        Value::Signed(values) => write_values(values.iter().map(i64::to_string), out),
        Value::Float(values) => write_values(values.iter().map(|number| format!("{number:?}")), out),
        Value::Tags(values) => write_values(values.iter().map(|tag| format!("{:04X}{:04X}", tag.0, tag.1)), out),
    }
    push(out, "</DicomAttribute>");
}

fn open_attribute(data_set: &DataSet, tag: Tag, vr: VR, out: &mut Vec<u8>) {
    let Tag(group, element) = tag;
    let is_private = group % 2 == 1;
    let creator = if is_private && element >= 0x1000 { data_set.text(Tag(group, element >> 8)) } else { None };
    match creator {
        // PS3.19 A.1.5.1: the block is the creator's name, the tag's block number is 00.
        Some(creator) => {
            push(
                out,
                &format!(
                    "<DicomAttribute tag=\"{group:04X}00{:02X}\" vr=\"{}\" privateCreator=\"",
                    element & 0xFF,
                    vr.to_string()
                ),
            );
            escape(creator, out);
            push(out, "\">");
        }
        None => {
            push(out, &format!("<DicomAttribute tag=\"{group:04X}{element:04X}\" vr=\"{}\"", vr.to_string()));
            if let Some(entry) = StandardDataDictionary.by_tag(tag).filter(|_| !is_private) {
                push(out, &format!(" keyword=\"{}\"", entry.alias()));
            }
            push(out, ">");
        }
    }
}

fn write_values(values: impl Iterator<Item = impl AsRef<str>>, out: &mut Vec<u8>) {
    for (number, value) in (1..).zip(values) {
        // PS3.19 A.1: empty values are left out, their numbers with them.
        if !value.as_ref().is_empty() {
            push(out, &format!("<Value number=\"{number}\">"));
            escape(value.as_ref(), out);
            push(out, "</Value>");
        }
    }
}

fn write_person_names(names: &[String], out: &mut Vec<u8>) {
    for (number, name) in (1..).zip(names) {
        push(out, &format!("<PersonName number=\"{number}\">"));
        for (group, text) in ["Alphabetic", "Ideographic", "Phonetic"].iter().zip(name.split('=')) {
            if !text.is_empty() {
                write_component_group(group, text, out);
            }
        }
        push(out, "</PersonName>");
    }
}

fn write_component_group(group: &str, text: &str, out: &mut Vec<u8>) {
    push(out, &format!("<{group}>"));
    let components = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];
    for (component, text) in components.iter().zip(text.split('^')) {
        if !text.is_empty() {
            push(out, &format!("<{component}>"));
            escape(text, out);
            push(out, &format!("</{component}>"));
        }
    }
    push(out, &format!("</{group}>"));
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Escapes markup; characters XML 1.0 cannot hold become U+FFFD.
fn escape(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        match c {
            '&' => push(out, "&amp;"),
            '<' => push(out, "&lt;"),
            '>' => push(out, "&gt;"),
            '"' => push(out, "&quot;"),
            '\r' => push(out, "&#13;"),
            '\t' | '\n' => out.push(c as u8),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => push(out, "\u{FFFD}"),
            _ => push(out, c.encode_utf8(&mut [0; 4])),
        }
    }
}
