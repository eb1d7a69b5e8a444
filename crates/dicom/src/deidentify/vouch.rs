//! Whether a profile can vouch for an object, PS3.15 E.3.1 and E.3.2: what the header cannot tell.

use super::facts::{Facts, PixelData};
use super::iod;
use super::option::ProfileOption;
use super::pixel::Blanks;
use super::profile::{DeviceRule, PixelRule, Profile};
use super::refusal::Refusal;

const STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";
/// Raw Data Storage.
const RAW_DATA: &str = "66";
/// Words of Image Type (0008,0008) that captured screens and dose pages carry.
const CAPTURED: [&str; 5] = ["SCREEN", "CAPTURE", "DOSE", "REPORT", "LABEL"];
/// Classes whose pixels often carry text: US, multi-frame US, SC, XA and RF, visible light.
const RISKY: [&str; 7] = ["3", "3.1", "6", "7", "12.1", "12.2", "77"];

/// What was found of the pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pixels {
    /// They go as they are, and nothing new is known of them.
    AsTheyAre,
    /// Nothing is burned in: somebody says so.
    VouchedFor,
    /// These parts are blanked.
    Blanked(Blanks),
}

/// Whether the object may go, and what of its pixels.
pub(super) fn vouch(profile: &Profile, facts: &Facts) -> Result<Pixels, Refusal> {
    if facts.out_of_order {
        return Err(Refusal::OutOfOrder);
    }
    let rule = profile.rule_for(facts);
    by_class(profile, facts, rule)?;
    if facts.overlay && !facts.overlay_data && facts.pixel_data.is_some() {
        return Err(Refusal::EmbeddedOverlay);
    }
    if facts.pixel_data.is_none() {
        return Ok(Pixels::AsTheyAre);
    }
    if profile.options.has(ProfileOption::CleanRecognizableVisualFeatures) && facts.recognizable() != Some("NO") {
        return Err(Refusal::RecognizableFeatures);
    }
    match rule {
        Some(rule) => by_rule(rule, facts),
        None => match facts.burned_in() {
            Some("YES") => Err(Refusal::BurnedIn),
            Some("NO") => Ok(Pixels::AsTheyAre),
            _ if is_risky(facts) => Err(Refusal::MaybeBurnedIn),
            _ => Ok(Pixels::AsTheyAre),
        },
    }
}

/// What the SOP class alone decides.
fn by_class(profile: &Profile, facts: &Facts, rule: Option<&DeviceRule>) -> Result<(), Refusal> {
    let class = facts.sop_class();
    let Some(storage) = class.strip_prefix(STORAGE) else {
        let vouched = rule.is_some_and(|rule| rule.sop_class.is_some()) || iod::is_known(class);
        return if vouched { Ok(()) } else { Err(Refusal::UnknownSopClass) };
    };
    if within(storage, "104") {
        return Err(Refusal::Document);
    }
    if within(storage, "9.4") {
        return Err(Refusal::Audio);
    }
    if storage == RAW_DATA {
        return Err(Refusal::RawData);
    }
    if within(storage, "88") && !profile.options.has(ProfileOption::CleanStructuredContent) {
        return Err(Refusal::StructuredReport);
    }
    let vouched = rule.is_some_and(|rule| rule.sop_class.is_some()) || iod::is_known(class);
    if vouched { Ok(()) } else { Err(Refusal::UnknownSopClass) }
}

fn by_rule(rule: &DeviceRule, facts: &Facts) -> Result<Pixels, Refusal> {
    if matches!(rule.pixels, PixelRule::NothingBurnedIn(_)) {
        return Ok(Pixels::VouchedFor);
    }
    let Some(PixelData::Native(length)) = facts.pixel_data else { return Err(Refusal::Compressed) };
    let blanks = match &rule.pixels {
        PixelRule::Blank(regions) => Blanks::inside(facts, length, regions),
        _ if facts.regions.is_empty() => return Err(Refusal::NoUltrasoundRegions),
        _ => Blanks::outside_ultrasound_regions(facts, length),
    };
    blanks.map(Pixels::Blanked).ok_or(Refusal::PixelGeometry)
}

fn is_risky(facts: &Facts) -> bool {
    let captured = |value: &String| {
        let value = value.to_ascii_uppercase();
        CAPTURED.iter().any(|word| value.contains(word))
    };
    let storage = facts.sop_class().strip_prefix(STORAGE);
    storage.is_none_or(|storage| RISKY.iter().any(|class| within(storage, class)))
        || facts.is_converted()
        || facts.modality().is_some_and(|modality| matches!(modality, "US" | "IVUS" | "SC" | "OT" | "ES" | "DOC"))
        || facts.image_type().iter().any(captured)
}

/// Whether a class is that one, or one below it.
fn within(class: &str, root: &str) -> bool {
    class.strip_prefix(root).is_some_and(|rest| {
        // `3` is multi-frame ultrasound and `3.1` its successor, but `30` is another family.
        rest.is_empty() || rest.starts_with('.')
    })
}
