//! Instances that come as metadata and bulk data, PS3.18 8.6.1.2.2 and 10.5.1: put together
//! and encoded again.
//!
//! Bulk values are matched by Content-Location. Uncompressed pixel data that come last go
//! straight through; everything else is held, within a bound, until its instance is whole.
//! A BulkDataURI that no part answers is a failure: nothing is ever fetched from elsewhere.

use leadglass_dicom::scan::Limits;
use leadglass_dicom::{DataSet, json};

use super::super::media_type::MediaType;
use super::super::multipart::PartHeaders;
use super::arrival::Arrival;
use super::assemble::{Assembly, PixelStream};
use super::instances::Instances;
use super::outcome::FailureReason;
use crate::web::Problem;

/// Puts instances together.
pub struct Composer {
    metadata: Vec<u8>,
    most_metadata: usize,
    held: usize,
    most_held: usize,
    waiting: Vec<Assembly>,
    current: Current,
}

/// The bulk part being read, or the instance whose pixel data are being read.
enum Current {
    None,
    /// A part that no instance asks for.
    Ignored,
    /// A part that is held until it is complete.
    Held {
        location: String,
        media_type: Option<MediaType>,
        bytes: Vec<u8>,
    },
    /// Pixel data on their way into the archive.
    Streamed(Box<Streamed>),
}

struct Streamed {
    assembly: Assembly,
    pixels: PixelStream,
    ingest: Option<Arrival>,
    location: String,
    failure: Option<FailureReason>,
}

impl Composer {
    /// A composer that takes so many bytes of metadata and holds so many of bulk data.
    pub fn new(most_metadata: usize, most_held: usize) -> Composer {
        Composer {
            metadata: Vec::new(),
            most_metadata,
            held: 0,
            most_held,
            waiting: Vec::new(),
            current: Current::None,
        }
    }

    /// Takes bytes of a metadata part.
    pub fn metadata(&mut self, chunk: &[u8]) -> Result<(), Problem> {
        if self.metadata.len() + chunk.len() > self.most_metadata {
            return Err(Problem::too_large("the metadata are larger than this server takes"));
        }
        self.metadata.extend_from_slice(chunk);
        Ok(())
    }

    /// The metadata part has ended: what is whole already is stored.
    pub async fn end_metadata(&mut self, instances: &mut Instances) -> Result<(), Problem> {
        let metadata = std::mem::take(&mut self.metadata);
        let data_sets =
            json::parse(&metadata, &Limits::default()).map_err(|error| Problem::bad_request(error.to_string()))?;
        for data_set in data_sets {
            let assembly = Assembly::new(data_set);
            match assembly.is_whole() {
                true => store_whole(assembly, instances).await?,
                false => self.waiting.push(assembly),
            }
        }
        Ok(())
    }

    /// A bulk data part begins.
    pub async fn begin_bulk(&mut self, headers: PartHeaders, instances: &mut Instances) -> Result<(), Problem> {
        let location = headers.content_location.or(headers.content_id).unwrap_or_default();
        if let Current::Streamed(streamed) = &self.current
            && streamed.location == location
            && streamed.pixels.takes_another_frame()
        {
            return Ok(());
        }
        self.end_stream(instances).await?;
        let Some(at) = self.waiting.iter().position(|assembly| assembly.asks_for(&location)) else {
            self.current = Current::Ignored;
            return Ok(());
        };
        let streamed =
            self.waiting.get(at).and_then(|assembly| assembly.pixel_stream(&location, headers.content_type.as_ref()));
        self.current = match streamed {
            Some(pixels) => {
                let assembly = self.waiting.remove(at);
                self.begin_stream(assembly, pixels, location, instances).await?
            }
            None => Current::Held { location, media_type: headers.content_type, bytes: Vec::new() },
        };
        Ok(())
    }

    async fn begin_stream(
        &self,
        assembly: Assembly,
        pixels: PixelStream,
        location: String,
        instances: &mut Instances,
    ) -> Result<Current, Problem> {
        let mut streamed = Streamed { assembly, pixels, ingest: None, location, failure: None };
        match streamed.assembly.head(&streamed.pixels) {
            Err(reason) => streamed.failure = Some(reason),
            Ok(head) => match instances.open(streamed.pixels.transfer_syntax()).await? {
                Err(reason) => streamed.failure = Some(reason),
                Ok(ingest) => {
                    streamed.ingest = Some(ingest);
                    streamed.push(&head).await;
                }
            },
        }
        Ok(Current::Streamed(Box::new(streamed)))
    }

    /// Takes bytes of the bulk data part.
    pub async fn bulk(&mut self, chunk: &[u8], _: &mut Instances) -> Result<(), Problem> {
        match &mut self.current {
            Current::None | Current::Ignored => {}
            Current::Held { bytes, .. } => {
                hold(&mut self.held, self.most_held, chunk.len())?;
                bytes.extend_from_slice(chunk);
            }
            Current::Streamed(streamed) => {
                if streamed.pixels.holds_frames() && streamed.pixels.frame_bytes() + chunk.len() > self.most_held {
                    return Err(too_much_bulk());
                }
                match streamed.pixels.data(chunk) {
                    Ok(ready) => streamed.push(&ready).await,
                    Err(reason) => streamed.fail(reason),
                }
            }
        }
        Ok(())
    }

    /// The bulk data part has ended.
    pub async fn end_bulk(&mut self, instances: &mut Instances) -> Result<(), Problem> {
        match std::mem::replace(&mut self.current, Current::None) {
            Current::None | Current::Ignored => Ok(()),
            Current::Held { location, media_type, bytes } => {
                let Some(at) = self.waiting.iter().position(|assembly| assembly.asks_for(&location)) else {
                    return Ok(());
                };
                let Some(assembly) = self.waiting.get_mut(at) else { return Ok(()) };
                assembly.supply(&location, bytes, media_type.as_ref());
                if assembly.is_whole() {
                    let assembly = self.waiting.remove(at);
                    self.held = self.held.saturating_sub(assembly.held_bytes());
                    store_whole(assembly, instances).await?;
                }
                Ok(())
            }
            Current::Streamed(mut streamed) => {
                match streamed.pixels.end_part() {
                    Ok(ready) => streamed.push(&ready).await,
                    Err(reason) => streamed.fail(reason),
                }
                let more = streamed.pixels.takes_another_frame() && streamed.failure.is_none();
                self.current = Current::Streamed(streamed);
                if more { Ok(()) } else { self.end_stream(instances).await }
            }
        }
    }

    /// The request has ended: what still waits for bulk data has failed.
    pub async fn finish(mut self, instances: &mut Instances) -> Result<(), Problem> {
        self.end_stream(instances).await?;
        for assembly in self.waiting {
            instances.failed(assembly.failure(FailureReason::CannotUnderstand));
        }
        Ok(())
    }

    async fn end_stream(&mut self, instances: &mut Instances) -> Result<(), Problem> {
        let Current::Streamed(mut streamed) = std::mem::replace(&mut self.current, Current::None) else {
            return Ok(());
        };
        match streamed.pixels.finish() {
            Ok(ready) => streamed.push(&ready).await,
            Err(reason) => streamed.fail(reason),
        }
        let reason = streamed.failure.unwrap_or(FailureReason::ProcessingFailure);
        let failure = streamed.assembly.failure(reason);
        match (streamed.ingest, streamed.failure) {
            (Some(ingest), None) => instances.finish(ingest, failure).await,
            _ => {
                instances.failed(failure);
                Ok(())
            }
        }
    }
}

impl Streamed {
    async fn push(&mut self, bytes: &[u8]) {
        if self.failure.is_some() || bytes.is_empty() {
            return;
        }
        let Some(ingest) = &mut self.ingest else { return };
        if let Err(refused) = ingest.push(bytes).await {
            self.fail((&refused).into());
        }
    }

    /// Refused: the ingest is dropped, which leaves nothing.
    fn fail(&mut self, reason: FailureReason) {
        self.failure = self.failure.or(Some(reason));
        self.ingest = None;
    }
}

async fn store_whole(assembly: Assembly, instances: &mut Instances) -> Result<(), Problem> {
    let failure = |reason| assembly.failure(reason);
    let (bytes, transfer_syntax) = match assembly.encoded() {
        Ok(encoded) => encoded,
        Err(reason) => {
            instances.failed(failure(reason));
            return Ok(());
        }
    };
    let mut ingest = match instances.open(transfer_syntax).await? {
        Ok(ingest) => ingest,
        Err(reason) => {
            instances.failed(failure(reason));
            return Ok(());
        }
    };
    match ingest.push(&bytes).await {
        Ok(()) => instances.finish(ingest, failure(FailureReason::ProcessingFailure)).await,
        Err(refused) => {
            instances.failed(failure((&refused).into()));
            Ok(())
        }
    }
}

fn hold(held: &mut usize, most: usize, more: usize) -> Result<(), Problem> {
    *held += more;
    if *held > most { Err(too_much_bulk()) } else { Ok(()) }
}

fn too_much_bulk() -> Problem {
    Problem::too_large(
        "more bulk data than this server holds while an instance is put together; send application/dicom",
    )
}

/// For [`Assembly::new`]: attributes of group 0002 belong to files, not data sets.
pub(super) fn without_file_meta(mut data_set: DataSet) -> DataSet {
    let meta: Vec<_> = data_set.iter().map(|(tag, _)| tag).filter(|tag| tag.group() <= 0x0007).collect();
    for tag in meta {
        data_set.remove(tag);
    }
    data_set
}
