//! What was heard, as outcomes: each check of the family in exactly one state.
//!
//! Nothing here sends. A refusal of a stranger is a pass where it answers the question, and
//! refused-before where the question could not be asked behind it.

use super::accept::Accept;
use super::script::{COUNT_TO, Reply};
use super::services::{Kind, SERVICES, VERIFICATION};
use super::talk::{Broken, Refusal};
use super::{DICOM_PORTS, Facts, Greeting, Unanswered};
use crate::catalogue::dimse::{
    CHECKS, D_01, D_02, D_03, D_04, D_05, D_06, D_07, D_08, D_09, D_10, D_11, D_12, D_13, D_14,
};
use crate::catalogue::{Check, Name};
use crate::evidence::{Bucket, Fact};
use crate::finding::{Confidence, Outcome, Severity, State};
use crate::net::NotReached;
use crate::probe::{Look, Speech};

/// Reason of a rejection by the application (source 1): the called AE Title, PS3.8 Table 9-21.
pub(super) const CALLED_AE: u8 = 7;
/// The calling AE Title.
pub(super) const CALLING_AE: u8 = 3;

/// D-01: any DICOM answer without TLS is a finding; a port that speaks it behind TLS alone passes.
pub(super) fn clear_text(look: &mut Look<'_, '_>, facts: &Facts) {
    let behind_tls = look.known.behind_tls == Some(Speech::Dicom) || keeps_strangers_out(look, facts);
    let state = match &facts.clear {
        Some(greeting) if greeting.is_dicom() => State::Finding,
        Some(Greeting::Unanswered(Unanswered::NotReached(why))) if behind_tls => unreached(*why),
        Some(_) if behind_tls => State::Pass,
        None if behind_tls => State::SkippedByPolicy,
        Some(Greeting::Unanswered(Unanswered::Broken(Broken::Lied))) if !speaks_otherwise(look) => State::Error,
        Some(Greeting::Unanswered(Unanswered::Broken(Broken::Silent))) if is_home(look) && !speaks_otherwise(look) => {
            State::Error
        }
        Some(Greeting::Unanswered(Unanswered::Broken(_))) if is_home(look) => State::NotApplicable,
        _ => return,
    };
    let dedicated = look.asset.dedicated_vlan;
    let outcome = look.notes.note(&D_01, state);
    if let (State::Finding, Some(greeting)) = (state, &facts.clear) {
        with_answer(outcome, greeting);
        if dedicated {
            outcome.severity(Severity::Medium);
        }
    }
}

/// Whether it is likely a DICOM port that wants a certificate of whoever comes: a home of DICOM,
/// TLS, and the door shut before a word was said.
pub(super) fn keeps_strangers_out(look: &Look<'_, '_>, facts: &Facts) -> bool {
    facts.refused_over_tls.is_some() && is_home(look) && !speaks_otherwise(look)
}

fn speaks_otherwise(look: &Look<'_, '_>) -> bool {
    let known = |speech: Option<Speech>| matches!(speech, Some(Speech::Http | Speech::Other(_)));
    known(look.known.clear) || known(look.known.behind_tls)
}

/// Whether DICOM is to be expected: a usual port, or one that the owner lists for an AE Title.
fn is_home(look: &Look<'_, '_>) -> bool {
    DICOM_PORTS.contains(&look.port) || (look.asset.called_ae.is_some() && look.asset.ports.contains(&look.port))
}

/// A target that shut the door before any association: nothing can be told but that.
pub(super) fn all_refused_before(look: &mut Look<'_, '_>) {
    for check in CHECKS.iter().filter(|check| ![D_01.id, D_04.id].contains(&check.id)) {
        note_if_may(look, check, State::RefusedBefore);
    }
    known_calling_unasked(look);
}

/// A target that speaks DICOM and refused the first association. D-02, D-03 and D-04 are noted
/// by who asks for them, unless it is too busy to be asked at all.
pub(super) fn refused(look: &mut Look<'_, '_>, greeting: &Greeting) {
    let busy = greeting.is_congested();
    let state = if busy { State::Error } else { State::RefusedBefore };
    let asked_apart = [D_02.id, D_03.id, D_04.id];
    for check in CHECKS.iter().filter(|check| check.id != D_01.id && (busy || !asked_apart.contains(&check.id))) {
        note_if_may(look, check, state);
    }
}

/// D-03 of a target that refused our own AE Title: it says whether that was why. Says whether
/// another calling AE Title may be worth a try.
pub(super) fn calling_checked(look: &mut Look<'_, '_>, greeting: &Greeting) -> bool {
    let reason = match greeting {
        Greeting::Refused(Refusal::Rejected { source: 1, reason, .. }) => Some(*reason),
        _ => None,
    };
    if look.may(&D_03) {
        let state = if reason == Some(CALLING_AE) { State::Pass } else { State::RefusedBefore };
        with_answer(look.notes.note(&D_03, state), greeting);
    }
    reason != Some(CALLED_AE)
}

/// D-04 when the owner did not opt in, or the target lets nobody near enough.
pub(super) fn known_calling_unasked(look: &mut Look<'_, '_>) {
    match look.asset.known_calling_ae {
        Some(_) => note_if_may(look, &D_04, State::RefusedBefore),
        None => {
            look.notes.note(&D_04, State::SkippedByPolicy);
        }
    }
}

/// D-05, D-12 and D-14, from the first association.
pub(super) fn offered(look: &mut Look<'_, '_>, accept: &Accept, echo: Option<Reply>) {
    if look.may(&D_05) {
        let state = match echo {
            Some(Reply::Status(0)) => State::Finding,
            Some(Reply::Status(_) | Reply::Refused(_)) => State::Pass,
            _ if !accept.has(VERIFICATION) => State::Pass,
            _ => State::Error,
        };
        with_reply(look.notes.note(&D_05, state), echo.unwrap_or(Reply::Unasked));
    }
    let others = accept.offered(&[Kind::Other]);
    let outcome = found_or_passed(look, &D_12, !others.is_empty());
    outcome.with("offered", Fact::Names(others));
    if outcome.is_finding() {
        outcome.confidence(Confidence::Offered);
    }
    let unlimited = accept.max_pdu_bytes.unwrap_or(0) == 0;
    let outcome = found_or_passed(look, &D_14, unlimited);
    outcome.with("max-pdu-bytes", Fact::Bytes(accept.max_pdu_bytes.unwrap_or(0).into()));
    if let Some((invoked, performed)) = accept.operations {
        outcome.with("operations-invoked", Fact::Count(invoked.into()));
        outcome.with("operations-performed", Fact::Count(performed.into()));
    }
}

/// D-07 and D-09: what the canary met, none when no context to ask on was accepted, and what
/// was counted.
pub(super) fn searched(
    look: &mut Look<'_, '_>,
    asked: Option<(usize, Reply, &Greeting)>,
    counted: Option<Reply>,
    may_count: bool,
) {
    let state = served(look, &D_07, asked.map(|(_, reply, greeting)| (reply, greeting)), asked.map(|asked| asked.0));
    if may_count {
        count(look, state, asked.map(|asked| asked.1), counted);
    }
}

/// D-08: what the worklist's canary met, none when no context to ask on was accepted.
pub(super) fn worklist(look: &mut Look<'_, '_>, asked: Option<(Reply, &Greeting)>) {
    served(look, &D_08, asked, None);
}

fn served(
    look: &mut Look<'_, '_>,
    check: &'static Check,
    asked: Option<(Reply, &Greeting)>,
    place: Option<usize>,
) -> State {
    let state = asked.map_or(State::Pass, |(reply, greeting)| canary_state(reply, greeting));
    look.known.open |= state == State::Finding;
    let outcome = look.notes.note(check, state);
    match asked {
        None | Some((Reply::NotOffered, _)) => {
            outcome.with("offered", Fact::Names(Vec::new()));
        }
        Some((reply, _)) => with_reply(outcome, reply),
    }
    match asked {
        Some((Reply::Status(0), _)) => {
            outcome.with("pending", Fact::Count(0)).with("identifier-bytes", Fact::Bytes(0));
        }
        Some((Reply::Matched(_), _)) => {
            outcome.with("pending", Fact::Count(1));
        }
        _ => {}
    }
    if let Some(service) = place.and_then(|place| SERVICES.get(place)) {
        outcome.with("information-model", Fact::Known(Name::fixed(service.name)));
    }
    state
}

/// Served, refused, or no telling. Refused is an A-ABORT, a status that says so (PS3.7 C.4,
/// PS3.4 C.4.1.1.4: 0118, 0122, 0124, 0211, Axxx), or no context.
fn canary_state(reply: Reply, greeting: &Greeting) -> State {
    match reply {
        Reply::Status(0) | Reply::Matched(_) => State::Finding,
        Reply::Status(0x0118 | 0x0122 | 0x0124 | 0x0211 | 0xA000..=0xAFFF) => State::Pass,
        Reply::Refused(_) | Reply::NotOffered => State::Pass,
        Reply::Unasked => match greeting {
            greeting if greeting.is_congested() => State::Error,
            Greeting::Refused(_) => State::RefusedBefore,
            Greeting::Unanswered(why) => unanswered(*why),
            Greeting::Accepted(_) => State::Error,
        },
        Reply::Status(_) | Reply::Broken(_) | Reply::Counted(_) | Reply::CountedAtLeast(_) => State::Error,
    }
}

/// D-09: how many, when the canary was served as the protocol demands.
fn count(look: &mut Look<'_, '_>, searched: State, canary: Option<Reply>, counted: Option<Reply>) {
    let state = match (searched, canary, counted) {
        (State::Finding, Some(Reply::Status(0)), Some(Reply::Counted(0))) => State::Pass,
        (State::Finding, Some(Reply::Status(0)), Some(Reply::Counted(_) | Reply::CountedAtLeast(_))) => State::Finding,
        (State::Finding, Some(Reply::Status(0)), Some(Reply::Refused(_))) => State::RefusedBefore,
        (State::Finding, ..) | (State::Error, ..) => State::Error,
        (State::SkippedByPolicy | State::RefusedBefore, ..) => searched,
        (State::Pass | State::NotApplicable, ..) => State::NotApplicable,
    };
    let outcome = look.notes.note(&D_09, state);
    match counted {
        Some(Reply::Counted(studies)) => {
            outcome.with("studies", Fact::Bucket(Bucket::of(studies)));
        }
        Some(Reply::CountedAtLeast(_)) => {
            outcome.with("studies-at-least", Fact::Count(COUNT_TO));
        }
        Some(reply) => with_reply(outcome, reply),
        None => {}
    }
}

/// D-06: worse than good to know when no canary could tell whether it is served.
pub(super) fn query_offered(look: &mut Look<'_, '_>, accept: &Accept) {
    let names = accept.offered(&[Kind::Query, Kind::Worklist, Kind::Retrieve]);
    let untold = matches!(searched_state(look), Some(State::SkippedByPolicy | State::Error | State::RefusedBefore));
    let outcome = found_or_passed(look, &D_06, !names.is_empty());
    outcome.with("offered", Fact::Names(names));
    if outcome.is_finding() && untold {
        outcome.severity(Severity::Medium);
    }
}

/// D-10: retrieve is asked of nobody; who may search, and is offered it, will get it.
pub(super) fn retrieve(look: &mut Look<'_, '_>, accept: &Accept) {
    let names = accept.offered(&[Kind::Retrieve]);
    let state = match searched_state(look) {
        _ if names.is_empty() => State::Pass,
        Some(State::Finding) => State::Finding,
        // Refused to search: whether it would be refused to retrieve, nobody may try.
        Some(State::Pass) | None => State::RefusedBefore,
        Some(state) => state,
    };
    let outcome = look.notes.note(&D_10, state);
    outcome.with("offered", Fact::Names(names)).with("role-accepted", Fact::Flag(accept.role_accepted));
    if state == State::Finding {
        outcome.confidence(Confidence::Offered);
    }
}

/// D-11: sure only where searching is open too.
pub(super) fn storage(look: &mut Look<'_, '_>, accept: &Accept) {
    let names = accept.offered(&[Kind::Storage]);
    let open = searched_state(look) == Some(State::Finding);
    let outcome = found_or_passed(look, &D_11, !names.is_empty());
    outcome.with("storage-classes", Fact::Count(names.len() as u64)).with("offered", Fact::Names(names));
    if outcome.is_finding() && !open {
        outcome.confidence(Confidence::Offered);
    }
}

fn searched_state(look: &Look<'_, '_>) -> Option<State> {
    look.notes.of(&D_07).next().map(|outcome| outcome.state)
}

/// D-02, D-03, D-04: accepted is a finding. A rejection answers when it gives the reason that
/// was asked for, or when a like association was accepted before.
pub(super) fn association(
    look: &mut Look<'_, '_>,
    check: &'static Check,
    greeting: &Greeting,
    was_accepted: bool,
    asked_for: u8,
) {
    let state = match greeting {
        Greeting::Accepted(_) => State::Finding,
        Greeting::Refused(_) if greeting.is_congested() => State::Error,
        Greeting::Refused(Refusal::Rejected { source: 1, reason, .. }) if *reason == asked_for => State::Pass,
        Greeting::Refused(_) if was_accepted => State::Pass,
        Greeting::Refused(_) => State::RefusedBefore,
        Greeting::Unanswered(why) => unanswered(*why),
    };
    with_answer(look.notes.note(check, state), greeting);
}

/// D-13: no answer to the identity means that it was not looked at (PS3.7 D.3.3.7).
pub(super) fn user_identity(look: &mut Look<'_, '_>, greeting: &Greeting) {
    let state = match greeting {
        Greeting::Accepted(accept) if accept.identity_answered => State::Pass,
        Greeting::Accepted(_) => State::Finding,
        Greeting::Refused(_) if greeting.is_congested() => State::Error,
        Greeting::Refused(_) => State::Pass,
        Greeting::Unanswered(why) => unanswered(*why),
    };
    let outcome = look.notes.note(&D_13, state);
    with_answer(outcome, greeting);
    if let Greeting::Accepted(accept) = greeting {
        outcome.with("identity-answered", Fact::Flag(accept.identity_answered));
    }
}

fn found_or_passed<'notes>(look: &'notes mut Look<'_, '_>, check: &'static Check, found: bool) -> &'notes mut Outcome {
    look.notes.note(check, if found { State::Finding } else { State::Pass })
}

fn note_if_may(look: &mut Look<'_, '_>, check: &'static Check, state: State) {
    if look.may(check) {
        look.notes.note(check, state);
    }
}

fn unanswered(why: Unanswered) -> State {
    match why {
        Unanswered::NotReached(why) => unreached(why),
        Unanswered::NoTls(_) | Unanswered::Broken(_) => State::Error,
    }
}

/// Our own reasons not to connect are no fault of the target.
fn unreached(why: NotReached) -> State {
    match why {
        NotReached::NotPermitted(_) | NotReached::Stopped | NotReached::LeftAlone => State::SkippedByPolicy,
        NotReached::Refused | NotReached::TimedOut | NotReached::Unreachable => State::Error,
    }
}

/// The answer to an A-ASSOCIATE-RQ, in the protocol's numbers.
fn with_answer(outcome: &mut Outcome, greeting: &Greeting) {
    match greeting {
        Greeting::Accepted(_) => {
            outcome.with("pdu-type", Fact::Code(2));
        }
        Greeting::Refused(Refusal::Rejected { result, source, reason }) => {
            outcome.with("pdu-type", Fact::Code(3)).with("result", Fact::Code((*result).into()));
            outcome.with("source", Fact::Code((*source).into())).with("reason", Fact::Code((*reason).into()));
        }
        Greeting::Refused(Refusal::Aborted { source, reason }) => {
            outcome.with("pdu-type", Fact::Code(7)).with("abort-source", Fact::Code((*source).into()));
            outcome.with("abort-reason", Fact::Code((*reason).into()));
        }
        Greeting::Unanswered(_) => {}
    }
}

/// The answer to a request, in the protocol's numbers.
fn with_reply(outcome: &mut Outcome, reply: Reply) {
    match reply {
        Reply::Status(status) | Reply::Matched(status) => {
            outcome.with("status", Fact::Code(status.into()));
        }
        Reply::Refused(Refusal::Aborted { source, reason }) => {
            outcome.with("abort-source", Fact::Code(source.into())).with("abort-reason", Fact::Code(reason.into()));
        }
        _ => {}
    }
}
