//! STOW-RS, PS3.18 10.5: storing instances.
//!
//! Parts go into the archive as they arrive; while one is made durable the next is read, so
//! that several share one commit. Deliberately absent: XML metadata, and any fetching of
//! bulk data from elsewhere.

mod arrival;
mod assemble;
mod bulk_value;
mod composed;
mod file;
mod inflow;
mod instances;
mod outcome;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header;
use leadglass_archive::Caller;
use leadglass_dicom::StudyInstanceUid;

use self::composed::Composer;
use self::file::FileReader;
use self::inflow::Inflow;
use self::instances::Instances;
use super::accept::Accept;
use super::media_type::MediaType;
use super::multipart::{Event, MultipartError, MultipartParser, PartHeaders};
use super::target::Target;
use super::{DICOM_JSON, DICOM_XML};
use crate::web::manners::NamedStudy;
use crate::web::{Problem, WebState};

const DICOM: &str = "application/dicom";

/// `POST /dicom-web/studies[/{study}]`.
pub async fn store(
    State(state): State<WebState>,
    Extension(caller): Extension<Caller>,
    target: Option<Target>,
    accept: Accept,
    request: Request,
) -> Result<Response, Problem> {
    let essence = accept.choose(&[DICOM_JSON, "application/json", DICOM_XML])?;
    let content_type = content_type(&request)?;
    let study = target.map(|target| target.study);
    let inflow = Inflow::new(request.into_body(), state.limits().body_idle);
    let instances = Instances::new(state.clone(), caller, study);
    let outcomes = match content_type.essence() {
        DICOM => single(inflow, instances, state.limits().file_meta_bytes).await?,
        "multipart/related" => Multipart::new(&state, &content_type, inflow, instances)?.read().await?,
        _ => return Err(unsupported()),
    };
    if outcomes.is_empty() {
        return Err(Problem::bad_request("the request holds no instance"));
    }
    let study = outcome::one_study(&outcomes).cloned();
    let mut response = outcome::answer(outcomes, state.public_url(), essence)?;
    if let Some(study) = study {
        response.extensions_mut().insert(NamedStudy(study));
    }
    Ok(response)
}

fn content_type(request: &Request) -> Result<MediaType, Problem> {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.and_then(MediaType::parse).ok_or_else(unsupported)
}

fn unsupported() -> Problem {
    Problem::unsupported_media_type(
        "send application/dicom, or multipart/related with type application/dicom or application/dicom+json",
    )
}

/// One Part 10 file as the whole body.
async fn single(
    mut inflow: Inflow,
    mut instances: Instances,
    most_meta: usize,
) -> Result<Vec<outcome::Outcome>, Problem> {
    let mut file = FileReader::new(most_meta);
    while let Some(chunk) = inflow.next().await? {
        file.push(&chunk, &mut instances).await?;
    }
    file.finish(&mut instances).await?;
    instances.outcomes().await
}

/// A multipart body on its way in.
struct Multipart {
    parser: MultipartParser,
    inflow: Inflow,
    instances: Instances,
    composer: Composer,
    /// The type of parts that do not say theirs: the root's.
    root_type: Option<String>,
    /// Bytes of a file's meta information.
    most_meta: usize,
}

/// What is done with the part being read.
enum Part {
    File(FileReader),
    Metadata,
    Bulk,
}

impl Multipart {
    fn new(
        state: &WebState,
        content_type: &MediaType,
        inflow: Inflow,
        instances: Instances,
    ) -> Result<Multipart, Problem> {
        let limits = state.limits();
        let root_type = content_type.parameter("type").and_then(MediaType::parse).map(|root| root.essence().to_owned());
        match root_type.as_deref() {
            None | Some(DICOM | DICOM_JSON | "application/json") => {}
            Some(_) => return Err(unsupported()),
        }
        let boundary = content_type.parameter("boundary").ok_or_else(|| refuse(MultipartError::Boundary))?;
        let parser = MultipartParser::new(boundary, limits.parts, limits.part_header_bytes).map_err(refuse)?;
        let composer = Composer::new(limits.metadata_bytes, limits.held_bulk_bytes);
        Ok(Multipart { parser, inflow, instances, composer, root_type, most_meta: limits.file_meta_bytes })
    }

    async fn read(mut self) -> Result<Vec<outcome::Outcome>, Problem> {
        let mut part = None;
        loop {
            match self.parser.event().map_err(refuse)? {
                Event::Part(headers) => part = Some(self.begin(headers).await?),
                Event::Data(bytes) => match part.as_mut() {
                    Some(Part::File(file)) => file.push(&bytes, &mut self.instances).await?,
                    Some(Part::Metadata) => self.composer.metadata(&bytes)?,
                    Some(Part::Bulk) => self.composer.bulk(&bytes, &mut self.instances).await?,
                    None => {}
                },
                Event::PartEnd => match part.take() {
                    Some(Part::File(file)) => file.finish(&mut self.instances).await?,
                    Some(Part::Metadata) => self.composer.end_metadata(&mut self.instances).await?,
                    Some(Part::Bulk) => self.composer.end_bulk(&mut self.instances).await?,
                    None => {}
                },
                Event::End => break,
                Event::NeedMore => match self.inflow.next().await? {
                    Some(chunk) => self.parser.feed(chunk),
                    None => break,
                },
            }
        }
        self.parser.finish().map_err(refuse)?;
        self.composer.finish(&mut self.instances).await?;
        self.instances.outcomes().await
    }

    async fn begin(&mut self, headers: PartHeaders) -> Result<Part, Problem> {
        let essence = headers.content_type.as_ref().map(MediaType::essence).or(self.root_type.as_deref());
        match essence {
            None | Some(DICOM) => Ok(Part::File(FileReader::new(self.most_meta))),
            Some(DICOM_JSON | "application/json") => Ok(Part::Metadata),
            Some(DICOM_XML) => Err(Problem::unsupported_media_type("metadata are taken as application/dicom+json")),
            Some(_) if self.root_type.as_deref() == Some(DICOM) => {
                Err(Problem::unsupported_media_type("every part of this request has to be application/dicom"))
            }
            Some(_) => {
                self.composer.begin_bulk(headers, &mut self.instances).await?;
                Ok(Part::Bulk)
            }
        }
    }
}

fn refuse(error: MultipartError) -> Problem {
    Problem::bad_request(error.to_string())
}

/// The study that a request says all its instances belong to.
type ExpectedStudy = Option<StudyInstanceUid>;
