//! Which study, series or instance a path names, PS3.18 10.1.

use axum::extract::{FromRequestParts, OptionalFromRequestParts, RawPathParams};
use http::request::Parts;
use leadglass_archive::Selection;
use leadglass_archive::retrieve::StoredInstance;
use leadglass_dicom::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, Uid};

use crate::web::Problem;

/// A target resource: a study, or a series of it, or an instance of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The study.
    pub study: StudyInstanceUid,
    /// The series.
    pub series: Option<SeriesInstanceUid>,
    /// The instance.
    pub instance: Option<SopInstanceUid>,
}

impl Target {
    /// As the archive selects it.
    pub fn selection(&self) -> Selection {
        Selection {
            patient_ids: Vec::new(),
            studies: vec![self.study.clone()],
            series: self.series.iter().cloned().collect(),
            instances: self.instance.iter().cloned().collect(),
        }
    }

    /// Whether it names one instance.
    pub fn is_instance(&self) -> bool {
        self.instance.is_some()
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Target>, Problem> {
        let parameters = path_parameters(parts, state).await?;
        let find = |name: &str| {
            let found = parameters.iter().find(|(n, _)| *n == name);
            found
                .map(|(_, value)| Uid::parse(value).map_err(|error| Problem::bad_request(error.to_string())))
                .transpose()
        };
        let Some(study) = find("study")? else { return Ok(None) };
        Ok(Some(Target {
            study: study.into(),
            series: find("series")?.map(Into::into),
            instance: find("instance")?.map(Into::into),
        }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Target, Problem> {
        <Target as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?.ok_or_else(Problem::not_found)
    }
}

/// The parts of a path that are no UIDs: frame numbers, the way to a bulk value.
pub struct PathRest(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathRest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<PathRest, Problem> {
        let parameters = path_parameters(parts, state).await?;
        let rest = parameters.iter().find(|(name, _)| *name == "rest").map(|(_, value)| value.to_owned());
        rest.map(PathRest).ok_or_else(Problem::not_found)
    }
}

async fn path_parameters<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, Problem> {
    RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::bad_request("malformed path"))
}

/// The URL of a study, as clients see it.
pub fn study_url(public_url: &str, study: &StudyInstanceUid) -> String {
    format!("{public_url}/dicom-web/studies/{study}")
}

/// The URL of a series.
pub fn series_url(public_url: &str, study: &StudyInstanceUid, series: &SeriesInstanceUid) -> String {
    format!("{public_url}/dicom-web/studies/{study}/series/{series}")
}

/// The URL of an instance.
pub fn instance_url(public_url: &str, instance: &StoredInstance) -> String {
    let series = series_url(public_url, &instance.study, &instance.series);
    format!("{series}/instances/{}", instance.sop_instance)
}
