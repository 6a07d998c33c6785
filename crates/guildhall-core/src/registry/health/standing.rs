//! Where a check stands, and since when it is critical: what both machines share.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Moment, Transition, clip};
use crate::registry::{Check, CheckState};

#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) name: Arc<str>,
    pub(super) state: CheckState,
    /// Set while the state is critical.
    critical_since: Option<Instant>,
    deregister_after: Option<Duration>,
}

impl Standing {
    /// Begins at the state that was kept over a restart, else where the check asks to begin.
    pub(super) fn new(check: &Check, kept: Option<CheckState>, now: Moment) -> Self {
        let state = kept.unwrap_or_else(|| check.first_state());
        Self {
            name: check.name.as_str().into(),
            state,
            critical_since: (state == CheckState::Critical).then_some(now.monotonic),
            deregister_after: check.deregister_after.map(|after| after.get()),
        }
    }

    /// Moves to `to`, if that is somewhere else.
    pub(super) fn change(
        &mut self,
        to: CheckState,
        output: &str,
        now: Moment,
    ) -> Option<Transition> {
        if to == self.state {
            return None;
        }
        let from = std::mem::replace(&mut self.state, to);
        self.critical_since = (to == CheckState::Critical).then_some(now.monotonic);
        let output = clip(output).to_owned();
        Some(Transition {
            from,
            to,
            check: self.name.clone(),
            output,
            at: now.wall,
        })
    }

    /// When the instance has been critical for long enough to be removed. A time past what the
    /// clock can express is never.
    pub(super) fn deregister_at(&self) -> Option<Instant> {
        self.critical_since?.checked_add(self.deregister_after?)
    }

    pub(super) fn extend(&mut self, lag: Duration) {
        self.critical_since = self
            .critical_since
            .map(|since| since.checked_add(lag).unwrap_or(since));
    }
}
