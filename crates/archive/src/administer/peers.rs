//! DICOM peers: certificate, title, verbs, scope.
//!
//! A peer holds one certificate, and for a while after a renewal the one before it too.
//! Deliberately absent: certificates themselves; they are known by their SHA-256, and whether
//! one is fit to be shown at all is the TLS layer's matter.

use std::time::{Duration, SystemTime};

use leadglass_dicom::AeTitle;
use time::OffsetDateTime;

use super::{checked_name, checked_scope, rfc3339};
use crate::access::decide::Request;
use crate::access::{Scope, requests};
use crate::change::Change;
use crate::trail::{Alert, Event};
use crate::{Archive, Caller, Refused};

/// How long the certificate before a renewed one is still good.
const OVERLAP: Duration = Duration::from_secs(14 * 24 * 3600);
/// Earlier certificates that are remembered.
const EARLIER: usize = 8;

/// Days before a certificate's end at which it is told of.
const WARNINGS: [u64; 4] = [0, 7, 30, 60];
/// Seconds between looks.
pub(super) const HOUR_S: u64 = 3600;

/// How many living peers have a certificate that ends soon, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateEnds {
    /// Over.
    pub expired: u64,
    /// Within a week.
    pub within_7_days: u64,
    /// Within thirty days, and no week.
    pub within_30_days: u64,
    /// Within sixty days, and not thirty.
    pub within_60_days: u64,
}

/// What a peer may do, each off unless named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// C-STORE.
    Store,
    /// C-FIND.
    Find,
    /// C-MOVE, C-GET.
    Retrieve,
    /// Storage commitment.
    Commit,
}

/// A DICOM peer: certificate, title, verbs, and where it listens when it does. The default is
/// no peer: it has neither title nor certificate, and reaches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Peer {
    /// Its AE title.
    pub ae: String,
    /// SHA-256 of its certificate (DER), lower-case hex.
    pub certificate_sha256: String,
    /// When its certificate ends, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub expires: Option<OffsetDateTime>,
    /// Certificates it had before, newest first; good until the time beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierCertificate>,
    /// What it may do.
    pub verbs: Vec<Verb>,
    /// With which instances: it stores no other, and finds no other.
    #[serde(default = "Scope::everything", skip_serializing_if = "Scope::is_implied")]
    pub scope: Scope,
    /// `host:port` for C-MOVE and commitment reports, when it has one.
    pub address: Option<String>,
    /// Department or place, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whom to call about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// When it was revoked, RFC 3339.
    pub revoked: Option<String>,
}

/// A certificate a peer had before.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EarlierCertificate {
    /// SHA-256 of the certificate (DER), lower-case hex.
    pub sha256: String,
    /// Until when it is good.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

/// A certificate made for a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// SHA-256 of the certificate (DER), lower-case hex.
    pub sha256: String,
    /// When it ends.
    pub expires: SystemTime,
}

/// What the archive knows of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A peer's, good now.
    Enrolled,
    /// It was a peer's: revoked, replaced or expired.
    Retired,
    /// Nobody's.
    Unknown,
}

impl Peer {
    /// Whether that certificate is good for it now.
    pub(crate) fn is_shown_by(&self, certificate_sha256: &str, now: SystemTime) -> bool {
        let lives = |until: OffsetDateTime| now < SystemTime::from(until);
        let current = self.certificate_sha256 == certificate_sha256 && self.expires.is_none_or(lives);
        let earlier = |earlier: &EarlierCertificate| earlier.sha256 == certificate_sha256 && lives(earlier.until);
        self.revoked.is_none() && (current || self.earlier.iter().any(earlier))
    }

    /// Of the days at which it is told of, those that the end of its certificate is within.
    fn nearest_warning(&self, now: SystemTime) -> Option<u64> {
        let end = self.expires.filter(|_| self.revoked.is_none()).map(SystemTime::from)?;
        warning(end, now)
    }

    /// Whether it has or had that certificate.
    pub(crate) fn names(&self, certificate_sha256: &str) -> bool {
        let earlier = |earlier: &EarlierCertificate| earlier.sha256 == certificate_sha256;
        self.certificate_sha256 == certificate_sha256 || self.earlier.iter().any(earlier)
    }

    /// The certificates that this one, from now on a peer's, follows; the last one is good for
    /// `overlap` more.
    fn following(&self, new_sha256: &str, now: SystemTime, overlap: Duration) -> Vec<EarlierCertificate> {
        let mut until = OffsetDateTime::from(now + overlap);
        until = self.expires.map_or(until, |expires| until.min(expires));
        if self.revoked.is_some() {
            until = OffsetDateTime::from(now);
        }
        let last = EarlierCertificate { sha256: self.certificate_sha256.clone(), until };
        let cut = |earlier: &EarlierCertificate| EarlierCertificate {
            until: if overlap.is_zero() { earlier.until.min(until) } else { earlier.until },
            ..earlier.clone()
        };
        let all = std::iter::once(last).chain(self.earlier.iter().map(cut));
        all.filter(|earlier| earlier.sha256 != new_sha256).take(EARLIER).collect()
    }
}

impl Archive {
    /// Adds a peer, or replaces certificate, verbs, scope and address of one by that title;
    /// what certificate it had is no longer good. A legacy peer of that title ends.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for a malformed title, digest, address or text.
    pub async fn add_peer(&self, caller: &Caller, peer: Peer) -> Result<(), Refused> {
        self.perform_change(caller, requests::AddPeer { peer }, async |granted| {
            let certified = granted.request().peer.clone();
            let peer = self.replacing(checked_terms(certified)?)?;
            let legacy = self.exception_ended(&peer.ae);
            Ok((Some(Change::PeerAdded { peer, legacy: legacy.clone() }), legacy))
        })
        .await
        .map(|legacy| self.tell_exception_ended(legacy))
    }

    /// Whether the caller may add that peer: asked before a certificate is made for it. That they
    /// may not is recorded as if they had tried.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`].
    pub async fn check_add_peer(&self, caller: &Caller, peer: Peer) -> Result<(), Refused> {
        let request = requests::AddPeer { peer };
        let subject = request.subject();
        self.decided(caller, request, &subject).await.map(drop)
    }

    /// Revokes a peer: whoever asks [`Archive::is_current`] of its associations ends them,
    /// and nothing more is granted to them from now on.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none of that title.
    pub async fn revoke_peer(&self, caller: &Caller, ae: &AeTitle) -> Result<(), Refused> {
        self.perform_change(caller, requests::RevokePeer { ae: ae.to_string() }, async |_| {
            let mut peer = self.inner.registry.peer(ae.as_str()).ok_or(Refused::NotFound)?;
            peer.revoked = Some(rfc3339(self.inner.clock.now()));
            Ok((Some(Change::PeerRevoked { peer }), ()))
        })
        .await
    }

    /// All peers by title, revoked ones too.
    ///
    /// # Errors
    /// Only those of every operation: not allowed, or no trail.
    pub async fn peers(&self, caller: &Caller) -> Result<Vec<Peer>, Refused> {
        self.perform(caller, requests::ListPeers, async |_| Ok(self.inner.registry.peers())).await
    }

    /// Where that peer listens, for C-MOVE and reports. Only for a caller that may retrieve.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when it is unknown, revoked or listens nowhere.
    pub async fn destination(&self, caller: &Caller, ae: &AeTitle) -> Result<Peer, Refused> {
        self.perform(caller, requests::FindDestination { ae: ae.to_string() }, async |_| {
            let peer = self.inner.registry.peer(ae.as_str());
            peer.filter(|peer| peer.revoked.is_none() && peer.address.is_some()).ok_or(Refused::NotFound)
        })
        .await
    }

    /// A new certificate for the peer that asks, with the one it has: `sign` makes it once the
    /// peer is known and may have one. The old one stays good for two weeks, or as long as it
    /// lives when that is less. Other titles with the same certificate get the new one too.
    ///
    /// # Errors
    /// [`Refused::NotAllowed`] for whoever is no peer, and what `sign` refuses.
    pub async fn renew_peer(
        &self,
        caller: &Caller,
        sign: impl AsyncFnOnce(&AeTitle) -> Result<Certified, Refused>,
    ) -> Result<Peer, Refused> {
        let ae = caller.ae_title().unwrap_or_default().to_owned();
        self.perform_change(caller, requests::RenewPeer { ae }, async |granted| {
            let (now, shown) = (self.inner.clock.now(), caller.certificate_sha256().unwrap_or_default());
            let sharing = self.inner.registry.peers().into_iter().filter(|peer| peer.is_shown_by(shown, now));
            let ae = AeTitle::parse(&granted.request().ae).map_err(|_| Refused::NotAllowed)?;
            let Certified { sha256, expires } = sign(&ae).await?;
            let renewed = |peer: Peer| Peer {
                earlier: peer.following(&sha256, now, OVERLAP),
                certificate_sha256: sha256.clone(),
                expires: Some(expires.into()),
                ..peer
            };
            let peers: Vec<Peer> = sharing.map(renewed).collect();
            let peer = peers.iter().find(|peer| peer.ae == granted.request().ae).cloned();
            Ok((Some(Change::PeersRenewed { peers }), peer.ok_or(Refused::NotAllowed)?))
        })
        .await
    }

    /// Tells of each living peer whose certificate ends in 60, 30, 7 days or has: once each, and
    /// all that are due when the archive was just opened.
    pub(crate) fn tell_certificates_ending(&self, before: Option<SystemTime>, now: SystemTime) {
        let last = before.map(hour);
        if last == Some(hour(now)) {
            return;
        }
        let at = |hour: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(hour * HOUR_S);
        for peer in self.inner.registry.peers() {
            let due = peer.nearest_warning(at(hour(now)));
            let Some(days) = due.filter(|_| last.is_none_or(|last| peer.nearest_warning(at(last)) != due)) else {
                continue;
            };
            let said = match days {
                0 => format!("the certificate of peer {} has ended", peer.ae),
                days => format!("the certificate of peer {} ends within {days} days", peer.ae),
            };
            self.alert(Alert::of(Event::NetworkConfigurationChanged).saying(said));
        }
    }

    /// How many certificates end soon.
    pub(crate) fn certificate_ends(&self) -> CertificateEnds {
        let now = self.inner.clock.now();
        let mut ends = CertificateEnds::default();
        for peer in self.inner.registry.peers() {
            match peer.nearest_warning(now) {
                Some(0) => ends.expired += 1,
                Some(7) => ends.within_7_days += 1,
                Some(30) => ends.within_30_days += 1,
                Some(_) => ends.within_60_days += 1,
                None => {}
            }
        }
        ends
    }

    /// Whether that caller would still be authenticated: not revoked, not expired.
    pub fn is_current(&self, caller: &Caller) -> bool {
        self.inner.registry.is_current(caller, self.inner.clock.now())
    }

    /// What is known of the certificate of that SHA-256 (lower-case hex). For TLS to believe
    /// pinned certificates and to refuse those that are good no longer; grants nothing.
    pub fn standing(&self, certificate_sha256: &str) -> Standing {
        self.inner.registry.standing(certificate_sha256, self.inner.clock.now())
    }

    /// The peer as kept: what certificates it had are remembered as good no longer.
    pub(crate) fn replacing(&self, peer: Peer) -> Result<Peer, Refused> {
        let certificate_sha256 = peer.certificate_sha256.to_ascii_lowercase();
        if !hex::decode(&certificate_sha256).is_ok_and(|digest| digest.len() == 32) {
            return Err(Refused::Invalid("certificate_sha256 has 64 hexadecimal digits".into()));
        }
        let before = self.inner.registry.peer(&peer.ae);
        let earlier =
            before.map(|before| before.following(&certificate_sha256, self.inner.clock.now(), Duration::ZERO));
        Ok(Peer { certificate_sha256, earlier: earlier.unwrap_or_default(), ..peer })
    }
}

/// Of the days before an end at which it is told of, the fewest that it is within.
pub(super) fn warning(end: SystemTime, now: SystemTime) -> Option<u64> {
    let within = |days: &u64| now + Duration::from_secs(days * 24 * HOUR_S) >= end;
    WARNINGS.into_iter().find(within)
}

/// Whole hours since 1970.
pub(super) fn hour(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |at| at.as_secs() / HOUR_S)
}

/// Title, verbs, scope, address and texts as kept; of the certificate nothing is checked.
pub(crate) fn checked_terms(peer: Peer) -> Result<Peer, Refused> {
    let ae = AeTitle::parse(&peer.ae).map_err(|error| Refused::Invalid(error.to_string()))?;
    let address = peer.address.map(|address| checked_address(&address)).transpose()?;
    let text = |text: Option<String>| text.map(|text| checked_name(&text)).transpose();
    let mut verbs = peer.verbs;
    verbs.sort_unstable();
    verbs.dedup();
    Ok(Peer {
        ae: ae.to_string(),
        certificate_sha256: peer.certificate_sha256,
        expires: peer.expires,
        earlier: Vec::new(),
        verbs,
        scope: checked_scope(peer.scope)?,
        address,
        label: text(peer.label)?,
        contact: text(peer.contact)?,
        revoked: None,
    })
}

fn checked_address(address: &str) -> Result<String, Refused> {
    let malformed = || Refused::Invalid("an address is host:port".into());
    let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
    let host_is_plain = (1..=255).contains(&host.len())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'));
    match port.parse::<u16>() {
        Ok(1..) if host_is_plain => Ok(address.to_owned()),
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_addresses_are_refused() {
        for address in ["", "host", "host:", "host:0", "host:70000", "a b:1", "\u{1b}[31m:1", "x\n:1"] {
            assert!(checked_address(address).is_err(), "{address:?}");
        }
        assert!(checked_address("[::1]:104").is_ok());
    }

    #[test]
    fn a_certificate_s_end_has_its_warnings() {
        let at = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400);
        let peer = Peer { expires: Some(at(100).into()), ..Peer::default() };
        let warnings: Vec<_> = [39, 40, 69, 70, 92, 93, 99, 100].map(|day| peer.nearest_warning(at(day))).into();
        let due = [None, Some(60), Some(60), Some(30), Some(30), Some(7), Some(7), Some(0)];
        assert_eq!(warnings, due);
        assert_eq!(Peer { revoked: Some(String::new()), ..peer }.nearest_warning(at(100)), None);
    }

    #[test]
    fn an_old_certificate_is_good_for_its_overlap_and_no_longer_than_it_lives() {
        let at = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400);
        let peer = Peer { certificate_sha256: "a".into(), expires: Some(at(10).into()), ..Peer::default() };
        let renewed = Peer {
            certificate_sha256: "b".into(),
            expires: Some(at(400).into()),
            earlier: peer.following("b", at(5), OVERLAP),
            ..peer.clone()
        };
        assert!(renewed.is_shown_by("a", at(9)) && renewed.is_shown_by("b", at(9)));
        assert!(!renewed.is_shown_by("a", at(10)), "it has expired itself");
        let replaced =
            Peer { certificate_sha256: "c".into(), earlier: renewed.following("c", at(6), Duration::ZERO), ..renewed };
        assert!(!replaced.is_shown_by("a", at(6)) && !replaced.is_shown_by("b", at(6)) && replaced.names("b"));
        let revoked = Peer { revoked: Some(String::new()), ..peer.clone() };
        assert!(peer.is_shown_by("a", at(9)) && !revoked.is_shown_by("a", at(9)) && revoked.names("a"));
    }
}
