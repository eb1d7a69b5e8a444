//! The reader of run logs for the fuzzer: lines of its choice, in a chain that holds.

use std::path::Path;
use std::sync::Arc;

use super::log::{self, Entry};
use super::plan::Plan;
use super::state::State;
use super::{Options, Shard, assemble};
use crate::probe::version::Rules;
use crate::report::Report;
use crate::scope::Scope;

/// What a run comes to whose log has these lines; none when one is refused.
pub fn report_of(lines: &[u8], scope: Scope) -> Option<Report> {
    let (scope, options, path) = (Arc::new(scope), Options::new("fuzzed"), Path::new("fuzzed"));
    let plan = Plan::new(scope, &options.ports, 1, Shard::WHOLE, true, false).ok()?;
    let mut state: Option<State> = None;
    let end = log::read_from(&*chained(lines), path, |_, entry| match (&mut state, entry) {
        (None, Entry::Begun(begun)) => {
            state = Some(State::new(begun));
            Ok(())
        }
        (None, _) => Err("a run begins with its first line"),
        (Some(state), entry) => state.take(entry, &plan),
    });
    end.ok()?;
    Some(assemble::report(&plan, &options, &Rules::built_in(), &state?, 0))
}

/// Each line with the hash of the one before, as nobody but a fuzzer would.
fn chained(lines: &[u8]) -> Vec<u8> {
    let (mut log, mut head) = (Vec::new(), [0; 32]);
    for entry in lines.split(|byte| *byte == b'\n') {
        let before = format!("{{\"before\":\"{}\",\"entry\":", hex::encode(head));
        let line = [before.as_bytes(), entry, b"}"].concat();
        head = log::hash(&line);
        log.extend(line);
        log.push(b'\n');
    }
    log
}
