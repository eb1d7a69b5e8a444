//! An A-ASSOCIATE-AC, strictly recognised, with nothing kept but numbers and our own names.
//!
//! PS3.8 §9.3.3 and PS3.7 Annex D.3.3. Deliberately absent: the AE Title fields, which an
//! acceptor sends back and may fill with anything, and every text that is not a signature.

use super::services::{Kind, SERVICES, place_of};
use super::talk::Broken;
use crate::catalogue::Name;
use crate::evidence::Version;
use crate::evidence::coarse;
use crate::probe::version::toolkit;

/// DICOM Application Context Name, PS3.7 A.2.1.
const APPLICATION_CONTEXT_NAME: &[u8] = b"1.2.840.10008.3.1.1.1";
/// Bytes between the header and the items: version, reserved, two AE titles, reserved.
const FIXED_BYTES: usize = 68;
/// More items than that say nothing more.
const MAX_ITEMS: usize = 512;

/// What an acceptance grants and tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// One bit for each place of our table of services.
    accepted: u64,
    /// Maximum length received (51H); 0 means no limit.
    pub max_pdu_bytes: Option<u32>,
    /// Asynchronous operations window (53H): invoked, performed.
    pub operations: Option<(u16, u16)>,
    /// Whether a role selection (54H) lets us receive what C-GET sends.
    pub role_accepted: bool,
    /// Whether there was a user identity response (59H).
    pub identity_answered: bool,
    /// The toolkit, by its signature.
    pub toolkit: Option<Name>,
    /// The toolkit's version.
    pub toolkit_version: Option<Version>,
}

impl Accept {
    /// Reads the body (without header). Anything that PS3.8 does not allow is a lie.
    pub(super) fn decode(body: &[u8]) -> Result<Accept, Broken> {
        let (fixed, items) = body.split_first_chunk::<FIXED_BYTES>().ok_or(Broken::Lied)?;
        // Protocol version: bit 0 (PS3.8 Table 9-17).
        if fixed[1] & 1 == 0 {
            return Err(Broken::Lied);
        }
        let mut accept = Accept::default();
        let (mut class_uid, mut version_name): (&[u8], &[u8]) = (&[], &[]);
        let mut in_context = false;
        for item in Items::of(items) {
            let (kind, value) = item?;
            match kind {
                0x10 if trimmed(value) == APPLICATION_CONTEXT_NAME => in_context = true,
                0x10 => return Err(Broken::Lied),
                0x21 => accept.context(value)?,
                0x50 => {
                    for item in Items::of(value) {
                        match item? {
                            (0x52, value) => class_uid = value,
                            (0x55, value) => version_name = value,
                            (kind, value) => accept.user_information(kind, value)?,
                        }
                    }
                }
                _ => {}
            }
        }
        if !in_context {
            return Err(Broken::Lied);
        }
        if let Some((toolkit, version)) = toolkit::recognise(trimmed(class_uid), trimmed(version_name)) {
            (accept.toolkit, accept.toolkit_version) = (Some(toolkit), version);
        }
        Ok(accept)
    }

    /// Whether the service at that place was accepted.
    pub(super) fn has(&self, place: usize) -> bool {
        self.accepted & (1 << place) != 0
    }

    /// Names of the accepted services of these kinds, in the order of their names.
    pub(super) fn offered(&self, kinds: &[Kind]) -> Vec<Name> {
        let places = SERVICES.iter().enumerate();
        let accepted = places.filter(|(place, service)| self.has(*place) && kinds.contains(&service.kind));
        let mut names: Vec<_> = accepted.map(|(_, service)| Name::fixed(service.name)).collect();
        names.sort_unstable();
        names
    }

    /// Results for contexts that we did not propose grant nothing.
    fn context(&mut self, value: &[u8]) -> Result<(), Broken> {
        let [id, _, result, _] = *value.first_chunk::<4>().ok_or(Broken::Lied)?;
        if result > 4 {
            return Err(Broken::Lied);
        }
        if let Some(place) = place_of(id).filter(|_| result == 0) {
            self.accepted |= 1 << place;
        }
        Ok(())
    }

    fn user_information(&mut self, kind: u8, value: &[u8]) -> Result<(), Broken> {
        match kind {
            // The target chooses it freely: eight digits have room for a date of birth.
            0x51 => {
                let bytes = coarse(u32::from_be_bytes(exactly(value)?).into());
                self.max_pdu_bytes = Some(u32::try_from(bytes).unwrap_or(u32::MAX));
            }
            0x53 => {
                let [a, b, c, d] = exactly(value)?;
                self.operations = Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])));
            }
            0x54 => self.role_accepted |= value.last() == Some(&1),
            0x59 => self.identity_answered = true,
            _ => {}
        }
        Ok(())
    }
}

/// Items: type, reserved byte, two bytes of length, value.
struct Items<'body> {
    rest: &'body [u8],
    left: usize,
}

impl<'body> Items<'body> {
    fn of(rest: &'body [u8]) -> Items<'body> {
        Items { rest, left: MAX_ITEMS }
    }
}

impl<'body> Iterator for Items<'body> {
    type Item = Result<(u8, &'body [u8]), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = self.left.checked_sub(1).and_then(|left| {
            let ([kind, _, high, low], rest) = self.rest.split_first_chunk::<4>()?;
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            (self.rest, self.left) = (rest, left);
            Some((*kind, value))
        });
        if item.is_none() {
            self.rest = &[];
        }
        Some(item.ok_or(Broken::Lied))
    }
}

fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N], Broken> {
    value.try_into().map_err(|_| Broken::Lied)
}

/// Without the padding that some add.
fn trimmed(value: &[u8]) -> &[u8] {
    let padding = |byte: &u8| matches!(byte, 0 | b' ');
    let start = value.iter().position(|byte| !padding(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !padding(byte)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::dimse::hostile::acceptance;

    #[test]
    fn an_acceptance_is_bits_numbers_and_our_own_names() {
        let body =
            acceptance(&[(1, 0), (3, 0), (9, 3), (201, 0)], 16_384, b"1.2.276.0.7230010.3.0.3.6.7", b"OFFIS_DCMTK_367");
        let accept = Accept::decode(&body).unwrap();
        assert_eq!(accept.offered(&[Kind::Verification, Kind::Query]).len(), 2);
        assert!(!accept.has(4));
        assert_eq!(accept.max_pdu_bytes, Some(16_384));
        assert_eq!(accept.toolkit.unwrap().as_str(), "dcmtk");
        assert_eq!(accept.toolkit_version.unwrap().to_string(), "3.6.7");
    }

    #[test]
    fn what_is_no_acceptance_is_not_taken_for_one() {
        let good = acceptance(&[(1, 0)], 0, b"1.2.3", b"X");
        assert!(Accept::decode(&good).is_ok());
        for cut in 0..good.len() {
            // A cut between two items leaves a shorter list that is well formed.
            if let Ok(accept) = Accept::decode(&good[..cut]) {
                assert!(accept.max_pdu_bytes.is_none());
            }
        }
        let mut wrong_version = good.clone();
        wrong_version[1] = 2;
        assert_eq!(Accept::decode(&wrong_version), Err(Broken::Lied));
        let mut wrong_context = good;
        wrong_context[FIXED_BYTES + 4] = b'9';
        assert_eq!(Accept::decode(&wrong_context), Err(Broken::Lied));
    }
}
