//! Machines of one kind by key: made, changed, found again, and forgotten when nobody has used them for long enough.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{orders::Obeyed, state::Tally, way::Guard};
use crate::policy::effective::Source;

/// Machines `M` that take configurations `C`.
#[derive(Debug)]
pub(super) struct Shelf<K, M, C> {
    known: HashMap<K, Known<M, C>>,
}

/// A machine, and what it was told last.
#[derive(Debug)]
pub(super) struct Known<M, C> {
    pub(super) machine: Arc<M>,
    pub(super) tally: Arc<Tally>,
    pub(super) config: C,
    pub(super) source: Arc<Source>,
    pub(super) obeyed: Obeyed,
    pub(super) made: Instant,
    /// When it was first seen that nobody uses it.
    gone: Option<Instant>,
}

impl<M, C> Known<M, C> {
    /// Whether a way, or a request under way, has it.
    pub(super) fn in_use(&self) -> bool {
        Arc::strong_count(&self.machine) > 1
    }

    pub(super) fn guard<G>(&self, config: G, source: &Arc<Source>) -> Guard<M, G> {
        Guard {
            machine: self.machine.clone(),
            config,
            source: source.clone(),
            tally: self.tally.clone(),
        }
    }
}

impl<K: Hash + Eq, M, C: PartialEq> Shelf<K, M, C> {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::new(),
        }
    }

    /// The machine of `key`: a new one that `make` makes, or the one there is. If it was told another configuration
    /// before, `change` tells it this one. Whether it is new stands beside it.
    pub(super) fn take(
        &mut self,
        key: K,
        config: C,
        source: &Arc<Source>,
        now: Instant,
        make: impl FnOnce(&C) -> M,
        change: impl FnOnce(&mut Arc<M>, &C, &C),
    ) -> (&mut Known<M, C>, bool) {
        use std::collections::hash_map::Entry;
        match self.known.entry(key) {
            Entry::Vacant(entry) => {
                let known = Known {
                    machine: Arc::new(make(&config)),
                    tally: Arc::default(),
                    config,
                    source: source.clone(),
                    obeyed: Obeyed::default(),
                    made: now,
                    gone: None,
                };
                (entry.insert(known), true)
            }
            Entry::Occupied(entry) => {
                let known = entry.into_mut();
                known.gone = None;
                known.source = source.clone();
                if known.config != config {
                    change(&mut known.machine, &known.config, &config);
                    known.config = config;
                }
                (known, false)
            }
        }
    }

    /// Forgets what nobody has used for `kept`, and, while there are more than `most`, what has been unused longest.
    pub(super) fn sweep(&mut self, kept: Duration, most: usize, now: Instant) {
        self.known.retain(|_, known| {
            if known.in_use() {
                known.gone = None;
                return true;
            }
            let gone = *known.gone.get_or_insert(now);
            now.saturating_duration_since(gone) < kept
        });
        let mut over = self.known.len().saturating_sub(most);
        if over == 0 {
            return;
        }
        let mut unused: Vec<Instant> = self.known.values().filter_map(|known| known.gone).collect();
        unused.sort_unstable();
        let Some(last) = unused
            .get(over.min(unused.len()).saturating_sub(1))
            .copied()
        else {
            return;
        };
        self.known.retain(|_, known| {
            let goes = over > 0 && known.gone.is_some_and(|gone| gone <= last);
            over -= usize::from(goes);
            !goes
        });
    }

    /// Those in use.
    pub(super) fn used(&self) -> impl Iterator<Item = (&K, &Known<M, C>)> {
        self.known.iter().filter(|(_, known)| known.in_use())
    }

    /// All of them, those included that are kept for their rule's return.
    pub(super) fn all(&self) -> impl Iterator<Item = &Known<M, C>> {
        self.known.values()
    }

    pub(super) fn get(&self, key: &K) -> Option<&Known<M, C>> {
        self.known.get(key)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
