//! Proofs for many leaves in one walk over the log.
//!
//! Said beforehand which proofs are wanted, it keeps the roots of just those subtrees while
//! the leaves pass by: a log of any length is walked once, in bounded memory.

use std::collections::HashMap;

use super::Hash;
use super::merkle::node_hash;

/// Leaves from the first number on, up to but without the second.
type Span = (u64, u64);

/// Inclusion and consistency proofs of a tree whose leaves come one after the other.
pub struct Proofs {
    size: u64,
    /// Roots of perfect subtrees by level and number at that level, once known.
    wanted: HashMap<(u32, u64), Option<Hash>>,
    /// Roots of the perfect subtrees so far, largest first.
    peaks: Vec<(u32, u64, Hash)>,
    pushed: u64,
}

impl Proofs {
    /// For the tree of that size: inclusion of those leaves (from 0), and that the trees of
    /// those sizes are its prefixes. What lies beyond the tree is passed over.
    pub fn of(size: u64, leaves: impl IntoIterator<Item = u64>, prefixes: impl IntoIterator<Item = u64>) -> Proofs {
        let mut proofs = Proofs { size, wanted: HashMap::new(), peaks: Vec::new(), pushed: 0 };
        let mut spans = vec![(0, size)];
        spans.extend(leaves.into_iter().filter(|leaf| *leaf < size).flat_map(|leaf| inclusion_spans(leaf, size)));
        let prefixes = prefixes.into_iter().filter(|old| (1..=size).contains(old));
        spans.extend(prefixes.flat_map(|old| consistency_spans(old, size)));
        spans.into_iter().for_each(|span| proofs.want(span));
        proofs
    }

    /// The next leaf.
    pub fn push(&mut self, leaf: Hash) {
        let (mut level, mut number, mut hash) = (0, self.pushed, leaf);
        self.met(level, number, hash);
        while let Some((_, _, left)) = self.peaks.pop_if(|(peak, _, _)| *peak == level) {
            (level, number, hash) = (level + 1, number / 2, node_hash(&left, &hash));
            self.met(level, number, hash);
        }
        self.peaks.push((level, number, hash));
        self.pushed += 1;
    }

    /// Leaves that came so far.
    pub fn leaves(&self) -> u64 {
        self.pushed
    }

    /// The root, when all leaves came.
    pub fn root(&self) -> Option<Hash> {
        self.root_of((0, self.size))
    }

    /// RFC 6962 2.1.1: the audit path of that leaf.
    pub fn inclusion(&self, leaf: u64) -> Option<Vec<Hash>> {
        if leaf >= self.size {
            return None;
        }
        inclusion_spans(leaf, self.size).into_iter().map(|span| self.root_of(span)).collect()
    }

    /// RFC 6962 2.1.2: that the tree of that size is a prefix.
    pub fn consistency(&self, old: u64) -> Option<Vec<Hash>> {
        if !(1..=self.size).contains(&old) {
            return None;
        }
        consistency_spans(old, self.size).into_iter().map(|span| self.root_of(span)).collect()
    }

    fn met(&mut self, level: u32, number: u64, hash: Hash) {
        if let Some(wanted) = self.wanted.get_mut(&(level, number)) {
            *wanted = Some(hash);
        }
    }

    fn want(&mut self, span: Span) {
        for perfect in perfect_spans(span) {
            self.wanted.entry(perfect).or_default();
        }
    }

    /// The root over a span: its perfect subtrees, joined from the right.
    fn root_of(&self, span: Span) -> Option<Hash> {
        let mut roots = perfect_spans(span).into_iter().rev();
        let known = |perfect| self.wanted.get(&perfect).copied().flatten();
        let last = known(roots.next()?)?;
        roots.try_fold(last, |right, perfect| Some(node_hash(&known(perfect)?, &right)))
    }
}

/// The perfect subtrees that a span of a tree is made of, largest first. Spans of proofs begin
/// where a subtree of their size begins.
fn perfect_spans((mut start, end): Span) -> Vec<(u32, u64)> {
    let mut spans = Vec::new();
    while start < end {
        let level = (end - start).ilog2();
        spans.push((level, start >> level));
        start += 1 << level;
    }
    spans
}

/// Largest power of two smaller than `n`, for `n` of 2 and more.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

fn inclusion_spans(leaf: u64, size: u64) -> Vec<Span> {
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if leaf < middle {
            path.push((middle, end));
            end = middle;
        } else {
            path.push((start, middle));
            start = middle;
        }
    }
    path.reverse();
    path
}

fn consistency_spans(old: u64, size: u64) -> Vec<Span> {
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while old < end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push((middle, end));
            end = middle;
        } else {
            path.push((start, middle));
            start = middle;
        }
    }
    if start > 0 {
        path.push((start, end));
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::super::merkle::{consistency_proof, inclusion_proof, leaf_hash};
    use super::*;

    #[test]
    fn one_walk_gives_the_proofs_of_the_definition() {
        let all: Vec<Hash> = (0..70u8).map(|n| leaf_hash(&[n])).collect();
        for size in 1..=all.len() {
            let mut proofs = Proofs::of(size as u64, 0..size as u64, 1..=size as u64);
            all[..size].iter().for_each(|leaf| proofs.push(*leaf));
            for n in 0..size {
                assert_eq!(proofs.inclusion(n as u64), inclusion_proof(&all[..size], n), "leaf {n} of {size}");
                let old = n + 1;
                assert_eq!(proofs.consistency(old as u64), consistency_proof(&all[..size], old), "{old} of {size}");
            }
            let mut tree = super::super::Tree::default();
            all[..size].iter().for_each(|leaf| tree.push(*leaf));
            assert_eq!(proofs.root(), Some(tree.root()));
            assert_eq!((proofs.inclusion(size as u64), proofs.consistency(0)), (None, None));
        }
    }

    #[test]
    fn a_walk_cut_short_proves_nothing() {
        let mut proofs = Proofs::of(8, [2], [4]);
        (0..7u8).for_each(|n| proofs.push([n; 32]));
        assert_eq!((proofs.root(), proofs.inclusion(2), proofs.consistency(4)), (None, None, None));
        assert_eq!(proofs.leaves(), 7);
    }
}
