//! The road of a run: which host and port comes next, how many at once, where it stands.
//!
//! [`audit`] sweeps the scope's addresses in the order of [`order`], looks at every host that
//! answered and at every one that is listed, walks the file trees, and keeps a hash-chained
//! [`log`] from which a killed run goes on. Deliberately absent: any memory of addresses that
//! refused; any way to go faster than the scope allows but for [`sweep`]'s own bench.

mod assemble;
mod breaker;
mod families;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod journal;
pub mod log;
mod merge;
pub mod order;
mod paths;
pub mod plan;
pub mod progress;
mod state;
pub mod sweep;
mod tasks;
mod walk;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use leadglass_dicom::clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Depth;
use crate::probe::version::Rules;
use crate::report::Report;
use crate::run::Limits;
use crate::scope::Scope;

pub use log::{BadLog, Unbound, Verified, verify_log};
pub use merge::{MergeError, merge};
pub use order::Shard;
pub use plan::PlanError;
pub use progress::{Phase, Progress, Standing};
pub use walk::audit;

/// Most connects a second, unless the scope says that the firewalls between keep no state.
pub const CEILING: u32 = 2_000;

/// One run to be made.
pub struct Job {
    /// What may be looked at.
    pub scope: Arc<Scope>,
    /// Which versions of which software are known to be vulnerable or out of support.
    pub rules: Arc<Rules>,
    /// The hour.
    pub clock: Arc<dyn Clock>,
    /// 32 random bytes: the run's key, unless a resumed run has one.
    pub entropy: [u8; 32],
    /// Bounds of every conversation. Spacing and hosts side by side are the scope's to say.
    pub limits: Limits,
    /// Cancelled when the run is to end: it does within two seconds, and can be resumed.
    pub stop: CancellationToken,
    /// What is asked for.
    pub options: Options,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the run: its log and, while it lasts, its key.
    pub out: PathBuf,
    /// Go on with the run that is there.
    pub resume: bool,
    /// The order's seed; none takes one from the scope's hash, so that shards agree.
    pub seed: Option<u64>,
    /// Which part of the hosts.
    pub shard: Shard,
    /// No deeper than this; never deeper than scope and asset.
    pub depth: Option<Depth>,
    /// Ports looked at where an asset names none.
    pub ports: Vec<u16>,
    /// Connects a second; none is what the scope says.
    pub rate: Option<u32>,
    /// Whether more than a /16 may be swept.
    pub allow_large: bool,
    /// Whether ranges are swept; without it only listed and imported addresses are looked at.
    pub sweep: bool,
    /// Endpoints that another tool found; those outside of the scope are dropped and counted.
    pub imported: Vec<SocketAddr>,
    /// Rows of imports that were dropped before.
    pub dropped: u64,
    /// The file that gets the folders behind the hashes, for the owner alone; none writes nothing.
    pub paths: Option<PathBuf>,
}

impl Options {
    /// A sweep at the usual pace, written to a folder.
    pub fn new(out: impl Into<PathBuf>) -> Options {
        Options {
            out: out.into(),
            resume: false,
            seed: None,
            shard: Shard::WHOLE,
            depth: None,
            ports: crate::scope::DEFAULT_PORTS.to_vec(),
            rate: None,
            allow_large: false,
            sweep: true,
            imported: Vec::new(),
            dropped: 0,
            paths: None,
        }
    }
}

/// A run that ended, one way or another.
#[derive(Debug)]
pub struct Audited {
    /// What was seen until then.
    pub report: Report,
    /// How it ended.
    pub ended: Ended,
}

/// How a run ended, the better first. All but [`Ended::Complete`] can be resumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Everything that was asked for was looked at.
    #[default]
    Complete,
    /// Somebody stopped it.
    Stopped,
    /// Hosts that had answered stopped answering: see [`Ended::reason`].
    Breaker,
    /// The scope's hours or its authorisation ended.
    NotPermitted,
}

impl Ended {
    /// Why, in a sentence for the terminal.
    pub fn reason(self) -> &'static str {
        match self {
            Ended::Complete => "everything that was asked for was looked at",
            Ended::Stopped => "the run was stopped; --resume goes on with it",
            Ended::Breaker => {
                "more than 2 % of the hosts that had answered stopped answering: see to them first, then --resume"
            }
            Ended::NotPermitted => "the scope's hours or its authorisation ended; --resume goes on within them",
        }
    }
}

/// Why there is no run.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// What is asked for cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Faster than the ceiling.
    #[error("{asked} connects a second are more than {CEILING}; a scope with firewall_exempt lifts that ceiling")]
    TooFast {
        /// What was asked for.
        asked: u32,
    },
    /// There is a run already.
    #[error("{} holds a run already: --resume goes on with it, or name another folder", .0.display())]
    AlreadyThere(PathBuf),
    /// There is no run to resume.
    #[error("{} holds no run to go on with", .0.display())]
    NothingThere(PathBuf),
    /// The log is not what was written.
    #[error(transparent)]
    BadLog(#[from] BadLog),
    /// The run there is of another scope.
    #[error("the scope file changed since the run began; a resumed run needs the same scope, byte for byte")]
    OtherScope,
    /// The run there was asked for something else.
    #[error("the run there was asked for with other {0}; resume it with the same, or begin a new one")]
    OtherOptions(&'static str),
    /// The run's key is gone.
    #[error("{} is missing: without it the rest would not fit what is in the log; begin a new run", .0.display())]
    KeyLost(PathBuf),
    /// The folder, its log or its key cannot be written or read.
    #[error("cannot {doing} {}", path.display())]
    Files {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}
