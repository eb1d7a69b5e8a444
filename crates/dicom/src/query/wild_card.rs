//! Wild card matching, PS3.4 C.2.2.2.4: `*` for any characters or none, `?` for one.

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
        let single: Vec<Token> = self.tokens.iter().copied().filter(|token| *token != Token::Any).collect();
        let words = single.len() / 64 + 1;
        let mut stays = vec![0u64; words];
        let mut passed = 0usize;
        for token in &self.tokens {
            match token {
                Token::Any => stays[passed / 64] |= 1 << (passed % 64),
                _ => passed += 1,
            }
        }
        let mut reached = vec![0u64; words];
        reached[0] = 1;
        let mut accepted = vec![0u64; words];
        for c in text.chars() {
            advances(&single, c, &mut accepted);
            let mut carry = 0;
            let mut alive = 0;
            for word in 0..words {
                let moved = reached[word] & accepted[word];
                let next = (moved << 1) | carry | (reached[word] & stays[word]);
                carry = moved >> 63;
                reached[word] = next;
                alive |= next;
            }
            if alive == 0 {
                return false;
            }
        }
        reached[single.len() / 64] >> (single.len() % 64) & 1 == 1
    }
}

/// The places from which the character leads on.
fn advances(single: &[Token], c: char, accepted: &mut [u64]) {
    accepted.fill(0);
    for (place, token) in single.iter().enumerate() {
        if *token == Token::One || *token == Token::Literal(c) {
            accepted[place / 64] |= 1 << (place % 64);
        }
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
