//! Asking by C-FIND in the Study Root model, match by match.

use anyhow::{Context, bail};
use leadglass_dicom::attribute::Level;
use leadglass_dicom::charset::SpecificCharacterSet;
use leadglass_dicom::query::QueryOptions;
use leadglass_dicom::scan::Limits;
use leadglass_dicom::{DataSet, Encoding, Tag, Uid, VR, encode};
use leadglass_dimse::negotiation::ExtendedNegotiation;
use leadglass_dimse::scu;
use leadglass_dimse::status::Status;

use super::Peering;

/// Study Root Query/Retrieve Information Model – FIND.
pub const STUDY_ROOT_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
/// Implicit VR Little Endian, which every peer knows.
const IMPLICIT: &str = leadglass_dicom::transfer_syntax::IMPLICIT_VR_LITTLE_ENDIAN;
const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);
const QUERY_RETRIEVE_LEVEL: Tag = Tag(0x0008, 0x0052);

/// Sends the query and tells of each match; `false` from `told` asks the archive to stop.
pub async fn query(
    peering: &Peering,
    options: QueryOptions,
    identifier: &DataSet,
    mut told: impl FnMut(DataSet) -> bool,
) -> anyhow::Result<()> {
    let class = Uid::parse(STUDY_ROOT_FIND)?;
    let mut request = peering.request();
    let context = request.propose(&class, &[Uid::parse(IMPLICIT)?]).context("no room for a context")?;
    if options != QueryOptions::default() {
        request.extended.push(ExtendedNegotiation { sop_class: class, information: options.to_extended().to_vec() });
    }
    let mut association = peering.associate(request).await?;
    if association.context(context).is_none() {
        bail!("{} answers no study root queries from {}", peering.called, peering.calling);
    }
    let identifier = identifier.encode(Encoding::ImplicitLittleEndian, &SpecificCharacterSet::utf8())?;
    let mut finding = scu::find(&mut association, context, &identifier).await?;
    let mut cancelled = false;
    while let Some(found) = finding.next().await? {
        if cancelled {
            continue;
        }
        let found = encode::decode(&found, Encoding::ImplicitLittleEndian, &Limits::small());
        if !told(found.context("a match that is no data set")?) {
            cancelled = true;
            finding.cancel().await?;
        }
    }
    let status = finding.outcome().map_or(Status::PROCESSING_FAILURE, |outcome| outcome.status);
    association.release().await?;
    if status != Status::SUCCESS && !(cancelled && status == Status::CANCEL) {
        bail!("the archive ended the C-FIND with status {:04X}", status.0);
    }
    Ok(())
}

/// An identifier at a level, in UTF-8.
pub fn identifier(level: Level) -> DataSet {
    let mut identifier = DataSet::new();
    identifier.put_text(SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    identifier.put_text(QUERY_RETRIEVE_LEVEL, VR::CS, level.as_str());
    identifier
}
