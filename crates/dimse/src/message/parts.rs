//! What several messages share.

use leadglass_dicom::Tag;

use super::CommandSet;
use super::element::{
    ERROR_COMMENT, ERROR_ID, NUMBER_OF_COMPLETED_SUB_OPERATIONS, NUMBER_OF_FAILED_SUB_OPERATIONS,
    NUMBER_OF_REMAINING_SUB_OPERATIONS, NUMBER_OF_WARNING_SUB_OPERATIONS, OFFENDING_ELEMENT,
};

/// Most offending elements that a response of ours names.
const MAX_OFFENDING_ELEMENTS: usize = 16;

/// Priority (0000,0700).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// 0x0002.
    Low,
    /// 0x0000.
    #[default]
    Medium,
    /// 0x0001.
    High,
}

impl Priority {
    /// The value on the wire.
    pub fn code(self) -> u16 {
        match self {
            Priority::Medium => 0,
            Priority::High => 1,
            Priority::Low => 2,
        }
    }

    /// From the wire; a value PS3.7 does not know counts as medium, for it asks for nothing.
    pub fn from_code(code: u16) -> Priority {
        match code {
            1 => Priority::High,
            2 => Priority::Low,
            _ => Priority::Medium,
        }
    }
}

/// Error Comment (0000,0902): at most 64 printable ASCII characters, whatever it was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorComment(String);

impl ErrorComment {
    /// Takes the first 64 characters; what is not printable ASCII, and the backslash,
    /// becomes a question mark.
    pub fn new(text: &str) -> ErrorComment {
        let printable = |c: char| if (' '..='~').contains(&c) && c != '\\' { c } else { '?' };
        ErrorComment(text.trim_end_matches([' ', '\0']).chars().take(64).map(printable).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a response says beside its status, PS3.7 Annex C.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusDetail {
    /// Error Comment (0000,0902), empty when there is none.
    pub error_comment: ErrorComment,
    /// Offending Element (0000,0901).
    pub offending_elements: Vec<Tag>,
    /// Error ID (0000,0903).
    pub error_id: Option<u16>,
}

impl StatusDetail {
    /// Nothing beside the status.
    pub fn none() -> StatusDetail {
        StatusDetail::default()
    }

    /// A comment. It goes over the wire and into the peer's log: no patient data.
    pub fn comment(text: &str) -> StatusDetail {
        StatusDetail { error_comment: ErrorComment::new(text), ..StatusDetail::default() }
    }

    /// Names the offending elements too.
    pub fn offending(mut self, elements: impl IntoIterator<Item = Tag>) -> StatusDetail {
        self.offending_elements.extend(elements);
        self
    }

    /// What the command set says; details that are malformed are left out, for nothing depends on them.
    pub(super) fn of(set: &CommandSet) -> StatusDetail {
        let comment = String::from_utf8_lossy(set.value(ERROR_COMMENT).unwrap_or_default());
        let mut offending_elements = set.tags(OFFENDING_ELEMENT);
        offending_elements.truncate(MAX_OFFENDING_ELEMENTS);
        StatusDetail { error_comment: ErrorComment::new(&comment), offending_elements, error_id: set.u16(ERROR_ID) }
    }

    pub(super) fn put_into(&self, set: &mut CommandSet) {
        if !self.error_comment.as_str().is_empty() {
            set.put_text(ERROR_COMMENT, self.error_comment.as_str());
        }
        if !self.offending_elements.is_empty() {
            let count = self.offending_elements.len().min(MAX_OFFENDING_ELEMENTS);
            set.put_tags(OFFENDING_ELEMENT, self.offending_elements.get(..count).unwrap_or_default());
        }
        if let Some(id) = self.error_id {
            set.put_u16(ERROR_ID, id);
        }
    }
}

/// Counts of C-STORE sub-operations, PS3.7 §9.1.3.1. Counts above 65,535 are written as
/// that, as the element holds no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubOperations {
    /// Still to do; absent from final responses other than those after a cancel.
    pub remaining: Option<u32>,
    /// Done.
    pub completed: u32,
    /// Failed.
    pub failed: u32,
    /// Done with a warning.
    pub warning: u32,
}

impl SubOperations {
    /// What the command set says; `None` when it counts nothing.
    pub(super) fn of(set: &CommandSet) -> Option<SubOperations> {
        let remaining = set.u16(NUMBER_OF_REMAINING_SUB_OPERATIONS).map(u32::from);
        let completed = set.u16(NUMBER_OF_COMPLETED_SUB_OPERATIONS).map(u32::from);
        let failed = set.u16(NUMBER_OF_FAILED_SUB_OPERATIONS).map(u32::from);
        let warning = set.u16(NUMBER_OF_WARNING_SUB_OPERATIONS).map(u32::from);
        remaining.or(completed).or(failed).or(warning)?;
        Some(SubOperations {
            remaining,
            completed: completed.unwrap_or(0),
            failed: failed.unwrap_or(0),
            warning: warning.unwrap_or(0),
        })
    }

    pub(super) fn put_into(self, set: &mut CommandSet) {
        let short = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
        if let Some(remaining) = self.remaining {
            set.put_u16(NUMBER_OF_REMAINING_SUB_OPERATIONS, short(remaining));
        }
        set.put_u16(NUMBER_OF_COMPLETED_SUB_OPERATIONS, short(self.completed));
        set.put_u16(NUMBER_OF_FAILED_SUB_OPERATIONS, short(self.failed));
        set.put_u16(NUMBER_OF_WARNING_SUB_OPERATIONS, short(self.warning));
    }
}
