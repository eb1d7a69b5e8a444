//! The line to one host: one connection at a time, asked of the scope each time, and none at
//! all once the host shows strain.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep_until, timeout};

use super::wire::{Heard, Wire};
use crate::report::Left;
use crate::run::{Limits, Run};
use crate::scope::{AssetClass, NotPermitted};

/// Connects below this time are never called slow.
const SLOW_FLOOR: Duration = Duration::from_millis(250);
/// A connect that takes so many times the first one is slow.
const SLOW_GROWTH: u32 = 3;
/// So many slow connects in a row are strain.
const SLOW_STREAK: u32 = 2;
/// So many resets or silences in a row are strain.
const FAILED_STREAK: u32 = 3;
/// For a whole conversation with a modality: one that is silent is not held longer.
const GENTLE_CONVERSATION: Duration = Duration::from_secs(3);

/// The line to one host.
pub struct Line<'run> {
    run: &'run Run,
    address: IpAddr,
    /// Whether the host is a modality: looked at the gentlest.
    gentle: bool,
    /// Before then the host is left alone.
    rested: Option<Instant>,
    connects: u32,
    first_connect: Option<Duration>,
    slow: u32,
    silent: u32,
    /// Conversations that the host reset before it said anything, or that took all their time.
    heard: Arc<Heard>,
    left: Option<Left>,
    ports: BTreeMap<u16, Answers>,
}

/// How a port took a connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It took it.
    Open,
    /// It said no.
    Refused,
    /// Nothing came back.
    Silent,
}

/// How a port took the first connect and the last.
#[derive(Clone, Copy, Debug)]
struct Answers {
    first: Reach,
    last: Reach,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReached {
    /// The scope does not allow it.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The run is ending.
    #[error("the run is ending")]
    Stopped,
    /// The host said no.
    #[error("the connection was refused")]
    Refused,
    /// The host did not answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// No way there, or no descriptors here.
    #[error("the host cannot be reached")]
    Unreachable,
    /// The host shows strain; it is left alone.
    #[error("the host shows strain and is left alone")]
    LeftAlone,
}

impl<'run> Line<'run> {
    /// A line to a host. Nothing is sent yet.
    pub fn new(run: &'run Run, address: IpAddr) -> Line<'run> {
        let gentle = run.scope.asset_of(address).is_some_and(|asset| asset.class == AssetClass::Modality);
        Line {
            run,
            address,
            gentle,
            rested: None,
            connects: 0,
            first_connect: None,
            slow: 0,
            silent: 0,
            heard: Arc::default(),
            left: None,
            ports: BTreeMap::new(),
        }
    }

    /// The run.
    pub fn run(&self) -> &'run Run {
        self.run
    }

    /// The host's address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Connects to a port: within scope, pace and time. The connection borrows the line, so
    /// there is one at a time. Write the first bytes at once: some servers take nobody else
    /// while they wait for them.
    pub async fn dial(&mut self, port: u16) -> Result<Wire<'_>, NotReached> {
        if self.left().is_some() {
            return Err(NotReached::LeftAlone);
        }
        if let Some(rested) = self.rested {
            sleep_until(rested).await;
        }
        self.run.rate.turn().await;
        if self.run.stop.is_cancelled() {
            self.leave_alone(Left::Stopped);
            return Err(NotReached::Stopped);
        }
        let asset = match self.run.scope.permits(self.address, self.run.now()) {
            Ok(asset) => asset,
            Err(why) => {
                self.leave_alone(Left::NotPermitted);
                return Err(why.into());
            }
        };
        let spacing = self.run.limits.spacing.max(self.run.scope.spacing_of(asset));
        let started = Instant::now();
        let connected = timeout(self.run.limits.connect, connect(SocketAddr::new(self.address, port))).await;
        let took = started.elapsed();
        self.rested = Some(Instant::now() + spacing);
        self.connects += 1;
        self.take_note(port, took, &connected);
        match connected {
            Ok(Ok(stream)) => Ok(Wire::new(stream, &self.limits(), took, self.heard.clone())),
            Ok(Err(error)) if is_refusal(&error) => Err(NotReached::Refused),
            Ok(Err(_)) => Err(NotReached::Unreachable),
            Err(_) => Err(NotReached::TimedOut),
        }
    }

    /// How many connections were made.
    pub fn connects(&self) -> u32 {
        self.connects
    }

    /// How a port took the first connect; none when there was none yet.
    pub fn reach(&self, port: u16) -> Option<Reach> {
        self.ports.get(&port).map(|answers| answers.first)
    }

    /// Says that a port took a connect before this line began: the host rests from it first.
    pub fn was_open(&mut self, port: u16) {
        let spacing = self.run.scope.asset_of(self.address).map(|asset| self.run.scope.spacing_of(asset));
        let spacing = self.run.limits.spacing.max(spacing.unwrap_or_default());
        self.rested.get_or_insert_with(|| Instant::now() + spacing);
        self.ports.entry(port).or_insert(Answers { first: Reach::Open, last: Reach::Open });
    }

    /// Whether a port took a connect at any time.
    pub fn answered(&self) -> bool {
        self.ports.values().any(|answers| answers.first == Reach::Open)
    }

    /// Whether a port that took a connect does not take one any more.
    pub fn fell_silent(&self) -> bool {
        self.ports.values().any(|answers| answers.first == Reach::Open && answers.last != Reach::Open)
    }

    /// Makes no more connections.
    pub fn leave_alone(&mut self, why: Left) {
        self.left.get_or_insert(why);
    }

    /// The host refused what was asked of it: a modality is not asked again.
    pub fn refused(&mut self) {
        if self.gentle {
            self.leave_alone(Left::Refused);
        }
    }

    /// Why no more connections are made, when none are.
    pub fn left(&self) -> Option<Left> {
        let strained = self.gentle && (self.heard.resets() >= FAILED_STREAK || self.heard.timed_out());
        self.left.or(strained.then_some(Left::Strain))
    }

    /// Bounds of a conversation with this host.
    fn limits(&self) -> Limits {
        let mut limits = self.run.limits.clone();
        if self.gentle {
            limits.conversation = limits.conversation.min(GENTLE_CONVERSATION);
        }
        limits
    }

    /// Notes how a port answered, and whether the host shows strain.
    fn take_note<T, E>(&mut self, port: u16, took: Duration, connected: &Result<io::Result<T>, E>) {
        let last = match connected {
            Ok(Ok(_)) => Reach::Open,
            Ok(Err(error)) if is_refusal(error) => Reach::Refused,
            _ => Reach::Silent,
        };
        let answers = self.ports.entry(port).or_insert(Answers { first: last, last });
        answers.last = last;
        let was_open = answers.first == Reach::Open;
        match last {
            Reach::Open => {
                self.silent = 0;
                let first = *self.first_connect.get_or_insert(took);
                self.slow = if took > SLOW_FLOOR.max(first * SLOW_GROWTH) { self.slow + 1 } else { 0 };
            }
            Reach::Silent if was_open => self.silent += 1,
            _ => {}
        }
        if self.slow >= SLOW_STREAK || self.silent >= FAILED_STREAK {
            self.leave_alone(Left::Strain);
        }
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
}

async fn connect(address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Whatever happens to this end, the other end is told at once.
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::testing::{self, LOOPBACK};

    fn modality() -> Run {
        let mut scope = testing::scope();
        scope.assets[0].class = AssetClass::Modality;
        testing::run(scope)
    }

    /// Resets every connection after the first byte.
    async fn resetter() -> u16 {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
                stream.read_u8().await.ok();
            }
        });
        port
    }

    async fn provoke(line: &mut Line<'_>, port: u16) -> Result<(), NotReached> {
        let mut wire = line.dial(port).await?;
        wire.write_all(b"?").await.ok();
        wire.read_u8().await.ok();
        Ok(())
    }

    #[tokio::test]
    async fn three_resets_in_a_row_and_a_modality_is_left_alone() {
        let port = resetter().await;
        let run = modality();
        let mut line = Line::new(&run, LOOPBACK);
        for _ in 0..3 {
            provoke(&mut line, port).await.unwrap();
        }
        assert_eq!(provoke(&mut line, port).await, Err(NotReached::LeftAlone));
        assert_eq!((line.left(), line.connects()), (Some(Left::Strain), 3));

        let run = testing::run(testing::scope());
        let mut line = Line::new(&run, LOOPBACK);
        for _ in 0..6 {
            provoke(&mut line, port).await.unwrap();
        }
        assert_eq!(line.left(), None, "a server may reset what it does not speak");
    }

    #[tokio::test]
    async fn one_conversation_that_takes_all_its_time_and_a_modality_is_left_alone() {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for (mut run, expected) in [(modality(), Some(Left::Strain)), (testing::run(testing::scope()), None)] {
            run.limits.conversation = Duration::from_millis(20);
            let mut line = Line::new(&run, LOOPBACK);
            provoke(&mut line, port).await.unwrap();
            assert_eq!(line.left(), expected);
            assert_eq!(provoke(&mut line, port).await.err(), expected.map(|_| NotReached::LeftAlone));
        }
    }

    #[test]
    fn a_silent_modality_is_held_for_three_seconds_and_a_server_for_ten() {
        for (mut run, seconds) in [(modality(), 3), (testing::run(testing::scope()), 10)] {
            run.limits.conversation = Limits::default().conversation;
            assert_eq!(Line::new(&run, LOOPBACK).limits().conversation.as_secs(), seconds);
        }
    }

    #[tokio::test]
    async fn after_a_sweep_a_host_rests_before_the_first_word() {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut run = modality();
        run.limits.spacing = Duration::from_millis(60);
        let mut line = Line::new(&run, LOOPBACK);
        line.was_open(port);
        let began = Instant::now();
        line.dial(port).await.unwrap();
        assert!(began.elapsed() >= run.limits.spacing);
    }

    #[tokio::test]
    async fn a_refusal_ends_the_look_at_a_modality_only() {
        let run = modality();
        let mut line = Line::new(&run, LOOPBACK);
        line.refused();
        assert_eq!(line.dial(1).await.err(), Some(NotReached::LeftAlone));
        let run = testing::run(testing::scope());
        let mut line = Line::new(&run, LOOPBACK);
        line.refused();
        assert_eq!(line.left(), None);
    }

    #[tokio::test]
    async fn a_host_that_grows_slow_is_left_alone() {
        let run = testing::run(testing::scope());
        let mut line = Line::new(&run, LOOPBACK);
        let ok: Result<io::Result<()>, ()> = Ok(Ok(()));
        let ms = Duration::from_millis;
        for took in [20, 240, 300, 40, 300] {
            line.take_note(104, ms(took), &ok);
            assert_eq!(line.left(), None, "{took}");
        }
        line.take_note(104, ms(260), &ok);
        assert_eq!(line.left(), Some(Left::Strain));
    }

    #[tokio::test]
    async fn a_port_that_closes_meanwhile_is_noticed() {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let run = testing::run(testing::scope());
        let mut line = Line::new(&run, LOOPBACK);
        line.dial(port).await.unwrap();
        assert!(line.answered() && !line.fell_silent());
        drop(listener);
        assert_eq!(line.dial(port).await.err(), Some(NotReached::Refused));
        assert!(line.answered() && line.fell_silent());
        assert_eq!(line.reach(port), Some(Reach::Open));
    }
}
