//! What a scope comes to, for whoever is to sign it: what would be looked at, how deep, how long.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use super::{Asset, AssetClass, Scope, Vantage, Window};
use crate::catalogue::Depth;
use crate::signature::PublicKey;

/// Time that a host that answers takes at depth 2: about thirty conversations, a second apart.
const PER_HOST: Duration = Duration::from_secs(30);

/// What a scope comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Whose systems.
    pub owner: String,
    /// Who authorised.
    pub authorised_by: String,
    /// Where the authorisation is.
    pub reference: String,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Who signed the file.
    pub signed_by: Option<PublicKey>,
    /// The first second, since 1970.
    pub valid_from: i64,
    /// The first second after.
    pub valid_until: i64,
    /// Hours in which connections may be made; none means any.
    pub windows: Vec<Window>,
    /// Where the audit stands.
    pub vantage: Vantage,
    /// Each asset.
    pub assets: Vec<AssetSummary>,
    /// Connects a second.
    pub rate_per_second: u32,
    /// Hosts side by side.
    pub hosts_at_once: usize,
    /// Addresses cut out.
    pub excluded: u128,
}

/// What one asset comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetSummary {
    /// The owner's label.
    pub label: String,
    /// What it is.
    pub class: AssetClass,
    /// The deepest look at it.
    pub depth: Depth,
    /// Addresses that it speaks for, excluded ones left out.
    pub addresses: u128,
    /// Those that are written one by one.
    pub listed: u128,
    /// Ports at each.
    pub ports: usize,
    /// Names to resolve.
    pub hosts: usize,
    /// URLs and share links.
    pub urls: usize,
    /// File trees.
    pub paths: usize,
}

impl Summary {
    /// Counts a scope.
    pub fn of(scope: &Scope) -> Summary {
        let assets = scope.share_of_assets().into_iter().map(|(asset, share)| AssetSummary::of(scope, asset, share));
        Summary {
            owner: scope.owner.clone(),
            authorised_by: scope.authorised_by.clone(),
            reference: scope.reference.clone(),
            sha256: scope.sha256,
            signed_by: scope.signed_by,
            valid_from: scope.validity.from,
            valid_until: scope.validity.until,
            windows: scope.windows.clone(),
            vantage: scope.vantage,
            assets: assets.collect(),
            rate_per_second: scope.pace.rate_per_second,
            hosts_at_once: scope.pace.hosts_at_once,
            excluded: scope.excluded.len(),
        }
    }

    /// Addresses to go to.
    pub fn addresses(&self) -> u128 {
        self.assets.iter().fold(0, |sum, asset| sum.saturating_add(asset.addresses))
    }

    /// Ports to knock at, all addresses together.
    pub fn probes(&self) -> u128 {
        self.assets.iter().fold(0, |sum, asset| sum.saturating_add(asset.probes()))
    }

    /// The deepest look anywhere.
    pub fn deepest(&self) -> Depth {
        self.assets.iter().map(|asset| asset.depth).max().unwrap_or(Depth::Import)
    }

    /// About how long it takes to knock at every port, at the pace.
    pub fn sweep(&self) -> Duration {
        let seconds = self.probes().checked_div(u128::from(self.rate_per_second)).unwrap_or(0);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX))
    }

    /// About how long the listed hosts take when all of them answer.
    pub fn listed_hosts(&self) -> Duration {
        let listed = self.assets.iter().fold(0_u128, |sum, asset| sum.saturating_add(asset.listed));
        let rounds = u32::try_from(listed.div_ceil(self.hosts_at_once.max(1) as u128)).unwrap_or(u32::MAX);
        PER_HOST.saturating_mul(rounds)
    }
}

impl AssetSummary {
    fn of(scope: &Scope, asset: &Asset, addresses: u128) -> AssetSummary {
        AssetSummary {
            label: asset.label.clone(),
            class: asset.class,
            depth: scope.depth_of(asset),
            addresses,
            listed: asset.listed.without(&scope.excluded).len(),
            ports: scope.ports_of(asset).len(),
            hosts: asset.hosts.len(),
            urls: asset.urls.len() + asset.share_links.len(),
            paths: asset.paths.len(),
        }
    }

    /// Ports to knock at, all its addresses together.
    pub fn probes(&self) -> u128 {
        self.addresses.saturating_mul(self.ports as u128)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "owner       {}", self.owner)?;
        writeln!(f, "authorised  {} ({})", self.authorised_by, self.reference)?;
        writeln!(f, "holds       {} to {}", moment(self.valid_from), moment(self.valid_until))?;
        for window in &self.windows {
            writeln!(f, "hours       {window}")?;
        }
        match self.signed_by {
            Some(key) => writeln!(f, "signed by   {key}")?,
            None => writeln!(f, "signed by   nobody: the report will say so")?,
        }
        writeln!(f, "sha256      {}", hex::encode(self.sha256))?;
        for asset in &self.assets {
            writeln!(f, "asset       {asset}")?;
        }
        let (addresses, probes) = (self.addresses(), self.probes());
        writeln!(f, "excluded    {} addresses", self.excluded)?;
        writeln!(
            f,
            "together    {addresses} addresses, {probes} ports to knock at, deepest look {:?}",
            self.deepest()
        )?;
        let rate = self.rate_per_second;
        writeln!(f, "takes       {} to knock at {rate} a second, and", spell(self.sweep()))?;
        write!(
            f,
            "            half a minute for each host that answers, {} at once: {} for the listed ones",
            self.hosts_at_once,
            spell(self.listed_hosts())
        )
    }
}

impl fmt::Display for AssetSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AssetSummary { label, class, depth, addresses, ports, hosts, urls, paths, .. } = self;
        let label = crate::report::wording::plain(label);
        write!(f, "{label}: {class:?}, to depth {}, {addresses} addresses at {ports} ports", u8::from(*depth))?;
        for (count, what) in [(hosts, "names"), (urls, "URLs"), (paths, "file trees")] {
            if *count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (day, name) in super::when::DAYS.iter().enumerate() {
            if self.days & (1 << day) != 0 {
                write!(f, "{name} ")?;
            }
        }
        let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let sign = if self.utc_offset_minutes < 0 { '-' } else { '+' };
        let offset = clock(self.utc_offset_minutes.unsigned_abs());
        write!(f, "{} to {} (UTC{sign}{offset})", clock(self.from_minute), clock(self.until_minute))
    }
}

fn moment(second: i64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let moment = OffsetDateTime::from_unix_timestamp(second).ok();
    moment.and_then(|moment| moment.format(&format).ok()).unwrap_or_else(|| second.to_string())
}

fn spell(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
