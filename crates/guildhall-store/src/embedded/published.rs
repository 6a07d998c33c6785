//! What readers see: the state after the last durable group, and a few older ones that paged reads still need.

use std::{
    collections::VecDeque,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;

use super::tables::Tables;
use crate::{Entry, Page, Range, ReadError};

/// How long an older state is kept for the next page of a range.
const PIN_TIME: Duration = Duration::from_secs(60);
/// How many are kept at most; the least recently used goes first.
const PINS: usize = 64;

/// The published state and its pinned predecessors.
pub(crate) struct Published {
    current: ArcSwap<Tables>,
    pins: Mutex<Pins>,
}

/// Pinned states, the least recently used first.
#[derive(Default)]
struct Pins(VecDeque<Pin>);

struct Pin {
    tables: Arc<Tables>,
    used: Instant,
}

impl Published {
    pub(crate) fn new(tables: Tables) -> Self {
        Self {
            current: ArcSwap::from_pointee(tables),
            pins: Mutex::default(),
        }
    }

    /// The current state.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Tables>> {
        self.current.load()
    }

    /// The current state, to be kept.
    pub(crate) fn load_full(&self) -> Arc<Tables> {
        self.current.load_full()
    }

    /// Replaces the current state; pinned ones that nobody used for long are let go.
    pub(crate) fn publish(&self, tables: Tables, now: Instant) {
        self.current.store(Arc::new(tables));
        self.pins().expire(now);
    }

    /// Lets go of pinned states up to this revision.
    pub(crate) fn compact(&self, revision: u64) {
        self.pins()
            .0
            .retain(|pin| pin.tables.index.revision > revision);
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a page. A state whose page has more is pinned.
    pub(crate) fn range(&self, range: &Range, now: Instant) -> Result<Page, ReadError> {
        let current = self.load_full();
        let revision = current.index.revision;
        let tables = match range.at {
            Some(at) if at != revision => {
                let pinned = self.pins().take(at, now);
                pinned.ok_or(ReadError::Compacted { oldest: revision })?
            }
            _ => current,
        };
        let page = page(&tables, range);
        if page.more {
            self.pins().keep(tables, now);
        }
        Ok(page)
    }
}

impl Pins {
    fn expire(&mut self, now: Instant) {
        while self
            .0
            .front()
            .is_some_and(|pin| now.saturating_duration_since(pin.used) > PIN_TIME)
        {
            self.0.pop_front();
        }
    }

    fn take(&mut self, revision: u64, now: Instant) -> Option<Arc<Tables>> {
        self.expire(now);
        let at = self
            .0
            .iter()
            .position(|pin| pin.tables.index.revision == revision)?;
        let mut pin = self.0.remove(at)?;
        pin.used = now;
        let tables = Arc::clone(&pin.tables);
        // Another reader of the same revision may be a page behind, so that it stays even after a last page.
        self.0.push_back(pin);
        Some(tables)
    }

    fn keep(&mut self, tables: Arc<Tables>, now: Instant) {
        let revision = tables.index.revision;
        self.0.retain(|pin| pin.tables.index.revision != revision);
        if self.0.len() == PINS {
            self.0.pop_front();
        }
        self.0.push_back(Pin { tables, used: now });
    }
}

fn page(tables: &Tables, range: &Range) -> Page {
    let limit = range.limit.unwrap_or(usize::MAX);
    let after = range
        .start_after
        .as_ref()
        .filter(|after| **after >= range.prefix);
    let start = match after {
        Some(after) => Bound::Excluded(&after[..]),
        None => Bound::Included(&range.prefix[..]),
    };
    let mut under = tables
        .entries
        .range(start)
        .take_while(|entry| entry.key.starts_with(&range.prefix));
    let entries: Vec<Arc<Entry>> = under.by_ref().take(limit).cloned().collect();
    Page {
        entries,
        revision: tables.index.revision,
        more: under.next().is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::clock, *};

    fn tables(revision: u64, keys: &[&'static str]) -> Tables {
        let mut tables = Tables::new(1);
        for key in keys {
            let entry = Entry {
                key: (*key).into(),
                value: bytes::Bytes::new(),
                created: 1,
                modified: 1,
                version: 1,
                lease: None,
                blobs: Box::default(),
            };
            tables.put(&Arc::new(entry), &mut Vec::new());
        }
        tables.index.revision = revision;
        tables
    }

    fn keys(page: &Page) -> String {
        let keys = page
            .entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.key));
        format!(
            "{}{}",
            keys.collect::<Vec<_>>().join(" "),
            if page.more { " …" } else { "" }
        )
    }

    #[test]
    fn the_edges_of_prefixes_and_pages() {
        let tables = tables(1, &["a", "a/", "a/1", "a/2", "a0", "b"]);
        let check = |range: Range, expected: &str| {
            assert_eq!(keys(&page(&tables, &range)), expected, "{range:?}")
        };
        check(Range::prefix(""), "a a/ a/1 a/2 a0 b");
        check(Range::prefix("a"), "a a/ a/1 a/2 a0");
        check(Range::prefix("a/"), "a/ a/1 a/2");
        check(Range::prefix("a/3"), "");
        check(Range::prefix("a/").limit(2), "a/ a/1 …");
        check(Range::prefix("a/").limit(3), "a/ a/1 a/2");
        check(Range::prefix("a/").limit(2).after("a/1", 1), "a/2");
        check(Range::prefix("a/").after("a", 1), "a/ a/1 a/2");
        check(Range::prefix("a/").after("b", 1), "");
        check(Range::prefix("a/").limit(0), " …");
    }

    #[test]
    fn a_page_with_more_keeps_its_revision_readable_for_a_minute() {
        let now = clock::now();
        let published = Published::new(tables(1, &["a", "b", "c"]));
        let first = Range::prefix("").limit(1);
        assert_eq!(keys(&published.range(&first, now).unwrap()), "a …");
        published.publish(tables(2, &[]), now);
        let next = |key: &'static str, now| published.range(&first.clone().after(key, 1), now);
        assert_eq!(keys(&next("a", now + PIN_TIME).unwrap()), "b …");
        assert_eq!(keys(&next("b", now + PIN_TIME * 2).unwrap()), "c");
        published.publish(tables(3, &[]), now + PIN_TIME * 4);
        assert_eq!(
            next("c", now + PIN_TIME * 4),
            Err(ReadError::Compacted { oldest: 3 })
        );
    }

    #[test]
    fn pins_are_bounded() {
        let now = clock::now();
        let published = Published::new(tables(0, &["a", "b"]));
        let first = Range::prefix("").limit(1);
        for revision in 1..=PINS as u64 + 1 {
            published.publish(tables(revision, &["a", "b"]), now);
            published.range(&first, now).unwrap();
        }
        published.publish(tables(1000, &[]), now);
        let at = |revision| {
            published
                .range(&first.clone().after("a", revision), now)
                .is_ok()
        };
        assert_eq!((at(1), at(2), at(PINS as u64 + 1)), (false, true, true));
        published.compact(2);
        assert!(!at(2) && at(3));
    }
}
