//! A server on loopback that says the fuzzer's bytes, and what must be true of a look at it.

use std::fmt::Debug;
use std::time::Duration;

use leadglass_exposure::catalogue::Depth;
use leadglass_exposure::finding::Outcome;
use leadglass_exposure::probe::{Known, Look};
use leadglass_exposure::run::{Limits, Run};
use leadglass_exposure::scope::CredentialOptIn;
use leadglass_exposure::testing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// More is not said in one look.
const MOST_TURNS: usize = 24;
/// Whoever says nothing for so long wants to hear more.
const PATIENCE: Duration = Duration::from_millis(2);
/// Names of [`testing::PLANTED`] that are no numbers: a counter may come to any number.
const NAMES: [&str; 3] = [testing::PLANTED[0], testing::PLANTED[1], testing::PLANTED[3]];

/// One thing to say, and whether to hang up then.
struct Turn<'a>(&'a [u8], bool);

/// Looks at a server that speaks along a script: two bytes of length with the highest bit for
/// hanging up, then what is said; again and again. It speaks when it was spoken to.
pub fn look(script: &[u8], at: impl AsyncFnOnce(&mut Look<'_, '_>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (known, outcomes) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let run = run();
        tokio::select! {
            looked = testing::look(&run, port, Depth::Credentials, at) => looked,
            () = serve(listener, script) => unreachable!("it serves until nobody looks"),
        }
    });
    judge(&known, &outcomes);
}

/// Of each check one outcome a facet, and no name anywhere.
fn judge(known: &Known, outcomes: &[Outcome]) {
    for pair in outcomes.windows(2) {
        let same = (pair[0].check.id, &pair[0].facet) == (pair[1].check.id, &pair[1].facet);
        assert!(!same, "two states of {} {:?}", pair[0].check.id, pair[0].facet);
    }
    let written = serde_json::to_string(outcomes).unwrap();
    let remembered = debugged(known);
    for name in NAMES {
        assert!(!written.contains(name), "{name} came out");
        assert!(!remembered.contains(name), "{name} is remembered");
    }
}

fn debugged(known: &impl Debug) -> String {
    format!("{known:?}")
}

async fn serve(listener: TcpListener, script: &[u8]) {
    let mut turns = turns(script);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        converse(stream, &mut turns).await;
    }
}

async fn converse(mut stream: TcpStream, turns: &mut impl Iterator<Item = Turn<'_>>) {
    let mut heard = [0; 4096];
    loop {
        match timeout(PATIENCE, stream.read(&mut heard)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(_)) | Err(_) => {}
        }
        let Some(Turn(said, hangs_up)) = turns.next() else { break };
        if stream.write_all(said).await.is_err() {
            return;
        }
        if hangs_up {
            break;
        }
    }
    // No reset before everything was heard.
    let _ = stream.shutdown().await;
    while stream.read(&mut heard).await.is_ok_and(|read| read > 0) {}
}

fn turns(mut script: &[u8]) -> impl Iterator<Item = Turn<'_>> {
    let next = move || {
        let ([high, low], rest) = script.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes([high & 0x7f, *low])).min(rest.len());
        let (said, rest) = rest.split_at(length);
        script = rest;
        Some(Turn(said, high & 0x80 != 0))
    };
    std::iter::from_fn(next).take(MOST_TURNS)
}

fn run() -> Run {
    let mut scope = testing::scope();
    scope.credentials = Some(CredentialOptIn { try_blank: true, try_default: true, lockout: 10 });
    let limits = Limits {
        conversation: Duration::from_millis(60),
        spacing: Duration::ZERO,
        between_log_ins: Duration::ZERO,
        congestion: Duration::ZERO,
        ..Limits::default()
    };
    Run { limits, ..testing::run(scope) }
}
