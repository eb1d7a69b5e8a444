//! Retrieve whole objects without what identifies: `?deidentify=PROJECT` on study, series and
//! instance, and WADO-URI's `anonymize=yes` (PS3.18 9.1.2.2) with it.
//!
//! What the project's profile cannot vouch for is left out, and a `Warning` says how much and
//! why. `&rehearse=yes` sends nothing and answers what would be done, in JSON without values.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::{OptionalFromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::FutureExt as _;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use leadglass_archive::deidentify::{Deidentified, Outgoing};
use leadglass_archive::{Archive, Caller, Refused};
use leadglass_dicom::convert::Converter;
use leadglass_dicom::deidentify::{Refusal, Report, keyword};
use leadglass_dicom::{TransferSyntax, part10};
use serde_json::json;

use super::accept::Accept;
use super::body::{self, Outlet, Stop};
use super::conditions::EntityTag;
use super::multipart_writer::MultipartWriter;
use super::object_form::{Container, ObjectForm, form_of};
use super::objects::{part_type, with_type};
use super::target::Target;
use super::zip::ZipWriter;
use crate::metrics::{self, WEB};
use crate::web::Problem;
use crate::web::problem::hidden;

const WARNING: HeaderName = HeaderName::from_static("warning");

/// What a request says about de-identification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    project: String,
    rehearse: bool,
}

impl Wish {
    fn of(query: &str) -> Result<Option<Wish>, Problem> {
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let rehearse = match value("rehearse") {
            None => false,
            Some("yes") => true,
            Some(_) => return Err(Problem::bad_request("rehearse has to be yes")),
        };
        match value("deidentify") {
            // The names of projects need no escaping; whatever does names none.
            Some(project) => Ok(Some(Wish { project: project.to_owned(), rehearse })),
            None if query.split('&').any(|pair| pair == "deidentify" || pair == "rehearse") || rehearse => {
                Err(Problem::bad_request("deidentify has to name a project"))
            }
            None => Ok(None),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Wish {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Wish>, Problem> {
        Wish::of(parts.uri.query().unwrap_or_default())
    }
}

/// Refuses parts of objects to whoever wants them de-identified: nothing is to come unchanged
/// that was asked for without what identifies.
pub async fn not_of_parts(request: Request, next: Next) -> Response {
    match Wish::of(request.uri().query().unwrap_or_default()) {
        Ok(None) => next.run(request).await,
        Ok(Some(_)) => {
            Problem::not_acceptable("whole studies, series and instances are de-identified, not parts of them")
                .into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// The answer to whoever wishes that.
pub async fn retrieve(
    archive: &Archive,
    caller: &Caller,
    target: &Target,
    accept: &Accept,
    wish: &Wish,
) -> Result<Response, Problem> {
    let deidentified =
        archive.retrieve_deidentified(caller, &wish.project, target.selection()).await.map_err(hidden)?;
    let examined = Examined::of(&deidentified).await.map_err(hidden)?;
    if wish.rehearse {
        return rehearsed(deidentified, examined).await;
    }
    if examined.outgoing.is_empty() {
        let said = format!("nothing of it is sent as de-identified: {}", examined.reasons());
        deidentified.complete().await.map_err(hidden)?;
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, said));
    }
    let warning = examined.warning()?;
    let syntaxes: Vec<&TransferSyntax> = examined.outgoing.iter().map(|outgoing| &outgoing.transfer_syntax).collect();
    let form = form_of(accept, &syntaxes, target.is_instance())?;
    let mut response = match form.container {
        Container::Multipart => multipart(deidentified, examined.outgoing, form).await?,
        Container::Single => single(deidentified, examined.outgoing, form).await?,
        Container::Zip => zip(deidentified, examined.outgoing, form).await?,
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(warning) = warning {
        headers.insert(WARNING, warning);
    }
    Ok(response)
}

/// What the profile says of each instance.
struct Examined {
    all: usize,
    outgoing: Vec<Outgoing>,
    /// The instance's number, counted from 1 in the order of series and instances, and the reason.
    left_out: Vec<(usize, Refusal)>,
}

impl Examined {
    async fn of(deidentified: &Deidentified) -> Result<Examined, Refused> {
        let mut examined = Examined { all: deidentified.len(), outgoing: Vec::new(), left_out: Vec::new() };
        for at in 0..deidentified.len() {
            match deidentified.examine(at).await? {
                Ok(outgoing) => examined.outgoing.push(outgoing),
                Err(refusal) => examined.left_out.push((at + 1, refusal)),
            }
        }
        Ok(examined)
    }

    fn counts(&self) -> BTreeMap<Refusal, usize> {
        let mut counts = BTreeMap::new();
        self.left_out.iter().for_each(|(_, refusal)| *counts.entry(*refusal).or_default() += 1);
        counts
    }

    /// `3 maybe-burned-in (why and what to do), 1 document (…)`.
    fn reasons(&self) -> String {
        let mut text = String::new();
        for (refusal, count) in self.counts() {
            let comma = if text.is_empty() { "" } else { "; " };
            let _ = write!(text, "{comma}{count} {} ({refusal})", refusal.name());
        }
        text
    }

    fn warning(&self) -> Result<Option<HeaderValue>, Problem> {
        if self.left_out.is_empty() {
            return Ok(None);
        }
        let (left_out, all) = (self.left_out.len(), self.all);
        let text = format!("299 leadglass \"{left_out} of {all} instances are left out: {}\"", self.reasons());
        HeaderValue::from_str(&text).map(Some).map_err(Problem::internal)
    }
}

async fn rehearsed(deidentified: Deidentified, examined: Examined) -> Result<Response, Problem> {
    let mut report = Report::default();
    for outgoing in &examined.outgoing {
        report.merge(&deidentified.rehearse(outgoing).await.map_err(hidden)?);
    }
    deidentified.complete().await.map_err(hidden)?;
    let attributes: Vec<_> = report
        .iter()
        .map(|(tag, deed, count)| {
            let number = format!("{:04X}{:04X}", tag.group(), tag.element());
            json!({ "tag": number, "keyword": keyword(tag), "deed": deed.name(), "count": count })
        })
        .collect();
    let left_out: Vec<_> = examined
        .left_out
        .iter()
        .map(|(number, refusal)| json!({ "instance": number, "reason": refusal.name(), "text": refusal.to_string() }))
        .collect();
    let answer = json!({
        "instances": examined.all,
        "vouched_for": examined.outgoing.len(),
        "left_out": left_out,
        "attributes": attributes,
    });
    Ok(axum::Json(answer).into_response())
}

async fn multipart(deidentified: Deidentified, outgoing: Vec<Outgoing>, form: ObjectForm) -> Result<Response, Problem> {
    let uids: Vec<&str> = outgoing.iter().map(|outgoing| outgoing.sop_instance.as_str()).collect();
    let writer = MultipartWriter::new(&EntityTag::of(&[], &uids), "application/dicom");
    let content_type = writer.content_type()?;
    let body = body::written(deidentified, None, move |deidentified, outlet| {
        async move {
            for (outgoing, syntax) in outgoing.iter().zip(&form.syntaxes) {
                let mut head = writer.part(&part_type(syntax), None);
                head.extend(file_head(outgoing, syntax));
                outlet.send(head).await?;
                write_data_set(deidentified, outgoing, syntax, |chunk| chunk, outlet).await?;
            }
            outlet.send(writer.end()).await
        }
        .boxed()
    });
    Ok(with_type(body.await?, content_type))
}

async fn single(deidentified: Deidentified, outgoing: Vec<Outgoing>, form: ObjectForm) -> Result<Response, Problem> {
    let one = outgoing.into_iter().next().zip(form.syntaxes.into_iter().next());
    let (outgoing, syntax) = one.ok_or_else(Problem::not_found)?;
    let content_type = HeaderValue::from_str(&part_type(&syntax)).map_err(Problem::internal)?;
    let body = body::written(deidentified, None, move |deidentified, outlet| {
        async move {
            outlet.send(file_head(&outgoing, &syntax)).await?;
            write_data_set(deidentified, &outgoing, &syntax, |chunk| chunk, outlet).await
        }
        .boxed()
    });
    Ok(with_type(body.await?, content_type))
}

async fn zip(deidentified: Deidentified, outgoing: Vec<Outgoing>, form: ObjectForm) -> Result<Response, Problem> {
    let body = body::written(deidentified, None, move |deidentified, outlet| {
        async move {
            let mut zip = ZipWriter::default();
            for (at, (outgoing, syntax)) in outgoing.iter().zip(&form.syntaxes).enumerate() {
                let head = file_head(outgoing, syntax);
                // It hardly grows: by what it says of itself, and by delimiters.
                let about = deidentified.data_set_bytes(outgoing).saturating_mul(2);
                outlet.send(zip.begin(&format!("DICOM/{:08}", at + 1), about)).await?;
                zip.data(&head);
                outlet.send(head).await?;
                let noted = |chunk: Bytes| {
                    zip.data(&chunk);
                    chunk
                };
                write_data_set(deidentified, outgoing, syntax, noted, outlet).await?;
                outlet.send(zip.end()).await?;
            }
            outlet.send(zip.finish()).await
        }
        .boxed()
    });
    let mut response = with_type(body.await?, HeaderValue::from_static("application/zip"));
    let disposition = HeaderValue::from_static("attachment; filename=\"dicom.zip\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// Preamble and file meta information: ours, nothing of the original's.
fn file_head(outgoing: &Outgoing, syntax: &TransferSyntax) -> Vec<u8> {
    part10::write_file_meta(&outgoing.sop_class, &outgoing.sop_instance, syntax)
}

/// Writes a data set, each chunk through `noted` on its way.
async fn write_data_set(
    deidentified: &Deidentified,
    outgoing: &Outgoing,
    syntax: &TransferSyntax,
    mut noted: impl FnMut(Bytes) -> Bytes,
    outlet: &mut Outlet,
) -> Result<(), Stop> {
    let broken = |error: leadglass_dicom::convert::ConvertError| Refused::Broken(format!("conversion: {error}"));
    let mut reader = deidentified.open(outgoing).await?;
    let mut converter = match *syntax == outgoing.transfer_syntax {
        true => None,
        false => Some(Converter::new(&outgoing.transfer_syntax, syntax).map_err(broken)?),
    };
    while let Some(mut chunk) = reader.next_chunk().await? {
        if let Some(converter) = &mut converter {
            let mut out = Vec::with_capacity(chunk.len());
            converter.push(&chunk, &mut out).map_err(broken)?;
            chunk = out.into();
        }
        metrics::sent(WEB, chunk.len());
        outlet.send(noted(chunk)).await?;
    }
    if let Some(converter) = converter {
        let mut out = Vec::new();
        converter.finish(&mut out).map_err(broken)?;
        metrics::sent(WEB, out.len());
        outlet.send(noted(out.into())).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_or_refused_never_overlooked() {
        let of = |query: &str| Wish::of(query).map_err(|problem| format!("{problem:?}"));
        let wish = |rehearse| Ok(Some(Wish { project: "lungs".into(), rehearse }));
        assert_eq!(of(""), Ok(None));
        assert_eq!(of("accept=application/zip"), Ok(None));
        assert_eq!(of("deidentify=lungs"), wish(false));
        assert_eq!(of("a=b&deidentify=lungs&rehearse=yes"), wish(true));
        for query in ["deidentify", "rehearse=yes", "deidentify=lungs&rehearse=no", "x&deidentify"] {
            assert!(of(query).is_err(), "{query}");
        }
        assert_eq!(of("deidentify=").unwrap().unwrap().project, "", "names no project: 404");
    }
}
