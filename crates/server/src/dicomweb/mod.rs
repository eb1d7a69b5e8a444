//! DICOMweb, PS3.18: store, search and retrieve over HTTPS under `/dicom-web`, and WADO-URI.
//!
//! Handlers translate: decode, one call on the archive, encode. Deliberately absent: any
//! decision about who may see what, pixels decoded (`/rendered` says so), XML read.

pub(crate) mod accept;
mod body;
mod bulk_data;
mod byte_order;
mod capabilities;
mod coding;
mod conditions;
mod deidentified;
mod frames;
pub mod media_type;
mod metadata;
mod metadata_cache;
pub mod multipart;
mod multipart_writer;
mod object_form;
mod objects;
mod pixel_media;
mod search;
mod store;
mod target;
mod wado_uri;
mod zip;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, get};

pub use metadata_cache::MetadataCache;

use crate::metrics::{FIND_SECONDS, RETRIEVE_SECONDS, Stopwatch, WEB};
use crate::web::{Problem, WebState, manners};

/// The media type of the DICOM JSON Model, PS3.18 F.
const DICOM_JSON: &str = "application/dicom+json";
/// The media type of the Native DICOM Model, PS3.19 A.
const DICOM_XML: &str = "application/dicom+xml";

/// The DICOMweb resources.
pub(crate) fn router() -> Router<WebState> {
    const STUDY: &str = "/dicom-web/studies/{study}";
    let study = |rest: &str| format!("{STUDY}{rest}");
    let series = |rest: &str| format!("{STUDY}/series/{{series}}{rest}");
    let instance = |rest: &str| format!("{STUDY}/series/{{series}}/instances/{{instance}}{rest}");
    let capabilities = || get(capabilities::capabilities).options(capabilities::capabilities);
    let mut router = Router::new()
        .route("/dicom-web", capabilities())
        .route("/dicom-web/", capabilities())
        .route("/dicom-web/studies", searched(search::studies).post(store::store))
        .route("/dicom-web/series", searched(search::series))
        .route("/dicom-web/instances", searched(search::instances))
        .route(STUDY, whole(objects::retrieve).post(store::store))
        .route(&study("/series"), searched(search::series))
        .route(&study("/instances"), searched(search::instances))
        .route(&series(""), whole(objects::retrieve))
        .route(&series("/instances"), searched(search::instances))
        .route(&instance(""), whole(objects::retrieve))
        .route(&instance("/frames/{rest}"), retrieved(frames::frames))
        .route(&instance("/bulkdata/{*rest}"), retrieved(bulk_data::bulk_data))
        .route(&instance("/pixeldata"), retrieved(bulk_data::pixel_data))
        .route("/wado", whole(wado_uri::retrieve));
    for target in [study(""), series(""), instance("")] {
        router = router
            .route(&format!("{target}/metadata"), retrieved(metadata::metadata))
            .route(&format!("{target}/rendered"), get(not_rendered))
            .route(&format!("{target}/thumbnail"), get(not_rendered));
    }
    router.route(&instance("/frames/{rest}/rendered"), get(not_rendered))
}

/// `GET` of a search, measured until its answer has left.
fn searched<H: Handler<T, WebState>, T: 'static>(handler: H) -> MethodRouter<WebState> {
    get(handler).route_layer(from_fn(async |request: Request, next: Next| measured(FIND_SECONDS, request, next).await))
}

/// `GET` of a part of an object: those come as they are stored or not at all.
fn retrieved<H: Handler<T, WebState>, T: 'static>(handler: H) -> MethodRouter<WebState> {
    whole(handler).route_layer(from_fn(deidentified::not_of_parts))
}

/// `GET` of whole objects, measured until its answer has left.
fn whole<H: Handler<T, WebState>, T: 'static>(handler: H) -> MethodRouter<WebState> {
    get(handler)
        .route_layer(from_fn(async |request: Request, next: Next| measured(RETRIEVE_SECONDS, request, next).await))
}

async fn measured(histogram: &'static str, request: Request, next: Next) -> Response {
    let watch = Stopwatch::start(histogram, WEB);
    next.run(request).await.map(|body| manners::hold(body, watch))
}

/// `…/rendered` and `…/thumbnail`.
async fn not_rendered() -> Problem {
    Problem::not_acceptable("rendering comes with pixel support; frames and bulk data come as they are stored")
}
