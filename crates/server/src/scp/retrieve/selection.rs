//! What a retrieve identifier names, PS3.4 C.4.2.1.4: unique keys, single or as a list.

use leadglass_archive::operation::Selection;
use leadglass_dicom::attribute::Level;
use leadglass_dicom::query::{QueryError, Root};
use leadglass_dicom::{DataSet, Tag, Uid};
use leadglass_dimse::message::StatusDetail;
use leadglass_dimse::status::Status;

use crate::scp::identifier::QUERY_RETRIEVE_LEVEL;
use crate::scp::query::not_matching;

/// The instances an identifier names; `relational` allows unique keys above to be missing.
pub fn selection(root: Root, relational: bool, identifier: &DataSet) -> Result<Selection, (Status, StatusDetail)> {
    parse(root, relational, identifier).map_err(|error| not_matching(&error))
}

fn parse(root: Root, relational: bool, identifier: &DataSet) -> Result<Selection, QueryError> {
    let level = identifier.text(QUERY_RETRIEVE_LEVEL).ok_or(QueryError::LevelMissing)?;
    let level = Level::parse(level).ok_or(QueryError::LevelUnknown)?;
    if root == Root::Study && level == Level::Patient {
        return Err(QueryError::LevelUnknown);
    }
    let selection = Selection {
        patient_ids: patient_ids(identifier)?,
        studies: uids(identifier, Level::Study)?.into_iter().map(Into::into).collect(),
        series: uids(identifier, Level::Series)?.into_iter().map(Into::into).collect(),
        instances: uids(identifier, Level::Instance)?.into_iter().map(Into::into).collect(),
    };
    let counts = [
        (Level::Patient, selection.patient_ids.len()),
        (Level::Study, selection.studies.len()),
        (Level::Series, selection.series.len()),
        (Level::Instance, selection.instances.len()),
    ];
    let top = if root == Root::Patient { Level::Patient } else { Level::Study };
    for (of, count) in counts {
        let missing = of == level && count == 0;
        let not_single = !relational && of >= top && of < level && count != 1;
        if missing || not_single {
            return Err(QueryError::UniqueKeyMissing(of.unique_key()));
        }
        if of > level && count > 0 {
            return Err(QueryError::InvalidValue(of.unique_key()));
        }
    }
    Ok(selection)
}

fn patient_ids(identifier: &DataSet) -> Result<Vec<String>, QueryError> {
    let key = Level::Patient.unique_key();
    let ids = identifier.texts(key).iter().filter(|id| !id.is_empty());
    let ids: Vec<String> = ids.cloned().collect();
    // Wild cards are for queries: here they would name more than was seen.
    if ids.iter().any(|id| id.contains(['*', '?'])) { Err(QueryError::InvalidValue(key)) } else { Ok(ids) }
}

fn uids(identifier: &DataSet, level: Level) -> Result<Vec<Uid>, QueryError> {
    let key: Tag = level.unique_key();
    let texts = identifier.texts(key).iter().filter(|text| !text.is_empty());
    texts.map(|text| Uid::parse(text).map_err(|_| QueryError::InvalidValue(key))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use leadglass_dicom::{VR, Value};

    fn identifier(level: &str, keys: &[(Level, &[&str])]) -> DataSet {
        let mut identifier = DataSet::new();
        identifier.put_text(QUERY_RETRIEVE_LEVEL, VR::CS, level);
        for (level, values) in keys {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            identifier.put(level.unique_key(), VR::UI, Value::Text(values));
        }
        identifier
    }

    fn study_root(identifier: &DataSet) -> Result<Selection, QueryError> {
        parse(Root::Study, false, identifier)
    }

    #[test]
    fn a_list_of_studies_is_taken() {
        let selection = study_root(&identifier("STUDY", &[(Level::Study, &["1.2", "1.3"])])).unwrap();
        assert_eq!(selection.studies.len(), 2);
        assert!(selection.series.is_empty());
    }

    #[test]
    fn what_would_name_more_than_was_asked_is_refused() {
        for bad in [
            identifier("STUDY", &[]),
            identifier("STUDY", &[(Level::Study, &[""])]),
            identifier("STUDY", &[(Level::Study, &["1.*"])]),
            identifier("PATIENT", &[(Level::Patient, &["P"])]),
            identifier("SERIES", &[(Level::Series, &["1.2"])]),
            identifier("SERIES", &[(Level::Study, &["1.2", "1.3"]), (Level::Series, &["1.2"])]),
            identifier("STUDY", &[(Level::Study, &["1.2"]), (Level::Series, &["1.2"])]),
            identifier("EVERYTHING", &[(Level::Study, &["1.2"])]),
        ] {
            assert!(study_root(&bad).is_err(), "{bad:?}");
        }
        assert!(parse(Root::Patient, false, &identifier("PATIENT", &[(Level::Patient, &["*"])])).is_err());
    }

    #[test]
    fn relational_retrieval_needs_no_keys_above() {
        let series = identifier("SERIES", &[(Level::Series, &["1.2"])]);
        assert_eq!(parse(Root::Study, true, &series).unwrap().series.len(), 1);
    }
}
