//! The web and product families against sites of our own on loopback.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]

mod hostile;
mod lying;
mod product;
mod site;
mod sites;
