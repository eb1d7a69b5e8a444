//! The only way out: connections within scope, pace, time and bytes.

pub mod line;
pub mod rate;
pub mod tls;
pub mod wire;

pub use line::{Line, NotReached};
pub use wire::Wire;
