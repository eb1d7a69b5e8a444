//! From counts to outcomes: one a check, and those of other families that configurations on disk
//! answer, where there are any.

use std::collections::BTreeMap;

use super::exports::Exported;
use super::host::{AtRest, Exports};
use super::naming::Stray;
use super::orthanc;
use super::profile::profile;
use super::tally::{Names, Tally};
use crate::catalogue::files::{F_01, F_02, F_03, F_04, F_05, F_06, F_07, F_08, F_09, F_10, F_11, F_12};
use crate::catalogue::network::N_06;
use crate::catalogue::product::A_02;
use crate::catalogue::{Check, Name};
use crate::evidence::Fact;
use crate::finding::{Facet, Notes, Outcome, Severity, State};

/// What these checks say of a configuration on disk, beside what they say of a port.
const CONFIGURATION: Facet = Facet::Part(Name::fixed("configuration"));

/// Notes what a walk came to. What is closed as far as a stopped walk came is not known to be closed.
pub(super) fn note(tally: &Tally, exports: &Exports, at_rest: AtRest, reads_headers: bool, notes: &mut Notes) {
    let mut judge = Judge { tally, notes };
    judge.inventory();
    judge.access(exports);
    if reads_headers {
        judge.headers();
    } else {
        for check in [&F_05, &F_06, &F_07] {
            judge.notes.note(check, State::SkippedByPolicy);
        }
    }
    judge.at_rest(at_rest);
    judge.preambles();
    judge.neighbours();
    judge.orthanc(reads_headers);
    judge.nfs(&exports.nfs, reads_headers);
}

struct Judge<'a> {
    tally: &'a Tally,
    notes: &'a mut Notes,
}

impl Judge<'_> {
    /// A finding, whatever else; a pass of a whole tree alone; nothing to judge where a whole
    /// tree holds no images.
    fn judge(&mut self, check: &'static Check, is_finding: bool) -> &mut Outcome {
        self.judge_of(check, is_finding, self.tally.is_whole())
    }

    fn judge_of(&mut self, check: &'static Check, is_finding: bool, is_whole: bool) -> &mut Outcome {
        let state = match (is_finding, is_whole, self.tally.dicom) {
            (true, ..) => State::Finding,
            (false, false, _) => State::Error,
            (false, true, 0) => State::NotApplicable,
            (false, true, _) => State::Pass,
        };
        self.notes.note(check, state)
    }

    fn inventory(&mut self) {
        let tally = self.tally;
        let state = if tally.is_whole() { State::Pass } else { State::Error };
        let outcome = self.notes.note(&F_04, state);
        outcome
            .with("kinds", of_names(&tally.kinds))
            .with("headers", of_names(&tally.headers))
            .with("encodings", of_names(&tally.encodings))
            .with("not-looked-at", of_names(&tally.missed))
            .with("skipped-by-name", Fact::Count(tally.skipped_by_name()));
        if tally.stopped {
            outcome.with("stopped", Fact::Flag(true));
        }
    }

    fn access(&mut self, exports: &Exports) {
        let tally = self.tally;
        let outcome = self.judge(&F_01, tally.readable > 0);
        outcome
            .with("readable", Fact::Count(tally.readable))
            .with("by-windows-acl", Fact::Count(tally.by_windows_acl))
            .with("named-grants", Fact::Count(tally.named_grants))
            .with("folders", Fact::Count(tally.readable_folders))
            .with("modes", Fact::Modes(tally.modes.clone()));
        if let Some((_, folder)) = tally.example_folder {
            outcome.with("example-folder", Fact::Hash(folder));
        }
        self.judge(&F_02, tally.writable + tally.writable_folders > 0)
            .with("writable", Fact::Count(tally.writable))
            .with("writable-folders", Fact::Count(tally.writable_folders));
        let exported = !exports.kinds.is_empty();
        let outcome = self.judge(&F_03, exported && tally.readable > 0);
        if outcome.state == State::Pass && !exported && exports.unread > 0 {
            outcome.state = State::Error;
        }
        outcome
            .with("exports", Fact::Names(exports.kinds.iter().map(|kind| Name::fixed(kind)).collect()))
            .with("unread-configurations", Fact::Count(exports.unread));
    }

    fn headers(&mut self) {
        let tally = self.tally;
        let is_whole = tally.is_whole() && tally.has_whole_headers();
        self.judge_of(&F_05, tally.identifying > 0, is_whole)
            .with("identifying", Fact::Count(tally.identifying))
            .with("naming-a-patient", Fact::Count(tally.naming))
            .with("attributes", of_rows(&tally.attributes))
            .with("median-elements", Fact::Count(tally.median_elements()))
            .with("records", Fact::Count(tally.records));
        if tally.claimed == 0 && is_whole {
            self.notes.note(&F_06, State::NotApplicable);
        } else {
            self.judge_of(&F_06, tally.contradictions > 0, is_whole)
                .with("contradictions", Fact::Count(tally.contradictions))
                .with("claimed", Fact::Count(tally.claimed))
                .with("attributes", of_rows(&tally.contradicting))
                .with("manufacturer-uids", Fact::Count(tally.manufacturer_uids));
        }
        self.judge_of(&F_07, tally.at_risk > 0, is_whole)
            .with("at-risk", Fact::Count(tally.at_risk))
            .with("said-so", Fact::Count(tally.said_so))
            .with("classes", of_names(&tally.risks));
    }

    fn at_rest(&mut self, at_rest: AtRest) {
        let tally = self.tally;
        let objects = tally.records > 0 && tally.encrypted == tally.records;
        let (state, mechanism) = match at_rest {
            _ if tally.dicom == 0 && tally.is_whole() => (State::NotApplicable, "unknown"),
            _ if tally.dicom == 0 => (State::Error, "unknown"),
            AtRest::Encrypted(mechanism) => (State::Pass, mechanism),
            AtRest::Plain if objects && tally.is_whole() => (State::Pass, "none"),
            AtRest::Plain if objects => (State::Error, "none"),
            AtRest::Plain => (State::Finding, "none"),
            AtRest::Network => (State::Error, "network"),
            AtRest::Unknown(why) => (State::Error, why),
        };
        self.notes
            .note(&F_08, state)
            .with("mechanism", Fact::Known(Name::fixed(mechanism)))
            .with("encrypted-attributes", Fact::Count(tally.encrypted));
    }

    fn preambles(&mut self) {
        let tally = self.tally;
        let worst = tally.preambles.keys().filter_map(|preamble| preamble.severity()).max();
        let outcome = self.judge(&F_09, worst.is_some());
        if outcome.is_finding() {
            outcome.severity(worst.unwrap_or(Severity::Low));
        }
        let kinds = tally.preambles.iter().map(|(preamble, count)| (Name::fixed(preamble.name()), *count));
        outcome.with("preambles", Fact::Tally(kinds.collect()));
        if let Some(hash) = tally.example_preamble {
            outcome.with("example-preamble", Fact::Hash(hash));
        }
    }

    fn neighbours(&mut self) {
        let tally = self.tally;
        let stray = tally.stray.iter().sum::<u64>();
        let kinds = Stray::ALL.iter().zip(&tally.stray).filter(|(_, count)| **count > 0);
        let kinds: BTreeMap<Name, u64> = kinds.map(|(kind, count)| (Name::fixed(kind.name()), *count)).collect();
        let outcome = self.judge(&F_10, stray > 0);
        outcome.with("stray", Fact::Count(stray)).with("classes", Fact::Tally(kinds));
        if let Some((oldest, newest)) = tally.years {
            outcome.with("oldest-year", year(oldest)).with("newest-year", year(newest));
        }
        self.judge(&F_11, !tally.open_secrets.is_empty())
            .with("readable", of_names(&tally.open_secrets))
            .with("closed", Fact::Count(tally.closed_secrets));
        self.judge(&F_12, !tally.programs.is_empty()).with("programs", of_names(&tally.programs));
    }

    /// A-02, where a configuration of Orthanc was met. It passes when every switch that opens a
    /// door unless it is set is set: the files of one configuration may lie apart.
    fn orthanc(&mut self, reads: bool) {
        let of = &self.tally.orthanc;
        let is_told = |key: &str| of.told.contains_key(key);
        let state = match (of.read, of.unread) {
            (0, 0) => return,
            _ if !reads => State::SkippedByPolicy,
            _ if !of.set_unsafe.is_empty() => State::Finding,
            (_, 1..) => State::Error,
            _ if !self.tally.is_whole() => State::Error,
            _ if orthanc::unsafe_unless_told().all(is_told) => State::Pass,
            _ => State::RefusedBefore,
        };
        let outcome = self.notes.note(&A_02, state).facet(CONFIGURATION);
        outcome.with("configurations", Fact::Count(of.read)).with("unread-configurations", Fact::Count(of.unread));
        if !of.set_unsafe.is_empty() {
            outcome.with("unsafe", Fact::Names(of.set_unsafe.keys().map(|key| Name::fixed(key)).collect()));
        }
    }

    /// N-06, where files of exports(5) were met, or the host exports the tree.
    fn nfs(&mut self, of_tree: &Exported, reads: bool) {
        let files = &self.tally.exports;
        let mut all = files.exported.clone();
        all.add(of_tree);
        let state = match (all.exports, files.unread) {
            (0, 0) => return,
            _ if !reads => State::SkippedByPolicy,
            _ if all.to_everyone() || all.no_root_squash > 0 => State::Finding,
            (_, 1..) => State::Error,
            _ if !self.tally.is_whole() => State::Error,
            _ => State::Pass,
        };
        let outcome = self.notes.note(&N_06, state).facet(CONFIGURATION);
        outcome.with("exports", Fact::Count(all.exports)).with("unread-configurations", Fact::Count(files.unread));
        outcome.with("no-root-squash", Fact::Count(all.no_root_squash)).with("clients", Fact::Tally(all.clients));
    }
}

fn of_names(names: &Names) -> Fact {
    Fact::Tally(names.iter().map(|(name, count)| (Name::fixed(name), *count)).collect())
}

fn of_rows(counts: &[u64]) -> Fact {
    let rows = profile().rows().iter().zip(counts).filter(|(_, count)| **count > 0);
    Fact::Tally(rows.map(|(row, count)| (row.name, *count)).collect())
}

fn year(year: i32) -> Fact {
    Fact::Code(u32::try_from(year).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::files::CHECKS;

    fn states(tally: &Tally) -> Vec<State> {
        let mut notes = Notes::default();
        note(tally, &Exports::default(), AtRest::Unknown("unknown"), true, &mut notes);
        let outcomes = notes.into_outcomes();
        assert_eq!(outcomes.len(), CHECKS.len());
        outcomes.iter().map(|outcome| outcome.state).collect()
    }

    #[test]
    fn nothing_passes_in_a_tree_that_was_not_seen_whole() {
        for name in ["unreadable-files", "unreadable-folders", "vanished", "other-file-systems", "too-deep"] {
            for dicom in [0, 5] {
                let tally = Tally { dicom, missed: [(name, 1)].into(), ..Tally::default() };
                assert!(states(&tally).iter().all(|state| *state == State::Error), "{name} {dicom}");
            }
        }
        for name in ["symbolic-links", "special-files", "excluded"] {
            let tally = Tally { dicom: 5, missed: [(name, 1)].into(), ..Tally::default() };
            assert!(states(&tally).contains(&State::Pass), "{name}");
        }
    }

    #[test]
    fn a_finding_needs_no_images() {
        let mut tally = Tally { writable_folders: 1, ..Tally::default() };
        tally.open_secrets.insert("orthanc-configuration", 1);
        tally.programs.insert("php", 1);
        assert_eq!(states(&tally).iter().filter(|state| **state == State::Finding).count(), 3);
    }
}
