//! An rsync daemon: lists its modules, and whether the first of them open without a password.
//! Nothing is transferred: the connection ends as soon as the daemon has said yes.

use super::talk::{Talk, Unanswered};
use super::{Answer, note_transport};
use crate::catalogue::network::N_08;
use crate::evidence::Fact;
use crate::finding::State;
use crate::net::{Line, Over};
use crate::probe::Look;

/// What this end says it is; old enough for every daemon.
const GREETING: &[u8] = b"@RSYNCD: 31.0\n";
/// Longest line.
const MAX_LINE: usize = 1024;
/// Most lines of a list or of a message of the day.
const MAX_LINES: usize = 1024;
/// Modules that are tried.
const TRIED: usize = 4;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>) -> Answer {
    let Some(listed) = list(look.line, look.port).await? else { return Ok(None) };
    let (mut tried, mut open) = (0, 0);
    for module in listed.names.iter().take(TRIED) {
        match select(look.line, look.port, module).await {
            Ok(is_open) => open += u64::from(is_open),
            Err(_) => continue,
        }
        tried += 1;
    }
    let state = match (open, tried, listed.count) {
        (1.., ..) => State::Finding,
        (0, 0, 1..) => State::Error,
        _ => State::Pass,
    };
    let outcome = note_transport(look, "rsync", state).with("modules", Fact::Count(listed.count));
    outcome.with("tried", Fact::Count(tried)).with("readable", Fact::Count(open));
    debug_assert!(outcome.check.id == N_08.id, "rsync is a file transport");
    Ok(Some(Over::Clear))
}

/// Whether these begin a daemon's greeting.
pub(super) fn is_greeting(bytes: &[u8]) -> bool {
    bytes.starts_with(b"@RSYNCD: ") && bytes.get(9).is_some_and(u8::is_ascii_digit)
}

/// Modules: how many, and the first names, for as long as this look takes.
#[derive(Default)]
struct Listed {
    count: u64,
    names: Vec<Vec<u8>>,
}

async fn list(line: &mut Line<'_>, port: u16) -> Result<Option<Listed>, Unanswered> {
    let Some(mut talk) = greet(line, port, b"#list").await? else { return Ok(None) };
    let mut listed = Listed::default();
    for _ in 0..MAX_LINES {
        let line = match talk.line(MAX_LINE).await {
            Ok(line) => line,
            // Some daemons hang up where they should say that they end.
            Err(Unanswered::Cut) => return Ok(Some(listed)),
            Err(error) => return Err(error),
        };
        if line.starts_with(b"@RSYNCD: EXIT") || line.starts_with(b"@ERROR") {
            return Ok(Some(listed));
        }
        // A module's line: its name padded with blanks, a tab, its comment. All else is the message of the day.
        let Some(tab) = line.iter().position(|byte| *byte == b'\t') else { continue };
        let name = line[..tab].trim_ascii();
        if name.is_empty() {
            continue;
        }
        listed.count += 1;
        if listed.names.len() < TRIED {
            listed.names.push(name.to_vec());
        }
    }
    Err(Unanswered::Babble)
}

/// Whether a module opens without a password.
async fn select(line: &mut Line<'_>, port: u16, module: &[u8]) -> Result<bool, Unanswered> {
    let Some(mut talk) = greet(line, port, module).await? else { return Err(Unanswered::Babble) };
    for _ in 0..MAX_LINES {
        let line = talk.line(MAX_LINE).await?;
        if line.starts_with(b"@RSYNCD: OK") {
            return Ok(true);
        }
        if line.starts_with(b"@RSYNCD: AUTHREQD") || line.starts_with(b"@ERROR") {
            return Ok(false);
        }
    }
    Err(Unanswered::Babble)
}

async fn greet<'line>(line: &'line mut Line<'_>, port: u16, asked: &[u8]) -> Result<Option<Talk<'line>>, Unanswered> {
    let request = [GREETING, asked, b"\n"].concat();
    let mut talk = Talk::begin(line, port, Over::Clear, &request).await?;
    let greeting = talk.line(MAX_LINE).await?;
    Ok(is_greeting(&greeting).then_some(talk))
}
