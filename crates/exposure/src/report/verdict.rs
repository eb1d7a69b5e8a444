//! How a run ends: a number for whoever called it, decided in one place.
//!
//! What is incomplete cannot be clean, and is told before findings are: nobody may take a
//! part for the whole. Deliberately absent: a setting that turns findings into success without
//! saying so; `--fail-on never` says so.

use std::fmt;
use std::str::FromStr;

use super::Report;
use super::baseline::Accepted;
use super::diff::{Change, Diff};
use super::subject::Identities;
use super::wording::{self, Share};
use crate::finding::Severity;

/// How a run ended; its number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// No finding at or above the threshold, and enough was looked at.
    Clean = 0,
    /// Findings at or above the threshold, or an acceptance past its day.
    Findings = 1,
    /// The scope, the authorisation or the command line do not allow it.
    Usage = 2,
    /// Stopped before its end, or less was looked at than was asked for.
    Incomplete = 3,
    /// A fault of the program or of the machine it runs on.
    Internal = 4,
}

/// Which findings fail a run: `high`, `new:high`, `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOn {
    /// None.
    Never,
    /// Any at least so severe.
    Any(Severity),
    /// Those that are new or worse than in an earlier report, at least so severe.
    New(Severity),
}

/// A threshold that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a threshold: write never, info, low, medium, high or critical, with new: before it for what an earlier report did not have"
)]
pub struct NotAThreshold;

/// What is asked of a report.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Which findings fail it.
    pub fail_on: FailOn,
    /// The least that must have been looked at.
    pub min_coverage: Share,
    /// What a baseline accepts.
    pub accepted: &'a Accepted,
    /// An earlier report, for [`FailOn::New`]; without one everything is new.
    pub before: Option<&'a Report>,
}

impl Default for FailOn {
    fn default() -> FailOn {
        FailOn::Any(Severity::Low)
    }
}

impl Verdict {
    /// Of a run that came to a report; the report says how the run ended.
    pub fn of(report: &Report, terms: &Terms<'_>) -> Verdict {
        if !report.coverage.is_whole() || report.coverage.share() < terms.min_coverage {
            Verdict::Incomplete
        } else if !terms.accepted.expired.is_empty() || terms.fails(report) {
            Verdict::Findings
        } else {
            Verdict::Clean
        }
    }

    /// Of a comparison of two reports.
    pub fn of_diff(diff: &Diff, fail_on: FailOn) -> Verdict {
        if diff.fails(fail_on) { Verdict::Findings } else { Verdict::Clean }
    }

    /// The exit code.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl Terms<'_> {
    fn fails(&self, report: &Report) -> bool {
        let identities = Identities::of(&[report]);
        let any = |least: Severity| {
            report.findings().any(|(subject, outcome)| {
                outcome.severity >= least && !self.accepted.holds(&identities.key(&subject, outcome))
            })
        };
        match (self.fail_on, self.before) {
            (FailOn::Never, _) => false,
            (FailOn::Any(least), _) | (FailOn::New(least), None) => any(least),
            (FailOn::New(_), Some(before)) => Diff::of(before, report, self.accepted).fails(self.fail_on),
        }
    }
}

impl Diff {
    /// Whether a threshold is met: by what is new or worse for `new:`, by any finding of the later report otherwise.
    pub fn fails(&self, fail_on: FailOn) -> bool {
        let worst_of = |changes: &[Change]| {
            let of = self.items.iter().filter(|item| !item.accepted && changes.contains(&item.change));
            of.filter_map(|item| item.now).max()
        };
        let (worst, least) = match fail_on {
            FailOn::Never => return false,
            FailOn::New(least) => (worst_of(&[Change::New, Change::Worse]), least),
            FailOn::Any(least) => (self.worst_now, least),
        };
        worst.is_some_and(|worst| worst >= least)
    }
}

impl FromStr for FailOn {
    type Err = NotAThreshold;

    fn from_str(text: &str) -> Result<FailOn, NotAThreshold> {
        let of = |name: &str| wording::SEVERITIES.into_iter().find(|severity| wording::severity(*severity) == name);
        match text.strip_prefix("new:") {
            Some(severity) => of(severity).map(FailOn::New),
            None if text == "never" => Some(FailOn::Never),
            None => of(text).map(FailOn::Any),
        }
        .ok_or(NotAThreshold)
    }
}

impl fmt::Display for FailOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FailOn::Never => f.write_str("never"),
            FailOn::Any(severity) => f.write_str(wording::severity(*severity)),
            FailOn::New(severity) => write!(f, "new:{}", wording::severity(*severity)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Ended;
    use crate::report::Coverage;
    use crate::report::baseline::Baseline;
    use crate::testing::NOW;
    use crate::testing::report::{closed_estate, estate};

    fn verdict(report: &Report, fail_on: &str, before: Option<&Report>) -> Verdict {
        let terms = Terms {
            fail_on: fail_on.parse().unwrap(),
            min_coverage: Share::of(95, 100),
            accepted: &Accepted::default(),
            before,
        };
        Verdict::of(report, &terms)
    }

    #[test]
    fn each_end_has_its_number() {
        let (open, closed) = (estate(), closed_estate());
        for (report, fail_on, before, expected) in [
            (&closed, "info", None, 0),
            (&open, "critical", None, 1),
            (&open, "never", None, 0),
            (&open, "new:info", Some(&open), 0),
            (&open, "new:high", Some(&closed), 1),
            (&open, "new:high", None, 1),
        ] {
            assert_eq!(verdict(report, fail_on, before).code(), expected, "{fail_on}");
        }
    }

    #[test]
    fn a_part_is_never_clean() {
        let parts: [fn(&mut Report); 8] = [
            |report| report.coverage.tried = report.coverage.planned / 2,
            |report| report.coverage.hosts_done = 0,
            |report| report.coverage.trees_done = 1,
            |report| report.coverage.names = 1,
            |report| report.coverage.ended = Ended::Stopped,
            |report| report.coverage.ended = Ended::Breaker,
            |report| report.coverage.ended = Ended::NotPermitted,
            |report| report.coverage = Coverage::default(),
        ];
        for (number, cut) in parts.into_iter().enumerate() {
            let mut report = closed_estate();
            cut(&mut report);
            assert_eq!(verdict(&report, "never", None), Verdict::Incomplete, "{number}");
        }
        let mut nothing = closed_estate();
        nothing.coverage = Coverage::default();
        let terms = Terms {
            fail_on: FailOn::Never,
            min_coverage: Share::default(),
            accepted: &Accepted::default(),
            before: None,
        };
        assert_eq!(Verdict::of(&nothing, &terms), Verdict::Incomplete, "0 of 0 is nothing");
    }

    #[test]
    fn an_expired_acceptance_fails_a_clean_run() {
        let text =
            "[[accept]]\ncheck = \"D-05\"\nlabel = \"CT 2\"\nowner = \"M\"\nreason = \"x\"\nexpires = 2026-01-01\n";
        let report = closed_estate();
        let accepted = Baseline::parse(text).unwrap().apply(&report, NOW);
        let terms = Terms { fail_on: FailOn::Never, min_coverage: Share::default(), accepted: &accepted, before: None };
        assert_eq!(Verdict::of(&report, &terms), Verdict::Findings);
    }

    #[test]
    fn thresholds_are_read_as_they_are_written() {
        for text in ["never", "info", "low", "medium", "high", "critical", "new:high", "new:critical"] {
            assert_eq!(text.parse::<FailOn>().unwrap().to_string(), text);
        }
        for text in ["", "HIGH", "new:", "new:never", "old:high", "9"] {
            assert_eq!(text.parse::<FailOn>(), Err(NotAThreshold), "{text}");
        }
    }
}
