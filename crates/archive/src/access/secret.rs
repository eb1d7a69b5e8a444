//! Secrets we hand out: 256 random bits, shown once, kept as a digest.
//!
//! A plain SHA-256 is enough to store them: nobody can guess 256 bits, so there is nothing
//! for a slow hash to slow down.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What an API token begins with, so that people and scanners recognize a leaked one.
const TOKEN_PREFIX: &str = "lgt_";
/// What a setup code begins with.
const SETUP_PREFIX: &str = "lgs_";
/// What the secret of a session begins with.
const SESSION_PREFIX: &str = "lgw_";
/// What an invitation begins with.
const INVITATION_PREFIX: &str = "lgi_";
/// What the ticket of something begun begins with.
const TICKET_PREFIX: &str = "lgb_";
/// Those that are found by their digest.
const KEPT: [&str; 5] = [TOKEN_PREFIX, SETUP_PREFIX, SESSION_PREFIX, INVITATION_PREFIX, ENROLMENT_PREFIX];
/// What an enrolment token begins with; its invitation's name and a full stop follow.
const ENROLMENT_PREFIX: &str = "lge_";
/// Longest text looked at.
const LONGEST: usize = 64;

/// A fresh API token, as its holder writes it.
pub(crate) fn fresh_token() -> Option<String> {
    fresh(TOKEN_PREFIX)
}

/// A fresh setup code.
pub(crate) fn fresh_setup_code() -> Option<String> {
    fresh(SETUP_PREFIX)
}

/// A fresh secret of a session.
pub(crate) fn fresh_session() -> Option<String> {
    fresh(SESSION_PREFIX)
}

/// A fresh invitation.
pub(crate) fn fresh_invitation() -> Option<String> {
    fresh(INVITATION_PREFIX)
}

/// A fresh ticket.
pub(crate) fn fresh_ticket() -> Option<String> {
    fresh(TICKET_PREFIX)
}

/// A fresh enrolment token.
pub(crate) fn fresh_enrolment_token() -> Option<String> {
    let mut id = [0u8; 9];
    rand::fill(&mut id).ok()?;
    fresh(&format!("{ENROLMENT_PREFIX}{}.", URL_SAFE_NO_PAD.encode(id)))
}

/// The name of the invitation that a token is of.
pub(crate) fn enrolment_id(token: &str) -> Option<&str> {
    let (id, _) = token.strip_prefix(ENROLMENT_PREFIX)?.split_once('.')?;
    (token.len() <= LONGEST && !id.is_empty()).then_some(id)
}

/// The digest a secret is kept and looked up by, lower-case hex. `None` for what cannot be
/// one of ours.
pub(crate) fn secret_digest(text: &str) -> Option<String> {
    let ours = text.len() <= LONGEST && KEPT.iter().any(|prefix| text.starts_with(prefix));
    ours.then(|| sha256_hex(text.as_bytes()))
}

/// SHA-256 as lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn fresh(prefix: &str) -> Option<String> {
    let mut secret = zeroize::Zeroizing::new([0u8; 32]);
    rand::fill(secret.as_mut_slice()).ok()?;
    Some(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(secret.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_different_and_found_by_digest() {
        let (one, other) = (fresh_token().unwrap(), fresh_token().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), TOKEN_PREFIX.len() + 43);
        assert_eq!(secret_digest(&one), secret_digest(&one));
        assert_ne!(secret_digest(&one), secret_digest(&other));
    }

    #[test]
    fn foreign_text_is_not_hashed() {
        assert_eq!(secret_digest("password"), None);
        assert_eq!(secret_digest(&format!("lgt_{}", "a".repeat(10_000))), None);
    }
}
