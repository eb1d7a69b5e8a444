//! The protocol between two ends, and against a peer that keeps no rule.

#[cfg(test)]
mod bytes_of_any_kind;
#[cfg(test)]
mod common;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod misbehaviour;
#[cfg(test)]
mod writes;
