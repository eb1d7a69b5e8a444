//! FTP: whether it offers TLS (RFC 4217), and, when the owner opted in, whether it lets in
//! whoever calls himself anonymous.
//!
//! Deliberately absent: data connections. What is there is counted from `STAT` (RFC 959 §4.1.3),
//! which answers on the control connection.

use super::talk::{Talk, Unanswered};
use super::{Answer, Service, claim, may_log_in};
use crate::catalogue::Name;
use crate::catalogue::network::{N_04, N_05};
use crate::evidence::Fact;
use crate::finding::State;
use crate::net::{Line, Over};
use crate::probe::Look;
use crate::tries::Account;

/// Longest line of a reply.
const MAX_LINE: usize = 1024;
/// Most lines of one reply: what is beyond is not counted.
const MAX_LINES: usize = 2048;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>, over: Over) -> Answer {
    let Some(tls) = ask_for_tls(look.line, look.port, over).await? else { return Ok(None) };
    let state = match tls {
        Tls::Offered => State::Pass,
        Tls::NotOffered(_) => State::Finding,
        Tls::Closed(_) => State::RefusedBefore,
    };
    let outcome = look.notes.note(&N_04, state).with("service", Fact::Known(Service::Ftp.name()));
    match tls {
        Tls::Offered => outcome.with("tls", Fact::Flag(true)),
        Tls::NotOffered(code) => outcome.with("tls", Fact::Flag(false)).with("status", Fact::Code(code)),
        Tls::Closed(code) => outcome.with("status", Fact::Code(code)),
    };
    audit_anonymous(look, over).await;
    Ok(Some(over))
}

/// Whether these begin the greeting of an FTP server: 220, and a word that tells it from SMTP.
pub(super) fn is_greeting(bytes: &[u8]) -> bool {
    bytes.starts_with(b"220") && super::talk::holds(bytes, b"ftp")
}

async fn audit_anonymous(look: &mut Look<'_, '_>, over: Over) {
    if !may_log_in(look) {
        look.notes.note(&N_05, State::SkippedByPolicy);
        return;
    }
    let (run, asset) = (look.line.run(), look.asset);
    if let Err(state) = claim(run, asset, Account::Nobody(Name::fixed("anonymous"))).await {
        look.notes.note(&N_05, state);
        return;
    }
    let logged_in = log_in(look.line, look.port, over).await;
    if matches!(logged_in, Err(_) | Ok(Login::Refused(400..=499))) {
        // Too many, or another answer than a refusal.
        run.tries.close(&run.scope, asset);
    }
    match logged_in {
        Ok(Login::Granted(found)) => {
            let outcome = look.notes.finding(&N_05).with("status", Fact::Code(230));
            if let Some(found) = found {
                outcome.with("entries", Fact::Count(found.entries));
                outcome.with("dicom-entries", Fact::Count(found.dicom));
            }
        }
        Ok(Login::Refused(code)) => {
            look.notes.pass(&N_05).with("status", Fact::Code(code));
        }
        Err(error) => {
            look.notes.note(&N_05, error.state());
        }
    }
}

#[derive(Clone, Copy)]
enum Tls {
    Offered,
    NotOffered(u32),
    /// The server greets with a refusal.
    Closed(u32),
}

async fn ask_for_tls(line: &mut Line<'_>, port: u16, over: Over) -> Result<Option<Tls>, Unanswered> {
    let mut talk = Talk::open(line, port, over).await?;
    let Some(greeting) = reply(&mut talk, |_| {}).await? else { return Ok(None) };
    match greeting {
        220 if over == Over::Tls => return Ok(Some(Tls::Offered)),
        220 => {}
        421 | 500..=599 => return Ok(Some(Tls::Closed(greeting))),
        _ => return Ok(None),
    }
    talk.send(b"AUTH TLS\r\n").await?;
    let Some(answer) = reply(&mut talk, |_| {}).await? else { return Ok(None) };
    Ok(Some(if answer == 234 { Tls::Offered } else { Tls::NotOffered(answer) }))
}

enum Login {
    Granted(Option<Found>),
    Refused(u32),
}

#[derive(Default)]
struct Found {
    entries: u64,
    dicom: u64,
}

async fn log_in(line: &mut Line<'_>, port: u16, over: Over) -> Result<Login, Unanswered> {
    let mut talk = Talk::open(line, port, over).await?;
    let mut code = reply(&mut talk, |_| {}).await?.unwrap_or(0);
    for command in [b"USER anonymous\r\n".as_slice(), b"PASS audit@audit.invalid\r\n"] {
        if code != 220 && code != 331 {
            break;
        }
        talk.send(command).await?;
        code = reply(&mut talk, |_| {}).await?.unwrap_or(0);
    }
    match code {
        230 => {}
        400..600 => return Ok(Login::Refused(code)),
        _ => return Err(Unanswered::Babble),
    }
    talk.send(b"STAT .\r\n").await?;
    let mut found = Found::default();
    let listed = reply(&mut talk, |line| found.count(line)).await;
    let listed = matches!(listed, Ok(Some(211..=213)));
    // Logged in, logged out; whether the farewell arrives is nobody's matter.
    let _ = talk.send(b"QUIT\r\n").await;
    Ok(Login::Granted(listed.then_some(found)))
}

impl Found {
    /// Counts a line of a listing in the manner of `ls -l`: a file, and whether its name looks
    /// like DICOM's.
    fn count(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        let name = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        let is_entry = matches!(line.first(), Some(b'-' | b'd' | b'l')) && line.len() > 10;
        if !is_entry || name == b"." || name == b".." {
            return;
        }
        self.entries += 1;
        let extension = name.len().checked_sub(4).map(|at| &name[at..]);
        let is_dicom = extension.is_some_and(|extension| extension.eq_ignore_ascii_case(b".dcm"));
        self.dicom += u64::from(is_dicom || name.eq_ignore_ascii_case(b"DICOMDIR"));
    }
}

/// Reads a reply of one or more lines (RFC 959 §4.2), showing the lines between the first and
/// the last to whoever counts them. `None` when it is not a reply.
async fn reply(talk: &mut Talk<'_>, mut between: impl FnMut(&[u8])) -> Result<Option<u32>, Unanswered> {
    let first = talk.line(MAX_LINE).await?;
    let Some((code, last)) = code(&first) else { return Ok(None) };
    if last {
        return Ok(Some(code));
    }
    for _ in 0..MAX_LINES {
        let line = talk.line(MAX_LINE).await?;
        if self::code(&line) == Some((code, true)) {
            return Ok(Some(code));
        }
        between(&line);
    }
    Err(Unanswered::Babble)
}

/// The code that a line begins with, and whether the reply ends with it.
fn code(line: &[u8]) -> Option<(u32, bool)> {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let code = digits.iter().fold(0, |code, digit| code * 10 + u32::from(digit - b'0'));
    let last = line.get(3) != Some(&b'-');
    (100..600).contains(&code).then_some((code, last))
}
