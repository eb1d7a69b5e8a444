//! Person names (VR PN, PS3.5 §6.2.1): their parts, and the forms they are searched in.
//!
//! A name is found without regard to case, accents, width and padding, in each of its three
//! component groups (PS3.4 C.2.2.2.1 leaves this to the SCP, the conformance statement says it).
//! Names and the patterns that look for them pass the same [`normalise`]. Deliberately absent:
//! guesses about which part of an unstructured name is the family's.

use unicode_normalization::UnicodeNormalization;

use crate::query::WildCard;

mod sound;

pub use sound::sound_of;

/// A name in its three component groups, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PersonName {
    /// Single-byte characters: the alphabetic representation.
    pub alphabetic: NameGroup,
    /// The ideographic representation.
    pub ideographic: NameGroup,
    /// The phonetic representation.
    pub phonetic: NameGroup,
}

/// The five components of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NameGroup {
    /// Family name complex.
    pub family: String,
    /// Given name complex.
    pub given: String,
    /// Middle name.
    pub middle: String,
    /// Name prefix.
    pub prefix: String,
    /// Name suffix; what further `^` follow stays in it.
    pub suffix: String,
}

impl PersonName {
    /// Parses `alphabetic=ideographic=phonetic`. What a third `=` separates is left out.
    pub fn parse(text: &str) -> PersonName {
        let mut groups = text.split('=').map(NameGroup::parse);
        let mut next = || groups.next().unwrap_or_default();
        PersonName { alphabetic: next(), ideographic: next(), phonetic: next() }
    }
}

impl NameGroup {
    fn parse(text: &str) -> NameGroup {
        let mut parts = text.splitn(5, '^').map(|part| part.trim_matches([' ', '\0']).to_owned());
        let mut next = || parts.next().unwrap_or_default();
        NameGroup { family: next(), given: next(), middle: next(), prefix: next(), suffix: next() }
    }
}

/// The forms of one name that columns hold.
///
/// Each group is [`normalise`]d, components separated by one space, trailing empty ones left
/// out, and ends with a space (so that `buc *` finds both `buc ` and `buc jerome `). A group
/// that is not there is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NameKeys {
    /// The alphabetic group.
    pub alphabetic: String,
    /// The ideographic group.
    pub ideographic: String,
    /// The phonetic group.
    pub phonetic: String,
    /// The [`sound_of`] each word of the alphabetic group, each between spaces: ` PK JRM `.
    /// Empty when there is none.
    pub sounds: String,
}

impl NameKeys {
    /// The three groups.
    pub fn groups(&self) -> [&str; 3] {
        [&self.alphabetic, &self.ideographic, &self.phonetic]
    }
}

/// The search forms of a name, or of a key without wild cards.
pub fn search_keys(name: &str) -> NameKeys {
    let mut groups = name.split('=').map(group_key);
    let mut next = || groups.next().unwrap_or_default();
    let (alphabetic, ideographic, phonetic) = (next(), next(), next());
    let sounds: Vec<String> = alphabetic.split(' ').filter_map(sound_of).collect();
    let sounds = if sounds.is_empty() { String::new() } else { format!(" {} ", sounds.join(" ")) };
    NameKeys { alphabetic, ideographic, phonetic, sounds }
}

fn group_key(group: &str) -> String {
    let mut key = components(group, normalise).join(" ");
    if !key.is_empty() {
        key.push(' ');
    }
    key
}

/// The components, each folded, without the empty ones at the end.
fn components(group: &str, fold: impl Fn(&str) -> String) -> Vec<String> {
    let mut parts: Vec<String> = group.split('^').map(fold).collect();
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts
}

/// Folds a text for comparison: compatibility forms (full and half width) made one, case and
/// accents removed, letters that only look decorated replaced (`ø` by `o`), runs of white
/// space made one space, space around removed. Kana keep their voicing marks, Hangul its
/// syllables.
pub fn normalise(text: &str) -> String {
    let folded: String =
        text.nfkd().filter(|c| !is_accent(*c)).flat_map(char::to_lowercase).filter(|c| !is_accent(*c)).collect();
    let mut plain = String::with_capacity(folded.len());
    for c in folded.nfc() {
        match c {
            'ß' => plain.push_str("ss"),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'þ' => plain.push_str("th"),
            'ø' => plain.push('o'),
            'đ' | 'ð' => plain.push('d'),
            'ł' => plain.push('l'),
            'ħ' => plain.push('h'),
            'ı' => plain.push('i'),
            'ŋ' => plain.push('n'),
            'ς' => plain.push('σ'),
            c if c.is_whitespace() || c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    let words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Marks that a reader may leave out: Latin, Greek and Cyrillic accents, Hebrew points, Arabic
/// vowel signs. Not those that make another letter (Thai vowels, kana voicing).
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036F}' | '\u{0591}'..='\u{05BD}' | '\u{05BF}'..='\u{05C7}' | '\u{0610}'..='\u{061A}'
        | '\u{0640}' | '\u{064B}'..='\u{065F}' | '\u{0670}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}')
}

/// What a key of VR PN looks for, in the forms of [`NameKeys`].
#[derive(Clone, Debug, PartialEq)]
pub enum NamePattern {
    /// The key has one group: any group of the name may match it.
    AnyGroup(WildCard),
    /// The key has several: each of them has to match its own group of the name.
    Groups([Option<WildCard>; 3]),
    /// Fuzzy matching (PS3.4 C.2.2.2.1.1): each word of the key begins a word of the name or
    /// sounds like one.
    Fuzzy(Vec<FuzzyWord>),
}

/// One word of a fuzzy key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuzzyWord {
    /// The normalised word; a word of any group may begin with it.
    pub prefix: String,
    /// Its sound, when it has one: a word of [`NameKeys::sounds`].
    pub sound: Option<String>,
}

impl NamePattern {
    /// The pattern of a key value, wild cards included. `None` when it asks for nothing
    /// (`*`, `^`, `==`).
    pub fn literal(key: &str) -> Option<NamePattern> {
        let mut groups = key.split('=').map(group_pattern);
        let mut next = || groups.next().flatten();
        let groups = [next(), next(), next()];
        match groups {
            [None, None, None] => None,
            [Some(only), None, None] => Some(NamePattern::AnyGroup(only)),
            groups => Some(NamePattern::Groups(groups)),
        }
    }

    /// The fuzzy pattern of a key value; its wild cards only end words.
    pub fn fuzzy(key: &str) -> Option<NamePattern> {
        let plain = normalise(&key.replace(['^', '=', '*', '?'], " "));
        let words: Vec<FuzzyWord> = plain
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(|word| FuzzyWord { prefix: word.to_owned(), sound: sound_of(word) })
            .collect();
        (!words.is_empty()).then_some(NamePattern::Fuzzy(words))
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &NameKeys) -> bool {
        let found = |pattern: &WildCard, group: &str| !group.is_empty() && pattern.matches(group);
        match self {
            NamePattern::AnyGroup(pattern) => name.groups().iter().any(|group| found(pattern, group)),
            NamePattern::Groups(patterns) => patterns
                .iter()
                .zip(name.groups())
                .all(|(pattern, group)| pattern.as_ref().is_none_or(|pattern| found(pattern, group))),
            NamePattern::Fuzzy(words) => words.iter().all(|word| word.matches(name)),
        }
    }
}

impl FuzzyWord {
    fn matches(&self, name: &NameKeys) -> bool {
        let begins = |group: &str| group.split(' ').any(|word| word.starts_with(&self.prefix));
        let sounds_alike = |sound: &String| name.sounds.split(' ').any(|other| other == sound);
        name.groups().into_iter().any(begins) || self.sound.as_ref().is_some_and(sounds_alike)
    }
}

/// The pattern of one group; `None` when it matches every name.
fn group_pattern(group: &str) -> Option<WildCard> {
    let mut parts = components(group, normalise);
    // `A^*^*` asks no more than `A^*`.
    while let [.., before, last] = parts.as_slice()
        && before == "*"
        && last == "*"
    {
        parts.pop();
    }
    let mut pattern = parts.join(" ");
    if pattern.is_empty() || pattern.bytes().all(|b| b == b'*') {
        return None;
    }
    if !pattern.ends_with('*') {
        pattern.push(' ');
    }
    Some(WildCard::new(&pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(key: &str, name: &str) -> bool {
        NamePattern::literal(key).is_none_or(|pattern| pattern.matches(&search_keys(name)))
    }

    fn sounds_like(key: &str, name: &str) -> bool {
        NamePattern::fuzzy(key).is_none_or(|pattern| pattern.matches(&search_keys(name)))
    }

    #[test]
    fn a_name_has_three_groups_of_five_components() {
        let name = PersonName::parse("Yamada^Tarou=山田^太郎=やまだ^たろう");
        assert_eq!(name.alphabetic.family, "Yamada");
        assert_eq!(name.ideographic.given, "太郎");
        assert_eq!(name.phonetic.family, "やまだ");
        let adams = PersonName::parse("Adams^John Robert Quincy^^Rev.^B.A. M.Div.").alphabetic;
        assert_eq!((adams.prefix.as_str(), adams.suffix.as_str()), ("Rev.", "B.A. M.Div."));
        assert_eq!(PersonName::parse("====="), PersonName::default());
    }

    #[test]
    fn case_accents_width_and_padding_do_not_matter() {
        assert!(found("BUC^JEROME", "Buc^Jérôme "));
        assert!(found("buc ^ jérôme^^^", "BUC^JEROME"));
        assert!(found("strasse", "STRAẞE") && found("Straße", "STRASSE"));
        assert!(found("Lodz", "Łódź") && found("Ὀδυσσεύς", "ΟΔΥΣΣΕΥΣ"));
        assert!(found("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"));
        assert!(!found("かき", "がき"), "voicing makes another letter");
    }

    #[test]
    fn wild_cards_keep_to_components() {
        assert!(found("Buc*", "Buckley^Ann") && found("Buc^*", "Buc^Jérôme") && found("Buc^*", "Buc"));
        assert!(!found("Buc^*", "Buckley^Ann"));
        assert!(found("Adams^*^*", "Adams^John^Quincy") && found("*^john^*", "Adams^John"));
        assert!(found("B?c", "Buc") && !found("B?c", "Buuc") && !found("Bu", "Buc"));
        assert!(found("김?동", "김희동"), "one ? is one syllable");
        assert!(found("*", "") && found("^^", "X") && !found("X*", ""));
    }

    #[test]
    fn a_key_of_one_group_finds_any_group() {
        let name = "Yamada^Tarou=山田^太郎=やまだ^たろう";
        assert!(found("山田^太郎", name) && found("やまだ*", name) && found("yamada^*", name));
        assert!(found("Yamada^Tarou=山田^太郎", name) && found("=山田*=", name));
        assert!(!found("Yamada^Tarou=鈴木", name) && !found("=Yamada*=", name));
    }

    #[test]
    fn fuzzy_keys_find_by_beginning_and_by_sound() {
        assert!(sounds_like("Jon Smyth", "Smith^John"));
        assert!(sounds_like("meier", "Meyer^Hans") && sounds_like("Maier*", "Meyer^Hans"));
        assert!(sounds_like("yam", "Yamada^Tarou") && sounds_like("山", "Yamada^Tarou=山田^太郎"));
        assert!(!sounds_like("Jones", "Smith^John"));
    }
}
