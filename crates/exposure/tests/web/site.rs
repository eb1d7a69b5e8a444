//! A web site on loopback that says what a test wants, and remembers what it was asked.

use std::sync::Arc;

use leadglass_exposure::catalogue::Depth;
use leadglass_exposure::finding::{Outcome, State};
use leadglass_exposure::net::Over;
use leadglass_exposure::probe::{Known, product, web};
use leadglass_exposure::run::Run;
use leadglass_exposure::testing;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub head: String,
    pub body: String,
}

/// What a site was asked so far.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<(Vec<Asked>, u32)>>);

impl Log {
    pub fn all(&self) -> Vec<Asked> {
        self.0.lock().0.clone()
    }

    pub fn connections(&self) -> u32 {
        self.0.lock().1
    }
}

/// Starts a site; its port and what it is asked.
pub async fn site(say: impl Fn(&Asked) -> String + Send + Sync + 'static) -> (u16, Log) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (port, log, say) = (listener.local_addr().unwrap().port(), Log::default(), Arc::new(say));
    let remembered = log.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            log.0.lock().1 += 1;
            let (log, say) = (log.clone(), say.clone());
            tokio::spawn(async move { converse(stream, &log, &*say).await });
        }
    });
    (port, remembered)
}

async fn converse(mut stream: TcpStream, log: &Log, say: &(impl Fn(&Asked) -> String + ?Sized)) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?;
        let length = head
            .to_ascii_lowercase()
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap_or_default().parse().unwrap_or(0));
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let mut words = head.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let asked = Asked { method, path, body: String::from_utf8(body).ok()?, head: head.clone() };
        let said = say(&asked);
        log.0.lock().0.push(asked);
        stream.write_all(said.as_bytes()).await.ok()?;
        if said.contains("Connection: close") {
            return None;
        }
    }
}

/// An answer; header lines end in CRLF.
pub fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

pub fn page(body: &str) -> String {
    answer(200, "Content-Type: text/html; charset=utf-8\r\n", body)
}

pub fn json(body: &str) -> String {
    answer(200, "Content-Type: application/json\r\n", body)
}

pub fn nothing() -> String {
    answer(404, "Content-Type: text/plain\r\n", "no")
}

/// Looks at a site with both families.
pub async fn look(run: &Run, port: u16, depth: Depth) -> (Known, Vec<Outcome>) {
    testing::look(run, port, depth, async |look| {
        web::greet(look, Over::Clear).await;
        web::audit(look).await;
        product::audit(look).await;
    })
    .await
}

/// `W-02 finding` and the like, in order; a part of a check as `W-03/wado-rs pass`.
pub fn table(outcomes: &[Outcome]) -> Vec<String> {
    let facet = |outcome: &Outcome| match &outcome.facet {
        leadglass_exposure::finding::Facet::Part(name) => format!("/{name}"),
        leadglass_exposure::finding::Facet::Code(code) => format!("/{code}"),
        _ => String::new(),
    };
    outcomes.iter().map(|outcome| format!("{:?}{} {:?}", outcome.check, facet(outcome), outcome.state)).collect()
}

pub fn state(outcomes: &[Outcome], row: &str) -> State {
    let facet_of = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let at = table(outcomes).iter().position(|line| facet_of(line) == row);
    outcomes[at.unwrap_or_else(|| panic!("no {row} in {:?}", table(outcomes)))].state
}

pub fn outcome<'all>(outcomes: &'all [Outcome], check: &str) -> &'all Outcome {
    outcomes.iter().find(|outcome| outcome.check.id == check).unwrap()
}
