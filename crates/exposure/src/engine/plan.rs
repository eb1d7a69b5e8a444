//! What a scope asks for, as numbers: which host stands behind an index, and which ports it has.
//!
//! Excludes are cut out and overlapping assets told apart once, here; a sweep then finds the
//! host of an index by one search among the ranges. Deliberately absent: a list of hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::order::{Order, Shard};
use crate::catalogue::Depth;
use crate::scope::{Asset, AssetClass, Scope};

/// Most hosts of a sweep without a flag: a /16.
pub const USUAL_HOSTS: u64 = 1 << 16;
/// Most hosts of any sweep: a /8 beside the other private ranges.
pub const MOST_HOSTS: u64 = 1 << 25;

/// Most modalities of ranges in one sweep: each is met by itself, slowly.
const MOST_MODALITIES: u64 = 1 << 16;

/// Why a scope cannot be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// More than a /16.
    #[error("the scope holds {hosts} addresses; sweeping more than {USUAL_HOSTS} needs --allow-large")]
    Large {
        /// Addresses in the scope.
        hosts: u64,
    },
    /// More than can be swept at all.
    #[error("the scope holds more than {MOST_HOSTS} addresses: narrow it, or import what another tool found")]
    TooLarge,
    /// More modalities than can be met one by one.
    #[error("the scope's ranges hold more than {MOST_MODALITIES} modalities, which are never swept: narrow them")]
    TooManyModalities,
    /// No port to look at.
    #[error("there is no port to look at")]
    NoPorts,
}

/// What a scope asks for.
#[derive(Clone, Debug)]
pub struct Plan {
    scope: Arc<Scope>,
    segments: Vec<Segment>,
    /// Of each asset.
    ports: Vec<Vec<u16>>,
    hosts: u64,
    order: Order,
    swept: bool,
}

/// Where an index leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// Addresses in a row that belong to one asset.
#[derive(Clone, Copy, Debug)]
struct Segment {
    low: u128,
    count: u64,
    /// How many hosts come before it.
    before: u64,
    asset: usize,
    /// Not swept: a modality is met with its first message, or nothing is sent there.
    spared: bool,
    /// Each address was written down by itself.
    listed: bool,
    /// Of a range, and looked at in place of being swept.
    met: bool,
}

impl Plan {
    /// Plans a scope; `ports` are those of assets that name none.
    pub fn new(
        scope: Arc<Scope>,
        ports: &[u16],
        seed: u64,
        shard: Shard,
        sweep: bool,
        allow_large: bool,
    ) -> Result<Plan, PlanError> {
        let mut segments = segments(&scope);
        let mut hosts: u64 = 0;
        for segment in &mut segments {
            segment.before = hosts;
            hosts = hosts.saturating_add(segment.count);
        }
        if sweep && hosts > MOST_HOSTS {
            return Err(PlanError::TooLarge);
        }
        if sweep && hosts > USUAL_HOSTS && !allow_large {
            return Err(PlanError::Large { hosts });
        }
        let met = segments.iter().filter(|segment| segment.met);
        if sweep && met.fold(0_u64, |sum, segment| sum.saturating_add(segment.count)) > MOST_MODALITIES {
            return Err(PlanError::TooManyModalities);
        }
        let of_asset = |asset: &Asset| unique(if asset.ports.is_empty() { ports } else { &asset.ports });
        let ports: Vec<_> = scope.assets.iter().map(of_asset).collect();
        if hosts > 0 && ports.iter().all(Vec::is_empty) {
            return Err(PlanError::NoPorts);
        }
        let passes = segments.iter().filter(|segment| !segment.spared).map(|segment| ports[segment.asset].len());
        let passes = if sweep { passes.max().unwrap_or(0) } else { 0 };
        let order = Order::new(hosts, passes as u32, seed, shard);
        Ok(Plan { scope, segments, ports, hosts, order, swept: sweep })
    }

    /// How many indices the sweep has; some lead nowhere, where an asset has fewer ports than another.
    pub fn indices(&self) -> u64 {
        self.order.len()
    }

    /// Where an index below [`Plan::indices`] leads.
    pub fn target(&self, index: u64) -> Option<Target> {
        let (host, pass) = self.order.at(index);
        let segment = self.segment(host)?;
        if segment.spared {
            return None;
        }
        let port = *self.ports[segment.asset].get(pass as usize)?;
        Some(Target { address: address(segment.low + u128::from(host - segment.before)), port })
    }

    /// How many of the indices lead somewhere.
    pub fn probes(&self) -> u64 {
        if !self.swept || self.hosts == 0 {
            return 0;
        }
        let of_segment = |segment: &Segment| if segment.spared { 0 } else { self.ports[segment.asset].len() as u64 };
        let mut widths = self.segments.iter().map(of_segment);
        if let Some(first) = widths.next()
            && widths.all(|width| width == first)
        {
            return self.order.hosts() * first;
        }
        let first_pass = (0..self.order.hosts()).filter_map(|index| self.segment(self.order.at(index).0));
        first_pass.map(of_segment).sum()
    }

    /// Whether an address is in the scope and this shard's to look at.
    pub fn takes(&self, address: IpAddr) -> bool {
        self.host(address).is_some_and(|host| self.order.takes(host))
    }

    /// The addresses of this shard that are looked at whatever a sweep finds: those that were
    /// written down one by one, and modalities of ranges, to which a sweep says nothing.
    pub fn listed(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let listed = self.segments.iter().filter(|segment| segment.listed || (segment.met && self.swept));
        let all = listed.flat_map(|segment| (0..segment.count).map(move |at| (segment.before + at, segment, at)));
        let ours = all.filter(|(host, ..)| self.order.takes(*host));
        ours.map(|(_, segment, at)| address(segment.low + u128::from(at)))
    }

    /// Where a host stands in the order of the run.
    pub fn position(&self, address: IpAddr) -> Option<u64> {
        self.host(address).map(|host| self.order.position(host))
    }

    /// Whether the sweep covers a port of an address.
    pub fn sweeps(&self, address: IpAddr, port: u16) -> bool {
        let segment = self.host(address).and_then(|host| self.segment(host));
        self.swept && segment.is_some_and(|found| !found.spared && self.ports[found.asset].contains(&port))
    }

    /// The ports of an asset, by its place in the scope.
    pub fn ports_of(&self, asset: usize) -> &[u16] {
        self.ports.get(asset).map_or(&[], Vec::as_slice)
    }

    /// The asset that speaks for an address, and its place in the scope.
    pub fn asset_of(&self, address: IpAddr) -> Option<(usize, &Asset)> {
        let segment = self.segment(self.host(address)?)?;
        Some((segment.asset, self.scope.assets.get(segment.asset)?))
    }

    /// The scope.
    pub fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    fn segment(&self, host: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.before <= host);
        self.segments.get(after.checked_sub(1)?).filter(|segment| host - segment.before < segment.count)
    }

    fn host(&self, address: IpAddr) -> Option<u64> {
        let number = number(address);
        let after = self.segments.partition_point(|segment| segment.low <= number);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let offset = u64::try_from(number - segment.low).ok().filter(|offset| *offset < segment.count)?;
        Some(segment.before + offset)
    }
}

/// All addresses of the scope cut where another asset begins to speak, in ascending order.
fn segments(scope: &Scope) -> Vec<Segment> {
    let targets = scope.targets();
    let sets = scope.assets.iter().flat_map(|asset| [&asset.addresses, &asset.listed]).chain([&targets.all]);
    let ranges = sets.flat_map(|set| set.ranges().map(|(low, high)| (number(low), number(high))));
    let mut cuts: Vec<u128> = ranges.flat_map(|(low, high)| [low, high.saturating_add(1)]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut segments: Vec<Segment> = Vec::new();
    for pair in cuts.windows(2) {
        let (low, width) = (pair[0], pair[1] - pair[0]);
        let first = address(low);
        let Some(asset) = scope.asset_of(first).filter(|_| targets.all.contains(first)) else { continue };
        let Some(place) = scope.assets.iter().position(|other| std::ptr::eq(other, asset)) else { continue };
        let listed = asset.listed.contains(first);
        let is_modality = asset.class == AssetClass::Modality;
        let is_asked = scope.depth_of(asset) > Depth::Import;
        let (spared, met) = (is_modality || !is_asked, is_modality && is_asked && !listed);
        let count = u64::try_from(width).unwrap_or(u64::MAX);
        segments.push(Segment { low, count, before: 0, asset: place, spared, listed, met });
    }
    segments
}

/// In the order given, each once.
fn unique(ports: &[u16]) -> Vec<u16> {
    let mut unique = Vec::with_capacity(ports.len());
    for port in ports.iter().filter(|port| **port != 0) {
        if !unique.contains(port) {
            unique.push(*port);
        }
    }
    unique
}

fn number(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn address(number: u128) -> IpAddr {
    let v6 = Ipv6Addr::from(number);
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), |v4: Ipv4Addr| IpAddr::V4(v4))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::scope::range::RangeSet;
    use crate::testing;

    fn asset(label: &str, low: &str, high: &str, ports: &[u16]) -> Asset {
        let mut asset = testing::scope().assets.remove(0);
        asset.label = label.to_owned();
        asset.addresses = RangeSet::new([(low.parse().unwrap(), high.parse().unwrap())]);
        asset.ports = ports.to_vec();
        if low == high {
            asset.listed = asset.addresses.clone();
        }
        asset
    }

    fn scope(assets: Vec<Asset>) -> Scope {
        Scope { assets, ..testing::scope() }
    }

    fn walk(plan: &Plan) -> BTreeMap<IpAddr, Vec<u16>> {
        let mut walked: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for target in (0..plan.indices()).filter_map(|index| plan.target(index)) {
            walked.entry(target.address).or_default().push(target.port);
        }
        walked
    }

    #[test]
    fn the_narrowest_asset_says_which_ports() {
        let wide = asset("net", "127.0.0.0", "127.0.0.255", &[104, 80, 443]);
        let narrow = asset("pacs", "127.0.0.8", "127.0.0.9", &[11112]);
        let mut scope = scope(vec![wide, narrow]);
        scope.excluded = RangeSet::new([("127.0.0.100".parse().unwrap(), "127.0.0.109".parse().unwrap())]);
        let plan = Plan::new(Arc::new(scope), &[], 7, Shard::WHOLE, true, false).unwrap();
        let walked = walk(&plan);
        assert_eq!(walked.len(), 246);
        assert_eq!(walked[&"127.0.0.9".parse::<IpAddr>().unwrap()], [11112]);
        assert_eq!(walked[&"127.0.0.10".parse::<IpAddr>().unwrap()], [104, 80, 443]);
        assert!(!walked.contains_key(&"127.0.0.105".parse::<IpAddr>().unwrap()));
        assert_eq!(plan.probes(), walked.values().map(|ports| ports.len() as u64).sum::<u64>());
        assert_eq!(plan.asset_of("127.0.0.8".parse().unwrap()).unwrap().1.label, "pacs");
        assert!(plan.asset_of("127.0.0.100".parse().unwrap()).is_none());
        assert!(plan.sweeps("127.0.0.10".parse().unwrap(), 80) && !plan.sweeps("127.0.0.9".parse().unwrap(), 80));
    }

    #[test]
    fn shards_share_out_all_hosts() {
        let scope = Arc::new(scope(vec![
            asset("a", "127.0.0.0", "127.0.0.99", &[1, 2]),
            asset("b", "127.0.1.0", "127.0.1.50", &[3]),
        ]));
        let plan = |shard| Plan::new(scope.clone(), &[], 3, shard, true, false).unwrap();
        let mut all = BTreeMap::new();
        for number in 1..=3 {
            let plan = plan(Shard::new(number, 3).unwrap());
            let walked = walk(&plan);
            assert!(walked.keys().all(|address| plan.takes(*address)));
            assert_eq!(plan.probes(), walked.values().map(|ports| ports.len() as u64).sum::<u64>());
            for (address, ports) in walked {
                assert!(all.insert(address, ports).is_none(), "{address} is in two shards");
            }
        }
        assert_eq!(all, walk(&plan(Shard::WHOLE)));
    }

    #[test]
    fn more_than_a_slash_16_needs_a_flag() {
        let plan = |low, high, sweep, large| {
            let scope = Arc::new(scope(vec![asset("a", low, high, &[104])]));
            Plan::new(scope, &[], 0, Shard::WHOLE, sweep, large).map(|plan| plan.indices())
        };
        assert_eq!(plan("127.1.0.0", "127.1.255.255", true, false), Ok(65_536));
        assert_eq!(plan("127.1.0.0", "127.2.0.0", true, false), Err(PlanError::Large { hosts: 65_537 }));
        assert_eq!(plan("127.0.0.0", "127.255.255.255", true, true), Ok(1 << 24));
        assert_eq!(plan("127.0.0.0", "127.255.255.255", false, false), Ok(0));
        assert_eq!(plan("fd00::", "fd00::ffff:ffff", true, true), Err(PlanError::TooLarge));
    }

    #[test]
    fn a_modality_listed_by_itself_is_not_swept() {
        let mut modality = asset("ct", "127.0.0.5", "127.0.0.5", &[]);
        modality.class = AssetClass::Modality;
        let scope = Arc::new(scope(vec![asset("net", "127.0.0.0", "127.0.0.15", &[]), modality]));
        let plan = Plan::new(scope, &[104], 0, Shard::WHOLE, true, false).unwrap();
        let walked = walk(&plan);
        assert_eq!((walked.len(), plan.probes()), (15, 15));
        assert!(plan.takes("127.0.0.5".parse().unwrap()));
    }

    #[test]
    fn modalities_of_a_range_are_met_and_not_swept() {
        let scope = |high| {
            let mut modalities = asset("ct", "127.3.0.0", high, &[]);
            modalities.class = AssetClass::Modality;
            Arc::new(scope(vec![asset("net", "127.0.0.0", "127.0.0.15", &[]), modalities]))
        };
        let plan = |high, sweep| Plan::new(scope(high), &[104, 11112], 0, Shard::WHOLE, sweep, true);
        let swept = plan("127.3.0.3", true).unwrap();
        let walked = walk(&swept);
        assert_eq!((walked.len(), swept.probes()), (16, 32));
        assert!(!swept.sweeps("127.3.0.1".parse().unwrap(), 104));
        assert_eq!(swept.listed().count(), 4);
        assert_eq!(plan("127.3.0.3", false).unwrap().listed().count(), 0);
        assert_eq!(plan("127.4.0.0", true).err(), Some(PlanError::TooManyModalities));
    }
}
