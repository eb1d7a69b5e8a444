//! The report of a run, made of where it stands: the same however often it was interrupted.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::log::{Pointer, Seen, Walked};
use super::plan::Plan;
use super::state::State;
use super::tasks;
use super::{Ended, Options};
use crate::catalogue::Depth;
use crate::catalogue::network::N_01;
use crate::finding::{self, Outcome};
use crate::probe::version::Rules;
use crate::report::{
    Announced, Coverage, FORMAT, Plan as AskedFor, Report, RunTimes, ScopeSummary, Service, System, Tool, Tree,
};
use crate::scope::Scope;

/// The tool, as reports say it.
pub(super) fn tool(rules: &Rules) -> Tool {
    Tool { name: "leadglass".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), rules: rules.date() }
}

/// Makes the report.
pub(super) fn report(plan: &Plan, options: &Options, rules: &Rules, state: &State, now: i64) -> Report {
    let named = state.resolved.iter().flatten().filter(|one| matches!(one.what, Pointer::Host(_)));
    let named: BTreeSet<IpAddr> = named.map(|one| one.address).collect();
    let systems = state.seen.values().filter_map(|seen| system(plan, &named, seen));
    let mut report = Report {
        format: FORMAT,
        tool: tool(rules),
        scope: summary(plan.scope()),
        plan: AskedFor {
            depth: state.begun.depth.min(plan.scope().depth),
            seed: state.begun.seed,
            shard: (!options.shard.is_whole()).then(|| options.shard.to_string()),
            ports: state.begun.ports.clone(),
        },
        systems: systems.filter(|system| system.is_checked() || system.left.is_some()).collect(),
        trees: state.walked.values().filter_map(|walked| tree(plan.scope(), walked)).collect(),
        coverage: coverage(plan, options, state),
        times: RunTimes {
            started: state.begun.at,
            ended: state.ended.map_or(now, |ended| ended.at),
            resumed: state.resumed,
            log_head: None,
            announced: state.seen.values().flat_map(|seen| announced(plan, seen)).collect(),
        },
    };
    finish(&mut report);
    report
}

/// What is only known of all systems together, and the canonical order.
pub(super) fn finish(report: &mut Report) {
    report.sort();
    super::families::assemble(report);
    report.sort();
}

fn system(plan: &Plan, named: &BTreeSet<IpAddr>, seen: &Seen) -> Option<System> {
    let (_, asset) = plan.asset_of(seen.address)?;
    Some(System {
        label: asset.label.clone(),
        address: seen.address,
        class: asset.class,
        labels: asset.labels.clone(),
        listed: plan.scope().lists(seen.address) || named.contains(&seen.address),
        product: seen.product,
        studies: seen.studies,
        services: seen.services.clone(),
        left: seen.left,
    })
}

fn tree(scope: &Scope, walked: &Walked) -> Option<Tree> {
    let asset = scope.assets.get(walked.asset as usize)?;
    Some(Tree {
        label: asset.label.clone(),
        root: walked.root,
        labels: asset.labels.clone(),
        dicom_files: walked.dicom_files,
        files: walked.files,
        unreadable: walked.unreadable,
        outcomes: walked.outcomes.clone(),
    })
}

fn announced<'a>(plan: &'a Plan, seen: &'a Seen) -> impl Iterator<Item = Announced> + 'a {
    let label = plan.asset_of(seen.address).map(|(_, asset)| &asset.label);
    seen.announced.iter().filter_map(move |spoken| {
        Some(Announced {
            label: label?.clone(),
            address: seen.address,
            port: spoken.port,
            calling_ae: spoken.calling_ae.clone(),
            at: spoken.at,
            check: spoken.check.id.to_owned(),
        })
    })
}

fn coverage(plan: &Plan, options: &Options, state: &State) -> Coverage {
    let tasks = tasks::tasks(plan, options, state);
    let unswept = tasks.values().flat_map(|task| task.ports.values()).filter(|asked| !asked.swept).count() as u64;
    let mut coverage = Coverage {
        planned: plan.probes() + unswept,
        open: state.opens.values().map(|ports| ports.len() as u64).sum(),
        refused: state.swept.refused,
        silent: state.swept.silent,
        hosts: tasks.len() as u64,
        hosts_done: state.seen.values().filter(|seen| is_done(plan, state, seen)).count() as u64,
        trees: tasks::trees(plan.scope(), options.shard).len() as u64,
        trees_done: state.walked.values().filter(|walked| is_walked(walked)).count() as u64,
        ended: state.ended.map_or(Ended::Stopped, |ended| ended.what),
        dropped: tasks::dropped(plan, options),
        ..Coverage::default()
    };
    (coverage.names, coverage.names_found) = tasks::names(plan.scope(), state.resolved.as_deref().unwrap_or_default());
    for reached in state.seen.values().map(|seen| seen.reached) {
        coverage.open = coverage.open.saturating_add(reached.open);
        coverage.refused = coverage.refused.saturating_add(reached.refused);
        coverage.silent = coverage.silent.saturating_add(reached.silent);
    }
    coverage.tried = coverage.open.saturating_add(coverage.refused).saturating_add(coverage.silent);
    coverage
}

/// Whether a host was looked at to the end. One that takes connections and says nothing that
/// anybody understands was not: nothing is known of it.
fn is_done(plan: &Plan, state: &State, seen: &Seen) -> bool {
    let asked = plan.asset_of(seen.address).map(|(_, asset)| plan.scope().depth_of(asset));
    let nothing_was_asked = asked.is_none_or(|depth| depth.min(state.begun.depth) == Depth::Import);
    seen.left.is_none() && (nothing_was_asked || !is_mute(&seen.services))
}

/// Whether ports are open and none says anything: N-01 tells that they are open, no more.
fn is_mute(services: &[Service]) -> bool {
    let tells = |service: &Service| {
        let of_port = |outcome: &Outcome| outcome.is_scored() && outcome.check.id != N_01.id;
        service.speaks.as_str() != "unknown" || service.outcomes.iter().any(of_port)
    };
    !services.is_empty() && !services.iter().any(tells)
}

/// Whether a file tree was there to be walked.
fn is_walked(walked: &Walked) -> bool {
    walked.outcomes.iter().any(|outcome| outcome.state != finding::State::Error)
}

fn summary(scope: &Scope) -> ScopeSummary {
    ScopeSummary {
        sha256: hex::encode(scope.sha256),
        owner: scope.owner.clone(),
        authorised_by: scope.authorised_by.clone(),
        reference: scope.reference.clone(),
        vantage: scope.vantage,
        signed_by: scope.signed_by.map(|key| hex::encode(key.0)),
    }
}
