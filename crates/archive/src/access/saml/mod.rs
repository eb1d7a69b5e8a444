//! SAML 2.0 assertions (PS3.15 B.7, PS3.7 D.3.3.7.1 type 4): verified, strictly.
//!
//! One enveloped signature over the whole assertion, exclusive canonicalization, SHA-256, a key
//! that was configured for the issuer. What is read afterwards is parsed from the very bytes
//! that were digested, so nothing can be wrapped around or slipped beside what was signed.
//! Deliberately absent: encrypted assertions, responses, artifacts, certificates in the
//! document, any other transform, any choice by whoever signed.

mod canonical;
#[cfg(test)]
mod tests;
mod xml;

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::canonical::canonical;
use self::xml::{Id, Tree};
use super::public_key::{Algorithm, PublicKey};

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
/// How far clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(60);
/// Longest name of a subject, in characters.
const LONGEST_NAME: usize = 255;

/// What an assertion must say to be believed.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Exactly this issuer.
    pub issuer: &'a str,
    /// The keys it signs with.
    pub keys: &'a [PublicKey],
    /// This audience, in every restriction.
    pub audience: &'a str,
    /// Exactly this recipient of the bearer.
    pub recipient: &'a str,
    /// The hour.
    pub now: SystemTime,
}

/// What a verified assertion says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Its own name, unique at its issuer.
    pub id: String,
    /// Who.
    pub subject: String,
    /// When it ends.
    pub expires: SystemTime,
    /// Whether it must not be shown twice.
    pub once: bool,
    /// Attributes by name, all values.
    pub attributes: Vec<(String, Vec<String>)>,
}

/// Why an assertion is not believed. For our log and trail, never for whoever showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamlError {
    /// No XML of the kind we read, or beyond a bound.
    #[error("not an assertion")]
    Malformed,
    /// Something is missing, there twice, or where it does not belong.
    #[error("an assertion of another structure")]
    Structure,
    /// An algorithm or transform that is not accepted.
    #[error("an algorithm that is not accepted")]
    Algorithm,
    /// What was signed is not the assertion.
    #[error("a reference to something else")]
    Reference,
    /// The digest is another's.
    #[error("a wrong digest")]
    Digest,
    /// The signature is no configured key's.
    #[error("a wrong signature")]
    Signature,
    /// Another issuer.
    #[error("another issuer")]
    Issuer,
    /// Another audience.
    #[error("another audience")]
    Audience,
    /// Another recipient, or no bearer.
    #[error("another recipient")]
    Recipient,
    /// It is over.
    #[error("expired")]
    Expired,
    /// It has not begun.
    #[error("not yet valid")]
    NotYet,
    /// A condition we do not know.
    #[error("a condition that is not known")]
    Condition,
}

impl SamlError {
    /// For the trail: our own words.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            SamlError::Malformed => "SAML: not an assertion",
            SamlError::Structure => "SAML: an assertion of another structure",
            SamlError::Algorithm => "SAML: an algorithm that is not accepted",
            SamlError::Reference => "SAML: a reference to something else",
            SamlError::Digest => "SAML: a wrong digest",
            SamlError::Signature => "SAML: a wrong signature",
            SamlError::Issuer => "SAML: another issuer",
            SamlError::Audience => "SAML: another audience",
            SamlError::Recipient => "SAML: another recipient",
            SamlError::Expired => "SAML: expired",
            SamlError::NotYet => "SAML: not yet valid",
            SamlError::Condition => "SAML: a condition that is not known",
        }
    }
}

/// The issuer that an assertion names, unverified: to find out whose keys to try.
///
/// # Errors
/// [`SamlError`] when there is none.
pub fn issuer_of(assertion: &[u8]) -> Result<String, SamlError> {
    let tree = Tree::parse(assertion)?;
    let issuer = tree.only(Tree::ROOT, SAML, "Issuer")?;
    Ok(tree.text(issuer)?.to_owned())
}

/// What an assertion says, once it is proven that the issuer said it, to us, and that it holds now.
///
/// # Errors
/// [`SamlError`], the first thing that is wrong; the signature is looked at before any claim.
pub fn verify(assertion: &[u8], expected: &Expected<'_>) -> Result<Assertion, SamlError> {
    let signed = verified(&Tree::parse(assertion)?, expected.keys)?;
    // Read from what was digested, and from nothing else.
    claims(&Tree::parse(&signed)?, expected)
}

/// The canonical bytes of the assertion without its signature, which covers exactly them.
fn verified(tree: &Tree, keys: &[PublicKey]) -> Result<Vec<u8>, SamlError> {
    if !tree.is(Tree::ROOT, SAML, "Assertion") {
        return Err(SamlError::Structure);
    }
    let signatures: Vec<Id> = tree.ids().filter(|id| tree.is(*id, DSIG, "Signature")).collect();
    let signature = tree.only(Tree::ROOT, DSIG, "Signature")?;
    let assertions = tree.ids().filter(|id| tree.element(*id).local == "Assertion").count();
    if signatures != [signature] || assertions != 1 {
        return Err(SamlError::Structure);
    }
    let signed_info = tree.only(signature, DSIG, "SignedInfo")?;
    let algorithm = algorithm(tree, signed_info)?;
    let digest = digest(tree, signed_info)?;
    let content = canonical(tree, Tree::ROOT, Some(signature));
    if aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &content).as_ref() != digest {
        return Err(SamlError::Digest);
    }
    let value = decoded(tree.text(tree.only(signature, DSIG, "SignatureValue")?)?)?;
    let message = canonical(tree, signed_info, None);
    match keys.iter().any(|key| key.verifies(algorithm, &message, &value)) {
        true => Ok(content),
        false => Err(SamlError::Signature),
    }
}

fn algorithm(tree: &Tree, signed_info: Id) -> Result<Algorithm, SamlError> {
    let names: Vec<&str> = tree.children(signed_info).map(|id| tree.element(id).local.as_str()).collect();
    if names != ["CanonicalizationMethod", "SignatureMethod", "Reference"] || !tree.is_structure(signed_info) {
        return Err(SamlError::Structure);
    }
    let method = tree.only(signed_info, DSIG, "CanonicalizationMethod")?;
    if named(tree, method)? != EXCLUSIVE {
        return Err(SamlError::Algorithm);
    }
    match named(tree, tree.only(signed_info, DSIG, "SignatureMethod")?)? {
        RSA_SHA256 => Ok(Algorithm::Rs256),
        ECDSA_SHA256 => Ok(Algorithm::Es256),
        _ => Err(SamlError::Algorithm),
    }
}

/// The digest of the one reference, which must be to the whole assertion by the two transforms.
fn digest(tree: &Tree, signed_info: Id) -> Result<Vec<u8>, SamlError> {
    let reference = tree.only(signed_info, DSIG, "Reference")?;
    let id = tree.attribute(Tree::ROOT, "ID").filter(|id| !id.is_empty()).ok_or(SamlError::Structure)?;
    if tree.attribute(reference, "URI").and_then(|uri| uri.strip_prefix('#')) != Some(id) {
        return Err(SamlError::Reference);
    }
    // By whatever spelling another reader would look it up, it is there once.
    let spellings = tree.ids().flat_map(|element| &tree.element(element).attributes);
    let same = |local: &str, value: &str| local.eq_ignore_ascii_case("id") && value == id;
    if spellings.filter(|attribute| same(&attribute.local, &attribute.value)).count() != 1 {
        return Err(SamlError::Reference);
    }
    let transforms = tree.only(reference, DSIG, "Transforms")?;
    let all: Vec<Id> = tree.children(transforms).collect();
    let [enveloped, exclusive] = all[..] else { return Err(SamlError::Algorithm) };
    for (transform, wanted) in [(enveloped, ENVELOPED), (exclusive, EXCLUSIVE)] {
        if !tree.is(transform, DSIG, "Transform") || named(tree, transform)? != wanted {
            return Err(SamlError::Algorithm);
        }
    }
    if named(tree, tree.only(reference, DSIG, "DigestMethod")?)? != SHA256 {
        return Err(SamlError::Algorithm);
    }
    decoded(tree.text(tree.only(reference, DSIG, "DigestValue")?)?)
}

/// The algorithm an element names; parameters inside it are refused.
fn named(tree: &Tree, id: Id) -> Result<&str, SamlError> {
    if tree.children(id).next().is_some() {
        return Err(SamlError::Algorithm);
    }
    tree.attribute(id, "Algorithm").ok_or(SamlError::Structure)
}

fn decoded(text: &str) -> Result<Vec<u8>, SamlError> {
    let plain: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(plain).map_err(|_| SamlError::Malformed)
}

fn claims(tree: &Tree, expected: &Expected<'_>) -> Result<Assertion, SamlError> {
    if tree.attribute(Tree::ROOT, "Version") != Some("2.0") {
        return Err(SamlError::Structure);
    }
    if tree.text(tree.only(Tree::ROOT, SAML, "Issuer")?)? != expected.issuer {
        return Err(SamlError::Issuer);
    }
    let (conditions_end, once) = conditions(tree, expected)?;
    let (subject, bearer_end) = subject(tree, expected)?;
    if tree.named(Tree::ROOT, SAML, "AuthnStatement").is_empty() {
        return Err(SamlError::Structure);
    }
    Ok(Assertion {
        id: tree.attribute(Tree::ROOT, "ID").unwrap_or_default().to_owned(),
        subject,
        expires: conditions_end.min(bearer_end),
        once,
        attributes: attributes(tree)?,
    })
}

fn conditions(tree: &Tree, expected: &Expected<'_>) -> Result<(SystemTime, bool), SamlError> {
    let conditions = tree.only(Tree::ROOT, SAML, "Conditions")?;
    let end = window(tree, conditions, expected.now)?;
    let mut restricted = false;
    let mut once = false;
    for condition in tree.children(conditions) {
        if tree.is(condition, SAML, "AudienceRestriction") {
            let mut audiences = tree.children(condition).filter(|id| tree.is(*id, SAML, "Audience"));
            if !audiences.any(|audience| tree.text(audience) == Ok(expected.audience)) {
                return Err(SamlError::Audience);
            }
            restricted = true;
        } else if tree.is(condition, SAML, "OneTimeUse") {
            once = true;
        } else {
            // SAML core 2.5.1: what is not understood makes the assertion invalid.
            return Err(SamlError::Condition);
        }
    }
    if restricted { Ok((end, once)) } else { Err(SamlError::Audience) }
}

fn subject(tree: &Tree, expected: &Expected<'_>) -> Result<(String, SystemTime), SamlError> {
    let subject = tree.only(Tree::ROOT, SAML, "Subject")?;
    let name = tree.text(tree.only(subject, SAML, "NameID")?)?;
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !fits || name.trim() != name {
        return Err(SamlError::Structure);
    }
    let confirmation = tree.only(subject, SAML, "SubjectConfirmation")?;
    let data = tree.only(confirmation, SAML, "SubjectConfirmationData")?;
    let is_bearer = tree.attribute(confirmation, "Method") == Some(BEARER);
    if !is_bearer || tree.attribute(data, "Recipient") != Some(expected.recipient) {
        return Err(SamlError::Recipient);
    }
    Ok((name.to_owned(), window(tree, data, expected.now)?))
}

/// The end of the time an element gives, which must be running.
fn window(tree: &Tree, id: Id, now: SystemTime) -> Result<SystemTime, SamlError> {
    let time = |name| tree.attribute(id, name).map(instant).transpose();
    if time("NotBefore")?.is_some_and(|begin| now + LEEWAY < begin) {
        return Err(SamlError::NotYet);
    }
    let end = time("NotOnOrAfter")?.ok_or(SamlError::Expired)?;
    if now >= end + LEEWAY { Err(SamlError::Expired) } else { Ok(end + LEEWAY) }
}

/// A time in UTC (SAML core 1.3.3).
fn instant(text: &str) -> Result<SystemTime, SamlError> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| SamlError::Malformed)?;
    let plausible = text.ends_with('Z') && (2000..=9000).contains(&time.year());
    if plausible { Ok(time.into()) } else { Err(SamlError::Malformed) }
}

fn attributes(tree: &Tree) -> Result<Vec<(String, Vec<String>)>, SamlError> {
    let statements = tree.named(Tree::ROOT, SAML, "AttributeStatement");
    let all = statements.into_iter().flat_map(|statement| tree.named(statement, SAML, "Attribute"));
    all.map(|attribute| {
        let name = tree.attribute(attribute, "Name").ok_or(SamlError::Structure)?;
        let values = tree.named(attribute, SAML, "AttributeValue").into_iter();
        let values = values.map(|value| Ok(tree.text(value)?.to_owned())).collect::<Result<_, SamlError>>()?;
        Ok((name.to_owned(), values))
    })
    .collect()
}
