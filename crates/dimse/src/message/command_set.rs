//! The bytes of a command set: group 0000 in implicit VR little endian, PS3.7 §6.3.1.
//!
//! Deliberately absent: which elements a message must have; the message types know.

use leadglass_dicom::{AeTitle, Tag, Uid};

use super::CommandError;
use super::element::{COMMAND_DATA_SET_TYPE, COMMAND_FIELD, COMMAND_GROUP_LENGTH};

/// More elements than this are in no message; PS3.7 Annex E names 30.
const MAX_ELEMENTS: usize = 64;
/// Command Data Set Type when no data set follows, PS3.7 E.1.
const NO_DATA_SET: u16 = 0x0101;
/// Command Data Set Type when one follows: anything but 0x0101.
const DATA_SET_FOLLOWS: u16 = 0x0001;

/// A command set: group 0000, implicit little endian. Values are kept as they came and
/// read by type when asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandSet {
    /// Element number and value, in order; never the group length.
    elements: Vec<(u16, Box<[u8]>)>,
}

impl CommandSet {
    /// Reads a whole command set. The group length is not believed, nor needed.
    pub fn decode(mut bytes: &[u8]) -> Result<CommandSet, CommandError> {
        let mut elements: Vec<(u16, Box<[u8]>)> = Vec::new();
        while !bytes.is_empty() {
            let (header, rest) = bytes.split_first_chunk::<8>().ok_or(CommandError::Truncated)?;
            let [g0, g1, e0, e1, l0, l1, l2, l3] = *header;
            let (group, element) = (u16::from_le_bytes([g0, g1]), u16::from_le_bytes([e0, e1]));
            if group != 0 {
                return Err(CommandError::ForeignGroup);
            }
            let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).map_err(|_| CommandError::Truncated)?;
            let (value, rest) = rest.split_at_checked(length).ok_or(CommandError::Truncated)?;
            bytes = rest;
            if element == COMMAND_GROUP_LENGTH.1 {
                continue;
            }
            if elements.last().is_some_and(|(last, _)| *last >= element) {
                return Err(CommandError::OutOfOrder);
            }
            if elements.len() == MAX_ELEMENTS {
                return Err(CommandError::TooManyElements);
            }
            elements.push((element, value.into()));
        }
        Ok(CommandSet { elements })
    }

    /// Writes it, with its group length.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.encode_into(&mut bytes);
        bytes
    }

    /// Bytes that [`CommandSet::encode`] gives.
    pub(crate) fn encoded_len(&self) -> usize {
        12 + self.elements.iter().map(|(_, value)| 8 + value.len()).sum::<usize>()
    }

    /// Appends what [`CommandSet::encode`] gives.
    pub(crate) fn encode_into(&self, bytes: &mut Vec<u8>) {
        let length = u32::try_from(self.encoded_len() - 12).unwrap_or(u32::MAX);
        bytes.extend([0, 0, 0, 0, 4, 0, 0, 0]);
        bytes.extend(length.to_le_bytes());
        for (element, value) in &self.elements {
            bytes.extend([0, 0]);
            bytes.extend(element.to_le_bytes());
            bytes.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(value);
        }
    }

    /// Command Field (0000,0100), when there is one.
    pub fn command_field(&self) -> Option<u16> {
        self.u16(COMMAND_FIELD)
    }

    /// Whether a data set follows, by Command Data Set Type (0000,0800). Absent means no.
    pub fn has_data_set(&self) -> bool {
        self.u16(COMMAND_DATA_SET_TYPE).is_some_and(|kind| kind != NO_DATA_SET)
    }

    /// Says whether a data set follows. [`crate::Association::send`] says it by itself.
    pub fn put_has_data_set(&mut self, follows: bool) {
        self.put_u16(COMMAND_DATA_SET_TYPE, if follows { DATA_SET_FOLLOWS } else { NO_DATA_SET });
    }

    /// The raw value of an element.
    pub fn value(&self, tag: Tag) -> Option<&[u8]> {
        let at = self.elements.binary_search_by_key(&tag.1, |(element, _)| *element).ok()?;
        self.elements.get(at).filter(|_| tag.0 == 0).map(|(_, value)| &**value)
    }

    /// A US value; `None` when absent or not two bytes.
    pub fn u16(&self, tag: Tag) -> Option<u16> {
        self.value(tag)?.first_chunk::<2>().map(|bytes| u16::from_le_bytes(*bytes))
    }

    /// A UI value; `Ok(None)` when absent or empty.
    pub fn uid(&self, tag: Tag) -> Result<Option<Uid>, CommandError> {
        let Some(text) = self.text(tag)? else { return Ok(None) };
        Uid::parse(text).map(Some).map_err(|_| CommandError::Malformed(tag))
    }

    /// An AE value; `Ok(None)` when absent or empty.
    pub fn ae_title(&self, tag: Tag) -> Result<Option<AeTitle>, CommandError> {
        let Some(text) = self.text(tag)? else { return Ok(None) };
        AeTitle::parse(text).map(Some).map_err(|_| CommandError::Malformed(tag))
    }

    /// AT values; none when absent.
    pub fn tags(&self, tag: Tag) -> Vec<Tag> {
        let value = self.value(tag).unwrap_or_default();
        value
            .chunks_exact(4)
            .filter_map(|bytes| bytes.first_chunk::<4>())
            .map(|[a, b, c, d]| Tag(u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d])))
            .collect()
    }

    /// A US value that has to be there.
    pub(crate) fn required_u16(&self, tag: Tag) -> Result<u16, CommandError> {
        match self.value(tag) {
            None => Err(CommandError::Missing(tag)),
            Some(_) => self.u16(tag).ok_or(CommandError::Malformed(tag)),
        }
    }

    /// A UI value that has to be there.
    pub(crate) fn required_uid(&self, tag: Tag) -> Result<Uid, CommandError> {
        self.uid(tag)?.ok_or(CommandError::Missing(tag))
    }

    /// Text without its padding; `None` when nothing is left.
    fn text(&self, tag: Tag) -> Result<Option<&str>, CommandError> {
        let Some(value) = self.value(tag) else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|_| CommandError::Malformed(tag))?;
        let text = text.trim_end_matches(['\0', ' ']);
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Puts raw bytes, replacing what was there. Only elements of group 0000 are taken.
    pub fn put(&mut self, tag: Tag, value: &[u8]) {
        if tag.0 != 0 || tag == COMMAND_GROUP_LENGTH {
            return;
        }
        match self.elements.binary_search_by_key(&tag.1, |(element, _)| *element) {
            Ok(at) => {
                if let Some((_, old)) = self.elements.get_mut(at) {
                    *old = value.into();
                }
            }
            Err(at) => self.elements.insert(at, (tag.1, value.into())),
        }
    }

    /// Puts a US value.
    pub fn put_u16(&mut self, tag: Tag, value: u16) {
        self.put(tag, &value.to_le_bytes());
    }

    /// Puts a UI value, padded with NUL.
    pub fn put_uid(&mut self, tag: Tag, uid: &Uid) {
        self.put_padded(tag, uid.as_str(), 0);
    }

    /// Puts text, padded with a space.
    pub fn put_text(&mut self, tag: Tag, text: &str) {
        self.put_padded(tag, text, b' ');
    }

    /// Puts AT values.
    pub fn put_tags(&mut self, tag: Tag, tags: &[Tag]) {
        let mut value = Vec::with_capacity(tags.len() * 4);
        for Tag(group, element) in tags {
            value.extend(group.to_le_bytes());
            value.extend(element.to_le_bytes());
        }
        self.put(tag, &value);
    }

    fn put_padded(&mut self, tag: Tag, text: &str, pad: u8) {
        let mut value = text.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(pad);
        }
        self.put(tag, &value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::element::*;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_beyond_the_bytes_is_refused() {
        let bytes = [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0];
        assert_eq!(CommandSet::decode(&bytes), Err(CommandError::Truncated));
    }

    #[test]
    fn twice_the_same_element_is_refused() {
        let mut bytes = CommandSet::default();
        bytes.put_u16(STATUS, 1);
        let once = bytes.encode();
        let twice = [&once[..], &once[12..]].concat();
        assert_eq!(CommandSet::decode(&twice), Err(CommandError::OutOfOrder));
    }

    #[test]
    fn other_groups_are_refused() {
        assert_eq!(CommandSet::decode(&[8, 0, 0x18, 0, 0, 0, 0, 0]), Err(CommandError::ForeignGroup));
    }

    #[test]
    fn uids_are_padded_on_the_way_out_and_bare_on_the_way_in() {
        let mut command = CommandSet::default();
        command.put_uid(AFFECTED_SOP_CLASS_UID, &Uid::parse("1.2.840.10008.1.1").unwrap());
        assert_eq!(command.value(AFFECTED_SOP_CLASS_UID).map(<[u8]>::len), Some(18));
        let back = CommandSet::decode(&command.encode()).unwrap();
        assert_eq!(back.uid(AFFECTED_SOP_CLASS_UID), Ok(Some(Uid::parse("1.2.840.10008.1.1").unwrap())));
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            if let Ok(command) = CommandSet::decode(&bytes) {
                prop_assert_eq!(CommandSet::decode(&command.encode()), Ok(command));
            }
        }

        #[test]
        fn what_is_put_comes_back(values in proptest::collection::btree_map(1u16.., proptest::collection::vec(any::<u8>(), 0..80), 0..40)) {
            let mut command = CommandSet::default();
            for (element, value) in values.iter().rev() {
                command.put(Tag(0, *element), value);
            }
            let back = CommandSet::decode(&command.encode()).unwrap();
            for (element, value) in &values {
                prop_assert_eq!(back.value(Tag(0, *element)), Some(&value[..]));
            }
            prop_assert_eq!(back, command);
        }
    }
}
