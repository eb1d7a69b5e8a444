//! Assets as they are read from the file, with the places of what may be wrong with them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use leadglass_dicom::AeTitle;

use super::address::{AddressMistake, Written};
use super::file::word;
use super::link::{Link, LinkMistake};
use super::range::RangeSet;
use super::section::{At, Section, quoted};
use super::{Asset, AssetClass, Labels, Vantage};
use crate::catalogue::Depth;
use crate::probe::network::Service;

/// An asset, and where in the file things are that are looked at once more.
pub(super) struct Draft {
    pub(super) asset: Asset,
    pub(super) depth: Option<At<Depth>>,
    offset: usize,
    links: Vec<At<Link>>,
}

/// Reads one `[[asset]]`.
pub(super) fn asset(section: Section<'_>) -> Draft {
    let label = section.required("label", "write a name for it; it stands in reports instead of the address");
    let public_owned = section.flag("public_owned").unwrap_or(false);
    let (addresses, listed) = addresses(&section, public_owned);
    let depth = depth(&section, "depth");
    let (base_urls, mut links) = urls(&section, "urls");
    let (share_links, more) = urls(&section, "share_links");
    links.extend(more);
    let asset = Asset {
        label: label.map_or_else(String::new, |label| label.value.to_owned()),
        class: class(&section),
        addresses,
        listed,
        hosts: hosts(&section),
        ports: section.ports("ports"),
        expected_ports: section.ports("expected_ports"),
        services: services(&section),
        shares: shares(&section),
        urls: base_urls,
        share_links,
        paths: paths(&section),
        called_ae: ae_title(&section, "called_ae"),
        known_calling_ae: ae_title(&section, "known_calling_ae"),
        depth: depth.as_ref().map(|depth| depth.value),
        public_owned,
        dedicated_vlan: section.flag("dedicated_vlan").unwrap_or(false),
        tls_name: tls_name(&section),
        trail_saw_us: section.flag("trail_saw_us"),
        labels: labels(&section),
    };
    let nothing = asset.addresses.is_empty() && asset.hosts.is_empty() && links.is_empty() && asset.paths.is_empty();
    if nothing && !["addresses", "hosts", "urls", "paths"].iter().any(|key| section.has_blank(key)) {
        let mend = "write addresses, hosts, urls or paths";
        section.faults.at(section.offset, "there is nothing to look at in an [[asset]]", mend);
    }
    let offset = section.offset;
    section.finish();
    Draft { asset, depth, offset, links }
}

/// What can be wrong only between assets: labels, ranges, and where URLs lead.
pub(super) fn check_together(drafts: &[Draft], excluded: &RangeSet, file: &Section<'_>) {
    let faults = file.faults;
    if drafts.is_empty() {
        faults.at(file.offset, "there is no [[asset]]", "write at least one: what is to be looked at");
    }
    let mut labels = BTreeMap::new();
    let mut ranges: BTreeMap<(IpAddr, IpAddr), &str> = BTreeMap::new();
    for draft in drafts {
        let label = draft.asset.label.as_str();
        if !label.is_empty() && labels.insert(label, ()).is_some() {
            faults.at(draft.offset, format!("two assets are called {}", quoted(label)), "give each a label of its own");
        }
        for range in draft.asset.addresses.ranges() {
            if let Some(other) = ranges.insert(range, label) {
                let mistake = format!("{} are in {} as well", spelled(range), quoted(other));
                faults.at(draft.offset, mistake, "list them in one asset; nobody knows which speaks for them");
            }
        }
    }
    let all = RangeSet::new(drafts.iter().flat_map(|draft| draft.asset.addresses.ranges()));
    let inside = |address| all.contains(address) && !excluded.contains(address);
    for link in drafts.iter().flat_map(|draft| &draft.links) {
        if link.value.address().is_some_and(|address| !inside(address)) {
            let mend = "add its address to an asset's addresses, or remove the URL";
            faults.at(link.offset, "a URL leads to an address that is not in the scope", mend);
        }
    }
    if !all.is_empty() && all.without(excluded).is_empty() {
        faults.at(file.offset, "every address is excluded", "exclude less, or remove the assets");
    }
}

/// Where the audit stands.
pub(super) fn vantage(file: &Section<'_>) -> Option<Vantage> {
    let vantages = [
        ("internet", Vantage::Internet),
        ("user-vlan", Vantage::UserVlan),
        ("server-vlan", Vantage::ServerVlan),
        ("imaging-vlan", Vantage::ImagingVlan),
        ("host", Vantage::Host),
    ];
    if !file.has("vantage") {
        let mend = "write where the audit stands: internet, user-vlan, server-vlan, imaging-vlan or host";
        file.faults.at(file.offset, "vantage is missing", mend);
    }
    word(file, "vantage", &vantages).map(|vantage| vantage.value)
}

/// How deep to look.
pub(super) fn depth(section: &Section<'_>, key: &'static str) -> Option<At<Depth>> {
    let mend = "write 0 (import only), 1 (handshakes), 2 (canaries), 3 (counts) or 4 (credential tries)";
    let depth = section.number(key, 0..=4, mend)?;
    let value = Depth::try_from(u8::try_from(depth.value).ok()?).ok()?;
    Some(At { value, offset: depth.offset })
}

/// Paths, absolute and without steps back.
pub(super) fn paths(section: &Section<'_>) -> Vec<PathBuf> {
    let mend = "write it from the root, as /srv/images, without ..";
    let mut paths = Vec::new();
    for text in section.texts("paths", mend) {
        let path = Path::new(text.value);
        if path.is_absolute() && !path.components().any(|part| part == Component::ParentDir) {
            paths.push(path.components().collect());
        } else {
            section.faults.at(text.offset, format!("{} is no absolute path", quoted(text.value)), mend);
        }
    }
    paths
}

/// Notes what is wrong with an address.
pub(super) fn fault_of_address(section: &Section<'_>, text: &At<&str>, mistake: AddressMistake) {
    section.faults.at(text.offset, format!("{} {mistake}", quoted(text.value)), mistake.mend());
}

fn addresses(section: &Section<'_>, public_owned: bool) -> (RangeSet, RangeSet) {
    let (mut all, mut singles) = (Vec::new(), Vec::new());
    for text in section.texts("addresses", "write what is to be looked at, as 10.0.0.5 or 10.0.0.0/24") {
        let written = Written::parse(text.value);
        match written.and_then(|written| written.check(public_owned).map(|()| written)) {
            Ok(written) => {
                all.push((written.low, written.high));
                if written.is_single() {
                    singles.push((written.low, written.high));
                }
            }
            Err(mistake) => fault_of_address(section, &text, mistake),
        }
    }
    (RangeSet::new(all), RangeSet::new(singles))
}

fn class(section: &Section<'_>) -> AssetClass {
    let classes = [
        ("server", AssetClass::Server),
        ("modality", AssetClass::Modality),
        ("portal", AssetClass::Portal),
        ("share", AssetClass::Share),
        ("network", AssetClass::Network),
    ];
    if !section.has("class") {
        let mend = "write what it is: server, modality, portal, share or network";
        section.faults.at(section.offset, "class is missing in [[asset]]", mend);
    }
    // Until it is mended, the gentlest.
    word(section, "class", &classes).map_or(AssetClass::Modality, |class| class.value)
}

fn hosts(section: &Section<'_>) -> Vec<String> {
    let mend = "write a name as DNS has it; an address belongs into addresses";
    let mut hosts = Vec::new();
    for text in section.texts("hosts", mend) {
        if Link::is_name(text.value) {
            hosts.push(text.value.to_ascii_lowercase());
        } else {
            section.faults.at(text.offset, format!("{} is no host name", quoted(text.value)), mend);
        }
    }
    hosts
}

/// Services on ports where they are not usual.
fn services(section: &Section<'_>) -> Vec<(u16, Service)> {
    let names: Vec<&str> = Service::all().map(|service| service.name().as_str()).collect();
    let mend = format!("write a port and a service, as {{ 15432 = \"postgresql\" }}; known are {}", names.join(", "));
    let mut services = Vec::new();
    for (port, word) in section.words_of_ports("services", &mend) {
        match Service::named(word.value) {
            Some(service) => services.push((port, service)),
            None => section.faults.at(word.offset, format!("{} is no known service", quoted(word.value)), &mend),
        }
    }
    services
}

/// Names of SMB shares.
fn shares(section: &Section<'_>) -> Vec<String> {
    let mend = "write the name of a share alone, as images";
    let mut shares = Vec::new();
    for text in section.texts("shares", mend) {
        if text.value.contains(['/', '\\']) || text.value.chars().count() > 80 {
            section.faults.at(text.offset, format!("{} is no name of a share", quoted(text.value)), mend);
        } else {
            shares.push(text.value.to_owned());
        }
    }
    shares
}

fn urls(section: &Section<'_>, key: &'static str) -> (Vec<String>, Vec<At<Link>>) {
    let mend = "write it as https://host/path";
    let (mut urls, mut links) = (Vec::new(), Vec::new());
    for text in section.texts(key, mend) {
        match Link::parse(text.value) {
            Ok(link) => {
                urls.push(text.value.to_owned());
                links.push(At { value: link, offset: text.offset });
            }
            Err(mistake) => {
                let mend = if mistake == LinkMistake::Credentials { "remove the name and password" } else { mend };
                section.faults.at(text.offset, format!("a URL of {key} {mistake}"), mend);
            }
        }
    }
    (urls, links)
}

fn ae_title(section: &Section<'_>, key: &'static str) -> Option<AeTitle> {
    let mend = "write an AE Title of at most 16 characters";
    let text = section.text(key, mend)?;
    match AeTitle::parse(text.value) {
        Ok(title) => Some(title),
        Err(error) => {
            section.faults.at(text.offset, format!("{key}: {error}"), mend);
            None
        }
    }
}

fn tls_name(section: &Section<'_>) -> Option<String> {
    let mend = "write the name that its certificate should have";
    let text = section.text("tls_name", mend)?;
    if Link::is_name(text.value) || text.value.parse::<IpAddr>().is_ok() {
        return Some(text.value.to_owned());
    }
    section.faults.at(text.offset, "tls_name is no name of a host", mend);
    None
}

fn labels(section: &Section<'_>) -> Labels {
    let mend = "write it, or remove the line";
    let label = |key| section.text(key, mend).map(|text| text.value.to_owned());
    Labels { country: label("country"), region: label("region"), site: label("site") }
}

fn spelled((low, high): (IpAddr, IpAddr)) -> String {
    if low == high { low.to_string() } else { format!("{low}-{high}") }
}
