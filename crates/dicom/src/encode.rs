//! Small data sets to bytes and back: identifiers, command sets, responses.
//!
//! Deliberately absent: pixel data. Objects go out as they came, or through [`crate::convert`].

use crate::charset::SpecificCharacterSet;
use crate::scan::header::{self, ITEM};
use crate::scan::value::{swap, unit};
use crate::scan::{Limits, ScanError, Scanner};
use crate::{DataSet, Element, Encoding, Tag, TransferSyntax, VR, Value};

/// Specific Character Set.
const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);

/// Why a data set cannot be written. The caller is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A value that is somewhere else cannot be written.
    #[error("{0} is bulk data, which is not here")]
    Bulk(Tag),
    /// A value of 4 GiB or more.
    #[error("{0} is too long")]
    TooLong(Tag),
    /// The value is not of the kind its value representation asks for.
    #[error("{0} holds a value its value representation cannot")]
    WrongValue(Tag),
    /// The text has characters the character set cannot write; UTF-8 can.
    #[error("{0} has characters that the character set cannot write")]
    Unencodable(Tag),
}

/// Reads a small data set, for example [`Limits::small`]. Text is decoded by its Specific
/// Character Set; no identity is demanded, and no bytes are an empty data set.
pub fn decode(bytes: &[u8], encoding: Encoding, limits: &Limits) -> Result<DataSet, ScanError> {
    if bytes.is_empty() {
        return Ok(DataSet::new());
    }
    let mut scanner = Scanner::of_any_data_set(&TransferSyntax::of_encoding(encoding), limits.clone());
    scanner.push(bytes)?;
    Ok(scanner.finish()?.data_set)
}

impl DataSet {
    /// Writes the data set, its text in the given character set. Specific Character Set
    /// (0008,0005) is written to say so, whatever the data set holds there; nothing is
    /// written for the default repertoire. Group lengths are neither made nor kept, except
    /// for groups 0000 and 0002.
    pub fn encode(&self, encoding: Encoding, charset: &SpecificCharacterSet) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(64 * self.len());
        let terms = charset.terms();
        let mut declaration = (!terms.is_empty()).then_some(Element { vr: VR::CS, value: Value::Text(terms) });
        for (tag, element) in self.iter() {
            if tag >= SPECIFIC_CHARACTER_SET
                && let Some(declaration) = declaration.take()
            {
                put(&mut out, SPECIFIC_CHARACTER_SET, &declaration, encoding, charset)?;
            }
            if is_kept(tag) {
                put(&mut out, tag, element, encoding, charset)?;
            }
        }
        if let Some(declaration) = declaration {
            put(&mut out, SPECIFIC_CHARACTER_SET, &declaration, encoding, charset)?;
        }
        Ok(out)
    }
}

fn is_kept(tag: Tag) -> bool {
    tag != SPECIFIC_CHARACTER_SET && (tag.element() != 0 || tag.group() <= 2)
}

fn put(
    out: &mut Vec<u8>,
    tag: Tag,
    element: &Element,
    encoding: Encoding,
    charset: &SpecificCharacterSet,
) -> Result<(), EncodeError> {
    let value = match &element.value {
        Value::Sequence(items) => items_of(tag, items, encoding, charset)?,
        value => value_of(tag, element.vr, value, encoding, charset)?,
    };
    let length = u32::try_from(value.len()).ok().filter(|length| *length != header::UNDEFINED);
    header::write(out, tag, element.vr, length.ok_or(EncodeError::TooLong(tag))?, encoding);
    out.extend_from_slice(&value);
    Ok(())
}

/// The items with their headers. The recursion is as deep as the data set, which every way
/// into one bounds.
fn items_of(
    tag: Tag,
    items: &[DataSet],
    encoding: Encoding,
    charset: &SpecificCharacterSet,
) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    for item in items {
        let mut inside = Vec::new();
        for (tag, element) in item.iter().filter(|(tag, _)| is_kept(*tag)) {
            put(&mut inside, tag, element, encoding, charset)?;
        }
        let length = u32::try_from(inside.len()).map_err(|_| EncodeError::TooLong(tag))?;
        header::write(&mut out, ITEM, VR::UN, length, encoding);
        out.extend_from_slice(&inside);
    }
    Ok(out)
}

fn value_of(
    tag: Tag,
    vr: VR,
    value: &Value,
    encoding: Encoding,
    charset: &SpecificCharacterSet,
) -> Result<Vec<u8>, EncodeError> {
    let wrong = || EncodeError::WrongValue(tag);
    let mut bytes = match value {
        Value::Empty | Value::Sequence(_) => Vec::new(),
        Value::Bulk(_) => return Err(EncodeError::Bulk(tag)),
        Value::Bytes(bytes) => bytes.clone(),
        Value::Text(values) => text_of(vr, values, charset).ok_or(EncodeError::Unencodable(tag))?,
        Value::Unsigned(values) => join(values, |n| unsigned(vr, n)).ok_or_else(wrong)?,
        Value::Signed(values) => join(values, |n| signed(vr, n)).ok_or_else(wrong)?,
        Value::Float(values) => join(values, |n| float(vr, n)).ok_or_else(wrong)?,
        Value::Tags(values) if vr == VR::AT => {
            let halves = values.iter().flat_map(|tag| [tag.0, tag.1]);
            halves.flat_map(u16::to_le_bytes).collect()
        }
        Value::Tags(_) => return Err(wrong()),
    };
    // UN is little endian everywhere, PS3.5 6.2.2.
    if encoding == Encoding::ExplicitBigEndian && vr != VR::UN {
        swap(&mut bytes, unit(vr));
    }
    if !bytes.len().is_multiple_of(2) {
        let is_text = matches!(value, Value::Text(_)) && vr != VR::UI;
        bytes.push(if is_text { b' ' } else { 0 });
    }
    Ok(bytes)
}

fn text_of(vr: VR, values: &[String], charset: &SpecificCharacterSet) -> Option<Vec<u8>> {
    match vr {
        VR::SH | VR::LO | VR::ST | VR::LT | VR::PN | VR::UC | VR::UT => charset.encode(values, vr).ok(),
        _ => {
            let text = values.join("\\");
            text.is_ascii().then(|| text.into_bytes())
        }
    }
}

fn join<T: Copy>(values: &[T], write: impl Fn(T) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for value in values {
        bytes.extend_from_slice(&write(*value)?);
    }
    Some(bytes)
}

fn unsigned(vr: VR, number: u64) -> Option<Vec<u8>> {
    match vr {
        VR::US => Some(u16::try_from(number).ok()?.to_le_bytes().to_vec()),
        VR::UL => Some(u32::try_from(number).ok()?.to_le_bytes().to_vec()),
        VR::UV => Some(number.to_le_bytes().to_vec()),
        _ => None,
    }
}

fn signed(vr: VR, number: i64) -> Option<Vec<u8>> {
    match vr {
        VR::SS => Some(i16::try_from(number).ok()?.to_le_bytes().to_vec()),
        VR::SL => Some(i32::try_from(number).ok()?.to_le_bytes().to_vec()),
        VR::SV => Some(number.to_le_bytes().to_vec()),
        _ => None,
    }
}

fn float(vr: VR, number: f64) -> Option<Vec<u8>> {
    match vr {
        VR::FL => Some((number as f32).to_le_bytes().to_vec()),
        VR::FD => Some(number.to_le_bytes().to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_element() -> impl Strategy<Value = (Tag, Element)> {
        let of = |tag, vr, value| (tag, Element { vr, value });
        prop_oneof![
            "[A-Z]{1,16}".prop_map(move |text| of(Tag(0x0008, 0x0060), VR::CS, Value::Text(vec![text]))),
            prop::collection::vec("[a-zé張]{1,12}", 1..4).prop_map(move |texts| of(
                Tag(0x0010, 0x1000),
                VR::LO,
                Value::Text(texts)
            )),
            prop::collection::vec(any::<u16>(), 1..4).prop_map(move |numbers| of(
                Tag(0x0018, 0x1310),
                VR::US,
                Value::Unsigned(numbers.into_iter().map(u64::from).collect())
            )),
            prop::collection::vec(any::<i32>(), 1..4).prop_map(move |numbers| of(
                Tag(0x0018, 0x6020),
                VR::SL,
                Value::Signed(numbers.into_iter().map(i64::from).collect())
            )),
            prop::collection::vec(-1e9_f64..1e9, 1..4).prop_map(move |numbers| of(
                Tag(0x0018, 0x9087),
                VR::FD,
                Value::Float(numbers)
            )),
            any::<(u16, u16)>().prop_map(move |(a, b)| of(Tag(0x0028, 0x0009), VR::AT, Value::Tags(vec![Tag(a, b)]))),
            Just(of(Tag(0x0020, 0x4000), VR::LT, Value::Empty)),
        ]
    }

    fn any_data_set() -> impl Strategy<Value = DataSet> {
        let flat = prop::collection::vec(any_element(), 0..6).prop_map(|elements| elements.into_iter().collect());
        flat.prop_recursive(4, 32, 3, |inner: BoxedStrategy<DataSet>| {
            (prop::collection::vec(any_element(), 0..4), prop::collection::vec(inner, 0..3)).prop_map(
                |(elements, items)| {
                    let mut data_set: DataSet = elements.into_iter().collect();
                    data_set.put(Tag(0x0040, 0xA730), VR::SQ, Value::Sequence(items));
                    data_set
                },
            )
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(data_set in any_data_set()) {
            for encoding in [Encoding::ImplicitLittleEndian, Encoding::ExplicitLittleEndian, Encoding::ExplicitBigEndian] {
                let bytes = data_set.encode(encoding, &SpecificCharacterSet::utf8()).unwrap();
                let mut read = decode(&bytes, encoding, &Limits::small()).unwrap();
                prop_assert_eq!(read.remove(SPECIFIC_CHARACTER_SET).map(|element| element.value),
                    Some(Value::Text(vec!["ISO_IR 192".to_owned()])));
                prop_assert_eq!(&read, &data_set);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            for encoding in [Encoding::ImplicitLittleEndian, Encoding::ExplicitLittleEndian, Encoding::ExplicitBigEndian] {
                let _ = decode(&bytes, encoding, &Limits::small());
            }
        }
    }

    #[test]
    fn a_length_that_lies_is_refused_for_what_it_is() {
        let bytes = b"\x10\0\x10\0PN\xfe\xff";
        let error =
            decode(bytes, Encoding::ExplicitLittleEndian, &Limits { text_value_bytes: 1 << 20, ..Limits::small() });
        assert_eq!(error.unwrap_err().fault, crate::scan::Fault::Truncated(Tag(0x0010, 0x0010)));
    }
}
