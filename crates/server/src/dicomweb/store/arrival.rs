//! One object on its way from a request into the archive, measured.

use leadglass_archive::store::{Ingest, StoreRefused, Stored};

use crate::metrics::{self, STORE_SECONDS, Stopwatch, WEB};

/// An object on its way in. Dropping it leaves nothing but its time.
pub struct Arrival {
    ingest: Ingest,
    _watch: Stopwatch,
}

impl Arrival {
    /// One that begins now.
    pub fn new(ingest: Ingest) -> Arrival {
        Arrival { ingest, _watch: Stopwatch::start(STORE_SECONDS, WEB) }
    }

    /// Takes the next bytes of the data set.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), StoreRefused> {
        metrics::received(WEB, bytes.len());
        self.ingest.push(bytes).await
    }

    /// Ends it: durable when this returns `Ok`.
    pub async fn finish(self) -> Result<Stored, StoreRefused> {
        let Arrival { ingest, _watch } = self;
        ingest.finish().await
    }
}
