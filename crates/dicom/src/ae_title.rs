//! Application Entity Titles, PS3.5 §6.2 (VR AE) and PS3.8 §9.3.2.

use std::fmt;
use std::str::FromStr;

/// Why a text is no AE title. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AeTitleError {
    /// Nothing but spaces.
    #[error("the AE title is empty")]
    Empty,
    /// More than 16 characters.
    #[error("the AE title is longer than 16 characters")]
    TooLong,
    /// A backslash, a control character or something outside ASCII.
    #[error("an AE title holds printable ASCII characters without backslash")]
    Malformed,
}

/// An AE title: 1 to 16 printable ASCII characters without backslash, leading and
/// trailing spaces removed as not significant. Case is significant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AeTitle(Box<str>);

impl AeTitle {
    /// Parses the text of a fixed 16 character field or of a value.
    pub fn parse(text: &str) -> Result<AeTitle, AeTitleError> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(AeTitleError::Empty);
        }
        if text.chars().count() > 16 {
            return Err(AeTitleError::TooLong);
        }
        if !text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'\\') {
            return Err(AeTitleError::Malformed);
        }
        Ok(AeTitle(text.into()))
    }

    /// The title without padding.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl FromStr for AeTitle {
    type Err = AeTitleError;
    fn from_str(text: &str) -> Result<AeTitle, AeTitleError> {
        AeTitle::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_around_do_not_matter() {
        assert_eq!(AeTitle::parse("  CT 1          "), AeTitle::parse("CT 1"));
    }

    #[test]
    fn hostile_titles_are_refused() {
        for text in ["A\\B", "A\nB", "A\0", "Ä", "\x1b[31m"] {
            assert_eq!(AeTitle::parse(text), Err(AeTitleError::Malformed), "{text:?}");
        }
        assert_eq!(AeTitle::parse("    "), Err(AeTitleError::Empty));
        assert_eq!(AeTitle::parse("ABCDEFGHIJKLMNOPQ"), Err(AeTitleError::TooLong));
    }
}
