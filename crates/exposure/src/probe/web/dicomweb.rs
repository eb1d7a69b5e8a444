//! DICOMweb to a stranger: W-02 to W-07. Canaries only: no study has the UID that is asked for.

use crate::catalogue::web::{W_02, W_03, W_04, W_05, W_06, W_07};
use crate::catalogue::{Check, Name};
use crate::evidence::{Bucket, Fact};
use crate::finding::{Confidence, Facet, Notes, Outcome, Severity, State};
use crate::net::http::{Answer, ELSEWHERE, Request, Server, Talk};
use crate::probe::web::door::{Baseline, Door, asks_who, name, with_status};
use crate::run::Run;

/// The media type of a search's answer (PS3.18 8.7.3).
const JSON: &str = "application/dicom+json";
/// Where DICOMweb services are found, by the habits of products.
static BASES: &[(&str, &str)] = &[
    ("dicom-web", "/dicom-web"),
    ("dicomweb", "/dicomweb"),
    ("dcm4chee-rs", "/dcm4chee-arc/aets/{AE}/rs"),
    ("pacs-dicomweb", "/pacs/dicomweb"),
    ("wado-rs", "/wado-rs"),
    ("rs", "/rs"),
];
/// Names that evidence of bases uses.
pub const NAMES: &[&str] = &["dicom-web", "dicomweb", "dcm4chee-rs", "pacs-dicomweb", "wado-rs", "rs", "from-scope"];
/// What dcm4chee calls itself when the owner does not say.
const DCM4CHEE_AE: &str = "DCM4CHEE";

/// Where a service is looked for.
#[derive(Clone, Debug)]
pub struct Base {
    name: &'static str,
    path: String,
}

/// What all of these checks look at.
pub struct Place<'look> {
    /// The server.
    pub server: &'look Server,
    /// The run.
    pub run: &'look Run,
    /// What a path says that nobody has.
    pub baseline: Baseline,
    /// The product, when recognised.
    pub product: Option<Name>,
    /// What the outcomes are about.
    pub facet: Facet,
}

/// A service, or that there is none.
struct Service {
    /// The one that serves, else all that ask who comes.
    bases: Vec<Base>,
    door: Door,
    answer: Option<Answer>,
    /// Whether a base did not answer as HTTP and DICOMweb demand.
    troubled: bool,
}

/// Where the habits of products put a service, the recognised product's own first.
pub fn usual_bases(called_ae: Option<&str>, product: Option<Name>) -> Vec<Base> {
    let ae = called_ae.filter(|ae| ae.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
    let path = |path: &str| path.replace("{AE}", ae.unwrap_or(DCM4CHEE_AE));
    let mut bases: Vec<_> = BASES.iter().map(|(name, base)| Base { name, path: path(base) }).collect();
    if product.map(Name::as_str) == Some("dcm4chee") {
        bases.sort_by_key(|base| base.name != "dcm4chee-rs");
    }
    bases
}

/// The base that the owner names.
pub fn base_of_scope(path: &str) -> Base {
    Base { name: "from-scope", path: path.to_owned() }
}

/// Looks at the service among the bases that serves a stranger, else at those that ask who he is;
/// whether one is open to a stranger's reading.
pub async fn audit(talk: &mut Talk, place: &Place<'_>, bases: Vec<Base>, notes: &mut Notes) -> bool {
    let canary = place.run.key.canary_uid("web").to_string();
    let service = find(talk, place, bases, &canary).await;
    note_search(notes, place, &service);
    origin(talk, place, service.bases.first(), &canary, notes).await;
    let by_uri = retrieve_by_uri(talk, place, &canary).await;
    note_retrieve_by_uri(notes, place, by_uri);
    let Some(base) = service.bases.first() else {
        let state = if service.troubled { State::Error } else { State::NotApplicable };
        note(notes, place, &W_03, state).facet(part(place, "wado-rs"));
        for check in [&W_04, &W_05, &W_06] {
            note(notes, place, check, state);
        }
        return is_open(notes);
    };
    retrieve(talk, place, &service, &canary, notes).await;
    store(talk, place, base, service.door, notes).await;
    options(talk, place, base, service.door, notes).await;
    work_items(talk, place, base, &canary, notes).await;
    is_open(notes)
}

fn is_open(notes: &Notes) -> bool {
    [&W_02, &W_03, &W_06].into_iter().any(|check| notes.of(check).any(Outcome::is_finding))
}

fn note<'notes>(
    notes: &'notes mut Notes,
    place: &Place<'_>,
    check: &'static Check,
    state: State,
) -> &'notes mut Outcome {
    notes.note(check, state).facet(place.facet.clone())
}

/// A part of W-03, where the whole port is looked at.
fn part(place: &Place<'_>, part: &'static str) -> Facet {
    if place.facet.is_whole() { Facet::Part(Name::fixed(part)) } else { place.facet.clone() }
}

/// The search at a base for a study that cannot exist.
fn search(base: &Base, canary: &str) -> Request {
    let path = format!("{}/studies?StudyInstanceUID={canary}&limit=1&includefield=0020000D", base.path);
    Request::get(path, 2).accepting(JSON)
}

/// Searches at one base after the other until one serves. One that asks who comes says nothing
/// of the next. As a stranger's programme does, without an origin: filters of cross-origin
/// requests refuse those that have one, and serve all others.
async fn find(talk: &mut Talk, place: &Place<'_>, bases: Vec<Base>, canary: &str) -> Service {
    let mut found = Service { bases: Vec::new(), door: Door::Absent, answer: None, troubled: false };
    for base in bases {
        let Ok(answer) = talk.ask(search(&base, canary)).await else {
            found.troubled = true;
            continue;
        };
        match place.baseline.search(&answer, place.server, place.run) {
            door @ Door::Served => {
                return Service { bases: vec![base], door, answer: Some(answer), troubled: found.troubled };
            }
            door @ Door::Asks => {
                if found.bases.is_empty() {
                    found.answer = Some(answer);
                }
                found.bases.push(base);
                found.door = door;
            }
            door => {
                found.troubled |= door != Door::Absent;
                if found.bases.is_empty() {
                    found.answer = Some(answer);
                }
            }
        }
    }
    found
}

/// W-02.
fn note_search(notes: &mut Notes, place: &Place<'_>, service: &Service) {
    let state = match service.door {
        Door::Served => State::Finding,
        _ if service.troubled => State::Error,
        Door::Asks => State::Pass,
        _ => State::NotApplicable,
    };
    let outcome = note(notes, place, &W_02, state);
    let Some(answer) = &service.answer else { return };
    with_status(outcome, answer);
    if let Some(base) = service.bases.first() {
        outcome.with("base", name(base.name));
    }
    if state == State::Finding {
        let said = match (answer.status, answer.whole, answer.body.len()) {
            (204, ..) => "no-content",
            (_, true, 2) => "empty-list",
            _ => "list",
        };
        outcome.with("answer", name(said));
        if let Some(length) = answer.length() {
            outcome.with("length", Fact::Bucket(Bucket::of(length)));
        }
    }
}

/// W-07: W-02's search again, from a page that nobody allowed.
async fn origin(talk: &mut Talk, place: &Place<'_>, base: Option<&Base>, canary: &str, notes: &mut Notes) {
    let Some(base) = base else {
        note(notes, place, &W_07, State::NotApplicable);
        return;
    };
    let Ok(answer) = talk.ask(search(base, canary).from_elsewhere()).await else {
        note(notes, place, &W_07, State::Error);
        return;
    };
    let allowed = match answer.header("access-control-allow-origin").map(str::trim) {
        Some("*") => Some("any"),
        Some(origin) if origin.eq_ignore_ascii_case(ELSEWHERE) => Some("echoed"),
        Some(_) => Some("other"),
        None => None,
    };
    let credentials = answer.header("access-control-allow-credentials").is_some_and(|v| v.trim() == "true");
    let careless = matches!(allowed, Some("any" | "echoed"));
    let state = match answer.status {
        _ if careless => State::Finding,
        429 | 500..=999 => State::Error,
        _ => State::Pass,
    };
    let outcome = note(notes, place, &W_07, state);
    if let Some(allowed) = allowed {
        outcome.with("allow-origin", name(allowed));
        outcome.with("credentials", Fact::Flag(credentials));
    }
    if careless && credentials {
        outcome.severity(Severity::High);
    }
}

/// W-03, WADO-RS: at the base that serves, else at all that ask who comes; the worst counts.
async fn retrieve(talk: &mut Talk, place: &Place<'_>, service: &Service, canary: &str, notes: &mut Notes) {
    let (mut worst, mut status) = (State::Pass, None);
    for base in &service.bases {
        let (state, said) = retrieve_at(talk, place, base, service.door, canary).await;
        if status.is_none() || rank(state) > rank(worst) {
            (worst, status) = (state, said);
        }
        if state == State::Finding {
            break;
        }
    }
    let outcome = note(notes, place, &W_03, worst).facet(part(place, "wado-rs"));
    if let Some(status) = status {
        outcome.with("status", Fact::Code(status.into()));
    }
}

/// Which of the states of several bases is the service's.
fn rank(state: State) -> u8 {
    match state {
        State::Finding => 4,
        State::Error => 3,
        State::RefusedBefore => 2,
        State::Pass => 1,
        _ => 0,
    }
}

async fn retrieve_at(
    talk: &mut Talk,
    place: &Place<'_>,
    base: &Base,
    search: Door,
    canary: &str,
) -> (State, Option<u16>) {
    let request = Request::get(format!("{}/studies/{canary}", base.path), 0);
    let answer = talk.ask(request.accepting("multipart/related; type=\"application/dicom\"")).await;
    let Ok(answer) = answer else { return (State::Error, None) };
    let asks = asks_who(&answer, place.server, place.run);
    let state = match answer.status {
        _ if asks => State::Pass,
        429 | 500..=999 => State::Error,
        300..=399 | 405 => State::NotApplicable,
        200..=299 if place.baseline.serves_all() && search != Door::Served => State::NotApplicable,
        200..=299 => State::Finding,
        // It looked for the study: where searching is open so is this, and where all paths ask
        // who comes this one did not.
        400 | 404 | 406 | 410 if search == Door::Served || place.baseline.asks => State::Finding,
        _ => State::RefusedBefore,
    };
    (state, Some(answer.status))
}

/// W-03, WADO-URI (PS3.18 9): outside of any base.
async fn retrieve_by_uri(talk: &mut Talk, place: &Place<'_>, canary: &str) -> Option<Answer> {
    if !place.facet.is_whole() {
        return None;
    }
    let path = format!("/wado?requestType=WADO&studyUID={canary}&seriesUID={canary}&objectUID={canary}");
    talk.ask(Request::get(path, 0).accepting("application/dicom")).await.ok()
}

fn note_retrieve_by_uri(notes: &mut Notes, place: &Place<'_>, answer: Option<Answer>) {
    if !place.facet.is_whole() {
        return;
    }
    let Some(answer) = answer else {
        note(notes, place, &W_03, State::Error).facet(part(place, "wado-uri"));
        return;
    };
    let asks = asks_who(&answer, place.server, place.run);
    let is_image = answer.is_of_exactly("application/dicom") || answer.is_of_type("image/");
    let is_image = is_image && !place.baseline.serves_all();
    let state = match answer.status {
        _ if asks => State::Pass,
        429 | 500..=999 => State::Error,
        200..=299 if is_image => State::Finding,
        400 | 404 | 406 | 410 if place.baseline.asks => State::Finding,
        // A route that knows what a WADO request is: an unknown path says something else here.
        400 if place.baseline.status == Some(404) => State::Finding,
        _ => State::NotApplicable,
    };
    let outcome = with_status(note(notes, place, &W_03, state), &answer);
    outcome.facet(part(place, "wado-uri"));
    if state == State::Finding && !is_image && !place.baseline.asks {
        outcome.confidence(Confidence::Offered);
    }
}

/// W-04: nothing storable is sent. Not a multipart with no parts: some answer 200 to it.
async fn store(talk: &mut Talk, place: &Place<'_>, base: &Base, search: Door, notes: &mut Notes) {
    let Ok(answer) = talk.ask(Request::post_empty(format!("{}/studies", base.path)).accepting(JSON)).await else {
        note(notes, place, &W_04, State::Error);
        return;
    };
    let state = match answer.status {
        _ if asks_who(&answer, place.server, place.run) => State::Pass,
        429 | 500..=999 if answer.status != 501 => State::Error,
        404 | 405 | 410 | 501 => State::NotApplicable,
        400 | 411 | 415 | 422 => State::Finding,
        200..=299 if search == Door::Served => State::Finding,
        _ => State::RefusedBefore,
    };
    with_status(note(notes, place, &W_04, state), &answer);
}

/// W-05: what is allowed is asked; nothing is ever deleted.
async fn options(talk: &mut Talk, place: &Place<'_>, base: &Base, search: Door, notes: &mut Notes) {
    let answer = talk.ask(Request::options(format!("{}/studies", base.path))).await;
    let Ok(answer) = answer else {
        note(notes, place, &W_05, State::Error);
        return;
    };
    let said: String = answer.headers("allow").collect::<Vec<_>>().join(",").to_ascii_uppercase();
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "MOVE"];
    let words: Vec<&str> = said.split(',').map(str::trim).collect();
    let allowed: Vec<Name> = known.into_iter().filter(|word| words.contains(word)).map(Name::fixed).collect();
    let offered = allowed.iter().any(|method| method.as_str() == "DELETE");
    let has_deletion = place.product.is_some_and(|product| matches!(product.as_str(), "orthanc" | "dcm4chee"));
    let inferred = !offered && search == Door::Served && has_deletion;
    let state = match answer.status {
        _ if offered && answer.is_success() => State::Finding,
        _ if inferred => State::Finding,
        _ if asks_who(&answer, place.server, place.run) => State::Pass,
        200..=299 if !allowed.is_empty() => State::Pass,
        _ => State::RefusedBefore,
    };
    let outcome = with_status(note(notes, place, &W_05, state), &answer);
    if state == State::Finding {
        outcome.confidence(Confidence::Offered).with("inferred", Fact::Flag(inferred));
        if search != Door::Served {
            // It says what there is before it asks who comes; reading is refused all the same.
            outcome.severity(Severity::Low);
        }
    }
    if !allowed.is_empty() {
        outcome.with("allow", Fact::Names(allowed));
    }
}

/// W-06.
async fn work_items(talk: &mut Talk, place: &Place<'_>, base: &Base, canary: &str, notes: &mut Notes) {
    let search = format!("{}/workitems?00080018={canary}&limit=1", base.path);
    let Ok(answer) = talk.ask(Request::get(search, 2).accepting(JSON)).await else {
        note(notes, place, &W_06, State::Error);
        return;
    };
    let state = match place.baseline.search(&answer, place.server, place.run) {
        Door::Served => State::Finding,
        Door::Asks => State::Pass,
        Door::Absent => State::NotApplicable,
        Door::Strange if answer.status == 400 => State::NotApplicable,
        Door::Strained | Door::Strange => State::Error,
    };
    with_status(note(notes, place, &W_06, state), &answer);
}
