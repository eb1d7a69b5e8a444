//! The visitor that writes a data set without what identifies.
//!
//! What stays is written as it comes; of what changes, one value at a time is held, of at most
//! [`LONGEST`] bytes. Deliberately absent: recursion, and any value in a message.

use std::sync::Arc;

use super::date::{is_offset, is_time, shifted_date, shifted_date_time};
use super::decide::{Decision, Fallback, Place, decide};
use super::dummy::dummy;
use super::facts::is_pixel_data;
use super::option::ProfileOption;
use super::plan::Plan;
use super::private::{Blocks, is_creator};
use super::report::{Deed, Report};
use super::vouch::Pixels;
use super::word::cleaned;
use crate::convert::rewrite::Rewriter;
use crate::scan::Fault;
use crate::scan::header::{Header, ITEM, SEQUENCE_DELIMITER, UNDEFINED};
use crate::scan::walk::{Take, Visitor};
use crate::{Tag, VR};

/// The longest value that is looked into, in bytes; a longer one of those goes.
const LONGEST: u32 = 64 * 1024;
/// Prefixes of UIDs that the standard gives to well-known frames of reference and palettes.
const WELL_KNOWN: [&str; 4] =
    ["1.2.840.10008.1.4.1.", "1.2.840.10008.1.4.2.", "1.2.840.10008.1.4.3.", "1.2.840.10008.1.5."];

/// Writes a data set without what identifies.
pub(super) struct Writer {
    plan: Arc<Plan>,
    inner: Rewriter,
    report: Report,
    /// The sequences that are open.
    levels: Vec<Level>,
    /// The private blocks of the top level and of each item that is open.
    blocks: Vec<Blocks>,
    /// The mark that is to be put in next.
    next_mark: usize,
    last: Option<Tag>,
    pending: Pending,
    pixel_bytes: u64,
    fragments: bool,
}

/// An open sequence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Its items are looked through.
    Kept,
    /// Its items are looked through and every value gets a dummy.
    Dummy,
    /// Nothing of it stays.
    Dropped,
}

/// What waits for a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Decided(Decision),
    Creator,
}

impl Writer {
    pub(super) fn new(plan: Arc<Plan>) -> Writer {
        let inner = Rewriter::new(plan.to.encoding());
        Writer {
            plan,
            inner,
            report: Report::default(),
            levels: Vec::new(),
            blocks: vec![Blocks::default()],
            next_mark: 0,
            last: None,
            pending: Pending::Decided(Decision::Remove),
            pixel_bytes: 0,
            fragments: false,
        }
    }

    /// What has been written since [`Writer::forget_written`].
    pub(super) fn written(&self) -> &[u8] {
        self.inner.written()
    }

    pub(super) fn forget_written(&mut self) {
        self.inner.forget_written();
    }

    /// The data set has ended: the marks that are left, and what was done.
    pub(super) fn finish(mut self) -> (Vec<u8>, Report) {
        self.put_marks(None);
        (self.inner.into_written(), self.report)
    }

    fn is_dropped(&self) -> bool {
        self.levels.last() == Some(&Level::Dropped)
    }

    /// An element comes; whether it may: at the top level tags ascend, and what we say ourselves
    /// nobody else says.
    fn admits(&mut self, tag: Tag) -> bool {
        if !self.levels.is_empty() {
            return !self.is_dropped();
        }
        let in_order = self.last.is_none_or(|last| last < tag);
        if in_order {
            self.last = Some(tag);
            self.put_marks(Some(tag));
        }
        let admitted = in_order && !self.plan.says_itself(tag);
        if !admitted && tag.element() != 0 {
            self.report.note(tag, Deed::Removed);
        }
        admitted
    }

    /// Puts in the marks that come before that tag, or all.
    fn put_marks(&mut self, before: Option<Tag>) {
        let plan = self.plan.clone();
        while let Some((tag, encoded)) = plan.marks.get(self.next_mark)
            && before.is_none_or(|before| *tag <= before)
        {
            self.inner.raw(encoded);
            self.report.note(*tag, Deed::Added);
            self.next_mark += 1;
        }
    }

    fn decide(&self, header: &Header) -> Decision {
        let (tag, vr) = (header.tag, header.meaning);
        match tag.group() {
            0x0000 | 0x0002 | 0x0004 => return Decision::Remove,
            group if group % 2 == 1 => return self.decide_private(tag, vr),
            0x5000..=0x50FF | 0x6000..=0x60FF => return Decision::Remove,
            0x7F00..=0x7FFF if tag.group() != 0x7FE0 => return Decision::Remove,
            _ => {}
        }
        if is_pixel_data(tag) && !self.levels.is_empty() {
            return Decision::Remove;
        }
        let in_dummy = self.levels.last() == Some(&Level::Dummy);
        let place = Place { sop_class: &self.plan.sop_class, nested: !self.levels.is_empty(), in_dummy };
        decide(self.plan.options, tag, vr, place)
    }

    fn decide_private(&self, tag: Tag, vr: VR) -> Decision {
        let in_dummy = self.levels.last() == Some(&Level::Dummy);
        if in_dummy || !self.plan.options.has(ProfileOption::RetainSafePrivate) {
            return Decision::Remove;
        }
        match (self.blocks.last().and_then(|blocks| blocks.safe(tag)), vr) {
            (None, _) => Decision::Remove,
            (Some(VR::UI), VR::UI) if !self.plan.options.has(ProfileOption::RetainUids) => Decision::Uid,
            (Some(VR::SQ), VR::SQ) => Decision::KeepByOption,
            (Some(VR::SQ), _) | (_, VR::SQ) => Decision::Remove,
            // The table does not say more than the sender, or they agree, or nobody wrote a VR.
            (Some(safe), vr) if safe == vr || safe == VR::UN || vr == VR::UN => Decision::KeepByOption,
            _ => Decision::Remove,
        }
    }

    /// Writes an element with another value.
    fn put(&mut self, header: &Header, value: &[u8], deed: Deed) {
        self.report.note(header.tag, deed);
        let padded = value.len() + value.len() % 2;
        let Ok(length) = u32::try_from(padded) else { return };
        self.inner.header(header.tag, header.meaning, length);
        self.inner.raw(value);
        if padded > value.len() {
            self.inner.raw(if matches!(header.meaning, VR::UI | VR::OB | VR::UN) { b"\0" } else { b" " });
        }
    }

    fn remove(&mut self, header: &Header) {
        self.report.note(header.tag, Deed::Removed);
    }

    fn put_dummy(&mut self, header: &Header) {
        self.put(header, &dummy(header.meaning, header.length), Deed::Replaced);
    }

    /// An element that is no sequence and stays in some form.
    fn begin(&mut self, header: &Header, decision: Decision) -> Result<Take, Fault> {
        match decision {
            Decision::Remove => self.remove(header),
            Decision::Empty => self.put(header, b"", Deed::Emptied),
            Decision::Pseudonym => {
                let patient = self.plan.patient.clone();
                self.put(header, patient.as_bytes(), Deed::Replaced);
            }
            Decision::Keep | Decision::KeepByOption => {
                if decision == Decision::KeepByOption {
                    self.report.note(header.tag, Deed::Kept);
                }
                self.inner.header(header.tag, header.meaning, header.length);
                return Ok(Take::Pieces);
            }
            // Where there was nothing there is nothing to hide.
            _ if header.length == 0 => self.put(header, b"", Deed::Emptied),
            Decision::Dummy => self.put_dummy(header),
            Decision::Uid | Decision::Shift | Decision::Words(_) if header.length <= LONGEST => {
                self.pending = Pending::Decided(decision);
                return Ok(Take::Whole);
            }
            Decision::Uid | Decision::Shift | Decision::Words(_) => self.remove(header),
        }
        Ok(Take::Skip)
    }

    fn put_uids(&mut self, header: &Header, value: &[u8]) {
        let text: String = value.iter().map(|byte| char::from(*byte)).collect();
        let uids = text.split('\\').map(|uid| uid.trim_matches([' ', '\0'])).map(|uid| {
            let is_well_known = uid.len() < 32 && WELL_KNOWN.iter().any(|prefix| uid.starts_with(prefix));
            if uid.is_empty() || is_well_known { uid.to_owned() } else { self.plan.pseudonyms.uid(uid).to_string() }
        });
        let uids = uids.collect::<Vec<_>>().join("\\");
        self.put(header, uids.as_bytes(), Deed::Remapped);
    }

    fn put_shifted(&mut self, header: &Header, value: &[u8]) {
        let days = self.plan.shift_days;
        let moved = |text: &str| match header.meaning {
            VR::DA => shifted_date(text, days),
            VR::DT => shifted_date_time(text, days),
            VR::TM => is_time(text).then(|| text.trim().to_owned()),
            _ => is_offset(text).then(|| text.trim().to_owned()),
        };
        let text = std::str::from_utf8(value).unwrap_or("?");
        let values: Option<Vec<String>> = text
            .trim_end_matches([' ', '\0'])
            .split('\\')
            .map(|value| moved(value.trim_matches([' ', '\0'])))
            .collect();
        match values {
            Some(values) => self.put(header, values.join("\\").as_bytes(), Deed::Shifted),
            None => self.put_dummy(header),
        }
    }

    fn put_words(&mut self, header: &Header, value: &[u8], fallback: Fallback) {
        let plan = self.plan.clone();
        let words = cleaned(value, &plan.words, &plan.names);
        match fallback {
            _ if !words.is_empty() => self.put(header, words.as_bytes(), Deed::Cleaned),
            Fallback::Remove => self.remove(header),
            Fallback::Empty => self.put(header, b"", Deed::Emptied),
            Fallback::Dummy => self.put_dummy(header),
        }
    }
}

impl Visitor for Writer {
    fn element(&mut self, header: &Header) -> Result<Take, Fault> {
        if !self.admits(header.tag) || header.tag.element() == 0 {
            return Ok(Take::Skip);
        }
        if is_creator(header.tag) && self.plan.options.has(ProfileOption::RetainSafePrivate) && header.length <= 64 {
            self.pending = Pending::Creator;
            return Ok(Take::Whole);
        }
        let decision = self.decide(header);
        if header.meaning != VR::SQ {
            return self.begin(header, decision);
        }
        // A sequence written as UN: only what stays is looked through.
        match decision {
            Decision::Keep | Decision::KeepByOption | Decision::Dummy => {
                self.last = self.last.filter(|_| !self.levels.is_empty());
                Ok(Take::Items)
            }
            Decision::Empty => {
                self.put(header, b"", Deed::Emptied);
                Ok(Take::Skip)
            }
            _ => {
                self.remove(header);
                Ok(Take::Skip)
            }
        }
    }

    fn whole(&mut self, header: &Header, value: &[u8]) -> Result<(), Fault> {
        match self.pending {
            Pending::Creator => {
                if self.blocks.last_mut().is_some_and(|blocks| blocks.reserve(header.tag, value)) {
                    let header = Header { meaning: VR::LO, ..*header };
                    self.put(&header, value, Deed::Kept);
                } else {
                    self.remove(header);
                }
            }
            Pending::Decided(Decision::Uid) => self.put_uids(header, value),
            Pending::Decided(Decision::Shift) => self.put_shifted(header, value),
            Pending::Decided(Decision::Words(fallback)) => self.put_words(header, value, fallback),
            Pending::Decided(_) => self.remove(header),
        }
        Ok(())
    }

    fn piece(&mut self, header: &Header, bytes: &[u8], last: bool) -> Result<(), Fault> {
        if header.tag == ITEM {
            self.inner.raw(bytes);
            return Ok(());
        }
        let before = self.inner.written().len();
        self.inner.piece(&Header { vr: header.meaning, ..*header }, bytes, last)?;
        if is_pixel_data(header.tag) && self.levels.is_empty() {
            let plan = self.plan.clone();
            let offset = self.pixel_bytes;
            let pixels = self.inner.written_mut().get_mut(before..).unwrap_or_default();
            self.pixel_bytes += pixels.len() as u64;
            if let Pixels::Blanked(blanks) = &plan.pixels {
                blanks.apply(offset, pixels);
                if last {
                    self.report.note(header.tag, Deed::Cleaned);
                }
            }
        }
        Ok(())
    }

    fn sequence(&mut self, header: &Header) -> Result<(), Fault> {
        if !self.admits(header.tag) || header.tag.element() == 0 {
            self.levels.push(Level::Dropped);
            return Ok(());
        }
        let header = Header { meaning: VR::SQ, ..*header };
        let decision = self.decide(&header);
        let in_dummy = self.levels.last() == Some(&Level::Dummy);
        let level = match decision {
            Decision::Keep | Decision::KeepByOption if in_dummy => Level::Dummy,
            Decision::Keep | Decision::KeepByOption => Level::Kept,
            Decision::Dummy => Level::Dummy,
            _ => Level::Dropped,
        };
        match (level, decision) {
            (Level::Dropped, Decision::Empty) => self.put(&header, b"", Deed::Emptied),
            (Level::Dropped, _) => self.remove(&header),
            (level, _) => {
                match (level, decision) {
                    (Level::Dummy, _) => self.report.note(header.tag, Deed::Replaced),
                    (_, Decision::KeepByOption) => self.report.note(header.tag, Deed::Kept),
                    _ => {}
                }
                self.inner.sequence(&header)?;
            }
        }
        self.levels.push(level);
        Ok(())
    }

    fn item(&mut self) -> Result<(), Fault> {
        self.blocks.push(Blocks::default());
        if self.is_dropped() { Ok(()) } else { self.inner.item() }
    }

    fn item_end(&mut self) -> Result<(), Fault> {
        self.blocks.pop();
        if self.is_dropped() { Ok(()) } else { self.inner.item_end() }
    }

    fn sequence_end(&mut self) -> Result<(), Fault> {
        match self.levels.pop() {
            Some(Level::Dropped) | None => Ok(()),
            Some(_) => self.inner.sequence_end(),
        }
    }

    fn fragments(&mut self, header: &Header) -> Result<(), Fault> {
        let is_pixels = is_pixel_data(header.tag) && self.levels.is_empty();
        self.fragments = self.admits(header.tag) && is_pixels;
        if self.fragments {
            self.inner.header(header.tag, header.vr, UNDEFINED);
        } else if !self.is_dropped() {
            self.remove(header);
        }
        Ok(())
    }

    fn fragment(&mut self, header: &Header) -> Result<Take, Fault> {
        if !self.fragments {
            return Ok(Take::Skip);
        }
        self.inner.header(ITEM, VR::UN, header.length);
        Ok(Take::Pieces)
    }

    fn fragments_end(&mut self, _offset: u64) -> Result<(), Fault> {
        if std::mem::take(&mut self.fragments) {
            self.inner.header(SEQUENCE_DELIMITER, VR::UN, 0);
        }
        Ok(())
    }
}
