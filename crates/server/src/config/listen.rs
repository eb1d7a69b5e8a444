//! `[listen]`: where the doors are.

use std::net::SocketAddr;

use super::section::section;

section! {
    /// Where the doors are. Both speak TLS and both authenticate; neither has an off switch.
    /// Where others could come they open only when setup is done, an administrator has a second
    /// factor, and a stranger's look at them (`leadglass exposure self`) finds nothing; until
    /// then they are on loopback, at the same ports. Where `[people] public_url` names them to
    /// others, loopback is where others come, and HTTPS waits on loopback at a port nobody knows.
    pub struct Listen {
        /// HTTPS: DICOMweb, administration, the web face. Port 0 takes any free one.
        pub https: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8443)),
        /// DICOM over mutual TLS (`dicom-tls`, PS3.8 9.1.1). Port 0 takes any free one.
        pub dicom: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 2762)),
        /// More names (or IP addresses) the server certificates are valid for, beside
        /// loopback, this machine's host name and the addresses given here.
        pub names: Vec<String> = Vec::new(),
    }
}

impl Listen {
    /// What the server certificates are to be valid for beside loopback and the host's name: the
    /// names that were given, and each door's address where it is a single one.
    pub fn certificate_names(&self) -> Vec<String> {
        let addresses = [self.https.ip(), self.dicom.ip()];
        let single = addresses.into_iter().filter(|ip| !ip.is_unspecified() && !ip.is_loopback());
        self.names.iter().cloned().chain(single.map(|ip| ip.to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_s_own_address_is_in_the_certificate() {
        let https = SocketAddr::from(([10, 1, 2, 3], 443));
        let listen = Listen { https, names: vec!["pacs.example".into()], ..Listen::default() };
        assert_eq!(listen.certificate_names(), ["pacs.example", "10.1.2.3"]);
        let everywhere = Listen { https: SocketAddr::from(([0, 0, 0, 0], 443)), ..Listen::default() };
        assert!(everywhere.certificate_names().is_empty());
    }
}
