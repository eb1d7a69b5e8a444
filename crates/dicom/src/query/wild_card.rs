//! Wild card matching, PS3.4 C.2.2.2.4: `*` for any characters or none, `?` for one.

use std::collections::BTreeMap;

/// One part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    /// This character.
    Literal(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, or none.
    Any,
}

/// A pattern, compiled. Matching reads the text once, whatever the pattern: the set of places
/// that the pattern may have reached is a row of bits, moved on by each character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WildCard {
    tokens: Vec<Token>,
}

impl WildCard {
    /// Compiles a pattern; runs of `*` count once. Every text is a pattern.
    pub fn new(pattern: &str) -> WildCard {
        let mut tokens = Vec::with_capacity(pattern.len());
        for c in pattern.chars() {
            match c {
                '*' if tokens.last() == Some(&Token::Any) => {}
                '*' => tokens.push(Token::Any),
                '?' => tokens.push(Token::One),
                c => tokens.push(Token::Literal(c)),
            }
        }
        WildCard { tokens }
    }

    /// The parts in their order, for an index to write as it likes.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The characters before the first wild card: what a sorted index can look up.
    pub fn prefix(&self) -> String {
        self.tokens.iter().map_while(|token| if let Token::Literal(c) = token { Some(*c) } else { None }).collect()
    }

    /// The whole text when there is no wild card in it.
    pub fn literal(&self) -> Option<String> {
        let literal = self.prefix();
        (literal.chars().count() == self.tokens.len()).then_some(literal)
    }

    /// Whether every text matches.
    pub fn is_universal(&self) -> bool {
        self.tokens == [Token::Any]
    }

    /// Whether the text matches. Time: its length times a 64th of the pattern's.
    pub fn matches(&self, text: &str) -> bool {
        let places = Places::of(&self.tokens);
        let mut reached = vec![0u64; places.words()];
        reached[0] = 1;
        for c in text.chars() {
            let leads_on = places.leading_on(c);
            let mut carry = 0;
            let mut alive = 0;
            for (word, bits) in reached.iter_mut().enumerate() {
                let moved = *bits & leads_on[word];
                *bits = (moved << 1) | carry | (*bits & places.stays[word]);
                carry = moved >> 63;
                alive |= *bits;
            }
            if alive == 0 {
                return false;
            }
        }
        (reached[places.last / 64] >> (places.last % 64)) & 1 == 1
    }
}

/// The places between the parts of a pattern that take one character, as rows of bits.
struct Places {
    /// The place behind the last part.
    last: usize,
    /// Where `*` lets any character pass without moving on.
    stays: Vec<u64>,
    /// From where any character leads on: `?`.
    one: Vec<u64>,
    /// From where each character of the pattern leads on, `?` included, by character.
    literal: BTreeMap<char, Vec<u64>>,
}

impl Places {
    fn of(tokens: &[Token]) -> Places {
        let last = tokens.iter().filter(|token| **token != Token::Any).count();
        let empty = vec![0u64; last / 64 + 1];
        let mut places = Places { last, stays: empty.clone(), one: empty.clone(), literal: BTreeMap::new() };
        let mut place = 0;
        for token in tokens {
            let bit = 1 << (place % 64);
            match token {
                Token::Any => places.stays[place / 64] |= bit,
                Token::One => places.one[place / 64] |= bit,
                Token::Literal(c) => places.literal.entry(*c).or_insert_with(|| empty.clone())[place / 64] |= bit,
            }
            place += usize::from(*token != Token::Any);
        }
        for row in places.literal.values_mut() {
            row.iter_mut().zip(&places.one).for_each(|(bits, one)| *bits |= one);
        }
        places
    }

    fn words(&self) -> usize {
        self.one.len()
    }

    fn leading_on(&self, c: char) -> &[u64] {
        self.literal.get(&c).unwrap_or(&self.one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, without regard to time.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => by_definition(rest, text),
            (Some(('*', rest)), Some((_, tail))) => by_definition(rest, text) || by_definition(pattern, tail),
            (Some((p, rest)), Some((t, tail))) => (*p == '?' || p == t) && by_definition(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_matches_what_the_definition_does(pattern in "[ab*?]{0,9}", text in "[ab]{0,9}") {
            let expected = by_definition(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
            prop_assert_eq!(WildCard::new(&pattern).matches(&text), expected);
        }

        #[test]
        fn long_patterns_cross_words(head in "[a-z]{60,70}", tail in "[a-z]{60,70}", middle in ".{0,9}") {
            let text = format!("{head}{middle}{tail}");
            let pattern = format!("{head}*{tail}");
            prop_assert!(WildCard::new(&pattern).matches(&text));
            prop_assert!(!WildCard::new(&pattern).matches(&head));
            prop_assert!(WildCard::new(&text.replace(['*', '?'], "?")).matches(&text));
        }
    }

    #[test]
    fn what_kills_backtracking_does_not_take_long() {
        let pattern = WildCard::new(&"*?a".repeat(64));
        assert!(!pattern.matches(&"ab".repeat(20_000).replace('a', "c")));
        assert!(pattern.matches(&"ba".repeat(20_000)));
    }

    #[test]
    fn prefixes_and_literals() {
        assert_eq!(WildCard::new("ab*c").prefix(), "ab");
        assert_eq!(WildCard::new("ab").literal().as_deref(), Some("ab"));
        assert_eq!(WildCard::new("a?").literal(), None);
        assert!(WildCard::new("**").is_universal());
        assert!(WildCard::new("").matches("") && !WildCard::new("").matches("a"));
    }
}
