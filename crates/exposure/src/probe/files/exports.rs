//! exports(5): what a host exports by NFS, to which kinds of clients, and whether their root is
//! root here (N-06). Of a client only its kind is kept.
//!
//! Deliberately absent: who may mount in fact; names and netgroups are not looked up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::catalogue::Name;
use crate::probe::network::kind_of_client;

/// Bytes of a file of exports at most.
pub(super) const LONGEST: usize = 64 * 1024;
/// Exports of one file that are read.
const MOST: usize = 4096;

/// One export.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Export {
    /// What is exported. Never leaves.
    pub path: PathBuf,
    clients: Vec<Name>,
    no_root_squash: bool,
}

/// Exports, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exported {
    /// Exports.
    pub exports: u64,
    /// Kinds of clients.
    pub clients: BTreeMap<Name, u64>,
    /// Exports of which a client's root is root here.
    pub no_root_squash: u64,
}

impl Exported {
    /// One more.
    pub(super) fn add_export(&mut self, export: &Export) {
        self.exports += 1;
        self.no_root_squash += u64::from(export.no_root_squash);
        export.clients.iter().for_each(|client| *self.clients.entry(*client).or_default() += 1);
    }

    /// Those of another part.
    pub(super) fn add(&mut self, other: &Exported) {
        self.exports += other.exports;
        self.no_root_squash += other.no_root_squash;
        other.clients.iter().for_each(|(client, count)| *self.clients.entry(*client).or_default() += count);
    }

    /// Whether one is for everyone.
    pub(super) fn to_everyone(&self) -> bool {
        self.clients.keys().any(|client| client.as_str() == "everyone")
    }
}

/// Reads a file: on each line a path, then clients with their options. `\` at a line's end goes
/// on with the next, `#` begins a comment, a path may be quoted or have octal escapes. Lines of
/// another form are passed over.
pub(super) fn read(text: &str) -> Vec<Export> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter_map(export).take(MOST).collect()
}

fn export(line: &str) -> Option<Export> {
    let (path, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => line.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((line, "")),
    };
    if !path.starts_with('/') {
        return None;
    }
    let mut export = Export { path: PathBuf::from(unescape(path)), clients: Vec::new(), no_root_squash: false };
    for word in rest.split_ascii_whitespace() {
        if let Some(defaults) = word.strip_prefix('-') {
            export.no_root_squash |= has_no_root_squash(defaults);
            continue;
        }
        let (client, options) = word.split_once('(').unwrap_or((word, ""));
        let options = options.strip_suffix(')').unwrap_or(options);
        export.no_root_squash |= has_no_root_squash(options);
        export.clients.push(kind_of_client(client.as_bytes()));
    }
    if export.clients.is_empty() {
        export.clients.push(kind_of_client(b""));
    }
    Some(export)
}

fn has_no_root_squash(options: &str) -> bool {
    options.split(',').any(|option| option.trim() == "no_root_squash")
}

/// `\040` is a space, in mountinfo and in exports.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> Exported {
        let mut exported = Exported::default();
        read(text).iter().for_each(|export| exported.add_export(export));
        exported
    }

    #[test]
    fn who_is_let_in_and_as_whom() {
        let text = "# all of it\n/srv/pacs 10.0.0.0/8(rw,sync) ct1.hospital.example(ro)\n\
                    \"/srv/my images\" \\\n  @trusted(rw,no_root_squash) # for now\n\
                    /srv/open *(ro,insecure)\n/srv/bare\n/srv/mine -ro,no_root_squash ct2\n\
                    /srv/space (ro)\nPLANTED^JANE no line\n";
        let exported = counted(text);
        assert_eq!(exported.exports, 6);
        assert_eq!(exported.no_root_squash, 2);
        let of = |kind: &str| exported.clients.iter().find(|(client, _)| client.as_str() == kind).map(|(_, n)| *n);
        assert_eq!(
            (of("everyone"), of("network"), of("netgroup"), of("named-host")),
            (Some(3), Some(1), Some(1), Some(2))
        );
        assert!(exported.to_everyone());
        assert!(!counted("/srv 10.0.0.7(rw)\n").to_everyone());
    }

    #[test]
    fn paths_are_quoted_or_escaped() {
        let paths: Vec<_> = read("\"/srv/my images\" a\n/srv/my\\040images b\n").into_iter().map(|e| e.path).collect();
        assert_eq!(paths, [PathBuf::from("/srv/my images"), PathBuf::from("/srv/my images")]);
    }

    #[test]
    fn what_is_no_file_of_exports_exports_nothing() {
        assert_eq!(counted("name,host\nexports\n{}\n\"/half"), Exported::default());
    }
}
