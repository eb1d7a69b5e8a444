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
        let owned = self.assets.iter().filter(|asset| asset.public_owned).flat_map(|asset| asset.addresses.ranges());
        let owned = RangeSet::new(owned.chain(super::range::not_public().ranges()));
        let all = RangeSet::new(self.assets.iter().flat_map(|asset| asset.addresses.ranges()));
        let listed = RangeSet::new(self.assets.iter().flat_map(|asset| asset.listed.ranges()));
        let allowed = |set: RangeSet| set.without(&self.excluded).within(&owned);
        Targets { listed: allowed(listed), all: allowed(all) }
    }

    /// The addresses to go to, each asset's share: what it speaks for (see [`Scope::asset_of`]).
    pub fn share_of_assets(&self) -> Vec<(&Asset, u128)> {
        let mut shares: Vec<(&Asset, u128)> = self.assets.iter().map(|asset| (asset, 0)).collect();
        for (first, count) in self.targets().all.pieces(self.assets.iter().map(|asset| &asset.addresses)) {
            let speaks = self.asset_of(first);
            let share = shares.iter_mut().find(|(asset, _)| speaks.is_some_and(|speaks| std::ptr::eq(*asset, speaks)));
            if let Some((_, sum)) = share {
                *sum = sum.saturating_add(count);
            }
        }
        shares
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
