//! Checks of this family.

use super::Check;

/// The family, in the order of its ids.
pub static CHECKS: &[&Check] = &[];
