//! Reading, within limits.

use serde_json::Value as Json;

use super::{JsonError, base64};
use crate::scan::Limits;
use crate::{Bulk, DataSet, Element, Tag, VR, Value};

/// How many bytes of memory a byte of JSON may need while it is read: brackets cost most.
const AMPLIFICATION: u64 = 4;

/// Reads one data set, or an array of them (STOW-RS metadata, PS3.18 10.5.1). The JSON may be
/// as large as [`Limits::header_bytes`] allows; `serde_json` itself refuses to nest deeper
/// than 128 values, which are 42 sequences.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Vec<DataSet>, JsonError> {
    if (bytes.len() as u64).saturating_mul(AMPLIFICATION) > limits.header_bytes {
        return Err(JsonError::TooLarge);
    }
    let json: Json = serde_json::from_slice(bytes).map_err(|_| JsonError::Malformed)?;
    let mut left = limits.elements;
    match json {
        Json::Array(data_sets) => data_sets.into_iter().map(|json| data_set(json, limits.depth, &mut left)).collect(),
        json => Ok(vec![data_set(json, limits.depth, &mut left)?]),
    }
}

fn data_set(json: Json, depth: u16, left: &mut u64) -> Result<DataSet, JsonError> {
    let Json::Object(members) = json else { return Err(JsonError::NotDicom) };
    let mut elements = Vec::with_capacity(members.len());
    for (name, member) in members {
        *left = left.checked_sub(1).ok_or(JsonError::TooLarge)?;
        elements.push((tag(&name)?, element(member, depth, left)?));
    }
    Ok(elements.into_iter().collect())
}

fn tag(name: &str) -> Result<Tag, JsonError> {
    if name.len() != 8 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(JsonError::NotDicom);
    }
    let number = u32::from_str_radix(name, 16).map_err(|_| JsonError::NotDicom)?;
    Ok(Tag((number >> 16) as u16, number as u16))
}

fn element(json: Json, depth: u16, left: &mut u64) -> Result<Element, JsonError> {
    let Json::Object(mut members) = json else { return Err(JsonError::NotDicom) };
    let vr = members.get("vr").and_then(Json::as_str).ok_or(JsonError::NotDicom)?;
    let vr = vr.parse::<VR>().map_err(|_| JsonError::NotDicom)?;
    let value = match (members.remove("Value"), members.remove("InlineBinary"), members.remove("BulkDataURI")) {
        (None, None, None) if vr == VR::SQ => Value::Sequence(Vec::new()),
        (None, None, None) => Value::Empty,
        (Some(Json::Array(values)), None, None) => list(vr, values, depth, left)?,
        // The bytes of a sequence would be read as items by whoever the data set is written for.
        (None, Some(Json::String(text)), None) if vr != VR::SQ => {
            Value::Bytes(base64::decode(&text).ok_or(JsonError::NotDicom)?)
        }
        (None, None, Some(Json::String(uri))) => Value::Bulk(Bulk::Uri(uri)),
        _ => return Err(JsonError::NotDicom),
    };
    Ok(Element { vr, value })
}

fn list(vr: VR, values: Vec<Json>, depth: u16, left: &mut u64) -> Result<Value, JsonError> {
    *left = left.checked_sub(values.len() as u64).ok_or(JsonError::TooLarge)?;
    if values.is_empty() && vr != VR::SQ {
        return Ok(Value::Empty);
    }
    let values = values.into_iter();
    Ok(match vr {
        VR::SQ => {
            let inside = depth.checked_sub(1).ok_or(JsonError::TooLarge)?;
            let item = |json: Json| match json {
                // An empty item is an empty object; some write null.
                Json::Null => Ok(DataSet::new()),
                json => data_set(json, inside, left),
            };
            Value::Sequence(values.map(item).collect::<Result<_, _>>()?)
        }
        VR::US | VR::UL | VR::UV => Value::Unsigned(values.map(|json| integer(&json)).collect::<Result<_, _>>()?),
        VR::SS | VR::SL | VR::SV => Value::Signed(values.map(|json| integer(&json)).collect::<Result<_, _>>()?),
        VR::FL | VR::FD => Value::Float(values.map(|json| float(vr, &json)).collect::<Result<_, _>>()?),
        VR::AT => Value::Tags(
            values.map(|json| json.as_str().map_or(Err(JsonError::NotDicom), tag)).collect::<Result<_, _>>()?,
        ),
        VR::PN => Value::Text(values.map(person_name).collect::<Result<_, _>>()?),
        VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN => return Err(JsonError::NotDicom),
        _ => Value::Text(values.map(text).collect::<Result<_, _>>()?),
    })
}

/// A whole number, also as string, which F.2.3 allows for 64-bit ones.
fn integer<T: std::str::FromStr>(json: &Json) -> Result<T, JsonError> {
    let text = match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => return Err(JsonError::NotDicom),
    };
    let text = text.strip_suffix(".0").unwrap_or(&text);
    text.parse().map_err(|_| JsonError::NotDicom)
}

fn float(vr: VR, json: &Json) -> Result<f64, JsonError> {
    let number = match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    let number = number.ok_or(JsonError::NotDicom)?;
    Ok(if vr == VR::FL { f64::from(number as f32) } else { number })
}

fn text(json: Json) -> Result<String, JsonError> {
    match json {
        Json::Null => Ok(String::new()),
        Json::String(text) => Ok(text),
        Json::Number(number) => Ok(number.to_string()),
        _ => Err(JsonError::NotDicom),
    }
}

fn person_name(json: Json) -> Result<String, JsonError> {
    let mut members = match json {
        Json::Null => return Ok(String::new()),
        Json::Object(members) => members,
        _ => return Err(JsonError::NotDicom),
    };
    let mut groups = Vec::with_capacity(3);
    for name in ["Alphabetic", "Ideographic", "Phonetic"] {
        groups.push(members.remove(name).map_or(Ok(String::new()), text)?);
    }
    Ok(groups.join("=").trim_end_matches('=').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_its_vr_cannot_have_is_refused() {
        let read = |member: &str| parse(format!("{{\"00081140\":{member}}}").as_bytes(), &Limits::small());
        for member in [
            r#"{"vr":"SQ","InlineBinary":"z0x9c8v7"}"#,
            r#"{"vr":"OB","Value":["z0x9c8v7"]}"#,
            r#"{"vr":"US","Value":["many"]}"#,
            r#"{"vr":"SQ","Value":[{}],"BulkDataURI":"x"}"#,
        ] {
            assert!(matches!(read(member), Err(JsonError::NotDicom)), "{member}");
        }
        assert!(read(r#"{"vr":"UN","InlineBinary":"z0x9c8v7"}"#).is_ok());
        assert!(read(r#"{"vr":"SQ","Value":[{}]}"#).is_ok());
    }
}
