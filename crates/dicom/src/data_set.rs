//! A data set in memory: identifiers, headers and metadata, never a whole image.

pub use dicom_core::{Tag, VR};

/// Elements by tag, PS3.5 §7.1. Text is Unicode here; character sets end at the codec.
///
/// A sorted vector: elements arrive in order, are read often and are seldom changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSet {
    elements: Vec<(Tag, Element)>,
}

/// One element of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// The value representation, as found or from the dictionary.
    pub vr: VR,
    /// The value.
    pub value: Value,
}

/// An element's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Zero length.
    Empty,
    /// AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT: the values, decoded, padding removed.
    Text(Vec<String>),
    /// US UL UV.
    Unsigned(Vec<u64>),
    /// SS SL SV.
    Signed(Vec<i64>),
    /// FL FD. A value that came as FL is exactly representable as `f32`.
    Float(Vec<f64>),
    /// AT.
    Tags(Vec<Tag>),
    /// OB OD OF OL OV OW UN: the bytes in little endian order.
    Bytes(Vec<u8>),
    /// A value too large for a header, or one to be fetched.
    Bulk(Bulk),
    /// SQ: the items.
    Sequence(Vec<DataSet>),
}

/// Where a bulk value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// In the (inflated) data set: offset and length of the value field in bytes. For
    /// encapsulated Pixel Data the field begins with the Basic Offset Table's item and
    /// ends before the sequence delimiter.
    InDataSet {
        /// Bytes from the start of the data set.
        offset: u64,
        /// Bytes of the value field.
        length: u64,
    },
    /// Elsewhere: a BulkDataURI, PS3.18 F.2.2.
    Uri(String),
}

impl DataSet {
    /// An empty data set.
    pub fn new() -> DataSet {
        DataSet::default()
    }

    /// Puts an element, replacing one of the same tag.
    pub fn put(&mut self, tag: Tag, vr: VR, value: Value) {
        let element = Element { vr, value };
        match self.position(tag) {
            Ok(at) => self.elements[at].1 = element,
            Err(at) => self.elements.insert(at, (tag, element)),
        }
    }

    /// Puts one text value; an empty text puts an empty value.
    pub fn put_text(&mut self, tag: Tag, vr: VR, text: impl Into<String>) {
        let text = text.into();
        let value = if text.is_empty() { Value::Empty } else { Value::Text(vec![text]) };
        self.put(tag, vr, value);
    }

    /// The element of that tag.
    pub fn element(&self, tag: Tag) -> Option<&Element> {
        self.position(tag).ok().map(|at| &self.elements[at].1)
    }

    /// The element of that tag, to change it.
    pub fn element_mut(&mut self, tag: Tag) -> Option<&mut Element> {
        self.position(tag).ok().map(|at| &mut self.elements[at].1)
    }

    /// Takes the element out.
    pub fn remove(&mut self, tag: Tag) -> Option<Element> {
        self.position(tag).ok().map(|at| self.elements.remove(at).1)
    }

    /// The values of a text element; none when absent, empty or of another kind.
    pub fn texts(&self, tag: Tag) -> &[String] {
        match self.element(tag) {
            Some(Element { value: Value::Text(values), .. }) => values,
            _ => &[],
        }
    }

    /// The first text value, when there is one.
    pub fn text(&self, tag: Tag) -> Option<&str> {
        self.texts(tag).first().map(String::as_str)
    }

    /// The first value as an integer: a binary number, or the text of an IS.
    pub fn integer(&self, tag: Tag) -> Option<i64> {
        match &self.element(tag)?.value {
            Value::Unsigned(values) => values.first().and_then(|&v| i64::try_from(v).ok()),
            Value::Signed(values) => values.first().copied(),
            Value::Text(values) => values.first().and_then(|v| v.trim().parse().ok()),
            _ => None,
        }
    }

    /// The items of a sequence; none when absent or empty.
    pub fn items(&self, tag: Tag) -> &[DataSet] {
        match self.element(tag) {
            Some(Element { value: Value::Sequence(items), .. }) => items,
            _ => &[],
        }
    }

    /// All elements in the order of their tags.
    pub fn iter(&self) -> impl Iterator<Item = (Tag, &Element)> {
        self.elements.iter().map(|(tag, element)| (*tag, element))
    }

    /// How many elements there are at the top level.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Where the element of that tag is, or where it would have to be.
    fn position(&self, tag: Tag) -> Result<usize, usize> {
        match self.elements.last() {
            Some((last, _)) if *last < tag => Err(self.elements.len()),
            _ => self.elements.binary_search_by(|(other, _)| other.cmp(&tag)),
        }
    }
}

impl FromIterator<(Tag, Element)> for DataSet {
    /// Of elements with the same tag the last one stays.
    fn from_iter<I: IntoIterator<Item = (Tag, Element)>>(elements: I) -> DataSet {
        let mut elements: Vec<(Tag, Element)> = elements.into_iter().collect();
        if !elements.is_sorted_by(|(a, _), (b, _)| a < b) {
            elements.reverse();
            elements.sort_by_key(|(tag, _)| *tag);
            elements.dedup_by_key(|(tag, _)| *tag);
        }
        DataSet { elements }
    }
}

impl IntoIterator for DataSet {
    type Item = (Tag, Element);
    type IntoIter = std::vec::IntoIter<(Tag, Element)>;
    fn into_iter(self) -> Self::IntoIter {
        self.elements.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Tag = Tag(0x0010, 0x0010);
    const ID: Tag = Tag(0x0010, 0x0020);

    #[test]
    fn elements_are_ordered_whatever_the_order_of_puts() {
        let mut data_set = DataSet::new();
        data_set.put_text(ID, VR::LO, "1");
        data_set.put_text(NAME, VR::PN, "A");
        data_set.put_text(ID, VR::LO, "2");
        let tags: Vec<Tag> = data_set.iter().map(|(tag, _)| tag).collect();
        assert_eq!(tags, [NAME, ID]);
        assert_eq!(data_set.text(ID), Some("2"));
        assert!(data_set.remove(NAME).is_some() && data_set.element(NAME).is_none());
    }

    #[test]
    fn the_last_of_several_stays() {
        let element = |text: &str| Element { vr: VR::LO, value: Value::Text(vec![text.into()]) };
        let data_set: DataSet = [(ID, element("1")), (NAME, element("A")), (ID, element("2"))].into_iter().collect();
        assert_eq!(data_set.len(), 2);
        assert_eq!(data_set.text(ID), Some("2"));
    }
}
