//! Whatever an owner lists and excludes: no address is permitted that is not listed, that is
//! excluded, or that is public and not declared.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use proptest::prelude::*;

use super::range::{RangeSet, is_public};
use super::{Asset, AssetClass, Scope};
use crate::testing::{NOW, scope};

/// Where the addresses of the tests are: half of them public, half private.
const FIRST: u32 = 0x09ff_ffc0;
const COUNT: u8 = 128;

fn address(index: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(FIRST + u32::from(index)))
}

type Ranges = Vec<(u8, u8)>;

fn ranges(most: usize) -> impl Strategy<Value = Ranges> {
    let range = (0..COUNT, 0..20_u8).prop_map(|(low, more)| (low, low.saturating_add(more).min(COUNT - 1)));
    prop::collection::vec(range, 0..=most)
}

fn holds(ranges: &Ranges, index: u8) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&index))
}

fn set(ranges: &Ranges) -> RangeSet {
    RangeSet::new(ranges.iter().map(|(low, high)| (address(*low), address(*high))))
}

fn list(ranges: &Ranges) -> String {
    let ranges = ranges.iter().map(|(low, high)| format!("\"{}-{}\"", address(*low), address(*high)));
    ranges.collect::<Vec<_>>().join(", ")
}

fn asset(label: usize, ranges: &Ranges, public_owned: bool) -> Asset {
    let asset = scope().assets.swap_remove(0);
    let class = AssetClass::Network;
    Asset { label: label.to_string(), class, addresses: set(ranges), public_owned, ..asset }
}

/// The file that lists and excludes these.
fn file(assets: &[(Ranges, bool)], excluded: &Ranges) -> String {
    let mut text =
        "format = 1\nowner = 'o'\nauthorised_by = 'a'\nreference = 'r'\nvantage = 'host'\ncontacts = ['c']\n\
         valid_from = 2026-11-22\nvalid_until = 2026-11-23\n"
            .to_owned();
    for (label, (ranges, owned)) in assets.iter().enumerate() {
        let list = list(ranges);
        text +=
            &format!("[[asset]]\nlabel = '{label}'\nclass = 'network'\npublic_owned = {owned}\naddresses = [{list}]\n");
    }
    if !excluded.is_empty() {
        text += &format!("[[exclude]]\nreason = 'r'\naddresses = [{}]\n", list(excluded));
    }
    text
}

fn check(scope: &Scope, assets: &[(Ranges, bool)], excluded: &Ranges) -> Result<(), TestCaseError> {
    for index in 0..COUNT {
        let permitted = scope.permits(address(index), NOW);
        let listed = assets.iter().any(|(ranges, _)| holds(ranges, index));
        let owned = assets.iter().any(|(ranges, owned)| *owned && holds(ranges, index));
        if let Ok(asset) = permitted {
            prop_assert!(listed && !holds(excluded, index));
            prop_assert!(!is_public(address(index)) || (owned && asset.public_owned));
            prop_assert!(asset.addresses.contains(address(index)));
            prop_assert!(scope.targets().all.contains(address(index)));
        } else {
            let public_not_owned = is_public(address(index)) && !assets.iter().all(|(_, owned)| *owned);
            prop_assert!(!listed || holds(excluded, index) || public_not_owned);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn nothing_is_permitted_that_is_not_listed(
        assets in prop::collection::vec((ranges(4), any::<bool>()), 0..5),
        excluded in ranges(4),
    ) {
        let mut scope = scope();
        scope.assets = assets.iter().enumerate().map(|(label, (ranges, owned))| asset(label, ranges, *owned)).collect();
        scope.excluded = set(&excluded);
        check(&scope, &assets, &excluded)?;
    }

    #[test]
    fn nor_by_any_file(assets in prop::collection::vec((ranges(3), any::<bool>()), 1..4), excluded in ranges(3)) {
        if let Ok(scope) = Scope::parse(file(&assets, &excluded).as_bytes(), Path::new(".")) {
            check(&scope, &assets, &excluded)?;
            // The targets are what is permitted, no more and no less.
            let permitted = (0..COUNT).filter(|index| scope.permits(address(*index), NOW).is_ok()).count();
            prop_assert_eq!(scope.targets().all.len(), permitted as u128);
            let shares: u128 = scope.share_of_assets().iter().map(|(_, share)| share).sum();
            prop_assert_eq!(shares, permitted as u128);
        }
    }

    #[test]
    fn sets_are_what_their_addresses_say(left in ranges(6), right in ranges(6)) {
        let (a, b) = (set(&left), set(&right));
        for index in 0..COUNT {
            let (l, r) = (holds(&left, index), holds(&right, index));
            prop_assert_eq!(a.without(&b).contains(address(index)), l && !r);
            prop_assert_eq!(a.union(&b).contains(address(index)), l || r);
            prop_assert_eq!(a.within(&b).contains(address(index)), l && r);
        }
        let pieces = a.pieces([&b].into_iter());
        prop_assert_eq!(pieces.iter().map(|(_, count)| count).sum::<u128>(), a.len());
    }
}
