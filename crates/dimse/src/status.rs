//! DIMSE status codes, PS3.7 Annex C and PS3.4.

/// A status (0000,0900).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub u16);
