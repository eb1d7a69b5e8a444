//! What a check came to: state, severity, confidence, and the evidence that cannot hold data.

use serde::{Deserialize, Serialize};

use crate::catalogue::{Check, CheckRef, Name};
use crate::evidence::{Evidence, Fact, Hash, RuleId};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Little by itself.
    Low,
    /// To be mended.
    Medium,
    /// To be mended soon.
    High,
    /// Patient data is within reach of a stranger now.
    Critical,
}

/// How a check ended on one subject. Only `Pass` and `Finding` count in a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Looked at, and closed.
    Pass,
    /// Looked at, and open.
    Finding,
    /// The target refused before the question could be asked: it cannot be told.
    RefusedBefore,
    /// The question makes no sense for this subject.
    NotApplicable,
    /// The target did not answer as its protocol demands, or not in time.
    Error,
    /// Depth, class or scope forbid to ask.
    SkippedByPolicy,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Somebody else's tool said so and it was not looked at again.
    Imported,
    /// The affected versions are disputed between sources.
    RangeDisputed,
    /// The toolkit is known, the product built with it is not.
    Toolkit,
    /// Offered in negotiation; no harmless request can tell whether it would be served.
    Offered,
    /// Seen.
    #[default]
    Confirmed,
}

/// Which part of a subject an outcome is about, when a check looks at several.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facet {
    /// All of it.
    #[default]
    Whole,
    /// A part with a fixed name.
    Part(Name),
    /// A code of a protocol: a TLS version, a SOP class by its number in our table.
    Code(u32),
    /// A rule of the offline rule base.
    Rule(RuleId),
    /// A folder, by keyed hash.
    Path(Hash),
}

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The check.
    pub check: CheckRef,
    /// Which part of the subject.
    #[serde(default, skip_serializing_if = "Facet::is_whole")]
    pub facet: Facet,
    /// How it ended.
    pub state: State,
    /// How bad, if it is a finding; [`Severity::Info`] otherwise.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Evidence::is_empty")]
    pub evidence: Evidence,
}

impl Facet {
    /// Whether it is the whole subject.
    pub fn is_whole(&self) -> bool {
        *self == Facet::Whole
    }
}

impl Outcome {
    /// A check's outcome; a finding has the check's own severity until told otherwise.
    pub fn new(check: &'static Check, state: State) -> Outcome {
        Outcome {
            check: CheckRef(check),
            facet: Facet::Whole,
            state,
            severity: if state == State::Finding { check.severity } else { Severity::Info },
            confidence: Confidence::Confirmed,
            evidence: Evidence::default(),
        }
    }

    /// Adds what was seen. `name` is one of the check's `names`.
    pub fn with(&mut self, name: &'static str, fact: Fact) -> &mut Outcome {
        debug_assert!(self.check.names.contains(&name), "{} does not declare the name {name}", self.check.id);
        self.evidence.set(name, fact);
        self
    }

    /// Another severity than the check's.
    pub fn severity(&mut self, severity: Severity) -> &mut Outcome {
        self.severity = severity;
        self
    }

    /// Less than sure.
    pub fn confidence(&mut self, confidence: Confidence) -> &mut Outcome {
        self.confidence = confidence;
        self
    }

    /// About one part only.
    pub fn facet(&mut self, facet: Facet) -> &mut Outcome {
        self.facet = facet;
        self
    }

    /// Whether it is a finding.
    pub fn is_finding(&self) -> bool {
        self.state == State::Finding
    }

    /// Whether it counts in a score.
    pub fn is_scored(&self) -> bool {
        matches!(self.state, State::Pass | State::Finding)
    }
}

/// Outcomes of one subject, as the probes come to them.
#[derive(Debug, Default)]
pub struct Notes(Vec<Outcome>);

impl Notes {
    /// Looked at and closed.
    pub fn pass(&mut self, check: &'static Check) -> &mut Outcome {
        self.note(check, State::Pass)
    }

    /// Looked at and open.
    pub fn finding(&mut self, check: &'static Check) -> &mut Outcome {
        self.note(check, State::Finding)
    }

    /// Any state. What is returned takes evidence, severity, facet.
    pub fn note(&mut self, check: &'static Check, state: State) -> &mut Outcome {
        self.0.push(Outcome::new(check, state));
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// What was noted of a check so far.
    pub fn of(&self, check: &'static Check) -> impl Iterator<Item = &Outcome> {
        self.0.iter().filter(move |outcome| outcome.check.id == check.id)
    }

    /// All of them, in canonical order: by check, facet, then worst first.
    pub fn into_outcomes(self) -> Vec<Outcome> {
        let mut outcomes = self.0;
        outcomes.sort_by(|a, b| {
            (a.check.id, &a.facet, a.state, std::cmp::Reverse(a.severity)).cmp(&(
                b.check.id,
                &b.facet,
                b.state,
                std::cmp::Reverse(b.severity),
            ))
        });
        outcomes
    }
}
