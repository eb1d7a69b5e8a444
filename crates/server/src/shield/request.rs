//! What an identifier asks for, read once and strictly, so that the old archive is asked for
//! what was decided and for nothing else.
//!
//! Archives differ in which key they go by: some take a Patient ID or an Accession Number
//! before the Study Instance UID, some spell levels freely. So a retrieval is written anew,
//! from unique keys alone. Deliberately absent: retrieval of whole patients.

use leadglass_archive::relay::Asked;
use leadglass_dicom::attribute::Level;
use leadglass_dicom::{DataSet, StudyInstanceUid, Tag, Uid, VR, Value};

use crate::scp::identifier::QUERY_RETRIEVE_LEVEL;

pub(super) const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
/// Characters of a request's words in the trail.
const MOST_WORDS: usize = 1024;

/// A query: what is decided about, and the identifier under the level as the standard spells it.
///
/// # Errors
/// Why it is none, for the Error Comment.
pub(super) fn search(mut identifier: DataSet) -> Result<(Asked, DataSet), &'static str> {
    let level = level(&identifier)?;
    let named = studies(&identifier)?;
    // Above the studies their UIDs are no key.
    let studies = if level == Level::Patient { Vec::new() } else { named };
    let exact = |value: &&str| !value.is_empty() && !value.contains(['*', '?', '\\']);
    let patient_id = identifier.text(PATIENT_ID).filter(exact).map(str::to_owned);
    let asked = Asked { studies, patient_id, detail: words(&identifier) };
    identifier.put_text(QUERY_RETRIEVE_LEVEL, VR::CS, level.as_str());
    Ok((asked, identifier))
}

/// A retrieval: what is decided about, and the identifier that is passed on, of unique keys
/// from the study down.
///
/// # Errors
/// Why it is none, for the Error Comment.
pub(super) fn retrieval(identifier: &DataSet) -> Result<(Asked, DataSet), &'static str> {
    let level = level(identifier)?;
    let below: &[Level] = match level {
        Level::Patient => return Err("behind a shield studies, series or images are retrieved, not patients"),
        Level::Study => &[],
        Level::Series => &[Level::Series],
        Level::Instance => &[Level::Series, Level::Instance],
    };
    let studies = studies(identifier)?;
    let mut written = DataSet::new();
    written.put_text(QUERY_RETRIEVE_LEVEL, VR::CS, level.as_str());
    let uids = |values: Vec<String>| Value::Text(values);
    if !studies.is_empty() {
        written.put(Level::Study.unique_key(), VR::UI, uids(studies.iter().map(ToString::to_string).collect()));
    }
    for of in below {
        let named = named(identifier, of.unique_key());
        if named.iter().any(|uid| Uid::parse(uid).is_err()) {
            return Err("a Series or SOP Instance UID that is none");
        }
        if named.is_empty() && *of == level {
            return Err("the level's unique key is missing");
        }
        if !named.is_empty() {
            written.put(of.unique_key(), VR::UI, uids(named.into_iter().map(str::to_owned).collect()));
        }
    }
    // Whose the studies are is not for whoever asks to say.
    Ok((Asked { studies, patient_id: None, detail: words(identifier) }, written))
}

fn level(identifier: &DataSet) -> Result<Level, &'static str> {
    match identifier.texts(QUERY_RETRIEVE_LEVEL) {
        [one] => Level::parse(one).ok_or("Query/Retrieve Level is PATIENT, STUDY, SERIES or IMAGE"),
        _ => Err("Query/Retrieve Level is one of PATIENT, STUDY, SERIES, IMAGE"),
    }
}

/// The studies named. What is no UID is refused: an old archive may read it as all of them.
fn studies(identifier: &DataSet) -> Result<Vec<StudyInstanceUid>, &'static str> {
    let parsed = named(identifier, Level::Study.unique_key()).into_iter().map(StudyInstanceUid::parse);
    parsed.collect::<Result<_, _>>().map_err(|_| "a Study Instance UID that is none")
}

fn named(identifier: &DataSet, key: Tag) -> Vec<&str> {
    identifier.texts(key).iter().map(String::as_str).filter(|uid| !uid.is_empty()).collect()
}

fn words(identifier: &DataSet) -> String {
    let mut words = String::new();
    for (tag, _) in identifier.iter() {
        let values = identifier.texts(tag).join("\\");
        if !values.is_empty() && words.len() < MOST_WORDS {
            let divider = if words.is_empty() { "" } else { "; " };
            words.push_str(&format!("{divider}{tag}={values}"));
        }
    }
    words.chars().take(MOST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESSION_NUMBER: Tag = Tag(0x0008, 0x0050);

    fn identifier(level: &str, study: Value) -> DataSet {
        let mut identifier = DataSet::new();
        identifier.put_text(QUERY_RETRIEVE_LEVEL, VR::CS, level);
        identifier.put(Level::Study.unique_key(), VR::UI, study);
        identifier.put_text(PATIENT_ID, VR::LO, "P*");
        identifier.put_text(ACCESSION_NUMBER, VR::SH, "A1");
        identifier
    }

    fn one(uid: &str) -> Value {
        Value::Text(vec![uid.into()])
    }

    #[test]
    fn a_query_is_bound_to_exact_studies_from_their_level_down() {
        let of = |level: &str, value: Value| search(identifier(level, value)).map(|(asked, _)| asked);
        let bound = of("STUDY", Value::Text(vec!["1.2".into(), "1.3".into()])).unwrap();
        assert_eq!((bound.studies.len(), bound.patient_id), (2, None));
        assert_eq!(of("IMAGE ", one("1.2")).unwrap().studies.len(), 1);
        assert!(of("PATIENT", one("1.2")).unwrap().studies.is_empty());
        assert!(of("STUDY", Value::Empty).unwrap().studies.is_empty());
        for wrong in ["*", "1.2*", "1..2", "x"] {
            assert!(of("STUDY", one(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn levels_are_spelt_as_in_the_standard() {
        for wrong in ["study", "STUDIES", "Series", "INSTANCE", "", "STUDY\\PATIENT"] {
            assert!(search(identifier(wrong, one("1.2"))).is_err(), "{wrong}");
            assert!(retrieval(&identifier(wrong, one("1.2"))).is_err(), "{wrong}");
        }
        let mut two = identifier("STUDY", one("1.2"));
        two.put(QUERY_RETRIEVE_LEVEL, VR::CS, Value::Text(vec!["STUDY".into(), "PATIENT".into()]));
        assert!(search(two).is_err());
    }

    #[test]
    fn a_retrieval_is_passed_on_by_unique_keys_alone() {
        let (asked, written) = retrieval(&identifier("STUDY", one("1.2"))).unwrap();
        assert_eq!((asked.studies.len(), asked.patient_id), (1, None));
        let tags: Vec<Tag> = written.iter().map(|(tag, _)| tag).collect();
        assert_eq!(tags, [QUERY_RETRIEVE_LEVEL, Level::Study.unique_key()]);
        assert!(retrieval(&identifier("PATIENT", one("1.2"))).is_err());
        assert!(retrieval(&identifier("SERIES", one("1.2"))).is_err(), "no series");
        let mut series = identifier("SERIES", one("1.2"));
        series.put_text(Level::Series.unique_key(), VR::UI, "1.2.3");
        series.put_text(Level::Instance.unique_key(), VR::UI, "1.2.3.4");
        let (_, written) = retrieval(&series).unwrap();
        assert_eq!((written.len(), written.text(Level::Series.unique_key())), (3, Some("1.2.3")));
        series.put_text(Level::Series.unique_key(), VR::UI, "*");
        assert!(retrieval(&series).is_err());
    }
}
