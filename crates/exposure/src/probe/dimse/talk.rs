//! PDUs on one connection: bounded, strictly recognised, data never parsed (PS3.8 §9.3).
//!
//! What a C-FIND answers as data goes into one scratch buffer that is overwritten and wiped;
//! only commands are looked into, and of them only numbers are taken.

use std::io;
use std::time::Duration;

use leadglass_dimse::CommandSet;
use leadglass_dimse::pdu::control::{RELEASE_REQUEST, abort};
use leadglass_dimse::pdu::data::{PDV_HEADER_BYTES, PdvHeader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::{Zeroize, Zeroizing};

use super::accept::Accept;
use super::command::Response;
use crate::net::Stream;

/// Longest PDU that is read; nothing that answers us needs more.
pub(super) const MAX_PDU_BYTES: u32 = 64 * 1024;
/// Longest command set that is read: its parts are numbers, a UID and a comment.
const MAX_COMMAND_BYTES: usize = 4 * 1024;
/// The buffer that data goes through.
const SCRATCH_BYTES: usize = 16 * 1024;

/// A target refused, in the protocol's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A-ASSOCIATE-RJ, PS3.8 Table 9-21.
    Rejected {
        /// 1 for good, 2 for now.
        result: u8,
        /// 1 the application, 2 the association control, 3 the upper layer.
        source: u8,
        /// Depends on the source.
        reason: u8,
    },
    /// A-ABORT, PS3.8 Table 9-26.
    Aborted {
        /// 0 the application, 2 the upper layer.
        source: u8,
        /// Says more for source 2.
        reason: u8,
    },
}

/// A target did not answer in the protocol's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// No whole answer in time.
    Silent,
    /// The connection ended.
    Closed,
    /// A TLS alert with that description, after the handshake.
    Alert(u8),
    /// The first byte is of another protocol.
    NotDicom,
    /// It begins as DICOM and breaks its rules.
    Lied,
}

/// How a conversation stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    Refused(Refusal),
    Broken(Broken),
}

impl From<Broken> for Stopped {
    fn from(broken: Broken) -> Stopped {
        Stopped::Broken(broken)
    }
}

/// One association, or what is to become one.
pub(super) struct Talk<'line> {
    stream: Stream<'line>,
    scratch: Zeroizing<Vec<u8>>,
    /// Bytes of the current P-DATA-TF that are not read yet.
    pdu_left: u32,
}

impl<'line> Talk<'line> {
    pub(super) fn over(stream: Stream<'line>) -> Talk<'line> {
        Talk { stream, scratch: Zeroizing::new(vec![0; SCRATCH_BYTES]), pdu_left: 0 }
    }

    /// Sends bytes, all of them, now.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(bytes).await.map_err(|error| broken(&error))?;
        self.stream.flush().await.map_err(|error| broken(&error))
    }

    /// The answer to an A-ASSOCIATE-RQ.
    pub(super) async fn answer(&mut self) -> Result<Accept, Stopped> {
        let [kind, _, a, b, c, d] = self.bytes::<6>().await?;
        let length = u32::from_be_bytes([a, b, c, d]);
        // From here on it has begun to speak DICOM: half an answer is a lie.
        self.answer_of(kind, length).await.map_err(|stopped| match stopped {
            Stopped::Broken(Broken::Silent | Broken::Closed) if matches!(kind, 2 | 3 | 7) => Broken::Lied.into(),
            stopped => stopped,
        })
    }

    async fn answer_of(&mut self, kind: u8, length: u32) -> Result<Accept, Stopped> {
        match kind {
            2 if length <= MAX_PDU_BYTES => {
                let mut body = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0)));
                self.read_into(&mut body, length).await?;
                Ok(Accept::decode(&body)?)
            }
            3 if length == 4 => Err(rejection(self.bytes().await?)),
            7 if length == 4 => Err(abortion(self.bytes().await?)),
            2 | 3 | 7 => Err(Broken::Lied.into()),
            _ => Err(Broken::NotDicom.into()),
        }
    }

    /// Sends a message: a command, and a data set when there is one.
    pub(super) async fn say(
        &mut self,
        context_id: u8,
        command: &CommandSet,
        data: Option<&[u8]>,
    ) -> Result<(), Broken> {
        let mut bytes = Vec::new();
        let command = command.encode();
        for (is_command, fragment) in [(true, Some(&*command)), (false, data)] {
            let Some(fragment) = fragment else { continue };
            let length = u32::try_from(fragment.len()).map_err(|_| Broken::Lied)?;
            bytes.extend(PdvHeader { context_id, is_command, is_last: true, length }.encode_with_pdu());
            bytes.extend_from_slice(fragment);
        }
        self.send(&bytes).await
    }

    /// The next response on that context. The data set of the one before must have been dropped.
    pub(super) async fn response(&mut self, context_id: u8) -> Result<Response, Stopped> {
        let mut command = Zeroizing::new(Vec::with_capacity(MAX_COMMAND_BYTES));
        loop {
            let part = self.part(context_id).await?;
            let whole = command.len() + usize::try_from(part.length).unwrap_or(usize::MAX);
            if !part.is_command || whole > MAX_COMMAND_BYTES {
                return Err(Broken::Lied.into());
            }
            self.read_into(&mut command, part.length).await?;
            if part.is_last {
                return Ok(Response::read(&command).ok_or(Broken::Lied)?);
            }
        }
    }

    /// Lets a data set pass through the scratch buffer, unread.
    pub(super) async fn drop_data(&mut self, context_id: u8) -> Result<(), Stopped> {
        loop {
            let part = self.part(context_id).await?;
            if part.is_command {
                return Err(Broken::Lied.into());
            }
            let mut left = usize::try_from(part.length).unwrap_or(usize::MAX);
            while left > 0 {
                left -= self.fill_scratch(left).await?;
                self.scratch.as_mut_slice().zeroize();
            }
            if part.is_last {
                return Ok(());
            }
        }
    }

    /// Releases the association, and waits a moment for the answer so that the other end's log is clean.
    pub(super) async fn release(mut self, patience: Duration) {
        if self.send(&RELEASE_REQUEST).await.is_ok() {
            let _ = tokio::time::timeout(patience, self.bytes::<10>()).await;
        }
    }

    /// Aborts the association: A-ABORT of the application.
    pub(super) async fn abort(mut self) {
        let _ = self.send(&abort(0, 0)).await;
    }

    /// The header of the next presentation data value, which must be of that context.
    async fn part(&mut self, context_id: u8) -> Result<PdvHeader, Stopped> {
        while self.pdu_left == 0 {
            let [kind, _, a, b, c, d] = self.bytes::<6>().await?;
            let length = u32::from_be_bytes([a, b, c, d]);
            match kind {
                4 if length <= MAX_PDU_BYTES => self.pdu_left = length,
                5 => return Err(Broken::Closed.into()),
                7 if length == 4 => return Err(abortion(self.bytes().await?)),
                _ => return Err(Broken::Lied.into()),
            }
        }
        let header = self.bytes::<PDV_HEADER_BYTES>().await?;
        let header = PdvHeader::decode(header, self.pdu_left).map_err(|_| Broken::Lied)?;
        let whole = header.length.checked_add(6).ok_or(Broken::Lied)?;
        self.pdu_left = self.pdu_left.checked_sub(whole).ok_or(Broken::Lied)?;
        if header.context_id == context_id { Ok(header) } else { Err(Broken::Lied.into()) }
    }

    async fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).await.map_err(|error| broken(&error))?;
        Ok(bytes)
    }

    async fn read_into(&mut self, whole: &mut Vec<u8>, length: u32) -> Result<(), Broken> {
        let mut left = usize::try_from(length).unwrap_or(usize::MAX);
        while left > 0 {
            let read = self.fill_scratch(left).await?;
            whole.extend_from_slice(self.scratch.get(..read).unwrap_or_default());
            self.scratch.as_mut_slice().zeroize();
            left -= read;
        }
        Ok(())
    }

    /// Reads at most so many bytes into the scratch buffer.
    async fn fill_scratch(&mut self, most: usize) -> Result<usize, Broken> {
        let room = most.min(SCRATCH_BYTES);
        let scratch = self.scratch.get_mut(..room).unwrap_or_default();
        match self.stream.read(scratch).await {
            Ok(0) => Err(Broken::Closed),
            Ok(read) => Ok(read),
            Err(error) => Err(broken(&error)),
        }
    }
}

/// The values of PS3.8 Table 9-21, and no others.
fn rejection([_, result, source, reason]: [u8; 4]) -> Stopped {
    match (result, source) {
        (1..=2, 1..=3) => Stopped::Refused(Refusal::Rejected { result, source, reason }),
        _ => Stopped::Broken(Broken::Lied),
    }
}

/// The values of PS3.8 Table 9-26, and no others.
fn abortion([_, _, source, reason]: [u8; 4]) -> Stopped {
    match (source, reason) {
        (0..=2, 0..=6) => Stopped::Refused(Refusal::Aborted { source, reason }),
        // The reason is not significant unless the upper layer aborts.
        (0..=1, _) => Stopped::Refused(Refusal::Aborted { source, reason: 0 }),
        _ => Stopped::Broken(Broken::Lied),
    }
}

fn broken(error: &io::Error) -> Broken {
    match (alert_in(error), error.kind()) {
        (Some(alert), _) => Broken::Alert(alert),
        (None, io::ErrorKind::TimedOut) => Broken::Silent,
        (None, io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidData) => Broken::Lied,
        (None, _) => Broken::Closed,
    }
}

/// The TLS alert that ended the conversation, when one did.
pub(super) fn alert_in(error: &io::Error) -> Option<u8> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(u8::from(*alert)),
        _ => None,
    }
}
