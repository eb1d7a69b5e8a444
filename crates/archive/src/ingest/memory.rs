//! A bound on what all objects on their way in hold in memory together: sealed bytes until
//! they are written, headers until the index has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes in memory above which objects go to files early.
const PLENTY: usize = 128 << 20;
/// Bytes in memory above which no header may grow.
const MOST: usize = 384 << 20;

/// What all objects hold together.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<AtomicUsize>);

/// What one object holds; given back when dropped.
pub(crate) struct Share {
    memory: Memory,
    bytes: usize,
}

impl Memory {
    /// A share of nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { memory: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// The object holds so many bytes now.
    pub(crate) fn hold(&mut self, bytes: usize) {
        let held = &self.memory.0;
        if bytes >= self.bytes {
            held.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            held.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// How much it holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether all together hold more than is possible.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_beyond(MOST)
    }

    /// Whether all together hold more than that.
    pub(crate) fn is_beyond(&self, most: usize) -> bool {
        self.memory.0.load(Ordering::Relaxed) > most
    }

    /// Whether all together hold more than is good.
    pub(super) fn is_scarce(&self) -> bool {
        self.is_beyond(PLENTY)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.hold(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_make_it_scarce_and_going_makes_it_plenty() {
        let memory = Memory::default();
        let (mut one, mut other) = (memory.share(), memory.share());
        one.hold(PLENTY);
        assert!(!other.is_scarce());
        other.hold(1);
        assert!(one.is_scarce());
        one.hold(10);
        drop(one);
        other.hold(PLENTY);
        assert!(!other.is_scarce(), "what is given back is free again");
        other.hold(MOST + 1);
        assert!(other.is_exhausted());
    }
}
