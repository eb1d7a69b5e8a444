//! Private attributes that are known to be safe, PS3.15 E.3.10.
//!
//! `data/safe_private.csv` is Table E.3.10-1 of edition 2020b: group, the last two digits of the
//! element, VR and private creator. Younger editions list more; what is not in the table here is
//! removed. Deliberately absent: Block Identifying Information Status (0008,0303), which is what
//! the sender says of itself.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::{Tag, VR};

const TABLE: &str = include_str!("../../data/safe_private.csv");
/// Most private blocks of one data set that are remembered.
const MOST_BLOCKS: usize = 64;

/// The private blocks that a data set or item has reserved, as far as creators are known here.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks(Vec<(u16, u8, &'static str)>);

impl Blocks {
    /// A creator element was met: whether it is one of those that safe attributes need. Known
    /// creators are the makers' words, not the patient's.
    pub(super) fn reserve(&mut self, tag: Tag, value: &[u8]) -> bool {
        let known = std::str::from_utf8(value).ok().and_then(|text| {
            let text = text.trim_matches([' ', '\0']);
            CREATORS.iter().find(|(group, creator)| *group == tag.group() && creator.eq_ignore_ascii_case(text))
        });
        match (known, u8::try_from(tag.element())) {
            (Some((group, creator)), Ok(block)) if self.0.len() < MOST_BLOCKS => {
                self.0.push((*group, block, creator));
                true
            }
            _ => false,
        }
    }

    /// The VR of a private attribute that is safe.
    pub(super) fn safe(&self, tag: Tag) -> Option<VR> {
        let [block, element] = tag.element().to_be_bytes();
        let (group, _, creator) = self.0.iter().find(|(group, at, _)| *group == tag.group() && *at == block)?;
        SAFE.get(&(*group, element, *creator)).copied()
    }
}

/// Whether that element reserves a block, PS3.5 7.8.1.
pub(super) fn is_creator(tag: Tag) -> bool {
    tag.group() % 2 == 1 && (0x0010..=0x00FF).contains(&tag.element())
}

static SAFE: LazyLock<HashMap<(u16, u8, &'static str), VR>> = LazyLock::new(|| rows().collect());

static CREATORS: LazyLock<Vec<(u16, &'static str)>> = LazyLock::new(|| {
    let mut creators: Vec<(u16, &'static str)> = rows().map(|((group, _, creator), _)| (group, creator)).collect();
    creators.sort_unstable();
    creators.dedup();
    creators
});

fn rows() -> impl Iterator<Item = ((u16, u8, &'static str), VR)> {
    TABLE.lines().skip(1).filter_map(|line| {
        let mut fields = line.splitn(4, ',');
        let group = u16::from_str_radix(fields.next()?, 16).ok()?;
        let element = u8::from_str_radix(fields.next()?, 16).ok()?;
        let vr = fields.next()?.parse().ok()?;
        Some(((group, element, fields.next()?), vr))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(rows().count(), TABLE.lines().count() - 1);
        assert!(SAFE.len() >= 125);
    }

    #[test]
    fn an_attribute_is_safe_under_its_creator_alone() {
        let mut blocks = Blocks::default();
        let pet = Tag(0x7053, 0x1000);
        assert_eq!(blocks.safe(pet), None);
        assert!(!blocks.reserve(Tag(0x7053, 0x0010), b"Doe^Jane"));
        assert!(!blocks.reserve(Tag(0x7055, 0x0010), b"Philips PET Private Group "));
        assert_eq!(blocks.safe(pet), None);
        assert!(blocks.reserve(Tag(0x7053, 0x0012), b"Philips PET Private Group "));
        assert_eq!(blocks.safe(pet), None);
        assert_eq!(blocks.safe(Tag(0x7053, 0x1200)), Some(VR::DS));
        assert_eq!(blocks.safe(Tag(0x7053, 0x1201)), None);
    }
}
