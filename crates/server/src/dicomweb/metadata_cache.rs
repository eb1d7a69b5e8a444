//! Metadata answers kept ready, compressed, in memory.
//!
//! Keyed by entity tag, which changes with every byte that could change the answer. A hit
//! saves work, never a decision: the archive has granted the retrieval before anyone looks
//! here. Deliberately absent: the disk (nothing lies there in clear).

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use parking_lot::Mutex;

/// Answers by entity tag, the oldest dropped first when over a number of bytes.
pub struct MetadataCache {
    most_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    answers: HashMap<String, Bytes>,
    order: VecDeque<String>,
    bytes: usize,
}

impl MetadataCache {
    /// A cache of at most so many bytes.
    pub fn new(most_bytes: usize) -> MetadataCache {
        MetadataCache { most_bytes, kept: Mutex::default() }
    }

    /// The answer of that entity tag.
    pub fn answer(&self, entity_tag: &str) -> Option<Bytes> {
        self.kept.lock().answers.get(entity_tag).cloned()
    }

    /// Keeps an answer, unless it alone would take a quarter of the room.
    pub fn keep(&self, entity_tag: &str, answer: Bytes) {
        if answer.len() > self.most_bytes / 4 {
            return;
        }
        let mut kept = self.kept.lock();
        if kept.answers.contains_key(entity_tag) {
            return;
        }
        kept.bytes += answer.len();
        kept.order.push_back(entity_tag.to_owned());
        kept.answers.insert(entity_tag.to_owned(), answer);
        while kept.bytes > self.most_bytes {
            let Some(oldest) = kept.order.pop_front() else { break };
            let freed = kept.answers.remove(&oldest).map_or(0, |answer| answer.len());
            kept.bytes -= freed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let cache = MetadataCache::new(100);
        for name in ["a", "b", "c", "d", "e"] {
            cache.keep(name, Bytes::from_static(&[0; 25]));
        }
        assert_eq!(cache.answer("a"), None);
        assert!(["b", "c", "d", "e"].iter().all(|name| cache.answer(name).is_some()));
        cache.keep("large", Bytes::from_static(&[0; 26]));
        assert_eq!(cache.answer("large"), None);
        assert_eq!(cache.kept.lock().bytes, 100);
    }
}
