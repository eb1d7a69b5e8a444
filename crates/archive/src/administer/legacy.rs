//! Legacy peers: the one declared exception, for devices that refuse TLS and even an edge.
//!
//! Such a device stores in clear text, over a listener of its own, and does nothing else. It is
//! told by its AE title and the one private address it comes from; neither proves anything, for a
//! title is typed in and an address is taken by whoever has the wire. So each declaration ends
//! within a year, what comes is new or is set aside, and the trail says every day that there is
//! one. Deliberately absent: ranges of addresses, public addresses, any verb but to store, and a
//! declaration without an end.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use leadglass_dicom::AeTitle;
use time::OffsetDateTime;

use super::peers::{HOUR_S, hour, warning};
use super::{checked_name, checked_scope, rfc3339};
use crate::access::{Scope, requests};
use crate::change::Change;
use crate::trail::{Alert, Event};
use crate::{Archive, Caller, Refused};

/// The longest a declaration may live.
const LONGEST: Duration = Duration::from_secs(365 * 24 * HOUR_S);
/// Hours of a day.
const DAY_H: u64 = 24;
/// What the trail calls such a peer, before its title: longer than a title, so that it is nobody
/// else's name.
pub(crate) const NAMED: &str = "unauthenticated, in clear: ";

/// A device that may store in clear text, as an administrator wants it declared.
#[derive(Clone, Debug)]
pub struct NewLegacyPeer {
    /// Its AE title, exactly as it says it.
    pub ae: String,
    /// The one address it comes from: RFC 1918, RFC 4193 or loopback.
    pub address: IpAddr,
    /// How long: 365 days at most.
    pub lifetime: Duration,
    /// Which instances it may store: its department's, its modality's.
    pub scope: Scope,
    /// Department or place, for people.
    pub label: Option<String>,
    /// Whom to call about it.
    pub contact: Option<String>,
}

/// A device that may store in clear text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LegacyPeer {
    /// Its AE title.
    pub ae: String,
    /// The one address it comes from.
    pub address: IpAddr,
    /// When the declaration ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
    /// Which instances it may store.
    #[serde(default = "Scope::everything", skip_serializing_if = "Scope::is_implied")]
    pub scope: Scope,
    /// Department or place, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whom to call about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// When it was revoked, RFC 3339.
    pub revoked: Option<String>,
}

/// How many legacy peers live, and how many of them end soon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegacyCounts {
    /// Alive.
    pub alive: u64,
    /// Of these, end within thirty days.
    pub within_30_days: u64,
}

impl LegacyPeer {
    /// Whether it may come in now.
    pub(crate) fn lives(&self, now: SystemTime) -> bool {
        self.revoked.is_none() && now < SystemTime::from(self.expires)
    }

    /// Whether it is what calls from there.
    pub(crate) fn is_at(&self, address: IpAddr, now: SystemTime) -> bool {
        self.lives(now) && self.address == address.to_canonical()
    }

    /// Of the days at which it is told of, those that its end is within.
    fn nearest_warning(&self, now: SystemTime) -> Option<u64> {
        self.revoked.is_none().then(|| warning(self.expires.into(), now)).flatten()
    }
}

/// In words, for the trail and the log.
impl fmt::Display for LegacyPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} until {}", self.ae, self.address, rfc3339(self.expires.into()))
    }
}

impl Archive {
    /// Declares a device that may store in clear text, or replaces the declaration of that title.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a malformed title, an address that others than the private
    /// network could have, no end or one in more than 365 days, a scope that clears restrictions
    /// or goes by labels, and a title whose peer has a certificate: it needs no exception.
    pub async fn add_legacy_peer(&self, caller: &Caller, new: NewLegacyPeer) -> Result<LegacyPeer, Refused> {
        self.perform_change(caller, requests::AddLegacyPeer { new }, async |granted| {
            let peer = checked(granted.request().new.clone(), self.inner.clock.now())?;
            let enrolled = self.inner.registry.peer(&peer.ae);
            if enrolled.is_some_and(|peer| peer.revoked.is_none()) {
                return Err(Refused::Invalid(
                    "that title has a certificate: it stores over TLS, or is revoked first".into(),
                ));
            }
            Ok((Some(Change::LegacyPeerSet { peer: peer.clone() }), peer))
        })
        .await
    }

    /// Ends a declaration: its associations end, and nothing more is granted to it from now on.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none of that title.
    pub async fn revoke_legacy_peer(&self, caller: &Caller, ae: &AeTitle) -> Result<(), Refused> {
        self.perform_change(caller, requests::RevokeLegacyPeer { ae: ae.to_string() }, async |_| {
            let mut peer = self.inner.registry.legacy_peer(ae.as_str()).ok_or(Refused::NotFound)?;
            peer.revoked = Some(rfc3339(self.inner.clock.now()));
            Ok((Some(Change::LegacyPeerSet { peer }), ()))
        })
        .await
    }

    /// The declaration of a title that gets a certificate now, ended: it needs no exception.
    pub(super) fn exception_ended(&self, ae: &str) -> Option<LegacyPeer> {
        let declared = self.inner.registry.legacy_peer(ae).filter(|peer| peer.revoked.is_none())?;
        Some(LegacyPeer { revoked: Some(rfc3339(self.inner.clock.now())), ..declared })
    }

    /// Tells of a declaration that ended because its title got a certificate.
    pub(super) fn tell_exception_ended(&self, ended: Option<LegacyPeer>) {
        let Some(ended) = ended else { return };
        let said = format!("legacy peer {} has ended: its title has a certificate", ended.ae);
        self.alert(Alert::of(Event::NetworkConfigurationChanged).saying(said));
    }

    /// All legacy peers by title, those that are over too.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn legacy_peers(&self, caller: &Caller) -> Result<Vec<LegacyPeer>, Refused> {
        self.perform(caller, requests::ListPeers, async |_| Ok(self.inner.registry.legacy_peers())).await
    }

    /// How many legacy peers live: whether there is anybody to listen for. Says nothing of who,
    /// so nobody has to be known for it.
    pub fn legacy_counts(&self) -> LegacyCounts {
        let now = self.inner.clock.now();
        let living = self.inner.registry.legacy_peers().into_iter().filter(|peer| peer.lives(now));
        living.fold(LegacyCounts::default(), |counts, peer| LegacyCounts {
            alive: counts.alive + 1,
            within_30_days: counts.within_30_days + u64::from(peer.nearest_warning(now).is_some_and(|days| days <= 30)),
        })
    }

    /// Tells of legacy peers: each day, and when the archive is opened, that they live; and of
    /// each that ends in 60, 30, 7 days or has ended, once.
    pub(crate) fn tell_of_legacy_peers(&self, before: Option<SystemTime>, now: SystemTime) {
        let last = before.map(hour);
        if last == Some(hour(now)) {
            return;
        }
        let peers = self.inner.registry.legacy_peers();
        let at = |hour: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(hour * HOUR_S);
        for peer in &peers {
            let due = peer.nearest_warning(at(hour(now)));
            let is_news = last.is_none_or(|last| peer.nearest_warning(at(last)) != due);
            let said = match due.filter(|_| is_news) {
                None => continue,
                Some(0) => format!("legacy peer {} has ended", peer.ae),
                Some(days) => format!("legacy peer {} ends within {days} days", peer.ae),
            };
            self.alert(Alert::of(Event::NetworkConfigurationChanged).saying(said));
        }
        let living: Vec<String> = peers.iter().filter(|peer| peer.lives(now)).map(ToString::to_string).collect();
        if !living.is_empty() && last.is_none_or(|last| last / DAY_H < hour(now) / DAY_H) {
            let said = format!("may store in clear text, unauthenticated: {}", living.join("; "));
            self.alert(Alert::of(Event::NetworkConfigurationChanged).saying(said));
        }
    }
}

/// Whether only this machine or its private network can have that address: loopback, RFC 1918,
/// RFC 4193.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

fn checked(new: NewLegacyPeer, now: SystemTime) -> Result<LegacyPeer, Refused> {
    let invalid = |text: &str| Err(Refused::Invalid(text.to_owned()));
    let ae = AeTitle::parse(&new.ae).map_err(|error| Refused::Invalid(error.to_string()))?;
    if !is_private(new.address) {
        return invalid("a legacy peer has one private address (RFC 1918, RFC 4193) or loopback: not a public one");
    }
    if new.lifetime.is_zero() || new.lifetime > LONGEST {
        return invalid("a legacy peer is declared for at least a moment and at most 365 days");
    }
    let scope = checked_scope(new.scope)?;
    if !scope.cleared.is_empty() || !scope.labels.is_empty() {
        return invalid("a legacy peer stores new instances: restrictions and labels are no limits for it");
    }
    let text = |text: Option<String>| text.map(|text| checked_name(&text)).transpose();
    Ok(LegacyPeer {
        ae: ae.to_string(),
        address: new.address.to_canonical(),
        expires: OffsetDateTime::from(now + new.lifetime),
        scope,
        label: text(new.label)?,
        contact: text(new.contact)?,
        revoked: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(address: &str, days: u64) -> NewLegacyPeer {
        NewLegacyPeer {
            ae: "US1".into(),
            address: address.parse().unwrap(),
            lifetime: Duration::from_secs(days * 86_400),
            scope: Scope::everything(),
            label: None,
            contact: None,
        }
    }

    #[test]
    fn what_others_could_have_or_has_no_end_is_refused() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        for address in ["10.0.0.7", "172.16.0.1", "192.168.255.254", "127.0.0.1", "fd00::1", "::1", "::ffff:10.0.0.7"] {
            assert!(checked(new(address, 365), now).is_ok(), "{address}");
        }
        for address in [
            "0.0.0.0",
            "::",
            "8.8.8.8",
            "172.32.0.1",
            "100.64.0.1",
            "169.254.1.1",
            "fe80::1",
            "2001:db8::1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::ffff:8.8.8.8",
        ] {
            assert!(checked(new(address, 1), now).is_err(), "{address}");
        }
        assert!(checked(new("10.0.0.7", 0), now).is_err() && checked(new("10.0.0.7", 366), now).is_err());
        assert!(checked(NewLegacyPeer { ae: "a\\b".into(), ..new("10.0.0.7", 1) }, now).is_err());
        let labels = Scope { labels: vec!["trial".into()], ..Scope::default() };
        assert!(checked(NewLegacyPeer { scope: labels, ..new("10.0.0.7", 1) }, now).is_err());
    }

    #[test]
    fn it_is_where_it_was_declared_and_no_longer_than_that() {
        let at = |day: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        let peer = checked(new("10.0.0.7", 100), at(0)).unwrap();
        let here: IpAddr = "10.0.0.7".parse().unwrap();
        assert!(peer.is_at(here, at(99)) && peer.is_at("::ffff:10.0.0.7".parse().unwrap(), at(0)));
        assert!(!peer.is_at("10.0.0.8".parse().unwrap(), at(0)) && !peer.is_at(here, at(100)));
        assert!(!LegacyPeer { revoked: Some(String::new()), ..peer.clone() }.is_at(here, at(0)));
        let warnings: Vec<_> = [39, 40, 70, 93, 100].map(|day| peer.nearest_warning(at(day))).into();
        assert_eq!(warnings, [None, Some(60), Some(30), Some(7), Some(0)]);
    }
}
