//! The Merkle tree of RFC 6962 section 2.1: roots, inclusion and consistency proofs.
//!
//! [`Tree`] keeps only the roots of the perfect subtrees (a compact range), at most 64
//! hashes. Deliberately absent: leaves; proofs take them from whoever walks the log.

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// SHA-256 of the pieces one after another.
pub(crate) fn sha256(pieces: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for piece in pieces {
        context.update(piece);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// RFC 6962 2.1: MTH({d}) = SHA-256(0x00 || d).
pub(super) fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&[0], data])
}

/// RFC 6962 2.1: the hash of an inner node.
pub(super) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The tree of everything appended so far, without its leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// Roots of the perfect subtrees, largest first: one per set bit of `size`.
    peaks: Vec<Hash>,
}

impl Tree {
    /// The tree of that size with those peaks; `None` when their number does not fit.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Tree> {
        (peaks.len() == size.count_ones() as usize).then_some(Tree { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the perfect subtrees, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
            size >>= 1;
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root: MTH of all leaves.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return sha256(&[]) };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// Largest power of two smaller than `n`, for `n` of 2 and more.
fn split(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

fn root_of(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// RFC 6962 2.1.1: the audit path of leaf `index` among all leaves; `None` when there is no
/// such leaf.
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut rest, mut index) = (leaves, index);
    while rest.len() > 1 {
        let (left, right) = rest.split_at(split(rest.len()));
        if index < left.len() {
            path.push(root_of(right));
            rest = left;
        } else {
            path.push(root_of(left));
            index -= left.len();
            rest = right;
        }
    }
    path.reverse();
    Some(path)
}

/// RFC 9162 2.1.3.2: whether `leaf` is number `index` of the tree of `size` and `root`.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut fresh, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if fresh & 1 == 1 || fresh == last {
            hash = node_hash(sibling, &hash);
            while fresh & 1 == 0 && fresh != 0 {
                fresh >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        fresh >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// RFC 6962 2.1.2: proof that the tree of the first `old` leaves is a prefix of the tree of
/// all; `None` unless `0 < old <= leaves.len()`.
pub fn consistency_proof(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    if old == 0 || old > leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut rest, mut old, mut whole) = (leaves, old, true);
    while old < rest.len() {
        let (left, right) = rest.split_at(split(rest.len()));
        if old <= left.len() {
            path.push(root_of(right));
            rest = left;
        } else {
            path.push(root_of(left));
            old -= left.len();
            rest = right;
            whole = false;
        }
    }
    if !whole {
        path.push(root_of(rest));
    }
    path.reverse();
    Some(path)
}

/// RFC 9162 2.1.4.2: whether the tree `old_root` of `old` leaves is a prefix of `new_root`
/// of `new` leaves.
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let (mut fresh, mut last) = (old - 1, new - 1);
    while fresh & 1 == 1 {
        fresh >>= 1;
        last >>= 1;
    }
    let mut steps = proof.iter();
    // A prefix that is a perfect subtree is its own first step.
    let start = if old.is_power_of_two() { Some(old_root) } else { steps.next() };
    let Some(start) = start else { return false };
    let (mut old_hash, mut new_hash) = (*start, *start);
    for step in steps {
        if last == 0 {
            return false;
        }
        if fresh & 1 == 1 || fresh == last {
            old_hash = node_hash(step, &old_hash);
            new_hash = node_hash(step, &new_hash);
            while fresh & 1 == 0 && fresh != 0 {
                fresh >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, step);
        }
        fresh >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs and roots of the reference tree used by Certificate Transparency's own tests.
    const INPUTS: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn leaves() -> Vec<Hash> {
        INPUTS.iter().map(|input| leaf_hash(&hex::decode(input).unwrap())).collect()
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let mut tree = Tree::default();
        assert_eq!(hex::encode(tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (leaf, root) in leaves().into_iter().zip(ROOTS) {
            tree.push(leaf);
            assert_eq!(hex::encode(tree.root()), root);
        }
    }

    #[test]
    fn inclusion_path_is_the_reference_one() {
        let path: Vec<String> = inclusion_proof(&leaves(), 5).unwrap().iter().map(hex::encode).collect();
        assert_eq!(
            path,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn every_inclusion_proof_verifies_and_no_other() {
        let all: Vec<Hash> = (0..40u8).map(|n| leaf_hash(&[n])).collect();
        for size in 1..=all.len() {
            let root = root_of(&all[..size]);
            for index in 0..size {
                let proof = inclusion_proof(&all[..size], index).unwrap();
                let holds = |leaf: &Hash, index: usize, proof: &[Hash]| {
                    verify_inclusion(leaf, index as u64, size as u64, proof, &root)
                };
                assert!(holds(&all[index], index, &proof));
                assert!(!holds(&leaf_hash(b"another"), index, &proof));
                assert!(!holds(&all[index], index + 1, &proof));
                if let Some((_, short)) = proof.split_last() {
                    assert!(!holds(&all[index], index, short));
                }
                assert!(!holds(&all[index], index, &[proof.as_slice(), &[root]].concat()));
            }
        }
    }

    #[test]
    fn every_consistency_proof_verifies_and_no_other() {
        let all: Vec<Hash> = (0..40u8).map(|n| leaf_hash(&[n])).collect();
        for new in 1..=all.len() {
            let new_root = root_of(&all[..new]);
            for old in 1..=new {
                let old_root = root_of(&all[..old]);
                let proof = consistency_proof(&all[..new], old).unwrap();
                let holds = |old_root: &Hash, proof: &[Hash]| {
                    verify_consistency(old as u64, old_root, new as u64, &new_root, proof)
                };
                assert!(holds(&old_root, &proof), "{old} of {new}");
                assert!(!holds(&leaf_hash(b"another"), &proof));
                assert!(!holds(&old_root, &[proof.as_slice(), &[new_root]].concat()));
                if let Some((_, short)) = proof.split_last() {
                    assert!(!holds(&old_root, short));
                }
            }
        }
    }

    #[test]
    fn peaks_resume_the_tree() {
        let mut tree = Tree::default();
        for n in 0..200u8 {
            let copy = Tree::from_peaks(tree.size(), tree.peaks().to_vec()).unwrap();
            assert_eq!(copy, tree);
            tree.push(leaf_hash(&[n]));
        }
        assert!(Tree::from_peaks(3, vec![[0; 32]]).is_none());
    }
}
