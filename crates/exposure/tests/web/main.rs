//! The web and product families against sites of our own on loopback.

mod hostile;
mod product;
mod site;
mod sites;
