//! The DIMSE family (D): what an archive grants to a stranger who speaks DICOM.
//!
//! At most four associations to a port, one after the other: [`greet`] proposes every service
//! there is and, from depth 2 on, sends a C-ECHO; [`audit`] calls a made-up AE Title, sends the
//! canary queries, and calls under a made-up AE Title. What is accepted in negotiation is
//! *offered*; only the canary's status tells whether it is *served*. Two more only when the
//! owner opted in: a known AE Title from here (D-04) and an unknown user (D-13, depth 4).
//!
//! Deliberately absent: C-STORE, C-MOVE, C-GET, N-anything; any waiting for a banner; any
//! parsing of what a query returns.

mod accept;
mod command;
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod hostile;
mod judge;
mod query;
mod script;
mod services;
mod talk;
#[cfg(test)]
mod tests;

pub use accept::Accept;
pub use script::Reply;
pub use services::SERVICE_NAMES;
pub use talk::{Broken, Refusal};

use leadglass_dicom::AeTitle;

use crate::AUDIT_AE_TITLE;
use crate::catalogue::Depth;
use crate::net::{NotReached, Over};
use crate::probe::{Look, Speech};
use crate::scope::Asset;
use script::{Ask, Plan, play};

/// Ports on which DICOM is at home: PS3.8 §9.1.2, IANA, and what products choose.
pub const DICOM_PORTS: &[u16] = &[104, 2345, 2761, 2762, 4242, 11112];

/// What the family knows of a port.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What answered in clear, when it was tried.
    pub clear: Option<Greeting>,
    /// What answered behind TLS, when it was tried.
    pub tls: Option<Greeting>,
    /// The answer to the C-ECHO of the first association that was accepted.
    pub echo: Option<Reply>,
    /// An A-ASSOCIATE-AC came over TLS although we never have a certificate (T-07, T-08).
    pub accepted_over_tls_without_certificate: bool,
    /// How the TLS connection ended before any DICOM answer. A server that wants a certificate
    /// ends so, but so does one that speaks something else: see also `Handshake::asked_for_certificate`.
    pub refused_over_tls: Option<RefusedOverTls>,
    /// Whether the pause for a congested target was already made.
    pub(crate) waited: bool,
}

/// How a TLS connection ended before any DICOM answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedOverTls {
    /// An alert with that description: 116 of TLS 1.3, 40 of TLS 1.2 when a certificate is demanded.
    Alert(u8),
    /// The end of the connection.
    Eof,
}

/// What came of an A-ASSOCIATE-RQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// A-ASSOCIATE-AC.
    Accepted(Accept),
    /// A-ASSOCIATE-RJ or A-ABORT: it speaks DICOM, but not to us.
    Refused(Refusal),
    /// Nothing that is strictly DICOM.
    Unanswered(Unanswered),
}

/// Why an A-ASSOCIATE-RQ has no DICOM answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// No connection.
    NotReached(NotReached),
    /// No TLS handshake; with the alert that said so.
    NoTls(Option<u8>),
    /// Another protocol, silence, or lies.
    Broken(Broken),
}

impl Greeting {
    /// Whether it is a DICOM answer, strictly recognised.
    pub fn is_dicom(&self) -> bool {
        !matches!(self, Greeting::Unanswered(_))
    }
}

/// The first association: every service proposed in one request, and a C-ECHO at depth 2. Says
/// whether the port speaks DICOM over that, and keeps in `known` what it told.
pub async fn greet(look: &mut Look<'_, '_>, over: Over) -> bool {
    if look.depth < Depth::Handshake {
        return false;
    }
    let asks = if look.depth < Depth::Canary { Vec::new() } else { vec![Ask::Echo] };
    let services = (0..services::SERVICES.len()).collect();
    let plan = Plan { called: called_ae(look.asset), calling: own_ae(), services, identity: false, asks };
    let heard = play(look, over, &plan).await;
    let speaks = heard.greeting.is_dicom();
    if speaks {
        let speech = if over == Over::Clear { &mut look.known.clear } else { &mut look.known.behind_tls };
        *speech = Some(Speech::Dicom);
    }
    let facts = look.known.dicom.get_or_insert_default();
    if let Greeting::Accepted(accept) = &heard.greeting {
        if facts.echo.is_none() {
            facts.echo = heard.replies.first().copied();
        }
        look.known.toolkit = accept.toolkit.or(look.known.toolkit);
        look.known.toolkit_version = accept.toolkit_version.or(look.known.toolkit_version);
        facts.accepted_over_tls_without_certificate |= over == Over::Tls;
    }
    match over {
        Over::Clear => facts.clear = Some(heard.greeting),
        Over::Tls => {
            facts.refused_over_tls = heard.greeting.refused_over_tls();
            facts.tls = Some(heard.greeting);
        }
    }
    speaks
}

/// All checks of the family, over what [`greet`] found DICOM to be spoken: in clear when it is
/// spoken both ways. Notes nothing of a port that was not greeted or speaks something else.
pub async fn audit(look: &mut Look<'_, '_>) {
    try_clear(look).await;
    let Some(facts) = look.known.dicom.clone() else { return };
    judge::clear_text(look, &facts);
    let clear = facts.clear.as_ref().filter(|greeting| greeting.is_dicom());
    let tls = facts.tls.as_ref().filter(|greeting| greeting.is_dicom());
    match (clear, tls) {
        (Some(Greeting::Accepted(accept)), _) => stranger(look, Over::Clear, accept, facts.echo).await,
        (_, Some(Greeting::Accepted(accept))) => stranger(look, Over::Tls, accept, facts.echo).await,
        (Some(greeting), _) => refused_stranger(look, Over::Clear, greeting).await,
        (None, Some(greeting)) => refused_stranger(look, Over::Tls, greeting).await,
        (None, None) if judge::keeps_strangers_out(look, &facts) => judge::all_refused_before(look),
        (None, None) => {}
    }
}

/// A port that was met behind TLS first is greeted in clear too: D-01 asks for it.
async fn try_clear(look: &mut Look<'_, '_>) {
    let Some(facts) = &look.known.dicom else { return };
    let behind_tls = look.known.behind_tls == Some(Speech::Dicom) || judge::keeps_strangers_out(look, facts);
    if facts.clear.is_none() && behind_tls && look.depth >= Depth::Canary {
        greet(look, Over::Clear).await;
    }
}

/// Everything that can be asked of a target that lets a stranger associate.
async fn stranger(look: &mut Look<'_, '_>, over: Over, accept: &Accept, echo: Option<Reply>) {
    judge::offered(look, accept, echo);
    let worklist = canaries(look, over, accept).await;
    judge::retrieve(look, accept);
    judge::query_offered(look, accept);
    judge::storage(look, accept);
    any_called(look, over, true).await;
    any_calling(look, over, worklist).await;
    known_calling(look, over).await;
    unknown_user(look, over).await;
}

/// What is left to ask of a target that refused the first association.
async fn refused_stranger(look: &mut Look<'_, '_>, over: Over, greeting: &Greeting) {
    judge::refused(look, greeting);
    if greeting.is_congested() {
        return;
    }
    any_called(look, over, false).await;
    if judge::calling_checked(look, greeting) {
        known_calling(look, over).await;
    } else {
        judge::known_calling_unasked(look);
    }
}

/// D-07, D-08 and D-09 in one association. Says whether the worklist is still to be asked,
/// because the association was aborted before it could be.
async fn canaries(look: &mut Look<'_, '_>, over: Over, accept: &Accept) -> bool {
    use crate::catalogue::dimse::{D_07, D_08, D_09};
    let may_find = look.may(&D_07);
    let may_worklist = look.may(&D_08);
    let may_count = look.may(&D_09);
    if !may_find || !may_worklist {
        return false;
    }
    let find = [services::STUDY_ROOT_FIND, services::PATIENT_ROOT_FIND, services::PATIENT_STUDY_ONLY_FIND];
    let find = find.into_iter().find(|place| accept.has(*place));
    let worklist = accept.has(services::WORKLIST_FIND).then_some(services::WORKLIST_FIND);
    let mut asks = Vec::new();
    if let Some(place) = find {
        look.announce(&D_07, AUDIT_AE_TITLE);
        asks.push(Ask::Canary(place, query::canary(place, &canary_uid(look, "D-07"))));
        asks.extend(may_count.then(|| Ask::Count(place, query::count(place))));
    }
    if let Some(place) = worklist {
        look.announce(&D_08, AUDIT_AE_TITLE);
        asks.push(Ask::Canary(place, worklist_query(look)));
    }
    let services: Vec<_> = find.into_iter().chain(worklist).collect();
    if asks.is_empty() {
        judge::searched(look, None, None, may_count);
        judge::worklist(look, None);
        return false;
    }
    let plan = Plan { called: called_ae(look.asset), calling: own_ae(), services, identity: false, asks };
    let heard = play(look, over, &plan).await;
    let mut replies = heard.replies.iter().copied();
    let found = find.and_then(|place| Some((place, replies.next()?)));
    let counted = find.filter(|_| may_count).and_then(|_| replies.next());
    judge::searched(look, found.map(|(place, reply)| (place, reply, &heard.greeting)), counted, may_count);
    let asked = worklist.and_then(|_| replies.next());
    match asked {
        Some(Reply::Unasked) if matches!(heard.greeting, Greeting::Accepted(_)) => return true,
        asked => judge::worklist(look, asked.map(|reply| (reply, &heard.greeting))),
    }
    false
}

/// D-02: an AE Title made up for this request is called.
async fn any_called(look: &mut Look<'_, '_>, over: Over, was_accepted: bool) {
    use crate::catalogue::dimse::D_02;
    if !look.may(&D_02) {
        return;
    }
    look.announce(&D_02, AUDIT_AE_TITLE);
    let called = look.line.run().key.random_ae(&purpose(look, "D-02"));
    let plan = Plan { called, calling: own_ae(), services: vec![0], identity: false, asks: Vec::new() };
    let heard = play(look, over, &plan).await;
    judge::association(look, &D_02, &heard.greeting, was_accepted, judge::CALLED_AE);
}

/// D-03: an AE Title made up for this request calls. Takes the worklist's canary along when it
/// could not be asked before.
async fn any_calling(look: &mut Look<'_, '_>, over: Over, with_worklist: bool) {
    use crate::catalogue::dimse::{D_03, D_08};
    if !look.may(&D_03) {
        return;
    }
    let calling = look.line.run().key.random_ae(&purpose(look, "D-03"));
    look.announce(&D_03, calling.as_str());
    let (mut services, mut asks) = (vec![services::VERIFICATION], Vec::new());
    if with_worklist {
        look.announce(&D_08, calling.as_str());
        services.push(services::WORKLIST_FIND);
        asks.push(Ask::Canary(services::WORKLIST_FIND, worklist_query(look)));
    }
    let plan = Plan { called: called_ae(look.asset), calling, services, identity: false, asks };
    let heard = play(look, over, &plan).await;
    judge::association(look, &D_03, &heard.greeting, true, judge::CALLING_AE);
    if let Some(reply) = heard.replies.first() {
        judge::worklist(look, Some((*reply, &heard.greeting)));
    }
}

/// D-04: a legitimate AE Title calls from here, when the owner named one for it.
async fn known_calling(look: &mut Look<'_, '_>, over: Over) {
    use crate::catalogue::dimse::D_04;
    let Some(calling) = look.asset.known_calling_ae.clone() else {
        judge::known_calling_unasked(look);
        return;
    };
    if !look.may(&D_04) {
        return;
    }
    look.announce(&D_04, calling.as_str());
    let plan = Plan { called: called_ae(look.asset), calling, services: vec![0], identity: false, asks: Vec::new() };
    let heard = play(look, over, &plan).await;
    judge::association(look, &D_04, &heard.greeting, true, judge::CALLING_AE);
}

/// D-13: a user that nobody has shows itself and asks for an answer.
async fn unknown_user(look: &mut Look<'_, '_>, over: Over) {
    use crate::catalogue::dimse::D_13;
    if !look.may(&D_13) {
        return;
    }
    look.announce(&D_13, AUDIT_AE_TITLE);
    let called = called_ae(look.asset);
    let plan = Plan { called, calling: own_ae(), services: vec![0], identity: true, asks: Vec::new() };
    let heard = play(look, over, &plan).await;
    judge::user_identity(look, &heard.greeting);
}

fn worklist_query(look: &Look<'_, '_>) -> Vec<u8> {
    let station = look.line.run().key.random_ae(&purpose(look, "D-08"));
    query::worklist_canary(&canary_uid(look, "D-08"), &station)
}

fn canary_uid(look: &Look<'_, '_>, check: &str) -> leadglass_dicom::Uid {
    look.line.run().key.canary_uid(&purpose(look, check))
}

/// Canaries differ for each check and port, and can be told again by whoever has the run's key.
fn purpose(look: &Look<'_, '_>, check: &str) -> String {
    format!("{check} {} {}", look.line.address(), look.port)
}

/// The AE Title that the owner gives, or what stands for "any application" in many products.
fn called_ae(asset: &Asset) -> AeTitle {
    #[expect(clippy::expect_used, reason = "seven characters without backslash")]
    asset.called_ae.clone().unwrap_or_else(|| AeTitle::parse("ANY-SCP").expect("an AE title"))
}

fn own_ae() -> AeTitle {
    #[expect(clippy::expect_used, reason = "fourteen capital letters")]
    AeTitle::parse(AUDIT_AE_TITLE).expect("our own AE title")
}
