//! T-09: one key on several hosts.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::CheckRef;
use crate::catalogue::tls::T_09;
use crate::evidence::{Fact, Hash};
use crate::finding::{Outcome, State};
use crate::report::System;

/// Settles T-09 over all hosts, each of which notes the key that it showed. May be done again
/// after reports were merged. `of_asset`: all addresses of one asset are one host's.
pub fn shared_keys(systems: &mut [System], of_asset: bool) {
    let mut hosts: BTreeMap<Hash, BTreeSet<_>> = BTreeMap::new();
    for system in systems.iter() {
        let keys = system.outcomes().filter_map(|(_, outcome)| key(outcome));
        let host = (of_asset.then(|| system.label.clone()), (!of_asset).then_some(system.address));
        keys.for_each(|key| _ = hosts.entry(key).or_default().insert(host.clone()));
    }
    for system in systems {
        for outcome in system.services.iter_mut().flat_map(|service| &mut service.outcomes) {
            let Some(key) = key(outcome) else { continue };
            let count = hosts.get(&key).map_or(1, BTreeSet::len);
            *outcome = Outcome::new(&T_09, if count > 1 { State::Finding } else { State::Pass });
            outcome.with("key", Fact::Hash(key)).with("hosts", Fact::Count(count as u64));
        }
    }
}

fn key(outcome: &Outcome) -> Option<Hash> {
    match outcome.evidence.fact("key") {
        Some(Fact::Hash(key)) if outcome.check == CheckRef(&T_09) => Some(*key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::catalogue::Name;
    use crate::report::Service;
    use crate::scope::{AssetClass, Labels};

    fn system(host: u8, keys: &[u8]) -> System {
        let service = |(at, key): (usize, &u8)| {
            let mut outcome = Outcome::new(&T_09, State::Pass);
            outcome.with("key", Fact::Hash(Hash([*key; 16])));
            Service { port: at as u16, speaks: Name::fixed("https"), outcomes: vec![outcome] }
        };
        System {
            label: "archives".to_owned(),
            address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)),
            class: AssetClass::Server,
            labels: Labels::default(),
            listed: true,
            product: None,
            studies: None,
            services: keys.iter().enumerate().map(service).collect(),
            left: None,
        }
    }

    #[test]
    fn a_key_on_two_hosts_is_found_and_on_two_ports_of_one_is_not() {
        let mut systems = [system(1, &[7, 7]), system(2, &[8]), system(3, &[9, 8])];
        shared_keys(&mut systems, false);
        let states = |systems: &[System]| -> Vec<Vec<State>> {
            systems.iter().map(|system| system.outcomes().map(|(_, outcome)| outcome.state).collect()).collect()
        };
        use State::{Finding, Pass};
        assert_eq!(states(&systems), [vec![Pass, Pass], vec![Finding], vec![Pass, Finding]]);
        assert_eq!(systems[1].services[0].outcomes[0].evidence.count("hosts"), 2);
        let once = systems.clone();
        shared_keys(&mut systems, false);
        assert_eq!(systems, once);
    }

    #[test]
    fn the_addresses_of_one_asset_may_share_their_own_key_and_no_other() {
        let mut systems = [system(1, &[7]), system(2, &[7, 8]), system(3, &[8])];
        systems[2].label = "another".to_owned();
        shared_keys(&mut systems, true);
        let states: Vec<State> =
            systems.iter().flat_map(|system| system.outcomes().map(|(_, outcome)| outcome.state)).collect();
        assert_eq!(states, [State::Pass, State::Pass, State::Finding, State::Finding]);
    }
}
