//! The look at one host: its ports in order, on one line, within its time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::timeout;

use super::families;
use super::log::{Pointer, Reached, Seen, Spoken};
use super::plan::Plan;
use crate::catalogue::{self, CheckRef, Depth, Name};
use crate::evidence;
use crate::finding::Notes;
use crate::net::{Line, Over, Reach};
use crate::probe::recognise::{Guess, behind_tls, guesses, is_dicom_of_modality, only_guess};
use crate::probe::{Known, Look, Speech};
use crate::report::{Left, Service};
use crate::run::Run;
use crate::scope::Asset;

/// What is to be looked at on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) ports: BTreeMap<u16, Asked>,
}

/// Why a port is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whether the sweep found it open; otherwise this look finds out.
    pub(super) swept: bool,
    /// Names of the asset's that lead there.
    pub(super) urls: Vec<(u32, Pointer)>,
}

/// A port, as far as it was looked at.
struct Port<'a> {
    number: u16,
    asked: &'a Asked,
    known: Known,
    notes: Notes,
}

/// Looks at a host. The error is why it is to be looked at again when the run is resumed.
pub(super) async fn look_at(
    run: Arc<Run>,
    plan: Arc<Plan>,
    address: IpAddr,
    task: Task,
    deepest: Depth,
) -> Result<Seen, Left> {
    let Some((_, asset)) = plan.asset_of(address) else { return Err(Left::NotPermitted) };
    let depth = run.scope.depth_of(asset).min(deepest);
    let mut line = Line::new(&run, address);
    let mut ports: Vec<Port<'_>> = task.ports.iter().map(|(number, asked)| Port::new(*number, asked)).collect();
    for port in ports.iter().filter(|port| port.asked.swept) {
        line.was_open(port.number);
    }
    if depth > Depth::Import && timeout(run.limits.host, look(&mut line, asset, depth, &mut ports)).await.is_err() {
        line.leave_alone(Left::OutOfTime);
    }
    match line.left() {
        Some(left @ (Left::Stopped | Left::NotPermitted)) => Err(left),
        _ => Ok(seen(&line, depth, ports)),
    }
}

/// A host whose look failed by our own fault.
pub(super) fn failed(address: IpAddr, task: &Task) -> Seen {
    let planned = task.ports.values().filter(|asked| !asked.swept).count() as u64;
    Seen {
        address,
        product: None,
        studies: None,
        services: Vec::new(),
        left: Some(Left::Fault),
        reached: Reached { planned, ..Reached::default() },
        answered: false,
        fell_silent: false,
        announced: Vec::new(),
    }
}

/// All ports: first what each speaks, then the families.
async fn look(line: &mut Line<'_>, asset: &Asset, depth: Depth, ports: &mut [Port<'_>]) {
    for port in &mut *ports {
        if line.left().is_some() {
            break;
        }
        let mut look =
            Look { line: &mut *line, asset, depth, port: port.number, known: &mut port.known, notes: &mut port.notes };
        let in_vain = recognise(&mut look).await;
        if look.line.reach(look.port) != Some(Reach::Open) {
            continue;
        }
        families::audit(&mut look).await;
        for (asset, pointer) in &port.asked.urls {
            // The URL may be another asset's, which leads here: the shallower of the two depths holds.
            let Some(owner) = look.line.run().scope.assets.get(*asset as usize) else { continue };
            look.depth = depth.min(look.line.run().scope.depth_of(owner));
            look.asset = owner;
            families::audit_url(&mut look, *pointer).await;
        }
        (look.asset, look.depth) = (asset, depth);
        families::not_understood(&mut look, &in_vain);
        families::conclude(&mut look).await;
    }
}

/// Finds out what a port speaks, the likeliest first, each guess on a fresh connection.
/// Gives the guesses that were made when none was right.
async fn recognise(look: &mut Look<'_, '_>) -> Vec<Guess> {
    let named_tls = names_tls(look.asset);
    let mut asked = Vec::new();
    let only_dicom = is_dicom_of_modality(look.asset, look.port);
    let mut likeliest = guesses(look.port, named_tls, families::is_service(look.asset, look.port)).to_vec();
    if only_dicom {
        likeliest = vec![only_guess(look.port, named_tls)];
    }
    for guess in likeliest {
        if is_given_up(look) {
            break;
        }
        asked.push(guess);
        if !families::greet(look, guess).await {
            continue;
        }
        return if guess == Guess::Tls { recognise_behind_tls(look, only_dicom).await } else { Vec::new() };
    }
    if !is_given_up(look) && look.line.reach(look.port).is_none() {
        // No family had anything to say there: whether it is open is worth knowing all the same.
        look.line.dial(look.port).await.ok();
    }
    asked
}

/// Finds out what is spoken behind TLS. Gives the guesses that were made when none was right.
async fn recognise_behind_tls(look: &mut Look<'_, '_>, only_dicom: bool) -> Vec<Guess> {
    let mut asked = Vec::new();
    for guess in behind_tls(look.port) {
        if is_given_up(look) || (only_dicom && guess != Guess::Dicom(Over::Tls)) {
            continue;
        }
        asked.push(guess);
        if families::greet(look, guess).await {
            return Vec::new();
        }
    }
    asked
}

/// Whether a port took no connect, or the host is left alone.
fn is_given_up(look: &Look<'_, '_>) -> bool {
    look.line.left().is_some() || matches!(look.line.reach(look.port), Some(Reach::Refused | Reach::Silent))
}

/// Whether the owner's words for an asset say TLS.
fn names_tls(asset: &Asset) -> bool {
    let names = asset.hosts.iter().chain([&asset.label]).chain(&asset.tls_name);
    asset.tls_name.is_some() || names.into_iter().any(|name| name.to_ascii_lowercase().contains("tls"))
}

fn seen(line: &Line<'_>, depth: Depth, ports: Vec<Port<'_>>) -> Seen {
    let mut seen = Seen {
        address: line.address(),
        product: ports.iter().find_map(|port| port.known.product),
        studies: ports.iter().filter_map(|port| port.known.studies).max().map(evidence::coarse),
        services: Vec::new(),
        left: line.left(),
        reached: Reached::default(),
        answered: line.answered(),
        fell_silent: line.fell_silent(),
        announced: Vec::new(),
    };
    for port in ports {
        let reach = line.reach(port.number);
        if !port.asked.swept {
            seen.reached.count(reach);
        }
        let announced = port.known.announced.iter();
        seen.announced.extend(announced.filter_map(|announced| {
            let check = CheckRef(catalogue::check(&announced.check)?);
            Some(Spoken { port: port.number, calling_ae: announced.calling_ae.clone(), at: announced.at, check })
        }));
        // At depth 0 nothing is sent: what was imported is all there is.
        if reach == Some(Reach::Open) || (depth == Depth::Import && reach.is_none()) {
            let speaks = speaks(&port.known);
            seen.services.push(Service { port: port.number, speaks, outcomes: port.notes.into_outcomes() });
        }
    }
    seen
}

/// What a port speaks, as reports say it.
fn speaks(known: &Known) -> Name {
    let (text, speech) = match (known.clear, known.behind_tls) {
        (Some(Speech::Other(name)), _) | (None, Some(Speech::Other(name))) => return name,
        (Some(speech), _) => (false, Some(speech)),
        (None, behind) => (true, behind),
    };
    Name::fixed(match (text, speech) {
        (false, Some(Speech::Dicom)) => "dicom",
        (true, Some(Speech::Dicom)) => "dicom-tls",
        (false, Some(Speech::Http)) => "http",
        (true, Some(Speech::Http)) => "https",
        (_, Some(Speech::Tls)) => "tls",
        _ => "unknown",
    })
}

impl<'a> Port<'a> {
    fn new(number: u16, asked: &'a Asked) -> Port<'a> {
        Port { number, asked, known: Known::default(), notes: Notes::default() }
    }
}

impl Reached {
    fn count(&mut self, reach: Option<Reach>) {
        self.planned += 1;
        match reach {
            Some(Reach::Open) => self.open += 1,
            Some(Reach::Refused) => self.refused += 1,
            Some(Reach::Silent) => self.silent += 1,
            None => {}
        }
    }
}
