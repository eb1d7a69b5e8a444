//! The gate before the doors: they are rehearsed and looked at as a stranger would, by the
//! exposure audit, and are bound only when it finds nothing.
//!
//! The rehearsal is behind the same TLS, the same router and the same DICOM entity, on the
//! addresses that are configured and ports that nobody knows. Deliberately absent: a way to
//! open the doors without it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use leadglass_dicom::AeTitle;
use leadglass_dicom::clock::Clock;
use leadglass_exposure::engine::{self, AuditError, Ended, Job, Options, Progress};
use leadglass_exposure::finding::{Outcome, Severity, State};
use leadglass_exposure::probe::version::Rules;
use leadglass_exposure::report::{Report, Service};
use leadglass_exposure::run::Limits;
use leadglass_exposure::self_audit::{self, Doors};
use tokio_util::sync::CancellationToken;

use crate::interfaces::addresses_behind;
use crate::posture::Addresses;
use crate::tls::TlsError;
use crate::tls::authority::random;

/// For the whole look at one door.
const DOOR: Duration = Duration::from_secs(60);
/// For one conversation with a door: it is on this machine.
const CONVERSATION: Duration = Duration::from_secs(5);

/// What a stranger found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed(pub Vec<Exposure>);

/// One finding on a door.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Exposure {
    /// The check: docs/EXPOSURE.md has its paragraph.
    pub check: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// The port it was found on.
    pub port: u16,
    /// What to do.
    pub remediation: &'static str,
    /// Whether on the listener of legacy peers.
    pub in_clear: bool,
}

/// Why the gate does not open.
#[derive(Debug, thiserror::Error)]
pub enum Shut {
    /// A stranger gets in, or could.
    #[error("{0}")]
    Exposed(Exposed),
    /// The look could not be taken to its end.
    #[error("the archive could not be looked at as a stranger would: {0}")]
    Unfinished(&'static str),
    /// A check that has to pass could not be told.
    #[error("the archive could not be looked at as a stranger would: check {0} could not be told (docs/EXPOSURE.md)")]
    Unseen(&'static str),
    /// The look could not begin.
    #[error("the archive could not be looked at as a stranger would")]
    Audit(#[from] AuditError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] TlsError),
}

/// Doors that are open, and whom they belong to.
#[derive(Clone, Debug)]
pub struct Look {
    /// Where DICOM over TLS answers.
    pub dicom: SocketAddr,
    /// Where HTTPS answers.
    pub https: SocketAddr,
    /// Where legacy peers are listened to in clear text, when one is declared.
    pub legacy: Option<SocketAddr>,
    /// Our AE title.
    pub ae_title: AeTitle,
    /// SHA-256 of our authority's certificate.
    pub authority_sha256: [u8; 32],
    /// A new folder for the look's log.
    pub folder: PathBuf,
}

impl Look {
    /// Looks at the doors as a stranger would.
    pub async fn look(self, clock: Arc<dyn Clock>) -> Result<Report, Shut> {
        let doors = Doors {
            dicom: self.dicom,
            https: self.https,
            legacy: self.legacy,
            ae_title: self.ae_title,
            authority_sha256: self.authority_sha256,
        };
        let scope = self_audit::scope(&doors, leadglass_exposure::run::seconds(clock.now()));
        let job = Job {
            scope: Arc::new(scope),
            rules: Rules::built_in(),
            clock,
            entropy: random::<32>()?,
            limits: Limits { conversation: CONVERSATION, host: DOOR, ..Limits::default() },
            stop: CancellationToken::new(),
            options: Options { rate: Some(engine::CEILING), ..Options::new(&self.folder) },
        };
        let audited = engine::audit(job, Arc::new(Progress::default())).await?;
        match audited.ended {
            Ended::Complete => Ok(audited.report),
            ended => Err(Shut::Unfinished(ended.reason())),
        }
    }
}

/// The pairs of addresses under which two doors answer: several at a wildcard.
pub fn each_address(at: Addresses) -> Vec<Addresses> {
    let of = |door: SocketAddr| -> Vec<SocketAddr> {
        addresses_behind(door.ip()).into_iter().map(|ip| SocketAddr::new(ip, door.port())).collect()
    };
    let (https, dicom) = (of(at.https), of(at.dicom));
    let pair = |n: usize| {
        Some(Addresses { https: *https.get(n % https.len().max(1))?, dicom: *dicom.get(n % dicom.len().max(1))? })
    };
    (0..https.len().max(dicom.len())).filter_map(pair).collect()
}

/// What a door must be seen to be: passed, each of them, and none of the others in error.
struct Demand {
    speaks: &'static [&'static str],
    passed: &'static [&'static str],
    /// Findings that are no exposure there, because they were declared.
    declared: &'static [&'static str],
}

/// DICOM over TLS: nothing in clear, nothing old, and nobody without a certificate.
const DICOM: Demand =
    Demand { speaks: &["tls", "dicom-tls"], passed: &["D-01", "T-01", "T-02", "T-07", "T-08"], declared: &[] };
/// HTTPS: nothing in clear, nothing old, and no service without a token.
const HTTPS: Demand = Demand {
    speaks: &["https"],
    passed: &["T-02", "W-01", "W-02", "W-03", "W-04", "W-06", "W-10", "W-11"],
    declared: &[],
};
/// The listener of legacy peers: in clear text, as declared, and nobody gets an association whom it does not know.
const LEGACY: Demand = Demand { speaks: &["dicom"], passed: &["D-03"], declared: &["D-01"] };

/// Whether a report of a look at our own doors lets them be opened. What was not seen closed is not closed.
pub fn judge(report: &Report, dicom: SocketAddr, https: SocketAddr, legacy: Option<SocketAddr>) -> Result<(), Shut> {
    let (mut exposures, mut unseen) = (Vec::new(), None);
    let in_clear = legacy;
    let legacy = legacy.map(|legacy| (legacy, LEGACY));
    for (address, demand) in [(dicom, DICOM), (https, HTTPS)].into_iter().chain(legacy) {
        let Some(service) = service(report, address) else {
            unseen.get_or_insert(Shut::Unfinished("a door did not answer its own host"));
            continue;
        };
        exposures.extend(service.outcomes.iter().filter(|outcome| demand.is_exposure(outcome)).map(|outcome| {
            Exposure {
                check: outcome.check.0.id,
                title: outcome.check.0.title,
                port: service.port,
                remediation: outcome.check.0.remediation,
                in_clear: Some(address) == in_clear,
            }
        }));
        if let Err(shut) = demand.check(service) {
            unseen.get_or_insert(shut);
        }
    }
    // What was found counts, whatever else was not seen.
    if exposures.is_empty() { unseen.map_or(Ok(()), Err) } else { Err(Shut::Exposed(Exposed(exposures))) }
}

/// What was seen of a door.
fn service(report: &Report, door: SocketAddr) -> Option<&Service> {
    let whole = report.systems.iter().filter(|system| system.left.is_none() && system.address == door.ip());
    whole.flat_map(|system| &system.services).find(|service| service.port == door.port())
}

impl Demand {
    /// What is worth knowing is no exposure, and what was declared; everything else is.
    fn is_exposure(&self, outcome: &Outcome) -> bool {
        let is_declared = self.declared.contains(&outcome.check.0.id);
        outcome.is_finding() && outcome.severity > Severity::Info && !is_declared
    }

    fn check(&self, service: &Service) -> Result<(), Shut> {
        if !self.speaks.contains(&service.speaks.as_str()) {
            return Err(Shut::Unfinished("a door did not speak as it should"));
        }
        if let Some(failed) = service.outcomes.iter().find(|outcome| outcome.state == State::Error) {
            return Err(Shut::Unseen(failed.check.0.id));
        }
        let passes = |id: &str| {
            let mut of = service.outcomes.iter().filter(|outcome| outcome.check.0.id == id).peekable();
            of.peek().is_some() && of.all(|outcome| matches!(outcome.state, State::Pass | State::NotApplicable))
        };
        match self.passed.iter().find(|id| !passes(id)) {
            Some(id) => Err(Shut::Unseen(id)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stranger who looked at the doors found them open; they are not bound where others could come")?;
        for Exposure { check, title, port, remediation, .. } in &self.0 {
            write!(f, "\n  {check} {title} (port {port}). {remediation}")?;
        }
        f.write_str("\nThe checks are in docs/EXPOSURE.md.")
    }
}
