//! Handing out without what identifies: projects, and what is retrieved for them.
//!
//! A project is a name, a profile (PS3.15 Annex E) and a key. The key never leaves the keyring:
//! from it comes every pseudonym, UID and shift of dates, so that what left for a project stays
//! consistent and can be traced back here and nowhere else. Deliberately absent: what is done to
//! an attribute, which is `leadglass_dicom::deidentify`'s.

mod outgoing;

use std::sync::Arc;

use aws_lc_rs::{hmac, rand};
use leadglass_dicom::deidentify::{Profile, Pseudonyms};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use outgoing::{Deidentified, DeidentifiedReader, Outgoing};

use crate::access::decide::Request;
use crate::access::{Granted, requests};
use crate::change::Change;
use crate::retrieve::Retrieval;
use crate::trail::Subject;
use crate::{Archive, Caller, Operation, Refused, Selection, blocking};

/// Longest name of a project, in characters.
const LONGEST_NAME: usize = 64;
/// Most projects.
const MOST_PROJECTS: usize = 10_000;

/// Something that things are de-identified for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Its name, part of URLs.
    pub name: String,
    /// What is done to what leaves for it; does not change, so that what left stays comparable.
    pub profile: Profile,
}

/// The request to hand out without what identifies.
#[derive(Clone, Debug)]
pub(crate) struct RetrieveDeidentified {
    pub(crate) project: String,
    pub(crate) selection: Selection,
}

impl Request for RetrieveDeidentified {
    const OPERATION: Operation = Operation::RetrieveDeidentified;

    fn subject(&self) -> Subject {
        let one = |texts: Vec<String>| (texts.len() == 1).then(|| texts.into_iter().next()).flatten();
        Subject {
            patient_id: one(self.selection.patient_ids.clone()),
            study: one(self.selection.studies.iter().map(ToString::to_string).collect()),
            purpose: Some(format!("deidentified, project {}", self.project)),
            ..Subject::default()
        }
    }
}

impl Archive {
    /// Makes a project, with a key of its own.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a name that is no part of a URL or in use, and for a profile that
    /// makes no sense.
    pub async fn make_project(&self, caller: &Caller, name: &str, profile: Profile) -> Result<(), Refused> {
        let request = requests::MakeProject { name: name.to_owned(), profile };
        self.perform_change(caller, request, async |granted| {
            let requests::MakeProject { name, profile } = granted.request().clone();
            if !is_name(&name) {
                return Err(Refused::Invalid(format!(
                    "a project's name has 1 to {LONGEST_NAME} letters, digits, dots, dashes and underscores"
                )));
            }
            profile.check().map_err(|error| Refused::Invalid(error.to_string()))?;
            if self.inner.registry.project(&name).is_some() {
                return Err(Refused::Invalid("there is a project of that name: projects do not change".into()));
            }
            if self.inner.registry.projects().len() >= MOST_PROJECTS {
                return Err(Refused::Invalid(format!("there are {MOST_PROJECTS} projects already")));
            }
            self.make_key(&name).await?;
            Ok((Some(Change::ProjectMade { project: Project { name, profile } }), ()))
        })
        .await
    }

    /// All projects by name, without keys.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn projects(&self, caller: &Caller) -> Result<Vec<Project>, Refused> {
        self.perform(caller, requests::ListProjects, async |_| Ok(self.inner.registry.projects())).await
    }

    /// Opens the way to the instances selected, to be de-identified for a project. That they are
    /// handed out is durable in the trail, with the project, when this returns.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such project, or the caller reaches none of them.
    pub async fn retrieve_deidentified(
        &self,
        caller: &Caller,
        project: &str,
        selection: Selection,
    ) -> Result<Deidentified, Refused> {
        let request = RetrieveDeidentified { project: project.to_owned(), selection };
        let select = async |granted: &Granted<RetrieveDeidentified>| {
            let request = granted.request();
            self.inner.registry.project(&request.project).ok_or(Refused::NotFound)?;
            self.select(request.selection.clone(), granted.scope().clone()).await
        };
        let selected = self.perform_access(caller, request, select).await?;
        let project = self.inner.registry.project(project).ok_or(Refused::NotFound)?;
        let pseudonyms = self.pseudonyms(&project.name).await?;
        let limits = self.inner.settings.scan.clone();
        let retrieval = Retrieval::new(self.clone(), caller.clone(), selected, false);
        Ok(Deidentified::new(retrieval, project.profile, pseudonyms, limits))
    }

    /// Makes a project's key durable; one of an interrupted try serves.
    async fn make_key(&self, name: &str) -> Result<(), Refused> {
        let (keyring, name) = (self.inner.keyring.clone(), secret_name(name));
        blocking(move || {
            let broken = |error: &dyn std::fmt::Display| Refused::Broken(error.to_string());
            if keyring.secret(&name).map_err(|error| broken(&error))?.is_some() {
                return Ok(());
            }
            let mut key = Zeroizing::new([0; 32]);
            rand::fill(key.as_mut_slice()).map_err(|error| broken(&error))?;
            keyring.put_secret(&name, key.as_slice()).map_err(|error| broken(&error))
        })
        .await?
    }

    async fn pseudonyms(&self, project: &str) -> Result<Pseudonyms, Refused> {
        let (keyring, name) = (self.inner.keyring.clone(), secret_name(project));
        let secret = blocking(move || keyring.secret(&name)).await?;
        let secret = secret.map_err(|error| Refused::Broken(error.to_string()))?;
        let secret = secret.ok_or_else(|| Refused::Broken("the key of a project is not in the keyring".into()))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Ok(Pseudonyms::new(Arc::new(move |message: &[u8]| {
            let mut hash = [0; 32];
            hash.iter_mut().zip(hmac::sign(&key, message).as_ref()).for_each(|(to, from)| *to = *from);
            hash
        })))
    }
}

/// Under which name the keyring has a project's key.
fn secret_name(project: &str) -> String {
    format!("project {project}")
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_urls() {
        for name in ["", "-x", ".", "../x", "a b", "a/b", "a?b", "\u{1b}[2J", "é", &"n".repeat(65)] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(is_name("LUNA-2026.a_1"));
    }
}
