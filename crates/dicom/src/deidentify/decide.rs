//! What is done with an attribute: the table, the options, the types, and a rule for the rest.
//!
//! The rest, what no table names, is decided by what it is: unknown attributes go; persons,
//! addresses and application entities go; dates are treated as the dates of the table; UIDs are
//! remapped unless they name a class, a syntax or a scheme; free text goes unless it is on a short
//! list of technical attributes; codes, short labels and numbers stay, as the standard has it.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_dictionary_std::StandardDataDictionary;

use super::iod::{Type, type_of};
use super::option::{Options, ProfileOption};
use super::table::{Action, Row, row_of};
use crate::{Tag, VR};

use ProfileOption::{
    CleanDescriptors, CleanGraphics, CleanStructuredContent, RetainFullDates, RetainModifiedDates,
    RetainPatientCharacteristics, RetainUids,
};

/// What to do with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It stays as it is; a sequence's items are looked through.
    Keep,
    /// The same, because an option says so.
    KeepByOption,
    /// It goes.
    Remove,
    /// It stays without a value.
    Empty,
    /// A dummy stands for it; in a sequence, for every value inside.
    Dummy,
    /// A UID stands for each of its UIDs.
    Uid,
    /// The patient's pseudonym stands for it.
    Pseudonym,
    /// Its dates move.
    Shift,
    /// Its known words stay; without any, what the decision inside says.
    Words(Fallback),
}

/// What is done with a text of which no word stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    Remove,
    Empty,
    Dummy,
}

const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const TIMEZONE_OFFSET: Tag = Tag(0x0008, 0x0201);
/// UIDs that name no instance: classes, syntaxes, schemes and context groups.
const NAMES_OF_KINDS: [Tag; 18] = [
    Tag(0x0008, 0x0016),
    Tag(0x0008, 0x001A),
    Tag(0x0008, 0x001B),
    Tag(0x0008, 0x0062),
    Tag(0x0008, 0x010C),
    Tag(0x0008, 0x010D),
    Tag(0x0008, 0x0117),
    Tag(0x0008, 0x0118),
    Tag(0x0008, 0x040E),
    Tag(0x0008, 0x1150),
    Tag(0x0008, 0x115A),
    Tag(0x0008, 0x3002),
    Tag(0x0034, 0x0003),
    Tag(0x0400, 0x0010),
    Tag(0x0400, 0x0510),
    Tag(0x3010, 0x001F),
    Tag(0x3010, 0x0052),
    Tag(0x3010, 0x0053),
];
/// Free text and bytes outside the table that tell of technique alone.
const TECHNICAL: [Tag; 24] = [
    Tag(0x0008, 0x0108), // Extended Code Meaning
    Tag(0x0008, 0x0114), // Coding Scheme External ID
    Tag(0x0008, 0x0115), // Coding Scheme Name
    Tag(0x0008, 0x0116), // Coding Scheme Responsible Organization
    Tag(0x0008, 0x0119), // Long Code Value
    Tag(0x0008, 0x0120), // URN Code Value
    Tag(0x0016, 0x0003), // Battery Level
    Tag(0x0016, 0x0008), // OECF Column Names
    Tag(0x0016, 0x000C), // Spatial Frequency Response Column Names
    Tag(0x0016, 0x0017), // Spectral Sensitivity
    Tag(0x0016, 0x0020), // EXIF Version
    Tag(0x0018, 0x7008), // Detector Mode
    Tag(0x0018, 0x7040), // Grid Absorbing Material
    Tag(0x0018, 0x7041), // Grid Spacing Material
    Tag(0x0018, 0x7062), // Exposure Control Mode Description
    Tag(0x0018, 0x9080), // Metabolite Map Description
    Tag(0x0018, 0x9941), // Image Filter Description
    Tag(0x0028, 0x2000), // ICC Profile
    Tag(0x0028, 0x6190), // Mask Operation Explanation
    Tag(0x0048, 0x0107), // Optical Path Description
    Tag(0x0066, 0x0032), // Algorithm Parameters
    Tag(0x0070, 0x0256), // Fill Pattern
    Tag(0x2010, 0x0010), // Image Display Format
    Tag(0x300A, 0x007B), // Fraction Pattern
];
/// Non-destructive testing and security screening: their attributes describe no patient, and
/// nobody has gone through them.
const OTHER_TRADES: [u16; 2] = [0x0014, 0x4010];

/// Where an element is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The SOP class of the instance.
    pub(super) sop_class: &'a str,
    /// Whether it is inside a sequence.
    pub(super) nested: bool,
    /// Whether a sequence around it has a dummy for each value.
    pub(super) in_dummy: bool,
}

/// Decides over an element of an even group that is neither curve nor overlay.
pub(super) fn decide(options: Options, tag: Tag, vr: VR, place: Place<'_>) -> Decision {
    let decision = match row_of(tag) {
        Some(row) => by_row(options, row, tag, vr, place),
        None => by_kind(options, tag, vr),
    };
    if !place.in_dummy {
        return decision;
    }
    match (decision, vr) {
        (Decision::Remove | Decision::Empty, _) => decision,
        (_, VR::UI) if NAMES_OF_KINDS.contains(&tag) => decision,
        (_, VR::UI) => Decision::Uid,
        (_, VR::CS | VR::AT) if row_of(tag).is_none() => decision,
        _ => Decision::Dummy,
    }
}

fn by_row(options: Options, row: &Row, tag: Tag, vr: VR, place: Place<'_>) -> Decision {
    let cleans = row.cleaned_by.and(options);
    // Before what keeps: a date kept beside dates moved would tell by how much.
    if cleans.has(RetainModifiedDates) && (is_date(vr) || tag == TIMEZONE_OFFSET) {
        return Decision::Shift;
    }
    if !row.kept_by.and(options).is_empty() {
        return Decision::KeepByOption;
    }
    let basic = basic(row.action, tag, vr, place);
    let is_content = cleans.has(CleanStructuredContent) || cleans.has(CleanGraphics);
    let is_description = cleans.has(CleanDescriptors) || cleans.has(RetainPatientCharacteristics);
    match vr {
        VR::SQ if is_content => Decision::KeepByOption,
        VR::LO | VR::SH | VR::ST | VR::LT | VR::UT | VR::UC if is_content || is_description => {
            Decision::Words(match basic {
                Decision::Dummy => Fallback::Dummy,
                Decision::Empty => Fallback::Empty,
                _ => Fallback::Remove,
            })
        }
        _ => basic,
    }
}

/// The Basic Profile alone. A compound action is what the type in the IOD leaves.
fn basic(action: Action, tag: Tag, vr: VR, place: Place<'_>) -> Decision {
    if tag == PATIENT_ID || tag == PATIENT_NAME {
        return Decision::Pseudonym;
    }
    let type_of = || type_of(tag, place.sop_class, place.nested);
    let decision = match action {
        Action::Remove => Decision::Remove,
        Action::Empty => Decision::Empty,
        Action::Dummy => Decision::Dummy,
        Action::Uid => Decision::Uid,
        Action::ReferencesWithin => Decision::Keep,
        Action::RemoveOrEmpty => match type_of() {
            Type::Three => Decision::Remove,
            _ => Decision::Empty,
        },
        Action::RemoveOrDummy => match type_of() {
            Type::Three => Decision::Remove,
            _ => Decision::Dummy,
        },
        Action::RemoveOrEmptyOrDummy => match type_of() {
            Type::Three => Decision::Remove,
            Type::Two => Decision::Empty,
            Type::One => Decision::Dummy,
        },
        Action::EmptyOrDummy => match type_of() {
            Type::One => Decision::Dummy,
            _ => Decision::Empty,
        },
    };
    match (decision, vr) {
        (Decision::Dummy, VR::UI) => Decision::Uid,
        (Decision::Uid, vr) if vr != VR::UI => Decision::Dummy,
        // Nothing but items can be looked through.
        (Decision::Keep, vr) if vr != VR::SQ => Decision::Remove,
        (decision, _) => decision,
    }
}

/// What no table names.
fn by_kind(options: Options, tag: Tag, vr: VR) -> Decision {
    let Some(entry) = StandardDataDictionary.by_tag(tag) else { return Decision::Remove };
    if OTHER_TRADES.contains(&tag.group()) || !is_as_expected(entry.vr(), vr) {
        return Decision::Remove;
    }
    match vr {
        VR::PN | VR::AE | VR::UN => Decision::Remove,
        VR::AS if options.has(RetainPatientCharacteristics) => Decision::KeepByOption,
        VR::AS => Decision::Remove,
        _ if is_date(vr) && options.has(RetainModifiedDates) => Decision::Shift,
        _ if is_date(vr) && options.has(RetainFullDates) => Decision::KeepByOption,
        _ if is_date(vr) => Decision::Remove,
        VR::UI if NAMES_OF_KINDS.contains(&tag) => Decision::Keep,
        VR::UI if options.has(RetainUids) => Decision::KeepByOption,
        VR::UI => Decision::Uid,
        VR::LT | VR::ST | VR::UT | VR::UC | VR::UR if TECHNICAL.contains(&tag) => Decision::Keep,
        VR::LT | VR::ST | VR::UT | VR::UC if options.has(CleanDescriptors) => Decision::Words(Fallback::Remove),
        VR::LT | VR::ST | VR::UT | VR::UC | VR::UR => Decision::Remove,
        VR::OB if entry.vr() == VirtualVr::Exact(VR::OB) && !TECHNICAL.contains(&tag) => Decision::Remove,
        _ => Decision::Keep,
    }
}

fn is_date(vr: VR) -> bool {
    matches!(vr, VR::DA | VR::DT | VR::TM)
}

/// Whether the VR that is written may stand for the dictionary's: a number is no text and a short
/// string no long one, however the sender calls it.
fn is_as_expected(dictionary: VirtualVr, vr: VR) -> bool {
    let VirtualVr::Exact(expected) = dictionary else { return !is_text(vr) };
    let both = |is: fn(VR) -> bool| is(expected) && is(vr);
    expected == vr || both(is_short_text) || both(is_bytes) || both(is_number)
}

fn is_short_text(vr: VR) -> bool {
    matches!(vr, VR::AS | VR::CS | VR::DA | VR::DS | VR::DT | VR::IS | VR::LO | VR::SH | VR::TM)
}

fn is_text(vr: VR) -> bool {
    is_short_text(vr) || matches!(vr, VR::AE | VR::LT | VR::PN | VR::ST | VR::UC | VR::UI | VR::UR | VR::UT)
}

fn is_bytes(vr: VR) -> bool {
    matches!(vr, VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW)
}

fn is_number(vr: VR) -> bool {
    matches!(vr, VR::US | VR::SS | VR::UL | VR::SL | VR::UV | VR::SV | VR::FL | VR::FD)
}
