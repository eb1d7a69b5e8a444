//! What a scan may cost at most, as a value.

/// Bounds of a scan. What exceeds one is refused with [`super::ScanError`]; nothing is
/// allocated before the bytes that need it have arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sequences open inside each other.
    pub depth: u16,
    /// Elements and items together, at all levels.
    pub elements: u64,
    /// What the decoded header may cost in memory, in bytes: the collected values, plus an
    /// allowance for each element, item and value.
    pub header_bytes: u64,
    /// A value of OB OD OF OL OV OW UN longer than this stays where it is, as
    /// [`crate::Bulk::InDataSet`]. Pixel data always does.
    pub bulk_threshold: u32,
    /// A text or a list of numbers longer than this stays where it is too.
    pub text_value_bytes: u32,
    /// Bytes of a data set (after inflating).
    pub data_set_bytes: u64,
    /// Bytes a deflated data set may grow to.
    pub inflated_bytes: u64,
    /// How many times larger than its deflated form a data set may be.
    pub inflate_ratio: u32,
    /// The ratio is checked from so many bytes on, as empty images compress extremely well.
    pub inflate_ratio_from: u64,
    /// Fragments of encapsulated Pixel Data; also bounds the offset tables.
    pub fragments: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth: 64,
            elements: 2_000_000,
            header_bytes: 64 << 20,
            bulk_threshold: 1024,
            text_value_bytes: 1 << 20,
            data_set_bytes: 16 << 30,
            inflated_bytes: 4 << 30,
            inflate_ratio: 200,
            inflate_ratio_from: 32 << 20,
            fragments: 1 << 20,
        }
    }
}

impl Limits {
    /// For identifiers, command sets and other data sets that are small and held in memory
    /// whole: nothing is left in place as bulk.
    pub fn small() -> Limits {
        Limits {
            depth: 16,
            elements: 20_000,
            header_bytes: 4 << 20,
            bulk_threshold: 1 << 20,
            text_value_bytes: 1 << 20,
            data_set_bytes: 4 << 20,
            inflated_bytes: 4 << 20,
            inflate_ratio: 200,
            inflate_ratio_from: 1 << 20,
            fragments: 0,
        }
    }
}
