//! SMB: dialects, signing, and, when the owner opted in, whether nobody and Guest get a session
//! and read the shares that the scope names.
//!
//! Deliberately absent: a list of shares taken from the server, and opening any file.

mod frame;
mod md5;
mod ntlm;
mod session;

use super::talk::Unanswered;
use super::{Answer, Service, claim, may_log_in};
use crate::catalogue::Name;
use crate::catalogue::network::N_07;
use crate::evidence::Fact;
use crate::finding::{Facet, Outcome, Severity, State};
use crate::net::Over;
use crate::probe::Look;
use frame::Smb2;
use session::Who;

/// Shares of the scope that are tried.
const MOST_SHARES: usize = 16;
/// STATUS_ACCOUNT_LOCKED_OUT (MS-ERREF 2.3.1).
const ACCOUNT_LOCKED_OUT: u32 = 0xc000_0234;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>) -> Answer {
    let smb2 = frame::negotiate(look.line, look.port).await;
    if let Err(error) = &smb2
        && !error.is_of_the_other_end()
    {
        return smb2.map(|_| None);
    }
    let smb1 = frame::negotiate_smb1(look.line, look.port).await;
    let new = smb2.as_ref().ok().copied().flatten();
    let old = smb1.as_ref().ok().copied().flatten();
    if new.is_none() && old.is_none() {
        return smb2.map(|_| None);
    }
    note_smb1(look, &smb1, old.is_some());
    note_signing(look, new, old);
    audit_sessions(look, new.is_some()).await;
    Ok(Some(Over::Clear))
}

fn note_smb1(look: &mut Look<'_, '_>, asked: &Result<Option<bool>, Unanswered>, spoken: bool) {
    let state = match asked {
        _ if spoken => State::Finding,
        // A server without SMB 1 hangs up on it, or answers in SMB 2.
        Err(error) if !error.is_of_the_other_end() => State::Error,
        _ => State::Pass,
    };
    part(look, "smb1", state);
}

fn note_signing(look: &mut Look<'_, '_>, new: Option<Smb2>, old: Option<bool>) {
    let required = new.map_or(old == Some(true), |smb2| smb2.signing_required);
    let outcome = part(look, "signing", if required { State::Pass } else { State::Finding });
    outcome.with("signing-required", Fact::Flag(required));
    if let Some(smb2) = new {
        outcome.with("dialect", Fact::Code(u32::from(smb2.dialect)));
    }
}

async fn audit_sessions(look: &mut Look<'_, '_>, is_smb2: bool) {
    let shares: Vec<String> = look.asset.shares.iter().take(MOST_SHARES).cloned().collect();
    if !may_log_in(look) || !is_smb2 {
        // Nobody logs in to SMB 1: there is enough to mend already.
        let state = if is_smb2 { State::SkippedByPolicy } else { State::NotApplicable };
        part(look, "session", state);
        part(look, "shares", if shares.is_empty() { State::NotApplicable } else { state });
        return;
    }
    let (run, asset) = (look.line.run(), look.asset);
    let (mut granted, mut readable, mut refused, mut untold) = (Vec::new(), 0, None, None);
    for who in [Who::Nobody, Who::Guest] {
        if let Err(state) = claim(run, asset, who.account()).await {
            untold = Some(state);
            continue;
        }
        match session::open(look.line, look.port, who, &shares).await {
            Ok(session) if session.granted => {
                granted.push(who.name());
                readable = session.readable.max(readable);
            }
            Ok(session) => {
                if session.status == ACCOUNT_LOCKED_OUT {
                    run.tries.close(&run.scope, asset);
                }
                refused = Some(session.status);
            }
            Err(error) => {
                run.tries.close(&run.scope, asset);
                untold = Some(error.state());
            }
        }
    }
    let state = match (&granted[..], refused, untold) {
        ([_, ..], ..) => State::Finding,
        ([], _, Some(state)) => state,
        ([], Some(_), None) => State::Pass,
        ([], None, None) => State::Error,
    };
    let has_session = !granted.is_empty();
    let outcome = part(look, "session", state);
    if has_session {
        outcome.severity(Severity::High).with("session-kind", Fact::Names(granted));
    }
    if let Some(status) = refused {
        outcome.with("status", Fact::Code(status));
    }
    note_shares(look, state, shares.len(), readable);
}

fn note_shares(look: &mut Look<'_, '_>, session: State, named: usize, readable: u64) {
    let state = match (named, readable, session) {
        (0, ..) => State::NotApplicable,
        (_, 1.., _) => State::Finding,
        (_, 0, State::Finding | State::Pass) => State::Pass,
        (_, 0, state) => state,
    };
    let outcome = part(look, "shares", state);
    if state == State::Finding {
        outcome.severity(Severity::Critical);
    }
    outcome.with("tried", Fact::Count(named as u64)).with("readable", Fact::Count(readable));
}

fn part<'look>(look: &'look mut Look<'_, '_>, part: &'static str, state: State) -> &'look mut Outcome {
    let outcome = look.notes.note(&N_07, state).facet(Facet::Part(Name::fixed(part)));
    outcome.with("service", Fact::Known(Service::Smb.name()))
}
