//! QIDO-RS, PS3.18 10.6: searching for studies, series and instances.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use leadglass_archive::Caller;
use leadglass_archive::search::Search;
use leadglass_dicom::attribute::Level;
use leadglass_dicom::query::Query;
use leadglass_dicom::{Bulk, DataSet, SeriesInstanceUid, StudyInstanceUid, Tag, VR, Value, json, xml};

use super::accept::{Accept, Coding};
use super::conditions::EntityTag;
use super::multipart_writer::MultipartWriter;
use super::target::{Target, series_url, study_url};
use super::{DICOM_JSON, DICOM_XML, body, coding};
use crate::web::manners::NamedStudy;
use crate::web::{Problem, WebState};

const RETRIEVE_URL: Tag = Tag(0x0008, 0x1190);
const INSTANCE_AVAILABILITY: Tag = Tag(0x0008, 0x0056);
const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);
const SERIES_INSTANCE_UID: Tag = Tag(0x0020, 0x000E);
const SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x0018);
/// The header for what went less well than asked (RFC 7234 §5.5, as PS3.18 8.3.4.4 uses it).
const WARNING: HeaderName = HeaderName::from_static("warning");
const MORE: &str = "299 leadglass \"there are additional results that can be requested\"";
const UNSUPPORTED: &str = "299 leadglass \"some keys are not supported at this level and were not matched\"";

/// `GET /dicom-web/studies`.
pub async fn studies(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    accept: Accept,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked { level: Level::Study, target: None, query };
    search(&state, &caller, asked, &accept, &headers).await
}

/// `GET /dicom-web/series`, `GET /dicom-web/studies/{study}/series`.
pub async fn series(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    target: Option<Target>,
    RawQuery(query): RawQuery,
    accept: Accept,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked { level: Level::Series, target, query };
    search(&state, &caller, asked, &accept, &headers).await
}

/// `GET /dicom-web[/studies/{study}[/series/{series}]]/instances`.
pub async fn instances(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    target: Option<Target>,
    RawQuery(query): RawQuery,
    accept: Accept,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked { level: Level::Instance, target, query };
    search(&state, &caller, asked, &accept, &headers).await
}

/// What a request asks: a level, below a study or series, by a query string.
struct Asked {
    level: Level,
    target: Option<Target>,
    query: Option<String>,
}

async fn search(
    state: &WebState,
    caller: &Caller,
    asked: Asked,
    accept: &Accept,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let form = form(accept)?;
    let study: Option<&StudyInstanceUid> = asked.target.as_ref().map(|target| &target.study);
    let series: Option<&SeriesInstanceUid> = asked.target.as_ref().and_then(|target| target.series.as_ref());
    let qido = Query::from_qido(asked.level, study, series, asked.query.as_deref().unwrap_or(""))
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    let limits = state.limits();
    let limit = qido.limit.unwrap_or(limits.default_results).min(limits.results);
    let ignored = !qido.query.unsupported.is_empty();
    let search = Search { query: qido.query, limit: Some(limit), offset: qido.offset };
    let mut matches = state.archive().search(caller, search).await?;
    let (mut rows, mut study, mut several) = (Vec::new(), None, false);
    while let Some(page) = matches.next_page().await? {
        for row in page {
            let of = row.text(STUDY_INSTANCE_UID);
            several |= study.is_some() && study.as_deref() != of;
            study = study.or_else(|| of.map(str::to_owned));
            rows.push(written(row, asked.level, state.public_url(), form));
        }
    }
    let mut response = match rows.is_empty() {
        true => StatusCode::NO_CONTENT.into_response(),
        false if form == DICOM_XML => multipart_answer(rows)?,
        false => json_answer(rows, form, Coding::wanted(headers)).await?,
    };
    if let Some(study) = study.filter(|_| !several).and_then(|uid| StudyInstanceUid::parse(&uid).ok()) {
        response.extensions_mut().insert(NamedStudy(study));
    }
    let headers = response.headers_mut();
    if matches.more_available() {
        headers.append(WARNING, HeaderValue::from_static(MORE));
    }
    if ignored {
        headers.append(WARNING, HeaderValue::from_static(UNSUPPORTED));
    }
    Ok(response)
}

/// The media type of rows: JSON unless XML is wanted.
fn form(accept: &Accept) -> Result<&'static str, Problem> {
    for wanted in accept.wanted() {
        let inner = wanted.parameter("type");
        match wanted.essence() {
            "multipart/related" | "multipart/*" if inner.is_none_or(|inner| inner == DICOM_XML) => {
                return Ok(DICOM_XML);
            }
            "application/json" => return Ok("application/json"),
            "*/*" | "application/*" | DICOM_JSON if !accept.excludes(DICOM_JSON) => return Ok(DICOM_JSON),
            _ => {}
        }
    }
    Err(Problem::not_acceptable(
        "results come as application/dicom+json or multipart/related with type application/dicom+xml",
    ))
}

/// A row with the attributes that only this door knows: where it can be retrieved. Bulk
/// values are no part of a row; those inside sequences are named by their URL.
fn written(mut row: DataSet, level: Level, public_url: &str, form: &str) -> Bytes {
    let bulk: Vec<Tag> =
        row.iter().filter(|(_, element)| matches!(element.value, Value::Bulk(_))).map(|(tag, _)| tag).collect();
    for tag in bulk {
        row.remove(tag);
    }
    let url = retrieve_url(&row, level, public_url).unwrap_or_default();
    if !url.is_empty() {
        row.put_text(RETRIEVE_URL, VR::UR, url.clone());
    }
    if row.element(INSTANCE_AVAILABILITY).is_none() {
        row.put_text(INSTANCE_AVAILABILITY, VR::CS, "ONLINE");
    }
    let mut out = Vec::with_capacity(1024);
    let mut bulk_url = |path: &str, _: &Bulk| format!("{url}/bulkdata/{path}");
    if form == DICOM_XML {
        xml::write(&row, &mut out, &mut bulk_url);
    } else {
        json::write(&row, &mut out, &mut bulk_url);
    }
    out.into()
}

fn retrieve_url(row: &DataSet, level: Level, public_url: &str) -> Option<String> {
    let study = StudyInstanceUid::parse(row.text(STUDY_INSTANCE_UID)?).ok()?;
    if level == Level::Study {
        return Some(study_url(public_url, &study));
    }
    let series = SeriesInstanceUid::parse(row.text(SERIES_INSTANCE_UID)?).ok()?;
    let url = series_url(public_url, &study, &series);
    if level == Level::Series {
        return Some(url);
    }
    Some(format!("{url}/instances/{}", row.text(SOP_INSTANCE_UID)?))
}

async fn json_answer(rows: Vec<Bytes>, essence: &'static str, wanted: Coding) -> Result<Response, Problem> {
    let mut pieces = Vec::with_capacity(rows.len() * 2 + 1);
    for row in rows {
        pieces.push(Bytes::from_static(if pieces.is_empty() { b"[" } else { b"," }));
        pieces.push(row);
    }
    pieces.push(Bytes::from_static(b"]"));
    let coding = coding::worthwhile(wanted, pieces.iter().map(Bytes::len).sum());
    let body = match coding.name() {
        None => body::pieces(pieces),
        Some(_) => body::pieces([coding::encode(pieces, coding).await?]),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(essence));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding, authorization"));
    if let Some(name) = coding.name() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    Ok(response)
}

fn multipart_answer(rows: Vec<Bytes>) -> Result<Response, Problem> {
    let contents: Vec<&str> = rows.iter().filter_map(|row| std::str::from_utf8(row).ok()).collect();
    let writer = MultipartWriter::new(&EntityTag::of(&[], &contents), DICOM_XML);
    let head = Bytes::from(writer.part(DICOM_XML, None));
    let mut pieces: Vec<Bytes> = rows.into_iter().flat_map(|row| [head.clone(), row]).collect();
    pieces.push(writer.end().into());
    let mut response = Response::new(body::pieces(pieces));
    response.headers_mut().insert(header::CONTENT_TYPE, writer.content_type()?);
    Ok(response)
}
