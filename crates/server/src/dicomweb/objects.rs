//! Retrieve study, series, instance: whole objects, PS3.18 10.4.1.1.
//!
//! Bytes go from the archive's reader to the connection untouched, unless a native transfer
//! syntax is asked for that the object is not stored in.

use std::ops::Range;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use leadglass_archive::retrieve::{Purpose, Retrieval, StoredInstance};
use leadglass_archive::{Caller, Refused};
use leadglass_dicom::convert::Converter;
use leadglass_dicom::{TransferSyntax, part10};

use super::accept::Accept;
use super::body::{self, Outlet, Stop};
use super::conditions::{self, EntityTag};
use super::deidentified::{self, Wish};
use super::multipart_writer::MultipartWriter;
use super::object_form::{Container, ObjectForm, object_form};
use super::target::Target;
use super::zip::ZipWriter;
use crate::metrics::{self, WEB};
use crate::web::problem::hidden;
use crate::web::{Problem, WebState};

/// `GET /dicom-web/studies/{study}[/series/{series}[/instances/{instance}]]`.
pub async fn retrieve(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    target: Target,
    accept: Accept,
    wish: Option<Wish>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(wish) = wish {
        return deidentified::retrieve(state.archive(), &caller, &target, &accept, &wish).await;
    }
    let retrieval = state.archive().retrieve(&caller, target.selection(), Purpose::ToCaller).await.map_err(hidden)?;
    let form = object_form(&accept, retrieval.instances(), target.is_instance())?;
    answer(retrieval, form, &headers).await
}

/// The answer of a retrieval in a form: conditions, ranges, body.
pub async fn answer(retrieval: Retrieval, form: ObjectForm, headers: &HeaderMap) -> Result<Response, Problem> {
    let tag = entity_tag(retrieval.instances(), &form);
    if let Some(response) = tag.instead(headers) {
        retrieval.complete().await.map_err(hidden)?;
        return Ok(response);
    }
    let mut response = match form.container {
        Container::Multipart => multipart(retrieval, form, &tag).await?,
        Container::Single => single(retrieval, form, &tag, headers).await?,
        Container::Zip => zip(retrieval, form).await?,
    };
    tag.mark(response.headers_mut());
    Ok(response)
}

fn entity_tag(instances: &[StoredInstance], form: &ObjectForm) -> EntityTag {
    let mut words = vec![form.container.essence()];
    words.extend(form.syntaxes.iter().map(|syntax| syntax.uid().as_str()));
    EntityTag::of(instances, &words)
}

async fn multipart(retrieval: Retrieval, form: ObjectForm, tag: &EntityTag) -> Result<Response, Problem> {
    let writer = MultipartWriter::new(tag, "application/dicom");
    let content_type = writer.content_type()?;
    let length = multipart_length(&retrieval, &form, &writer);
    let body = body::written(retrieval, length, move |retrieval, outlet| {
        async move {
            for (instance, syntax) in retrieval.instances().iter().zip(&form.syntaxes) {
                let mut head = writer.part(&part_type(syntax), None);
                head.extend(file_head(instance, syntax));
                outlet.send(head).await?;
                write_data_set(retrieval, instance, syntax, |chunk| chunk, outlet).await?;
            }
            outlet.send(writer.end()).await
        }
        .boxed()
    })
    .await?;
    Ok(with_type(body, content_type))
}

pub(super) fn part_type(syntax: &TransferSyntax) -> String {
    format!("application/dicom; transfer-syntax={}", syntax.uid())
}

/// The length of the whole body, when nothing is converted.
fn multipart_length(retrieval: &Retrieval, form: &ObjectForm, writer: &MultipartWriter) -> Option<u64> {
    let mut length = writer.end().len() as u64;
    for (instance, syntax) in retrieval.instances().iter().zip(&form.syntaxes) {
        length += writer.part(&part_type(syntax), None).len() as u64;
        length += file_length(instance, syntax)?;
    }
    Some(length)
}

async fn single(
    retrieval: Retrieval,
    form: ObjectForm,
    tag: &EntityTag,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let (Some(instance), Some(syntax)) = (retrieval.instances().first().cloned(), form.syntaxes.into_iter().next())
    else {
        return Err(Problem::not_found());
    };
    let length = file_length(&instance, &syntax);
    let range = match length {
        Some(length) => conditions::wanted_range(headers, tag, length)?.map(|range| (range, length)),
        None => None,
    };
    let content_type = HeaderValue::from_str(&part_type(&syntax)).map_err(Problem::internal)?;
    if let Some((range, length)) = range {
        let wanted = range.clone();
        let body = body::written(retrieval, Some(range.end - range.start), move |retrieval, outlet| {
            async move { write_file_range(retrieval, &instance, &syntax, wanted, outlet).await }.boxed()
        });
        let mut response = with_type(body.await?, content_type);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        conditions::mark_range(response.headers_mut(), &range, length)?;
        return Ok(response);
    }
    let body = body::written(retrieval, length, move |retrieval, outlet| {
        async move {
            outlet.send(file_head(&instance, &syntax)).await?;
            write_data_set(retrieval, &instance, &syntax, |chunk| chunk, outlet).await
        }
        .boxed()
    });
    let mut response = with_type(body.await?, content_type);
    if length.is_some() {
        response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    Ok(response)
}

async fn zip(retrieval: Retrieval, form: ObjectForm) -> Result<Response, Problem> {
    let body = body::written(retrieval, None, move |retrieval, outlet| {
        async move {
            let mut zip = ZipWriter::default();
            for (at, (instance, syntax)) in retrieval.instances().iter().zip(&form.syntaxes).enumerate() {
                let head = file_head(instance, syntax);
                let about = head.len() as u64 + instance.data_set_bytes;
                outlet.send(zip.begin(&format!("DICOM/{:08}", at + 1), about)).await?;
                zip.data(&head);
                outlet.send(head).await?;
                let noted = |chunk: Bytes| {
                    zip.data(&chunk);
                    chunk
                };
                write_data_set(retrieval, instance, syntax, noted, outlet).await?;
                outlet.send(zip.end()).await?;
            }
            outlet.send(zip.finish()).await
        }
        .boxed()
    })
    .await?;
    let mut response = with_type(body, HeaderValue::from_static("application/zip"));
    let disposition = HeaderValue::from_static("attachment; filename=\"dicom.zip\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}

pub(super) fn with_type(body: Body, content_type: HeaderValue) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// Preamble and file meta information.
fn file_head(instance: &StoredInstance, syntax: &TransferSyntax) -> Vec<u8> {
    part10::write_file_meta(&instance.sop_class, &instance.sop_instance, syntax)
}

/// Bytes of the file, when it goes out as it is stored.
fn file_length(instance: &StoredInstance, syntax: &TransferSyntax) -> Option<u64> {
    let as_stored = *syntax == instance.transfer_syntax;
    as_stored.then(|| file_head(instance, syntax).len() as u64 + instance.data_set_bytes)
}

/// Writes a data set, each chunk through `noted` on its way.
async fn write_data_set(
    retrieval: &Retrieval,
    instance: &StoredInstance,
    syntax: &TransferSyntax,
    mut noted: impl FnMut(Bytes) -> Bytes,
    outlet: &mut Outlet,
) -> Result<(), Stop> {
    let mut reader = retrieval.open(instance).await?;
    if *syntax == instance.transfer_syntax {
        while let Some(chunk) = reader.next_chunk().await? {
            metrics::sent(WEB, chunk.len());
            outlet.send(noted(chunk)).await?;
        }
        return Ok(());
    }
    let broken = |error: leadglass_dicom::convert::ConvertError| Refused::Broken(format!("conversion: {error}"));
    let mut converter = Converter::new(&instance.transfer_syntax, syntax).map_err(broken)?;
    while let Some(chunk) = reader.next_chunk().await? {
        let mut out = Vec::with_capacity(chunk.len());
        converter.push(&chunk, &mut out).map_err(broken)?;
        metrics::sent(WEB, out.len());
        outlet.send(noted(out.into())).await?;
    }
    let mut out = Vec::new();
    converter.finish(&mut out).map_err(broken)?;
    metrics::sent(WEB, out.len());
    outlet.send(noted(out.into())).await
}

/// Writes some bytes of a file that goes out as it is stored.
async fn write_file_range(
    retrieval: &Retrieval,
    instance: &StoredInstance,
    syntax: &TransferSyntax,
    range: Range<u64>,
    outlet: &mut Outlet,
) -> Result<(), Stop> {
    let head = Bytes::from(file_head(instance, syntax));
    let head_length = head.len() as u64;
    if range.start < head_length {
        let start = usize::try_from(range.start).unwrap_or(head.len());
        let end = usize::try_from(range.end.min(head_length)).unwrap_or(head.len());
        outlet.send(head.slice(start..end)).await?;
    }
    let Some(mut remaining) = range.end.checked_sub(range.start.max(head_length)).filter(|left| *left > 0) else {
        return Ok(());
    };
    let mut reader = retrieval.open(instance).await?;
    reader.seek(range.start.saturating_sub(head_length)).await?;
    while remaining > 0 {
        let Some(mut chunk) = reader.next_chunk().await? else { break };
        chunk.truncate(usize::try_from(remaining).unwrap_or(usize::MAX));
        remaining -= chunk.len() as u64;
        metrics::sent(WEB, chunk.len());
        outlet.send(chunk).await?;
    }
    Ok(())
}
