//! The shield: an old archive of any vendor, reached only through here.
//!
//! Clients come over TLS with a certificate or a token, as to an archive of ours; who they
//! are, what they may and that they did is decided and recorded by an [`Archive`] of the
//! shield's own, which holds no images ([`leadglass_archive::relay`]). What is granted is
//! passed on in clear text to one private address. Deliberately absent: C-MOVE (the old
//! archive would call clients itself), WADO-URI, administration of the old archive, and any
//! path, method or header that is not listed.
//!
//! [`Archive`]: leadglass_archive::Archive

mod answer;
pub mod config;
pub(crate) mod dicomweb;
mod dimse;
mod find;
mod get;
mod held;
mod request;
mod rows;
mod store;
mod upstream;
mod whose;

pub(crate) use dimse::serve;
pub use upstream::Shield;
