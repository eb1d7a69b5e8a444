//! One connect that does not wait, and what the kernel says of it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::window::Fate;

/// What is known after a connect that did not wait.
pub(super) enum Knock {
    /// The answer.
    Answered(Fate),
    /// None yet.
    UnderWay(TcpStream),
}

/// Connects without waiting. On loopback and to hosts nearby the answer is there at once:
/// the second call asks for it, without a round through the event queue.
pub(super) fn knock(address: SocketAddr) -> io::Result<Knock> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    let mut said = connect(&socket, &address);
    if said == Err(Errno::INPROGRESS) {
        said = connect(&socket, &address);
    }
    match said {
        Err(Errno::CONNREFUSED | Errno::CONNRESET) => Ok(Knock::Answered(Fate::Refused)),
        Ok(()) | Err(Errno::ISCONN) => {
            reset_on_close(&socket)?;
            Ok(Knock::Answered(Fate::Open))
        }
        Err(Errno::INPROGRESS | Errno::ALREADY) => {
            reset_on_close(&socket)?;
            Ok(Knock::UnderWay(TcpStream::from_std(socket.into())?))
        }
        Err(errno) => Err(errno.into()),
    }
}

/// What becomes of a connect that is under way.
pub(super) async fn await_answer(stream: TcpStream, limit: Duration) -> Fate {
    match timeout(limit, stream.writable()).await {
        Err(_) | Ok(Err(_)) => Fate::Silent,
        Ok(Ok(())) => match stream.take_error() {
            Ok(None) => Fate::Open,
            Ok(Some(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Fate::Refused,
            Ok(Some(error)) if error.kind() == io::ErrorKind::ConnectionReset => Fate::Refused,
            _ => Fate::Silent,
        },
    }
}

/// Whether a connect failed for want of something on this machine, and is worth a second try.
pub(super) fn is_want(error: &io::Error) -> bool {
    let wants = [Errno::ADDRNOTAVAIL, Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::AGAIN];
    error.raw_os_error().is_some_and(|number| wants.contains(&Errno::from_raw_os_error(number)))
}

/// How many connects may be under way: half of the descriptors this process may have.
pub(super) fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(4096);
    usize::try_from(limit / 2).unwrap_or(4096).clamp(16, 4096)
}

fn reset_on_close(socket: &impl std::os::fd::AsFd) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(socket, Some(Duration::ZERO))?)
}
