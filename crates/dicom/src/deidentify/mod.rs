//! De-identification, PS3.15 Annex E: the Basic Application Level Confidentiality Profile and its
//! options, applied to a data set that passes by.
//!
//! Two walks over an object: an [`Examination`] up to Pixel Data finds out what it is and whose,
//! and [`Plan::new`] says by the [`Profile`] whether it can be vouched for; a [`Deidentifier`]
//! writes it anew, piece by piece. Identifiers become [`Pseudonyms`] of a project. Deliberately
//! absent: keys, cryptography, any I/O, compressed pixels, and a way to send what was refused.

mod date;
mod decide;
mod dummy;
mod facts;
mod iod;
mod option;
mod pixel;
mod plan;
mod private;
mod profile;
mod pseudonym;
mod refusal;
mod report;
mod stream;
pub mod table;
#[cfg(test)]
mod tests;
mod vouch;
mod word;
mod writer;

pub use facts::{Examination, Facts};
pub use option::{Options, ProfileOption};
pub use plan::Plan;
pub use profile::{DeviceRule, PixelRule, Profile, ProfileError, Region};
pub use pseudonym::{KeyedHash, PatientKey, Pseudonyms};
pub use refusal::Refusal;
pub use report::{Deed, Report, keyword};
pub use stream::Deidentifier;
