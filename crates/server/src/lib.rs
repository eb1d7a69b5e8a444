//! The server: doors to the archive, its configuration, its commands.
//!
//! Every handler decodes, makes one call on the archive and encodes. Deliberately absent:
//! SQL, object stores, codecs, and any decision about who may do what.

pub mod admin;
pub(crate) mod clear;
pub mod cli;
pub mod client;
pub mod config;
pub mod dicomweb;
pub(crate) mod doors;
pub mod edge;
pub mod first_run;
pub mod gate;
pub mod host;
pub mod interfaces;
pub(crate) mod legacy;
pub mod listen;
pub mod logging;
pub mod login;
pub mod metrics;
pub mod posture;
pub mod router;
pub mod run;
pub mod scp;
pub mod scu;
pub mod shield;
pub mod study_names;
pub mod tls;
pub mod trail;
pub mod web;

pub use config::Config;
pub use host::{Host, StartError};
pub use router::router;
pub use run::Running;
