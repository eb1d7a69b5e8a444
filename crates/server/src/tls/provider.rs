//! Which cryptography TLS may use: PS3.15 B.12, that is BCP 195 (RFC 8996 and 9325).

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CipherSuite, ProtocolVersion, SupportedProtocolVersion};

/// TLS 1.3, and 1.2 for those who have no better.
pub const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// The suites for TLS 1.2 that RFC 9325 §4.2 recommends.
const TLS12_SUITES: [CipherSuite; 4] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// aws-lc-rs with those suites; for TLS 1.3 all of its three.
pub fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.version().version == ProtocolVersion::TLSv1_3 || TLS12_SUITES.contains(&suite.suite()));
    Arc::new(provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_suites_of_1_3_and_the_four_recommended_of_1_2() {
        let suites = provider().cipher_suites.clone();
        let of = |version| suites.iter().filter(|s| s.version().version == version).count();
        assert_eq!((of(ProtocolVersion::TLSv1_3), of(ProtocolVersion::TLSv1_2)), (3, 4));
    }
}
