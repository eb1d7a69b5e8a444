//! What a search asks: the one form that C-FIND identifiers and QIDO-RS query strings become.
//!
//! A [`Query`] is parsed, checked and within limits; the index turns it into SQL, and
//! [`matches`] says of a data set whether it matches: the reference that SQL is tested against,
//! and the way to evaluate keys that no column holds. Deliberately absent: SQL, and who may
//! find what.

pub mod identifier;
mod matching;
pub mod options;
pub mod qido;
mod value;
mod wild_card;

pub use matching::{key_matches, matches};
pub use options::QueryOptions;
pub use wild_card::{Token, WildCard};

use dicom_core::{Tag, VR};

use crate::attribute::Level;
use crate::charset::SpecificCharacterSet;
use crate::datetime::{Date, DateTime, Range, Time};
use crate::person_name::NamePattern;
use crate::uid::Uid;

/// The most keys and requested attributes, nested ones included, in one query.
pub const MAX_KEYS: usize = 256;
/// The deepest nesting of sequences in a query.
pub const MAX_DEPTH: usize = 8;
/// The longest value of one key, in bytes, lists of UIDs aside.
pub const MAX_VALUE_BYTES: usize = 1024;
/// The most wild card characters in one value.
pub const MAX_WILD_CARDS: usize = 32;
/// The most UIDs or values in one list.
pub const MAX_LIST: usize = 4096;

/// The information model that a query walks, PS3.4 C.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// Patient Root, PS3.4 C.6.1.
    Patient,
    /// Study Root, PS3.4 C.6.2; QIDO-RS too.
    Study,
}

/// A search.
#[derive(Clone, Debug)]
pub struct Query {
    /// The information model.
    pub root: Root,
    /// The level whose entities are wanted.
    pub level: Level,
    /// All of them have to match. No key is universal.
    pub keys: Vec<Key>,
    /// The attributes that an answer holds.
    pub include: Include,
    /// Names are matched by sound and beginning, PS3.4 C.2.2.2.1.1.
    pub fuzzy: bool,
    /// Unique keys above the level may be missing, PS3.4 C.4.1.2.2.
    pub relational: bool,
    /// Answers are to be adjusted to the requestor's time zone, PS3.4 C.4.1.1.3.
    pub timezone_adjustment: bool,
    /// The requestor's Timezone Offset From UTC (0008,0201), when it named one.
    pub timezone: Option<crate::datetime::UtcOffset>,
    /// Date and time keys were combined where both are ranges, PS3.4 C.2.2.2.5.
    pub combined_datetime: bool,
    /// The character set that the requestor wrote in and reads.
    pub charset: SpecificCharacterSet,
    /// Keys that were given but cannot match at this level (they belong to a lower one), or
    /// at all: status 0xFF01 in C-FIND, a warning in QIDO-RS.
    pub unsupported: Vec<TagPath>,
}

/// The way to an attribute through sequences.
pub type TagPath = Vec<Tag>;

/// Which attributes an answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Include {
    /// These; the level's unique keys always.
    Listed(Vec<TagPath>),
    /// All that the archive has at the level and above (`includefield=all`).
    All,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The attribute. Within [`Matching::Sequence`] the path begins in the item.
    pub path: TagPath,
    /// The value representation it is matched in.
    pub vr: VR,
    /// The condition.
    pub matching: Matching,
}

/// How a key matches, PS3.4 C.2.2.2. Where an entity has several values, one suffices.
#[derive(Clone, Debug, PartialEq)]
pub enum Matching {
    /// Everything matches, absent values too, PS3.4 C.2.2.2.3. Parsing leaves such keys out
    /// of [`Query::keys`].
    Universal,
    /// The same text, padding aside, case-sensitive, PS3.4 C.2.2.2.1.
    SingleValue(String),
    /// The same number: IS, US, UL, UV, SS, SL, SV.
    Integer(i64),
    /// The same number: DS, FL, FD.
    Decimal(f64),
    /// The same tag: AT.
    TagValue(Tag),
    /// One of these, PS3.4 C.2.2.2.2. Also for a single UID.
    ListOfUid(Vec<Uid>),
    /// One of these matches (each a single value or wild card), PS3.4 C.2.2.2.8.
    MultipleValues(Vec<Matching>),
    /// The pattern matches, case-sensitive, PS3.4 C.2.2.2.4.
    WildCard(WildCard),
    /// A name, by its normalised forms, see [`crate::person_name`].
    PersonName(NamePattern),
    /// A date within, PS3.4 C.2.2.2.5; a single date is a range of one.
    DateRange(Range<Date>),
    /// A time within; a single time spans the moments that it leaves open.
    TimeRange(Range<Time>),
    /// A moment within.
    DateTimeRange(Range<DateTime>),
    /// Date and time as one moment within, when combined matching was negotiated. The key's
    /// path names the date.
    DateAndTimeRange {
        /// The attribute that holds the time.
        time: Tag,
        /// The moments, both included.
        range: Range<(Date, Time)>,
    },
    /// One item of the sequence matches all of these, PS3.4 C.2.2.2.6. Never empty.
    Sequence(Vec<Key>),
    /// The attribute is absent or empty, PS3.4 C.2.2.2.7.
    EmptyValue,
}

/// Why a query is refused; nothing of its values is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Query/Retrieve Level (0008,0052) is missing.
    #[error("Query/Retrieve Level (0008,0052) is missing")]
    LevelMissing,
    /// Its value is none of the information model's levels.
    #[error("Query/Retrieve Level (0008,0052) is not a level of this information model")]
    LevelUnknown,
    /// A hierarchical query lacks the unique key of a level above, PS3.4 C.4.1.2.1.
    #[error("unique key {0} has to hold a single value at this level")]
    UniqueKeyMissing(Tag),
    /// The value is none that its value representation allows as a key.
    #[error("the value of {0} is not a valid key")]
    InvalidValue(Tag),
    /// More than [`MAX_KEYS`] keys.
    #[error("the query has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// Sequences nested deeper than [`MAX_DEPTH`].
    #[error("the query nests sequences deeper than {MAX_DEPTH}")]
    TooDeep,
    /// A value longer than [`MAX_VALUE_BYTES`] or a list longer than [`MAX_LIST`].
    #[error("the value of {0} is too long")]
    ValueTooLong(Tag),
    /// More than [`MAX_WILD_CARDS`] wild cards in one value.
    #[error("the value of {0} has more than {MAX_WILD_CARDS} wild card characters")]
    TooManyWildCards(Tag),
    /// A sequence key with more than one item, PS3.4 C.2.2.2.6.
    #[error("sequence {0} has more than one item")]
    SeveralItems(Tag),
    /// A query parameter that is neither an attribute nor a parameter of PS3.18 8.3.4.
    #[error("query parameter number {0} is unknown: use an attribute's keyword or its eight hexadecimal digits")]
    UnknownParameter(usize),
    /// A query parameter whose value is not what the parameter takes.
    #[error("query parameter number {position} ({name}) has an invalid value")]
    InvalidParameter {
        /// Its place in the query string, from 1.
        position: usize,
        /// The parameter's own name.
        name: &'static str,
    },
    /// A parameter that may occur once occurs again with another value.
    #[error("query parameter number {0} repeats an earlier one with another value")]
    RepeatedParameter(usize),
    /// Percent encoding that is none, or does not spell UTF-8.
    #[error("query parameter number {0} is not percent-encoded UTF-8")]
    BadEncoding(usize),
    /// The query string is longer than [`qido::MAX_QUERY_BYTES`].
    #[error("the query string is longer than {} bytes", qido::MAX_QUERY_BYTES)]
    QueryTooLong,
}

impl QueryError {
    /// The attribute at fault, for Offending Element (0000,0901).
    pub fn offending_element(&self) -> Option<Tag> {
        match self {
            QueryError::LevelMissing | QueryError::LevelUnknown => {
                Some(dicom_dictionary_std::tags::QUERY_RETRIEVE_LEVEL)
            }
            QueryError::UniqueKeyMissing(tag)
            | QueryError::InvalidValue(tag)
            | QueryError::ValueTooLong(tag)
            | QueryError::TooManyWildCards(tag)
            | QueryError::SeveralItems(tag) => Some(*tag),
            _ => None,
        }
    }
}
