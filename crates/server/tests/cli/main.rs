//! The commands, run as people run them: the real binary against a real demo.

mod dimse;
mod disk;
#[expect(clippy::unwrap_used, clippy::panic, reason = "test")]
mod harness;
#[expect(clippy::unwrap_used, reason = "test")]
mod import;
