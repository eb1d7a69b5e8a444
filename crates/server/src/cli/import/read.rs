//! Reading a source once: its front until it says what it is, then the rest, piece by piece.
//!
//! Files and zip entries are read on threads that may block; a few pieces wait at most.

use std::fs::File;
use std::io::Read;

use bytes::Bytes;
use leadglass_dicom::TransferSyntax;
use leadglass_dicom::part10::{Part10Error, Part10Reader};
use leadglass_dicom::scan::{Identity, Limits, Scanner};
use tokio::sync::mpsc;

use super::discover::Source;
use super::outcome::Outcome;

/// Bytes of a piece.
const PIECE: usize = 128 << 10;
/// Pieces that wait to be sent.
const WAITING: usize = 4;
/// Bytes of a data set within which it has to say what it is.
const MAX_FRONT: usize = 16 << 20;
/// Media Storage Directory Storage: a DICOMDIR.
const MEDIA_DIRECTORY: &str = "1.2.840.10008.1.3.10";

/// What a source is.
pub struct Front {
    /// Who the instance is.
    pub identity: Identity,
    /// How its data set is written.
    pub transfer_syntax: TransferSyntax,
    /// The data set's first bytes.
    pub bytes: Vec<u8>,
}

/// What comes out of a source.
pub enum Piece {
    /// First of all: what it is.
    Front(Box<Front>),
    /// More of the data set.
    Bytes(Bytes),
    /// It has ended well.
    End,
    /// It is of no use; last of all.
    Failed(Outcome),
}

/// Reads the source. Dropping the receiver ends the reading.
pub fn read(source: &Source) -> mpsc::Receiver<Piece> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let source = source.clone();
    tokio::task::spawn_blocking(move || {
        let ended = match &source.within {
            Some(entry) => entry
                .zip
                .read(entry.index, |input| pass_on(input, &sender))
                .unwrap_or_else(|reason| Err(Outcome::Refused(reason))),
            None => match File::open(&source.path) {
                Ok(mut file) => pass_on(&mut file, &sender),
                Err(error) => Err(Outcome::Refused(error.to_string())),
            },
        };
        // When nobody listens any more there is nobody to tell.
        let _ = sender.blocking_send(ended.map_or_else(Piece::Failed, |()| Piece::End));
    });
    receiver
}

fn pass_on(input: &mut dyn Read, sender: &mpsc::Sender<Piece>) -> Result<(), Outcome> {
    let mut front = Some(front(input)?);
    loop {
        let piece = match front.take() {
            Some(front) => Piece::Front(Box::new(front)),
            None => match next(input)? {
                bytes if bytes.is_empty() => return Ok(()),
                bytes => Piece::Bytes(bytes.into()),
            },
        };
        if sender.blocking_send(piece).is_err() {
            return Ok(());
        }
    }
}

fn front(input: &mut dyn Read) -> Result<Front, Outcome> {
    let (meta, mut bytes) = meta(input)?;
    if meta.sop_class.as_ref().is_some_and(|class| class.as_str() == MEDIA_DIRECTORY) {
        return Err(Outcome::NotDicom);
    }
    let refused = |error| Outcome::Refused(format!("not a DICOM data set: {error}"));
    let mut scanner = Scanner::new(&meta.transfer_syntax, Limits::default());
    scanner.push(&bytes).map_err(refused)?;
    while scanner.identity().is_none() {
        if bytes.len() > MAX_FRONT {
            return Err(Outcome::Refused("a data set that does not say what it is in its first 16 MiB".into()));
        }
        let more = next(input)?;
        if more.is_empty() {
            break;
        }
        scanner.push(&more).map_err(refused)?;
        bytes.extend_from_slice(&more);
    }
    let identity = match scanner.identity() {
        Some(identity) => identity.clone(),
        None => scanner.finish().map_err(refused)?.identity.ok_or(Outcome::NotDicom)?,
    };
    Ok(Front { identity, transfer_syntax: meta.transfer_syntax, bytes })
}

fn meta(input: &mut dyn Read) -> Result<(leadglass_dicom::part10::FileMeta, Vec<u8>), Outcome> {
    let refused = |error| match error {
        Part10Error::NotDicom => Outcome::NotDicom,
        error => Outcome::Refused(error.to_string()),
    };
    let mut reader = Part10Reader::new();
    loop {
        let piece = next(input)?;
        if piece.is_empty() {
            return reader.finish().map_err(refused);
        }
        if let Some(found) = reader.push(&piece).map_err(refused)? {
            return Ok(found);
        }
    }
}

/// The next bytes, none at the end.
fn next(input: &mut dyn Read) -> Result<Vec<u8>, Outcome> {
    let mut piece = Vec::with_capacity(PIECE);
    input.take(PIECE as u64).read_to_end(&mut piece).map_err(|error| Outcome::Refused(error.to_string()))?;
    Ok(piece)
}
