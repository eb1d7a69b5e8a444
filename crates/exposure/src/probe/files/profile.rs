//! Table E.1-1 of PS3.15 (edition 2026d, 657 rows): which attributes identify, and what the
//! Basic Profile and its options do with each. The rows are those that `leadglass-dicom`
//! de-identifies by; here they are made ready to be asked millions of times.

use std::sync::LazyLock;

use leadglass_dicom::deidentify::table::{self, Pattern};

use crate::catalogue::Name;

/// The first code of CID 7050 that is an option: Clean Pixel Data Option. Codes follow each other.
const FIRST_OPTION: u32 = 113_101;
/// The last: Retain Institution Identity Option.
const LAST_OPTION: u32 = 113_112;
const SLOTS: usize = 4096;
const WORDS: usize = 11;

/// What the Basic Profile does with an attribute, PS3.15 Table E.1-1a; compounds depend on the IOD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// X: it is removed, whatever the IOD.
    Remove,
    /// Z, D, U and compounds: it may stay with another value, which cannot be told without looking at it.
    Replace,
}

/// Options of the Basic Profile, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options(u16);

/// A row of the table.
pub(super) struct Row {
    /// The attribute's keyword.
    pub name: Name,
    /// What the Basic Profile does with it.
    pub action: Action,
    /// Options that keep or clean it instead.
    pub options: Options,
}

/// A set of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows([u64; WORDS]);

/// The table, ready to be asked.
pub(super) struct Profile {
    rows: Vec<Row>,
    /// Open addressing by tag: the tag and its row's number and 1, or 0.
    slots: Vec<(u32, u16)>,
    private: Option<usize>,
    curves: Option<usize>,
    overlay_data: Option<usize>,
    overlay_comments: Option<usize>,
}

/// The table.
pub(super) fn profile() -> &'static Profile {
    static PROFILE: LazyLock<Profile> = LazyLock::new(Profile::read);
    &PROFILE
}

/// Keywords of all rows; some are younger than the data dictionary.
pub fn keywords() -> impl Iterator<Item = &'static str> {
    table::rows().iter().map(|row| row.keyword)
}

impl Profile {
    fn read() -> Profile {
        let mut profile = Profile {
            rows: Vec::new(),
            slots: vec![(0, 0); SLOTS],
            private: None,
            curves: None,
            overlay_data: None,
            overlay_comments: None,
        };
        for entry in table::rows() {
            let table::Row { pattern, keyword, action, .. } = entry;
            let row = profile.rows.len();
            let action = if *action == table::Action::Remove { Action::Remove } else { Action::Replace };
            let options = entry.options().iter().map(|option| Options(1 << (option.code() - FIRST_OPTION)));
            let options = options.fold(Options::default(), Options::with);
            let name = Name::of_keyword(keyword).unwrap_or(Name::fixed(keyword));
            profile.rows.push(Row { name, action, options });
            match pattern {
                Pattern::Private => profile.private = Some(row),
                Pattern::Curves => profile.curves = Some(row),
                Pattern::OverlayData => profile.overlay_data = Some(row),
                Pattern::OverlayComments => profile.overlay_comments = Some(row),
                Pattern::One(tag) => profile.insert(u32::from(tag.0) << 16 | u32::from(tag.1), row),
            }
        }
        profile
    }

    fn insert(&mut self, tag: u32, row: usize) {
        let mut at = slot(tag);
        while self.slots[at].1 != 0 {
            at = (at + 1) % SLOTS;
        }
        self.slots[at] = (tag, row as u16 + 1);
    }

    /// The row of an attribute.
    pub(super) fn row_of(&self, tag: u32) -> Option<usize> {
        let (group, element) = (tag >> 16, tag & 0xFFFF);
        match group {
            _ if group % 2 == 1 => self.private.filter(|_| element > 0xFF),
            0x5000..=0x501E => self.curves,
            0x6000..=0x601E if element == 0x3000 => self.overlay_data,
            0x6000..=0x601E if element == 0x4000 => self.overlay_comments,
            _ => {
                let mut at = slot(tag);
                while self.slots[at].1 != 0 {
                    if self.slots[at].0 == tag {
                        return Some(usize::from(self.slots[at].1) - 1);
                    }
                    at = (at + 1) % SLOTS;
                }
                None
            }
        }
    }

    /// All rows.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Those of the rows that the Basic Profile with these options would have removed.
    pub(super) fn removed_by(&self, present: &Rows, options: Options) -> Rows {
        let mut removed = Rows::default();
        for row in present.iter() {
            if self.rows.get(row).is_some_and(|row| row.action == Action::Remove && !row.options.meets(options)) {
                removed.set(row);
            }
        }
        removed
    }

    /// The rows that say by themselves who the patient is.
    pub(super) fn naming(&self) -> Rows {
        const NAMING: [u32; 9] = [
            0x0010_0010, // Patient's Name
            0x0010_0020, // Patient ID
            0x0010_0030, // Patient's Birth Date
            0x0010_1000, // Other Patient IDs
            0x0010_1001, // Other Patient Names
            0x0010_1005, // Patient's Birth Name
            0x0010_1040, // Patient's Address
            0x0010_1060, // Patient's Mother's Birth Name
            0x0010_2154, // Patient's Telephone Numbers
        ];
        let mut rows = Rows::default();
        NAMING.iter().filter_map(|tag| self.row_of(*tag)).for_each(|row| rows.set(row));
        rows
    }
}

impl Options {
    /// Retain UIDs Option.
    pub(super) const RETAIN_UIDS: Options = Options(1 << (113_110 - FIRST_OPTION));

    /// The option with this code of CID 7050.
    pub(super) fn of_code(code: &[u8]) -> Option<Options> {
        let code: u32 = std::str::from_utf8(code).ok()?.parse().ok()?;
        (FIRST_OPTION..=LAST_OPTION).contains(&code).then(|| Options(1 << (code - FIRST_OPTION)))
    }

    /// Both.
    pub(super) fn with(self, other: Options) -> Options {
        Options(self.0 | other.0)
    }

    /// Whether they have one in common.
    pub(super) fn meets(self, other: Options) -> bool {
        self.0 & other.0 != 0
    }
}

impl Rows {
    /// Adds a row.
    pub(super) fn set(&mut self, row: usize) {
        if let Some(word) = self.0.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Whether the two have a row in common.
    pub(super) fn meets(&self, other: &Rows) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// The rows' numbers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                (bit < 64).then_some(at * 64 + bit)
            })
        })
    }
}

fn slot(tag: u32) -> usize {
    (tag.wrapping_mul(0x9E37_79B1) >> 20) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let profile = profile();
        assert_eq!(profile.rows().len(), 657);
        assert!(profile.rows().len() <= WORDS * 64);
        assert!(profile.private.is_some() && profile.curves.is_some());
        assert!(profile.overlay_data.is_some() && profile.overlay_comments.is_some());
        assert_eq!(profile.naming().iter().count(), 9);
        for row in profile.rows() {
            assert_eq!(Name::known(row.name.as_str()), Some(row.name), "{} would not be read back", row.name);
        }
    }

    #[test]
    fn rows_are_found_by_tag() {
        let profile = profile();
        let keyword = |tag| profile.row_of(tag).map(|row| profile.rows()[row].name.as_str());
        assert_eq!(keyword(0x0010_0010), Some("PatientName"));
        assert_eq!(keyword(0x0008_0018), Some("SOPInstanceUID"));
        assert_eq!(keyword(0x0009_1001), Some("PrivateAttributes"));
        assert_eq!(keyword(0x0009_0010), None, "a private creator names a maker");
        assert_eq!(keyword(0x5002_3000), Some("CurveData"));
        assert_eq!(keyword(0x6004_3000), Some("OverlayData"));
        assert_eq!(keyword(0x0028_0010), None);
    }

    #[test]
    fn an_option_excuses_what_it_keeps() {
        let profile = profile();
        let mut present = Rows::default();
        for tag in [0x0010_1010, 0x0010_0010, 0x0010_4000] {
            present.set(profile.row_of(tag).unwrap());
        }
        let names = |options| -> Vec<_> {
            profile.removed_by(&present, options).iter().map(|row| profile.rows()[row].name.as_str()).collect()
        };
        assert_eq!(names(Options::default()), ["PatientAge", "PatientComments"]);
        assert_eq!(names(Options::of_code(b"113108").unwrap()), ["PatientComments"]);
        assert_eq!(Options::of_code(b"113113"), None);
    }
}
