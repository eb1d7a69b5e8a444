//! NFS: what the mount service lists to anyone (RFC 1813 §5.2.5), found through the port mapper
//! (RFC 1833 §3) where the port is not the mount service's own. Of each client only its kind is
//! kept. Nothing is asked at a port that the owner did not give, whatever the port mapper says.
//! Deliberately absent: MNT, and anything of NFS itself but its empty procedure.

use std::collections::BTreeMap;

use super::rpc::{Reply, call};
use super::talk::{Talk, Unanswered, be32};
use super::{Answer, Service};
use crate::catalogue::Name;
use crate::catalogue::network::N_06;
use crate::evidence::Fact;
use crate::finding::State;
use crate::net::{Line, Over};
use crate::probe::Look;

/// MOUNTPROC3_EXPORT.
const EXPORT: (u32, u32, u32) = (100_005, 3, 5);
/// PMAPPROC_GETPORT of version 2.
const GETPORT: (u32, u32, u32) = (100_000, 2, 3);
/// The empty procedures of NFS, by version.
const NFS_NULL: [(u32, u32, u32); 2] = [(100_003, 4, 0), (100_003, 3, 0)];
/// Where the port mapper is.
const PORT_MAPPER: u16 = 111;

/// Looks.
pub(super) async fn audit(look: &mut Look<'_, '_>) -> Answer {
    let mut found = ask(look.line, look.port).await?;
    if matches!(found, Some(Found::Nfs)) && !look.asset.ports.contains(&PORT_MAPPER) {
        // Its exports are told at a port that the owner did not give.
        found = Some(Found::Refused);
    }
    if let Some(Found::Elsewhere(port)) = found
        && !look.asset.ports.contains(&port)
    {
        found = Some(Found::Refused);
    }
    if let Some(Found::Elsewhere(port)) = found {
        found = match ask(look.line, port).await {
            Ok(Some(told @ (Found::Exports(_) | Found::Malformed))) => Some(told),
            Ok(_) => Some(Found::Refused),
            Err(error) => {
                let outcome = look.notes.note(&N_06, error.state());
                outcome.with("service", Fact::Known(Service::Nfs.name()));
                return Ok(Some(Over::Clear));
            }
        };
    }
    let (state, exports) = match found {
        None => return Ok(None),
        Some(Found::Exports(exports)) if exports.to_everyone() => (State::Finding, Some(exports)),
        Some(Found::Exports(exports)) => (State::Pass, Some(exports)),
        Some(Found::Malformed) => (State::Error, None),
        Some(Found::Refused) => (State::RefusedBefore, None),
        Some(Found::Nfs | Found::NoMounts | Found::Elsewhere(_)) => (State::NotApplicable, None),
    };
    let outcome = look.notes.note(&N_06, state).with("service", Fact::Known(Service::Nfs.name()));
    if let Some(exports) = exports {
        outcome.with("exports", Fact::Count(exports.count)).with("clients", Fact::Tally(exports.clients));
    }
    Ok(Some(Over::Clear))
}

/// What a port turned out to be.
enum Found {
    /// The mount service.
    Exports(Exports),
    /// The mount service, with a list that cannot be read to its end.
    Malformed,
    /// The port mapper, which knows the mount service's port.
    Elsewhere(u16),
    /// The port mapper, which knows of no mount service.
    NoMounts,
    /// NFS itself.
    Nfs,
    /// One of them, and it refuses, or leads where the owner did not send us.
    Refused,
}

async fn ask(line: &mut Line<'_>, port: u16) -> Result<Option<Found>, Unanswered> {
    let mut talk = Talk::open(line, port, Over::Clear).await?;
    match call(&mut talk, 1, EXPORT, &[]).await? {
        None => return Ok(None),
        Some(Reply::Results(results)) => {
            return Ok(Some(Exports::read(&results).map_or(Found::Malformed, Found::Exports)));
        }
        Some(Reply::Refused) => return Ok(Some(Found::Refused)),
        Some(Reply::NotHere) => {}
    }
    let (program, version, _) = EXPORT;
    const TCP: u32 = 6;
    if let Some(Reply::Results(results)) = call(&mut talk, 2, GETPORT, &[program, version, TCP, 0]).await? {
        let port = be32(&results, 0).and_then(|port| u16::try_from(port).ok());
        return Ok(port.map(|port| if port == 0 { Found::NoMounts } else { Found::Elsewhere(port) }));
    }
    for (id, null) in (3..).zip(NFS_NULL) {
        if let Some(Reply::Results(_)) = call(&mut talk, id, null, &[]).await? {
            return Ok(Some(Found::Nfs));
        }
    }
    Ok(None)
}

/// How many exports, and to what kinds of clients.
#[derive(Debug, Default, PartialEq, Eq)]
struct Exports {
    count: u64,
    clients: BTreeMap<Name, u64>,
}

const EVERYONE: Name = Name::fixed("everyone");

impl Exports {
    /// Reads a list of exports: each a path and a list of clients. `None` when it is none.
    fn read(mut xdr: &[u8]) -> Option<Exports> {
        let mut exports = Exports::default();
        while more(&mut xdr)? {
            text(&mut xdr, 1024)?;
            exports.count += 1;
            let mut named = false;
            while more(&mut xdr)? {
                exports.add(kind_of(text(&mut xdr, 255)?));
                named = true;
            }
            if !named {
                exports.add(EVERYONE);
            }
        }
        Some(exports)
    }

    fn add(&mut self, kind: Name) {
        *self.clients.entry(kind).or_default() += 1;
    }

    fn to_everyone(&self) -> bool {
        self.clients.contains_key(&EVERYONE)
    }
}

/// Whether the list goes on.
fn more(xdr: &mut &[u8]) -> Option<bool> {
    let follows = be32(xdr, 0)?;
    *xdr = &xdr[4..];
    (follows <= 1).then_some(follows == 1)
}

/// A string of at most so many bytes, padded to fours.
fn text<'xdr>(xdr: &mut &'xdr [u8], longest: usize) -> Option<&'xdr [u8]> {
    let length = usize::try_from(be32(xdr, 0)?).ok().filter(|length| *length <= longest)?;
    let (text, rest) = xdr[4..].split_at_checked(length.next_multiple_of(4))?;
    *xdr = rest;
    Some(&text[..length])
}

/// What kind of client a specification names.
pub(in crate::probe) fn kind_of(client: &[u8]) -> Name {
    let addresses = client.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b':' | b'a'..=b'f' | b'/' | b'*'));
    match client {
        b"" | b"*" | b"*.*" | b"(everyone)" | b"everyone" | b"0.0.0.0/0" | b"0.0.0.0/0.0.0.0" | b"::/0" => EVERYONE,
        [b'@', ..] | [b'+', ..] => Name::fixed("netgroup"),
        _ if addresses && client.iter().any(|byte| matches!(byte, b'/' | b'*')) => Name::fixed("network"),
        _ if addresses && client.iter().any(|byte| matches!(byte, b'.' | b':')) => Name::fixed("address"),
        _ if client.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) => Name::fixed("domain"),
        _ if client.contains(&b'/') => Name::fixed("network"),
        _ => Name::fixed("named-host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xdr(text: &str) -> Vec<u8> {
        let mut out = (text.len() as u32).to_be_bytes().to_vec();
        out.extend(text.bytes());
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    fn list(exports: &[(&str, &[&str])]) -> Vec<u8> {
        let (yes, no) = (1u32.to_be_bytes().to_vec(), 0u32.to_be_bytes().to_vec());
        let mut out = Vec::new();
        for (path, clients) in exports {
            out.extend([yes.clone(), xdr(path)].concat());
            for client in *clients {
                out.extend([yes.clone(), xdr(client)].concat());
            }
            out.extend(&no);
        }
        out.extend(no);
        out
    }

    #[test]
    fn kinds_of_clients_are_told_apart() {
        for (client, kind) in [
            ("*", "everyone"),
            ("0.0.0.0/0", "everyone"),
            ("@trusted", "netgroup"),
            ("10.0.0.0/24", "network"),
            ("10.1.*", "network"),
            ("10.0.0.7", "address"),
            ("*.hospital.example", "domain"),
            ("ct1.hospital.example", "named-host"),
        ] {
            assert_eq!(kind_of(client.as_bytes()).as_str(), kind, "{client}");
        }
    }

    #[test]
    fn an_export_without_clients_is_for_everyone() {
        let exports = Exports::read(&list(&[("/PLANTED^JANE", &[]), ("/b", &["10.0.0.7"])])).unwrap();
        assert_eq!(exports.count, 2);
        assert!(exports.to_everyone());
        let exports = Exports::read(&list(&[("/a", &["10.0.0.0/8", "ct1"])])).unwrap();
        assert!(!exports.to_everyone());
        assert_eq!(exports.clients.values().sum::<u64>(), 2);
    }

    #[test]
    fn half_a_list_is_no_list() {
        let whole = list(&[("/a", &["*"]), ("/b", &["host"])]);
        for end in 0..whole.len() {
            assert_eq!(Exports::read(&whole[..end]), None);
        }
        assert_eq!(Exports::read(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
