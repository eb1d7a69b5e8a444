//! Retrieve Capabilities, PS3.18 8.9: what this server does, as WADL or JSON.
//!
//! One table is the source of both, and a test holds the router against it.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::json;

use super::accept::Accept;
use crate::web::Problem;

/// A method of a resource.
struct Method {
    path: &'static str,
    method: &'static str,
    name: &'static str,
    accepts: &'static [&'static str],
    gives: &'static [&'static str],
}

const JSON_OR_XML: &[&str] = &["application/dicom+json", "multipart/related; type=\"application/dicom+xml\""];
const OBJECTS: &[&str] = &["multipart/related; type=\"application/dicom\"; transfer-syntax=*", "application/zip"];
const INSTANCE: &[&str] = &[
    "multipart/related; type=\"application/dicom\"; transfer-syntax=*",
    "application/dicom; transfer-syntax=*",
    "application/zip",
];
const BULK: &[&str] = &["multipart/related; type=\"application/octet-stream\"", "application/octet-stream"];
const FRAMES: &[&str] =
    &["multipart/related; type=\"application/octet-stream\"; transfer-syntax=*", "multipart/related; type=\"image/*\""];
const STORE: &[&str] = &[
    "multipart/related; type=\"application/dicom\"",
    "multipart/related; type=\"application/dicom+json\"",
    "application/dicom",
];
const STORED: &[&str] = &["application/dicom+json", "application/dicom+xml"];

const fn get(path: &'static str, name: &'static str, gives: &'static [&'static str]) -> Method {
    Method { path, method: "GET", name, accepts: &[], gives }
}

const fn post(path: &'static str, name: &'static str) -> Method {
    Method { path, method: "POST", name, accepts: STORE, gives: STORED }
}

const METHODS: &[Method] = &[
    get("studies", "SearchForStudies", JSON_OR_XML),
    get("series", "SearchForSeries", JSON_OR_XML),
    get("instances", "SearchForInstances", JSON_OR_XML),
    get("studies/{study}/series", "SearchForStudySeries", JSON_OR_XML),
    get("studies/{study}/instances", "SearchForStudyInstances", JSON_OR_XML),
    get("studies/{study}/series/{series}/instances", "SearchForSeriesInstances", JSON_OR_XML),
    post("studies", "StoreInstances"),
    post("studies/{study}", "StoreStudyInstances"),
    get("studies/{study}", "RetrieveStudy", OBJECTS),
    get("studies/{study}/series/{series}", "RetrieveSeries", OBJECTS),
    get("studies/{study}/series/{series}/instances/{instance}", "RetrieveInstance", INSTANCE),
    get("studies/{study}/metadata", "RetrieveStudyMetadata", JSON_OR_XML),
    get("studies/{study}/series/{series}/metadata", "RetrieveSeriesMetadata", JSON_OR_XML),
    get("studies/{study}/series/{series}/instances/{instance}/metadata", "RetrieveInstanceMetadata", JSON_OR_XML),
    get("studies/{study}/series/{series}/instances/{instance}/frames/{list}", "RetrieveFrames", FRAMES),
    get("studies/{study}/series/{series}/instances/{instance}/bulkdata/{path}", "RetrieveBulkData", BULK),
    get("studies/{study}/series/{series}/instances/{instance}/pixeldata", "RetrievePixelData", BULK),
];

/// What is not done, so that nobody has to find out.
const NOT_DONE: &[&str] = &["rendered", "thumbnail", "transcoding of compressed pixel data", "delete", "workitems"];

/// `OPTIONS` and `GET /dicom-web/`.
pub async fn capabilities(accept: Accept) -> Result<Response, Problem> {
    let wadl = "application/vnd.sun.wadl+xml";
    let essence = accept.choose(&[wadl, "application/json", "application/dicom+json", "application/xml"])?;
    let body = if essence.ends_with("json") { as_json() } else { as_wadl() };
    let mut response = body.into_response();
    let content_type = HeaderValue::from_str(essence).map_err(Problem::internal)?;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    Ok(response)
}

fn as_json() -> String {
    let methods: Vec<_> = METHODS
        .iter()
        .map(|m| json!({ "path": m.path, "method": m.method, "name": m.name, "accepts": m.accepts, "gives": m.gives }))
        .collect();
    json!({ "methods": methods, "notSupported": NOT_DONE }).to_string()
}

fn as_wadl() -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<application xmlns=\"http://wadl.dev.java.net/2009/02\">\n<resources base=\"/dicom-web\">\n",
    );
    for method in METHODS {
        out.push_str(&format!("<resource path=\"{}\">", method.path));
        for name in method.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            out.push_str(&format!("<param name=\"{name}\" style=\"template\"/>"));
        }
        out.push_str(&format!("<method name=\"{}\" id=\"{}\">", method.method, method.name));
        if !method.accepts.is_empty() {
            out.push_str(&format!("<request>{}</request>", representations(method.accepts)));
        }
        out.push_str(&format!("<response>{}</response></method></resource>\n", representations(method.gives)));
    }
    out.push_str("</resources>\n</application>\n");
    out
}

fn representations(media_types: &[&str]) -> String {
    media_types.iter().map(|m| format!("<representation mediaType=\"{}\"/>", m.replace('"', "&quot;"))).collect()
}
