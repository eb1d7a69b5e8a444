//! A query as a data set, for the audit message: PS3.15 A.5.3.10 wants what was searched for
//! as it would stand in a C-FIND identifier.
//!
//! It is made of the parsed query, so C-FIND and QIDO-RS give the same, names in the form they
//! were matched by (no accents, no case); it is Explicit VR Little Endian in UTF-8. It holds
//! names: it is sealed like them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::data_set::Value;
use leadglass_dicom::query::{Key, Matching, Query};
use leadglass_dicom::transfer_syntax::Encoding;
use leadglass_dicom::{DataSet, Tag, VR};

use super::words::{name_text, pattern_text};

/// Longest data set kept of one query, in bytes; what is longer is told in words alone.
const LONGEST: usize = 16 << 10;
const QUERY_RETRIEVE_LEVEL: Tag = Tag(0x0008, 0x0052);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);

/// The query as a data set, base64; `None` when it is too long.
pub(super) fn asked(query: &Query) -> Option<String> {
    let mut identifier = DataSet::new();
    identifier.put_text(QUERY_RETRIEVE_LEVEL, VR::CS, query.level.as_str());
    query.keys.iter().for_each(|key| put(&mut identifier, key));
    let bytes = identifier.encode(Encoding::ExplicitLittleEndian, &SpecificCharacterSet::utf8()).ok()?;
    (bytes.len() <= LONGEST).then(|| STANDARD.encode(bytes))
}

/// The patient that was asked for by exact Patient ID, and the study by its UID alone.
pub(super) fn named(query: &Query) -> (Option<String>, Option<String>) {
    let key = |tag| query.keys.iter().find(|key| key.path == [tag]).map(|key| &key.matching);
    let patient = match key(PATIENT_ID) {
        Some(Matching::SingleValue(id)) if !id.is_empty() => Some(id.clone()),
        _ => None,
    };
    let study = match key(STUDY_INSTANCE_UID) {
        Some(Matching::ListOfUid(uids)) if uids.len() == 1 => uids.first().map(ToString::to_string),
        _ => None,
    };
    (patient, study)
}

fn put(into: &mut DataSet, key: &Key) {
    match key.path.as_slice() {
        [] => {}
        [tag] => into.put(*tag, key.vr, value(&key.matching)),
        [sequence, rest @ ..] => {
            let mut item = DataSet::new();
            put(&mut item, &Key { path: rest.to_vec(), vr: key.vr, matching: key.matching.clone() });
            into.put(*sequence, VR::SQ, Value::Sequence(vec![item]));
        }
    }
}

fn value(matching: &Matching) -> Value {
    match matching {
        Matching::Universal => Value::Empty,
        Matching::TagValue(tag) => Value::Tags(vec![*tag]),
        Matching::Sequence(keys) => {
            let mut item = DataSet::new();
            keys.iter().for_each(|key| put(&mut item, key));
            Value::Sequence(vec![item])
        }
        other => Value::Text(texts(other)),
    }
}

fn texts(matching: &Matching) -> Vec<String> {
    match matching {
        Matching::SingleValue(text) => vec![text.clone()],
        Matching::Integer(number) => vec![number.to_string()],
        Matching::Decimal(number) => vec![number.to_string()],
        Matching::ListOfUid(uids) => uids.iter().map(ToString::to_string).collect(),
        Matching::WildCard(pattern) => vec![pattern_text(pattern)],
        Matching::PersonName(pattern) => vec![name_text(pattern)],
        Matching::DateRange(range) => vec![span(range.from.as_ref(), range.to.as_ref())],
        Matching::TimeRange(range) => vec![span(range.from.as_ref(), range.to.as_ref())],
        Matching::DateTimeRange(_) => vec!["*".into()],
        Matching::DateAndTimeRange { range, .. } => {
            vec![span(range.from.as_ref().map(|from| &from.0), range.to.as_ref().map(|to| &to.0))]
        }
        Matching::EmptyValue => vec!["\"\"".into()],
        Matching::MultipleValues(several) => several.iter().flat_map(texts).collect(),
        Matching::Universal | Matching::TagValue(_) | Matching::Sequence(_) => Vec::new(),
    }
}

/// PS3.4 C.2.2.2.5: a range, or the one value when both ends are it.
fn span<T: std::fmt::Display>(from: Option<&T>, to: Option<&T>) -> String {
    let [from, to] = [from, to].map(|end| end.map(ToString::to_string).unwrap_or_default().replace(['-', ':'], ""));
    if from == to { from } else { format!("{from}-{to}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadglass_dicom::encode::decode;
    use leadglass_dicom::query::{QueryOptions, Root};
    use leadglass_dicom::scan::Limits;

    #[test]
    fn what_was_asked_reads_back_as_an_identifier() {
        let mut identifier = DataSet::new();
        identifier.put_text(QUERY_RETRIEVE_LEVEL, VR::CS, "STUDY");
        identifier.put_text(Tag(0x0010, 0x0010), VR::PN, "Müller*");
        identifier.put_text(PATIENT_ID, VR::LO, "P-1");
        identifier.put_text(Tag(0x0008, 0x0020), VR::DA, "20260101-20260131");
        let query = Query::from_identifier(Root::Study, &QueryOptions::default(), &identifier).unwrap();
        assert_eq!(named(&query), (Some("P-1".into()), None));
        let bytes = STANDARD.decode(asked(&query).unwrap()).unwrap();
        let back = decode(&bytes, Encoding::ExplicitLittleEndian, &Limits::default()).unwrap();
        assert_eq!(back.text(PATIENT_ID), Some("P-1"));
        assert_eq!(back.text(Tag(0x0008, 0x0020)), Some("20260101-20260131"));
        assert_eq!(back.text(Tag(0x0010, 0x0010)), Some("muller*"));
    }
}
