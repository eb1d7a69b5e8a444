//! What requestor and archive agreed on beyond the baseline: SOP Class Extended Negotiation,
//! PS3.4 C.5.1.1.

/// The extended behaviours of a query, one byte each in the negotiation item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct QueryOptions {
    /// Relational queries: unique keys above the level may be missing.
    pub relational: bool,
    /// Ranges of date and time attributes are matched as one.
    pub combined_datetime: bool,
    /// Fuzzy semantic matching of person names.
    pub fuzzy: bool,
    /// Timezone query adjustment.
    pub timezone_adjustment: bool,
    /// Enhanced multi-frame image conversion: a view of classic images is asked for.
    pub enhanced_multi_frame: bool,
    /// Empty value matching: `""` finds what has no value.
    pub empty_value: bool,
    /// Multiple value matching: one of a list of values. Lists are matched so whether this was
    /// negotiated or not, as the standard gives them no other meaning.
    pub multiple_values: bool,
}

impl QueryOptions {
    /// What the archive performs when asked; timezone adjustment and conversion to enhanced
    /// multi-frame are not among it.
    pub const SUPPORTED: QueryOptions = QueryOptions {
        relational: true,
        combined_datetime: true,
        fuzzy: true,
        timezone_adjustment: false,
        enhanced_multi_frame: false,
        empty_value: true,
        multiple_values: true,
    };

    /// Reads the service-class-application-information. Bytes that are missing mean no, those
    /// beyond the seventh are of a later standard and left alone.
    pub fn from_extended(information: &[u8]) -> QueryOptions {
        let asked = |byte: usize| information.get(byte) == Some(&1);
        QueryOptions {
            relational: asked(0),
            combined_datetime: asked(1),
            fuzzy: asked(2),
            timezone_adjustment: asked(3),
            enhanced_multi_frame: asked(4),
            empty_value: asked(5),
            multiple_values: asked(6),
        }
    }

    /// The service-class-application-information that says so.
    pub fn to_extended(self) -> [u8; 7] {
        [
            self.relational,
            self.combined_datetime,
            self.fuzzy,
            self.timezone_adjustment,
            self.enhanced_multi_frame,
            self.empty_value,
            self.multiple_values,
        ]
        .map(u8::from)
    }

    /// What both sides want: the answer to a proposal.
    pub fn and(self, other: QueryOptions) -> QueryOptions {
        let (a, b) = (self.to_extended(), other.to_extended());
        QueryOptions::from_extended(&std::array::from_fn::<u8, 7, _>(|byte| a[byte] & b[byte]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_items_mean_no_and_both_sides_have_to_want() {
        assert_eq!(QueryOptions::from_extended(&[]), QueryOptions::default());
        let proposed = QueryOptions::from_extended(&[1, 0, 1, 2, 1, 1, 1, 1]);
        assert!(proposed.relational && proposed.fuzzy && !proposed.timezone_adjustment);
        assert_eq!(proposed.and(QueryOptions::SUPPORTED).to_extended(), [1, 0, 1, 0, 0, 1, 1]);
        assert_eq!(QueryOptions::from_extended(&proposed.to_extended()), proposed);
    }
}
