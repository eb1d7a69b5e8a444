//! Orthanc's configuration where it lies on a disk: JSON with comments, as Orthanc reads it.
//!
//! Of a file nothing remains but which switches of our own list it sets, and how. Deliberately
//! absent: its other values (users, passwords, addresses), which are passed over unread, and
//! putting several files of one configuration together.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// Bytes of a configuration at most; the one that Orthanc comes with has about 50,000.
pub(super) const LONGEST: usize = 256 * 1024;
/// Keys of which at least so many make a file Orthanc's configuration.
const ENOUGH: usize = 2;

/// A switch: its key, its unsafe value, and what Orthanc takes when no file sets it.
#[derive(Debug)]
struct Switch {
    key: &'static str,
    is_unsafe: bool,
    default: bool,
}

const fn switch(key: &'static str, is_unsafe: bool, default: bool) -> Switch {
    Switch { key, is_unsafe, default }
}

/// The switches of which one value opens a door, by Orthanc's book of 1.12.
static SWITCHES: [Switch; 16] = [
    // Without it, it depends on RemoteAccessAllowed and on the version.
    switch("AuthenticationEnabled", false, false),
    switch("DicomAlwaysAllowEcho", true, true),
    switch("DicomAlwaysAllowFind", true, false),
    switch("DicomAlwaysAllowFindWorklist", true, false),
    switch("DicomAlwaysAllowGet", true, false),
    switch("DicomAlwaysAllowMove", true, false),
    switch("DicomAlwaysAllowStore", true, true),
    switch("DicomCheckCalledAet", false, false),
    switch("DicomCheckModalityHost", false, false),
    switch("DicomTlsEnabled", false, false),
    switch("ExecuteLuaEnabled", true, false),
    switch("OverwriteInstances", true, false),
    switch("RestApiWriteToFileSystemEnabled", true, false),
    switch("SslEnabled", false, false),
    switch("WebDavDeleteAllowed", true, false),
    switch("WebDavUploadAllowed", true, true),
];
/// Other keys that tell whose configuration it is.
static MARKS: [&str; 9] = [
    "DicomAet",
    "DicomModalities",
    "DicomPort",
    "HttpPort",
    "IndexDirectory",
    "OrthancPeers",
    "RegisteredUsers",
    REMOTE,
    "StorageDirectory",
];
/// Where it is off, only the host itself reaches HTTP: TLS is then the proxy's.
const REMOTE: &str = "RemoteAccessAllowed";

/// What a file came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Orthanc's configuration: the switches that it sets.
    Orthanc(Switches),
    /// JSON of somebody else.
    Foreign,
    /// No JSON.
    Malformed,
}

/// Which switches a configuration sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Switches(BTreeMap<&'static str, bool>);

impl Switches {
    /// Those that it sets to their unsafe value.
    pub(super) fn set_unsafe(&self) -> impl Iterator<Item = &'static str> {
        let at_home = self.0.get(REMOTE) == Some(&false);
        let is_unsafe = move |switch: &&Switch| self.0.get(switch.key) == Some(&switch.is_unsafe);
        SWITCHES.iter().filter(is_unsafe).map(|switch| switch.key).filter(move |key| !(at_home && *key == "SslEnabled"))
    }

    /// Those that it sets at all.
    pub(super) fn told(&self) -> impl Iterator<Item = &'static str> {
        SWITCHES.iter().map(|switch| switch.key).filter(move |key| self.0.contains_key(key))
    }
}

/// Switches that are unsafe when nobody sets them.
pub(super) fn unsafe_unless_told() -> impl Iterator<Item = &'static str> {
    SWITCHES.iter().filter(|switch| switch.default == switch.is_unsafe).map(|switch| switch.key)
}

/// Whether a file that begins so may be a configuration: an object, or a comment before one.
pub(super) fn may_begin(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    matches!(start.first(), Some(b'{' | b'/'))
}

/// Reads a configuration.
pub(super) fn read(text: &[u8]) -> Read {
    let text = without_comments(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text));
    let mut json = serde_json::Deserializer::from_slice(&text);
    let mut found = Found::default();
    match json.deserialize_map(&mut found).and_then(|()| json.end()) {
        Err(_) => Read::Malformed,
        Ok(()) if found.keys < ENOUGH => Read::Foreign,
        Ok(()) => Read::Orthanc(Switches(found.switches)),
    }
}

/// Blanks for comments, line by line and between `/*` and `*/`, outside of strings.
fn without_comments(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut at, mut in_string) = (0, false);
    while let Some(byte) = text.get(at) {
        let rest = &text[at..];
        let skip = match byte {
            b'\\' if in_string => {
                out.extend_from_slice(&rest[..rest.len().min(2)]);
                at += 2;
                continue;
            }
            b'/' if in_string => 0,
            b'/' if rest.starts_with(b"//") => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with(b"/*") => {
                rest.windows(2).skip(2).position(|end| end == b"*/").map_or(rest.len(), |end| end + 4)
            }
            _ => 0,
        };
        in_string ^= *byte == b'"';
        out.push(if skip == 0 { *byte } else { b' ' });
        at += skip.max(1);
    }
    out
}

/// What was met in the outermost object; names of somebody else's are not kept.
#[derive(Default)]
struct Found {
    keys: usize,
    switches: BTreeMap<&'static str, bool>,
}

impl<'de> Visitor<'de> for &mut Found {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(OurKey)? {
            let Some(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.keys += 1;
            if let Some(value) = map.next_value_seed(Flag)? {
                self.switches.insert(key, value);
            }
        }
        Ok(())
    }
}

/// A key of our lists.
struct OurKey;

impl<'de> DeserializeSeed<'de> for OurKey {
    type Value = Option<&'static str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for OurKey {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let switches = SWITCHES.iter().map(|switch| switch.key);
        Ok(switches.chain(MARKS).find(|known| *known == key))
    }
}

/// Yes or no; anything else is passed over.
struct Flag;

impl<'de> DeserializeSeed<'de> for Flag {
    type Value = Option<bool>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flag {
    type Value = Option<bool>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Some(flag))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::product::A_02;

    fn switches(text: &str) -> (Vec<&'static str>, Vec<&'static str>) {
        let Read::Orthanc(switches) = read(text.as_bytes()) else { panic!("not Orthanc's: {text}") };
        (switches.set_unsafe().collect(), switches.told().collect())
    }

    #[test]
    fn switches_are_found_among_comments() {
        let text = "\u{feff}/** as delivered **/\n{\n  // \"DicomAlwaysAllowFind\" : true,\n  \"Name\" : \"a // b /* c \\\" \",\n\
                    /* \"ExecuteLuaEnabled\": true, */ \"DicomAet\" : \"PLANTED\", \"ExecuteLuaEnabled\" : false,\n\
                    \"RegisteredUsers\" : { \"jane\" : \"secret\" }, \"DicomCheckCalledAet\" : false,\n\
                    \"DicomAlwaysAllowMove\" : true // for now\n}\n// end";
        let (set, told) = switches(text);
        assert_eq!(set, ["DicomAlwaysAllowMove", "DicomCheckCalledAet"]);
        assert_eq!(told, ["DicomAlwaysAllowMove", "DicomCheckCalledAet", "ExecuteLuaEnabled"]);
    }

    #[test]
    fn tls_is_the_proxys_where_nobody_else_reaches_it() {
        assert_eq!(switches("{\"SslEnabled\": false, \"RemoteAccessAllowed\": true}").0, ["SslEnabled"]);
        assert!(switches("{\"SslEnabled\": false, \"RemoteAccessAllowed\": false}").0.is_empty());
        assert!(switches("{\"SslEnabled\": \"no\", \"HttpPort\": [1, {\"a\": 2.5}]}").1.is_empty());
    }

    #[test]
    fn somebody_elses_json_is_told_from_orthancs() {
        assert_eq!(read(b"{\"SslEnabled\": false, \"port\": 1}"), Read::Foreign);
        assert_eq!(read(b"[1, 2]"), Read::Malformed);
        let whole = b"{\"DicomAet\": \"A\", /* x */ \"HttpPort\": 1, \"SslEnabled\": true}";
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Read::Malformed, "{end}");
        }
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert_eq!(read(&[b"{\"x\": ".as_slice(), &deep, b"}"].concat()), Read::Foreign);
        assert!(may_begin(b"\xef\xbb\xbf\n // a") && may_begin(b"{") && !may_begin(b"[1]"));
    }

    #[test]
    fn every_switch_may_stand_in_evidence() {
        assert!(SWITCHES.iter().all(|switch| A_02.names.contains(&switch.key)));
    }
}
