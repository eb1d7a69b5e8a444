//! Did the targets' own trail see us (M-01), and what was not looked at (M-02).
//!
//! The audit cannot read a target's audit trail and does not try. It says who called and when
//! ([`Look::announce`], in the report's times); the owner looks there and answers in the scope
//! file (`trail_saw_us`), and the next run turns the answer into an outcome.

use crate::catalogue::Name;
use crate::catalogue::trail::{M_01, M_02};
use crate::evidence::Fact;
use crate::finding::{Notes, State};
use crate::probe::Look;
use crate::report::Report;

/// M-01 for a port on which something was announced: canaries and made-up callers, which a
/// trail of accesses that succeed and fail should hold. Until the owner has answered it is
/// skipped-by-policy: the target was asked and refused nothing; what is missing is the word of
/// whoever holds the trail, and that is the scope's to give.
pub async fn audit(look: &mut Look<'_, '_>) {
    let mut checks: Vec<_> =
        look.known.announced.iter().filter_map(|announced| Name::known(&announced.check)).collect();
    let announced = checks.len() as u64;
    if announced == 0 {
        return;
    }
    checks.sort_unstable();
    checks.dedup();
    let state = match look.asset.trail_saw_us {
        Some(true) => State::Pass,
        Some(false) => State::Finding,
        None => State::SkippedByPolicy,
    };
    let outcome = look.notes.note(&M_01, state);
    outcome.with("announced", Fact::Count(announced)).with("for", Fact::Names(checks));
}

/// M-02: whether all of the scope was looked at to its end. A finding of a run, not of a host:
/// it goes into the report's coverage, and what was there from a part of the run is replaced.
pub fn coverage(report: &mut Report) {
    let left = report.systems.iter().filter(|system| system.left.is_some()).count() as u64;
    let seen = &report.coverage;
    let gaps = [seen.tried < seen.planned, seen.hosts_done < seen.hosts, seen.dropped > 0, left > 0];
    let state = match (seen.planned, seen.hosts) {
        _ if gaps.contains(&true) => State::Finding,
        (0, 0) => State::NotApplicable,
        _ => State::Pass,
    };
    let mut notes = Notes::default();
    let outcome = notes.note(&M_02, state);
    outcome.with("planned", Fact::Count(seen.planned)).with("tried", Fact::Count(seen.tried));
    outcome.with("hosts", Fact::Count(seen.hosts)).with("hosts-done", Fact::Count(seen.hosts_done));
    outcome.with("dropped", Fact::Count(seen.dropped)).with("left-early", Fact::Count(left));
    report.coverage.outcomes = notes.into_outcomes();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Depth;
    use crate::catalogue::dimse::{D_02, D_07};
    use crate::testing;

    async fn state(saw: Option<bool>, announce: bool) -> Option<State> {
        let mut scope = testing::scope();
        scope.assets[0].trail_saw_us = saw;
        let run = testing::run(scope);
        let (known, outcomes) = testing::look(&run, 104, Depth::Canary, async |look| {
            if announce {
                look.announce(&D_02, "LEADGLASSAUDIT");
                look.announce(&D_07, "LEADGLASSAUDIT");
            }
            audit(look).await;
        })
        .await;
        let outcome = outcomes.first()?;
        assert_eq!(outcome.evidence.count("announced"), known.announced.len() as u64);
        Some(outcome.state)
    }

    #[test]
    fn what_was_not_looked_at_is_a_finding_of_the_run() {
        let mut report = testing::report::closed_estate();
        report.systems.iter_mut().for_each(|system| system.left = None);
        let state = |change: fn(&mut Report)| {
            let mut report = report.clone();
            change(&mut report);
            coverage(&mut report);
            coverage(&mut report);
            assert_eq!(report.coverage.outcomes.len(), 1);
            report.coverage.outcomes[0].state
        };
        assert_eq!(state(|_| {}), State::Pass);
        assert_eq!(state(|report| report.coverage.tried -= 1), State::Finding);
        assert_eq!(state(|report| report.coverage.dropped = 1), State::Finding);
        assert_eq!(state(|report| report.systems[0].left = Some(crate::report::Left::Strain)), State::Finding);
        assert_eq!(state(|report| report.coverage = crate::report::Coverage::default()), State::NotApplicable);
    }

    #[tokio::test]
    async fn the_owner_answers_what_the_trail_holds() {
        assert_eq!(state(Some(true), true).await, Some(State::Pass));
        assert_eq!(state(Some(false), true).await, Some(State::Finding));
        assert_eq!(state(None, true).await, Some(State::SkippedByPolicy));
        assert_eq!(state(Some(false), false).await, None, "nothing was asked");
    }
}
