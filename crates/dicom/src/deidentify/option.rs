//! The options of the Basic Profile, PS3.15 E.3, and their codes of CID 7050 (PS3.16).

use serde::{Deserialize, Serialize};

macro_rules! options {
    ($($(#[$doc:meta])* $variant:ident $code:literal $name:literal $meaning:literal;)*) => {
        /// An option of the Basic Application Level Confidentiality Profile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ProfileOption {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl ProfileOption {
            /// All of them, in the order of their codes.
            pub const ALL: &[ProfileOption] = &[$(ProfileOption::$variant),*];

            /// The code value of CID 7050, coding scheme DCM.
            pub fn code(self) -> u32 {
                match self {
                    $(ProfileOption::$variant => $code,)*
                }
            }

            /// The code meaning of CID 7050.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(ProfileOption::$variant => $meaning,)*
                }
            }

            /// The name in a profile's file.
            pub fn name(self) -> &'static str {
                match self {
                    $(ProfileOption::$variant => $name,)*
                }
            }
        }
    };
}

options! {
    /// E.3.1: text burned into the pixels is blanked, by the rules of the profile.
    CleanPixelData 113_101 "clean-pixel-data" "Clean Pixel Data Option";
    /// E.3.2: no face can be reconstructed.
    CleanRecognizableVisualFeatures 113_102 "clean-recognizable-visual-features"
        "Clean Recognizable Visual Features Option";
    /// E.3.3: graphics stay, text in them goes.
    CleanGraphics 113_103 "clean-graphics" "Clean Graphics Option";
    /// E.3.4: the tree of a report stays, text and people in it go.
    CleanStructuredContent 113_104 "clean-structured-content" "Clean Structured Content Option";
    /// E.3.5: of descriptions the words stay that are known to identify nobody.
    CleanDescriptors 113_105 "clean-descriptors" "Clean Descriptors Option";
    /// E.3.6: dates and times stay.
    RetainFullDates 113_106 "retain-full-dates"
        "Retain Longitudinal Temporal Information Full Dates Option";
    /// E.3.6: dates stay, moved by a number of days that is one patient's.
    RetainModifiedDates 113_107 "retain-modified-dates"
        "Retain Longitudinal Temporal Information Modified Dates Option";
    /// E.3.7: age, sex, size, weight and the like stay.
    RetainPatientCharacteristics 113_108 "retain-patient-characteristics" "Retain Patient Characteristics Option";
    /// E.3.8: what names the device stays.
    RetainDeviceIdentity 113_109 "retain-device-identity" "Retain Device Identity Option";
    /// E.3.9: UIDs stay.
    RetainUids 113_110 "retain-uids" "Retain UIDs Option";
    /// E.3.10: private attributes known to be safe stay.
    RetainSafePrivate 113_111 "retain-safe-private" "Retain Safe Private Option";
    /// E.3.11: what names the institution stays.
    RetainInstitutionIdentity 113_112 "retain-institution-identity" "Retain Institution Identity Option";
}

/// The first code of CID 7050 that is an option.
const FIRST: u32 = 113_101;

/// A set of options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<ProfileOption>", into = "Vec<ProfileOption>")]
pub struct Options(u16);

impl Options {
    /// No option.
    pub const NONE: Options = Options(0);

    /// Whether the option is in the set.
    pub fn has(self, option: ProfileOption) -> bool {
        self.0 & bit(option) != 0
    }

    /// The set with that option.
    #[must_use]
    pub fn with(self, option: ProfileOption) -> Options {
        Options(self.0 | bit(option))
    }

    /// The options that are in both sets.
    #[must_use]
    pub fn and(self, other: Options) -> Options {
        Options(self.0 & other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The options, in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = ProfileOption> {
        ProfileOption::ALL.iter().copied().filter(move |option| self.has(*option))
    }
}

impl FromIterator<ProfileOption> for Options {
    fn from_iter<I: IntoIterator<Item = ProfileOption>>(options: I) -> Options {
        options.into_iter().fold(Options::NONE, Options::with)
    }
}

impl From<Vec<ProfileOption>> for Options {
    fn from(options: Vec<ProfileOption>) -> Options {
        options.into_iter().collect()
    }
}

impl From<Options> for Vec<ProfileOption> {
    fn from(options: Options) -> Vec<ProfileOption> {
        options.iter().collect()
    }
}

/// The option of that code of CID 7050.
pub(super) fn of_code(code: &str) -> Option<ProfileOption> {
    let code: u32 = code.parse().ok()?;
    ProfileOption::ALL.iter().copied().find(|option| option.code() == code)
}

fn bit(option: ProfileOption) -> u16 {
    1 << (option.code() - FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_told_apart() {
        assert_eq!(ProfileOption::ALL.len(), 12);
        for option in ProfileOption::ALL {
            let only = Options::NONE.with(*option);
            assert_eq!(only.iter().collect::<Vec<_>>(), [*option]);
            assert_eq!(of_code(&option.code().to_string()), Some(*option));
        }
        assert_eq!(of_code("113100"), None);
        assert_eq!(of_code("113113"), None);
    }
}
