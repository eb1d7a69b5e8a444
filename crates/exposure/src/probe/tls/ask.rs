//! One hello on the wire, and what came back.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::flight::{Agreed, End, Flight};
use crate::finding::State;
use crate::net::{Line, NotReached};

/// What came back.
#[derive(Debug)]
pub enum Answer {
    /// A ServerHello at least.
    Agreed(Agreed),
    /// An alert, or the end of the connection without a word.
    Refused(Option<u8>),
    /// Something that is no TLS, or broken.
    Nonsense,
    /// Nothing in time.
    Silent,
    /// There was no connection; how a check ends that needed it.
    NotAsked(State),
}

/// Sends a hello and listens until the server has said what it has to say.
pub async fn ask(line: &mut Line<'_>, port: u16, hello: &[u8]) -> Answer {
    let mut wire = match line.dial(port).await {
        Ok(wire) => wire,
        Err(error) => return Answer::NotAsked(without_connection(error)),
    };
    if let Err(error) = wire.write_all(hello).await {
        return if error.kind() == io::ErrorKind::TimedOut { Answer::Silent } else { Answer::Refused(None) };
    }
    let mut flight = Flight::default();
    let mut buffer = [0; 4096];
    loop {
        let read = match wire.read(&mut buffer).await {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return flight.agreed().map_or(Answer::Silent, Answer::Agreed);
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Answer::Nonsense,
            Err(_) => 0,
        };
        if read == 0 {
            return closed(flight);
        }
        match flight.push(&buffer[..read]) {
            None => {}
            Some(End::Done) => return flight.agreed().map_or(Answer::Nonsense, Answer::Agreed),
            Some(End::Alert(alert)) => return Answer::Refused(Some(alert)),
            Some(End::Nonsense) => return Answer::Nonsense,
        }
    }
}

fn closed(flight: Flight) -> Answer {
    let (warning, empty) = (flight.warning(), flight.is_empty());
    match flight.agreed() {
        Some(agreed) => Answer::Agreed(agreed),
        None if empty || warning.is_some() => Answer::Refused(warning),
        None => Answer::Nonsense,
    }
}

/// How a check ends that could not connect.
pub fn without_connection(error: NotReached) -> State {
    match error {
        NotReached::NotPermitted(_) | NotReached::Stopped | NotReached::LeftAlone => State::SkippedByPolicy,
        NotReached::Refused | NotReached::TimedOut | NotReached::Unreachable => State::Error,
    }
}
