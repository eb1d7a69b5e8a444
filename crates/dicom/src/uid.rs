//! Unique identifiers, PS3.5 §9.

use std::fmt;
use std::str::FromStr;

/// Why a text is no UID. It never repeats the text, which may be anything a peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UidError {
    /// No character is left after removing padding.
    #[error("the UID is empty")]
    Empty,
    /// More than 64 characters, PS3.5 §9.1.
    #[error("the UID is longer than 64 characters")]
    TooLong,
    /// Something other than digits and single dots between them.
    #[error("a UID holds digits separated by single dots, nothing else")]
    Malformed,
}

/// A UID: 1 to 64 characters, digits separated by single dots.
///
/// Leading zeros in a component are tolerated, as real objects carry them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Box<str>);

impl Uid {
    /// Parses a UID after removing the trailing NUL or space that pads it to even length.
    pub fn parse(text: &str) -> Result<Uid, UidError> {
        let text = text.trim_end_matches(['\0', ' ']);
        if text.is_empty() {
            return Err(UidError::Empty);
        }
        if text.len() > 64 {
            return Err(UidError::TooLong);
        }
        let well_formed =
            text.split('.').all(|component| !component.is_empty() && component.bytes().all(|b| b.is_ascii_digit()));
        if !well_formed {
            return Err(UidError::Malformed);
        }
        Ok(Uid(text.into()))
    }

    /// The UID as text, without padding.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A new UID under the root 2.25 from 128 random bits, PS3.5 §B.2.
    pub fn from_random(bits: u128) -> Uid {
        Uid(format!("2.25.{bits}").into())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Uid {
    type Err = UidError;
    fn from_str(text: &str) -> Result<Uid, UidError> {
        Uid::parse(text)
    }
}

macro_rules! typed_uid {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uid);

        impl $name {
            /// Parses the text, see [`Uid::parse`].
            pub fn parse(text: &str) -> Result<$name, UidError> {
                Uid::parse(text).map($name)
            }

            /// The UID as text, without padding.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The UID without the knowledge of what it names.
            pub fn as_uid(&self) -> &Uid {
                &self.0
            }
        }

        impl From<Uid> for $name {
            fn from(uid: Uid) -> $name {
                $name(uid)
            }
        }

        impl FromStr for $name {
            type Err = UidError;
            fn from_str(text: &str) -> Result<$name, UidError> {
                $name::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

typed_uid! {
    /// Study Instance UID (0020,000D).
    StudyInstanceUid;
    /// Series Instance UID (0020,000E).
    SeriesInstanceUid;
    /// SOP Instance UID (0008,0018).
    SopInstanceUid;
    /// SOP Class UID (0008,0016).
    SopClassUid;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_removed_and_the_rest_kept() {
        assert_eq!(Uid::parse("1.2.840\0").map(|u| u.to_string()), Ok("1.2.840".into()));
    }

    #[test]
    fn what_could_be_a_path_or_markup_is_refused() {
        for text in ["../1", "1..2", ".1", "1.", "1/2", "1.2\n", "1.2\0.3", "a", "1.2 .3"] {
            assert_eq!(Uid::parse(text), Err(UidError::Malformed), "{text:?}");
        }
        assert_eq!(Uid::parse(""), Err(UidError::Empty));
        assert_eq!(Uid::parse(&"1".repeat(65)), Err(UidError::TooLong));
    }
}
