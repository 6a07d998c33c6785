//! What checks have found and nobody has written yet, by instance.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use guildhall_core::document::DocumentKey;
use guildhall_core::registry::CheckState;
use guildhall_core::registry::health::Transition;
use tokio::sync::Notify;

/// The most transitions of one instance that one transaction writes.
const MOST: usize = 60;

/// One thing found.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// A check changed its mind.
    Transition(Transition),
    /// A check has been critical for so long that the instance is to be removed.
    Overdue(Arc<str>),
}

/// What was found of one instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    pub(super) transitions: VecDeque<Transition>,
    /// The check that asks for the instance's removal.
    pub(super) overdue: Option<Arc<str>>,
}

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Transitions {
    waiting: Mutex<BTreeMap<DocumentKey, Waiting>>,
    pub(super) some: Notify,
    most: usize,
}

impl Transitions {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            some: Notify::new(),
            most: most.min(MOST),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DocumentKey, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what was found of an instance; in the order of the calls.
    pub(crate) fn note(&self, key: &DocumentKey, found: Found) {
        let mut all = self.lock();
        let waiting = match all.get_mut(key) {
            Some(waiting) => waiting,
            None => all.entry(key.clone()).or_default(),
        };
        match found {
            Found::Overdue(check) => waiting.overdue = Some(check),
            Found::Transition(transition) => {
                // Heard from again before its removal was written.
                if transition.to != CheckState::Critical
                    && waiting.overdue.as_ref() == Some(&transition.check)
                {
                    waiting.overdue = None;
                }
                waiting.transitions.push_back(transition);
                waiting.shorten(self.most);
            }
        }
        drop(all);
        self.some.notify_one();
    }

    /// Takes what waits of up to `most` instances.
    pub(super) fn take(&self, most: usize) -> Vec<(DocumentKey, Waiting)> {
        let mut all = self.lock();
        let mut taken = Vec::with_capacity(most.min(all.len()));
        while taken.len() < most
            && let Some(first) = all.pop_first()
        {
            taken.push(first);
        }
        taken
    }

    /// Puts back what could not be written, before what came since.
    pub(super) fn put_back(&self, taken: impl IntoIterator<Item = (DocumentKey, Waiting)>) {
        let mut all = self.lock();
        for (key, mut before) in taken {
            let waiting = all.entry(key).or_default();
            before.transitions.append(&mut waiting.transitions);
            waiting.transitions = before.transitions;
            let revived = |check: &Arc<str>| {
                waiting
                    .transitions
                    .iter()
                    .rev()
                    .find(|transition| transition.check == *check)
                    .is_some_and(|last| last.to != CheckState::Critical)
            };
            if let Some(check) = before.overdue.filter(|check| !revived(check)) {
                waiting.overdue.get_or_insert(check);
            }
            waiting.shorten(self.most);
        }
    }

    /// Forgets everything: another process checks now, and finds for itself.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl Waiting {
    fn shorten(&mut self, most: usize) {
        while self.transitions.len() > most {
            self.transitions.pop_front();
        }
    }
}
