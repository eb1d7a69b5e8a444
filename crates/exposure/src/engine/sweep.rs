//! The sweep: a connect to each address and port of a plan, and nothing else.
//!
//! Refusals come back from the kernel at once and are only counted; what is under way is
//! bounded for each host (1), each /24 (16) and in all. Deliberately absent: anything said on
//! a connection (it is reset), any memory of who refused, any repetition.

mod crowd;
mod knock;
mod window;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::plan::{Plan, Target};
use super::progress::Progress;
use crate::run::Run;
use crate::scope::NotPermitted;
use crowd::Crowd;
use knock::Knock;
pub use window::Passed;
use window::{Fate, Window};

/// Workers; the kernel, not they, is the limit.
const WORKERS: usize = 4;
/// Indices that a worker takes at once.
const BATCH: u64 = 32;
/// How often the progress is brought up to date, and open ports are told.
const TICK: Duration = Duration::from_millis(50);
/// After how many ticks it is told how far the sweep came, when nothing was open.
const TELL: u32 = 20;
/// Pause when this machine is out of descriptors or ports.
const BREATH: Duration = Duration::from_millis(50);

/// Why a sweep ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The run is to stop.
    Stopped,
    /// The scope's hours or its authorisation ended.
    NotPermitted,
}

/// Sweeps a plan from an index on, as fast as the run's rate lets it. `tell` hears, in order,
/// of every stretch that is done; what it was told of is not done again when a sweep begins
/// at [`Passed::upto`]. A rate of 0 has no limit: for the bench, which owns loopback.
pub async fn sweep<E>(
    run: &Arc<Run>,
    plan: &Arc<Plan>,
    from: u64,
    progress: &Arc<Progress>,
    mut tell: impl FnMut(Passed) -> Result<(), E>,
) -> Result<Option<Halt>, E> {
    let road = Arc::new(Road {
        run: run.clone(),
        plan: plan.clone(),
        window: Window::new(from, plan.indices()),
        crowd: Crowd::new(knock::descriptors()),
        progress: progress.clone(),
    });
    progress.plan_probes(from, plan.indices());
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let road = road.clone();
        workers.spawn(async move { road.walk().await });
    }
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut halt, mut ticked) = (None, 0u32);
    loop {
        tokio::select! {
            biased;
            () = run.stop.cancelled(), if halt.is_none() => {
                halt = Some(Halt::Stopped);
                workers.abort_all();
            }
            ended = workers.join_next() => match ended {
                None => break,
                Some(Ok(Some(why))) => {
                    halt = halt.or(Some(why));
                    workers.abort_all();
                }
                Some(_) => {}
            },
            _ = ticks.tick() => {
                ticked = ticked.wrapping_add(1);
                progress.plan_probes(road.window.upto(), plan.indices());
                if ticked.is_multiple_of(TELL) || road.window.has_opens() {
                    road.tell(&mut tell)?;
                }
            }
        }
    }
    road.tell(&mut tell)?;
    // A worker that failed leaves a hole: what is behind it is not passed.
    Ok(if halt.is_none() && !road.window.is_over() { Some(Halt::Stopped) } else { halt })
}

/// What the workers share.
struct Road {
    run: Arc<Run>,
    plan: Arc<Plan>,
    window: Window,
    crowd: Crowd,
    progress: Arc<Progress>,
}

impl Road {
    fn tell<E>(&self, tell: &mut impl FnMut(Passed) -> Result<(), E>) -> Result<(), E> {
        let passed = self.window.passed(&self.plan);
        self.progress.plan_probes(passed.upto, self.plan.indices());
        self.progress.found_open(passed.opens.len() as u64);
        if passed.is_empty() { Ok(()) } else { tell(passed) }
    }

    /// One worker: takes indices until there are none.
    async fn walk(&self) -> Option<Halt> {
        let mut waiting = FuturesUnordered::new();
        let mut settled = Vec::with_capacity(BATCH as usize);
        while let Some(batch) = self.batch(&mut waiting).await {
            for index in batch {
                let Some(target) = self.plan.target(index) else {
                    settled.push((index, Fate::Nowhere));
                    continue;
                };
                match self.knock(target, &mut waiting).await {
                    Err(halt) => {
                        self.window.settle(&mut settled);
                        return Some(halt);
                    }
                    Ok(Ok(fate)) => settled.push((index, fate)),
                    Ok(Err(stream)) => waiting.push(async move {
                        let fate = knock::await_answer(stream, self.run.limits.connect).await;
                        self.crowd.leave(target.address);
                        self.window.settle(&mut vec![(index, fate)]);
                    }),
                }
            }
            self.window.settle(&mut settled);
            while let Some(Some(())) = waiting.next().now_or_never() {}
            tokio::task::yield_now().await;
        }
        while waiting.next().await.is_some() {}
        None
    }

    /// The next indices, when what is under way leaves room for them.
    async fn batch(&self, waiting: &mut FuturesUnordered<impl Future<Output = ()>>) -> Option<Range<u64>> {
        loop {
            match self.window.take(BATCH) {
                Some(batch) if batch.is_empty() => meanwhile(waiting, sleep(Duration::from_millis(1))).await,
                taken => return taken,
            }
        }
    }

    /// Knocks when pace, crowd and scope allow. What is not known at once is under way: its
    /// socket is returned, and the host is busy until it is told otherwise.
    async fn knock(
        &self,
        target: Target,
        waiting: &mut FuturesUnordered<impl Future<Output = ()>>,
    ) -> Result<Result<Fate, tokio::net::TcpStream>, Halt> {
        meanwhile(waiting, self.run.rate.turn()).await;
        while !self.crowd.enter(target.address) {
            meanwhile(waiting, self.crowd.change()).await;
        }
        let answer = self.knock_alone(target, waiting).await;
        if !matches!(answer, Ok(Err(_))) {
            self.crowd.leave(target.address);
        }
        answer
    }

    async fn knock_alone(
        &self,
        target: Target,
        waiting: &mut FuturesUnordered<impl Future<Output = ()>>,
    ) -> Result<Result<Fate, tokio::net::TcpStream>, Halt> {
        loop {
            if self.run.stop.is_cancelled() {
                return Err(Halt::Stopped);
            }
            match self.run.scope.permits(target.address, self.run.now()) {
                Ok(_) => {}
                Err(NotPermitted::NotValid | NotPermitted::OutsideWindow) => return Err(Halt::NotPermitted),
                Err(_) => return Ok(Ok(Fate::NotAllowed)),
            }
            match knock::knock(SocketAddr::new(target.address, target.port)) {
                Ok(Knock::Answered(fate)) => return Ok(Ok(fate)),
                Ok(Knock::UnderWay(stream)) => return Ok(Err(stream)),
                Err(error) if knock::is_want(&error) => self.rest(&error, waiting).await,
                Err(_) => return Ok(Ok(Fate::Silent)),
            }
        }
    }

    /// This machine is out of something: waits instead of losing the probe.
    async fn rest(&self, error: &io::Error, waiting: &mut FuturesUnordered<impl Future<Output = ()>>) {
        tracing::debug!(errno = error.raw_os_error(), "the sweep waits for descriptors or ports of this machine");
        self.progress.paused();
        meanwhile(waiting, sleep(BREATH)).await;
    }
}

/// Waits for something while what is under way goes on.
async fn meanwhile<T>(waiting: &mut FuturesUnordered<impl Future<Output = ()>>, what: impl Future<Output = T>) -> T {
    let mut what = std::pin::pin!(what);
    loop {
        tokio::select! {
            biased;
            done = &mut what => return done,
            Some(()) = waiting.next() => {}
        }
    }
}
