//! A run from its first line to its report.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::assemble::{self, tool};
use super::breaker::Breaker;
use super::host::{self, Task};
use super::journal::{Journal, KeyBytes};
use super::log::{self, Begun, Entry, Seen, Stamped, Swept, Tried, Walked};
use super::paths::PathsFile;
use super::plan::Plan;
use super::sweep::{Halt, Passed, sweep};
use super::tasks::{self, Tasks};
use super::{AuditError, Audited, CEILING, Ended, Job, Options, Phase, Progress};
use crate::catalogue::Depth;
use crate::finding::Outcome;
use crate::net::rate::Rate;
use crate::probe::files;
use crate::report::Left;
use crate::run::{Limits, Run, RunKey, seconds};
use crate::scope::Scope;
use crate::tries::{Tries, Try};

/// Makes a run, or goes on with one, and says what was seen. Dropping the future is as a kill:
/// the log holds what was done until then.
pub async fn audit(job: Job, progress: Arc<Progress>) -> Result<Audited, AuditError> {
    let rate = rate(&job.scope, &job.options)?;
    let plan = Arc::new(plan(&job)?);
    let begun = begun(&job);
    let (mut journal, key) = Journal::open(&job.options, begun, &KeyBytes::new(job.entropy), &plan)?;
    let (tries, to_try) = Tries::logged(journal.state.tried.iter().map(|tried| (tried.asset, tried.account)));
    let run = Arc::new(Run {
        scope: job.scope.clone(),
        key: RunKey::new(*key, journal.state.begun.at),
        rules: job.rules.clone(),
        clock: job.clock.clone(),
        tries: tries.only_if(job.options.shard.number() == 1),
        rate: Rate::per_second(rate),
        limits: Limits { spacing: std::time::Duration::ZERO, ..job.limits.clone() },
        stop: job.stop.child_token(),
    });
    // Who drops the run leaves nobody behind who goes on with it.
    let _stop = run.stop.clone().drop_guard();
    if !journal.state.is_complete() {
        let paths = job.options.paths.as_deref().map(PathsFile::open).transpose()?.map(Arc::new);
        let mut walk = Walk {
            run: &run,
            plan: &plan,
            options: &job.options,
            progress: &progress,
            journal: &mut journal,
            paths: paths.as_ref(),
            to_try,
        };
        walk.begin()?;
        let ended = walk.walk().await?;
        walk.end(ended)?;
    }
    if journal.state.is_complete() {
        journal.forget_key()?;
    }
    progress.begin(Phase::Report);
    let ended = journal.state.ended.map_or(Ended::Stopped, |ended| ended.what);
    let mut report = assemble::report(&plan, &job.options, &job.rules, &journal.state, seconds(job.clock.now()));
    journal.bind(&report)?;
    report.times.log_head = Some(journal.head());
    progress.begin(Phase::Ended);
    Ok(Audited { report, ended })
}

/// Connects a second: what was asked for, unless it is above the ceiling.
fn rate(scope: &Scope, options: &Options) -> Result<u32, AuditError> {
    let asked = options.rate.unwrap_or(scope.pace.rate_per_second);
    if asked == 0 || asked > CEILING {
        if !scope.firewall_exempt {
            return Err(AuditError::TooFast { asked });
        }
        tracing::debug!(asked, "the scope exempts the audit from the ceiling");
    }
    Ok(asked)
}

fn plan(job: &Job) -> Result<Plan, AuditError> {
    let options = &job.options;
    let seed = seed(&job.scope, options);
    let scope = job.scope.clone();
    Ok(Plan::new(scope, &options.ports, seed, options.shard, options.sweep, options.allow_large)?)
}

/// The seed: what was asked for, else the beginning of the scope's hash.
fn seed(scope: &Scope, options: &Options) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = scope.sha256;
    options.seed.unwrap_or(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

fn begun(job: &Job) -> Begun {
    let (options, tool) = (&job.options, tool(&job.rules));
    let tool = format!("{}\n{}\n{}", tool.name, tool.version, tool.rules);
    Begun {
        format: log::FORMAT,
        tool: hex::encode(digest::digest(&digest::SHA256, tool.as_bytes())),
        scope: hex::encode(job.scope.sha256),
        seed: seed(&job.scope, options),
        shard: (options.shard.number(), options.shard.of()),
        depth: options.depth.unwrap_or(Depth::Credentials),
        ports: options.ports.clone(),
        sweep: options.sweep,
        imported: tasks::imported_hash(options),
        at: seconds(job.clock.now()),
    }
}

/// A run on its way.
struct Walk<'a, 'j> {
    run: &'a Arc<Run>,
    plan: &'a Arc<Plan>,
    options: &'a Options,
    progress: &'a Arc<Progress>,
    journal: &'a mut Journal<'j>,
    /// Credential tries that wait to be written down.
    to_try: UnboundedReceiver<Try>,
    paths: Option<&'a Arc<PathsFile>>,
}

/// What became of one piece of work.
enum Done {
    Host(Box<Result<Seen, Left>>),
    Tree(Box<Walked>),
}

impl Walk<'_, '_> {
    /// Says that the run goes on, when it does; tells the progress what was done before.
    fn begin(&mut self) -> Result<(), AuditError> {
        self.progress.begin(Phase::Preparing);
        let state = &self.journal.state;
        let fresh = state.resolved.is_none() && state.swept.upto == 0 && state.ended.is_none();
        for seen in state.seen.values() {
            self.progress.host_done(seen.services.iter().flat_map(|service| &service.outcomes));
            self.progress.found_open(seen.reached.open);
        }
        for walked in state.walked.values() {
            self.progress.tree_done(walked.outcomes.iter());
            self.progress.files().fetch_add(walked.files, std::sync::atomic::Ordering::Relaxed);
        }
        self.progress.found_open(state.opens.values().map(|ports| ports.len() as u64).sum());
        self.progress.plan_probes(state.swept.upto, self.plan.indices());
        if !fresh {
            self.journal.note(Entry::Resumed(Stamped { what: (), at: self.run.now() }))?;
        }
        Ok(())
    }

    async fn walk(&mut self) -> Result<Ended, AuditError> {
        if self.journal.state.resolved.is_none() {
            let resolved = tokio::select! {
                resolved = tasks::resolve(self.plan, self.run.now()) => resolved,
                () = self.run.stop.cancelled() => return Ok(Ended::Stopped),
            };
            self.journal.note(Entry::Resolved(resolved))?;
        }
        if let Some(ended) = self.sweep().await? {
            return Ok(ended);
        }
        self.look().await
    }

    fn end(&mut self, ended: Ended) -> Result<(), AuditError> {
        self.journal.note(Entry::Ended(Stamped { what: ended, at: self.run.now() }))?;
        self.journal.sync()
    }

    async fn sweep(&mut self) -> Result<Option<Ended>, AuditError> {
        self.progress.begin(Phase::Sweep);
        let (run, plan, progress, from) = (self.run, self.plan, self.progress, self.journal.state.swept.upto);
        if from >= plan.indices() {
            return Ok(None);
        }
        let halt = sweep(run, plan, from, progress, |passed| {
            let Passed { upto, refused, silent, opens, .. } = passed;
            self.journal.note(Entry::Swept(Swept { upto, refused, silent, opens }))
        });
        let halt = halt.await?;
        self.journal.sync()?;
        Ok(halt.map(|halt| match halt {
            Halt::Stopped => Ended::Stopped,
            Halt::NotPermitted => Ended::NotPermitted,
        }))
    }

    /// Looks at all hosts, so many side by side, and walks the file trees, one after the other.
    async fn look(&mut self) -> Result<Ended, AuditError> {
        self.progress.begin(Phase::Hosts);
        let mut tasks: Tasks = tasks::tasks(self.plan, self.options, &self.journal.state);
        self.progress.plan_hosts(tasks.len() as u64);
        tasks.retain(|address, _| !self.journal.state.seen.contains_key(address));
        let mut hosts: Vec<(IpAddr, Task)> = tasks.into_iter().collect();
        hosts.sort_by_key(|(address, _)| std::cmp::Reverse(self.plan.position(*address)));
        let mut trees = tasks::trees(self.plan.scope(), self.options.shard);
        self.progress.plan_trees(trees.len() as u64);
        trees.retain(|tree| !self.journal.state.walked.contains_key(tree));
        trees.reverse();
        let at_once = self.plan.scope().pace.hosts_at_once.max(1);
        let stop = self.run.stop.clone();
        let mut at_work = AtWork::default();
        let mut breaker = Breaker::default();
        loop {
            while at_work.hosts.len() < at_once
                && let Some((address, task)) = hosts.pop()
            {
                at_work.host(self, address, task);
            }
            if !at_work.tree
                && let Some((asset, root)) = trees.pop()
            {
                at_work.tree(self, asset, root);
            }
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Ended::Stopped),
                Some(one) = self.to_try.recv() => {
                    self.tried(one)?;
                    continue;
                }
                done = at_work.next(&stop) => done,
            };
            match done {
                None => return Ok(Ended::Complete),
                // The hours ended while it was walked: it is walked again when the run is resumed.
                Some(Done::Tree(walked)) if self.is_cut(&walked) => return Ok(Ended::NotPermitted),
                Some(Done::Tree(walked)) => self.walked(*walked)?,
                Some(Done::Host(looked)) => match *looked {
                    Err(Left::NotPermitted) => return Ok(Ended::NotPermitted),
                    Err(_) => return Ok(Ended::Stopped),
                    Ok(seen) => {
                        if self.seen(seen, &mut breaker)? {
                            return Ok(Ended::Breaker);
                        }
                    }
                },
            }
        }
    }

    /// Notes down a host; `true` when the run must end for it.
    fn seen(&mut self, seen: Seen, breaker: &mut Breaker) -> Result<bool, AuditError> {
        self.progress.host_done(seen.services.iter().flat_map(|service| &service.outcomes));
        self.progress.found_open(seen.reached.open);
        let broken = seen.answered && breaker.saw(seen.fell_silent);
        self.journal.note(Entry::Host(Box::new(seen)))?;
        Ok(broken)
    }

    /// Writes a credential try down, on the disk, and lets it be made.
    fn tried(&mut self, one: Try) -> Result<(), AuditError> {
        self.journal.note(Entry::Tried(Tried { asset: one.asset, account: one.account }))?;
        self.journal.sync()?;
        one.written();
        Ok(())
    }

    /// Whether the hours ended while a tree was walked.
    fn is_cut(&self, walked: &Walked) -> bool {
        let is_stopped = |outcome: &Outcome| outcome.evidence.fact("stopped").is_some();
        walked.outcomes.iter().any(is_stopped) && self.run.scope.holds_at(self.run.now()).is_err()
    }

    fn walked(&mut self, walked: Walked) -> Result<(), AuditError> {
        self.progress.tree_done(walked.outcomes.iter());
        self.journal.note(Entry::Tree(Box::new(walked)))
    }
}

/// The work that is going on.
#[derive(Default)]
struct AtWork {
    set: JoinSet<Done>,
    hosts: HashMap<Id, (IpAddr, Task)>,
    /// Whether a file tree is being walked.
    tree: bool,
}

impl AtWork {
    fn host(&mut self, walk: &Walk<'_, '_>, address: IpAddr, task: Task) {
        let (run, plan, kept) = (walk.run.clone(), walk.plan.clone(), task.clone());
        let deepest = walk.options.depth.unwrap_or(Depth::Credentials);
        let look = async move { Done::Host(Box::new(host::look_at(run, plan, address, task, deepest).await)) };
        let id = self.set.spawn(look).id();
        self.hosts.insert(id, (address, kept));
    }

    fn tree(&mut self, walk: &Walk<'_, '_>, asset: u32, root: u32) {
        let (run, progress) = (walk.run.clone(), walk.progress.clone());
        let (depth, paths) = (walk.options.depth, walk.paths.cloned());
        self.set.spawn_blocking(move || {
            let tell = paths.map(|paths| move |hash, path: &Path| paths.tell(hash, path));
            let options =
                files::Options { depth, paths: tell.as_ref().map(|tell| tell as _), ..files::Options::default() };
            Done::Tree(Box::new(super::families::walk(&run, asset, root, &progress, options)))
        });
        self.tree = true;
    }

    /// The next piece of work that is done; none when there is none. A look that failed is
    /// noted as ours to mend, and the run goes on.
    async fn next(&mut self, stop: &CancellationToken) -> Option<Done> {
        loop {
            match self.set.join_next_with_id().await? {
                Ok((id, done)) => {
                    self.hosts.remove(&id);
                    // A walk that was cut short by the stop is done again when the run is resumed.
                    if matches!(done, Done::Tree(_)) {
                        self.tree = false;
                        if stop.is_cancelled() {
                            continue;
                        }
                    }
                    return Some(done);
                }
                Err(failed) => match self.hosts.remove(&failed.id()) {
                    Some((address, task)) => return Some(Done::Host(Box::new(Ok(host::failed(address, &task))))),
                    None => self.tree = false,
                },
            }
        }
    }
}
