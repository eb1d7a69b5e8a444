//! `[scan]`: what reading one object's data set may cost.

use super::section::section;

section! {
    /// What reading one object's data set may cost at most, whichever door it comes through:
    /// an object beyond one of these is refused (0xC000). `[limits] data_set_bytes` bounds its
    /// size. Each can be lowered; raised, where the rest of the archive can read it again.
    pub struct Scan {
        /// Sequences open inside each other.
        pub depth: u16 = 64,
        /// Elements and items together, at all levels.
        pub elements: u64 = 2_000_000,
        /// Bytes of memory for the decoded header: its values and an allowance for each
        /// element, item and value. Bulk values do not count.
        pub header_bytes: u64 = 16 << 20,
        /// Bytes from which a value of OB, OD, OF, OL, OV, OW or UN is a bulk value, which
        /// stays where it is.
        pub bulk_threshold: u32 = 1024,
        /// Bytes from which a text or a list of numbers is one too.
        pub text_value_bytes: u32 = 1 << 20,
        /// Bytes a deflated data set may grow to.
        pub inflated_bytes: u64 = 4 << 30,
        /// How many times its deflated size a data set may grow to.
        pub inflate_ratio: u32 = 200,
        /// Inflated bytes from which that ratio counts: empty images compress extremely well.
        pub inflate_ratio_from: u64 = 32 << 20,
        /// Fragments of encapsulated pixel data.
        pub fragments: u32 = 1 << 20,
    }
}

impl Scan {
    /// The limits as the scan knows them, for data sets of at most so many bytes.
    pub fn limits(&self, data_set_bytes: u64) -> leadglass_dicom::scan::Limits {
        leadglass_dicom::scan::Limits {
            depth: self.depth,
            elements: self.elements,
            header_bytes: self.header_bytes,
            bulk_threshold: self.bulk_threshold,
            text_value_bytes: self.text_value_bytes,
            data_set_bytes,
            inflated_bytes: self.inflated_bytes,
            inflate_ratio: self.inflate_ratio,
            inflate_ratio_from: self.inflate_ratio_from,
            fragments: self.fragments,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use leadglass_dicom::part10;
    use leadglass_dicom::scan::{Limits, scan};

    use super::*;

    fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files_below(&path, files) } else { files.push(path) }
        }
    }

    #[test]
    fn real_objects_need_no_more_than_the_defaults_allow() {
        let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
        let mut files = Vec::new();
        files_below(&testdata.join("corpus"), &mut files);
        files_below(&testdata.join("samples"), &mut files);
        let (limits, widest) = (Scan::default().limits(64 << 30), Limits::default());
        let mut scanned = 0;
        for path in files {
            let bytes = std::fs::read(&path).unwrap();
            let Ok((meta, data_set)) = part10::split(&bytes) else { continue };
            if scan(data_set, &meta.transfer_syntax, &widest).is_ok() {
                assert!(scan(data_set, &meta.transfer_syntax, &limits).is_ok(), "{}", path.display());
                scanned += 1;
            }
        }
        assert!(scanned > 50, "{scanned}");
    }

    #[test]
    fn no_bound_can_be_raised_beyond_what_is_read_again() {
        for text in ["depth = 65", "elements = 2000001", "header_bytes = 67108865", "inflate_ratio = 201", "depth = 0"]
        {
            let config = crate::Config::parse(&format!("[scan]\n{text}")).unwrap();
            assert!(config.check().is_err(), "{text}");
        }
    }
}
