//! Retrieve metadata: the attributes of objects without their bulk values, PS3.18 10.4.1.1.2.
//!
//! JSON comes out of the archive as it was written there; only the front of each
//! BulkDataURI is put in place of its mark. XML is made of it on the way.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use leadglass_archive::Caller;
use leadglass_archive::retrieve::{Purpose, Retrieval, StoredInstance};
use leadglass_dicom::scan::Limits;
use leadglass_dicom::{Bulk, json, xml};
use memchr::memmem;

use super::accept::{Accept, Coding};
use super::coding;
use super::conditions::EntityTag;
use super::multipart_writer::MultipartWriter;
use super::target::{Target, instance_url};
use super::{DICOM_JSON, DICOM_XML, body};
use crate::web::problem::hidden;
use crate::web::{Problem, WebState};

/// How the archive marks a bulk value of the instance itself.
const MARK: &[u8] = b"\"BulkDataURI\":\"lg:";
/// What stands before the mark's `lg:`.
const MARK_KEPT: usize = MARK.len() - 3;
/// The mark as the parser sees it.
const SCHEME: &str = "lg:";

/// The two forms of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json(&'static str),
    Xml,
}

/// `GET …/metadata` of a study, a series or an instance.
pub async fn metadata(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    target: Target,
    accept: Accept,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let form = form(&accept)?;
    let retrieval = state.archive().retrieve(&caller, target.selection(), Purpose::Viewing).await.map_err(hidden)?;
    let coding = if form == Form::Xml { Coding::Identity } else { Coding::wanted(&headers) };
    let words = [form.essence(), coding.name().unwrap_or("identity"), state.public_url()];
    let tag = EntityTag::of(retrieval.instances(), &words);
    let response = match tag.instead(&headers) {
        Some(response) => response,
        None => answer(&state, &retrieval, form, coding, &tag).await?,
    };
    retrieval.complete().await.map_err(hidden)?;
    Ok(response)
}

impl Form {
    fn essence(self) -> &'static str {
        match self {
            Form::Json(essence) => essence,
            Form::Xml => DICOM_XML,
        }
    }
}

fn form(accept: &Accept) -> Result<Form, Problem> {
    for wanted in accept.wanted() {
        let inner = wanted.parameter("type");
        match wanted.essence() {
            "*/*" | "application/*" | DICOM_JSON if !accept.excludes(DICOM_JSON) => return Ok(Form::Json(DICOM_JSON)),
            "application/json" => return Ok(Form::Json("application/json")),
            "multipart/related" | "multipart/*" if inner.is_none_or(|inner| inner == DICOM_XML) => {
                return Ok(Form::Xml);
            }
            _ => {}
        }
    }
    Err(Problem::not_acceptable(
        "metadata come as application/dicom+json or multipart/related with type application/dicom+xml",
    ))
}

async fn answer(
    state: &WebState,
    retrieval: &Retrieval,
    form: Form,
    coding: Coding,
    tag: &EntityTag,
) -> Result<Response, Problem> {
    let mut response = match form {
        Form::Json(essence) => json_answer(state, retrieval, essence, coding, tag).await?,
        Form::Xml => xml_answer(state, retrieval, tag).await?,
    };
    tag.mark(response.headers_mut());
    Ok(response)
}

async fn json_answer(
    state: &WebState,
    retrieval: &Retrieval,
    essence: &'static str,
    coding: Coding,
    tag: &EntityTag,
) -> Result<Response, Problem> {
    let mut damaged = 0;
    let coded = match state.summaries().answer(tag.as_str()) {
        Some(coded) => {
            retrieval.count_all();
            coded
        }
        None => {
            let objects = retrieval.all_metadata().await.map_err(hidden)?;
            damaged = objects.iter().filter(|object| object.is_none()).count();
            let coded = coding::encode(json_pieces(state.public_url(), retrieval, objects), coding).await?;
            if damaged == 0 {
                state.summaries().keep(tag.as_str(), coded.clone());
            }
            coded
        }
    };
    let mut response = Response::new(body::pieces([coded]));
    mark_damaged(&mut response, damaged)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(essence));
    if let Some(name) = coding.name() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    Ok(response)
}

/// An array of the objects of all instances that are whole.
fn json_pieces(public_url: &str, retrieval: &Retrieval, objects: Vec<Option<Bytes>>) -> Vec<Bytes> {
    let mut pieces = Vec::with_capacity(objects.len() * 2 + 1);
    for (instance, object) in retrieval.instances().iter().zip(objects) {
        let Some(object) = object else { continue };
        pieces.push(Bytes::from_static(if pieces.is_empty() { b"[" } else { b"," }));
        pieces.push(with_bulk_urls(object, public_url, instance));
    }
    pieces.push(Bytes::from_static(b"]"));
    pieces
}

/// 206 and a `Warning` when instances had to be left out: the rest is what it should be.
fn mark_damaged(response: &mut Response, damaged: usize) -> Result<(), Problem> {
    if damaged > 0 {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let warning = format!("299 leadglass \"{damaged} instances are left out: their records are damaged on disk\"");
        response.headers_mut().insert(header::WARNING, HeaderValue::from_str(&warning).map_err(Problem::internal)?);
    }
    Ok(())
}

/// The object with every mark replaced. A string value cannot hold the mark: JSON writes a
/// quotation mark inside a string with a backslash before it.
fn with_bulk_urls(object: Bytes, public_url: &str, instance: &StoredInstance) -> Bytes {
    let marks: Vec<usize> = memmem::find_iter(&object, MARK).collect();
    if marks.is_empty() {
        return object;
    }
    let front = bulk_front(public_url, instance);
    let mut out = Vec::with_capacity(object.len() + marks.len() * front.len());
    let mut start = 0;
    for mark in marks {
        out.extend_from_slice(object.get(start..mark + MARK_KEPT).unwrap_or_default());
        out.extend_from_slice(front.as_bytes());
        start = mark + MARK.len();
    }
    out.extend_from_slice(object.get(start..).unwrap_or_default());
    out.into()
}

fn bulk_front(public_url: &str, instance: &StoredInstance) -> String {
    format!("{}/bulkdata/", instance_url(public_url, instance))
}

async fn xml_answer(state: &WebState, retrieval: &Retrieval, tag: &EntityTag) -> Result<Response, Problem> {
    let writer = MultipartWriter::new(tag, DICOM_XML);
    let objects = retrieval.all_metadata().await.map_err(hidden)?;
    let damaged = objects.iter().filter(|object| object.is_none()).count();
    let mut pieces = Vec::with_capacity(objects.len() * 2 + 1);
    for (instance, object) in retrieval.instances().iter().zip(objects) {
        let Some(object) = object else { continue };
        pieces.push(Bytes::from(writer.part(DICOM_XML, None)));
        pieces.push(xml_document(&object, state.public_url(), instance)?);
    }
    pieces.push(writer.end().into());
    let mut response = Response::new(body::pieces(pieces));
    response.headers_mut().insert(header::CONTENT_TYPE, writer.content_type()?);
    mark_damaged(&mut response, damaged)?;
    Ok(response)
}

fn xml_document(object: &[u8], public_url: &str, instance: &StoredInstance) -> Result<Bytes, Problem> {
    let data_sets = json::parse(object, &Limits::default()).map_err(Problem::internal)?;
    let front = bulk_front(public_url, instance);
    let mut out = Vec::with_capacity(object.len() * 2);
    for data_set in &data_sets {
        xml::write(data_set, &mut out, &mut |path, bulk| match bulk {
            Bulk::Uri(uri) => uri.strip_prefix(SCHEME).map_or_else(|| uri.clone(), |path| format!("{front}{path}")),
            Bulk::InDataSet { .. } => format!("{front}{path}"),
        });
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use leadglass_dicom::{TransferSyntax, Uid};

    use super::*;

    fn instance() -> StoredInstance {
        let uid = |text: &str| Uid::parse(text).unwrap();
        StoredInstance {
            study: uid("1.1").into(),
            series: uid("1.2").into(),
            sop_instance: uid("1.3").into(),
            sop_class: uid("1.4").into(),
            transfer_syntax: TransferSyntax::explicit_little_endian(),
            data_set_bytes: 0,
            digest: [0; 32],
            frames: 0,
        }
    }

    #[test]
    fn marks_become_urls_and_nothing_else_changes() {
        let object = r#"{"00100010":{"vr":"PN","Value":["\"BulkDataURI\":\"lg:x"]},"7FE00010":{"vr":"OW","BulkDataURI":"lg:7FE00010"}}"#;
        let out = with_bulk_urls(Bytes::from(object), "https://h", &instance());
        let expected = object.replace(
            "\"BulkDataURI\":\"lg:7",
            "\"BulkDataURI\":\"https://h/dicom-web/studies/1.1/series/1.2/instances/1.3/bulkdata/7",
        );
        assert_eq!(out, expected.as_bytes());
        let none = Bytes::from_static(b"{}");
        assert_eq!(with_bulk_urls(none.clone(), "https://h", &instance()), none);
    }
}
