//! HTTP/1.1 with a server that may be anything.
//!
//! A few requests that change nothing, over as few connections as the server lets us, and of
//! each answer no more than the check needs. Deliberately absent: DELETE, PUT, PATCH and any
//! body but a fixed log-in form; following a redirect; decompression; cookies.

mod redirect;

use std::error::Error;
use std::io;
use std::pin::pin;

use base64::Engine as _;
use bytes::Bytes;
use futures::future::Either;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

pub use redirect::{Redirect, RedirectTo};

use super::{Line, NotOpened, NotReached, Over, open};
use crate::scope::Scope;

/// The origin that nobody allowed, for CORS: `.invalid` names nothing (RFC 6761 6.4).
pub const ELSEWHERE: &str = "https://audit.invalid";
/// Most bytes of a status line and its headers.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Most headers of an answer.
const MAX_HEADERS: usize = 64;
/// Conversations that may fail before the server is asked nothing more.
const MAX_FAILURES: u32 = 2;

/// Whom to ask.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its port.
    pub port: u16,
    /// In clear or behind TLS.
    pub over: Over,
    /// Its name or address, as the owner or our own list has it: `Host` and SNI.
    pub host: String,
}

/// What may be asked. There is no way to ask for a deletion or to put anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The head of an answer only.
    Head,
    /// A representation.
    Get,
    /// What is allowed.
    Options,
    /// WebDAV: properties, `Depth: 0`.
    Propfind,
    /// A POST with `Content-Type: text/plain` and nothing in it.
    PostEmpty,
    /// A fixed log-in form ([`LogIn::form`]).
    PostLogIn,
    /// The end of a session that a log-in began, with nothing in it.
    PostLogOut,
}

/// A name and a password from our own tables: blank, or what a product is delivered with.
#[derive(Debug)]
pub struct LogIn {
    /// Stands in reports instead of the pair.
    pub id: &'static str,
    /// The name.
    pub name: &'static str,
    /// The password.
    pub password: &'static str,
    /// Names of the form's two fields; none means HTTP Basic (RFC 7617).
    pub form: Option<(&'static str, &'static str)>,
}

/// What a log-in gave us, to end it with. Never printed.
#[derive(Clone)]
pub struct Session(Zeroizing<String>);

impl Session {
    /// From a token that can stand in a header.
    pub fn new(token: &str) -> Option<Session> {
        let fits =
            (1..=2048).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        fits.then(|| Session(Zeroizing::new(token.to_owned())))
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    accept: &'static str,
    from_elsewhere: bool,
    range: Option<(u32, u32)>,
    log_in: Option<&'static LogIn>,
    session: Option<Session>,
    /// Bytes of the body that are looked at.
    look_at: usize,
}

/// What came back. Holds bytes of the target: look, do not keep.
pub struct Answer {
    /// The status, 100 to 999.
    pub status: u16,
    headers: HeaderMap,
    /// The beginning of the body, as much as was asked for.
    pub body: Zeroizing<Vec<u8>>,
    /// Whether the body ended within what was asked for.
    pub whole: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// No connection.
    #[error(transparent)]
    NotReached(#[from] NotReached),
    /// A connection, and no TLS on it.
    #[error("no TLS handshake")]
    NoTls(#[source] io::Error),
    /// The other end hung up before it answered.
    #[error("the other end hung up without an answer")]
    HungUp,
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// What came is not HTTP/1, or its head is larger than is read.
    #[error("no answer that is HTTP/1")]
    NotHttp,
    /// The path cannot be asked for.
    #[error("not a path")]
    NotAPath,
    /// The server failed twice, or has been asked as much as it will be.
    #[error("the server is asked nothing more")]
    Enough,
}

/// The asking end of a conversation.
pub struct Talk {
    asks: mpsc::Sender<Ask>,
    left: u32,
    asked: u32,
}

struct Ask {
    request: Request,
    answer: oneshot::Sender<Result<Answer, Unanswered>>,
}

/// Talks with a server along a script, at most so many requests. What the script asks goes over
/// one connection at a time; a new one is made when the server ends it.
pub async fn talk<T>(line: &mut Line<'_>, server: &Server, at_most: u32, script: impl AsyncFnOnce(Talk) -> T) -> T {
    let (asks, mut asked) = mpsc::channel(1);
    let (told, ()) = tokio::join!(script(Talk { asks, left: at_most, asked: 0 }), serve(line, server, &mut asked));
    told
}

impl Talk {
    /// Asks, and waits for the answer.
    pub async fn ask(&mut self, request: Request) -> Result<Answer, Unanswered> {
        self.left = self.left.checked_sub(1).ok_or(Unanswered::Enough)?;
        self.asked += 1;
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask { request, answer }).await.map_err(|_| Unanswered::Enough)?;
        answered.await.unwrap_or(Err(Unanswered::Enough))
    }

    /// How many requests may still be made.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// How many were made.
    pub fn asked(&self) -> u32 {
        self.asked
    }
}

impl Request {
    fn new(method: Method, path: impl Into<String>, look_at: usize) -> Request {
        let path = path.into();
        let (accept, from_elsewhere, range, log_in, session) = ("*/*", false, None, None, None);
        Request { method, path, accept, from_elsewhere, range, log_in, session, look_at }
    }

    /// GET, with so many bytes of the body looked at.
    pub fn get(path: impl Into<String>, look_at: usize) -> Request {
        Request::new(Method::Get, path, look_at)
    }

    /// HEAD.
    pub fn head(path: impl Into<String>) -> Request {
        Request::new(Method::Head, path, 0)
    }

    /// OPTIONS.
    pub fn options(path: impl Into<String>) -> Request {
        Request::new(Method::Options, path, 0)
    }

    /// PROPFIND with `Depth: 0`.
    pub fn propfind(path: impl Into<String>) -> Request {
        Request::new(Method::Propfind, path, 0)
    }

    /// POST of nothing, as `text/plain`.
    pub fn post_empty(path: impl Into<String>) -> Request {
        Request::new(Method::PostEmpty, path, 0)
    }

    /// Logs in: with the header of HTTP Basic, or with a form.
    pub fn log_in(path: impl Into<String>, log_in: &'static LogIn) -> Request {
        let method = if log_in.form.is_some() { Method::PostLogIn } else { Method::Get };
        Request { log_in: Some(log_in), ..Request::new(method, path, 4096) }
    }

    /// Ends the session of a log-in: the token in `Authorization`, nothing else.
    pub fn log_out(path: impl Into<String>, session: Session) -> Request {
        Request { session: Some(session), ..Request::new(Method::PostLogOut, path, 0) }
    }

    /// With what is acceptable.
    pub fn accepting(self, accept: &'static str) -> Request {
        Request { accept, ..self }
    }

    /// With the origin of a page that nobody allowed.
    pub fn from_elsewhere(self) -> Request {
        Request { from_elsewhere: true, ..self }
    }

    /// A few bytes out of the middle, ends included.
    pub fn range(self, first: u32, last: u32) -> Request {
        Request { range: Some((first, last)), ..self }
    }

    fn build(&self, server: &Server, user_agent: &HeaderValue) -> Option<http::Request<Full<Bytes>>> {
        if !self.path.starts_with('/') || self.path.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return None;
        }
        let method = match self.method {
            Method::Head => http::Method::HEAD,
            Method::Get => http::Method::GET,
            Method::Options => http::Method::OPTIONS,
            Method::Propfind => http::Method::from_bytes(b"PROPFIND").ok()?,
            Method::PostEmpty | Method::PostLogIn | Method::PostLogOut => http::Method::POST,
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::try_from(server.authority()).ok()?);
        headers.insert(header::USER_AGENT, user_agent.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static(self.accept));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.from_elsewhere {
            headers.insert(header::ORIGIN, HeaderValue::from_static(ELSEWHERE));
        }
        if let Some((first, last)) = self.range {
            headers.insert(header::RANGE, HeaderValue::try_from(format!("bytes={first}-{last}")).ok()?);
        }
        let body = self.body();
        match self.method {
            Method::Propfind => {
                headers.insert(HeaderName::from_static("depth"), HeaderValue::from_static("0"));
            }
            Method::PostEmpty => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            }
            Method::PostLogIn => {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(header::CONTENT_TYPE, form);
            }
            Method::Head | Method::Get | Method::Options | Method::PostLogOut => {}
        }
        if matches!(self.method, Method::Propfind | Method::PostEmpty | Method::PostLogIn | Method::PostLogOut) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        if let Some(LogIn { name, password, form: None, .. }) = self.log_in {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
            headers.insert(header::AUTHORIZATION, HeaderValue::try_from(format!("Basic {pair}")).ok()?);
        }
        if let Some(Session(token)) = &self.session {
            headers.insert(header::AUTHORIZATION, HeaderValue::try_from(token.as_str()).ok()?);
        }
        let mut request = http::Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = self.path.parse().ok()?;
        *request.headers_mut() = headers;
        Some(request)
    }

    fn body(&self) -> String {
        match self.log_in {
            Some(LogIn { name, password, form: Some((name_field, password_field)), .. }) => {
                format!("{name_field}={name}&{password_field}={password}")
            }
            _ => String::new(),
        }
    }
}

impl Server {
    /// What stands in `Host`.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.over, self.port) {
            (Over::Clear, 80) | (Over::Tls, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl Answer {
    /// A header, when it is there once as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All headers of that name that are text.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// The body's length as declared.
    pub fn declared_length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// The body's length: as seen to its end, or as declared.
    pub fn length(&self) -> Option<u64> {
        if self.whole { Some(self.body.len() as u64) } else { self.declared_length() }
    }

    /// Whether it is of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether its type begins so, whatever the case.
    pub fn is_of_type(&self, start: &str) -> bool {
        let media_type = self.header("content-type").unwrap_or_default();
        media_type.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    }

    /// Whether its type is that, whatever its parameters.
    pub fn is_of_exactly(&self, expected: &str) -> bool {
        let media_type = self.header("content-type").unwrap_or_default();
        media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(expected)
    }

    /// Whether its type is JSON, or JSON of some kind (`application/dicom+json`).
    pub fn is_json(&self) -> bool {
        let media_type = self.header("content-type").unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    }

    /// Where it sends us, when it does. Nobody goes there.
    pub fn redirect(&self, server: &Server, scope: &Scope, now: i64) -> Option<Redirect> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        Some(redirect::redirect(self.header("location").unwrap_or_default(), server, scope, now))
    }
}

/// Answers what is asked until nobody asks any more.
async fn serve(line: &mut Line<'_>, server: &Server, asked: &mut mpsc::Receiver<Ask>) {
    let user_agent = user_agent(&line.run().scope);
    let (mut again, mut failures) = (None, 0);
    loop {
        let Some(ask) = (match again.take() {
            Some(ask) => Some(ask),
            None => asked.recv().await,
        }) else {
            return;
        };
        if failures >= MAX_FAILURES {
            ask.answer.send(Err(Unanswered::Enough)).ok();
            continue;
        }
        match connection(line, server, &user_agent, ask, asked).await {
            Ended::Spent => {}
            Ended::Again(ask) => again = Some(ask),
            Ended::Failed => failures += 1,
        }
    }
}

/// How a connection ended.
enum Ended {
    /// The server ended it, or more came than was wanted.
    Spent,
    /// The server ended it before it took this.
    Again(Ask),
    /// Without an answer.
    Failed,
}

/// Serves over one connection as long as it holds.
async fn connection(
    line: &mut Line<'_>,
    server: &Server,
    user_agent: &HeaderValue,
    mut ask: Ask,
    asked: &mut mpsc::Receiver<Ask>,
) -> Ended {
    let stream = match open(line, server.port, server.over, Some(&server.host), &["http/1.1"]).await {
        Ok((stream, _)) => stream,
        Err(error) => {
            ask.answer.send(Err(error.into())).ok();
            return Ended::Failed;
        }
    };
    let mut http = http1::Builder::new();
    http.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS);
    let Ok((mut sender, driver)) = http.handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await else {
        ask.answer.send(Err(Unanswered::NotHttp)).ok();
        return Ended::Failed;
    };
    let (mut driver, mut driven, mut reused) = (pin!(driver), false, false);
    loop {
        let Some(request) = ask.request.build(server, user_agent) else {
            ask.answer.send(Err(Unanswered::NotAPath)).ok();
            return Ended::Spent;
        };
        let answer = {
            let exchange = pin!(exchange(&mut sender, request, ask.request.look_at));
            match futures::future::select(exchange, &mut driver).await {
                Either::Left((answer, _)) => answer,
                Either::Right((_, exchange)) => {
                    driven = true;
                    exchange.await
                }
            }
        };
        let holds = match answer {
            Ok(answer) => {
                let whole = answer.whole;
                ask.answer.send(Ok(answer)).ok();
                whole && !driven
            }
            Err(_) if reused => return Ended::Again(ask),
            Err(why) => {
                ask.answer.send(Err(why)).ok();
                return Ended::Failed;
            }
        };
        if !holds {
            return Ended::Spent;
        }
        let ready = pin!(sender.ready());
        if !matches!(futures::future::select(ready, &mut driver).await, Either::Left((Ok(()), _))) {
            return Ended::Spent;
        }
        let next = pin!(asked.recv());
        ask = match futures::future::select(next, &mut driver).await {
            Either::Left((Some(ask), _)) => ask,
            _ => return Ended::Spent,
        };
        reused = true;
    }
}

/// One request and as much of its answer as is looked at.
async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: http::Request<Full<Bytes>>,
    look_at: usize,
) -> Result<Answer, Unanswered> {
    let response = sender.send_request(request).await.map_err(|error| unanswered(&error))?;
    let (parts, mut incoming) = response.into_parts();
    let mut body = Zeroizing::new(Vec::new());
    let whole = loop {
        let Some(frame) = incoming.frame().await else { break true };
        // What was promised and did not come: what came is looked at all the same.
        let Ok(frame) = frame else { break false };
        if let Ok(bytes) = frame.into_data() {
            let room = look_at - body.len();
            body.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if bytes.len() > room {
                break false;
            }
        }
    };
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, whole })
}

/// Why a request had no answer.
fn unanswered(error: &hyper::Error) -> Unanswered {
    let sources = std::iter::successors(Error::source(error), |source| (*source).source());
    let io = sources.filter_map(|source| source.downcast_ref::<io::Error>()).next();
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => Unanswered::Late,
        Some(io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidData) => Unanswered::NotHttp,
        Some(_) => Unanswered::HungUp,
        None if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => Unanswered::HungUp,
        None => Unanswered::NotHttp,
    }
}

/// Says who looks and whom to call about it; nothing but printable ASCII of the scope's own text.
fn user_agent(scope: &Scope) -> HeaderValue {
    let contact = scope.contacts.first().map_or("", String::as_str);
    let contact: String = contact.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(128).collect();
    let contact = contact.replace(['(', ')', '\\'], "");
    let text = format!("Leadglass-Audit/{} (authorised audit; {contact})", env!("CARGO_PKG_VERSION"));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Leadglass-Audit"))
}

impl From<NotOpened> for Unanswered {
    fn from(error: NotOpened) -> Unanswered {
        match error {
            NotOpened::NotReached(error) => Unanswered::NotReached(error),
            NotOpened::NoTls(error) => Unanswered::NoTls(error),
        }
    }
}
