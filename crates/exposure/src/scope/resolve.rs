//! Names become addresses: at the time, and only addresses that the scope holds.
//!
//! Deliberately absent: a way to connect to a name. What connects, connects to an address that
//! [`Scope::permits`] allows, whatever DNS says by then.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::link::Link;
use super::range::RangeSet;
use super::{NotPermitted, Scope, Targets};

/// Longest time for one name.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most addresses of one name that are looked at.
const MOST_ANSWERS: usize = 64;

/// Whoever knows the addresses of names.
pub trait Lookup {
    /// The addresses of a name, in any order.
    fn lookup(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// The machine's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// What the names of a scope came to, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Each name once.
    pub names: Vec<Named>,
}

/// What one name came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name, in small letters.
    pub name: String,
    /// Its addresses that may be looked at, ascending.
    pub addresses: Vec<IpAddr>,
    /// Why its other addresses may not be, one for each.
    pub refused: Vec<NotPermitted>,
}

impl Scope {
    /// Looks up every name of the scope, in `hosts`, `urls` and `share_links`, and asks of every
    /// answer whether it may be connected to at this second. A name that is not found, or not
    /// in time, has no addresses.
    pub async fn resolve(&self, lookup: &impl Lookup, now: i64) -> Resolved {
        let mut names = Vec::new();
        for name in self.names() {
            let answer = tokio::time::timeout(PATIENCE, lookup.lookup(&name)).await;
            let answers = answer.ok().and_then(Result::ok).unwrap_or_default();
            let answers: BTreeSet<IpAddr> = answers.iter().map(IpAddr::to_canonical).collect();
            let (mut addresses, mut refused) = (Vec::new(), Vec::new());
            for address in answers.into_iter().take(MOST_ANSWERS) {
                match self.permits(address, now) {
                    Ok(_) => addresses.push(address),
                    Err(reason) => refused.push(reason),
                }
            }
            names.push(Named { name, addresses, refused });
        }
        Resolved { names }
    }

    /// Every name in the scope, once, sorted.
    fn names(&self) -> BTreeSet<String> {
        let hosts = self.assets.iter().flat_map(|asset| asset.hosts.iter().cloned());
        let urls = self.assets.iter().flat_map(|asset| asset.urls.iter().chain(&asset.share_links));
        let links = urls.filter_map(|url| Link::parse(url).ok()).filter(|link| link.address().is_none());
        hosts.chain(links.map(|link| link.host)).collect()
    }
}

impl Resolved {
    /// The addresses of a name that may be looked at; none when it is not known.
    pub fn addresses_of(&self, name: &str) -> &[IpAddr] {
        let named = self.names.iter().find(|named| named.name.eq_ignore_ascii_case(name));
        named.map_or(&[], |named| &named.addresses)
    }
}

impl Targets {
    /// Counts the addresses of names as listed: the owner named them one by one.
    pub fn list(&mut self, resolved: &Resolved) {
        let addresses = resolved.names.iter().flat_map(|named| &named.addresses);
        let addresses = RangeSet::new(addresses.map(|address| (*address, *address)));
        self.listed = self.listed.union(&addresses.within(&self.all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, scope};

    /// Answers as told; knows no other names.
    struct Told(&'static [(&'static str, &'static [&'static str])]);

    impl Lookup for Told {
        async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
            let (_, answers) = self.0.iter().find(|(told, _)| *told == name).ok_or(io::ErrorKind::NotFound)?;
            Ok(answers.iter().map(|answer| answer.parse().unwrap()).collect())
        }
    }

    #[tokio::test]
    async fn no_answer_leads_out_of_the_scope() {
        let mut scope = scope();
        scope.assets[0].hosts = vec!["pacs.example".to_owned(), "gone.example".to_owned()];
        scope.assets[0].urls = vec!["https://Portal.example/ui".to_owned(), "http://127.0.0.9/".to_owned()];
        scope.excluded = RangeSet::new([("127.0.0.3".parse().unwrap(), "127.0.0.3".parse().unwrap())]);
        let told = Told(&[
            ("pacs.example", &["127.0.0.3", "8.8.8.8", "127.0.0.2", "::ffff:127.0.0.2"]),
            ("portal.example", &["10.0.0.1"]),
        ]);
        let resolved = scope.resolve(&told, NOW).await;
        let names: Vec<&str> = resolved.names.iter().map(|named| named.name.as_str()).collect();
        assert_eq!(names, ["gone.example", "pacs.example", "portal.example"]);
        assert_eq!(resolved.addresses_of("PACS.example"), ["127.0.0.2".parse::<IpAddr>().unwrap()]);
        assert_eq!(resolved.names[1].refused, [NotPermitted::OutOfScope, NotPermitted::Excluded]);
        assert_eq!(resolved.names[2].refused, [NotPermitted::OutOfScope]);
        assert!(resolved.addresses_of("gone.example").is_empty());
        let mut targets = scope.targets();
        targets.list(&resolved);
        assert_eq!(targets.listed.len(), 1);
    }

    #[tokio::test]
    async fn nothing_is_permitted_when_the_authorisation_is_over() {
        let mut scope = scope();
        scope.assets[0].hosts = vec!["pacs.example".to_owned()];
        let resolved = scope.resolve(&Told(&[("pacs.example", &["127.0.0.2"])]), NOW + 999_999).await;
        assert_eq!(resolved.names[0].refused, [NotPermitted::NotValid]);
    }
}
