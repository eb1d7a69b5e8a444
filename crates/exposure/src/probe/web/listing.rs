//! W-10: listings of folders, and how many of their names are of DICOM files.
//!
//! Names are counted by what they end in and dropped. Deliberately absent: following a
//! listing's links; the one file whose four bytes are looked at is under the listed folder.

use std::collections::BTreeMap;

use crate::catalogue::Name;
use crate::evidence::Fact;
use crate::finding::{Confidence, Outcome, State};
use crate::net::http::{Answer, Request, Talk};
use crate::probe::web::signature::lower;

/// Bytes of a page that may be a listing.
pub const LOOK_AT: usize = 64 * 1024;
/// Longest link that is looked at.
const MAX_LINK: usize = 512;

/// A listing: its kind and what its names end in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    kind: Name,
    entries: BTreeMap<Name, u64>,
    cut: bool,
}

/// Whose listing it is: the first whose marks are all there.
static KINDS: &[(&str, &[&str])] = &[
    ("python-http", &["<title>directory listing for /"]),
    ("tomcat", &["<title>directory listing for ["]),
    ("lighttpd", &["<title>index of /", "summary=\"directory listing\""]),
    ("lighttpd", &["<title>index of /", "class=\"foot\""]),
    ("apache", &["<title>index of /", "?c="]),
    ("nginx", &["<title>index of /", "<pre><a href=\"../\">"]),
    ("iis", &["[to parent directory]"]),
    ("iis", &["<h1>", " - /</h1><hr>", "<pre>"]),
    ("jetty", &["<title>directory: /"]),
    ("other-listing", &["<title>index of /"]),
    ("other-listing", &["<h1>index of /"]),
];

/// What names end in.
static ENDINGS: &[(&str, &[&str])] = &[
    ("dicom-file", &["dcm", "dicom", "dic", "ima", "dcm30", "acr"]),
    ("archive-file", &["zip", "tar", "gz", "tgz", "7z", "rar", "bz2", "xz", "iso", "bak"]),
    ("picture", &["jpg", "jpeg", "png", "gif", "tif", "tiff", "bmp", "jp2", "svg", "webp"]),
    ("document", &["pdf", "doc", "docx", "xls", "xlsx", "csv", "xml", "json", "txt", "hl7", "rtf", "log"]),
    ("page", &["html", "htm", "php", "jsp", "asp", "aspx", "js", "css"]),
    ("database", &["sql", "db", "sqlite", "mdb", "dump"]),
];

/// Names that evidence of listings uses.
pub const NAMES: &[&str] = &[
    "other-listing",
    "dicom-file",
    "dicomdir",
    "numeric-name",
    "archive-file",
    "picture",
    "document",
    "page",
    "database",
    "folder",
    "other-file",
];

/// One link of a listing.
struct Entry<'page> {
    link: &'page str,
    class: &'static str,
}

impl Listing {
    /// The listing that an answer is, when it is one.
    pub fn of(answer: &Answer) -> Option<Listing> {
        if !answer.is_success() {
            return None;
        }
        let page = String::from_utf8_lossy(&answer.body);
        let lower = lower(&answer.body);
        let (kind, _) = KINDS.iter().find(|(_, marks)| marks.iter().all(|mark| lower.contains(mark)))?;
        let mut entries = BTreeMap::new();
        for entry in self::entries(&page) {
            *entries.entry(Name::fixed(entry.class)).or_default() += 1;
        }
        Some(Listing { kind: Name::fixed(kind), entries, cut: !answer.whole })
    }

    /// How many of its names are of DICOM files.
    pub fn dicom_names(&self) -> u64 {
        ["dicom-file", "dicomdir", "numeric-name"].iter().map(|class| self.count(class)).sum()
    }

    fn count(&self, class: &'static str) -> u64 {
        self.entries.get(&Name::fixed(class)).copied().unwrap_or(0)
    }

    /// Whether nothing but digits makes us take its names for DICOM.
    fn is_a_guess(&self) -> bool {
        self.count("dicom-file") + self.count("dicomdir") == 0
    }

    /// How W-10 ends for it. A page that was cut may go on with images, a folder may hold them: neither is looked at.
    pub fn state(&self) -> State {
        match self.dicom_names() {
            1.. => State::Finding,
            0 if self.cut => State::Error,
            0 if self.count("folder") > 0 => State::RefusedBefore,
            0 => State::Pass,
        }
    }

    /// Writes down what it is; `prefix` is whether one of its files begins like a DICOM file.
    pub fn describe(&self, outcome: &mut Outcome, prefix: Option<bool>) {
        outcome.with("listing", Fact::Known(self.kind));
        outcome.with("entries", Fact::Tally(self.entries.clone()));
        outcome.with("dicom-names", Fact::Count(self.dicom_names()));
        if self.cut {
            outcome.with("cut", Fact::Flag(true));
        }
        if let Some(prefix) = prefix {
            outcome.with("dicom-prefix", Fact::Flag(prefix));
        }
        if outcome.is_finding() && (prefix == Some(false) || (self.is_a_guess() && prefix.is_none())) {
            outcome.confidence(Confidence::Offered);
        }
    }
}

/// Whether one file of a listing has `DICM` where PS3.10 7.1 wants it: four bytes are asked for.
pub async fn prefix(talk: &mut Talk, folder: &str) -> Option<bool> {
    let page = talk.ask(Request::get(folder, LOOK_AT)).await.ok()?;
    let file = first_file(&page, folder)?;
    drop(page);
    let answer = talk.ask(Request::get(file, 132).range(128, 131)).await.ok()?;
    match answer.status {
        206 => Some(answer.body.get(..4) == Some(b"DICM")),
        // It does not know ranges: the four bytes are where the file has them.
        200 => Some(answer.body.get(128..132) == Some(b"DICM")),
        _ => None,
    }
}

/// The path of one file of a listing that may be DICOM; never outside of the folder.
fn first_file(answer: &Answer, folder: &str) -> Option<String> {
    let page = String::from_utf8_lossy(&answer.body);
    let folder = folder.split('?').next().unwrap_or_default();
    let folder = &folder[..=folder.rfind('/')?];
    let candidates =
        || entries(&page).filter(|entry| matches!(entry.class, "dicom-file" | "dicomdir" | "numeric-name"));
    let file = candidates().find(|entry| entry.class == "dicom-file" && is_beneath(entry.link, folder));
    let file = file.or_else(|| candidates().find(|entry| is_beneath(entry.link, folder)))?;
    let name = file.link.strip_prefix(folder).unwrap_or(file.link);
    Some(format!("{folder}{}", name.strip_prefix("./").unwrap_or(name)))
}

/// Whether a link is of a file right in the folder, written so that it can mean nothing else.
fn is_beneath(link: &str, folder: &str) -> bool {
    let name = link.strip_prefix(folder).unwrap_or(link);
    let name = name.strip_prefix("./").unwrap_or(name);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'%' | b'~' | b'^' | b'+' | b',');
    let lower = name.to_ascii_lowercase();
    let escapes = ["..", "%2f", "%5c", "%2e", "%00", "%0a", "%0d"].iter().any(|escape| lower.contains(escape));
    !name.is_empty() && name.bytes().all(plain) && !escapes
}

/// The links of a page that may be names of files, with their classes.
fn entries(page: &str) -> impl Iterator<Item = Entry<'_>> {
    Links { rest: page }.filter_map(|link| Some(Entry { link, class: class(link)? }))
}

fn class(link: &str) -> Option<&'static str> {
    let path = link.split(['?', '#']).next().unwrap_or_default();
    let foreign = link.contains("://") || link.starts_with("//") || path.contains(':');
    if path.is_empty() || path == "/" || path.starts_with("../") || path == ".." || path == "./" || foreign {
        return None;
    }
    let is_folder = path.ends_with('/');
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    if !is_folder && lower == "dicomdir" {
        return Some("dicomdir");
    }
    if is_numeric(&lower, is_folder) {
        return Some("numeric-name");
    }
    if is_folder {
        return Some("folder");
    }
    let ending = lower.rsplit_once('.').map_or("", |(_, ending)| ending);
    let known = ENDINGS.iter().find(|(_, endings)| endings.contains(&ending));
    Some(known.map_or("other-file", |(class, _)| class))
}

/// A name of digits as archives give them: a UID, or a file of eight digits and more. A folder
/// must look like a UID: years and months are digits too.
fn is_numeric(name: &str, is_folder: bool) -> bool {
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let dots = name.bytes().filter(|byte| *byte == b'.').count();
    digits
        && name.starts_with(|c: char| c.is_ascii_digit())
        && (dots >= 4 || (!is_folder && dots == 0 && name.len() >= 8))
}

/// The values of `href` in a page.
struct Links<'page> {
    rest: &'page str,
}

impl<'page> Iterator for Links<'page> {
    type Item = &'page str;

    fn next(&mut self) -> Option<&'page str> {
        loop {
            let at = find_href(self.rest)?;
            let after = self.rest.get(at + 5..)?;
            let quote = after.chars().next()?;
            let (value, end) = match quote {
                '"' | '\'' => {
                    let value = after.get(1..)?;
                    // A page cut in the middle of a link ends there.
                    (value, value.find(quote)?)
                }
                _ => (after, after.find([' ', '>', '\n', '\t']).unwrap_or(after.len())),
            };
            self.rest = value.get(end..)?;
            if (1..=MAX_LINK).contains(&end) {
                return value.get(..end);
            }
        }
    }
}

fn find_href(page: &str) -> Option<usize> {
    page.as_bytes().windows(5).position(|window| window.eq_ignore_ascii_case(b"href="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_classed_by_what_they_end_in() {
        for (link, expected) in [
            ("IM1.dcm", Some("dicom-file")),
            ("/images/IM1.DCM", Some("dicom-file")),
            ("DICOMDIR", Some("dicomdir")),
            ("1.2.840.113619.2.1", Some("numeric-name")),
            ("1.2.840.113619.2.1/", Some("numeric-name")),
            ("00000001", Some("numeric-name")),
            ("2019/", Some("folder")),
            ("20190101/", Some("folder")),
            ("backup.tar.gz", Some("archive-file")),
            ("IM1", Some("other-file")),
            ("../", None),
            ("?C=N;O=D", None),
            ("https://elsewhere/IM1.dcm", None),
            ("javascript:alert(1)", None),
        ] {
            assert_eq!(class(link), expected, "{link}");
        }
    }

    #[test]
    fn links_come_out_of_any_page() {
        let page = "<A HREF=\"a.dcm\">x</a><a href='b.dcm'>y</a><a href=c.dcm>z</a><a href=\"\"><a href=\"cut";
        assert_eq!(Links { rest: page }.collect::<Vec<_>>(), ["a.dcm", "b.dcm", "c.dcm"]);
        assert_eq!(Links { rest: "href=é" }.count(), 1);
        assert_eq!(Links { rest: "éhref=" }.count(), 0);
    }

    #[test]
    fn no_link_leads_out_of_its_folder() {
        for link in ["IM1.dcm", "./IM1.dcm", "/x/IM1.dcm"] {
            assert!(is_beneath(link, "/x/"), "{link}");
        }
        for link in ["../IM1.dcm", "/y/IM1.dcm", "a/b.dcm", "%2e%2e%2fIM1.dcm", "a%0d%0ab.dcm", "a b.dcm", ""] {
            assert!(!is_beneath(link, "/x/"), "{link}");
        }
    }
}
