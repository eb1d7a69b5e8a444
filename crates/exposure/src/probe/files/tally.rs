//! What a walk counted. Each worker has a tally of its own; sums do not depend on who counted what.

use std::collections::BTreeMap;
use std::path::Path;

use super::exports::Exported;
use super::naming::Stray;
use super::orthanc::Switches;
use super::preamble::Preamble;
use super::profile::{Options, profile};
use super::record::{Class, End, Record, Statement, Syntax};
use crate::evidence::Hash;
use crate::finding::Severity;
use crate::run::RunKey;
use leadglass_dicom::Encoding;

/// Elements of a record from which on they are counted together.
const MOST_ELEMENTS: usize = 4096;

/// How often each fixed name was met.
pub(super) type Names = BTreeMap<&'static str, u64>;

/// Counts of one walk, or of one worker's part.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Files met.
    pub files: u64,
    /// DICOM files among them.
    pub dicom: u64,
    /// Kinds of files.
    pub kinds: Names,
    /// How far headers were read.
    pub headers: Names,
    /// Encodings of headers.
    pub encodings: Names,
    /// What was met and not looked at.
    pub missed: Names,
    /// Permission bits of DICOM files.
    pub modes: BTreeMap<u16, u64>,
    /// DICOM files that everyone may read, through the mode bits or a Windows ACL.
    pub readable: u64,
    /// Of those, through a Windows ACL alone.
    pub by_windows_acl: u64,
    /// DICOM files with rights for named users or groups.
    pub named_grants: u64,
    /// Folders with such files.
    pub readable_folders: u64,
    /// The one of them nearest to the root, by keyed hash.
    pub example_folder: Option<(u16, Hash)>,
    /// DICOM files that everyone may write.
    pub writable: u64,
    /// Folders that everyone may write.
    pub writable_folders: u64,
    /// Records of which the header was read.
    pub records: u64,
    /// Elements of records: how many records have so many.
    pub elements: Vec<u64>,
    /// Records with attributes of the table that do not claim to be de-identified.
    pub identifying: u64,
    /// Of those, with attributes that say by themselves who the patient is.
    pub naming: u64,
    /// How often each row of the table has a value, in them.
    pub attributes: Vec<u64>,
    /// Records that claim to be de-identified.
    pub claimed: u64,
    /// Of those, what contradicts itself.
    pub contradictions: u64,
    /// Which rows contradict.
    pub contradicting: Vec<u64>,
    /// Records that claim it and have UIDs of a manufacturer's.
    pub manufacturer_uids: u64,
    /// Records with text in their pixels, maybe.
    pub at_risk: u64,
    /// Of those, that say so.
    pub said_so: u64,
    /// Why.
    pub risks: Names,
    /// Records with Encrypted Attributes Sequence.
    pub encrypted: u64,
    /// Kinds of preambles.
    pub preambles: BTreeMap<Preamble, u64>,
    /// A dangerous one, by keyed hash.
    pub example_preamble: Option<Hash>,
    /// Stray DICOM files older than the limit.
    pub stray: [u64; Stray::ALL.len()],
    /// Years of the oldest and newest of them.
    pub years: Option<(i32, i32)>,
    /// Secrets that everyone may read.
    pub open_secrets: Names,
    /// Other secrets.
    pub closed_secrets: u64,
    /// Programs.
    pub programs: Names,
    /// Configurations of Orthanc.
    pub orthanc: OrthancTally,
    /// Files of exports(5).
    pub exports: ExportsTally,
    /// Files and folders that could not be read.
    pub unreadable: u64,
    /// Whether the walk was stopped.
    pub stopped: bool,
}

/// What configurations of Orthanc set.
#[derive(Clone, Debug, Default)]
pub(super) struct OrthancTally {
    /// Read.
    pub read: u64,
    /// Not readable, too long, or no JSON.
    pub unread: u64,
    /// Switches that are set at all.
    pub told: Names,
    /// Switches that are set to an unsafe value.
    pub set_unsafe: Names,
}

/// What files of exports export.
#[derive(Clone, Debug, Default)]
pub(super) struct ExportsTally {
    /// Not readable, or too long.
    pub unread: u64,
    /// What the others say.
    pub exported: Exported,
}

impl Default for Tally {
    fn default() -> Tally {
        let rows = profile().rows().len();
        Tally {
            files: 0,
            dicom: 0,
            kinds: Names::new(),
            headers: Names::new(),
            encodings: Names::new(),
            missed: Names::new(),
            modes: BTreeMap::new(),
            readable: 0,
            by_windows_acl: 0,
            named_grants: 0,
            readable_folders: 0,
            example_folder: None,
            writable: 0,
            writable_folders: 0,
            records: 0,
            elements: vec![0; MOST_ELEMENTS + 1],
            identifying: 0,
            naming: 0,
            attributes: vec![0; rows],
            claimed: 0,
            contradictions: 0,
            contradicting: vec![0; rows],
            manufacturer_uids: 0,
            at_risk: 0,
            said_so: 0,
            risks: Names::new(),
            encrypted: 0,
            preambles: BTreeMap::new(),
            example_preamble: None,
            stray: [0; Stray::ALL.len()],
            years: None,
            open_secrets: Names::new(),
            closed_secrets: 0,
            programs: Names::new(),
            orthanc: OrthancTally::default(),
            exports: ExportsTally::default(),
            unreadable: 0,
            stopped: false,
        }
    }
}

/// One more of that name.
pub(super) fn count(names: &mut Names, name: &'static str) {
    *names.entry(name).or_default() += 1;
}

impl Tally {
    /// Something was met that could not be read.
    pub(super) fn unreadable(&mut self, name: &'static str) {
        self.unreadable += 1;
        count(&mut self.missed, name);
    }

    /// Whether all that lies in the tree was met and looked at. Links are not followed and special
    /// files hold no images; what the owner excluded is the owner's to know.
    pub(super) fn is_whole(&self) -> bool {
        const HARMLESS: [&str; 4] = ["symbolic-links", "special-files", "excluded", "changed"];
        !self.stopped && self.unreadable == 0 && self.missed.keys().all(|name| HARMLESS.contains(name))
    }

    /// Whether all headers were read up to their end.
    pub(super) fn has_whole_headers(&self) -> bool {
        !self.missed.contains_key("changed")
            && self.headers.keys().all(|name| matches!(*name, "to-pixel-data" | "to-the-end"))
    }

    /// Files that were not opened for their name: secrets.
    pub(super) fn skipped_by_name(&self) -> u64 {
        self.closed_secrets + self.open_secrets.values().sum::<u64>()
    }

    /// A header was read.
    pub(super) fn record(&mut self, record: &Record) {
        count(&mut self.headers, end_name(record.end));
        count(&mut self.encodings, syntax_name(record.syntax));
        if record.is_directory {
            return self.identity(record);
        }
        self.records += 1;
        let elements = (record.elements as usize).min(MOST_ELEMENTS);
        self.elements[elements] += 1;
        self.encrypted += u64::from(record.encrypted);
        self.identity(record);
        self.pixels(record);
    }

    /// Attributes that identify, and whether the record claims to have none.
    fn identity(&mut self, record: &Record) {
        let profile = profile();
        if record.identity_removed != Statement::Yes {
            self.identifying += u64::from(!record.present.is_empty());
            self.naming += u64::from(record.present.meets(&profile.naming()));
            record.present.iter().for_each(|row| self.attributes[row] += 1);
            return;
        }
        self.claimed += 1;
        let left = profile.removed_by(&record.present, record.options);
        let foreign = record.manufacturer_uid && !record.options.meets(Options::RETAIN_UIDS);
        left.iter().for_each(|row| self.contradicting[row] += 1);
        self.manufacturer_uids += u64::from(foreign);
        self.contradictions += u64::from(foreign || !left.is_empty());
    }

    /// Whether text may be in the pixels, and why.
    fn pixels(&mut self, record: &Record) {
        if !record.is_at_risk() {
            return;
        }
        self.at_risk += 1;
        self.said_so += u64::from(record.burned_in == Statement::Yes);
        if let Some(class) = record.class {
            count(&mut self.risks, class_name(class));
        }
        let others = [
            (record.converted, "converted"),
            (record.recognisable == Statement::Yes, "recognisable-features"),
            (record.overlay, "overlay"),
        ];
        others.iter().filter(|(is, _)| *is).for_each(|(_, name)| count(&mut self.risks, name));
    }

    /// A configuration of Orthanc was read; `None` when it could not be.
    pub(super) fn orthanc(&mut self, switches: Option<&Switches>) {
        let of = &mut self.orthanc;
        let Some(switches) = switches else {
            of.unread += 1;
            return;
        };
        of.read += 1;
        switches.told().for_each(|key| count(&mut of.told, key));
        switches.set_unsafe().for_each(|key| count(&mut of.set_unsafe, key));
    }

    /// A preamble was seen.
    pub(super) fn preamble(&mut self, preamble: Preamble, key: &RunKey, bytes: &[u8]) {
        *self.preambles.entry(preamble).or_default() += 1;
        if preamble.severity() == Some(Severity::Critical) {
            let hash = key.hash("preamble", bytes);
            self.example_preamble = Some(self.example_preamble.map_or(hash, |other| other.min(hash)));
        }
    }

    /// A stray file of that year.
    pub(super) fn stray(&mut self, stray: Stray, year: i32) {
        self.stray[stray as usize] += 1;
        self.years = Some(self.years.map_or((year, year), |(oldest, newest)| (oldest.min(year), newest.max(year))));
    }

    /// The median of elements per record; of an even number of records the lower of the middle two.
    pub(super) fn median_elements(&self) -> u64 {
        let middle = self.records.div_ceil(2);
        let mut seen = 0;
        for (elements, records) in self.elements.iter().enumerate() {
            seen += records;
            if seen >= middle {
                return elements as u64;
            }
        }
        0
    }

    /// Adds another worker's part.
    pub(super) fn add(&mut self, other: &Tally) {
        let pairs: [(&mut u64, u64); 18] = [
            (&mut self.files, other.files),
            (&mut self.dicom, other.dicom),
            (&mut self.readable, other.readable),
            (&mut self.by_windows_acl, other.by_windows_acl),
            (&mut self.named_grants, other.named_grants),
            (&mut self.readable_folders, other.readable_folders),
            (&mut self.writable, other.writable),
            (&mut self.writable_folders, other.writable_folders),
            (&mut self.records, other.records),
            (&mut self.identifying, other.identifying),
            (&mut self.naming, other.naming),
            (&mut self.claimed, other.claimed),
            (&mut self.contradictions, other.contradictions),
            (&mut self.manufacturer_uids, other.manufacturer_uids),
            (&mut self.at_risk, other.at_risk),
            (&mut self.said_so, other.said_so),
            (&mut self.encrypted, other.encrypted),
            (&mut self.closed_secrets, other.closed_secrets),
        ];
        pairs.into_iter().for_each(|(sum, part)| *sum += part);
        self.unreadable += other.unreadable;
        self.orthanc.read += other.orthanc.read;
        self.orthanc.unread += other.orthanc.unread;
        self.exports.unread += other.exports.unread;
        self.exports.exported.add(&other.exports.exported);
        for (sum, part) in [
            (&mut self.kinds, &other.kinds),
            (&mut self.headers, &other.headers),
            (&mut self.encodings, &other.encodings),
            (&mut self.missed, &other.missed),
            (&mut self.risks, &other.risks),
            (&mut self.open_secrets, &other.open_secrets),
            (&mut self.programs, &other.programs),
            (&mut self.orthanc.told, &other.orthanc.told),
            (&mut self.orthanc.set_unsafe, &other.orthanc.set_unsafe),
        ] {
            part.iter().for_each(|(name, count)| *sum.entry(name).or_default() += count);
        }
        for (sum, part) in [
            (&mut self.elements[..], &other.elements[..]),
            (&mut self.attributes[..], &other.attributes[..]),
            (&mut self.contradicting[..], &other.contradicting[..]),
            (&mut self.stray[..], &other.stray[..]),
        ] {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        other.modes.iter().for_each(|(mode, count)| *self.modes.entry(*mode).or_default() += count);
        other.preambles.iter().for_each(|(kind, count)| *self.preambles.entry(*kind).or_default() += count);
        self.example_folder = smaller(self.example_folder, other.example_folder);
        self.example_preamble = smaller(self.example_preamble, other.example_preamble);
        let years = [self.years, other.years].into_iter().flatten();
        self.years = years.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        self.stopped |= other.stopped;
    }
}

/// The keyed hash of a folder, as evidence has it.
pub(super) fn hash_of(key: &RunKey, path: &Path) -> Hash {
    key.hash("path", path.as_os_str().as_encoded_bytes())
}

fn smaller<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    [a, b].into_iter().flatten().min()
}

fn end_name(end: End) -> &'static str {
    match end {
        End::PixelData => "to-pixel-data",
        End::File => "to-the-end",
        End::Truncated | End::Failed => "truncated",
        End::Malformed => "malformed",
        End::TooLong => "too-long",
        End::NotInflated => "not-inflated",
    }
}

fn syntax_name(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::Plain(Encoding::ImplicitLittleEndian) => "implicit-little-endian",
        Syntax::Plain(Encoding::ExplicitLittleEndian) => "explicit-little-endian",
        Syntax::Plain(Encoding::ExplicitBigEndian) => "explicit-big-endian",
        Syntax::Deflated => "deflated",
    }
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Ultrasound => "ultrasound",
        Class::SecondaryCapture => "secondary-capture",
        Class::Endoscopy => "endoscopy",
        Class::VisibleLight => "visible-light",
        Class::Angiography => "angiography",
        Class::Document => "encapsulated-document",
    }
}
