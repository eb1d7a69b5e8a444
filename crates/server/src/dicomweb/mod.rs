//! DICOMweb, PS3.18: store, search and retrieve over HTTPS under `/dicom-web`, and WADO-URI.
//!
//! Handlers translate: decode, one call on the archive, encode. Deliberately absent: any
//! decision about who may see what, pixels decoded (`/rendered` says so), XML read.

pub mod media_type;
mod metadata_cache;
pub mod multipart;

use axum::Router;

pub use metadata_cache::MetadataCache;

use crate::web::WebState;

/// The DICOMweb resources.
pub(crate) fn router() -> Router<WebState> {
    Router::new()
}
