//! DICOMweb through a shield: listed routes and methods, decided and recorded, then passed on.
//!
//! The path that is passed on is made anew from parsed UIDs; of the client's headers only
//! `Accept` and `Content-Type` go with it, never its token.

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use leadglass_archive::Caller;
use leadglass_archive::relay::{Asked, Ended, Relaying};
use leadglass_dicom::{StudyInstanceUid, Uid};

use super::Shield;
use super::answer::{Answered, handed_on};
use super::whose;
use crate::dicomweb::accept::Accept;
use crate::web::{Problem, WebState};

/// Characters of a request's words in the trail.
const MOST_WORDS: usize = 1024;
/// Bytes of a query string.
const MOST_QUERY: usize = 16 << 10;
/// The form of rows: the one in which they can be counted.
const ROWS: &str = "application/dicom+json";
/// What a client says that takes it.
const TAKEN: [&str; 4] = [ROWS, "application/json", "application/*", "*/*"];
/// Headers of the client's that are passed on.
const PASSED: [http::HeaderName; 2] = [header::ACCEPT, header::CONTENT_TYPE];

/// The DICOMweb resources of PS3.18 10.
pub(crate) fn router() -> Router<WebState> {
    const STUDY: &str = "/dicom-web/studies/{study}";
    const SERIES: &str = "/dicom-web/studies/{study}/series/{series}";
    const INSTANCE: &str = "/dicom-web/studies/{study}/series/{series}/instances/{instance}";
    let mut router = Router::new()
        .route("/dicom-web/studies", searched().merge(post(store)))
        .route("/dicom-web/series", searched())
        .route("/dicom-web/instances", searched())
        .route(STUDY, retrieved().merge(post(store)))
        .route(&format!("{STUDY}/series"), searched())
        .route(&format!("{STUDY}/instances"), searched())
        .route(SERIES, retrieved())
        .route(&format!("{SERIES}/instances"), searched())
        .route(INSTANCE, retrieved())
        .route(&format!("{INSTANCE}/frames/{{frames}}"), retrieved())
        .route(&format!("{INSTANCE}/frames/{{frames}}/rendered"), retrieved())
        .route(&format!("{INSTANCE}/bulkdata/{{*rest}}"), retrieved())
        .route(&format!("{INSTANCE}/bulk/{{*rest}}"), retrieved());
    for target in [STUDY, SERIES, INSTANCE] {
        for below in ["metadata", "rendered", "thumbnail"] {
            router = router.route(&format!("{target}/{below}"), retrieved());
        }
    }
    router
}

fn searched() -> MethodRouter<WebState> {
    get(search)
}

fn retrieved() -> MethodRouter<WebState> {
    get(retrieve)
}

async fn search(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(parameters): Path<Vec<(String, String)>>,
    accept: Accept,
    mut request: Request,
) -> Result<Response, Problem> {
    if !accept.wanted().any(|wanted| TAKEN.contains(&wanted.essence())) {
        return Err(Problem::not_acceptable("behind a shield results come as application/dicom+json"));
    }
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(ROWS));
    let target = Target::of(&parameters, request.uri())?;
    let asked = target.asked();
    // A key for another study than the path's would be for the old archive to choose between.
    let asked = if target.names_studies { Asked { studies: Vec::new(), ..asked } } else { asked };
    let relaying = state.archive().relay_search(&caller, asked).await?;
    pass(&state, &target, request, relaying, &Answered::Rows).await
}

async fn retrieve(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(parameters): Path<Vec<(String, String)>>,
    request: Request,
) -> Result<Response, Problem> {
    let target = Target::of(&parameters, request.uri())?;
    if target.names_studies {
        return Err(Problem::bad_request("a retrieval names its study in the path alone"));
    }
    let shield = state.shield().ok_or_else(Problem::not_found)?.clone();
    let whose = |studies| -> BoxFuture<'_, _> { Box::pin(whose::by_web(shield, studies)) };
    let relaying = state.archive().relay_retrieval(&caller, target.asked(), whose).await?;
    relaying.count(1);
    pass(&state, &target, request, relaying, &Answered::Objects).await
}

/// What is in a multipart body is not looked into: whoever stores has to reach everything.
async fn store(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    Path(parameters): Path<Vec<(String, String)>>,
    request: Request,
) -> Result<Response, Problem> {
    let target = Target::of(&parameters, request.uri())?;
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = media_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence != "multipart/related" && essence != "application/dicom" {
        return Err(Problem::unsupported_media_type("objects come as multipart/related or application/dicom"));
    }
    let asked = Asked { studies: Vec::new(), detail: target.path.clone(), ..Asked::default() };
    let relaying = state.archive().relay_store(&caller, asked).await?;
    pass(&state, &target, request, relaying, &Answered::Stored).await
}

/// A resource of the old archive, made anew from what was parsed.
#[derive(Debug)]
struct Target {
    /// Below the root, from `/studies` on.
    path: String,
    /// The query string as it came.
    query: Option<String>,
    /// The study in the path.
    study: Option<StudyInstanceUid>,
    patient_id: Option<String>,
    /// Whether the query has a key for Study Instance UIDs.
    names_studies: bool,
}

impl Target {
    fn of(parameters: &[(String, String)], uri: &Uri) -> Result<Target, Problem> {
        let mut path = String::new();
        let mut study = None;
        let below = uri.path().strip_prefix("/dicom-web").ok_or_else(Problem::not_found)?;
        for segment in below.split('/').filter(|segment| !segment.is_empty()) {
            path.push('/');
            path.push_str(plain(segment)?);
        }
        for (name, value) in parameters {
            match name.as_str() {
                "study" => study = Some(StudyInstanceUid::parse(value).map_err(|_| Problem::not_found())?),
                "series" | "instance" => drop(Uid::parse(value).map_err(|_| Problem::not_found())?),
                _ => {}
            }
        }
        let query = uri.query().filter(|query| !query.is_empty());
        if query.is_some_and(|query| query.len() > MOST_QUERY) {
            return Err(Problem::bad_request("the query string is too long"));
        }
        let keys: Vec<(String, String)> = query.map(decoded).unwrap_or_default();
        let names = |key: &str, word: &str, tag: &str| key.eq_ignore_ascii_case(word) || key.eq_ignore_ascii_case(tag);
        let exact = |value: &&String| !value.is_empty() && !value.contains(['*', '?', '\\', ',']);
        let patient = keys.iter().find(|(key, _)| names(key, "PatientID", "00100020")).map(|(_, value)| value);
        Ok(Target {
            path,
            study,
            patient_id: patient.filter(exact).cloned(),
            names_studies: keys.iter().any(|(key, _)| names(key, "StudyInstanceUID", "0020000D")),
            query: query.map(str::to_owned),
        })
    }

    fn asked(&self) -> Asked {
        let words = match &self.query {
            Some(query) => format!("{}?{}", self.path, query),
            None => self.path.clone(),
        };
        Asked {
            studies: self.study.iter().cloned().collect(),
            patient_id: self.patient_id.clone(),
            detail: words.chars().take(MOST_WORDS).collect(),
        }
    }
}

/// A segment that means the same to everybody: no escapes, no dots alone, no separators.
fn plain(segment: &str) -> Result<&str, Problem> {
    let known = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.,~".contains(&b));
    if known && segment != "." && segment != ".." { Ok(segment) } else { Err(Problem::not_found()) }
}

/// Keys and values of a query string, percent-decoded as far as they are UTF-8.
fn decoded(query: &str) -> Vec<(String, String)> {
    let text = |part: &str| {
        let mut bytes = Vec::with_capacity(part.len());
        let mut rest = part.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let escaped =
                after.first_chunk::<2>().filter(|_| *first == b'%').and_then(|digits| hex::decode(digits).ok());
            match escaped {
                Some(byte) => {
                    bytes.extend(byte);
                    rest = &after[2..];
                }
                None => {
                    bytes.push(if *first == b'+' { b' ' } else { *first });
                    rest = after;
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(key, value)| (text(key), text(value))).collect()
}

async fn pass(
    state: &WebState,
    target: &Target,
    request: Request,
    relaying: Relaying,
    answered: &Answered,
) -> Result<Response, Problem> {
    let shield = state.shield().ok_or_else(Problem::not_found)?;
    let Some(root) = shield.root() else {
        relaying.close(Ended::Failed);
        return Err(Problem::not_found());
    };
    let (theirs, ours) = (format!("http://{}{}", root.address, root.path), format!("{}/dicom-web", state.public_url()));
    let resource = match &target.query {
        Some(query) => format!("{}?{query}", target.path),
        None => target.path.clone(),
    };
    match ask(shield, root, &resource, request).await {
        Ok(answer) => {
            handed_on(answer, relaying, answered, (&theirs, &ours), (shield, state.limits().metadata_bytes)).await
        }
        Err(error) => {
            relaying.close(Ended::Failed);
            tracing::warn!(door = "shield", error = format!("{error:#}"), "the old archive does not answer");
            Err(Problem::new(StatusCode::BAD_GATEWAY, "the archive behind does not answer"))
        }
    }
}

/// One request on a connection of its own, for a resource below the root.
pub(super) async fn ask(
    shield: &Shield,
    root: &super::config::Root,
    resource: &str,
    request: Request,
) -> anyhow::Result<http::Response<hyper::body::Incoming>> {
    let uri = format!("{}{resource}", root.path);
    let (parts, body) = request.into_parts();
    let mut passed = http::Request::builder().method(method(&parts.method)).uri(uri);
    if let Some(headers) = passed.headers_mut() {
        copy(&parts.headers, headers);
        headers.insert(header::HOST, http::HeaderValue::from_str(&root.address.to_string())?);
        if let Some(authorization) = shield.authorization() {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
    }
    let body = if parts.method == Method::POST { body } else { Body::empty() };
    // The time for an answer begins when all has been sent: an upload takes as long as it takes.
    let (sending, sent) = tokio::sync::oneshot::channel::<()>();
    let body = Body::new(body.map_frame(move |frame| {
        let _until_dropped = &sending;
        frame
    }));
    let stream = shield.connect(root.address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(passed.body(body)?);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => return Ok(answer?),
        _ = sent => {}
    }
    Ok(tokio::time::timeout(shield.patience(), answer).await??)
}

/// `HEAD` is routed as `GET` and answered without its body by the listener.
fn method(method: &Method) -> Method {
    if *method == Method::POST { Method::POST } else { Method::GET }
}

fn copy(from: &HeaderMap, to: &mut HeaderMap) {
    for name in PASSED {
        for value in from.get_all(&name) {
            to.append(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str, study: Option<&str>) -> Result<Target, Problem> {
        let parameters: Vec<(String, String)> = study.iter().map(|uid| ("study".into(), (*uid).into())).collect();
        Target::of(&parameters, &uri.parse().unwrap())
    }

    #[test]
    fn paths_are_made_anew_and_never_lead_out() {
        let good = target("/dicom-web/studies/1.2/series?PatientID=P%31&x=1", Some("1.2")).unwrap();
        assert_eq!((good.path.as_str(), good.patient_id.as_deref()), ("/studies/1.2/series", Some("P1")));
        for wrong in [
            "/dicom-web/studies/1.2/%2e%2e/x",
            "/dicom-web/studies/1.2/../../tools",
            "/dicom-web/studies/1.2/./x",
            "/dicom-web/studies/1.2/a%2fb",
            "/dicom-web/studies/1.2/a;b",
            "/dicom-web/studies/1.2/bulkdata/%00",
        ] {
            assert!(target(wrong, Some("1.2")).is_err(), "{wrong}");
        }
        assert!(target("/dicom-web/studies/x", Some("1..2")).is_err());
    }

    #[test]
    fn a_query_that_names_studies_is_noticed_however_it_is_written() {
        for key in ["StudyInstanceUID", "studyinstanceuid", "0020000d", "0020000D", "Study%49nstanceUID"] {
            assert!(
                target(&format!("/dicom-web/studies/1.2/series?a=b&{key}=1.3"), Some("1.2")).unwrap().names_studies
            );
        }
        assert!(!target("/dicom-web/studies/1.2/series?limit=1", Some("1.2")).unwrap().names_studies);
        let wild = target("/dicom-web/studies?PatientID=P*", None).unwrap();
        assert_eq!(wild.patient_id, None);
    }
}
