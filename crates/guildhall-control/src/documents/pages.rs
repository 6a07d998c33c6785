//! Past states, kept for the lists that are being read page by page.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use guildhall_core::document::Index;

use super::DocumentOptions;
use crate::view::State;

/// The last few states that somebody holds a continue token of.
///
/// They share nearly all of their memory with the current one; what bounds them is their number
/// and their age.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    kept: Mutex<VecDeque<Kept>>,
}

#[derive(Debug)]
struct Kept {
    used: Instant,
    state: Arc<State>,
}

impl Pages {
    /// Keeps `state` until it is old or others have pushed it out.
    pub(super) fn keep(&self, state: &Arc<State>, options: &DocumentOptions, now: Instant) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| now.saturating_duration_since(kept.used) < options.kept_for);
        match kept.iter_mut().find(|kept| kept.state.index == state.index) {
            Some(kept) => kept.used = now,
            None => kept.push_back(Kept {
                used: now,
                state: Arc::clone(state),
            }),
        }
        while kept.len() > options.kept_states {
            kept.pop_front();
        }
    }

    /// The state at `index`, if it is still kept.
    pub(super) fn get(
        &self,
        index: Index,
        options: &DocumentOptions,
        now: Instant,
    ) -> Option<Arc<State>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.iter_mut().find(|kept| kept.state.index == index)?;
        if now.saturating_duration_since(kept.used) >= options.kept_for {
            return None;
        }
        kept.used = now;
        Some(Arc::clone(&kept.state))
    }
}
