//! Audit paths and consistency proofs: RFC 9162 2.1.3.2 and 2.1.4.2, hashes of RFC 6962 2.1.

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// SHA-256 of the pieces one after another.
pub fn sha256(pieces: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    pieces.iter().for_each(|piece| context.update(piece));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// Whether `leaf` is leaf number `index` of the tree of `size` leaves and `root`.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut number, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if number % 2 == 1 || number == last {
            hash = node(sibling, &hash);
            let up = if number == 0 { 0 } else { number.trailing_zeros() };
            (number, last) = (number >> up, last >> up);
        } else {
            hash = node(&hash, sibling);
        }
        (number, last) = (number / 2, last / 2);
    }
    last == 0 && hash == *root
}

/// Whether the tree of `old` leaves and `old_root` is a prefix of that of `new` and `new_root`.
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let up = (old - 1).trailing_ones();
    let (mut number, mut last) = ((old - 1) >> up, (new - 1) >> up);
    let (first, rest) = match (old.is_power_of_two(), proof.split_first()) {
        (true, _) => (old_root, proof),
        (false, Some((first, rest))) => (first, rest),
        (false, None) => return false,
    };
    let (mut was, mut is) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if number % 2 == 1 || number == last {
            (was, is) = (node(sibling, &was), node(sibling, &is));
            let up = if number == 0 { 0 } else { number.trailing_zeros() };
            (number, last) = (number >> up, last >> up);
        } else {
            is = node(&is, sibling);
        }
        (number, last) = (number / 2, last / 2);
    }
    last == 0 && was == *old_root && is == *new_root
}
