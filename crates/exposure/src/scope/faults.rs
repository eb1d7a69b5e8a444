//! What is wrong with a scope file: the line, the mistake, the mend; all of them at once.

use std::cell::RefCell;
use std::fmt;

/// One mistake in a scope file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The line it is on, counted from 1; none when it is about the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub mistake: String,
    /// What to write instead.
    pub mend: String,
}

/// Every mistake in a scope file, by line. The file's owner is to mend them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScopeFaults {
    /// The mistakes, at least one.
    pub faults: Vec<Fault>,
}

impl ScopeFaults {
    /// One mistake about the file as a whole.
    pub(super) fn of_file(mistake: impl Into<String>, mend: impl Into<String>) -> ScopeFaults {
        ScopeFaults { faults: vec![Fault { line: None, mistake: mistake.into(), mend: mend.into() }] }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}: {}", self.mistake, self.mend)
    }
}

impl fmt::Display for ScopeFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.len() {
            1 => write!(f, "the scope file has a mistake")?,
            count => write!(f, "the scope file has {count} mistakes")?,
        }
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// Where mistakes are gathered while a file is read on.
pub(super) struct Faults {
    line_starts: Vec<usize>,
    found: RefCell<Vec<Fault>>,
}

impl Faults {
    /// For a text in which mistakes are found by their offset.
    pub(super) fn new(text: &str) -> Faults {
        let after_newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Faults { line_starts: std::iter::once(0).chain(after_newlines).collect(), found: RefCell::default() }
    }

    /// Notes a mistake at an offset of the text.
    pub(super) fn at(&self, offset: usize, mistake: impl Into<String>, mend: impl Into<String>) {
        let line = Some(self.line_starts.partition_point(|start| *start <= offset));
        self.found.borrow_mut().push(Fault { line, mistake: mistake.into(), mend: mend.into() });
    }

    /// Whether anything was found yet.
    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// What was found, by line.
    pub(super) fn into_result(self) -> Result<(), ScopeFaults> {
        let mut faults = self.found.into_inner();
        faults.sort();
        faults.dedup();
        if faults.is_empty() { Ok(()) } else { Err(ScopeFaults { faults }) }
    }
}

/// The word of a list that was probably meant: at most two letters, or a third of them, off.
pub(super) fn nearest<'w>(written: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let measured = words.into_iter().map(|word| (distance(written, word), word));
    let (off, word) = measured.min_by_key(|(off, _)| *off)?;
    (off <= (word.len() / 3).max(2) && off < word.len()).then_some(word)
}

/// Letters to change, add or drop to get from one word to the other (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, r) in right.iter().enumerate() {
            let changed = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_and_no_far_one() {
        let words = ["addresses", "authorised_by", "owner", "urls"];
        assert_eq!(nearest("adresses", words), Some("addresses"));
        assert_eq!(nearest("authorized_by", words), Some("authorised_by"));
        assert_eq!(nearest("url", words), Some("urls"));
        assert_eq!(nearest("colour_of_the_door", words), None);
    }

    #[test]
    fn an_offset_becomes_its_line() {
        let faults = Faults::new("a\nbb\n\nc");
        for offset in [0, 2, 4, 6] {
            faults.at(offset, offset.to_string(), "");
        }
        let lines: Vec<_> = faults.into_result().unwrap_err().faults.into_iter().filter_map(|f| f.line).collect();
        assert_eq!(lines, [1, 2, 2, 4]);
    }
}
