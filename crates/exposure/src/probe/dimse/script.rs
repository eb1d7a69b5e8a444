//! One association from connect to release: what is proposed, what is asked, what was heard.

use leadglass_dicom::{AeTitle, Uid};
use leadglass_dimse::message::{CCancelRequest, CEchoRequest, CFindRequest, CommandSet, Priority};
use leadglass_dimse::negotiation::{AssociateRequest, ProposedContext, RoleSelection, UserIdentityItem};
use leadglass_dimse::pdu::associate::encode_request;

use super::accept::Accept;
use super::services::{Kind, SERVICES, VERIFICATION, context_id};
use super::talk::{Broken, Refusal, Stopped, Talk, alert_in};
use super::{Greeting, RefusedOverTls, Unanswered};
use crate::net::{self, NotOpened, Over};
use crate::probe::Look;
use crate::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

/// Implicit VR little endian: the one transfer syntax that every DICOM application has (PS3.5 10.1).
const IMPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
/// Longest PDU that we ask to be sent.
const ASKED_PDU_BYTES: u32 = 16 * 1024;
/// How many answers are counted; then the query is cancelled.
pub(super) const COUNT_TO: u64 = 100;
/// How many answers are let pass; then the association is aborted.
const COUNT_LET: u64 = COUNT_TO + 50;

/// An association to be.
pub(super) struct Plan {
    pub(super) called: AeTitle,
    pub(super) calling: AeTitle,
    /// Places in the table of services.
    pub(super) services: Vec<usize>,
    /// Whether to show a user that nobody has, and to ask for an answer (58H).
    pub(super) identity: bool,
    /// In this order, until the association ends.
    pub(super) asks: Vec<Ask>,
}

/// A request on an association.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// C-ECHO.
    Echo,
    /// C-FIND that can match nothing.
    Canary(usize, Vec<u8>),
    /// C-FIND whose answers are counted; only after a canary that was served.
    Count(usize, Vec<u8>),
}

/// What an [`Ask`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The association ended before it was asked, or what came before forbids it.
    Unasked,
    /// The context was not accepted.
    NotOffered,
    /// The final status; nothing came before it.
    Status(u16),
    /// The canary was answered with matches, with this status: cancelled and aborted, unread.
    Matched(u16),
    /// That many answers.
    Counted(u64),
    /// At least that many answers; the rest was cancelled.
    CountedAtLeast(u64),
    /// Refused by A-ABORT.
    Refused(Refusal),
    /// No answer of the protocol.
    Broken(Broken),
}

/// What came of a plan.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) greeting: Greeting,
    /// One for each ask.
    pub(super) replies: Vec<Reply>,
}

/// Plays a plan. When the target is congested (source 3), waits once for each port and tries again.
pub(super) async fn play(look: &mut Look<'_, '_>, over: Over, plan: &Plan) -> Heard {
    let heard = play_once(look, over, plan).await;
    let facts = look.known.dicom.get_or_insert_default();
    if !heard.greeting.is_congested() || facts.waited {
        return heard;
    }
    facts.waited = true;
    let run = look.line.run();
    tokio::select! {
        () = tokio::time::sleep(run.limits.congestion) => play_once(look, over, plan).await,
        () = run.stop.cancelled() => heard,
    }
}

async fn play_once(look: &mut Look<'_, '_>, over: Over, plan: &Plan) -> Heard {
    let patience = look.line.run().limits.connect;
    let mut replies = vec![Reply::Unasked; plan.asks.len()];
    let opened = net::open(look.line, look.port, over, look.asset.tls_name.as_deref(), &[]).await;
    let mut talk = match opened {
        Ok((stream, _)) => Talk::over(stream),
        Err(error) => return Heard { greeting: Greeting::Unanswered(unopened(error)), replies },
    };
    let accept = match shake(&mut talk, plan).await {
        Ok(accept) => accept,
        Err(Stopped::Refused(refusal)) => return Heard { greeting: Greeting::Refused(refusal), replies },
        Err(Stopped::Broken(broken)) => {
            return Heard { greeting: Greeting::Unanswered(Unanswered::Broken(broken)), replies };
        }
    };
    if ask_all(&mut talk, &accept, &plan.asks, &mut replies).await {
        talk.release(patience).await;
    } else {
        talk.abort().await;
    }
    Heard { greeting: Greeting::Accepted(accept), replies }
}

/// The request goes out with the connection: a server may take nobody else while it waits for it.
async fn shake(talk: &mut Talk<'_>, plan: &Plan) -> Result<Accept, Stopped> {
    #[expect(clippy::expect_used, reason = "contexts of our own table: odd, different, few")]
    let request = encode_request(&request(plan)).expect("the table of services fits into a request");
    talk.send(&request).await?;
    talk.answer().await
}

fn request(plan: &Plan) -> AssociateRequest {
    let mut request = AssociateRequest::new(plan.calling.clone(), plan.called.clone());
    request.implementation_class = Uid::parse(IMPLEMENTATION_CLASS_UID).ok();
    request.implementation_version = Some(IMPLEMENTATION_VERSION_NAME.to_owned());
    request.max_pdu_bytes = ASKED_PDU_BYTES;
    let syntax = Uid::parse(IMPLICIT_LITTLE_ENDIAN).ok();
    for place in &plan.services {
        let Some((service, syntax)) = SERVICES.get(*place).zip(syntax.clone()) else { continue };
        let Ok(sop_class) = Uid::parse(service.sop_class) else { continue };
        if service.kind == Kind::GetSubOperation {
            request.roles.push(RoleSelection { sop_class: sop_class.clone(), scu: true, scp: true });
        }
        let context =
            ProposedContext { id: context_id(*place), abstract_syntax: sop_class, transfer_syntaxes: vec![syntax] };
        request.contexts.push(context);
    }
    if plan.identity {
        let primary = b"audit-canary".to_vec();
        request.user_identity =
            Some(UserIdentityItem { kind: 1, response_requested: true, primary, secondary: Vec::new() });
    }
    request
}

/// Whether the association is still to be released at the end.
async fn ask_all(talk: &mut Talk<'_>, accept: &Accept, asks: &[Ask], replies: &mut [Reply]) -> bool {
    let mut served = false;
    for (message_id, (ask, reply)) in (1..).zip(asks.iter().zip(replies)) {
        *reply = match ask {
            Ask::Echo if accept.has(VERIFICATION) => reply_of(echo(talk, message_id).await),
            Ask::Canary(place, identifier) if accept.has(*place) => {
                reply_of(canary(talk, message_id, *place, identifier).await)
            }
            Ask::Count(place, identifier) if accept.has(*place) && served => {
                reply_of(count(talk, message_id, *place, identifier).await)
            }
            Ask::Count(..) => Reply::Unasked,
            Ask::Echo | Ask::Canary(..) => Reply::NotOffered,
        };
        served = *reply == Reply::Status(0);
        if matches!(reply, Reply::Matched(_) | Reply::CountedAtLeast(_) | Reply::Refused(_) | Reply::Broken(_)) {
            return false;
        }
    }
    true
}

async fn echo(talk: &mut Talk<'_>, message_id: u16) -> Result<Reply, Stopped> {
    let request = CEchoRequest { message_id, affected_sop_class: sop_class(VERIFICATION) };
    let context = context_id(VERIFICATION);
    talk.say(context, &CommandSet::from(&request), None).await?;
    let response = talk.response(context).await?;
    if response.field != 0x8030 || response.responded_to != message_id || response.has_data {
        return Err(Broken::Lied.into());
    }
    Ok(Reply::Status(response.status))
}

async fn canary(talk: &mut Talk<'_>, message_id: u16, place: usize, identifier: &[u8]) -> Result<Reply, Stopped> {
    let status = find(talk, message_id, place, identifier).await?;
    let Answer::Pending(status) = status else { return Ok(status.into()) };
    // It matches what cannot exist. Not a byte of what follows is read.
    talk.say(context_id(place), &cancel(message_id), None).await?;
    Ok(Reply::Matched(status))
}

async fn count(talk: &mut Talk<'_>, message_id: u16, place: usize, identifier: &[u8]) -> Result<Reply, Stopped> {
    let mut answer = find(talk, message_id, place, identifier).await?;
    let mut counted = 0;
    loop {
        match (answer, counted) {
            (Answer::Pending(_), _) => counted += 1,
            (Answer::Final(0), _) => return Ok(Reply::Counted(counted)),
            (Answer::Final(_), COUNT_TO..) => return Ok(Reply::CountedAtLeast(COUNT_TO)),
            (Answer::Final(status), _) => return Ok(Reply::Status(status)),
        }
        if counted == COUNT_TO {
            talk.say(context_id(place), &cancel(message_id), None).await?;
        }
        if counted > COUNT_LET {
            return Ok(Reply::CountedAtLeast(COUNT_TO));
        }
        // Once enough are counted, it does not matter how it ends.
        match next_answer(talk, message_id, place, true).await {
            Ok(next) => answer = next,
            Err(_) if counted >= COUNT_TO => return Ok(Reply::CountedAtLeast(COUNT_TO)),
            Err(stopped) => return Err(stopped),
        }
    }
}

/// One answer to a C-FIND.
#[derive(Clone, Copy)]
enum Answer {
    Pending(u16),
    Final(u16),
}

async fn find(talk: &mut Talk<'_>, message_id: u16, place: usize, identifier: &[u8]) -> Result<Answer, Stopped> {
    let request = CFindRequest { message_id, affected_sop_class: sop_class(place), priority: Priority::Medium };
    talk.say(context_id(place), &CommandSet::from(&request), Some(identifier)).await?;
    next_answer(talk, message_id, place, false).await
}

/// The next answer; the data set of the one before is dropped first.
async fn next_answer(
    talk: &mut Talk<'_>,
    message_id: u16,
    place: usize,
    after_pending: bool,
) -> Result<Answer, Stopped> {
    let context = context_id(place);
    if after_pending {
        talk.drop_data(context).await?;
    }
    let response = talk.response(context).await?;
    // A pending answer has a match, any other has none (PS3.7 §9.3.2.2).
    let well_formed = response.field == 0x8020 && response.responded_to == message_id;
    if !well_formed || response.has_data != response.is_pending() {
        return Err(Broken::Lied.into());
    }
    Ok(if response.is_pending() { Answer::Pending(response.status) } else { Answer::Final(response.status) })
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Reply {
        match answer {
            Answer::Pending(status) => Reply::Matched(status),
            Answer::Final(status) => Reply::Status(status),
        }
    }
}

fn reply_of(result: Result<Reply, Stopped>) -> Reply {
    match result {
        Ok(reply) => reply,
        Err(Stopped::Refused(refusal)) => Reply::Refused(refusal),
        Err(Stopped::Broken(broken)) => Reply::Broken(broken),
    }
}

fn cancel(message_id: u16) -> CommandSet {
    CommandSet::from(&CCancelRequest { responded_to: message_id })
}

fn sop_class(place: usize) -> Uid {
    #[expect(clippy::expect_used, reason = "a place of our own table, whose UIDs a test parses")]
    SERVICES.get(place).and_then(|service| Uid::parse(service.sop_class).ok()).expect("a service of the table")
}

fn unopened(error: NotOpened) -> Unanswered {
    match error {
        NotOpened::NotReached(why) => Unanswered::NotReached(why),
        NotOpened::NoTls(error) => Unanswered::NoTls(alert_in(&error)),
    }
}

impl Greeting {
    /// Whether the target says that it is too busy now: source 3 of A-ASSOCIATE-RJ.
    pub(super) fn is_congested(&self) -> bool {
        matches!(self, Greeting::Refused(Refusal::Rejected { source: 3, .. }))
    }

    /// How a target that wants a certificate of ours turned us away behind TLS.
    pub(super) fn refused_over_tls(&self) -> Option<RefusedOverTls> {
        match self {
            Greeting::Unanswered(Unanswered::NoTls(Some(alert)) | Unanswered::Broken(Broken::Alert(alert))) => {
                Some(RefusedOverTls::Alert(*alert))
            }
            Greeting::Unanswered(Unanswered::Broken(Broken::Closed)) => Some(RefusedOverTls::Eof),
            _ => None,
        }
    }
}
