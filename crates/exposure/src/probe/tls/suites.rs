//! Cipher suites of TLS 1.2 and before (IANA registry "TLS Cipher Suites"), and what is weak about each.
//!
//! Deliberately absent: suites with pre-shared keys, Kerberos or SRP, which nobody here has.

/// What is weak about a suite, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weakness {
    /// Nothing is encrypted.
    Null,
    /// The server shows no certificate.
    Anonymous,
    /// Keys of 40 or 56 bits.
    Export,
    /// RC4, RFC 7465.
    Rc4,
    /// Blocks of 64 bits (Sweet32).
    TripleDes,
    /// The certificate's key opens everything recorded.
    StaticKey,
    /// MAC, then encrypt.
    Cbc,
}

/// How keys are agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Encrypted to the certificate's key.
    Rsa,
    /// A 512-bit key made for the export rules of the 1990s.
    RsaExport,
    /// With the certificate's own curve point.
    Ecdh,
    /// Ephemeral Diffie-Hellman.
    Dhe,
    /// The same on a curve.
    Ecdhe,
}

/// A suite.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// Its number.
    pub id: u16,
    /// How keys are agreed on.
    pub exchange: Exchange,
    /// What is weak about it.
    pub weak: &'static [Weakness],
}

/// The suite with that number.
pub fn suite(id: u16) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.id == id)
}

impl Suite {
    /// Whether it has that weakness.
    pub fn is(&self, weakness: Weakness) -> bool {
        self.weak.contains(&weakness)
    }

    /// Whether it has none of the weaknesses that are worse than those of its key exchange or mode.
    pub fn is_usual(&self) -> bool {
        self.weak.iter().all(|weakness| *weakness >= Weakness::StaticKey)
    }
}

const fn of(id: u16, exchange: Exchange, weak: &'static [Weakness]) -> Suite {
    Suite { id, exchange, weak }
}

use Exchange::{Dhe, Ecdh, Ecdhe, Rsa, RsaExport};
use Weakness::{Anonymous, Cbc, Export, Null, Rc4, StaticKey, TripleDes};

const NULL: &[Weakness] = &[Null];
const NULL_STATIC: &[Weakness] = &[Null, StaticKey];
const ANONYMOUS_CBC: &[Weakness] = &[Anonymous, Cbc];
const RC4_STATIC: &[Weakness] = &[Rc4, StaticKey];
const TRIPLE_DES_STATIC: &[Weakness] = &[TripleDes, StaticKey, Cbc];
const TRIPLE_DES: &[Weakness] = &[TripleDes, Cbc];
const STATIC_CBC: &[Weakness] = &[StaticKey, Cbc];
const STATIC: &[Weakness] = &[StaticKey];
const CBC: &[Weakness] = &[Cbc];

/// Worst first: a server that follows our order takes the worst that it allows.
pub static SUITES: &[Suite] = &[
    // Nothing encrypted.
    of(0xc015, Ecdhe, &[Null, Anonymous]),
    of(0x0001, Rsa, NULL_STATIC),
    of(0x0002, Rsa, NULL_STATIC),
    of(0x003b, Rsa, NULL_STATIC),
    of(0xc001, Ecdh, NULL_STATIC),
    of(0xc00b, Ecdh, NULL_STATIC),
    of(0xc006, Ecdhe, NULL),
    of(0xc010, Ecdhe, NULL),
    // Nobody authenticated.
    of(0x0017, Dhe, &[Anonymous, Export, Rc4]),
    of(0x0019, Dhe, &[Anonymous, Export, Cbc]),
    of(0x001a, Dhe, &[Anonymous, Export, Cbc]),
    of(0x0018, Dhe, &[Anonymous, Rc4]),
    of(0xc016, Ecdhe, &[Anonymous, Rc4]),
    of(0x001b, Dhe, &[Anonymous, TripleDes, Cbc]),
    of(0xc017, Ecdhe, &[Anonymous, TripleDes, Cbc]),
    of(0x0034, Dhe, ANONYMOUS_CBC),
    of(0x003a, Dhe, ANONYMOUS_CBC),
    of(0x006c, Dhe, ANONYMOUS_CBC),
    of(0x006d, Dhe, ANONYMOUS_CBC),
    of(0x0046, Dhe, ANONYMOUS_CBC),
    of(0x0089, Dhe, ANONYMOUS_CBC),
    of(0x00bf, Dhe, ANONYMOUS_CBC),
    of(0x00c5, Dhe, ANONYMOUS_CBC),
    of(0xc018, Ecdhe, ANONYMOUS_CBC),
    of(0xc019, Ecdhe, ANONYMOUS_CBC),
    of(0x00a6, Dhe, &[Anonymous]),
    of(0x00a7, Dhe, &[Anonymous]),
    // 40 and 56 bits.
    of(0x0003, RsaExport, &[Export, Rc4, StaticKey]),
    of(0x0006, RsaExport, &[Export, StaticKey, Cbc]),
    of(0x0008, RsaExport, &[Export, StaticKey, Cbc]),
    of(0x0062, RsaExport, &[Export, StaticKey, Cbc]),
    of(0x0064, RsaExport, &[Export, Rc4, StaticKey]),
    of(0x0011, Dhe, &[Export, Cbc]),
    of(0x0014, Dhe, &[Export, Cbc]),
    of(0x0009, Rsa, &[Export, StaticKey, Cbc]),
    of(0x0012, Dhe, &[Export, Cbc]),
    of(0x0015, Dhe, &[Export, Cbc]),
    // RC4.
    of(0x0004, Rsa, RC4_STATIC),
    of(0x0005, Rsa, RC4_STATIC),
    of(0xc002, Ecdh, RC4_STATIC),
    of(0xc00c, Ecdh, RC4_STATIC),
    of(0xc007, Ecdhe, &[Rc4]),
    of(0xc011, Ecdhe, &[Rc4]),
    // Triple DES.
    of(0x000a, Rsa, TRIPLE_DES_STATIC),
    of(0xc003, Ecdh, TRIPLE_DES_STATIC),
    of(0xc00d, Ecdh, TRIPLE_DES_STATIC),
    of(0x0013, Dhe, TRIPLE_DES),
    of(0x0016, Dhe, TRIPLE_DES),
    of(0xc008, Ecdhe, TRIPLE_DES),
    of(0xc012, Ecdhe, TRIPLE_DES),
    // No ephemeral key.
    of(0x002f, Rsa, STATIC_CBC),
    of(0x0035, Rsa, STATIC_CBC),
    of(0x003c, Rsa, STATIC_CBC),
    of(0x003d, Rsa, STATIC_CBC),
    of(0x0041, Rsa, STATIC_CBC),
    of(0x0084, Rsa, STATIC_CBC),
    of(0x00ba, Rsa, STATIC_CBC),
    of(0x00c0, Rsa, STATIC_CBC),
    of(0x0096, Rsa, STATIC_CBC),
    of(0xc004, Ecdh, STATIC_CBC),
    of(0xc005, Ecdh, STATIC_CBC),
    of(0xc00e, Ecdh, STATIC_CBC),
    of(0xc00f, Ecdh, STATIC_CBC),
    of(0xc025, Ecdh, STATIC_CBC),
    of(0xc026, Ecdh, STATIC_CBC),
    of(0xc029, Ecdh, STATIC_CBC),
    of(0xc02a, Ecdh, STATIC_CBC),
    of(0x009c, Rsa, STATIC),
    of(0x009d, Rsa, STATIC),
    of(0xc09c, Rsa, STATIC),
    of(0xc09d, Rsa, STATIC),
    of(0xc0a0, Rsa, STATIC),
    of(0xc0a1, Rsa, STATIC),
    of(0xc050, Rsa, STATIC),
    of(0xc051, Rsa, STATIC),
    of(0xc02d, Ecdh, STATIC),
    of(0xc02e, Ecdh, STATIC),
    of(0xc031, Ecdh, STATIC),
    of(0xc032, Ecdh, STATIC),
    // Ephemeral keys, MAC then encrypt.
    of(0x0032, Dhe, CBC),
    of(0x0038, Dhe, CBC),
    of(0x0040, Dhe, CBC),
    of(0x006a, Dhe, CBC),
    of(0x0033, Dhe, CBC),
    of(0x0039, Dhe, CBC),
    of(0x0067, Dhe, CBC),
    of(0x006b, Dhe, CBC),
    of(0x0045, Dhe, CBC),
    of(0x0088, Dhe, CBC),
    of(0x00be, Dhe, CBC),
    of(0x00c4, Dhe, CBC),
    of(0x009a, Dhe, CBC),
    of(0xc009, Ecdhe, CBC),
    of(0xc00a, Ecdhe, CBC),
    of(0xc013, Ecdhe, CBC),
    of(0xc014, Ecdhe, CBC),
    of(0xc023, Ecdhe, CBC),
    of(0xc024, Ecdhe, CBC),
    of(0xc027, Ecdhe, CBC),
    of(0xc028, Ecdhe, CBC),
    of(0xc072, Ecdhe, CBC),
    of(0xc073, Ecdhe, CBC),
    of(0xc076, Ecdhe, CBC),
    of(0xc077, Ecdhe, CBC),
    // As it should be.
    of(0x00a2, Dhe, &[]),
    of(0x00a3, Dhe, &[]),
    of(0x009e, Dhe, &[]),
    of(0x009f, Dhe, &[]),
    of(0xccaa, Dhe, &[]),
    of(0xc09e, Dhe, &[]),
    of(0xc09f, Dhe, &[]),
    of(0xc0a2, Dhe, &[]),
    of(0xc0a3, Dhe, &[]),
    of(0xc052, Dhe, &[]),
    of(0xc053, Dhe, &[]),
    of(0xc0ac, Ecdhe, &[]),
    of(0xc0ad, Ecdhe, &[]),
    of(0xc0ae, Ecdhe, &[]),
    of(0xc0af, Ecdhe, &[]),
    of(0xc05c, Ecdhe, &[]),
    of(0xc05d, Ecdhe, &[]),
    of(0xc060, Ecdhe, &[]),
    of(0xc061, Ecdhe, &[]),
    of(0xcca8, Ecdhe, &[]),
    of(0xcca9, Ecdhe, &[]),
    of(0xc02b, Ecdhe, &[]),
    of(0xc02c, Ecdhe, &[]),
    of(0xc02f, Ecdhe, &[]),
    of(0xc030, Ecdhe, &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_stands_once_and_worst_come_first() {
        let mut ids: Vec<u16> = SUITES.iter().map(|suite| suite.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), SUITES.len());
        let worst: Vec<_> =
            SUITES.iter().map(|suite| suite.weak.first().map_or(u8::MAX, |worst| *worst as u8)).collect();
        assert!(worst.is_sorted());
    }

    #[test]
    fn a_static_key_is_one_that_is_not_made_afresh() {
        for suite in SUITES {
            let fresh = matches!(suite.exchange, Exchange::Dhe | Exchange::Ecdhe);
            assert_eq!(suite.is(StaticKey), !fresh, "{:#06x}", suite.id);
            assert!(suite.weak.is_sorted());
        }
    }
}
