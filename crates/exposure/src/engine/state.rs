//! Where a run stands, made of the lines of its log: the same while it goes on and when it is
//! read back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Ended;
use super::log::{Begun, Entry, Pointer, Resolved, Seen, Stamped, Swept, Tried, Walked};
use super::plan::Plan;
use crate::AUDIT_AE_TITLE;

/// Where a run stands.
pub(super) struct State {
    pub(super) begun: Begun,
    pub(super) resolved: Option<Vec<Resolved>>,
    /// Where the sweep stands, with the sums of all that it met; the open ports are in `opens`.
    pub(super) swept: Swept,
    pub(super) opens: BTreeMap<IpAddr, BTreeSet<u16>>,
    pub(super) seen: BTreeMap<IpAddr, Seen>,
    pub(super) walked: BTreeMap<(u32, u32), Walked>,
    /// Credential tries that were made, or about to be made.
    pub(super) tried: BTreeSet<Tried>,
    pub(super) resumed: u32,
    pub(super) ended: Option<Stamped<Ended>>,
    /// SHA-256 of the body of the report that the last line names, hex.
    pub(super) reported: Option<String>,
}

impl State {
    /// Of a run that has only begun.
    pub(super) fn new(begun: Begun) -> State {
        State {
            begun,
            resolved: None,
            swept: Swept::default(),
            opens: BTreeMap::new(),
            seen: BTreeMap::new(),
            walked: BTreeMap::new(),
            tried: BTreeSet::new(),
            resumed: 0,
            ended: None,
            reported: None,
        }
    }

    /// Goes on by one line. What is not in the scope, or not in order, is refused: a log is
    /// read back from a disk on which others may write.
    pub(super) fn take(&mut self, entry: Entry, plan: &Plan) -> Result<(), &'static str> {
        self.reported = None;
        match entry {
            Entry::Reported(body) => self.reported = Some(body),
            Entry::Begun(begun) => self.begun = begun,
            Entry::Resolved(resolved) => self.take_resolved(resolved, plan)?,
            Entry::Swept(swept) => self.take_swept(swept, plan)?,
            Entry::Host(seen) => self.take_host(*seen, plan)?,
            Entry::Tried(tried) => {
                plan.scope().assets.get(tried.asset as usize).ok_or("an asset that is not in the scope")?;
                self.tried.insert(tried);
            }
            Entry::Tree(walked) => {
                let asset = plan.scope().assets.get(walked.asset as usize);
                asset
                    .and_then(|asset| asset.paths.get(walked.root as usize))
                    .ok_or("a path that is not in the scope")?;
                self.walked.insert((walked.asset, walked.root), *walked);
            }
            Entry::Ended(ended) => self.ended = Some(ended),
            Entry::Resumed(_) => {
                self.ended = None;
                self.resumed = self.resumed.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Whether everything was looked at.
    pub(super) fn is_complete(&self) -> bool {
        self.ended.is_some_and(|ended| ended.what == Ended::Complete)
    }

    fn take_resolved(&mut self, resolved: Vec<Resolved>, plan: &Plan) -> Result<(), &'static str> {
        for one in &resolved {
            let asset = plan.scope().assets.get(one.asset as usize).ok_or("an asset that is not in the scope")?;
            let there = match one.what {
                Pointer::Host(at) => asset.hosts.len() > at as usize,
                Pointer::Url(at) => asset.urls.len() > at as usize,
                Pointer::ShareLink(at) => asset.share_links.len() > at as usize,
            };
            if !there || plan.asset_of(one.address).is_none() {
                return Err("a name or an address that is not in the scope");
            }
        }
        self.resolved = Some(resolved);
        Ok(())
    }

    fn take_swept(&mut self, swept: Swept, plan: &Plan) -> Result<(), &'static str> {
        if swept.upto < self.swept.upto || swept.upto > plan.indices() {
            return Err("the sweep does not go on from where it stood");
        }
        for open in swept.opens {
            if !plan.sweeps(open.ip(), open.port()) {
                return Err("an address that is not in the scope");
            }
            self.opens.entry(open.ip()).or_default().insert(open.port());
        }
        self.swept.upto = swept.upto;
        self.swept.refused = self.swept.refused.saturating_add(swept.refused);
        self.swept.silent = self.swept.silent.saturating_add(swept.silent);
        Ok(())
    }

    fn take_host(&mut self, seen: Seen, plan: &Plan) -> Result<(), &'static str> {
        let (_, asset) = plan.asset_of(seen.address).ok_or("an address that is not in the scope")?;
        let known = asset.known_calling_ae.as_ref().map(|known| known.as_str());
        for spoken in &seen.announced {
            let ae = spoken.calling_ae.as_str();
            let derived = ae.len() == 12 && ae.bytes().all(|byte| byte.is_ascii_uppercase());
            if !(ae == AUDIT_AE_TITLE || derived || Some(ae) == known) {
                return Err("a calling AE title that the audit does not use");
            }
        }
        self.seen.insert(seen.address, seen);
        Ok(())
    }
}
