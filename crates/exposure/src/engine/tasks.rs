//! Which hosts are looked at, and which of their ports: what the sweep found open, what was
//! imported, what is listed, and where the owner's URLs lead.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aws_lc_rs::digest;

use super::host::{Asked, Task};
use super::log::{Pointer, Resolved};
use super::plan::Plan;
use super::state::State;
use super::{Options, Shard};
use crate::scope::Scope;
use crate::scope::link::Link;
use crate::scope::resolve::SystemLookup;

/// Hosts to be looked at.
pub(super) type Tasks = BTreeMap<IpAddr, Task>;

/// The hosts of this shard that are to be looked at, as far as the sweep came.
pub(super) fn tasks(plan: &Plan, options: &Options, state: &State) -> Tasks {
    let mut tasks = Tasks::new();
    for (address, ports) in &state.opens {
        for port in ports {
            ask(&mut tasks, *address, *port, true);
        }
    }
    for endpoint in &options.imported {
        let address = endpoint.ip().to_canonical();
        if plan.takes(address) && !plan.sweeps(address, endpoint.port()) {
            ask(&mut tasks, address, endpoint.port(), false);
        }
    }
    let resolved = state.resolved.iter().flatten().filter(|one| plan.takes(one.address));
    let named = resolved.clone().filter(|one| matches!(one.what, Pointer::Host(_))).map(|one| one.address);
    for address in plan.listed().chain(named) {
        tasks.entry(address).or_default();
        let asset = plan.asset_of(address).map(|(place, _)| place);
        for port in asset.map_or(&[][..], |asset| plan.ports_of(asset)) {
            if !plan.sweeps(address, *port) {
                ask(&mut tasks, address, *port, false);
            }
        }
    }
    for one in resolved {
        if let Some(port) = link_of(plan.scope(), one).map(|link| link.port) {
            let asked = ask(&mut tasks, one.address, port, false);
            asked.urls.push((one.asset, one.what));
        }
    }
    tasks
}

/// A port that is asked for twice is one that the sweep found open, if it ever did.
fn ask(tasks: &mut Tasks, address: IpAddr, port: u16, swept: bool) -> &mut Asked {
    let ports = &mut tasks.entry(address).or_default().ports;
    ports.entry(port).or_insert(Asked { swept, urls: Vec::new() })
}

/// How many imported endpoints the scope does not cover.
pub(super) fn dropped(plan: &Plan, options: &Options) -> u64 {
    let outside = options.imported.iter().filter(|endpoint| plan.asset_of(endpoint.ip()).is_none());
    options.dropped + outside.count() as u64
}

/// SHA-256 of what was imported, whatever the order of its rows.
pub(super) fn imported_hash(options: &Options) -> String {
    let mut endpoints: Vec<String> = options.imported.iter().map(ToString::to_string).collect();
    endpoints.sort_unstable();
    endpoints.dedup();
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&options.dropped.to_be_bytes());
    for endpoint in endpoints {
        context.update(endpoint.as_bytes());
        context.update(b"\n");
    }
    hex::encode(context.finish())
}

/// Resolves the names and URLs of a scope. What does not resolve, or to an address that the
/// scope does not hold, is left out.
pub(super) async fn resolve(plan: &Plan, now: i64) -> Vec<Resolved> {
    let found = plan.scope().resolve(&SystemLookup, now).await;
    let mut resolved = Vec::new();
    for (asset, of_asset) in (0..).zip(&plan.scope().assets) {
        let hosts = (0..).zip(&of_asset.hosts).map(|(at, host)| (Pointer::Host(at), host.clone()));
        let urls = (0..).zip(&of_asset.urls).map(|(at, url)| (Pointer::Url(at), url));
        let share_links = (0..).zip(&of_asset.share_links).map(|(at, url)| (Pointer::ShareLink(at), url));
        let urls = urls.chain(share_links).filter_map(|(what, url)| Some((what, Link::parse(url).ok()?.host)));
        for (what, host) in hosts.chain(urls) {
            let literal = host.parse::<IpAddr>().map(|address| vec![address.to_canonical()]);
            let addresses = literal.unwrap_or_else(|_| found.addresses_of(&host).to_vec());
            let ours = addresses.into_iter().filter(|address| plan.asset_of(*address).is_some());
            resolved.extend(ours.map(|address| Resolved { asset, what, address }));
        }
    }
    resolved.sort_unstable();
    resolved.dedup();
    resolved
}

/// How many names, URLs and share links a scope has, and how many of them led into it. An
/// address among the hosts is no name.
pub(super) fn names(scope: &Scope, resolved: &[Resolved]) -> (u64, u64) {
    let is_name = |host: &&String| host.parse::<IpAddr>().is_err();
    let of_asset = |asset: &crate::scope::Asset| {
        asset.hosts.iter().filter(is_name).count() + asset.urls.len() + asset.share_links.len()
    };
    let all: usize = scope.assets.iter().map(of_asset).sum();
    let host = |one: &Resolved, at: u32| scope.assets.get(one.asset as usize)?.hosts.get(at as usize);
    let counts = |one: &&Resolved| match one.what {
        Pointer::Host(at) => host(one, at).is_some_and(|host| is_name(&host)),
        Pointer::Url(_) | Pointer::ShareLink(_) => true,
    };
    let found: BTreeSet<_> = resolved.iter().filter(counts).map(|one| (one.asset, one.what)).collect();
    (all as u64, found.len() as u64)
}

/// The URL or share link that was resolved.
pub(super) fn link_of(scope: &Scope, one: &Resolved) -> Option<Link> {
    let asset = scope.assets.get(one.asset as usize)?;
    let url = match one.what {
        Pointer::Host(_) => return None,
        Pointer::Url(at) => asset.urls.get(at as usize)?,
        Pointer::ShareLink(at) => asset.share_links.get(at as usize)?,
    };
    Link::parse(url).ok()
}

/// The file trees of a shard: place of the asset, and which of its paths.
pub(super) fn trees(scope: &Scope, shard: Shard) -> Vec<(u32, u32)> {
    let of_asset = |(asset, of_asset): (u32, &crate::scope::Asset)| {
        (0..of_asset.paths.len() as u32).map(move |root| (asset, root)).collect::<Vec<_>>()
    };
    let all = (0..).zip(&scope.assets).flat_map(of_asset);
    (0..).zip(all).filter(|(place, _)| shard.takes(*place)).map(|(_, tree)| tree).collect()
}
