//! C-FIND as SCP, PS3.4 C.4.1.

use leadglass_archive::Refused;
use leadglass_archive::search::Search;
use leadglass_dicom::attribute::Level;
use leadglass_dicom::query::{Query, QueryError, Root};
use leadglass_dicom::{DataSet, StudyInstanceUid, Tag, VR, Value};
use leadglass_dimse::AssociationError;
use leadglass_dimse::message::{CFindRequest, StatusDetail};
use leadglass_dimse::negotiation::PresentationContext;
use leadglass_dimse::status::Status;

use super::identifier::{self, QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET};
use super::session::Session;
use crate::metrics::{DICOM, FIND_SECONDS, Stopwatch};

const RETRIEVE_AE_TITLE: Tag = Tag(0x0008, 0x0054);
const INSTANCE_AVAILABILITY: Tag = Tag(0x0008, 0x0056);

/// Answers a query: each match pending, then how it ended.
pub async fn find(
    session: &mut Session,
    root: Root,
    context: &PresentationContext,
    request: &CFindRequest,
) -> Result<(), AssociationError> {
    let watch = Stopwatch::start(FIND_SECONDS, DICOM);
    let limit = session.entity.host.config.limits.identifier_bytes;
    let bytes = session.association.receive_data_set(limit).await?;
    let mut study = "-".to_owned();
    let (status, detail) = match asked(session, root, context, &bytes, limit) {
        Ok((identifier, query)) => {
            study = named_study(session, &identifier);
            answer(session, context, request, identifier, query).await?
        }
        Err(refusal) => refusal,
    };
    drop(watch);
    tracing::info!(door = DICOM, caller = session.caller.name(), study, status = status.0, "find");
    session.association.send(context.id, &request.response(status, detail).into(), None).await
}

/// The log's name of the one study an identifier names; `-` when it names none or several.
fn named_study(session: &Session, identifier: &DataSet) -> String {
    let named = match identifier.texts(Level::Study.unique_key()) {
        [uid] => StudyInstanceUid::parse(uid).ok(),
        _ => None,
    };
    named.map_or_else(|| "-".to_owned(), |study| session.entity.host.study_key(&study))
}

fn asked(
    session: &Session,
    root: Root,
    context: &PresentationContext,
    bytes: &[u8],
    limit: usize,
) -> Result<(DataSet, Query), (Status, StatusDetail)> {
    let identifier = identifier::read(bytes, &context.transfer_syntax, limit)
        .map_err(|error| (Status::CANNOT_UNDERSTAND, StatusDetail::comment(&error.to_string())))?;
    let query = Query::from_identifier(root, &session.query_options(&context.abstract_syntax), &identifier);
    Ok((identifier, query.map_err(|error| not_matching(&error))?))
}

/// An identifier that is no query of its SOP class, PS3.4 C.4.1.1.4.
pub fn not_matching(error: &QueryError) -> (Status, StatusDetail) {
    let detail = StatusDetail::comment(&error.to_string()).offending(error.offending_element());
    (Status::DATA_SET_DOES_NOT_MATCH, detail)
}

/// Sends the matches; says how it ended.
async fn answer(
    session: &mut Session,
    context: &PresentationContext,
    request: &CFindRequest,
    identifier: DataSet,
    query: Query,
) -> Result<(Status, StatusDetail), AssociationError> {
    let pending = if query.unsupported.is_empty() { Status::PENDING } else { Status::PENDING_WARNING };
    let response = request.response(pending, StatusDetail::none()).into();
    let (level, charset) = (query.level, query.charset.clone());
    let archive = session.entity.host.archive.clone();
    let mut matches = match archive.search(&session.caller, Search { query, limit: None, offset: 0 }).await {
        Ok(matches) => matches,
        Err(refused) => return Ok(status_of(&refused)),
    };
    loop {
        let rows = match matches.next_page().await {
            Ok(Some(rows)) => rows,
            Ok(None) => return Ok((Status::SUCCESS, StatusDetail::none())),
            Err(refused) => return Ok(status_of(&refused)),
        };
        for row in rows {
            if session.association.cancel_requested(request.message_id).await? {
                return Ok((Status::CANCEL, StatusDetail::none()));
            }
            let row = complete(row, &identifier, level, session.entity.host.ae_title.as_str());
            match identifier::write(&row, &context.transfer_syntax, &charset) {
                Ok(bytes) => session.association.send(context.id, &response, Some(&bytes)).await?,
                Err(error) => {
                    tracing::error!(%error, "a match cannot be written");
                    return Ok((Status::CANNOT_UNDERSTAND, StatusDetail::none()));
                }
            }
        }
    }
}

/// What a response holds beside the match, PS3.4 C.4.1.1.3.2: the level, from where to
/// retrieve, and what was asked for and has no value, empty.
fn complete(mut row: DataSet, identifier: &DataSet, level: Level, ae_title: &str) -> DataSet {
    for (tag, element) in identifier.iter() {
        if tag.element() != 0 && tag != SPECIFIC_CHARACTER_SET && row.element(tag).is_none() {
            row.put(tag, element.vr, Value::Empty);
        }
    }
    row.put_text(QUERY_RETRIEVE_LEVEL, VR::CS, level.as_str());
    row.put_text(RETRIEVE_AE_TITLE, VR::AE, ae_title);
    if identifier.element(INSTANCE_AVAILABILITY).is_some() {
        row.put_text(INSTANCE_AVAILABILITY, VR::CS, "ONLINE");
    }
    row
}

/// The one place that says with which status a refused query ends.
fn status_of(refused: &Refused) -> (Status, StatusDetail) {
    match refused {
        Refused::NotAllowed => (Status::NOT_AUTHORIZED, StatusDetail::none()),
        Refused::NotFound => (Status::SUCCESS, StatusDetail::none()),
        Refused::Invalid(why) => (Status::DATA_SET_DOES_NOT_MATCH, StatusDetail::comment(why)),
        Refused::Braked { wait_s, .. } => (
            Status::OUT_OF_RESOURCES,
            StatusDetail::comment(&format!("beyond this caller's envelope: wait {wait_s} s")),
        ),
        Refused::OutOfResources(_) | Refused::ReadOnly(_) => (Status::OUT_OF_RESOURCES, StatusDetail::none()),
        Refused::Damaged(_) | Refused::Broken(_) => (Status::CANNOT_UNDERSTAND, StatusDetail::none()),
    }
}
