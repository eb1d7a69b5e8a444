//! What was done, attribute by attribute; no values.

use std::collections::BTreeMap;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;

use crate::Tag;

/// Most attributes told apart; what exceeds is counted under (FFFF,FFFF).
const MOST: usize = 10_000;
const THE_REST: Tag = Tag(0xFFFF, 0xFFFF);

/// What happened to an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed {
    /// Left out.
    Removed,
    /// Without a value.
    Emptied,
    /// A dummy or a pseudonym in its place.
    Replaced,
    /// Another UID in its place.
    Remapped,
    /// A date moved.
    Shifted,
    /// Cleaned: words, pixels.
    Cleaned,
    /// Kept, by an option of the profile.
    Kept,
    /// Put in.
    Added,
}

impl Deed {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Deed::Removed => "removed",
            Deed::Emptied => "emptied",
            Deed::Replaced => "replaced",
            Deed::Remapped => "remapped",
            Deed::Shifted => "shifted",
            Deed::Cleaned => "cleaned",
            Deed::Kept => "kept",
            Deed::Added => "added",
        }
    }
}

/// What was done to an object, or to many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    counts: BTreeMap<(Tag, Deed), u64>,
}

impl Report {
    /// Counts one.
    pub(super) fn note(&mut self, tag: Tag, deed: Deed) {
        self.add((tag, deed), 1);
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &Report) {
        other.counts.iter().for_each(|(key, count)| self.add(*key, *count));
    }

    /// Attributes, what happened to them, how often; by tag.
    pub fn iter(&self) -> impl Iterator<Item = (Tag, Deed, u64)> {
        self.counts.iter().map(|((tag, deed), count)| (*tag, *deed, *count))
    }

    /// Whether nothing was done.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    fn add(&mut self, (tag, deed): (Tag, Deed), count: u64) {
        let is_new = !self.counts.contains_key(&(tag, deed));
        let tag = if is_new && self.counts.len() >= MOST { THE_REST } else { tag };
        *self.counts.entry((tag, deed)).or_default() += count;
    }
}

/// The keyword of an attribute; empty for private and unknown ones.
pub fn keyword(tag: Tag) -> &'static str {
    if tag.group() % 2 == 1 {
        return "";
    }
    match super::table::keyword_of(tag) {
        Some(keyword) => keyword,
        None => StandardDataDictionary.by_tag(tag).map_or("", |entry| entry.alias()),
    }
}
