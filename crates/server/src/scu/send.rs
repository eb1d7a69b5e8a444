//! Sending files: as many associations as their presentation contexts need, one after the other.

use std::collections::BTreeMap;

use leadglass_dicom::Uid;
use leadglass_dimse::message::{CStoreRequest, Priority};
use leadglass_dimse::scu::{self, Reader};
use leadglass_dimse::status::Status;

use super::{DicomFile, Peering, Scu};

/// Presentation contexts of one association, PS3.8 9.3.2.2.
const MAX_CONTEXTS: usize = 128;

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The archive answered with this status.
    Answered(Status),
    /// The archive takes no objects of that class in that transfer syntax from us.
    NotAccepted,
    /// It could not be read.
    Unreadable(String),
}

impl Sent {
    /// Whether the archive has it now.
    pub fn is_stored(&self) -> bool {
        matches!(self, Sent::Answered(status) if *status == Status::SUCCESS)
    }
}

/// Sends the files; tells of each as its answer comes. An association that breaks ends it.
pub async fn send(
    peering: &Peering,
    files: &[DicomFile],
    mut told: impl FnMut(&DicomFile, Sent),
) -> anyhow::Result<()> {
    let mut by_context: BTreeMap<(Uid, Uid), Vec<&DicomFile>> = BTreeMap::new();
    for file in files {
        let key = (file.sop_class.as_uid().clone(), file.transfer_syntax.uid().clone());
        by_context.entry(key).or_default().push(file);
    }
    let contexts: Vec<_> = by_context.into_iter().collect();
    for some in contexts.chunks(MAX_CONTEXTS) {
        let mut request = peering.request();
        let ids: Vec<_> =
            some.iter().map(|((class, syntax), _)| request.propose(class, std::slice::from_ref(syntax))).collect();
        let mut association = peering.associate(request).await?;
        for (id, (_, files)) in ids.into_iter().zip(some) {
            let accepted = id.filter(|id| association.context(*id).is_some());
            for file in files {
                let sent = match accepted {
                    None => Sent::NotAccepted,
                    Some(id) => send_one(&mut association, id, file).await?,
                };
                told(file, sent);
            }
        }
        association.release().await?;
    }
    Ok(())
}

async fn send_one(association: &mut Scu, context_id: u8, file: &DicomFile) -> anyhow::Result<Sent> {
    let data_set = match file.data_set().await {
        Ok(data_set) => data_set,
        Err(error) => return Ok(Sent::Unreadable(error.to_string())),
    };
    let request = CStoreRequest {
        message_id: association.next_message_id(),
        affected_sop_class: file.sop_class.as_uid().clone(),
        affected_sop_instance: file.sop_instance.as_uid().clone(),
        priority: Priority::Medium,
        move_originator: None,
    };
    let response = scu::store(association, context_id, &request, Reader(data_set)).await?;
    Ok(Sent::Answered(response.status))
}
