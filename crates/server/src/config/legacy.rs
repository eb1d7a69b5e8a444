//! `[dimse.legacy]`: where legacy peers are listened to, in clear text.
//!
//! Deliberately absent: an address (there is only an interface by name), and who may come: that
//! is declared with `leadglass peer add-legacy`, each for a year at most.

use super::section::section;

section! {
    /// Where legacy peers are listened to: devices that refuse TLS and even an edge, declared one
    /// by one with `leadglass peer add-legacy`. They store in clear text and do nothing else.
    /// Without an interface, and while none of them lives, there is no such listener.
    pub struct Legacy {
        /// The name of one private network interface, as `ip link` shows it. An interface that
        /// has a public address is refused.
        pub interface: String = String::new(),
        /// The TCP port. 0 takes any free one.
        pub port: u16 = 11112,
    }
}

impl Legacy {
    /// Whether a listener is configured at all.
    pub fn is_configured(&self) -> bool {
        !self.interface.is_empty()
    }
}
