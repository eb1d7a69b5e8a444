//! The recovery kit: the master key as text a person can print and type back.
//!
//! Eight groups of eight letters and digits (Crockford's base 32: no I, L, O, U), each four
//! bytes of the key and a check byte, so a mistake is told by the number of its group.

use zeroize::Zeroizing;

use super::{KeyError, MasterKey};
use crate::log::sha256;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUPS: usize = 8;
const GROUP_CHARACTERS: usize = 8;

/// The master key as groups of letters and digits with checksums. Whoever holds it can open
/// the data directory: shown once, kept on paper.
pub struct RecoveryKit(Zeroizing<String>);

impl RecoveryKit {
    /// The kit of that key.
    pub fn of(key: &MasterKey) -> RecoveryKit {
        let mut text = Zeroizing::new(String::with_capacity(GROUPS * 14));
        for (number, bytes) in key.secret().chunks_exact(4).enumerate() {
            text.push(char::from(b'1' + number as u8));
            text.push_str(") ");
            let mut bits = [0; 8];
            bits[3..7].copy_from_slice(bytes);
            bits[7] = check(number, bytes);
            let bits = u64::from_be_bytes(bits);
            for character in 0..GROUP_CHARACTERS {
                if character == GROUP_CHARACTERS / 2 {
                    text.push('-');
                }
                text.push(char::from(ALPHABET[(bits >> (35 - 5 * character)) as usize & 31]));
            }
            text.push('\n');
        }
        RecoveryKit(text)
    }

    /// Text to print: eight numbered groups, one a line.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Reads a kit back; spaces, dashes, line numbers (`3)`) and case do not matter, nor
    /// whether O was typed for 0, I or L for 1.
    pub fn parse(text: &str) -> Result<MasterKey, KeyError> {
        let typed = text.lines().map(|line| line.rsplit_once(')').map_or(line, |(_, group)| group));
        let digits: Zeroizing<Vec<Option<u8>>> = Zeroizing::new(
            typed.flat_map(str::chars).filter(|c| !c.is_whitespace() && *c != '-').map(digit).take(1024).collect(),
        );
        let mut key = Zeroizing::new([0; 32]);
        let mut groups = digits.chunks(GROUP_CHARACTERS);
        for (number, out) in key.chunks_exact_mut(4).enumerate() {
            let group = groups.next().filter(|group| group.len() == GROUP_CHARACTERS);
            let bits =
                group.and_then(|group| group.iter().try_fold(0, |bits, digit| Some(bits << 5 | u64::from((*digit)?))));
            let bytes = bits.ok_or(KeyError::Kit(number + 1))?.to_be_bytes();
            if check(number, &bytes[3..7]) != bytes[7] {
                return Err(KeyError::Kit(number + 1));
            }
            out.copy_from_slice(&bytes[3..7]);
        }
        match groups.next() {
            None => Ok(MasterKey::from_bytes(*key)),
            Some(_) => Err(KeyError::Kit(GROUPS)),
        }
    }
}

fn check(group: usize, bytes: &[u8]) -> u8 {
    sha256(&[b"leadglass kit", &[group as u8], bytes])[0]
}

fn digit(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == character).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_kit_reads_back(bytes: [u8; 32]) {
            let kit = RecoveryKit::of(&MasterKey::from_bytes(bytes));
            prop_assert_eq!(*RecoveryKit::parse(kit.text()).unwrap().secret(), bytes);
            let sloppy = kit.text().to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l").replace("l)", "1)");
            prop_assert_eq!(*RecoveryKit::parse(&sloppy).unwrap().secret(), bytes);
        }
    }

    #[test]
    fn a_mistake_is_told_by_its_group() {
        let kit = RecoveryKit::of(&MasterKey::from_bytes([9; 32]));
        let mut lines: Vec<String> = kit.text().lines().map(str::to_owned).collect();
        lines.swap(2, 3);
        assert!(matches!(RecoveryKit::parse(&lines.join("\n")), Err(KeyError::Kit(3))));
        lines.swap(2, 3);
        lines.pop();
        assert!(matches!(RecoveryKit::parse(&lines.join("\n")), Err(KeyError::Kit(8))));
        assert!(matches!(RecoveryKit::parse(""), Err(KeyError::Kit(1))));
    }
}
