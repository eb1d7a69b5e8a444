//! Release and abort, PS3.8 §7.2 to §7.4 and Table 9-10.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::incoming::Event;
use super::receive::unexpected;
use super::wire::{SMALL_READ, Wait};
use super::{AbortSource, Association, AssociationError, Failure};
use crate::pdu::control;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Association<S> {
    /// Releases: A-RELEASE-RQ, waits for RP (and answers a colliding RQ). What the peer
    /// still sends is not read. Releasing one that the peer has released is no error.
    pub async fn release(mut self) -> Result<(), AssociationError> {
        if self.ended {
            return Ok(());
        }
        if self.outgoing.data_set.is_some() {
            return Err(AssociationError::Misuse("the data set begun has not ended"));
        }
        let result = self.exchange_release().await;
        self.settle(result).await
    }

    async fn exchange_release(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + self.limits.associate_timeout;
        self.wire.write_pdu(&control::RELEASE_REQUEST).await?;
        let mut collided = self.release_requested;
        if collided && self.agreed.is_requestor {
            self.wire.write_pdu(&control::RELEASE_RESPONSE).await?;
        }
        loop {
            match self.next_event_until(deadline).await? {
                Event::ReleaseResponse if collided && !self.agreed.is_requestor => {
                    // AR-10, AR-4: the acceptor's response is the last.
                    self.wire.farewell(&control::RELEASE_RESPONSE).await;
                    return Ok(());
                }
                Event::ReleaseResponse => {
                    self.wire.close().await;
                    return Ok(());
                }
                // AR-8, AR-9: both asked; the requestor of the association responds first.
                Event::ReleaseRequest if !collided => {
                    collided = true;
                    if self.agreed.is_requestor {
                        self.wire.write_pdu(&control::RELEASE_RESPONSE).await?;
                    }
                }
                // AR-6: data that was on its way.
                Event::Command { .. } | Event::Data(_) | Event::DataEnd if !collided => {}
                event => return Err(unexpected(event)),
            }
        }
    }

    async fn next_event_until(&mut self, deadline: Instant) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.incoming.next(&mut self.wire.input)? {
                return Ok(event);
            }
            self.wire.read(SMALL_READ, Wait::Until(deadline, "after our A-RELEASE-RQ")).await?;
        }
    }

    /// Aborts.
    pub async fn abort(mut self, source: AbortSource) {
        if !self.ended {
            let (abort_source, reason) = source.codes();
            self.wire.farewell(&control::abort(abort_source, reason)).await;
        }
    }
}
