//! Rows, cut down to the scope and counted.

use std::net::IpAddr;

use super::{Format, ImportError};
use crate::scope::{NotPermitted, Scope};

/// Most endpoints that are held before repeated ones are thrown out, some 160 MiB; half of them may be left.
pub(super) const MOST: usize = 1 << 23;

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What it was read as.
    pub format: Format,
    /// What is in scope, ascending, each once.
    pub endpoints: Vec<(IpAddr, u16)>,
    /// What was dropped and why.
    pub dropped: Dropped,
    /// Rows there were: one for each port of each address.
    pub rows: u64,
}

/// Rows that were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The address is in no asset.
    pub out_of_scope: u64,
    /// The address is excluded.
    pub excluded: u64,
    /// The address is public and not declared as owned.
    pub public: u64,
    /// No row as the format has it.
    pub malformed: u64,
    /// Not TCP, or not open.
    pub not_open: u64,
}

impl Dropped {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.out_of_scope + self.excluded + self.public + self.malformed + self.not_open
    }
}

/// Where the readers put rows.
pub(super) struct Rows<'s> {
    scope: &'s Scope,
    port: Option<u16>,
    imported: Imported,
}

impl<'s> Rows<'s> {
    pub(super) fn new(scope: &'s Scope, format: Format, port: Option<u16>) -> Rows<'s> {
        let imported = Imported { format, endpoints: Vec::new(), dropped: Dropped::default(), rows: 0 };
        Rows { scope, port, imported }
    }

    /// What the file is read as.
    pub(super) fn format(&self) -> Format {
        self.imported.format
    }

    /// A row that is none.
    pub(super) fn malformed(&mut self) {
        self.imported.rows += 1;
        self.imported.dropped.malformed += 1;
    }

    /// A row of something that is not TCP or not open.
    pub(super) fn not_open(&mut self) {
        self.imported.rows += 1;
        self.imported.dropped.not_open += 1;
    }

    /// An open TCP port; without a port, that one was said to be open.
    pub(super) fn open(&mut self, address: IpAddr, port: Option<u16>, line: u64) -> Result<(), ImportError> {
        if port == Some(0) {
            self.malformed();
            return Ok(());
        }
        self.imported.rows += 1;
        let dropped = &mut self.imported.dropped;
        let asset = match self.scope.speaks_for(address) {
            Ok(asset) => asset,
            Err(reason) => {
                *match reason {
                    NotPermitted::Excluded => &mut dropped.excluded,
                    NotPermitted::PublicNotOwned => &mut dropped.public,
                    _ => &mut dropped.out_of_scope,
                } += 1;
                return Ok(());
            }
        };
        match port.or(self.port) {
            Some(port) => self.imported.endpoints.push((address, port)),
            None => {
                let ports = self.scope.ports_of(asset).iter();
                self.imported.endpoints.extend(ports.map(|port| (address, *port)));
            }
        }
        self.make_room(line)
    }

    /// What came of it.
    pub(super) fn finish(mut self) -> Imported {
        self.imported.endpoints.sort_unstable();
        self.imported.endpoints.dedup();
        self.imported
    }

    /// Engines say many things twice: only what is left then is too much.
    fn make_room(&mut self, line: u64) -> Result<(), ImportError> {
        let endpoints = &mut self.imported.endpoints;
        if endpoints.len() <= MOST {
            return Ok(());
        }
        endpoints.sort_unstable();
        endpoints.dedup();
        // Half has to be free, or the next rows would sort it all again.
        if endpoints.len() > MOST / 2 { Err(ImportError::TooMany { line }) } else { Ok(()) }
    }
}
