//! How exposed the archive is at present, as data: where its doors are, who could reach
//! them, why they are not elsewhere, and what a stranger saw last.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::RwLock;
use time::OffsetDateTime;

use crate::config::{Legacy, Listen};
use crate::gate::Exposure;
use crate::interfaces::{Reachable, on_loopback};

/// Where doors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Addresses {
    /// HTTPS.
    pub https: SocketAddr,
    /// DICOM over TLS.
    pub dicom: SocketAddr,
}

impl Addresses {
    /// Those configured.
    pub fn configured(listen: &Listen) -> Addresses {
        Addresses { https: listen.https, dicom: listen.dicom }
    }

    /// The same ports where nobody else comes.
    pub fn on_loopback(self) -> Addresses {
        Addresses { https: on_loopback(self.https), dicom: on_loopback(self.dicom) }
    }

    /// Where they wait until others may come. Whom a public name leads here come over a proxy
    /// that knows the port of HTTPS: then it is one that nobody knows.
    pub(crate) fn held_back(self, has_public_name: bool) -> Addresses {
        let mut back = self.on_loopback();
        if has_public_name {
            back.https.set_port(0);
        }
        back
    }

    /// Whether only this machine reaches them.
    pub fn are_loopback(self) -> bool {
        self.https.ip().is_loopback() && self.dicom.ip().is_loopback()
    }
}

/// Why the doors are on loopback although other addresses are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Setup is not done.
    NotSetUp,
    /// No administrator has a second factor.
    NoSecondFactor,
    /// Anybody could reach the DICOM door, and nobody said that this is meant.
    PublicDimse,
    /// A stranger found something.
    Exposed,
    /// No stranger has looked yet, or to the end.
    Unseen,
}

impl Held {
    /// What is missing and what to do.
    pub fn words(self) -> &'static str {
        match self {
            Held::NotSetUp => "setup is not done: run `leadglass setup` on this machine",
            Held::NoSecondFactor => {
                "no administrator has a second factor: sign in at /login on this machine and add one"
            }
            Held::PublicDimse => {
                "the DICOM door would be on a public address: give it a private one, or start with --i-accept-public-dimse"
            }
            Held::Exposed => "a stranger's look at the doors found something: see `leadglass explain`",
            Held::Unseen => "a stranger's look at the doors did not come to its end: it is repeated within a minute",
        }
    }
}

/// What is asked before doors open where others could come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Setup is done.
    pub set_up: bool,
    /// An administrator exists who needs a second factor to get in.
    pub second_factor: bool,
    /// It was said that a public DICOM door is meant.
    pub public_dimse: bool,
    /// People elsewhere are told of a name to come by, so others come to loopback too, by a proxy.
    pub has_public_name: bool,
}

impl Conditions {
    /// Whether others could come to doors at those addresses.
    pub fn others_come(self, at: Addresses) -> bool {
        self.has_public_name || !at.are_loopback()
    }

    /// Why the doors may not be at those addresses; nothing when they may.
    pub fn hold(self, at: Addresses) -> Option<Held> {
        if !self.others_come(at) {
            None
        } else if !self.set_up {
            Some(Held::NotSetUp)
        } else if !self.second_factor {
            Some(Held::NoSecondFactor)
        } else if !self.public_dimse && Reachable::at(at.dicom.ip()) == Reachable::Public {
            Some(Held::PublicDimse)
        } else {
            None
        }
    }
}

/// The listener of legacy peers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct InClear {
    /// The interface it is configured on.
    pub interface: String,
    /// Where it is now; nowhere while nobody is declared, or while it may not be there.
    pub open: Option<SocketAddr>,
    /// How many legacy peers live.
    pub peers: u64,
    /// Why nobody is listened to although somebody is declared.
    pub closed: Option<String>,
}

/// The posture at present. Clones share it.
#[derive(Clone)]
pub struct Posture {
    shown: Arc<RwLock<Shown>>,
    has_public_name: bool,
}

/// What [`Posture`] tells.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Shown {
    /// Where the doors ought to be.
    pub configured: Addresses,
    /// Where they are; nowhere when they are closed.
    pub open: Option<Addresses>,
    /// Who could reach them.
    pub reachable: Option<Reachable>,
    /// Why they are not where they ought to be.
    pub held: Option<Held>,
    /// The listener of legacy peers, when one is configured: clear text, nobody authenticated.
    pub legacy: Option<InClear>,
    /// When a stranger looked last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub looked: Option<OffsetDateTime>,
    /// What was found.
    pub findings: Vec<Exposure>,
    /// Why the last look could not be taken to its end.
    pub unfinished: Option<String>,
    /// Tokens that administer without anybody's second factor.
    pub administrator_tokens: usize,
}

impl Posture {
    /// Before any door is open.
    pub fn new(configured: Addresses, has_public_name: bool, legacy: &Legacy) -> Posture {
        let interface = legacy.is_configured().then(|| legacy.interface.clone());
        let shown = Shown {
            configured,
            open: None,
            reachable: None,
            held: None,
            legacy: interface.map(|interface| InClear { interface, open: None, peers: 0, closed: None }),
            looked: None,
            findings: Vec::new(),
            unfinished: None,
            administrator_tokens: 0,
        };
        Posture { shown: Arc::new(RwLock::new(shown)), has_public_name }
    }

    /// As it is now.
    pub fn shown(&self) -> Shown {
        self.shown.read().clone()
    }

    /// The doors are there now.
    pub(crate) fn opened(&self, at: Option<Addresses>, held: Option<Held>) {
        let mut shown = self.shown.write();
        shown.open = at;
        // Whom a proxy before loopback lets through nobody here can tell.
        let is_proxied = |at: Addresses| self.has_public_name && held.is_none() && at.https.ip().is_loopback();
        let https = |at| if is_proxied(at) { Reachable::Public } else { Reachable::at(at.https.ip()) };
        shown.reachable = at.map(|at| https(at).max(Reachable::at(at.dicom.ip())));
        shown.held = held;
        drop(shown);
        self.measure();
    }

    /// Legacy peers are listened to there, or not.
    pub(crate) fn in_clear(&self, at: Option<SocketAddr>, living: u64, why_closed: Option<String>) {
        if let Some(legacy) = &mut self.shown.write().legacy {
            (legacy.open, legacy.peers, legacy.closed) = (at, living, why_closed);
        }
        self.measure();
    }

    /// A stranger looked.
    pub(crate) fn looked(&self, when: OffsetDateTime, findings: Vec<Exposure>, unfinished: Option<String>) {
        let mut shown = self.shown.write();
        (shown.looked, shown.findings, shown.unfinished) = (Some(when), findings, unfinished);
        drop(shown);
        self.measure();
    }

    /// So many tokens administer by themselves.
    pub(crate) fn counted(&self, administrator_tokens: usize) {
        self.shown.write().administrator_tokens = administrator_tokens;
        metrics::gauge!(crate::metrics::ADMINISTRATOR_TOKENS).set(administrator_tokens as f64);
    }

    fn measure(&self) {
        let shown = self.shown.read();
        metrics::gauge!(crate::metrics::EXPOSURE_FINDINGS).set(shown.findings.len() as f64);
        metrics::gauge!(crate::metrics::EXPOSURE_UNFINISHED).set(f64::from(u8::from(shown.unfinished.is_some())));
        metrics::gauge!(crate::metrics::EXPOSURE_HELD).set(f64::from(u8::from(shown.held.is_some())));
        let in_clear = shown.legacy.as_ref().is_some_and(|legacy| legacy.open.is_some());
        metrics::gauge!(crate::metrics::CLEAR_TEXT).set(f64::from(u8::from(in_clear)));
        if let Some(looked) = shown.looked {
            metrics::gauge!(crate::metrics::EXPOSURE_LOOKED).set(looked.unix_timestamp() as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(https: &str, dicom: &str) -> Addresses {
        Addresses { https: https.parse().unwrap(), dicom: dicom.parse().unwrap() }
    }

    #[test]
    fn others_come_only_where_all_conditions_hold() {
        let none = Conditions::default();
        let ready = Conditions { set_up: true, second_factor: true, ..none };
        let (own, private) = (at("127.0.0.1:1", "[::1]:2"), at("192.168.1.2:1", "127.0.0.1:2"));
        assert_eq!(none.hold(own), None);
        assert_eq!(none.hold(private), Some(Held::NotSetUp));
        assert_eq!(Conditions { set_up: true, ..none }.hold(private), Some(Held::NoSecondFactor));
        assert_eq!(ready.hold(private), None);
        let public = at("127.0.0.1:1", "8.8.8.8:2");
        assert_eq!(ready.hold(public), Some(Held::PublicDimse));
        assert_eq!(Conditions { public_dimse: true, ..ready }.hold(public), None);
        assert_eq!(
            Conditions { public_dimse: true, ..none }.hold(public),
            Some(Held::NotSetUp),
            "it relaxes nothing else"
        );
        assert_eq!(ready.hold(at("8.8.8.8:1", "10.0.0.1:2")), None, "a public web door is allowed");
        assert!(private.on_loopback().are_loopback());
    }

    #[test]
    fn a_public_name_makes_loopback_a_place_where_others_come() {
        let named = Conditions { has_public_name: true, ..Conditions::default() };
        let own = at("127.0.0.1:8443", "127.0.0.1:2762");
        assert_eq!(named.hold(own), Some(Held::NotSetUp));
        assert_eq!(Conditions { set_up: true, ..named }.hold(own), Some(Held::NoSecondFactor));
        assert_eq!(Conditions { set_up: true, second_factor: true, ..named }.hold(own), None);
        assert_eq!(own.held_back(true), at("127.0.0.1:0", "127.0.0.1:2762"), "a proxy does not know the port");
        assert_eq!(own.held_back(false), own);
        let posture = Posture::new(own, true, &Legacy::default());
        posture.opened(Some(own), Some(Held::NotSetUp));
        assert_eq!(posture.shown().reachable, Some(Reachable::Loopback));
        posture.opened(Some(own), None);
        assert_eq!(posture.shown().reachable, Some(Reachable::Public));
    }
}
