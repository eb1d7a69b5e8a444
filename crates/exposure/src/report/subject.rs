//! What an outcome is about, and by which key it is found again in another report.
//!
//! The owner's label stands for a host; its address is added only where the label alone does
//! not say which host is meant (a range, a group of like assets): addresses change, labels stay.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use super::{Report, System, wording};
use crate::catalogue::Name;
use crate::evidence::Hash;
use crate::finding::{Facet, Outcome};
use crate::scope::Labels;

/// A port of a host, or a file tree.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'report> {
    /// The owner's label.
    pub label: &'report str,
    /// Where it is.
    pub labels: &'report Labels,
    /// Which part.
    pub place: Place<'report>,
}

/// Which part of an asset.
#[derive(Clone, Copy, Debug)]
pub enum Place<'report> {
    /// A port of a host.
    Port(&'report System, u16, Name),
    /// A file tree, by the number of its root.
    Tree(u32),
}

/// By what a finding is found again: check, host or tree, part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Key {
    /// The check's id.
    pub check: &'static str,
    /// Host and port, or tree.
    #[serde(flatten)]
    pub at: At,
    /// Which part of it; a folder's hash is another in every run, so it is left out.
    #[serde(skip_serializing_if = "Facet::is_whole")]
    pub facet: Facet,
}

/// Where, as a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct At {
    /// The owner's label.
    pub label: String,
    /// The address, where the label does not suffice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The port of a host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The number of a tree's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<u32>,
}

/// Which labels need an address beside them.
#[derive(Clone, Debug, Default)]
pub struct Identities<'report> {
    shared: BTreeSet<&'report str>,
}

impl Report {
    /// All outcomes with what they are about: hosts first, then trees.
    pub fn seen(&self) -> impl Iterator<Item = (Subject<'_>, &Outcome)> {
        let of_systems = self.systems.iter().flat_map(|system| {
            system.services.iter().flat_map(move |service| {
                let place = Place::Port(system, service.port, service.speaks);
                let subject = Subject { label: &system.label, labels: &system.labels, place };
                service.outcomes.iter().map(move |outcome| (subject, outcome))
            })
        });
        let of_trees = self.trees.iter().flat_map(|tree| {
            let subject = Subject { label: &tree.label, labels: &tree.labels, place: Place::Tree(tree.root) };
            tree.outcomes.iter().map(move |outcome| (subject, outcome))
        });
        of_systems.chain(of_trees)
    }

    /// The findings among them.
    pub fn findings(&self) -> impl Iterator<Item = (Subject<'_>, &Outcome)> {
        self.seen().filter(|(_, outcome)| outcome.is_finding())
    }

    /// Brings every list into its canonical order.
    pub fn sort(&mut self) {
        self.systems.sort_by(|a, b| (&a.label, a.address).cmp(&(&b.label, b.address)));
        for service in self.systems.iter_mut().flat_map(|system| {
            system.services.sort_by_key(|service| service.port);
            &mut system.services
        }) {
            sort_outcomes(&mut service.outcomes);
        }
        self.trees.sort_by(|a, b| (&a.label, a.root).cmp(&(&b.label, b.root)));
        self.trees.iter_mut().for_each(|tree| sort_outcomes(&mut tree.outcomes));
        self.plan.ports.sort_unstable();
        self.plan.ports.dedup();
        self.times.announced.sort();
    }
}

/// The order of [`crate::finding::Notes::into_outcomes`].
fn sort_outcomes(outcomes: &mut [Outcome]) {
    outcomes.sort_by(|a, b| {
        let of = |outcome: &Outcome| (outcome.check.id, outcome.state, std::cmp::Reverse(outcome.severity));
        let (a_key, b_key) = (of(a), of(b));
        a_key.0.cmp(b_key.0).then_with(|| a.facet.cmp(&b.facet)).then_with(|| a_key.cmp(&b_key))
    });
}

impl Subject<'_> {
    /// The host's address.
    pub fn address(&self) -> Option<IpAddr> {
        match self.place {
            Place::Port(system, ..) => Some(system.address),
            Place::Tree(_) => None,
        }
    }

    /// The host's port.
    pub fn port(&self) -> Option<u16> {
        match self.place {
            Place::Port(_, port, _) => Some(port),
            Place::Tree(_) => None,
        }
    }

    /// The number of the tree's root.
    pub fn root(&self) -> Option<u32> {
        match self.place {
            Place::Port(..) => None,
            Place::Tree(root) => Some(root),
        }
    }

    /// The host it is about.
    pub fn system(&self) -> Option<&System> {
        match self.place {
            Place::Port(system, ..) => Some(system),
            Place::Tree(_) => None,
        }
    }

    /// What is spoken there; empty for a tree.
    pub fn speaks(&self) -> &'static str {
        match self.place {
            Place::Port(_, _, speaks) => speaks.as_str(),
            Place::Tree(_) => "",
        }
    }

    /// As a URI: `dicom://192.0.2.1:104`, `exposure:tree/3`. Holds nothing of a label.
    pub fn uri(&self) -> String {
        let (address, port) = match self.place {
            Place::Tree(root) => return format!("exposure:tree/{root}"),
            Place::Port(system, port, _) => (system.address, port),
        };
        let scheme = match self.speaks() {
            "unknown" | "" => "tcp",
            speaks => speaks,
        };
        format!("{scheme}://{}", std::net::SocketAddr::new(address, port))
    }

    /// For people: `CT 2, 192.0.2.1 port 104`, `Research share, tree 3`. Control characters are shown, not sent.
    pub fn said(&self) -> String {
        let label = wording::plain(self.label);
        match self.place {
            Place::Port(system, port, _) => format!("{label}, {} port {port}", system.address),
            Place::Tree(root) => format!("{label}, tree {root}"),
        }
    }
}

impl<'report> Identities<'report> {
    /// Of labels that must be told apart in all of these reports.
    pub fn of(reports: &[&'report Report]) -> Identities<'report> {
        let mut shared = BTreeSet::new();
        for report in reports {
            let mut first: BTreeMap<&str, IpAddr> = BTreeMap::new();
            for system in &report.systems {
                let known = *first.entry(&system.label).or_insert(system.address);
                if !system.listed || known != system.address {
                    shared.insert(system.label.as_str());
                }
            }
        }
        Identities { shared }
    }

    /// A host as it is found again.
    pub fn host(&self, system: &System) -> At {
        let address = self.shared.contains(system.label.as_str()).then_some(system.address);
        At { label: system.label.clone(), address, port: None, root: None }
    }

    /// A port or tree as it is found again.
    pub fn at(&self, subject: &Subject<'_>) -> At {
        match subject.place {
            Place::Port(system, port, _) => At { port: Some(port), ..self.host(system) },
            Place::Tree(root) => At { label: subject.label.to_owned(), address: None, port: None, root: Some(root) },
        }
    }

    /// An outcome as it is found again.
    pub fn key(&self, subject: &Subject<'_>, outcome: &Outcome) -> Key {
        let facet = match &outcome.facet {
            Facet::Path(_) => Facet::Path(Hash([0; 16])),
            other => other.clone(),
        };
        Key { check: outcome.check.id, at: self.at(subject), facet }
    }

    /// A fingerprint of a finding: 32 hex digits over check, label, address where needed, port
    /// or root, and part. It stays the same from run to run, but for folders, whose hashes are keyed.
    pub fn fingerprint(&self, subject: &Subject<'_>, outcome: &Outcome) -> String {
        let at = self.at(subject);
        let parts = [
            outcome.check.id.to_owned(),
            at.label,
            at.address.map(|address| address.to_string()).unwrap_or_default(),
            at.port.map(|port| format!("port {port}")).unwrap_or_default(),
            at.root.map(|root| format!("tree {root}")).unwrap_or_default(),
            wording::facet(&outcome.facet),
        ];
        let mut text = Vec::new();
        for part in parts {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
        hex::encode(&digest.as_ref()[..16])
    }
}
