//! N-02: what all back ends have in common, and how it is noted.

use super::Service;
use super::reach;
use crate::catalogue::Name;
use crate::catalogue::network::N_02;
use crate::evidence::{Fact, Version};
use crate::finding::{Facet, Severity, State};
use crate::net::Over;
use crate::probe::Look;
use crate::scope::Vantage;

/// What a back end showed.
pub(super) struct Backend {
    /// Which.
    pub(super) service: Service,
    /// How it was spoken to.
    pub(super) over: Over,
    /// Whether it offers TLS; `None` when that could not be told.
    pub(super) tls: Option<bool>,
    /// Whether strangers are served.
    pub(super) access: Access,
    /// Its version, in numbers.
    pub(super) version: Option<Version>,
    /// A status that the protocol gave.
    pub(super) status: Option<u32>,
}

/// Whether strangers are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// They are: as bad as this.
    Served(Severity),
    /// They are asked who they are.
    Guarded,
    /// It was refused before that could be told.
    RefusedBefore,
    /// It was not asked: only a log-in would tell.
    NotAsked,
    /// It did not say.
    Unclear,
}

impl Backend {
    /// One that shows nothing but that it is there.
    pub(super) fn new(service: Service, over: Over) -> Backend {
        let tls = (over == Over::Tls).then_some(true);
        Backend { service, over, tls, access: Access::NotAsked, version: None, status: None }
    }

    /// Notes the three parts of N-02.
    pub(super) fn note(&self, look: &mut Look<'_, '_>) {
        self.note_reach(look);
        let transport = match self.tls {
            Some(true) => State::Pass,
            Some(false) => State::Finding,
            None => State::RefusedBefore,
        };
        let outcome = self.part(look, "transport", transport);
        if let Some(tls) = self.tls {
            outcome.with("tls", Fact::Flag(tls));
        }
        let (access, severity) = match self.access {
            Access::Served(severity) => (State::Finding, severity),
            Access::Guarded => (State::Pass, Severity::Info),
            Access::RefusedBefore => (State::RefusedBefore, Severity::Info),
            Access::NotAsked => (State::SkippedByPolicy, Severity::Info),
            Access::Unclear => (State::Error, Severity::Info),
        };
        let (version, status) = (self.version, self.status);
        let outcome = self.part(look, "access", access).severity(severity);
        if let Some(status) = status {
            outcome.with("status", Fact::Code(status));
        }
        if matches!(access, State::Finding | State::Pass) {
            outcome.with("authentication", Fact::Flag(access == State::Pass));
        }
        if let Some(version) = version {
            outcome.with("version", Fact::Version(version));
            look.known.back_ends.push((self.service.name(), version));
        }
    }

    fn note_reach(&self, look: &mut Look<'_, '_>) {
        let vantage = look.line.run().scope.vantage;
        let among_servers = matches!(vantage, Vantage::ServerVlan | Vantage::Host);
        let fine = among_servers || look.asset.expected_ports.contains(&look.port);
        let outcome = self.part(look, "reach", if fine { State::Pass } else { State::Finding });
        outcome.with("vantage", Fact::Known(reach::name(vantage)));
        if !fine && vantage == Vantage::Internet {
            outcome.severity(Severity::High);
        }
    }

    fn part<'look>(
        &self,
        look: &'look mut Look<'_, '_>,
        part: &'static str,
        state: State,
    ) -> &'look mut crate::finding::Outcome {
        let outcome = look.notes.note(&N_02, state).facet(Facet::Part(Name::fixed(part)));
        outcome.with("service", Fact::Known(self.service.name()))
    }
}
