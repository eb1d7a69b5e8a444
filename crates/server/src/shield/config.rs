//! `[shield]` of an edge's configuration: the old archive.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::section::section;
use crate::edge::config::EdgeConfigError;
use crate::interfaces::private::is_private;

section! {
    /// The old archive that the edge stands before. Clients reach the edge's own doors, which
    /// `[serve.listen]` names; all of `[serve.*]` is as in docs/CONFIG.md. Let nothing but the
    /// edge reach the old archive: bind it to loopback, or put it on a wire of its own.
    pub struct EdgeShield {
        /// `address:port` of its DICOM listener, in clear text: private or loopback.
        pub dicom: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 4242)),
        /// Its AE title.
        pub ae_title: String = String::new(),
        /// The calling AE title it hears. Empty: the client's own.
        pub calling_ae: String = String::new(),
        /// The root of its DICOMweb service, `http://ADDRESS:PORT/PATH`, an address that is
        /// private or loopback. Empty: none is passed on.
        pub dicomweb: String = String::new(),
        /// A file of mode 0600 with `user:password` for its DICOMweb (RFC 7617). Empty: none.
        pub credentials_file: PathBuf = PathBuf::new(),
        /// Seconds to connect to it.
        pub connect_s: u64 = 5,
        /// Seconds for its answer to an HTTP request to begin.
        pub answer_s: u64 = 60,
    }
}

/// The root of a DICOMweb service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Where it is.
    pub address: SocketAddr,
    /// `/path`, without a slash at its end.
    pub path: String,
}

impl EdgeShield {
    /// Refuses what the types alone cannot.
    ///
    /// # Errors
    /// Names the key and the reason.
    pub fn check(&self) -> Result<(), EdgeConfigError> {
        let value = |key: &str, reason: String| Err(EdgeConfigError::Value { key: key.into(), reason });
        if !is_private(self.dicom.ip()) || self.dicom.port() == 0 {
            return value("shield.dicom", format!("{} is no private address and port", self.dicom));
        }
        for (key, title) in [("shield.ae_title", &self.ae_title), ("shield.calling_ae", &self.calling_ae)] {
            if key == "shield.calling_ae" && title.is_empty() {
                continue;
            }
            if let Err(error) = leadglass_dicom::AeTitle::parse(title) {
                return value(key, error.to_string());
            }
        }
        if !(1..=300).contains(&self.connect_s) || !(1..=3600).contains(&self.answer_s) {
            return value("shield.connect_s", "is within 1 to 300, answer_s within 1 to 3600".into());
        }
        self.root().map(drop)
    }

    /// The DICOMweb root, when there is one.
    ///
    /// # Errors
    /// It is no such URL.
    pub fn root(&self) -> Result<Option<Root>, EdgeConfigError> {
        let wrong = |reason: &str| EdgeConfigError::Value { key: "shield.dicomweb".into(), reason: reason.into() };
        if self.dicomweb.is_empty() {
            return Ok(None);
        }
        let rest = self.dicomweb.strip_prefix("http://").ok_or_else(|| wrong("begins with http://"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address: SocketAddr =
            authority.parse().map_err(|_| wrong("names an IP address and a port: no name is looked up"))?;
        if !is_private(address.ip()) || address.port() == 0 {
            return Err(wrong("its address is not private"));
        }
        let path = path.trim_end_matches('/');
        let plain = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
        };
        if !path.is_empty() && !path.split('/').all(plain) {
            return Err(wrong("its path has plain segments"));
        }
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Some(Root { address, path }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_archive_is_at_a_private_address() {
        let of = |dicomweb: &str| EdgeShield { dicomweb: dicomweb.into(), ..EdgeShield::default() }.root();
        let root = of("http://10.1.2.3:8042/dicom-web/").unwrap().unwrap();
        assert_eq!((root.address.to_string().as_str(), root.path.as_str()), ("10.1.2.3:8042", "/dicom-web"));
        assert_eq!(of("http://[::1]:80").unwrap().unwrap().path, "");
        for wrong in [
            "https://10.1.2.3:1/",
            "http://pacs:8042/dicom-web",
            "http://8.8.8.8:80/x",
            "http://10.1.2.3/x",
            "http://a@10.1.2.3:80/x",
            "http://10.1.2.3:80/x?y",
            "http://10.1.2.3:80/../x",
            "http://10.1.2.3:80/x//y",
            "http://10.1.2.3:80/%2e%2e",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        let shield = |dicom: &str| {
            EdgeShield { dicom: dicom.parse().unwrap(), ae_title: "OLD".into(), ..EdgeShield::default() }.check()
        };
        assert!(shield("127.0.0.1:4242").is_ok() && shield("8.8.8.8:4242").is_err() && shield("0.0.0.0:1").is_err());
    }
}
