//! Fetching by C-GET: the objects come back on the same association.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use bytes::Bytes;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::{DataSet, Encoding, SopClassUid, SopInstanceUid, TransferSyntax, Uid};
use leadglass_dimse::message::StatusDetail;
use leadglass_dimse::scu::{self, GetEvent};
use leadglass_dimse::status::Status;

use super::Peering;

/// Study Root Query/Retrieve Information Model – GET.
pub const STUDY_ROOT_GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
/// Implicit VR Little Endian, which every peer knows.
const IMPLICIT: &str = leadglass_dicom::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;

/// Takes what comes.
pub trait Sink {
    /// An object begins.
    fn begin(&mut self, class: &SopClassUid, instance: &SopInstanceUid, syntax: &TransferSyntax)
    -> std::io::Result<()>;
    /// Bytes of its data set.
    fn chunk(&mut self, bytes: &Bytes) -> std::io::Result<()>;
    /// It is whole.
    fn end(&mut self) -> std::io::Result<()>;
}

/// Gets what the identifier names, in any of these pairs of SOP class and transfer syntax.
/// Says how many objects the archive reports as not sent; whether all came is for the
/// caller to see.
pub async fn fetch(
    peering: &Peering,
    identifier: &DataSet,
    kinds: &BTreeSet<(Uid, Uid)>,
    sink: &mut impl Sink,
) -> anyhow::Result<u32> {
    let mut request = peering.request();
    let get = request.propose(&Uid::parse(STUDY_ROOT_GET)?, &[Uid::parse(IMPLICIT)?]).context("no room")?;
    for (class, syntax) in kinds {
        if request.propose(class, std::slice::from_ref(syntax)).is_none() {
            bail!("more than 127 kinds of objects in one C-GET: ask for less at once");
        }
    }
    for class in kinds.iter().map(|(class, _)| class).collect::<BTreeSet<_>>() {
        request.propose_role(class, false, true);
    }
    let mut association = peering.associate(request).await?;
    let syntaxes: Vec<(u8, Uid)> =
        association.contexts().iter().map(|context| (context.id, context.transfer_syntax.clone())).collect();
    let identifier = identifier.encode(Encoding::ImplicitLittleEndian, &SpecificCharacterSet::utf8())?;
    let mut getting = scu::get(&mut association, get, &identifier).await?;
    let (mut last, mut failed) = (Status::SUCCESS, 0);
    while let Some(event) = getting.next().await? {
        match event {
            GetEvent::Progress(response) => {
                last = response.status;
                failed = response.sub_operations.map_or(failed, |counts| counts.failed);
            }
            GetEvent::Instance { context_id, request } => {
                let syntax = syntaxes.iter().find(|(id, _)| *id == context_id).context("an object on no context")?;
                sink.begin(
                    &request.affected_sop_class.clone().into(),
                    &request.affected_sop_instance.clone().into(),
                    &TransferSyntax::from_uid(syntax.1.clone()),
                )?;
                while let Some(chunk) = getting.next_data_chunk().await? {
                    sink.chunk(&chunk)?;
                }
                sink.end()?;
                getting.answer(Status::SUCCESS, StatusDetail::none()).await?;
            }
        }
    }
    association.release().await?;
    match last {
        Status::SUCCESS | Status::SUBOPS_WARNING => Ok(failed),
        // None of the objects could be sent: that is a number, not the end of everything.
        Status::OUT_OF_RESOURCES_SUBOPERATIONS if failed > 0 => Ok(failed),
        Status::OUT_OF_RESOURCES_SUBOPERATIONS => {
            bail!("the archive did not begin the C-GET (status A702: it cannot do the sub-operations at present)")
        }
        status => bail!("the archive ended the C-GET with status {:04X}", status.0),
    }
}
