//! Who calls, and what they may do.
//!
//! [`authenticate`](crate::Archive::authenticate) is the only maker of a [`Caller`];
//! [`decide`] is the only maker of a [`Granted`]. People, what they sign in with and their
//! sessions are in [`people`]. Deliberately absent: any policy language: a role is a row in a
//! table ([`role`]).

mod authenticate;
mod caller;
mod credential;
pub(crate) mod decide;
pub(crate) mod failures;
pub mod federation;
pub mod jwt;
pub mod marks;
pub mod people;
pub mod policy_matrix;
pub mod public_key;
pub mod reach;
pub(crate) mod recognized;
pub(crate) mod registry;
pub(crate) mod requests;
pub mod right;
pub mod role;
pub mod saml;
pub mod scope;
pub(crate) mod secret;
mod setup_tries;

pub use caller::{Caller, Rejected};
pub use credential::{Credential, Door, Source, UserIdentity};
pub use decide::{Granted, GrantedScope};
pub use marks::{Marked, Marks, Restriction};
pub use reach::Reach;
pub use right::Right;
pub use role::Role;
pub use scope::Scope;
