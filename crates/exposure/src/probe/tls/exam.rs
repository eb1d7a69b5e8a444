//! The hand-made hellos of T-02 to T-05: which are sent, and what follows from the answers.
//!
//! A hello offers all suites that are still in question, worst first. A refusal settles all of
//! them at once; an agreement settles what the suite has of it, and the rest is offered again.
//! Versions are asked for one by one: who refuses one may still speak an older one. So a
//! well-kept server is asked seven times. An end without an alert refuses nothing: somebody on
//! the way, or a fault, may have made it.

use std::collections::BTreeMap;

use super::ask::{Answer, ask};
use super::flight::Agreed;
use super::hello::{ALL_GROUPS, Hello, SHORT_GROUPS, SSL_3_0, TLS_1_0, TLS_1_1, TLS_1_2};
use super::suites::{Exchange, SUITES, Suite, Weakness, suite};
use crate::finding::State;
use crate::probe::Look;

/// Withdrawn versions, the newest first.
pub const WITHDRAWN: [u16; 3] = [TLS_1_1, TLS_1_0, SSL_3_0];
/// What nobody should offer.
const GRAVE: [Weakness; 5] =
    [Weakness::Null, Weakness::Anonymous, Weakness::Export, Weakness::Rc4, Weakness::TripleDes];
/// What is merely old.
const OLD: [Weakness; 2] = [Weakness::StaticKey, Weakness::Cbc];
/// The alert that says that the version is not spoken, RFC 5246 7.2.2.
const PROTOCOL_VERSION: u8 = 70;

/// Whether something was agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With this suite, in this version.
    Agreed {
        /// The suite.
        suite: u16,
        /// The version.
        version: u16,
    },
    /// Refused, with this alert; with none when it follows from another answer.
    Refused(Option<u8>),
    /// The connection ended without a word.
    Closed,
}

/// Why there is no agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum No {
    /// An alert.
    Alert(u8),
    /// The end of the connection.
    Closed,
    /// Nothing is left to be asked for.
    NothingLeft,
}

impl From<No> for Verdict {
    fn from(no: No) -> Verdict {
        match no {
            No::Alert(alert) => Verdict::Refused(Some(alert)),
            No::Closed => Verdict::Closed,
            No::NothingLeft => Verdict::Refused(None),
        }
    }
}

/// What was found of the ephemeral Diffie-Hellman group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// So many bits.
    Bits {
        /// Of its prime.
        bits: u32,
        /// With this suite.
        suite: u16,
    },
    /// There is none.
    NotOffered,
}

/// What the hellos brought to light. What is not in it could not be asked: see [`Exam::unasked`].
#[derive(Debug)]
pub struct Exam {
    left: u32,
    stopped: Option<State>,
    /// Withdrawn versions.
    pub versions: BTreeMap<u16, Verdict>,
    /// Weaknesses of suites.
    pub weak: BTreeMap<Weakness, Verdict>,
    /// Diffie-Hellman.
    pub dhe: Option<Group>,
    /// A curve too short that was agreed to; the inner none when none was.
    pub short_curve: Option<Option<u16>>,
    /// The first agreement, and the one about a usual hello when there is one.
    pub first: Option<Agreed>,
    /// Whether the question of groups was answered by the end of the connection.
    pub groups_closed: bool,
    /// Whether TLS 1.2 is spoken; none when that did not become clear.
    pub speaks_1_2: Option<bool>,
}

impl Exam {
    /// The state of a check whose question was not asked.
    pub fn unasked(&self) -> State {
        self.stopped.unwrap_or(State::SkippedByPolicy)
    }

    /// Whether it ended before all was asked that might have been.
    pub fn was_stopped(&self) -> bool {
        self.stopped.is_some()
    }
}

/// Sends at most so many hellos.
pub async fn examine(look: &mut Look<'_, '_>, left: u32) -> Exam {
    let mut exam = Exam {
        left,
        stopped: None,
        versions: BTreeMap::new(),
        weak: BTreeMap::new(),
        dhe: None,
        short_curve: None,
        first: None,
        groups_closed: false,
        speaks_1_2: None,
    };
    exam.usual(look).await;
    exam.withdrawn(look).await;
    match exam.version_for_suites() {
        Some(version) => {
            exam.weaknesses(look, version, &GRAVE).await;
            exam.exchange(look, version).await;
            exam.weaknesses(look, version, &OLD).await;
        }
        None => exam.nothing_before_1_3(),
    }
    exam
}

/// The hello that a good client of TLS 1.2 would send.
pub fn usual_hello(look: &Look<'_, '_>) -> Vec<u8> {
    encode(look, TLS_1_2, &usual_suites(), ALL_GROUPS)
}

fn usual_suites() -> Vec<u16> {
    SUITES.iter().rev().filter(|suite| suite.is_usual()).map(|suite| suite.id).collect()
}

fn encode(look: &Look<'_, '_>, version: u16, suites: &[u16], groups: &[u16]) -> Vec<u8> {
    let random = look.line.run().key.derive("client hello", &version.to_be_bytes());
    Hello { version, suites, groups, name: super::asked_name(look.asset), random }.encode()
}

impl Exam {
    async fn usual(&mut self, look: &mut Look<'_, '_>) {
        match self.ask(look, TLS_1_2, &usual_suites(), ALL_GROUPS).await {
            Some(Ok(agreed)) => {
                self.speaks_1_2 = Some(agreed.version == TLS_1_2);
                if agreed.version != TLS_1_2 {
                    self.settle_versions(TLS_1_1, &agreed);
                }
            }
            Some(Err(No::Alert(PROTOCOL_VERSION))) => self.speaks_1_2 = Some(false),
            Some(Err(_)) | None => {}
        }
    }

    async fn withdrawn(&mut self, look: &mut Look<'_, '_>) {
        while let Some(top) = WITHDRAWN.into_iter().find(|version| !self.versions.contains_key(version)) {
            let everything = self.unsettled_first();
            match self.ask(look, top, &everything, ALL_GROUPS).await {
                Some(Ok(agreed)) => self.settle_versions(top, &agreed),
                Some(Err(no)) => _ = self.versions.insert(top, no.into()),
                None => return,
            }
        }
    }

    /// Every suite, those first that would settle a weakness: a version is refused or agreed to
    /// for its own sake, and what it is agreed with is worth knowing.
    fn unsettled_first(&self) -> Vec<u16> {
        let settles = |suite: &&Suite| suite.weak.iter().any(|weak| !self.weak.contains_key(weak));
        let (first, last): (Vec<&Suite>, Vec<&Suite>) = SUITES.iter().partition(settles);
        first.into_iter().chain(last).map(|suite| suite.id).collect()
    }

    /// A hello up to `top` was answered with a version: those between are not spoken.
    fn settle_versions(&mut self, top: u16, agreed: &Agreed) {
        self.versions.insert(agreed.version, Verdict::Agreed { suite: agreed.suite, version: agreed.version });
        for version in WITHDRAWN.into_iter().filter(|version| (agreed.version + 1..=top).contains(version)) {
            self.versions.entry(version).or_insert(Verdict::Refused(None));
        }
    }

    /// The version in which suites are asked for: 1.2, or the newest of the withdrawn ones that it speaks.
    fn version_for_suites(&self) -> Option<u16> {
        if self.speaks_1_2 != Some(false) {
            return Some(TLS_1_2);
        }
        let spoken = |version: &u16| matches!(self.versions.get(version), Some(Verdict::Agreed { .. }));
        WITHDRAWN.into_iter().find(spoken)
    }

    async fn weaknesses(&mut self, look: &mut Look<'_, '_>, version: u16, stage: &[Weakness]) {
        loop {
            let open: Vec<Weakness> = stage.iter().copied().filter(|weak| !self.weak.contains_key(weak)).collect();
            if open.is_empty() {
                return;
            }
            let in_question = |suite: &&Suite| suite.weak.iter().any(|weak| open.contains(weak));
            let suites = self.suites(in_question);
            match self.ask(look, version, &suites, ALL_GROUPS).await {
                Some(Ok(_)) => {}
                Some(Err(no)) => self.weak.extend(open.into_iter().map(|weak| (weak, no.into()))),
                None => return,
            }
        }
    }

    async fn exchange(&mut self, look: &mut Look<'_, '_>, version: u16) {
        while self.dhe.is_none() || self.short_curve.is_none() {
            let (dhe, curve) = (self.dhe.is_none(), self.short_curve.is_none());
            let in_question = |suite: &&Suite| match suite.exchange {
                Exchange::Dhe => dhe && suite.is_usual(),
                Exchange::Ecdhe => curve && suite.is_usual(),
                _ => false,
            };
            let suites = self.suites(in_question);
            let groups = if curve { SHORT_GROUPS } else { ALL_GROUPS };
            match self.ask(look, version, &suites, groups).await {
                Some(Ok(agreed)) => self.settle_exchange(&agreed),
                Some(Err(No::Closed)) => {
                    self.groups_closed = true;
                    return;
                }
                Some(Err(_)) => {
                    self.dhe.get_or_insert(Group::NotOffered);
                    self.short_curve.get_or_insert(None);
                }
                None => return,
            }
        }
    }

    /// [`Exam::learn`] has taken the length of a group already.
    fn settle_exchange(&mut self, agreed: &Agreed) {
        match suite(agreed.suite).map(|suite| suite.exchange) {
            Some(Exchange::Ecdhe) if agreed.group.is_some() => {
                // A curve that was not offered is none of the short ones.
                self.short_curve.get_or_insert(None);
            }
            Some(Exchange::Dhe) if self.dhe.is_some() => {}
            _ => self.stopped = Some(State::Error),
        }
    }

    fn nothing_before_1_3(&mut self) {
        if self.stopped.is_some() {
            return;
        }
        if self.versions.values().any(|verdict| *verdict == Verdict::Closed) {
            // Which of them are spoken did not become clear.
            GRAVE.into_iter().chain(OLD).for_each(|weak| _ = self.weak.entry(weak).or_insert(Verdict::Closed));
            self.groups_closed = true;
            return;
        }
        for weakness in GRAVE.into_iter().chain(OLD) {
            self.weak.entry(weakness).or_insert(Verdict::Refused(Some(PROTOCOL_VERSION)));
        }
        self.dhe.get_or_insert(Group::NotOffered);
        self.short_curve.get_or_insert(None);
    }

    /// Suites in question without those that are known to be refused.
    fn suites(&self, in_question: impl Fn(&&Suite) -> bool) -> Vec<u16> {
        let refused = |weak: &Weakness| matches!(self.weak.get(weak), Some(Verdict::Refused(_) | Verdict::Closed));
        let suites = SUITES.iter().filter(in_question).filter(|suite| !suite.weak.iter().any(refused));
        suites.map(|suite| suite.id).collect()
    }

    /// Sends a hello, when one may still be sent: what was agreed to, or why nothing was.
    async fn ask(
        &mut self,
        look: &mut Look<'_, '_>,
        version: u16,
        suites: &[u16],
        groups: &[u16],
    ) -> Option<Result<Agreed, No>> {
        if suites.is_empty() {
            return Some(Err(No::NothingLeft));
        }
        if self.stopped.is_some() || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let hello = encode(look, version, suites, groups);
        match ask(look.line, look.port, &hello).await {
            Answer::Agreed(agreed) if is_honest(&agreed, version, suites) => {
                self.learn(&agreed);
                return Some(Ok(agreed));
            }
            Answer::Refused(alert) => return Some(Err(alert.map_or(No::Closed, No::Alert))),
            Answer::Agreed(_) | Answer::Nonsense | Answer::Silent => self.stopped = Some(State::Error),
            Answer::NotAsked(state) => self.stopped = Some(state),
        }
        None
    }

    fn learn(&mut self, agreed: &Agreed) {
        let Some(suite) = suite(agreed.suite) else { return };
        for weakness in suite.weak {
            let verdict = Verdict::Agreed { suite: agreed.suite, version: agreed.version };
            self.weak.entry(*weakness).or_insert(verdict);
        }
        if let (Exchange::Dhe, Some(bits)) = (suite.exchange, agreed.bits) {
            self.dhe = Some(Group::Bits { bits, suite: agreed.suite });
        }
        if let (Exchange::Ecdhe, Some(group)) = (suite.exchange, agreed.group)
            && SHORT_GROUPS.contains(&group)
        {
            self.short_curve = Some(Some(group));
        }
        self.first.get_or_insert_with(|| agreed.clone());
    }
}

/// Whether a server took what it was offered.
fn is_honest(agreed: &Agreed, version: u16, suites: &[u16]) -> bool {
    let spoken = (SSL_3_0..=version).contains(&agreed.version);
    spoken && !agreed.retry && suites.contains(&agreed.suite) && agreed.compression <= 1
}
