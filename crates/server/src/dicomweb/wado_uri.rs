//! WADO-URI, PS3.18 9: one instance by query parameters, as `application/dicom`.
//!
//! Rendering comes with pixel support; asking for it is answered 406.

use std::collections::HashMap;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use leadglass_archive::Caller;
use leadglass_archive::retrieve::Purpose;
use leadglass_dicom::Uid;

use super::accept::Accept;
use super::deidentified::{self, Wish};
use super::object_form::object_form;
use super::objects;
use super::target::Target;
use crate::web::manners::NamedStudy;
use crate::web::problem::hidden;
use crate::web::{Problem, WebState};

/// Parameters that change what is sent in ways not done here.
const NOT_DONE: [&str; 7] = ["annotation", "rows", "columns", "region", "windowCenter", "windowWidth", "frameNumber"];

/// `GET /wado?requestType=WADO&studyUID=…&seriesUID=…&objectUID=…&contentType=application/dicom`.
pub async fn retrieve(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Query(parameters): Query<HashMap<String, String>>,
    wish: Option<Wish>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if parameters.get("requestType").map(String::as_str) != Some("WADO") {
        return Err(Problem::bad_request("requestType has to be WADO"));
    }
    let target = target(&parameters)?;
    let named = NamedStudy(target.study.clone());
    let accept = accept(&parameters)?;
    if parameters.get("anonymize").is_some_and(|anonymize| anonymize != "yes" || wish.is_none()) {
        return Err(Problem::bad_request("anonymize has to be yes, and deidentify has to name the project"));
    }
    if let Some(wish) = wish {
        return deidentified::retrieve(state.archive(), &caller, &target, &accept, &wish).await;
    }
    let retrieval = state.archive().retrieve(&caller, target.selection(), Purpose::ToCaller).await.map_err(hidden)?;
    let form = object_form(&accept, retrieval.instances(), true)?;
    let mut response = objects::answer(retrieval, form, &headers).await?;
    response.extensions_mut().insert(named);
    Ok(response)
}

fn target(parameters: &HashMap<String, String>) -> Result<Target, Problem> {
    let uid = |name: &str| {
        let text = parameters.get(name).ok_or_else(|| Problem::bad_request(format!("{name} is missing")))?;
        Uid::parse(text).map_err(|error| Problem::bad_request(format!("{name}: {error}")))
    };
    Ok(Target {
        study: uid("studyUID")?.into(),
        series: Some(uid("seriesUID")?.into()),
        instance: Some(uid("objectUID")?.into()),
    })
}

/// What the parameters ask for, in the words of `Accept`. Without `transferSyntax` a native
/// object comes in Explicit VR Little Endian and any other as it is stored.
fn accept(parameters: &HashMap<String, String>) -> Result<Accept, Problem> {
    if let Some(name) = NOT_DONE.iter().find(|name| parameters.contains_key(**name)) {
        return Err(Problem::not_acceptable(format!("{name} is not supported: it comes with pixel support")));
    }
    match parameters.get("contentType").map(|text| text.trim()) {
        Some("application/dicom" | "application/*" | "*/*") => {}
        _ => {
            return Err(Problem::not_acceptable(
                "contentType has to be application/dicom; rendering comes with pixel support",
            ));
        }
    }
    let text = match parameters.get("transferSyntax").map(String::as_str) {
        None => "application/*".to_owned(),
        Some("*") => "application/dicom; transfer-syntax=*".to_owned(),
        Some(syntax) => {
            let uid = Uid::parse(syntax).map_err(|error| Problem::bad_request(format!("transferSyntax: {error}")))?;
            format!("application/dicom; transfer-syntax={uid}")
        }
    };
    Accept::parse(&text).ok_or_else(|| Problem::internal("a media type of ours does not parse"))
}
