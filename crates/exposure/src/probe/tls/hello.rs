//! A ClientHello by hand, for what no current TLS library would say (RFC 5246 7.4.1.2, RFC 6101 5.6.1.2).

/// The TLS_EMPTY_RENEGOTIATION_INFO_SCSV of RFC 5746 3.3.
const RENEGOTIATION_SCSV: u16 = 0x00ff;
/// SSL 3.0, which has no extensions.
pub const SSL_3_0: u16 = 0x0300;
/// TLS 1.0.
pub const TLS_1_0: u16 = 0x0301;
/// TLS 1.1.
pub const TLS_1_1: u16 = 0x0302;
/// TLS 1.2.
pub const TLS_1_2: u16 = 0x0303;

/// Groups of 256 bits and more; then shorter ones, for a server may have a certificate on one.
pub const ALL_GROUPS: &[u16] = &[0x001d, 0x0017, 0x0018, 0x0019, 0x001e, 0x0015, 0x0013];
/// Curves of fewer than 256 bits: secp224r1, secp192r1, secp224k1, secp192k1, sect233r1, sect163r2 and the like.
pub const SHORT_GROUPS: &[u16] = &[
    0x0015, 0x0013, 0x0014, 0x0012, 0x0010, 0x000f, 0x0011, 0x0001, 0x0002, 0x0003, 0x0004, 0x0005, 0x0006, 0x0007,
    0x0008,
];
/// What may sign, strongest first, the outworn too: to be refused for a hash would hide the rest.
const SIGNATURES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301, 0x0402,
    0x0302, 0x0203, 0x0201, 0x0202, 0x0101,
];

/// A ClientHello.
#[derive(Clone, Debug)]
pub struct Hello<'a> {
    /// The highest version offered.
    pub version: u16,
    /// Suites offered, best liked first.
    pub suites: &'a [u16],
    /// Groups offered.
    pub groups: &'a [u16],
    /// The name asked for, when it is one of DNS.
    pub name: Option<&'a str>,
    /// The client's 32 random bytes.
    pub random: [u8; 32],
}

impl Hello<'_> {
    /// The bytes of its record.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(512);
        put_u16(&mut body, self.version);
        body.extend(self.random);
        body.push(0); // no session to resume
        let suites: Vec<u16> = self.suites.iter().copied().chain([RENEGOTIATION_SCSV]).collect();
        with_u16_length(&mut body, |body| put_all(body, &suites));
        body.extend([2, 1, 0]); // DEFLATE, or no compression
        if self.version > SSL_3_0 {
            let extensions = self.extensions(body.len());
            with_u16_length(&mut body, |body| body.extend(&extensions));
        }
        let mut record = vec![22, 3, if self.version == SSL_3_0 { 0 } else { 1 }];
        with_u16_length(&mut record, |record| {
            record.extend([1, 0]);
            with_u16_length(record, |record| record.extend(&body));
        });
        record
    }

    fn extensions(&self, before: usize) -> Vec<u8> {
        let mut all = Vec::new();
        if let Some(name) = self.name {
            extension(&mut all, 0, |data| {
                with_u16_length(data, |data| {
                    data.push(0);
                    with_u16_length(data, |data| data.extend(name.as_bytes()));
                });
            });
        }
        extension(&mut all, 10, |data| with_u16_length(data, |data| put_all(data, self.groups)));
        extension(&mut all, 11, |data| data.extend([1, 0])); // uncompressed points
        if self.version >= TLS_1_2 {
            extension(&mut all, 13, |data| with_u16_length(data, |data| put_all(data, SIGNATURES)));
        }
        extension(&mut all, 23, |_| {}); // extended master secret, RFC 7627
        // RFC 7685: there are servers that hang on a hello of 256 to 511 bytes.
        let length = 4 + before + 2 + all.len();
        if (256..512).contains(&length) {
            let padding = (512 - length).saturating_sub(4);
            extension(&mut all, 21, |data| data.resize(data.len() + padding, 0));
        }
        all
    }
}

fn extension(all: &mut Vec<u8>, kind: u16, data: impl FnOnce(&mut Vec<u8>)) {
    put_u16(all, kind);
    with_u16_length(all, data);
}

fn put_u16(bytes: &mut Vec<u8>, number: u16) {
    bytes.extend(number.to_be_bytes());
}

fn put_all(bytes: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|number| put_u16(bytes, *number));
}

/// Writes what `inner` writes, its length before it. All that is written here is far below 64 KiB.
fn with_u16_length(bytes: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    let at = bytes.len();
    bytes.extend([0, 0]);
    inner(bytes);
    let length = u16::try_from(bytes.len() - at - 2).unwrap_or(u16::MAX);
    bytes[at..at + 2].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: u16, suites: &[u16]) -> Vec<u8> {
        let name = Some("pacs.hospital.example");
        Hello { version, suites, groups: ALL_GROUPS, name, random: [7; 32] }.encode()
    }

    #[test]
    fn lengths_are_what_follows_them() {
        for version in [SSL_3_0, TLS_1_0, TLS_1_1, TLS_1_2] {
            let bytes = hello(version, &[0x002f, 0x0035]);
            assert_eq!(usize::from(u16::from_be_bytes([bytes[3], bytes[4]])), bytes.len() - 5);
            assert_eq!(usize::from(u16::from_be_bytes([bytes[7], bytes[8]])), bytes.len() - 9);
            assert_eq!(u16::from_be_bytes([bytes[9], bytes[10]]), version);
        }
        // SSL 3.0: after the compression methods nothing comes.
        assert_eq!(hello(SSL_3_0, &[0x0004]).len(), 5 + 4 + 2 + 32 + 1 + 2 + 4 + 3);
    }

    #[test]
    fn no_hello_has_a_length_that_old_servers_hang_on() {
        let many: Vec<u16> = (0..200).collect();
        for count in 0..many.len() {
            let length = hello(TLS_1_2, &many[..count]).len() - 5;
            assert!(!(256..512).contains(&length), "{count} suites make {length} bytes");
        }
    }

    /// A judge of another house: rustls reads the hello and answers with an alert that says what it lacks.
    #[test]
    fn rustls_understands_it() {
        let mut acceptor = rustls::server::Acceptor::default();
        let bytes = hello(TLS_1_2, &[0xc02f]);
        acceptor.read_tls(&mut bytes.as_slice()).unwrap();
        let accepted = acceptor.accept().map_err(|(error, _)| error).unwrap().unwrap();
        let hello = accepted.client_hello();
        assert_eq!(hello.server_name(), Some("pacs.hospital.example"));
        assert_eq!(hello.cipher_suites().len(), 2);
        assert!(!hello.signature_schemes().is_empty());
    }
}
