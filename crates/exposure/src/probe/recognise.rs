//! What to say first on a port: the likeliest protocol, then the others, each on a fresh
//! connection. No guess waits for a server to speak first.

use super::dimse::DICOM_PORTS;
use crate::net::Over;
use crate::scope::{Asset, AssetClass};

/// One protocol to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guess {
    /// An association request (PS3.8).
    Dicom(Over),
    /// A TLS ClientHello.
    Tls,
    /// A GET.
    Http(Over),
    /// What a database, a remote administration or a file transport hears first.
    Service,
}

/// Ports where TLS is meant to be.
const TLS_PORTS: &[u16] = &[443, 2762, 8443];
/// Ports where HTTP is meant to be.
const HTTP_PORTS: &[u16] = &[80, 8042, 8080];

/// The order of guesses for a port. A DCMTK listener resets what it does not speak, and takes
/// nobody else while it waits for a first PDU, so the likeliest comes first. `named_tls`: the
/// owner's name for the asset says TLS. `service`: a service is usual there.
pub fn guesses(port: u16, named_tls: bool, service: bool) -> [Guess; 4] {
    let (dicom, http) = (Guess::Dicom(Over::Clear), Guess::Http(Over::Clear));
    if service {
        return [Guess::Service, dicom, Guess::Tls, http];
    }
    if TLS_PORTS.contains(&port) {
        return if port == 2762 {
            [Guess::Tls, dicom, http, Guess::Service]
        } else {
            [Guess::Tls, http, dicom, Guess::Service]
        };
    }
    if HTTP_PORTS.contains(&port) {
        return [http, dicom, Guess::Tls, Guess::Service];
    }
    if named_tls { [Guess::Tls, dicom, http, Guess::Service] } else { [dicom, Guess::Tls, http, Guess::Service] }
}

/// Whether a port is a modality's for DICOM: nothing but DICOM is said there.
pub fn is_dicom_of_modality(asset: &Asset, port: u16) -> bool {
    asset.class == AssetClass::Modality && DICOM_PORTS.contains(&port)
}

/// The only guess for a port of which [`is_dicom_of_modality`] is true.
pub fn only_guess(port: u16, named_tls: bool) -> Guess {
    if named_tls || port == 2762 { Guess::Tls } else { Guess::Dicom(Over::Clear) }
}

/// What to try behind TLS, once there is a handshake.
pub fn behind_tls(port: u16) -> [Guess; 2] {
    let (dicom, http) = (Guess::Dicom(Over::Tls), Guess::Http(Over::Tls));
    let web = HTTP_PORTS.contains(&port) || (TLS_PORTS.contains(&port) && port != 2762);
    if web { [http, dicom] } else { [dicom, http] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_comes_first_and_nothing_is_left_out() {
        for port in [104, 11112, 4242, 2345, 2761, 50_000] {
            assert_eq!(guesses(port, false, false)[0], Guess::Dicom(Over::Clear), "{port}");
        }
        for port in [2762, 443, 8443] {
            assert_eq!(guesses(port, false, false)[0], Guess::Tls, "{port}");
        }
        assert_eq!(guesses(11112, true, false)[0], Guess::Tls);
        for port in [80, 8042, 8080] {
            assert_eq!(guesses(port, true, false)[0], Guess::Http(Over::Clear), "{port}");
        }
        assert_eq!(guesses(5432, false, true)[0], Guess::Service);
        for port in [104, 2762, 80, 5432, 443] {
            for (named, service) in [(false, false), (true, false), (false, true)] {
                let mut all = guesses(port, named, service);
                all.sort();
                assert_eq!(all.len(), 4);
                assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
            }
        }
        assert_eq!((only_guess(104, false), only_guess(2762, false)), (Guess::Dicom(Over::Clear), Guess::Tls));
        assert_eq!(behind_tls(2762)[0], Guess::Dicom(Over::Tls));
        assert_eq!(behind_tls(8443)[0], Guess::Http(Over::Tls));
    }
}
