//! Which toolkit an implementation was built with, by the UID and name it negotiates (PS3.7 D.3.3.2).
//!
//! Both are text of the target: they are compared with fixed signatures, and of them nothing
//! but the signature's name and small numbers remain. A toolkit is never proof of a product.

use crate::catalogue::Name;
use crate::evidence::Version;

/// How a toolkit writes its version.
#[derive(Clone, Copy)]
enum Numbers {
    /// `367` is 3.6.7.
    Joined,
    /// `3.6.7`.
    Dotted,
    /// It does not, or not so that it can be told.
    None,
}

/// What tells a toolkit.
struct Signature {
    name: &'static str,
    /// Beginning of its Implementation Class UID.
    class_uid: &'static str,
    /// How what follows in the UID writes the version.
    uid_numbers: Numbers,
    /// Beginning of its Implementation Version Name, in capital letters.
    version_name: &'static str,
    /// How what follows in the name writes the version.
    name_numbers: Numbers,
}

const fn by_both(
    name: &'static str,
    class_uid: &'static str,
    uid_numbers: Numbers,
    version_name: &'static str,
    name_numbers: Numbers,
) -> Signature {
    Signature { name, class_uid, uid_numbers, version_name, name_numbers }
}

const fn by_uid(name: &'static str, class_uid: &'static str) -> Signature {
    by_both(name, class_uid, Numbers::None, "", Numbers::None)
}

const fn by_name(name: &'static str, version_name: &'static str) -> Signature {
    by_both(name, "", Numbers::None, version_name, Numbers::None)
}

/// The first that fits counts, so what is narrower stands first.
static SIGNATURES: &[Signature] = &[
    by_both("leadglass", "2.25.301964731182604415926278354037911684122", Numbers::None, "LEADGLASS_", Numbers::None),
    by_both("dcmtk", "1.2.276.0.7230010.3.0.", Numbers::Dotted, "OFFIS_DCMTK_", Numbers::Joined),
    by_both("pynetdicom", "1.2.826.0.1.3680043.9.3811.", Numbers::Dotted, "PYNETDICOM_", Numbers::Joined),
    by_both("dcm4che", "1.2.40.0.13.1.", Numbers::None, "DCM4CHE-", Numbers::Dotted),
    by_both("fo-dicom", "1.3.6.1.4.1.30071.8", Numbers::None, "FO-DICOM ", Numbers::Dotted),
    by_both("clearcanvas", "1.3.6.1.4.1.25403", Numbers::None, "CLEARCANVAS_", Numbers::Dotted),
    by_uid("osirix-horos", "1.2.826.0.1.3680043.8.1057"),
    by_uid("conquest", "1.2.826.0.1.3680043.2.135.1066.101"),
    by_both("gdcm", "1.2.826.0.1.3680043.2.1143", Numbers::None, "GDCM ", Numbers::Dotted),
    by_uid("mergecom", "1.2.840.113669"),
    by_uid("ge", "1.2.840.113619"),
    by_uid("siemens", "1.3.12.2.1107"),
    by_uid("philips", "1.2.840.113704"),
    by_uid("philips", "1.3.46.670589"),
    by_uid("agfa", "1.2.840.114257"),
    by_uid("carestream", "1.2.840.113564"),
    by_uid("fuji", "1.2.392.200036"),
    by_name("mergecom", "MERGECOM"),
    by_name("leadtools", "LEADTOOLS"),
    by_name("dcmobj", "DCMOBJ"),
    by_name("conquest", "DGATE"),
];

/// Names of the toolkits, for reports.
pub const TOOLKITS: &[&str] = &[
    "agfa",
    "carestream",
    "clearcanvas",
    "conquest",
    "dcm4che",
    "dcmobj",
    "dcmtk",
    "fo-dicom",
    "fuji",
    "gdcm",
    "ge",
    "leadglass",
    "leadtools",
    "mergecom",
    "osirix-horos",
    "philips",
    "pynetdicom",
    "siemens",
];

/// The toolkit behind an Implementation Class UID and Implementation Version Name, and its version.
pub fn recognise(class_uid: &[u8], version_name: &[u8]) -> Option<(Name, Option<Version>)> {
    let by_uid = SIGNATURES.iter().find(|signature| signature.after_uid(class_uid).is_some());
    let signature =
        by_uid.or_else(|| SIGNATURES.iter().find(|signature| signature.after_name(version_name).is_some()))?;
    let in_name = signature.after_name(version_name).and_then(|rest| version(rest, signature.name_numbers));
    let in_uid = || signature.after_uid(class_uid).and_then(|rest| version(rest, signature.uid_numbers));
    Some((Name::fixed(signature.name), in_name.or_else(in_uid)))
}

impl Signature {
    fn after_uid<'uid>(&self, class_uid: &'uid [u8]) -> Option<&'uid [u8]> {
        let rest = class_uid.strip_prefix(self.class_uid.as_bytes()).filter(|_| !self.class_uid.is_empty())?;
        // A prefix ends where a component ends.
        let whole = self.class_uid.ends_with('.') || matches!(rest.first(), None | Some(b'.'));
        whole.then_some(rest)
    }

    fn after_name<'name>(&self, version_name: &'name [u8]) -> Option<&'name [u8]> {
        let (start, rest) = version_name.split_at_checked(self.version_name.len())?;
        let fits = !start.is_empty() && start.eq_ignore_ascii_case(self.version_name.as_bytes());
        fits.then_some(rest)
    }
}

/// Up to four numbers below 100 each: no version has more, and a date of birth might.
fn version(rest: &[u8], numbers: Numbers) -> Option<Version> {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(rest.len());
    let text = std::str::from_utf8(rest.get(..end)?).ok()?;
    match numbers {
        Numbers::None => None,
        Numbers::Dotted => {
            let parts = text.split('.');
            let small = parts.clone().count() <= 4 && parts.clone().all(|part| (1..=2).contains(&part.len()));
            small.then(|| Version::parse(text)).flatten()
        }
        Numbers::Joined => {
            let (major, minor, patch) = (text.get(..1)?, text.get(1..2)?, text.get(2..)?);
            let small = (1..=2).contains(&patch.len()) && !text.contains('.');
            small.then(|| Version::new([major.parse().ok()?, minor.parse().ok()?, patch.parse().ok()?, 0])).flatten()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(class_uid: &str, version_name: &str) -> Option<(&'static str, Option<String>)> {
        let (name, version) = recognise(class_uid.as_bytes(), version_name.as_bytes())?;
        Some((name.as_str(), version.map(|version| version.to_string())))
    }

    #[test]
    fn toolkits_and_their_versions() {
        let version = |text: &str| Some(text.to_owned());
        assert_eq!(seen("1.2.276.0.7230010.3.0.3.6.7", "OFFIS_DCMTK_367"), Some(("dcmtk", version("3.6.7"))));
        assert_eq!(seen("1.2.276.0.7230010.3.0.3.6.8", ""), Some(("dcmtk", version("3.6.8"))));
        assert_eq!(seen("", "OFFIS_DCMTK_370"), Some(("dcmtk", version("3.7.0"))));
        assert_eq!(seen("1.2.826.0.1.3680043.9.3811.3.0.4", "PYNETDICOM_304"), Some(("pynetdicom", version("3.0.4"))));
        assert_eq!(seen("1.2.40.0.13.1.3", "dcm4che-5.29.1"), Some(("dcm4che", version("5.29.1"))));
        assert_eq!(seen("1.3.6.1.4.1.30071.8", "fo-dicom 5.1.2"), Some(("fo-dicom", version("5.1.2"))));
        assert_eq!(seen("1.2.840.113669.2.1.2", "MergeCOM3_390"), Some(("mergecom", None)));
        assert_eq!(seen("1.2.840.1136", ""), None);
        assert_eq!(seen("1.2.840.1136690", ""), None);
    }

    #[test]
    fn what_is_not_a_version_is_dropped() {
        assert_eq!(seen("", "OFFIS_DCMTK_19601231"), Some(("dcmtk", None)));
        assert_eq!(seen("1.2.276.0.7230010.3.0.19601231", ""), Some(("dcmtk", None)));
        assert_eq!(seen("", "OFFIS_DCMTK_PLANTED^JANE"), Some(("dcmtk", None)));
        assert_eq!(seen("", "PLANTED^JANE"), None);
        assert_eq!(recognise(&[0xff; 64], &[0xff; 64]), None);
    }

    #[test]
    fn every_signature_has_its_name_in_the_list() {
        assert!(SIGNATURES.iter().all(|signature| TOOLKITS.contains(&signature.name)));
    }
}
