//! Syslog over TLS: RFC 5424 messages in the frames of RFC 5425.
//!
//! Syslog answers nothing, so the end of a connection has to: everything is sent on one
//! connection, our side of it is closed, and what was sent counts as arrived when the other
//! side, having read to the end, ends TLS too. A connection that is only cut says nothing: who
//! cuts it may have read nothing on. When anything else happens all of it is sent again. Nothing
//! is lost; after a failure something may come twice, with the same sequenceId.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Failed;
use super::tls::Towards;
use crate::config::trail::Arrival;

/// PRI of audit messages: facility 10, severity 5 (PS3.15 A.6).
const AUDIT_PRI: u8 = 85;
/// How long a write, or the other side's end, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// RFC 5424 7.3.1: the largest sequenceId.
const LARGEST_SEQUENCE_ID: u64 = 2_147_483_647;
/// RFC 5424 6.4: what says that a text is UTF-8.
const BOM: char = '\u{feff}';

/// A message and what its header says.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// When it happened, RFC 3339 with at most six digits of a second.
    pub time: String,
    /// Our host's name.
    pub host: &'a str,
    /// MSGID.
    pub message_id: &'a str,
    /// Counts messages to this destination.
    pub number: u64,
    /// The text.
    pub text: &'a str,
}

impl Message<'_> {
    /// The frame: octet count, space, message.
    pub fn frame(&self) -> Vec<u8> {
        let Message { time, message_id, number, text, .. } = self;
        let host: String = self.host.chars().filter(char::is_ascii_graphic).take(255).collect();
        let host = if host.is_empty() { "-".to_owned() } else { host };
        let sequence_id = (number % LARGEST_SEQUENCE_ID).max(1);
        let process = std::process::id();
        let message = format!(
            "<{AUDIT_PRI}>1 {time} {host} leadglass {process} {message_id} [meta sequenceId=\"{sequence_id}\"] {BOM}{text}"
        );
        [format!("{} ", message.len()).as_bytes(), message.as_bytes()].concat()
    }
}

/// Sends frames; `Ok` when the other side has read them all.
pub async fn send(towards: &Towards, frames: &[Vec<u8>], arrival: Arrival) -> Result<(), Failed> {
    let stream = towards.connect().await?;
    tokio::time::timeout(PATIENCE, hand(stream, frames, arrival)).await.map_err(|_| Failed::Silent)?.map_err(Failed::Io)
}

async fn hand(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    frames: &[Vec<u8>],
    arrival: Arrival,
) -> std::io::Result<()> {
    for frame in frames {
        stream.write_all(frame).await?;
    }
    stream.flush().await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    loop {
        match stream.read(&mut rest).await {
            Ok(0) => return Ok(()),
            // TCP was closed without TLS's goodbye.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && arrival == Arrival::ConnectionClosed => {
                return Ok(());
            }
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;

    use super::*;

    /// The reading side of TLS whose connection was cut.
    struct Cut;

    impl AsyncRead for Cut {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into()))
        }
    }

    #[tokio::test]
    async fn what_a_cut_connection_took_has_not_arrived() {
        let frames = [b"1 a".to_vec()];
        for (arrival, cut) in [(Arrival::CloseNotify, false), (Arrival::ConnectionClosed, true)] {
            let ended = hand(tokio::io::join(tokio::io::empty(), tokio::io::sink()), &frames, arrival).await;
            assert!(ended.is_ok());
            let ended = hand(tokio::io::join(Cut, tokio::io::sink()), &frames, arrival).await;
            assert_eq!(ended.is_ok(), cut, "{arrival:?}");
        }
    }

    #[test]
    fn a_frame_counts_octets_and_has_the_header_of_dicom() {
        let text = "€".repeat(20_000);
        let message = Message {
            time: "2026-01-01T00:00:00.123456Z".into(),
            host: "pacs 1\n",
            message_id: "DICOM+RFC3881",
            number: 7,
            text: &text,
        };
        let frame = String::from_utf8(message.frame()).unwrap();
        let (count, rest) = frame.split_once(' ').unwrap();
        assert_eq!(count.parse::<usize>().unwrap(), rest.len());
        assert!(rest.len() > 32_768, "nothing is cut");
        assert!(rest.starts_with("<85>1 2026-01-01T00:00:00.123456Z pacs1 leadglass "), "{}", &rest[..80]);
        assert!(rest.contains(" DICOM+RFC3881 [meta sequenceId=\"7\"] \u{feff}€"));
    }
}
