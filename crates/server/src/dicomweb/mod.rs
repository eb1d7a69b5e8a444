//! DICOMweb, PS3.18: store, search and retrieve over HTTPS under `/dicom-web`, and WADO-URI.
//!
//! Handlers translate: decode, one call on the archive, encode. Deliberately absent: any
//! decision about who may see what, pixels decoded (`/rendered` says so), XML read.

mod accept;
mod body;
mod bulk_data;
mod byte_order;
mod capabilities;
mod coding;
mod conditions;
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
use axum::routing::get;

pub use metadata_cache::MetadataCache;

use crate::web::{Problem, WebState};

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
        .route("/dicom-web/studies", get(search::studies).post(store::store))
        .route("/dicom-web/series", get(search::series))
        .route("/dicom-web/instances", get(search::instances))
        .route(STUDY, get(objects::retrieve).post(store::store))
        .route(&study("/series"), get(search::series))
        .route(&study("/instances"), get(search::instances))
        .route(&series(""), get(objects::retrieve))
        .route(&series("/instances"), get(search::instances))
        .route(&instance(""), get(objects::retrieve))
        .route(&instance("/frames/{rest}"), get(frames::frames))
        .route(&instance("/bulkdata/{*rest}"), get(bulk_data::bulk_data))
        .route(&instance("/pixeldata"), get(bulk_data::pixel_data))
        .route("/wado", get(wado_uri::retrieve));
    for target in [study(""), series(""), instance("")] {
        router = router
            .route(&format!("{target}/metadata"), get(metadata::metadata))
            .route(&format!("{target}/rendered"), get(not_rendered))
            .route(&format!("{target}/thumbnail"), get(not_rendered));
    }
    router.route(&instance("/frames/{rest}/rendered"), get(not_rendered))
}

/// `…/rendered` and `…/thumbnail`.
async fn not_rendered() -> Problem {
    Problem::not_acceptable("rendering comes with pixel support; frames and bulk data come as they are stored")
}
