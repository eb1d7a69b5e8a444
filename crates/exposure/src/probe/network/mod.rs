//! The network family (N): ports, and what is behind those that are no DICOM and no web.
//!
//! Which service a port is asked for: what the scope says of the port, else what is usual
//! there, else, on ports that the scope names, what the first bytes of a server that speaks
//! first tell. Deliberately absent: passwords, messages, a second guess at a port.

mod backend;
mod elastic;
mod ftp;
mod http;
mod ldap;
mod mllp;
mod mongodb;
mod mysql;
mod nfs;
mod postgres;
mod rdp;
mod reach;
mod redis;
mod rpc;
mod rsync;
mod s3;
mod service;
mod smb;
mod sniff;
mod talk;
mod tds;
mod telnet;
mod vnc;
mod webdav;
mod wildfly;

pub(in crate::probe) use nfs::kind_of as kind_of_client;
pub use service::Service;

use crate::catalogue::Depth;
use crate::catalogue::Name;
use crate::catalogue::network::{N_01, N_08};
use crate::finding::{Facet, Outcome, State};
use crate::net::Over;
use crate::probe::recognise::is_dicom_of_modality;
use crate::probe::{Known, Look, Speech};
use crate::run::Run;
use crate::scope::Asset;
use crate::tries::{Account, Claim};
use talk::Unanswered;

/// How a service was spoken to when it was recognised.
type Answer = Result<Option<Over>, Unanswered>;

/// Whether a service of this family is to be expected on a port: then [`audit`] speaks first,
/// before the families of DICOM, TLS and HTTP try theirs.
pub fn is_service(asset: &Asset, port: u16) -> bool {
    Service::usual_on(port).is_some() || asset.services.iter().any(|(known, _)| *known == port)
}

/// Looks at a port that is open: whether it was to be (N-01), and, unless it speaks DICOM, which
/// other service is there. Whether one was recognised; [`crate::probe::Known`] then says which.
///
/// It may be asked twice of a port, before and after it is known whether HTTP is spoken there:
/// nothing is done or noted again.
pub async fn audit(look: &mut Look<'_, '_>) -> bool {
    let is_first = look.notes.of(&N_01).next().is_none();
    if is_first {
        reach::note(look);
    }
    let spoken = [look.known.clear, look.known.behind_tls];
    let recognised = spoken.iter().any(|speech| matches!(speech, Some(Speech::Other(_))));
    if recognised || spoken.contains(&Some(Speech::Dicom)) {
        return recognised;
    }
    let (declared, usual) = (declared(look), Service::usual_on(look.port));
    if let Some(service) = declared {
        return is_first && audit_as(look, service).await;
    }
    if spoken.contains(&Some(Speech::Http)) {
        return audit_http(look, usual).await;
    }
    match usual {
        _ if !is_first => false,
        Some(service) => audit_service(look, service, false).await,
        None if look.asset.ports.contains(&look.port) && spoken == [None, None] => audit_greeting(look).await,
        None => false,
    }
}

/// How a port speaks HTTP, when one of this family's services over HTTP was recognised there.
pub fn http_ways(known: &Known) -> impl Iterator<Item = Over> + use<> {
    let is_http = |speech: Option<Speech>| {
        Service::all().any(|service| service.is_http() && speech == Some(Speech::Other(service.name())))
    };
    let ways = [(Over::Clear, is_http(known.clear)), (Over::Tls, is_http(known.behind_tls))];
    ways.into_iter().filter(|(_, is_http)| *is_http).map(|(over, _)| over)
}

/// Looks at a port of which the owner says which service it has. A port that has another ends
/// the service's check in an error.
pub async fn audit_as(look: &mut Look<'_, '_>, service: Service) -> bool {
    audit_service(look, service, true).await
}

/// What the scope says of the port.
fn declared(look: &Look<'_, '_>) -> Option<Service> {
    look.asset.services.iter().find(|(port, _)| *port == look.port).map(|(_, service)| *service)
}

/// A port that speaks HTTP may be any transport over it.
async fn audit_http(look: &mut Look<'_, '_>, usual: Option<Service>) -> bool {
    let mut recognised = false;
    for service in usual.into_iter().filter(|service| service.is_http()).chain([Service::Webdav, Service::S3]) {
        let part = Facet::Part(service.name());
        let is_noted = match service.check() {
            Some(check) if check.id == N_08.id => look.notes.of(check).any(|outcome| outcome.facet == part),
            Some(check) => look.notes.of(check).next().is_some(),
            None => true,
        };
        if !is_noted {
            recognised |= audit_service(look, service, false).await;
        }
    }
    recognised
}

/// A server that speaks first tells what it is.
async fn audit_greeting(look: &mut Look<'_, '_>) -> bool {
    if look.depth < Depth::Handshake || is_dicom_of_modality(look.asset, look.port) {
        return false;
    }
    match sniff::sniff(look.line, look.port).await {
        Ok(Some(service)) => audit_service(look, service, false).await,
        _ => false,
    }
}

async fn audit_service(look: &mut Look<'_, '_>, service: Service, declared: bool) -> bool {
    if look.depth < service.depth() {
        note_unknown(look, service, State::SkippedByPolicy);
        return false;
    }
    let mut answer = Ok(None);
    for over in ways(look, service) {
        answer = ask(look, service, over, declared).await;
        match &answer {
            Ok(None) => {}
            Err(error) if error.is_of_the_other_end() => {}
            _ => break,
        }
    }
    match answer {
        Ok(Some(over)) => {
            recognise(look, service, over);
            return true;
        }
        Ok(None) if declared => note_unknown(look, service, State::Error),
        Ok(None) => note_unknown(look, service, State::NotApplicable),
        Err(error) => note_unknown(look, service, error.state()),
    }
    false
}

/// Clear text first, then TLS, as far as the service has them and nothing was learned yet.
fn ways(look: &Look<'_, '_>, service: Service) -> Vec<Over> {
    let known_tls = look.known.behind_tls.is_some();
    if !service.may_be_behind_tls() {
        return vec![Over::Clear];
    }
    match (look.known.clear.is_some(), known_tls) {
        (true, _) => vec![Over::Clear],
        (false, true) => vec![Over::Tls],
        _ if matches!(look.port, 636 | 990) => vec![Over::Tls, Over::Clear],
        // A server that speaks first has said all it will when it said nothing in clear.
        _ if service == Service::Ftp => vec![Over::Clear],
        _ => vec![Over::Clear, Over::Tls],
    }
}

async fn ask(look: &mut Look<'_, '_>, service: Service, over: Over, declared: bool) -> Answer {
    match service {
        Service::Postgresql => postgres::audit(look).await,
        Service::Mysql => mysql::audit(look).await,
        Service::Mssql => tds::audit(look).await,
        Service::Redis => redis::audit(look, over).await,
        Service::Elasticsearch => elastic::audit(look, over).await,
        Service::Mongodb => mongodb::audit(look, over).await,
        Service::Ldap => ldap::audit(look, over).await,
        Service::Wildfly => wildfly::audit(look, over).await,
        Service::Mllp => mllp::audit(look, declared).await,
        Service::Vnc => vnc::audit(look).await,
        Service::Rdp => rdp::audit(look).await,
        Service::Telnet => telnet::audit(look).await,
        Service::Ftp => ftp::audit(look, over).await,
        Service::Ssh => Ok(Some(Over::Clear)),
        Service::Nfs => nfs::audit(look).await,
        Service::Smb => smb::audit(look).await,
        Service::Rsync => rsync::audit(look).await,
        Service::Webdav => webdav::audit(look, over).await,
        Service::S3 => s3::audit(look, over).await,
    }
}

fn recognise(look: &mut Look<'_, '_>, service: Service, over: Over) {
    let known = match over {
        Over::Clear => &mut look.known.clear,
        Over::Tls => &mut look.known.behind_tls,
    };
    if known.is_none_or(|speech| speech == Speech::Tls) {
        *known = Some(Speech::Other(service.name()));
    }
}

/// The service's check ends in a state although the service was not recognised. What is spoken
/// over HTTP notes its own part.
fn note_unknown(look: &mut Look<'_, '_>, service: Service, state: State) {
    let Some(check) = service.check() else { return };
    if check.id == N_08.id {
        let part = service.name();
        let noted = look.notes.of(check).any(|outcome| outcome.facet == Facet::Part(part));
        if !noted {
            look.notes.note(check, state).facet(Facet::Part(part));
        }
        return;
    }
    let outcome = look.notes.note(check, state);
    outcome.with("service", crate::evidence::Fact::Known(service.name()));
}

/// Notes one transport of N-08.
fn note_transport<'look>(look: &'look mut Look<'_, '_>, part: &'static str, state: State) -> &'look mut Outcome {
    look.notes.note(&N_08, state).facet(Facet::Part(Name::fixed(part)))
}

/// Whether a log-in without a secret may be tried: at the depth of credentials, and when the
/// owner opted in to blank ones.
fn may_log_in(look: &Look<'_, '_>) -> bool {
    let opted_in = look.line.run().scope.credentials.is_some_and(|credentials| credentials.try_blank);
    opted_in && look.depth >= Depth::Credentials
}

/// Waits for the turn of one log-in without a secret; the state of its check when there is none.
async fn claim(run: &Run, asset: &Asset, account: Account) -> Result<(), State> {
    match run.tries.claim(run, asset, account).await {
        Claim::Granted => Ok(()),
        Claim::Spent => Err(State::SkippedByPolicy),
        Claim::Ending => Err(State::Error),
    }
}
