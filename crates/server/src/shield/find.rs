//! C-FIND through a shield: rows are gathered by pages and counted before they are handed on.
//!
//! Deliberately absent: a row that cannot be read, which could not be counted.

use leadglass_archive::Refused;
use leadglass_archive::relay::{Ended, Relaying, Told};
use leadglass_dicom::attribute::Level;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::{DataSet, Tag, VR, Value};
use leadglass_dimse::association::Message;
use leadglass_dimse::negotiation::PresentationContext;
use leadglass_dimse::status::Status;
use leadglass_dimse::{Association, AssociationError};

use super::dimse::{Session, status_of};
use super::request::PATIENT_ID;
use super::rows;
use crate::edge::relay::{RelayError, awaited, status_of_answer};
use crate::listen::Stream;
use crate::scp::identifier::{self, SPECIFIC_CHARACTER_SET};

/// Rows that are counted at once; whoever is told of few patients at once asked for them.
const PAGE: usize = 256;
/// Bytes of such rows.
const PAGE_BYTES: usize = 4 << 20;

/// Why a query does not go on.
enum Failed {
    Side(RelayError),
    /// The rows are beyond the caller's envelope.
    Refused(Refused),
}

impl From<RelayError> for Failed {
    fn from(error: RelayError) -> Failed {
        Failed::Side(error)
    }
}

fn behind(error: AssociationError) -> Failed {
    Failed::Side(RelayError::Behind(error))
}

fn front(error: AssociationError) -> Failed {
    Failed::Side(RelayError::Front(error))
}

/// Passes a query on, and its rows back.
pub(super) async fn find(
    session: &mut Session,
    context: &PresentationContext,
    message: &Message,
    asked: DataSet,
    relaying: Relaying,
) -> Result<(), AssociationError> {
    let Some((bytes, added)) = with_keys(asked, context) else {
        relaying.close(Ended::Failed);
        return session.refuse(message, Status::CANNOT_UNDERSTAND, "an identifier that cannot be passed on").await;
    };
    match carried(session, context, message, (&bytes, &added), &relaying).await {
        Ok(status) => {
            relaying.close(if status.is_done() { Ended::Done } else { Ended::Failed });
            Ok(())
        }
        // Dropped, the entry says that it was interrupted.
        Err(Failed::Side(RelayError::Front(error))) => Err(error),
        Err(Failed::Side(RelayError::Behind(error))) => {
            relaying.close(Ended::Failed);
            session.lost(&error).await;
            session.refuse(message, Status::CANNOT_UNDERSTAND, "the old archive ended the association").await
        }
        Err(Failed::Refused(refused)) => {
            relaying.close(Ended::Refused);
            session.lost(&AssociationError::Misuse("rows were held back")).await;
            session.refuse(message, status_of(&refused), "").await
        }
    }
}

/// The identifier, which asks for Patient ID and Study Instance UID too: whom a row tells of
/// has to be in it. Second, what the client did not ask for.
fn with_keys(mut asked: DataSet, context: &PresentationContext) -> Option<(Vec<u8>, Vec<Tag>)> {
    let keys = [(PATIENT_ID, VR::LO), (Level::Study.unique_key(), VR::UI)];
    let missing: Vec<_> = keys.into_iter().filter(|(tag, _)| asked.element(*tag).is_none()).collect();
    for (tag, vr) in &missing {
        asked.put(*tag, *vr, Value::Empty);
    }
    let bytes = written(&asked, context)?;
    Some((bytes, missing.into_iter().map(|(tag, _)| tag).collect()))
}

fn written(data_set: &DataSet, context: &PresentationContext) -> Option<Vec<u8>> {
    let terms: Vec<&str> = data_set.texts(SPECIFIC_CHARACTER_SET).iter().map(String::as_str).collect();
    identifier::write(data_set, &context.transfer_syntax, &SpecificCharacterSet::from_terms(&terms)).ok()
}

/// A row as it came, but for what its reader did not ask for.
fn without(mut row: DataSet, bytes: Vec<u8>, added: &[Tag], context: &PresentationContext) -> Vec<u8> {
    let removed = added.iter().filter(|tag| row.remove(**tag).is_some()).count();
    if removed == 0 { bytes } else { written(&row, context).unwrap_or(bytes) }
}

async fn carried(
    session: &mut Session,
    context: &PresentationContext,
    message: &Message,
    (asked, added): (&[u8], &[Tag]),
    relaying: &Relaying,
) -> Result<Status, Failed> {
    let limit = session.entity.host().config.limits.identifier_bytes;
    let Session { front: client, behind: Some(archive), .. } = session else {
        return Err(behind(AssociationError::Misuse("it has ended")));
    };
    archive.send(message.context_id, &message.command, Some(asked)).await.map_err(behind)?;
    let mut page = Page::default();
    loop {
        let received = awaited(client, archive, message).await?;
        let status = status_of_answer(message, &received)?;
        if status.is_pending() && received.has_data_set {
            let bytes = archive.receive_data_set(limit).await.map_err(behind)?;
            let row = identifier::read(&bytes, &context.transfer_syntax, limit);
            let row = row.map_err(|_| behind(AssociationError::PeerMisbehaved("a row that cannot be read")))?;
            page.told.push(rows::of_data_set(&row));
            page.bytes += bytes.len();
            page.rows.push((received, without(row, bytes, added, context)));
            if page.rows.len() >= PAGE || page.bytes >= PAGE_BYTES {
                std::mem::take(&mut page).hand_on(client, relaying).await?;
            }
            continue;
        }
        if received.has_data_set {
            return Err(behind(AssociationError::PeerMisbehaved("a data set in a final response")));
        }
        std::mem::take(&mut page).hand_on(client, relaying).await?;
        client.send(received.context_id, &received.command, None).await.map_err(front)?;
        if !status.is_pending() {
            return Ok(status);
        }
    }
}

/// Rows that wait to be counted.
#[derive(Default)]
struct Page {
    rows: Vec<(Message, Vec<u8>)>,
    told: Vec<Told>,
    bytes: usize,
}

impl Page {
    async fn hand_on(self, client: &mut Association<Stream>, relaying: &Relaying) -> Result<(), Failed> {
        relaying.tells(&self.told).await.map_err(Failed::Refused)?;
        for (response, bytes) in &self.rows {
            client.send(response.context_id, &response.command, Some(bytes)).await.map_err(front)?;
        }
        Ok(())
    }
}
