//! What a server that speaks first says of itself, by its first bytes.

use std::time::Duration;

use super::talk::{Talk, Unanswered};
use super::{Service, ftp, mysql, rsync, telnet, vnc};
use crate::net::{Line, Over};

/// A greeting's mark and whose it is.
type Known = (fn(&[u8]) -> bool, Service);

/// How long a server may take to speak first. Nothing waits longer on an idle connection.
const WAIT: Duration = Duration::from_millis(1200);

/// The service that greets so; `None` when nothing comes soon, or nothing that is known.
pub(super) async fn sniff(line: &mut Line<'_>, port: u16) -> Result<Option<Service>, Unanswered> {
    let mut talk = Talk::open(line, port, Over::Clear).await?;
    Ok(of_greeting(talk.greeting(WAIT).await?))
}

/// The service that these first bytes belong to.
fn of_greeting(bytes: &[u8]) -> Option<Service> {
    if bytes.starts_with(b"SSH-2.0-") || bytes.starts_with(b"SSH-1.") {
        return Some(Service::Ssh);
    }
    let known: [Known; 5] = [
        (vnc::is_greeting, Service::Vnc),
        (rsync::is_greeting, Service::Rsync),
        (telnet::is_greeting, Service::Telnet),
        (mysql::is_greeting, Service::Mysql),
        (ftp::is_greeting, Service::Ftp),
    ];
    known.into_iter().find(|(is_greeting, _)| is_greeting(bytes)).map(|(_, service)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_and_nothing_else_does() {
        assert_eq!(of_greeting(b"SSH-2.0-OpenSSH_9.2\r\n"), Some(Service::Ssh));
        assert_eq!(of_greeting(b"RFB 003.008\n"), Some(Service::Vnc));
        assert_eq!(of_greeting(b"@RSYNCD: 31.0\n"), Some(Service::Rsync));
        assert_eq!(of_greeting(&[0xff, 0xfd, 0x01]), Some(Service::Telnet));
        assert_eq!(of_greeting(b"220 (vsFTPd 3.0.3)\r\n"), Some(Service::Ftp));
        assert_eq!(of_greeting(&[0x4a, 0, 0, 0, 0x0a, b'8']), Some(Service::Mysql));
        for other in [b"220 mail ESMTP\r\n".as_slice(), b"", b"RFB DOE^JA\n", b"HTTP/1.1 400\r\n", &[0; 8]] {
            assert_eq!(of_greeting(other), None);
        }
    }
}
