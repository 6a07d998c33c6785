//! Discovery answers that were written once and are sent until their service changes.
//!
//! Keyed by the request's path and query as they came: clients ask the same again and again, and the key costs nothing.
//! An answer is right as long as the service's revision is what it was written at. The map is immutable and exchanged as
//! a whole, so that readers never wait. It has two generations: what was not asked for since the last turn is forgotten,
//! so that memory is bounded without keeping an order of use.

use std::{
    collections::hash_map::RandomState,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use guildhall_core::document::Index;

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// The index of the service when it was written.
    pub(crate) index: Index,
    /// The answer's JSON.
    pub(crate) json: Bytes,
    /// The index as a header has it.
    pub(crate) header: http::HeaderValue,
}

type Map =
    imbl::GenericHashMap<Arc<str>, Arc<Kept>, RandomState, imbl::shared_ptr::DefaultSharedPtr>;

#[derive(Clone, Default)]
struct Generations {
    young: Map,
    young_bytes: u64,
    old: Map,
}

/// The answers, within a budget of bytes.
pub(crate) struct Answers {
    budget: u64,
    generations: ArcSwap<Generations>,
    /// One writer at a time; readers never take it.
    writing: Mutex<()>,
}

/// What an entry costs beside its text.
const OVERHEAD: u64 = 200;

impl Answers {
    /// Keeps about `budget` bytes at most; nothing at all with 0.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            budget,
            generations: ArcSwap::default(),
            writing: Mutex::new(()),
        }
    }

    /// The answer to `request`, whether it is still right or not.
    pub(crate) fn get(&self, request: &str) -> Option<Arc<Kept>> {
        let generations = self.generations.load();
        if let Some(kept) = generations.young.get(request) {
            return Some(kept.clone());
        }
        let kept = generations.old.get(request)?.clone();
        drop(generations);
        self.put(request, kept.clone());
        Some(kept)
    }

    /// Keeps the answer to `request`.
    pub(crate) fn put(&self, request: &str, kept: Arc<Kept>) {
        let size = kept.json.len() as u64 + request.len() as u64 + OVERHEAD;
        // Two generations share the budget, and one answer must not push out all others.
        if size > self.budget / 8 {
            return;
        }
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Generations::clone(&self.generations.load());
        let before = next.young.get(request).map_or(0, |old| {
            old.json.len() as u64 + request.len() as u64 + OVERHEAD
        });
        if next.young_bytes + size - before > self.budget / 2 {
            next.old = std::mem::take(&mut next.young);
            next.young_bytes = 0;
        } else {
            next.young_bytes -= before;
        }
        next.young.insert(request.into(), kept);
        next.young_bytes += size;
        self.generations.store(Arc::new(next));
    }

    /// How many bytes are kept at least.
    pub(crate) fn bytes(&self) -> u64 {
        self.generations.load().young_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(revision: u64, bytes: usize) -> Arc<Kept> {
        let index = Index {
            incarnation: 1,
            revision,
        };
        Arc::new(Kept {
            index,
            json: vec![b' '; bytes].into(),
            header: http::HeaderValue::from_static("1.1"),
        })
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let answers = Answers::new(64_000);
        answers.put("hot", kept(1, 1_000));
        for n in 0..500 {
            answers.put(&format!("cold-{n}"), kept(n, 1_000));
            assert!(answers.get("hot").is_some(), "after {n}");
            assert!(answers.bytes() <= 32_000);
        }
        assert!(answers.get("cold-0").is_none());
    }

    #[test]
    fn a_later_answer_takes_the_place_of_an_earlier() {
        let answers = Answers::new(64_000);
        for revision in 0..1_000 {
            answers.put("a", kept(revision, 1_000));
        }
        assert_eq!(answers.get("a").unwrap().index.revision, 999);
        assert!(answers.bytes() < 2_000);
    }

    #[test]
    fn an_answer_that_is_too_large_is_not_kept() {
        let answers = Answers::new(8_000);
        answers.put("large", kept(1, 2_000));
        assert!(answers.get("large").is_none());
        let none = Answers::new(0);
        none.put("a", kept(1, 0));
        assert!(none.get("a").is_none());
    }
}
