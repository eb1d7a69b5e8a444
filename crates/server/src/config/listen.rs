//! `[listen]`: where the doors are.

use std::net::SocketAddr;

use super::section::section;

section! {
    /// Where the doors are. Both speak TLS and both authenticate; neither has an off switch.
    /// Where others could come they open only when setup is done, an administrator has a second
    /// factor, and a stranger's look at them (`leadglass exposure self`) finds nothing; until
    /// then they are on loopback, at the same ports.
    pub struct Listen {
        /// HTTPS: DICOMweb, administration, the web face. Port 0 takes any free one.
        pub https: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8443)),
        /// DICOM over mutual TLS (`dicom-tls`, PS3.8 9.1.1). Port 0 takes any free one.
        pub dicom: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 2762)),
        /// More names (or IP addresses) the server certificates are valid for, beside
        /// loopback and this machine's host name.
        pub names: Vec<String> = Vec::new(),
    }
}
