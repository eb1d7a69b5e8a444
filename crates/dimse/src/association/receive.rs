//! Receiving messages, PS3.7 §6.3.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::incoming::Event;
use super::wire::{LARGE_READ, SMALL_READ, Wait};
use super::{Association, AssociationError, Failure, Message};
use crate::message::{CCancelRequest, Command, CommandSet, element::MESSAGE_ID};
use crate::pdu::{Fault, control};

/// Commands kept while responses are being sent. More would be asynchronous operations,
/// which were not negotiated.
const MAX_KEPT: usize = 8;
/// Cancels kept while responses are being sent.
const MAX_CANCELS: usize = 16;
/// Reads that one look for a cancel takes at most.
const MAX_LOOKS: usize = 32;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Association<S> {
    /// The next command, or `None` when the peer released (the release is answered).
    /// A data set of the message before that was not read is skipped.
    ///
    /// Cancel safe: dropping the future loses no message.
    pub async fn receive(&mut self) -> Result<Option<Message>, AssociationError> {
        self.check_open()?;
        let result = self.receive_message().await;
        self.settle(result).await
    }

    async fn receive_message(&mut self) -> Result<Option<Message>, Failure> {
        while self.read_data_set().await?.is_some() {}
        if let Some(message) = self.kept.pop_front() {
            return Ok(Some(self.deliver(message)));
        }
        if self.release_requested {
            return self.answer_release().await;
        }
        match self.next_event().await? {
            Event::Command { context_id, command } => {
                let message = Message { context_id, has_data_set: command.has_data_set(), command };
                Ok(Some(self.deliver(message)))
            }
            Event::ReleaseRequest => self.answer_release().await,
            event => Err(unexpected(event)),
        }
    }

    /// Hands a message out. A cancel that came for an earlier message of that ID is not for this one.
    fn deliver(&mut self, message: Message) -> Message {
        self.reading = message.has_data_set;
        if let Some(id) = message.command.u16(MESSAGE_ID) {
            self.cancels.retain(|cancelled| *cancelled != id);
        }
        message
    }

    /// Answers A-RELEASE-RQ; the association is over.
    async fn answer_release(&mut self) -> Result<Option<Message>, Failure> {
        self.ended = true;
        self.wire.farewell(&control::RELEASE_RESPONSE).await;
        Ok(None)
    }

    /// The next bytes of the current message's data set, `None` at its end.
    ///
    /// The bytes are a slice of the read buffer, not a copy; let go of them soon.
    /// Cancel safe.
    pub async fn next_data_chunk(&mut self) -> Result<Option<Bytes>, AssociationError> {
        if !self.reading {
            return Ok(None);
        }
        self.check_open()?;
        let result = self.read_data_set().await;
        self.settle(result).await
    }

    async fn read_data_set(&mut self) -> Result<Option<Bytes>, Failure> {
        if !self.reading {
            return Ok(None);
        }
        match self.next_event().await? {
            Event::Data(bytes) => Ok(Some(bytes)),
            Event::DataEnd => {
                self.reading = false;
                Ok(None)
            }
            event => Err(unexpected(event)),
        }
    }

    /// The whole data set of the current message; more than `limit` bytes is the peer's fault.
    pub async fn receive_data_set(&mut self, limit: usize) -> Result<Vec<u8>, AssociationError> {
        let mut data_set = Vec::new();
        while let Some(chunk) = self.next_data_chunk().await? {
            if data_set.len().saturating_add(chunk.len()) > limit {
                let fault = Fault::message("a data set longer than our limit for this message");
                return self.settle(Err(fault.into())).await;
            }
            data_set.extend_from_slice(&chunk);
        }
        Ok(data_set)
    }

    /// Whether a C-CANCEL for that message has arrived; takes what is there without waiting.
    /// Commands other than C-CANCEL that arrive meanwhile are kept for `receive`, few.
    /// Nothing is looked for while the data set of the current message is not read.
    pub async fn cancel_requested(&mut self, message_id: u16) -> Result<bool, AssociationError> {
        self.check_open()?;
        let result = self.look_for_cancel(message_id).await;
        self.settle(result).await
    }

    async fn look_for_cancel(&mut self, message_id: u16) -> Result<bool, Failure> {
        for _ in 0..MAX_LOOKS {
            if let Some(at) = self.cancels.iter().position(|id| *id == message_id) {
                self.cancels.swap_remove(at);
                return Ok(true);
            }
            let data_set_is_next = self.reading || self.kept.back().is_some_and(|message| message.has_data_set);
            if data_set_is_next || self.release_requested {
                return Ok(false);
            }
            match self.incoming.next(&mut self.wire.input)? {
                Some(Event::Command { context_id, command }) => self.keep(context_id, command)?,
                Some(Event::ReleaseRequest) => self.release_requested = true,
                Some(event) => return Err(unexpected(event)),
                None => {
                    if !self.wire.try_read().await? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(false)
    }

    fn keep(&mut self, context_id: u8, command: CommandSet) -> Result<(), Fault> {
        if let Ok(CCancelRequest { responded_to }) = CCancelRequest::try_from(&command) {
            if self.cancels.len() < MAX_CANCELS {
                self.cancels.push(responded_to);
            }
            return Ok(());
        }
        if self.kept.len() == MAX_KEPT {
            return Err(Fault::message("more requests at once than were negotiated"));
        }
        self.kept.push_back(Message { context_id, has_data_set: command.has_data_set(), command });
        Ok(())
    }

    /// Waits for the next event.
    pub(super) async fn next_event(&mut self) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.incoming.next(&mut self.wire.input)? {
                return Ok(event);
            }
            let wait = if self.incoming.is_mid_message() || !self.wire.input.is_empty() {
                Wait::Silence(self.limits.message_timeout, "inside a message")
            } else {
                Wait::Silence(self.limits.idle_timeout, "between messages")
            };
            let room = if self.incoming.expects_much() { LARGE_READ } else { SMALL_READ };
            self.wire.read(room, wait).await?;
        }
    }

    /// The next command as its type, for one who awaits a response. Release is then no
    /// proper answer, nor is a command set that is no message.
    pub(crate) async fn receive_command(&mut self) -> Result<(Message, Command), AssociationError> {
        let Some(message) = self.receive().await? else {
            return Err(AssociationError::PeerMisbehaved("it released the association instead of responding"));
        };
        match Command::try_from(&message.command) {
            Ok(command) => Ok((message, command)),
            Err(_) => self.misbehaved("a response with missing or malformed elements").await,
        }
    }

    /// Aborts because of what a message says.
    pub(crate) async fn misbehaved<T>(&mut self, what: &'static str) -> Result<T, AssociationError> {
        self.settle(Err(Fault::message(what).into())).await
    }
}

/// What an event means where it has no place.
pub(super) fn unexpected(event: Event) -> Failure {
    match event {
        Event::Abort { abort_source, reason } => AssociationError::Aborted { abort_source, reason }.into(),
        Event::ReleaseRequest | Event::ReleaseResponse => Fault::unexpected("a release that has no place here").into(),
        _ => Fault::unexpected("a message that has no place here").into(),
    }
}
