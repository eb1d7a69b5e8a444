//! C-GET through a shield: each object that comes back is read as far as its study before a
//! byte of it is handed on. One of another study than was granted, and one of which that
//! cannot be read, is held back and its sub-operation failed.
//!
//! Deliberately absent: what comes after the identifying attributes, which passes as it came.

use bytes::Bytes;
use leadglass_archive::relay::{Ended, Relaying};
use leadglass_dicom::TransferSyntax;
use leadglass_dicom::scan::{Limits, Scanner};
use leadglass_dimse::association::Message;
use leadglass_dimse::message::element::COMMAND_FIELD;
use leadglass_dimse::message::{self, StatusDetail};
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError};

use super::dimse::Session;
use super::held;
use super::store::MOST_PENDING;
use crate::edge::relay::{RelayError, answered, awaited, status_of_answer};
use crate::listen::Stream;
use crate::listen::quick::Quick;

const C_STORE_RQ: u16 = 0x0001;
const HELD_BACK: &str = "objects of other studies were held back";

/// Passes a retrieval on, under an identifier of our own, and its objects back.
pub(super) async fn get(
    session: &mut Session,
    message: &Message,
    identifier: &[u8],
    relaying: Relaying,
) -> Result<(), AssociationError> {
    let config = &session.entity.host().config;
    let limits = Limits { bulk_threshold: 64, ..config.scan.limits(config.limits.data_set_bytes) };
    let Session { front, behind: Some(behind), .. } = session else {
        relaying.close(Ended::Failed);
        return session.refuse(message, Status::OUT_OF_RESOURCES, "the old archive ended the association").await;
    };
    let mut getting = Getting { front, behind, message, limits, relaying: &relaying, held_back: 0 };
    let carried = tokio::select! {
        carried = getting.carry(identifier) => carried,
        refused = held::no_longer(relaying.holder()) => {
            tracing::info!(door = "shield", %refused, "a retrieval broke off");
            relaying.close(Ended::Refused);
            return Err(AssociationError::Misuse("whoever retrieves may not any longer"));
        }
    };
    let held_back = getting.held_back;
    match carried {
        Ok(_) if held_back > 0 => {
            tracing::warn!(
                door = "shield",
                objects = held_back,
                "the old archive sent what was not granted: held back"
            );
            relaying.close(Ended::Refused);
            session.refuse(message, Status::NOT_AUTHORIZED, HELD_BACK).await
        }
        Ok(last) => {
            let status = status_of_answer(message, &last).map_or(Status::PROCESSING_FAILURE, |status| status);
            relaying.close(if status.is_done() { Ended::Done } else { Ended::Failed });
            session.front.send(last.context_id, &last.command, None).await
        }
        // Dropped, the entry says that it was interrupted.
        Err(RelayError::Front(error)) => Err(error),
        Err(RelayError::Behind(error)) => {
            relaying.close(Ended::Failed);
            session.lost(&error).await;
            session.refuse(message, Status::CANNOT_UNDERSTAND, "the old archive ended the association").await
        }
    }
}

/// A retrieval under way.
struct Getting<'a> {
    front: &'a mut Association<Stream>,
    behind: &'a mut Association<Quick>,
    message: &'a Message,
    limits: Limits,
    relaying: &'a Relaying,
    held_back: u64,
}

impl Getting<'_> {
    /// Until the final response, which is not handed on yet.
    async fn carry(&mut self, identifier: &[u8]) -> Result<Message, RelayError> {
        let Message { context_id, command, .. } = self.message;
        self.behind.send(*context_id, command, Some(identifier)).await.map_err(RelayError::Behind)?;
        loop {
            let received = awaited(self.front, self.behind, self.message).await?;
            if received.command.u16(COMMAND_FIELD) == Some(C_STORE_RQ) && received.has_data_set {
                self.object(&received).await?;
                continue;
            }
            // What a response may have as data set (PS3.4 C.4.3.1.4) is a list of UIDs that
            // failed, of whichever study: it stays here.
            if !status_of_answer(self.message, &received)?.is_pending() {
                return Ok(without_data_set(received));
            }
            let pending = without_data_set(received);
            self.front.send(pending.context_id, &pending.command, None).await.map_err(RelayError::Front)?;
        }
    }

    async fn object(&mut self, object: &Message) -> Result<(), RelayError> {
        let Some(context) = self.front.context(object.context_id) else {
            let why = "an object on a context that was not accepted";
            return Err(RelayError::Behind(AssociationError::PeerMisbehaved(why)));
        };
        let syntax = TransferSyntax::from_uid(context.transfer_syntax.clone());
        let pending = match self.identified(Scanner::new(&syntax, self.limits.clone())).await? {
            Some(pending) => pending,
            None => return self.hold_back(object).await,
        };
        self.front.begin_data(object.context_id, &object.command).await.map_err(RelayError::Front)?;
        for chunk in pending {
            self.hand_on(&chunk).await?;
        }
        while let Some(chunk) = self.behind.next_data_chunk().await.map_err(RelayError::Behind)? {
            self.hand_on(&chunk).await?;
        }
        self.front.end_data().await.map_err(RelayError::Front)?;
        self.relaying.count(1);
        answered(self.front, self.behind, self.message).await
    }

    async fn hand_on(&mut self, chunk: &[u8]) -> Result<(), RelayError> {
        self.relaying.charge(chunk.len() as u64);
        self.front.send_data(chunk).await.map_err(RelayError::Front)
    }

    /// The bytes up to where it is known that the object is of a study that was granted.
    async fn identified(&mut self, mut scanner: Scanner) -> Result<Option<Vec<Bytes>>, RelayError> {
        let (mut pending, mut bytes) = (Vec::new(), 0);
        while let Some(chunk) = self.behind.next_data_chunk().await.map_err(RelayError::Behind)? {
            bytes += chunk.len();
            if bytes > MOST_PENDING || scanner.push(&chunk).is_err() {
                return Ok(None);
            }
            pending.push(chunk);
            if let Some(identity) = scanner.identity() {
                return Ok(Some(pending).filter(|_| self.relaying.is_for(&identity.study)));
            }
        }
        let identity = scanner.finish().ok().and_then(|scanned| scanned.identity);
        Ok(identity.filter(|identity| self.relaying.is_for(&identity.study)).map(|_| pending))
    }

    /// Nothing of it leaves; the old archive is told that it was refused.
    async fn hold_back(&mut self, object: &Message) -> Result<(), RelayError> {
        while self.behind.next_data_chunk().await.map_err(RelayError::Behind)?.is_some() {}
        self.held_back += 1;
        let no_request = RelayError::Behind(AssociationError::PeerMisbehaved("an object without Message ID"));
        let detail = StatusDetail::comment("of no study that was asked for");
        let refusal = message::refusal(&object.command, Status::NOT_AUTHORIZED, &detail).ok_or(no_request)?;
        self.behind.send(object.context_id, &refusal, None).await.map_err(RelayError::Behind)
    }
}

fn without_data_set(mut response: Message) -> Message {
    response.command.put_has_data_set(false);
    response.has_data_set = false;
    response
}
