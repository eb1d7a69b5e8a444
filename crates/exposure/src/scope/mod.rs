//! What may be looked at, by whose word, when, how deep.
//!
//! A scope comes from a file that its owner wrote, never from the command line. Everything
//! else asks it: [`Scope::permits`] at every connect, after name resolution.
//! Deliberately absent: any way to widen it while a run goes on.

mod address;
mod draft;
pub mod faults;
mod file;
pub mod link;
pub mod range;
pub mod resolve;
mod section;
pub mod summary;
pub mod target;
mod template;
mod trusted;
mod when;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use leadglass_dicom::AeTitle;
use serde::{Deserialize, Serialize};

use crate::catalogue::Depth;
use crate::probe::network::Service;
use crate::signature::PublicKey;
pub use faults::{Fault, ScopeFaults};
pub use file::FORMAT;
use range::RangeSet;
pub use resolve::{Lookup, Resolved, SystemLookup};
pub use summary::Summary;
pub use target::{DEFAULT_PORTS, Targets};
pub use template::template;

/// What may be looked at.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Whose systems they are.
    pub owner: String,
    /// Who authorised the audit.
    pub authorised_by: String,
    /// Where the authorisation can be looked up: a ticket, a letter.
    pub reference: String,
    /// From when to when it holds.
    pub validity: Validity,
    /// Hours in which connections may be made; none given means any.
    pub windows: Vec<Window>,
    /// Where the audit stands.
    pub vantage: Vantage,
    /// Whom to call.
    pub contacts: Vec<String>,
    /// The deepest look anywhere.
    pub depth: Depth,
    /// Why it goes as deep as counts or credential tries, when it does.
    pub depth_reason: Option<String>,
    /// Whether the firewalls between are told to let the audit pass without keeping state:
    /// lifts the ceiling of 2,000 connects a second.
    pub firewall_exempt: bool,
    /// The credential tries, when the owner opted in.
    pub credentials: Option<CredentialOptIn>,
    /// How fast.
    pub pace: Pace,
    /// What there is.
    pub assets: Vec<Asset>,
    /// Addresses that are never touched.
    pub excluded: RangeSet,
    /// Paths that are never entered.
    pub excluded_paths: Vec<PathBuf>,
    /// SHA-256 of certificates (DER) or their public keys that the owner issued or trusts.
    pub trusted_keys: Vec<[u8; 32]>,
    /// Who signed the file, when a signature was beside it and holds.
    pub signed_by: Option<PublicKey>,
    /// SHA-256 of the file, in every report.
    pub sha256: [u8; 32],
}

/// From when to when, seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: i64,
    /// The first second after.
    pub until: i64,
}

/// How fast a run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Connects a second, all hosts together.
    pub rate_per_second: u32,
    /// Pause between two connections to the same host.
    pub spacing: Duration,
    /// The same for modalities: never under a second in a scope file.
    pub modality_spacing: Duration,
    /// Hosts that are looked at side by side.
    pub hosts_at_once: usize,
}

/// Hours of the week in which connections may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Monday is bit 0: the day on which the window begins.
    pub days: u8,
    /// Minutes after midnight.
    pub from_minute: u16,
    /// Minutes after midnight; before `from_minute` means on the next day.
    pub until_minute: u16,
    /// Offset of the clock on the wall from UTC, in minutes.
    pub utc_offset_minutes: i16,
}

/// Where the audit stands in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vantage {
    /// Outside.
    Internet,
    /// Among workstations.
    UserVlan,
    /// Among servers.
    ServerVlan,
    /// Among modalities.
    ImagingVlan,
    /// On the host itself.
    Host,
}

/// What an asset is; decides how gently it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssetClass {
    /// An archive or another server.
    Server,
    /// A modality, or anything else beside a patient: the gentlest look.
    Modality,
    /// A web portal or viewer.
    Portal,
    /// A file server.
    Share,
    /// A network of which it is not known what is in it.
    Network,
}

/// What the owner said of one asset or group of like assets.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The owner's name for it: stands in reports instead of the address.
    pub label: String,
    /// What it is.
    pub class: AssetClass,
    /// Its addresses and ranges.
    pub addresses: RangeSet,
    /// Those of them that are written one by one.
    pub listed: RangeSet,
    /// Names, resolved at the time; what they resolve to must lie in some asset's `addresses`.
    pub hosts: Vec<String>,
    /// Ports to look at; none given means the defaults.
    pub ports: Vec<u16>,
    /// Ports that are meant to be open as seen from this vantage.
    pub expected_ports: Vec<u16>,
    /// Which service is on a port where it is not usual; sorted by port.
    pub services: Vec<(u16, Service)>,
    /// SMB shares to try in a session of nobody or of Guest (N-07), by name.
    pub shares: Vec<String>,
    /// Base URLs of DICOMweb services and portals, links and listings to look at.
    pub urls: Vec<String>,
    /// A share link that should have expired (W-12).
    pub share_links: Vec<String>,
    /// Folders to walk.
    pub paths: Vec<PathBuf>,
    /// Its AE Title.
    pub called_ae: Option<AeTitle>,
    /// An AE Title that it knows, when the owner lets the audit try it from its own address (D-04).
    pub known_calling_ae: Option<AeTitle>,
    /// No deeper than this; never deeper than the scope.
    pub depth: Option<Depth>,
    /// Whether public addresses in it are declared as the owner's.
    pub public_owned: bool,
    /// Whether it sits in a segment of its own, which makes clear text less bad (D-01).
    pub dedicated_vlan: bool,
    /// Whether TLS names must match this.
    pub tls_name: Option<String>,
    /// Whether it tells the owner that its trail saw the audit (M-01); none while not answered.
    pub trail_saw_us: Option<bool>,
    /// Site, region, country.
    pub labels: Labels,
}

/// Where an asset is, as the owner writes it, for the fleet view.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Region or state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
}

/// The two credential tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialOptIn {
    /// one log-in with a blank name and password.
    pub try_blank: bool,
    /// the one default pair of the recognised product.
    pub try_default: bool,
    /// After how many failures the targets lock an account, as the owner says.
    pub lockout: u8,
}

/// Why a scope does not hold at an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHolding {
    /// The authorisation begins later.
    #[error("the authorisation does not hold yet; wait, or have valid_from changed by who authorised it")]
    NotYet,
    /// The authorisation is over.
    #[error("the authorisation has expired; have it given anew, and write the new valid_until")]
    Expired,
    /// The authorisation holds, but not at this hour.
    #[error("no [[window]] is open at this hour; wait for the next")]
    OutsideWindow,
}

/// Why a connection may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// The address is in no asset.
    #[error("the address is in no asset of the scope")]
    OutOfScope,
    /// The address is excluded.
    #[error("the address is excluded by the scope")]
    Excluded,
    /// A public address that is not declared as owned.
    #[error("the address is public and not declared as owned")]
    PublicNotOwned,
    /// The authorisation does not hold now.
    #[error("the authorisation does not hold at this hour")]
    NotValid,
    /// Outside of the agreed hours.
    #[error("outside of the agreed hours")]
    OutsideWindow,
}

impl Scope {
    /// Whether this address may be connected to at this second (since 1970), and as which asset.
    /// When several assets hold the address, the one with the smallest range speaks for it.
    pub fn permits(&self, address: IpAddr, now: i64) -> Result<&Asset, NotPermitted> {
        self.holds_at(now).map_err(|not_holding| match not_holding {
            NotHolding::NotYet | NotHolding::Expired => NotPermitted::NotValid,
            NotHolding::OutsideWindow => NotPermitted::OutsideWindow,
        })?;
        self.speaks_for(address)
    }

    /// Whether the scope holds at this second (since 1970).
    pub fn holds_at(&self, now: i64) -> Result<(), NotHolding> {
        if now < self.validity.from {
            return Err(NotHolding::NotYet);
        }
        if now >= self.validity.until {
            return Err(NotHolding::Expired);
        }
        if !self.windows.is_empty() && !self.windows.iter().any(|window| window.holds(now)) {
            return Err(NotHolding::OutsideWindow);
        }
        Ok(())
    }

    /// Whether this address is one to look at, at whatever hour, and as which asset. To connect,
    /// ask [`Scope::permits`].
    pub fn speaks_for(&self, address: IpAddr) -> Result<&Asset, NotPermitted> {
        if self.excluded.contains(address) {
            return Err(NotPermitted::Excluded);
        }
        let asset = self.asset_of(address).ok_or(NotPermitted::OutOfScope)?;
        if range::is_public(address) && !asset.public_owned {
            return Err(NotPermitted::PublicNotOwned);
        }
        Ok(asset)
    }

    /// The asset that speaks for an address.
    pub fn asset_of(&self, address: IpAddr) -> Option<&Asset> {
        let holding = self.assets.iter().filter_map(|asset| Some((asset.addresses.width_around(address)?, asset)));
        holding.min_by_key(|(width, _)| *width).map(|(_, asset)| asset)
    }

    /// How deep an asset may be looked at: modalities 1 and others 2 unless the owner says
    /// otherwise, never deeper than the scope.
    pub fn depth_of(&self, asset: &Asset) -> Depth {
        let usual = if asset.class == AssetClass::Modality { Depth::Handshake } else { self.depth };
        asset.depth.unwrap_or(usual).min(self.depth)
    }

    /// The pause between two connections to a host of an asset.
    pub fn spacing_of(&self, asset: &Asset) -> Duration {
        if asset.class == AssetClass::Modality { self.pace.modality_spacing } else { self.pace.spacing }
    }
}

impl Pace {
    /// A pace at which modalities are never asked more than once a second.
    pub fn new(rate_per_second: u32, spacing: Duration, hosts_at_once: usize) -> Pace {
        let modality_spacing = spacing.max(Duration::from_secs(1));
        Pace { rate_per_second, spacing, modality_spacing, hosts_at_once }
    }
}

impl Default for Pace {
    fn default() -> Pace {
        Pace::new(200, Duration::from_secs(1), 50)
    }
}

impl Window {
    /// Whether the window is open at this second.
    pub fn holds(&self, now: i64) -> bool {
        let local = now + i64::from(self.utc_offset_minutes) * 60;
        let minute = (local.rem_euclid(86_400) / 60) as u16;
        // 1970-01-01 was a Thursday: day 3 when Monday is 0.
        let today = (local.div_euclid(86_400) + 3).rem_euclid(7) as u8;
        let begins = |day: u8| self.days & (1 << day) != 0;
        if self.from_minute < self.until_minute {
            return begins(today) && (self.from_minute..self.until_minute).contains(&minute);
        }
        let yesterday = (today + 6) % 7;
        (begins(today) && minute >= self.from_minute) || (begins(yesterday) && minute < self.until_minute)
    }
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
