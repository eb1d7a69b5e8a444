//! The only way out: connections within scope, pace, time and bytes.

pub mod http;
pub mod line;
pub mod rate;
pub mod stream;
pub mod tls;
pub mod wire;

pub use line::{Line, NotReached, Reach};
pub use stream::{NotOpened, Over, Stream, open};
pub use wire::Wire;
