//! Whose studies are that somebody is about to open: asked of the old archive, as the shield's
//! own question, once it is decided that they may. What it does not say stays unknown.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use http::{HeaderValue, header};
use http_body_util::{BodyExt, Limited};
use leadglass_archive::relay::Told;
use leadglass_dicom::attribute::Level;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::{AeTitle, DataSet, StudyInstanceUid, Uid, VR, Value};
use leadglass_dimse::negotiation::AssociateRequest;
use leadglass_dimse::scu;

use super::dicomweb::ask;
use super::request::PATIENT_ID;
use super::{Shield, rows};
use crate::scp::Entity;
use crate::scp::identifier::{QUERY_RETRIEVE_LEVEL, read, write};
use crate::scu::query::STUDY_ROOT_FIND;

const IMPLICIT: &str = leadglass_dicom::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
/// Bytes of an answer.
const MOST: usize = 1 << 20;

/// Asks by QIDO-RS; `None` when no answer came.
pub(super) async fn by_web(shield: Arc<Shield>, studies: Vec<StudyInstanceUid>) -> Option<Vec<Told>> {
    let asked = tokio::time::timeout(shield.patience(), searched(&shield, &studies)).await;
    told(asked.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time"))))
}

/// Asks by C-FIND, in the client's name; `None` when no answer came.
pub(super) async fn by_dicom(entity: Entity, calling: AeTitle, studies: Vec<StudyInstanceUid>) -> Option<Vec<Told>> {
    let shield = entity.host().shield.clone()?;
    let asked = tokio::time::timeout(shield.patience(), found(&entity, &shield, calling, &studies)).await;
    told(asked.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time"))))
}

fn told(asked: anyhow::Result<Vec<Told>>) -> Option<Vec<Told>> {
    let failed = |error: &anyhow::Error| {
        tracing::warn!(door = "shield", error = format!("{error:#}"), "the old archive does not say whose a study is");
    };
    asked.inspect_err(failed).ok()
}

async fn searched(shield: &Shield, studies: &[StudyInstanceUid]) -> anyhow::Result<Vec<Told>> {
    let Some(root) = shield.root() else { anyhow::bail!("it has no DICOMweb") };
    let mut all = Vec::new();
    for study in studies {
        let mut request = Request::new(Body::empty());
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/dicom+json"));
        let resource = format!("/studies?StudyInstanceUID={study}&includefield=00100020&limit=1");
        let answer = ask(shield, root, &resource, request).await?;
        if !answer.status().is_success() {
            anyhow::bail!("it answered with status {}", answer.status().as_u16());
        }
        let body = Limited::new(answer.into_body(), MOST).collect().await.map_err(|error| anyhow::anyhow!(error))?;
        let rows = rows::of_json(&body.to_bytes()).ok_or_else(|| anyhow::anyhow!("rows of no JSON"))?;
        all.extend(rows.into_iter().filter(|row| row.study.as_deref() == Some(study.as_str())));
    }
    Ok(all)
}

async fn found(
    entity: &Entity,
    shield: &Shield,
    calling: AeTitle,
    studies: &[StudyInstanceUid],
) -> anyhow::Result<Vec<Told>> {
    let syntax = Uid::parse(IMPLICIT)?;
    let mut request = AssociateRequest::new(calling.clone(), calling);
    let context = request.propose(&Uid::parse(STUDY_ROOT_FIND)?, std::slice::from_ref(&syntax));
    let context = context.ok_or_else(|| anyhow::anyhow!("no room for a context"))?;
    let mut association = shield.associate(request, &entity.limits()).await?;
    if association.context(context).is_none() {
        association.release().await?;
        anyhow::bail!("it offers no C-FIND of studies");
    }
    let mut identifier = DataSet::new();
    identifier.put_text(QUERY_RETRIEVE_LEVEL, VR::CS, Level::Study.as_str());
    let uids = studies.iter().map(ToString::to_string).collect();
    identifier.put(Level::Study.unique_key(), VR::UI, Value::Text(uids));
    identifier.put(PATIENT_ID, VR::LO, Value::Empty);
    let identifier = write(&identifier, &syntax, &SpecificCharacterSet::utf8())?;
    let of_asked = |row: &Told| studies.iter().any(|study| row.study.as_deref() == Some(study.as_str()));
    let mut all = Vec::new();
    let mut finding = scu::find(&mut association, context, &identifier).await?;
    while let Some(row) = finding.next().await? {
        let row = rows::of_data_set(&read(&row, &syntax, MOST)?);
        if all.len() < studies.len() && of_asked(&row) {
            all.push(row);
        }
    }
    let done = finding.outcome().is_some_and(|response| response.status.is_done());
    association.release().await?;
    if done { Ok(all) } else { Err(anyhow::anyhow!("it could not search")) }
}
