//! A profile: which options, what is known of which devices. Read from TOML or JSON by whoever
//! has a file; refused when it makes no sense.

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::option::{Options, ProfileOption};

/// Most device rules, regions of a rule, and words of a profile.
const MOST: usize = 1000;
/// Longest text of a rule, in characters.
const LONGEST: usize = 128;

/// What is done to objects that leave for a project, PS3.15 Annex E: the Basic Profile with
/// these options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The options, by name.
    pub options: Options,
    /// Words that may stay in descriptions, beside the built-in ones: capitals and digits.
    pub words: Vec<String>,
    /// What is known of the pixels of devices; of several rules that fit the first holds.
    #[serde(rename = "device")]
    pub devices: Vec<DeviceRule>,
}

/// What is known of the pixels of a device's objects. What is not given fits all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRule {
    /// Manufacturer (0008,0070), capitals and small letters alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Manufacturer's Model Name (0008,1090), likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Modality (0008,0060).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    /// SOP Class UID (0008,0016). A rule that names a private class vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sop_class: Option<String>,
    /// Rows (0028,0010).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// Columns (0028,0011).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<u16>,
    /// What is known.
    pub pixels: PixelRule,
}

/// What is known of pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PixelRule {
    /// Text is burned in there and nowhere else: these regions are blanked.
    Blank(Vec<Region>),
    /// Only what lies in the regions of (0018,6011) stays: the rest is blanked.
    UltrasoundRegionsOnly,
    /// Nothing is burned in; who says so, and when.
    NothingBurnedIn(String),
}

/// A rectangle of pixels, counted from 0 at the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// First column.
    pub left: u16,
    /// First row.
    pub top: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// Why a profile is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Dates cannot stay and move.
    #[error("retain-full-dates and retain-modified-dates exclude each other: choose one")]
    TwoKindsOfDates,
    /// A rule that could not be used.
    #[error("device rule {0} has no use without the option clean-pixel-data: add the option, or leave the rule out")]
    RuleWithoutOption(usize),
    /// A rule that fits everything.
    #[error("device rule {0} names neither a model nor a SOP class: it would fit what nobody has looked at")]
    RuleForAll(usize),
    /// Regions of images of unknown size.
    #[error("device rule {0} blanks regions: say of which rows and columns the images are, and keep inside")]
    RegionsOfUnknownSize(usize),
    /// A rule that nobody answers for.
    #[error("device rule {0} says that nothing is burned in: say who says so")]
    NobodyVouches(usize),
    /// A text out of bounds.
    #[error("device rule {0}: a text has 1 to 128 printable characters")]
    BadText(usize),
    /// A word that is none.
    #[error("a word that may stay has 2 to 32 capitals and digits, at least one capital")]
    BadWord,
    /// Too many of something.
    #[error("a profile has at most 1000 rules, regions of a rule, and words")]
    TooMany,
}

impl Profile {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), ProfileError> {
        let has = |option| self.options.has(option);
        if has(ProfileOption::RetainFullDates) && has(ProfileOption::RetainModifiedDates) {
            return Err(ProfileError::TwoKindsOfDates);
        }
        if self.devices.len() > MOST || self.words.len() > MOST {
            return Err(ProfileError::TooMany);
        }
        if !self.words.iter().all(|word| is_word(word)) {
            return Err(ProfileError::BadWord);
        }
        for (number, rule) in (1..).zip(&self.devices) {
            if !has(ProfileOption::CleanPixelData) {
                return Err(ProfileError::RuleWithoutOption(number));
            }
            rule.check(number)?;
        }
        Ok(())
    }

    /// The first rule that fits.
    pub(super) fn rule_for(&self, facts: &Facts) -> Option<&DeviceRule> {
        self.devices.iter().find(|rule| rule.fits(facts))
    }
}

impl DeviceRule {
    fn check(&self, number: usize) -> Result<(), ProfileError> {
        if self.model.is_none() && self.sop_class.is_none() {
            return Err(ProfileError::RuleForAll(number));
        }
        let texts = [&self.manufacturer, &self.model, &self.modality, &self.sop_class];
        if texts.into_iter().flatten().any(|text| !is_text(text)) {
            return Err(ProfileError::BadText(number));
        }
        match &self.pixels {
            PixelRule::Blank(regions) if regions.len() > MOST => Err(ProfileError::TooMany),
            PixelRule::Blank(regions) => {
                let (Some(rows), Some(columns)) = (self.rows, self.columns) else {
                    return Err(ProfileError::RegionsOfUnknownSize(number));
                };
                let inside = |region: &Region| {
                    let right = u32::from(region.left) + u32::from(region.width);
                    let bottom = u32::from(region.top) + u32::from(region.height);
                    region.width > 0 && region.height > 0 && right <= columns.into() && bottom <= rows.into()
                };
                let sensible = !regions.is_empty() && regions.iter().all(inside);
                sensible.then_some(()).ok_or(ProfileError::RegionsOfUnknownSize(number))
            }
            PixelRule::NothingBurnedIn(who) if !is_text(who) => Err(ProfileError::NobodyVouches(number)),
            PixelRule::NothingBurnedIn(_) | PixelRule::UltrasoundRegionsOnly => Ok(()),
        }
    }

    fn fits(&self, facts: &Facts) -> bool {
        let text = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| found.is_some_and(|found| found.eq_ignore_ascii_case(wanted.trim())))
        };
        text(&self.manufacturer, facts.manufacturer())
            && text(&self.model, facts.model())
            && text(&self.modality, facts.modality())
            && text(&self.sop_class, Some(facts.sop_class()))
            && self.rows.is_none_or(|rows| facts.rows() == Some(rows))
            && self.columns.is_none_or(|columns| facts.columns() == Some(columns))
    }
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST && text.chars().all(|c| !c.is_control())
}

fn is_word(word: &str) -> bool {
    (2..=32).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pixels: PixelRule) -> DeviceRule {
        DeviceRule {
            manufacturer: Some("ACME".into()),
            model: Some("Sono".into()),
            modality: None,
            sop_class: None,
            rows: Some(600),
            columns: Some(800),
            pixels,
        }
    }

    fn with(rule: DeviceRule) -> Profile {
        let options = [ProfileOption::CleanPixelData].into_iter().collect();
        Profile { options, words: Vec::new(), devices: vec![rule] }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let region = Region { left: 0, top: 0, width: 800, height: 50 };
        let good = rule(PixelRule::Blank(vec![region]));
        assert_eq!(with(good.clone()).check(), Ok(()));
        let both = [ProfileOption::RetainFullDates, ProfileOption::RetainModifiedDates].into_iter().collect();
        assert_eq!(Profile { options: both, ..Profile::default() }.check(), Err(ProfileError::TwoKindsOfDates));
        let without = Profile { options: Options::NONE, ..with(good.clone()) };
        assert_eq!(without.check(), Err(ProfileError::RuleWithoutOption(1)));
        let all = DeviceRule { model: None, ..good.clone() };
        assert_eq!(with(all).check(), Err(ProfileError::RuleForAll(1)));
        let outside = rule(PixelRule::Blank(vec![Region { left: 1, ..region }]));
        assert_eq!(with(outside).check(), Err(ProfileError::RegionsOfUnknownSize(1)));
        let sizeless = DeviceRule { rows: None, ..good.clone() };
        assert_eq!(with(sizeless).check(), Err(ProfileError::RegionsOfUnknownSize(1)));
        let nobody = rule(PixelRule::NothingBurnedIn(" ".into()));
        assert_eq!(with(nobody).check(), Err(ProfileError::NobodyVouches(1)));
        let escape = DeviceRule { model: Some("\u{1b}[2J".into()), ..good };
        assert_eq!(with(escape).check(), Err(ProfileError::BadText(1)));
        for word in ["A", "doe", "123", "A B", "É"] {
            let profile = Profile { words: vec![word.into()], ..Profile::default() };
            assert_eq!(profile.check(), Err(ProfileError::BadWord), "{word:?}");
        }
    }

    #[test]
    fn a_profile_survives_json_and_unknown_keys_do_not() {
        let profile = with(rule(PixelRule::NothingBurnedIn("Ada, 2026-11-01".into())));
        let text = serde_json::to_string(&profile).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
        for text in [
            r#"{"option":[]}"#,
            r#"{"options":["retain-everything"]}"#,
            r#"{"device":[{"model":"x","pixels":"ultrasound-regions-only","also":1}]}"#,
        ] {
            assert!(serde_json::from_str::<Profile>(text).is_err(), "{text}");
        }
    }
}
