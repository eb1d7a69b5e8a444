//! Storage commitment as SCU, PS3.4 J.3: the archive's word that it has what was sent, before
//! the spool forgets it. The report is waited for on the same association.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use leadglass_archive::spool::Waiting;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::scan::Limits;
use leadglass_dicom::{DataSet, Encoding, Tag, Uid, VR, Value, encode};
use leadglass_dimse::message::{Command, NActionRequest, StatusDetail};
use leadglass_dimse::negotiation::AssociateRequest;
use leadglass_dimse::scu;
use leadglass_dimse::status::Status;

use crate::scp::{STORAGE_COMMITMENT_PUSH, STORAGE_COMMITMENT_PUSH_INSTANCE};
use crate::scu::Scu;

const TRANSACTION_UID: Tag = Tag(0x0008, 0x1195);
const REFERENCED_SOP_SEQUENCE: Tag = Tag(0x0008, 0x1199);
const REFERENCED_SOP_CLASS_UID: Tag = Tag(0x0008, 0x1150);
const REFERENCED_SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x1155);
const IMPLICIT: &str = leadglass_dicom::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
/// Bytes of a report: it names as many objects as were asked for.
const REPORT_BYTES: usize = 1 << 20;

/// Proposes what [`ask`] needs.
pub(super) fn propose(request: &mut AssociateRequest) -> anyhow::Result<()> {
    let class = Uid::parse(STORAGE_COMMITMENT_PUSH)?;
    request.propose(&class, &[Uid::parse(IMPLICIT)?]).context("no room for a context")?;
    Ok(())
}

/// Asks for commitment to these objects; the SOP Instance UIDs that it was not given for.
pub(super) async fn ask(association: &mut Scu, objects: &[&Waiting]) -> anyhow::Result<BTreeSet<String>> {
    let context = association.contexts_of(STORAGE_COMMITMENT_PUSH).next().map(|context| context.id);
    let context = context.context("the archive offers none to this title: enrol it with the verb `commit`")?;
    let transaction = format!("2.25.{}", uuid::Uuid::new_v4().as_u128());
    let information =
        information(&transaction, objects).encode(Encoding::ImplicitLittleEndian, &SpecificCharacterSet::default())?;
    let request = NActionRequest {
        message_id: association.next_message_id(),
        requested_sop_class: Uid::parse(STORAGE_COMMITMENT_PUSH)?,
        requested_sop_instance: Uid::parse(STORAGE_COMMITMENT_PUSH_INSTANCE)?,
        action_type: 1,
    };
    let response = scu::n_action(association, context, &request, Some(&information)).await?;
    if response.status != Status::SUCCESS {
        bail!("the archive answered the request with {}", response.status);
    }
    let committed = report(association, &transaction).await?;
    let asked = objects.iter().map(|object| object.sheet.sop_instance.clone());
    Ok(asked.filter(|instance| !committed.contains(instance)).collect())
}

/// Waits for the report of that transaction; the instances it commits to.
async fn report(association: &mut Scu, transaction: &str) -> anyhow::Result<BTreeSet<String>> {
    loop {
        let message = association.receive().await?.context("the archive released before it reported")?;
        let Command::NEventReportRequest(event) = Command::try_from(&message.command)? else {
            bail!("something else than a report came");
        };
        let bytes = association.receive_data_set(REPORT_BYTES).await?;
        let answer = event.response(Status::SUCCESS, StatusDetail::none());
        association.send(message.context_id, &answer.into(), None).await?;
        let report = encode::decode(&bytes, Encoding::ImplicitLittleEndian, &Limits::small())?;
        if report.text(TRANSACTION_UID) != Some(transaction) {
            continue;
        }
        let items = match report.element(REFERENCED_SOP_SEQUENCE).map(|element| &element.value) {
            Some(Value::Sequence(items)) => items.as_slice(),
            _ => &[],
        };
        return Ok(items.iter().filter_map(|item| item.text(REFERENCED_SOP_INSTANCE_UID)).map(str::to_owned).collect());
    }
}

fn information(transaction: &str, objects: &[&Waiting]) -> DataSet {
    let reference = |object: &&Waiting| {
        let mut item = DataSet::new();
        item.put_text(REFERENCED_SOP_CLASS_UID, VR::UI, &*object.sheet.sop_class);
        item.put_text(REFERENCED_SOP_INSTANCE_UID, VR::UI, &*object.sheet.sop_instance);
        item
    };
    let mut information = DataSet::new();
    information.put_text(TRANSACTION_UID, VR::UI, transaction);
    let items = objects.iter().map(reference).collect();
    information.put(REFERENCED_SOP_SEQUENCE, VR::SQ, Value::Sequence(items));
    information
}
