//! Why bytes are refused. Offsets and tags are named, values never.

use crate::Tag;
use crate::uid::UidError;

/// Why a data set is refused, and where. The sender is to blame in every case; nothing of
/// the data set's text is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {fault}")]
pub struct ScanError {
    /// Bytes from the start of the (inflated) data set.
    pub offset: u64,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a data set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes end inside an element, an item or a sequence.
    #[error("the data set ends inside {0}")]
    Truncated(Tag),
    /// The bytes end inside an element header.
    #[error("the data set ends inside an element header")]
    TruncatedHeader,
    /// There is no element.
    #[error("the data set is empty")]
    Empty,
    /// A value reaches beyond the item or sequence around it.
    #[error("{0} is longer than the item or sequence around it")]
    BeyondParent(Tag),
    /// The two bytes of a VR are no VR: not what the transfer syntax says.
    #[error("{0} has no value representation; is the transfer syntax right?")]
    BadVr(Tag),
    /// An undefined length where there can be none.
    #[error("{0} has an undefined length, which its value representation forbids")]
    UndefinedLength(Tag),
    /// Something other than an item inside a sequence, or an item outside.
    #[error("{0} is out of place")]
    Misplaced(Tag),
    /// A delimiter with a length, or an item of undefined length among fragments.
    #[error("{0} has a length it cannot have")]
    BadDelimiter(Tag),
    /// A group that belongs outside a data set (command set or file meta information).
    #[error("{0} does not belong inside a data set")]
    ForeignGroup(Tag),
    /// An identifying element more than once, with different values.
    #[error("{0} is there more than once, with different values")]
    Duplicate(Tag),
    /// Sequences nested deeper than [`super::Limits::depth`].
    #[error("sequences are nested deeper than {0}")]
    TooDeep(u16),
    /// More elements than [`super::Limits::elements`].
    #[error("more than {0} elements")]
    TooManyElements(u64),
    /// The header costs more than [`super::Limits::header_bytes`].
    #[error("the header needs more than {0} bytes")]
    HeaderTooLarge(u64),
    /// More than [`super::Limits::data_set_bytes`].
    #[error("the data set is larger than {0} bytes")]
    TooLarge(u64),
    /// More fragments than [`super::Limits::fragments`].
    #[error("more than {0} fragments")]
    TooManyFragments(u32),
    /// The deflate stream is damaged or cut.
    #[error("the deflated data set is damaged or cut")]
    BadDeflate,
    /// Grows beyond [`super::Limits::inflated_bytes`] or [`super::Limits::inflate_ratio`].
    #[error("the deflated data set grows beyond its bound")]
    InflatesTooFar,
    /// An identifier that every instance has is missing.
    #[error("{0} is missing or empty")]
    Missing(Tag),
    /// An identifier is no UID.
    #[error("{tag}: {error}")]
    BadUid {
        /// Which identifier.
        tag: Tag,
        /// Why it is none.
        error: UidError,
    },
}
