//! What a scope comes to: addresses and ports, counted, in a fixed order.

use std::net::IpAddr;

use super::range::RangeSet;
use super::{Asset, Scope};

/// Ports that are looked at where an asset names none: DICOM as registered and as met, and web.
pub const DEFAULT_PORTS: [u16; 11] = [80, 104, 443, 2345, 2761, 2762, 4242, 8042, 8080, 8443, 11112];

/// The addresses to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Those written one by one, which count as checked even when they do not answer.
    pub listed: RangeSet,
    /// All of them, listed ones too; excluded ones and public ones that nobody owns are cut out.
    pub all: RangeSet,
}

impl Scope {
    /// The addresses to go to. Names are not among them: see [`Scope::resolve`].
    pub fn targets(&self) -> Targets {
        let owned = self.assets.iter().filter(|asset| asset.public_owned);
        let owned = owned.fold(super::range::not_public().clone(), |owned, asset| owned.union(&asset.addresses));
        let all = self.assets.iter().fold(RangeSet::default(), |all, asset| all.union(&asset.addresses));
        let listed = self.assets.iter().fold(RangeSet::default(), |all, asset| all.union(&asset.listed));
        let allowed = |set: RangeSet| set.without(&self.excluded).within(&owned);
        Targets { listed: allowed(listed), all: allowed(all) }
    }

    /// The ports to look at for an asset, ascending.
    pub fn ports_of<'a>(&self, asset: &'a Asset) -> &'a [u16] {
        if asset.ports.is_empty() { &DEFAULT_PORTS } else { &asset.ports }
    }

    /// Whether the owner wrote this address down by itself.
    pub fn lists(&self, address: IpAddr) -> bool {
        self.assets.iter().any(|asset| asset.listed.contains(address))
    }
}
