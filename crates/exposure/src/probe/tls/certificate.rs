//! T-06: what a certificate says, without its names (RFC 5280, RFC 6125).

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::flight::bits;
use crate::catalogue::Name;
use crate::catalogue::tls::T_06;
use crate::evidence::{Fact, Hash};
use crate::finding::{Facet, Outcome, Severity, State};
use crate::probe::Look;
use crate::scope::Asset;

/// Days after which a certificate holds too long: what browsers allowed at last for a while,
/// and more than the two years that IHE ATNA recommends.
const LONGEST_DAYS: i64 = 825;
/// Days before its end at which it is time to renew.
const SOON_DAYS: i64 = 30;
const DAY: i64 = 86_400;

/// What was shown as certificate.
#[derive(Clone, Debug, Default)]
pub enum Presented {
    /// None was seen.
    #[default]
    Nothing,
    /// Bytes that are no X.509 certificate.
    Unreadable,
    /// A certificate.
    Readable(Box<Facts>),
}

/// What a certificate says. No text of it is in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Keyed hash of the subject's name.
    pub subject: Hash,
    /// Keyed hash of the issuer's name.
    pub issuer: Hash,
    /// SHA-256, cut short, of the public key (SubjectPublicKeyInfo): comparable between hosts.
    pub key: Hash,
    /// Whether it, or an issuer that signed it, is among the scope's trusted keys.
    pub pinned: bool,
    /// Whether it names itself as its issuer.
    pub self_issued: bool,
    /// First second in which it holds.
    pub not_before: i64,
    /// Last second in which it holds.
    pub not_after: i64,
    /// `rsa`, `ec`, …
    pub key_type: &'static str,
    /// Length of the key.
    pub key_bits: u32,
    /// Whether its key or one above it is too short.
    pub short_key: bool,
    /// How it is signed.
    pub signature: &'static str,
    /// Whether it or one above it is signed over a broken hash.
    pub weak_signature: bool,
    /// Whether it bears the name that the owner gave; none when the owner gave none.
    pub named: Option<bool>,
    /// Whether it holds for all hosts of a domain.
    pub wildcard: bool,
    /// How many certificates came.
    pub chain: u64,
}

/// Reads a chain, the host's own certificate first.
pub fn read<C: AsRef<[u8]>>(look: &Look<'_, '_>, chain: &[C]) -> Presented {
    let Some(own) = chain.first() else { return Presented::Nothing };
    let Some(leaf) = parse(own.as_ref()) else { return Presented::Unreadable };
    let above: Vec<_> = chain[1..].iter().filter_map(|der| Some((der.as_ref(), parse(der.as_ref())?))).collect();
    let key = &look.line.run().key;
    let trusted = &look.line.run().scope.trusted_keys;
    let issuers = || above.iter().map(|(_, certificate)| certificate).filter(|above| !is_self_issued(above));
    let (key_type, key_bits) = public_key(&leaf);
    Presented::Readable(Box::new(Facts {
        subject: key.hash("certificate name", leaf.subject().as_raw()),
        issuer: key.hash("certificate name", leaf.issuer().as_raw()),
        key: key_hash(&leaf),
        pinned: is_pinned(trusted, (own.as_ref(), &leaf), &above),
        self_issued: is_self_issued(&leaf),
        not_before: leaf.validity().not_before.timestamp(),
        not_after: leaf.validity().not_after.timestamp(),
        key_type,
        key_bits,
        short_key: is_short(key_type, key_bits)
            || issuers().any(|above| {
                let (key_type, key_bits) = public_key(above);
                is_short(key_type, key_bits)
            }),
        signature: signature(&leaf),
        weak_signature: is_broken(signature(&leaf)) || issuers().any(|above| is_broken(signature(above))),
        named: is_named(look.asset, look.line.address(), &leaf),
        wildcard: names(&leaf).iter().any(|name| name.starts_with("*.")),
        chain: chain.len() as u64,
    }))
}

/// Notes what is right and wrong with it.
pub fn judge(look: &mut Look<'_, '_>, facts: &Facts) {
    let now = look.line.run().now();
    let left = facts.not_after.saturating_sub(now).div_euclid(DAY);
    let lifetime = facts.not_after.saturating_sub(facts.not_before).div_euclid(DAY);
    let expired = now > facts.not_after;
    let soon = (!expired).then_some(left < SOON_DAYS);
    let strange = facts.self_issued && !facts.pinned;
    let parts = [
        ("expired", Some(expired), Severity::High),
        ("not-yet-valid", Some(now < facts.not_before), Severity::High),
        ("expiring-soon", soon, Severity::Low),
        ("lifetime", Some(lifetime > LONGEST_DAYS), Severity::Low),
        ("self-signed", Some(strange), Severity::Medium),
        ("name", facts.named.map(|named| !named), Severity::Medium),
        ("wildcard", Some(facts.wildcard), Severity::Low),
        ("key-size", Some(facts.short_key), Severity::High),
        ("signature", Some(facts.weak_signature), Severity::High),
    ];
    for (part, wrong, severity) in parts {
        let state = match wrong {
            Some(true) => State::Finding,
            Some(false) => State::Pass,
            None => State::NotApplicable,
        };
        let outcome = look.notes.note(&T_06, state).facet(Facet::Part(Name::fixed(part)));
        if state == State::Finding {
            outcome.severity(severity);
            evidence(outcome, facts);
            match part {
                "expired" | "expiring-soon" => outcome.with("days-left", days(left)),
                "not-yet-valid" => outcome.with("valid-in", days((facts.not_before - now).div_euclid(DAY))),
                "lifetime" => outcome.with("valid-for", days(lifetime)),
                _ => outcome,
            };
        }
    }
}

fn evidence(outcome: &mut Outcome, facts: &Facts) {
    outcome
        .with("subject", Fact::Hash(facts.subject))
        .with("issuer", Fact::Hash(facts.issuer))
        .with("key", Fact::Hash(facts.key))
        .with("key-type", Fact::Known(Name::fixed(facts.key_type)))
        .with("key-bits", Fact::Count(facts.key_bits.into()))
        .with("signature-algorithm", Fact::Known(Name::fixed(facts.signature)))
        .with("pinned", Fact::Flag(facts.pinned))
        .with("chain", Fact::Count(facts.chain));
}

fn days(days: i64) -> Fact {
    Fact::Days(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX }))
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

fn key_hash(certificate: &X509Certificate<'_>) -> Hash {
    let mut hash = [0; 16];
    hash.copy_from_slice(&sha256(certificate.public_key().raw)[..16]);
    Hash(hash)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// Whether the owner knows the certificate, or one above it whose signature it bears.
fn is_pinned(trusted: &[[u8; 32]], own: (&[u8], &X509Certificate<'_>), above: &[(&[u8], X509Certificate<'_>)]) -> bool {
    let known = |der: &[u8], certificate: &X509Certificate<'_>| {
        trusted.contains(&sha256(der)) || trusted.contains(&sha256(certificate.public_key().raw))
    };
    if trusted.is_empty() || known(own.0, own.1) {
        return !trusted.is_empty();
    }
    let mut below = own.1;
    for (der, certificate) in above {
        let signed = below.issuer().as_raw() == certificate.subject().as_raw()
            && below.verify_signature(Some(certificate.public_key())).is_ok();
        if !signed {
            return false;
        }
        if known(der, certificate) {
            return true;
        }
        below = certificate;
    }
    false
}

fn public_key(certificate: &X509Certificate<'_>) -> (&'static str, u32) {
    let spki = certificate.public_key();
    match (spki.parsed(), spki.algorithm.algorithm.to_id_string().as_str()) {
        (Ok(PublicKey::RSA(key)), _) => ("rsa", bits(key.modulus)),
        (Ok(PublicKey::EC(point)), _) => ("ec", u32::try_from(point.key_size()).unwrap_or(0)),
        (Ok(PublicKey::DSA(public)), _) => ("dsa", bits(public)),
        (_, "1.3.101.112") => ("ed25519", 256),
        (_, "1.3.101.113") => ("ed448", 456),
        _ => ("other", 0),
    }
}

fn is_short(key_type: &str, bits: u32) -> bool {
    match key_type {
        "rsa" => bits < 2048,
        "dsa" => bits < 2040, // of the public value, which may be a little shorter than the group
        "ec" => bits < 256,
        _ => false,
    }
}

/// RFC 3279, RFC 4055, RFC 5758, RFC 8410.
fn signature(certificate: &X509Certificate<'_>) -> &'static str {
    let algorithm = &certificate.signature_algorithm;
    match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.2" => "rsa-md2",
        "1.2.840.113549.1.1.4" => "rsa-md5",
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => "rsa-sha1",
        "1.2.840.113549.1.1.10" => pss(algorithm),
        "1.2.840.113549.1.1.11" => "rsa-sha256",
        "1.2.840.113549.1.1.12" => "rsa-sha384",
        "1.2.840.113549.1.1.13" => "rsa-sha512",
        "1.2.840.113549.1.1.14" => "rsa-sha224",
        "1.2.840.10040.4.3" => "dsa-sha1",
        "2.16.840.1.101.3.4.3.2" => "dsa-sha256",
        "1.2.840.10045.4.1" => "ecdsa-sha1",
        "1.2.840.10045.4.3.1" => "ecdsa-sha224",
        "1.2.840.10045.4.3.2" => "ecdsa-sha256",
        "1.2.840.10045.4.3.3" => "ecdsa-sha384",
        "1.2.840.10045.4.3.4" => "ecdsa-sha512",
        "1.3.101.112" => "ed25519",
        "1.3.101.113" => "ed448",
        _ => "other",
    }
}

/// RSASSA-PSS without parameters is one over SHA-1, RFC 4055 3.1.
fn pss(algorithm: &x509_parser::x509::AlgorithmIdentifier<'_>) -> &'static str {
    use x509_parser::signature_algorithm::RsaSsaPssParams;
    let hash = algorithm.parameters.as_ref().and_then(|parameters| RsaSsaPssParams::try_from(parameters).ok());
    match hash.map(|parameters| parameters.hash_algorithm_oid().to_id_string()).as_deref() {
        None | Some("1.3.14.3.2.26") => "rsa-pss-sha1",
        Some(_) => "rsa-pss",
    }
}

fn is_broken(signature: &str) -> bool {
    matches!(signature, "rsa-md2" | "rsa-md5" | "rsa-sha1" | "rsa-pss-sha1" | "ecdsa-sha1" | "dsa-sha1")
}

/// DNS names of the subjectAltName; the common names where there is none, as devices have it.
fn names<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    match alternatives {
        Some(alternatives) => {
            let dns = |name: &GeneralName<'a>| if let GeneralName::DNSName(name) = name { Some(*name) } else { None };
            alternatives.value.general_names.iter().filter_map(dns).collect()
        }
        None => certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()).collect(),
    }
}

fn is_named(asset: &Asset, address: IpAddr, certificate: &X509Certificate<'_>) -> Option<bool> {
    let names = names(certificate);
    let bears = |wanted: &str| match wanted.parse::<IpAddr>() {
        Ok(wanted) => has_address(certificate, wanted),
        Err(_) => names.iter().any(|name| matches_name(name, wanted)),
    };
    match &asset.tls_name {
        Some(name) => Some(bears(name)),
        None if asset.hosts.iter().any(|host| bears(host)) || has_address(certificate, address) => Some(true),
        None if asset.hosts.is_empty() => None,
        None => Some(false),
    }
}

fn has_address(certificate: &X509Certificate<'_>, address: IpAddr) -> bool {
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let is_it = |name: &GeneralName<'_>| matches!(name, GeneralName::IPAddress(held) if *held == bytes);
    alternatives.is_some_and(|alternatives| alternatives.value.general_names.iter().any(is_it))
}

/// RFC 6125 6.4.3: a star stands for one label, the leftmost.
fn matches_name(held: &str, wanted: &str) -> bool {
    let (held, wanted) = (held.trim_end_matches('.'), wanted.trim_end_matches('.'));
    match held.strip_prefix("*.") {
        Some(domain) => wanted.split_once('.').is_some_and(|(_, above)| above.eq_ignore_ascii_case(domain)),
        None => held.eq_ignore_ascii_case(wanted),
    }
}
