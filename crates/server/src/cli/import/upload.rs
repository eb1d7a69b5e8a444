//! STOW-RS of one instance a request, its body a stream; connections are used again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use leadglass_dicom::part10::write_file_meta;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::mpsc;

use super::discover::Source;
use super::known::Known;
use super::outcome::Outcome;
use super::read::{Front, Piece, read};
use crate::cli::connection::Api;

/// Bytes of an answer.
const ANSWER_BYTES: usize = 1 << 20;
/// Times a request is tried while the archive is busy or out of reach.
const TRIES: u32 = 6;
/// Before the second try; doubled for each further one.
const PAUSE: Duration = Duration::from_millis(250);

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Sends instances to an archive.
pub struct Uploader {
    api: Arc<Api>,
    idle: Mutex<Vec<SendRequest<Body>>>,
}

/// How one try ended.
enum Tried {
    Ended(Outcome),
    /// The archive is busy, or out of reach: why.
    Again(String),
}

impl Uploader {
    /// No connection yet.
    pub fn new(api: Arc<Api>) -> Uploader {
        Uploader { api, idle: Mutex::default() }
    }

    /// Sends the source. Equal bytes under its SOP Instance UID are already there, other
    /// bytes are refused: both are the archive's word, as what we know beforehand is UIDs.
    ///
    /// # Errors
    /// When the archive cannot be reached or does not let us in.
    pub async fn upload(&self, source: &Source, known: &Known) -> anyhow::Result<Outcome> {
        let mut why = String::new();
        for pause in (0..TRIES).map(|tried| PAUSE * (1 << tried)) {
            match self.try_once(source, known).await? {
                Tried::Ended(outcome) => return Ok(outcome),
                Tried::Again(reason) => why = reason,
            }
            tokio::time::sleep(pause).await;
        }
        bail!("tried {TRIES} times: {why}")
    }

    async fn try_once(&self, source: &Source, known: &Known) -> anyhow::Result<Tried> {
        let mut pieces = read(source);
        let front = match pieces.recv().await {
            Some(Piece::Front(front)) => front,
            Some(Piece::Failed(outcome)) => return Ok(Tried::Ended(outcome)),
            _ => return Ok(Tried::Ended(Outcome::Refused("it could not be read".into()))),
        };
        let identity = front.identity.clone();
        let was_there = known.has(&identity).await?;
        let failure = Failure::default();
        let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let body = body(*front, pieces, failure.clone(), counted.clone());
        let answered = self.exchange(&identity.study.to_string(), body).await;
        if let Some(outcome) = failure.lock().take() {
            return Ok(Tried::Ended(outcome));
        }
        let (status, answer) = match answered {
            Ok(answered) => answered,
            Err(error) => return Ok(Tried::Again(format!("{error:#}"))),
        };
        match status {
            StatusCode::OK if was_there => Ok(Tried::Ended(Outcome::AlreadyThere)),
            StatusCode::OK => {
                known.add(&identity);
                let bytes = counted.load(std::sync::atomic::Ordering::Relaxed);
                Ok(Tried::Ended(Outcome::Stored { bytes }))
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Ok(Tried::Again(format!("the archive is busy ({status})")))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                bail!("the archive does not let this token store ({status})")
            }
            StatusCode::INSUFFICIENT_STORAGE => bail!("the archive has no room left ({status})"),
            _ => Ok(Tried::Ended(Outcome::Refused(reason(status, &answer)))),
        }
    }

    async fn exchange(&self, study: &str, body: Body) -> anyhow::Result<(StatusCode, Value)> {
        let request = Request::post(format!("/dicom-web/studies/{study}"))
            .header(header::HOST, self.api.client().address().to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.api.token()))
            .header(header::CONTENT_TYPE, "application/dicom")
            .header(header::ACCEPT, "application/dicom+json")
            .body(body)?;
        let mut sender = self.connection().await?;
        let response = sender.send_request(request).await.context("the archive ended the connection")?;
        let answer = answer(response).await?;
        if sender.ready().await.is_ok() {
            self.idle.lock().push(sender);
        }
        Ok(answer)
    }

    async fn connection(&self) -> anyhow::Result<SendRequest<Body>> {
        loop {
            let idle = self.idle.lock().pop();
            match idle {
                Some(sender) if sender.is_ready() => return Ok(sender),
                Some(_) => {}
                None => return self.api.client().open().await,
            }
        }
    }
}

async fn answer(response: Response<Incoming>) -> anyhow::Result<(StatusCode, Value)> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error)).context("the archive's answer")?.to_bytes();
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

/// Why a source could not be read to its end.
type Failure = Arc<Mutex<Option<Outcome>>>;

/// A Part 10 file in our words around the data set as it is.
fn body(
    front: Front,
    pieces: mpsc::Receiver<Piece>,
    failure: Failure,
    counted: Arc<std::sync::atomic::AtomicU64>,
) -> Body {
    let head = write_file_meta(&front.identity.sop_class, &front.identity.sop_instance, &front.transfer_syntax);
    let count = move |bytes: &Bytes| {
        counted.fetch_add(bytes.len() as u64, std::sync::atomic::Ordering::Relaxed);
    };
    let start = Bytes::from(front.bytes);
    count(&start);
    let rest = futures::stream::unfold(Some(pieces), move |pieces| {
        let (failure, count) = (failure.clone(), count.clone());
        async move {
            let mut pieces = pieces?;
            match pieces.recv().await {
                Some(Piece::Bytes(bytes)) => {
                    count(&bytes);
                    Some((Ok(bytes), Some(pieces)))
                }
                Some(Piece::End) => None,
                Some(Piece::Failed(outcome)) => {
                    *failure.lock() = Some(outcome);
                    Some((Err(io::Error::other("the file could not be read to its end")), None))
                }
                Some(Piece::Front(_)) | None => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
            }
        }
    });
    let first = [Ok(Bytes::from(head)), Ok(start)];
    let stream = futures::StreamExt::chain(futures::stream::iter(first), rest);
    let frames = futures::TryStreamExt::map_ok(stream, Frame::data);
    UnsyncBoxBody::new(StreamBody::new(frames))
}

/// The archive's reason, from its Store Instances Response (PS3.18 Annex I.2) or problem.
fn reason(status: StatusCode, answer: &Value) -> String {
    let failed = ["00081198", "0008119A"].iter().find_map(|sequence| {
        let item = &answer[*sequence]["Value"][0];
        item["00081197"]["Value"][0].as_u64()
    });
    match failed {
        Some(0x0111) => "failure reason 0111: other bytes are stored under its SOP Instance UID; \
                         this copy waits in quarantine"
            .into(),
        Some(0x0124) => "this token may not store it".into(),
        Some(0xA700) => "the archive has no room".into(),
        Some(0xA900) => "its data set is not of the study or SOP class it names".into(),
        Some(0xC000) => "its data set cannot be understood".into(),
        Some(code) => format!("failure reason {code:04X}"),
        None => {
            let said = answer["detail"].as_str().or(answer["title"].as_str()).unwrap_or("no reason given");
            format!("{said} ({})", status.as_u16())
        }
    }
}
