//! The exposure audit: looks, within an authorised scope, for the doors through which anyone
//! could read medical images, and says what it saw without holding a patient's data.
//!
//! The road: a [`scope::Scope`] says what may be looked at, [`engine`] goes to each host one
//! connection at a time, the families in [`probe`] look at each open port and at file trees,
//! [`finding::Outcome`]s with [`evidence::Evidence`] come back, [`report`] is made of them.
//!
//! Deliberately absent: anything that stores, moves, fetches or deletes; any value of a
//! target's data in any type that leaves a probe; any address that is not in the scope.

pub mod catalogue;
pub mod engine;
pub mod evidence;
pub mod finding;
pub mod fleet;
pub mod import;
pub mod manual;
pub mod net;
pub mod probe;
pub mod report;
pub mod run;
pub mod scope;
pub mod self_audit;
pub mod signature;
#[doc(hidden)]
pub mod testing;
pub mod tries;

/// Calling AE Title, HTTP User-Agent product and mark of every log line of the audit.
pub const AUDIT_AE_TITLE: &str = "LEADGLASSAUDIT";
/// Implementation Class UID of the audit, PS3.7 D.3.3.2: its own, never somebody else's.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.189730291468510267403961772650834917205";
/// Implementation Version Name of the audit, at most 16 characters.
pub const IMPLEMENTATION_VERSION_NAME: &str = "LEADGLASSAUDIT_1";
