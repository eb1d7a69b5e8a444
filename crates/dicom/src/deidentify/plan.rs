//! What a profile and a project make of one object: decided before its first byte leaves.

use std::collections::HashSet;

use super::facts::Facts;
use super::option::{Options, ProfileOption};
use super::profile::Profile;
use super::pseudonym::{PatientKey, Pseudonyms};
use super::refusal::Refusal;
use super::table::EDITION;
use super::vouch::{Pixels, vouch};
use crate::charset::SpecificCharacterSet;
use crate::{DataSet, Element, Encoding, SopInstanceUid, Tag, TransferSyntax, Uid, VR, Value};

/// Patient Identity Removed.
const IDENTITY_REMOVED: Tag = Tag(0x0012, 0x0062);
/// De-identification Method.
const METHOD: Tag = Tag(0x0012, 0x0063);
/// De-identification Method Code Sequence.
const METHOD_CODES: Tag = Tag(0x0012, 0x0064);
/// Burned In Annotation.
const BURNED_IN: Tag = Tag(0x0028, 0x0301);
/// Longitudinal Temporal Information Modified.
const TEMPORAL_INFORMATION: Tag = Tag(0x0028, 0x0303);

/// Everything that the rewriting of one object needs.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) options: Options,
    pub(super) words: HashSet<String>,
    pub(super) names: HashSet<String>,
    pub(super) pseudonyms: Pseudonyms,
    pub(super) patient: String,
    pub(super) shift_days: i32,
    pub(super) sop_class: String,
    pub(super) pixels: Pixels,
    pub(super) from: TransferSyntax,
    pub(super) to: TransferSyntax,
    /// Elements put in at the top level, encoded, by tag.
    pub(super) marks: Vec<(Tag, Vec<u8>)>,
}

impl Plan {
    /// Decides over an object that was examined.
    ///
    /// # Errors
    /// [`Refusal`]: the profile cannot vouch for the object, so it does not leave.
    pub fn new(
        profile: &Profile,
        pseudonyms: &Pseudonyms,
        transfer_syntax: &TransferSyntax,
        facts: &Facts,
    ) -> Result<Plan, Refusal> {
        if transfer_syntax.is_deflated() && transfer_syntax.is_encapsulated() {
            return Err(Refusal::TransferSyntax);
        }
        let pixels = vouch(profile, facts)?;
        let to = if transfer_syntax.is_native() {
            TransferSyntax::explicit_little_endian()
        } else {
            transfer_syntax.clone()
        };
        let patient = PatientKey::of(facts.patient_id(), facts.study());
        let marks = marks(profile.options, &pixels, to.encoding()).ok_or(Refusal::Unreadable)?;
        Ok(Plan {
            options: profile.options,
            words: profile.words.iter().cloned().collect(),
            names: facts.names.iter().cloned().collect(),
            pseudonyms: pseudonyms.clone(),
            patient: pseudonyms.patient(&patient),
            shift_days: pseudonyms.shift_days(&patient),
            sop_class: facts.sop_class().to_owned(),
            pixels,
            from: transfer_syntax.clone(),
            to,
            marks,
        })
    }

    /// The transfer syntax that comes out: Explicit VR Little Endian for a native one, the same
    /// for a compressed one.
    pub fn transfer_syntax(&self) -> &TransferSyntax {
        &self.to
    }

    /// The SOP Instance UID that comes out for the one that went in.
    pub fn sop_instance(&self, original: &SopInstanceUid) -> SopInstanceUid {
        self.uid(original.as_uid()).into()
    }

    /// The UID that comes out for one that went in: Study and Series Instance UID too.
    pub fn uid(&self, original: &Uid) -> Uid {
        if self.options.has(ProfileOption::RetainUids) {
            return original.clone();
        }
        self.pseudonyms.uid(original.as_str())
    }

    /// Whether an element of the top level goes because we say it ourselves.
    pub(super) fn says_itself(&self, tag: Tag) -> bool {
        [IDENTITY_REMOVED, METHOD, METHOD_CODES, TEMPORAL_INFORMATION].contains(&tag)
            || self.marks.iter().any(|(mark, _)| *mark == tag)
    }
}

/// What de-identified objects say of themselves, PS3.15 E.1.1 and E.3.6, PS3.3 C.7.1.1 and C.12.1.
fn marks(options: Options, pixels: &Pixels, encoding: Encoding) -> Option<Vec<(Tag, Vec<u8>)>> {
    let temporal = if options.has(ProfileOption::RetainFullDates) {
        "UNMODIFIED"
    } else if options.has(ProfileOption::RetainModifiedDates) {
        "MODIFIED"
    } else {
        "REMOVED"
    };
    let method = format!("Leadglass {}, PS3.15 {EDITION} Annex E", env!("CARGO_PKG_VERSION"));
    let mut elements = vec![
        (IDENTITY_REMOVED, text(VR::CS, "YES")),
        (METHOD, text(VR::LO, &method)),
        (METHOD_CODES, Element { vr: VR::SQ, value: Value::Sequence(codes(options, pixels)) }),
        (TEMPORAL_INFORMATION, text(VR::CS, temporal)),
    ];
    if *pixels != Pixels::AsTheyAre {
        elements.insert(3, (BURNED_IN, text(VR::CS, "NO")));
    }
    let encoded = elements.into_iter().map(|(tag, element)| {
        let data_set: DataSet = [(tag, element)].into_iter().collect();
        Some((tag, data_set.encode(encoding, &SpecificCharacterSet::default()).ok()?))
    });
    encoded.collect()
}

/// The Basic Profile and the options that were at work, CID 7050. Pixels are cleaned where a rule
/// says so, and graphics are: an option that had nothing to say of this object is named all the same,
/// but for Clean Pixel Data without a rule.
fn codes(options: Options, pixels: &Pixels) -> Vec<DataSet> {
    let item = |code: u32, meaning: &str| {
        let mut item = DataSet::new();
        item.put_text(Tag(0x0008, 0x0100), VR::SH, code.to_string());
        item.put_text(Tag(0x0008, 0x0102), VR::SH, "DCM");
        item.put_text(Tag(0x0008, 0x0104), VR::LO, meaning);
        item
    };
    let at_work = |option: &ProfileOption| *option != ProfileOption::CleanPixelData || *pixels != Pixels::AsTheyAre;
    let options = options.iter().filter(at_work).map(|option| item(option.code(), option.meaning()));
    std::iter::once(item(113_100, "Basic Application Confidentiality Profile")).chain(options).collect()
}

fn text(vr: VR, text: &str) -> Element {
    Element { vr, value: Value::Text(vec![text.to_owned()]) }
}
