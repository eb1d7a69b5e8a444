//! What a server answers to a ClientHello: records, alerts, the messages up to ServerHelloDone
//! (RFC 5246 6.2, 7.2, 7.4; RFC 6101 5).
//!
//! Bounded: so many bytes, and memory for what came, never for what was announced. Deliberately
//! absent: anything that would go on with the handshake.

use super::suites::{self, Exchange};

/// Most bytes of a flight that are looked at; the certificates of the field fit many times.
const MAX_FLIGHT: usize = 160 * 1024;
/// Most bytes of a record's content: 2^14 and what ciphers may add.
const MAX_RECORD: usize = 16_384 + 2_048;
/// Most certificates of a chain that are looked at.
const MAX_CERTIFICATES: usize = 10;
/// The random of a HelloRetryRequest, RFC 8446 4.1.3.
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a server agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// The version: the one of the extension where there is one.
    pub version: u16,
    /// The suite.
    pub suite: u16,
    /// The compression method; 0 is none.
    pub compression: u8,
    /// Whether renegotiation is bound to the handshake before, RFC 5746.
    pub secure_renegotiation: bool,
    /// Whether the master secret is bound to the handshake, RFC 7627.
    pub extended_master_secret: bool,
    /// Whether it is a HelloRetryRequest of TLS 1.3 rather than a ServerHello.
    pub retry: bool,
    /// Bits of the Diffie-Hellman group, or of the key made for export.
    pub bits: Option<u32>,
    /// The named curve.
    pub group: Option<u16>,
    /// Whether it asked for a certificate.
    pub asked_for_certificate: bool,
    /// Certificates, the server's own first. Bytes of the target: look, do not keep.
    pub chain: Vec<Vec<u8>>,
}

/// How a flight ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a ServerHelloDone, or a ServerHello of TLS 1.3.
    Done,
    /// With a fatal alert.
    Alert(u8),
    /// With something that is no TLS.
    Nonsense,
}

/// A flight as it comes in, in pieces of any size.
#[derive(Debug, Default)]
pub struct Flight {
    records: Vec<u8>,
    messages: Vec<u8>,
    taken: usize,
    agreed: Option<Agreed>,
    warning: Option<u8>,
    end: Option<End>,
}

/// Not as the protocol says.
#[derive(Debug)]
struct Malformed;

impl Flight {
    /// Takes what came. Tells how the flight ended once it did; more is ignored then.
    pub fn push(&mut self, bytes: &[u8]) -> Option<End> {
        if self.end.is_none() {
            let room = MAX_FLIGHT - self.taken;
            let bytes = &bytes[..bytes.len().min(room)];
            self.taken += bytes.len();
            self.records.extend_from_slice(bytes);
            self.end = self.read_records().unwrap_or(Some(End::Nonsense));
            if self.end.is_none() && self.taken == MAX_FLIGHT {
                self.end = Some(End::Nonsense);
            }
        }
        self.end
    }

    /// What the server agreed to so far.
    pub fn agreed(self) -> Option<Agreed> {
        self.agreed
    }

    /// The last alert that was only a warning: there are servers that refuse with one.
    pub fn warning(&self) -> Option<u8> {
        self.warning
    }

    /// Whether not a byte has come.
    pub fn is_empty(&self) -> bool {
        self.taken == 0
    }

    fn read_records(&mut self) -> Result<Option<End>, Malformed> {
        let mut records = std::mem::take(&mut self.records);
        let mut rest = records.as_slice();
        let mut end = None;
        while end.is_none()
            && let Some((kind, content, after)) = record(rest)?
        {
            rest = after;
            end = self.read_record(kind, content)?;
        }
        let read = records.len() - rest.len();
        records.drain(..read);
        self.records = records;
        Ok(end)
    }

    fn read_record(&mut self, kind: u8, content: &[u8]) -> Result<Option<End>, Malformed> {
        match (kind, content) {
            (21, [2, alert]) => Ok(Some(End::Alert(*alert))),
            (21, [1, 0]) => Ok(Some(End::Alert(0))),
            (21, [1, alert]) => {
                self.warning = Some(*alert);
                Ok(None)
            }
            (22, _) => {
                self.messages.extend_from_slice(content);
                self.read_messages()
            }
            _ => Err(Malformed),
        }
    }

    fn read_messages(&mut self) -> Result<Option<End>, Malformed> {
        let mut messages = std::mem::take(&mut self.messages);
        let mut rest = Bytes(&messages);
        let mut end = None;
        while end.is_none()
            && let Some((kind, body, after)) = rest.message()
        {
            rest = after;
            end = self.read_message(kind, body)?;
        }
        let read = messages.len() - rest.0.len();
        messages.drain(..read);
        self.messages = messages;
        Ok(end)
    }

    fn read_message(&mut self, kind: u8, body: &[u8]) -> Result<Option<End>, Malformed> {
        match (kind, &mut self.agreed) {
            (0, None) => {} // a HelloRequest, to be ignored
            (2, agreed @ None) => {
                let hello = server_hello(body).ok_or(Malformed)?;
                let is_1_3 = hello.version > 0x0303 || hello.retry;
                *agreed = Some(hello);
                return Ok(is_1_3.then_some(End::Done));
            }
            (11, Some(agreed)) => agreed.chain = certificates(body).ok_or(Malformed)?,
            (12, Some(agreed)) => server_key_exchange(agreed, body).ok_or(Malformed)?,
            (13, Some(agreed)) => agreed.asked_for_certificate = true,
            (14, Some(_)) => return Ok(Some(End::Done)),
            (4 | 22, Some(_)) => {} // a session ticket, a certificate's status
            _ => return Err(Malformed),
        }
        Ok(None)
    }
}

/// Kind, content, what follows.
type Record<'a> = (u8, &'a [u8], &'a [u8]);

/// The next record. `None` while it is not all there.
fn record(bytes: &[u8]) -> Result<Option<Record<'_>>, Malformed> {
    if let Some(kind) = bytes.first()
        && !matches!(kind, 21 | 22)
    {
        return Err(Malformed);
    }
    if bytes.get(1).is_some_and(|major| *major != 3) {
        return Err(Malformed);
    }
    let Some(([kind, _, _, high, low], rest)) = bytes.split_first_chunk::<5>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length > MAX_RECORD || length == 0 {
        return Err(Malformed);
    }
    Ok(rest.split_at_checked(length).map(|(content, after)| (*kind, content, after)))
}

/// RFC 5246 7.4.1.3.
fn server_hello(body: &[u8]) -> Option<Agreed> {
    let mut bytes = Bytes(body);
    let version = bytes.u16()?;
    let random = bytes.take(32)?;
    let session = usize::from(bytes.u8()?);
    bytes.take((session <= 32).then_some(session)?)?;
    let mut agreed = Agreed { version, suite: bytes.u16()?, compression: bytes.u8()?, ..Agreed::default() };
    agreed.retry = random == RETRY;
    if bytes.0.is_empty() {
        return Some(agreed);
    }
    let length = usize::from(bytes.u16()?);
    let mut extensions = Bytes(bytes.take(length)?);
    while !extensions.0.is_empty() {
        let (kind, length) = (extensions.u16()?, usize::from(extensions.u16()?));
        let data = extensions.take(length)?;
        match kind {
            23 => agreed.extended_master_secret = true,
            43 => agreed.version = Bytes(data).u16()?,
            0xff01 => agreed.secure_renegotiation = true,
            _ => {}
        }
    }
    bytes.0.is_empty().then_some(agreed)
}

/// RFC 5246 7.4.2.
fn certificates(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut bytes = Bytes(body);
    let length = bytes.u24()?;
    let mut list = Bytes(bytes.take(length)?);
    let mut chain = Vec::new();
    while !list.0.is_empty() && chain.len() < MAX_CERTIFICATES {
        let length = list.u24()?;
        chain.push(list.take(length)?.to_vec());
    }
    bytes.0.is_empty().then_some(chain)
}

/// RFC 5246 7.4.3, RFC 8422 5.4. What a suite unknown here needs is left alone.
fn server_key_exchange(agreed: &mut Agreed, body: &[u8]) -> Option<()> {
    let mut bytes = Bytes(body);
    match suites::suite(agreed.suite)?.exchange {
        Exchange::Dhe | Exchange::RsaExport => {
            let length = usize::from(bytes.u16()?);
            agreed.bits = Some(bits(bytes.take(length)?));
        }
        Exchange::Ecdhe => {
            if bytes.u8()? == 3 {
                agreed.group = Some(bytes.u16()?);
            }
        }
        Exchange::Rsa | Exchange::Ecdh => return None,
    }
    Some(())
}

/// Bits of a number, big endian.
pub fn bits(number: &[u8]) -> u32 {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let significant = &number[start..];
    let first = significant.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(significant.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(first)
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        let (number, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*number))
    }

    fn u24(&mut self) -> Option<usize> {
        Some(usize::from(self.u8()?) << 16 | usize::from(self.u16()?))
    }

    /// The next message: kind, body, what follows. `None` while it is not all there.
    fn message(&self) -> Option<(u8, &'a [u8], Bytes<'a>)> {
        let mut bytes = Bytes(self.0);
        let (kind, length) = (bytes.u8()?, bytes.u24()?);
        Some((kind, bytes.take(length)?, bytes))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A record.
    pub fn record_of(kind: u8, content: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 3, 1];
        record.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        record.extend(content);
        record
    }

    /// A handshake message.
    pub fn message_of(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[1..], body].concat()
    }

    /// The body of a ServerHello.
    pub fn hello_of(version: u16, suite: u16, compression: u8, extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = version.to_be_bytes().to_vec();
        body.extend([9; 32]);
        body.push(0);
        body.extend(suite.to_be_bytes());
        body.push(compression);
        let mut all = Vec::new();
        for (kind, data) in extensions {
            all.extend(kind.to_be_bytes());
            all.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            all.extend(*data);
        }
        if !all.is_empty() {
            body.extend(u16::try_from(all.len()).unwrap().to_be_bytes());
            body.extend(all);
        }
        body
    }

    /// A Certificate message's body.
    pub fn certificate_of(chain: &[&[u8]]) -> Vec<u8> {
        let mut list = Vec::new();
        for certificate in chain {
            list.extend(&u32::try_from(certificate.len()).unwrap().to_be_bytes()[1..]);
            list.extend(*certificate);
        }
        let length = u32::try_from(list.len()).unwrap().to_be_bytes();
        [&length[1..], &list].concat()
    }

    fn dhe_flight() -> Vec<u8> {
        let p = [&[0, 128, 0x80][..], &[1; 127]].concat();
        let messages = [
            message_of(2, &hello_of(0x0303, 0x0033, 1, &[(0xff01, &[0]), (23, &[])])),
            message_of(11, &certificate_of(&[b"own", b"above"])),
            message_of(12, &p),
            message_of(13, &[1, 1, 0, 0, 0, 0]),
            message_of(14, &[]),
        ];
        record_of(22, &messages.concat())
    }

    fn read(bytes: &[u8], piece: usize) -> (Option<End>, Option<Agreed>) {
        let mut flight = Flight::default();
        let end = bytes.chunks(piece).fold(None, |_, piece| flight.push(piece));
        (end, flight.agreed())
    }

    #[test]
    fn a_whole_flight_is_understood() {
        let (end, agreed) = read(&dhe_flight(), usize::MAX);
        let agreed = agreed.unwrap();
        assert_eq!(end, Some(End::Done));
        assert_eq!((agreed.version, agreed.suite, agreed.compression), (0x0303, 0x0033, 1));
        assert_eq!((agreed.bits, agreed.group), (Some(1024), None));
        assert!(agreed.secure_renegotiation && agreed.extended_master_secret && agreed.asked_for_certificate);
        assert_eq!(agreed.chain, [b"own".to_vec(), b"above".to_vec()]);
    }

    #[test]
    fn a_message_may_be_cut_into_records_anywhere() {
        let flight = dhe_flight();
        let records: Vec<u8> = flight[5..].chunks(3).flat_map(|part| record_of(22, part)).collect();
        assert_eq!(read(&records, 7), read(&flight, usize::MAX));
    }

    #[test]
    fn every_alert_ends_it_and_warnings_do_not() {
        for alert in 0..=255 {
            assert_eq!(read(&record_of(21, &[2, alert]), 1).0, Some(End::Alert(alert)));
        }
        let warned = [record_of(21, &[1, 112]), dhe_flight()].concat();
        assert_eq!(read(&warned, 1).0, Some(End::Done));
        assert_eq!(read(&record_of(21, &[1, 0]), 1).0, Some(End::Alert(0)));
    }

    #[test]
    fn endless_answers_end() {
        let warnings = record_of(21, &[1, 90]).repeat(40_000);
        assert_eq!(read(&warnings, 4096).0, Some(End::Nonsense));
        let announced = [vec![22, 3, 3, 0x40, 0], vec![2, 0xff, 0xff, 0xff], vec![0; 16_380]].concat();
        assert_eq!(read(&announced.repeat(12), 4096).0, Some(End::Nonsense));
        assert_eq!(read(&record_of(22, &[]), 1).0, Some(End::Nonsense));
    }

    #[test]
    fn what_is_no_tls_is_told_at_the_first_byte() {
        for first in 0..=255_u8 {
            let expected = (!matches!(first, 21 | 22)).then_some(End::Nonsense);
            assert_eq!(read(&[first], 1).0, expected);
        }
        assert_eq!(read(b"\x16\x02", 1).0, Some(End::Nonsense));
    }

    #[test]
    fn a_retry_of_1_3_is_known_as_such() {
        let mut hello = hello_of(0x0303, 0x1301, 0, &[(43, &[3, 4])]);
        hello[2..34].copy_from_slice(&RETRY);
        let (end, agreed) = read(&record_of(22, &message_of(2, &hello)), 1);
        assert_eq!(end, Some(End::Done));
        assert!(agreed.is_some_and(|agreed| agreed.retry && agreed.version == 0x0304));
    }

    #[test]
    fn bits_are_counted_from_the_first_that_is_set() {
        assert_eq!(bits(&[]), 0);
        assert_eq!(bits(&[0, 0]), 0);
        assert_eq!(bits(&[0, 1]), 1);
        assert_eq!(bits(&[0x80; 256]), 2048);
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_the_same_however_they_are_cut(bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1_usize..40) {
            prop_assert_eq!(read(&bytes, piece), read(&bytes, usize::MAX));
        }

        #[test]
        fn a_damaged_flight_is_never_more_than_it_was(at in 0_usize..300, to in any::<u8>(), keep in 0_usize..400) {
            let mut bytes = dhe_flight();
            let at = at % bytes.len();
            bytes[at] = to;
            bytes.truncate(keep);
            let (_, agreed) = read(&bytes, 11);
            prop_assert!(agreed.is_none_or(|agreed| agreed.chain.iter().map(Vec::len).sum::<usize>() <= bytes.len()));
        }
    }
}
