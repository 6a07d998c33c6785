//! What would have happened: a request under the policies that are only tried, beside what happens to it.

use std::{borrow::Cow, sync::Arc, time::Instant};

use guildhall_resilience::{
    adaptive::{self, Adaptive},
    breaker::{self, Breaker},
    bulkhead::{self, Bulkhead, Entry},
};

use super::way::{Ended, Shell, Way};
use crate::policy::compile::KeyedBy;

/// A request under what is tried. End it as the request ends; dropped, it gives back what it holds and counts nothing.
///
/// It stands for the whole request as though that were one attempt: retries and hedges are not tried, as they refuse
/// nothing.
#[must_use = "a trial that is dropped says nothing of how the request ended"]
pub struct Trial<S: Shell> {
    way: Arc<Way<S>>,
    began: Instant,
    _place: Option<bulkhead::Permit<Arc<Bulkhead>>>,
    breaker: Option<breaker::Permit<Arc<Breaker>>>,
    adaptive: Option<adaptive::Permit<Arc<Adaptive>>>,
}

impl<S: Shell> Way<S> {
    /// Begins a request under what is tried. `None` if nothing is, or if it would have been refused, which is counted
    /// at the first that would have. `key` is that of [`Limits::admit`](super::Limits::admit), and limits that several
    /// processes count together are counted here alone: where somebody can be asked, ask, and go on with
    /// [`trial_behind_limits`](Self::trial_behind_limits).
    pub fn trial<'a>(
        self: &Arc<Self>,
        now: Instant,
        key: impl Fn(&KeyedBy) -> Cow<'a, str>,
    ) -> Option<Trial<S>> {
        let rules = self.tried.as_ref()?;
        if let Some(limits) = &rules.rate_limit {
            limits.admit(now, key).ok()?.forgo_line();
        }
        self.trial_behind_limits(now)
    }

    /// The same for a request that has passed the rate limits that are tried, if there are any: see
    /// [`Pass::forgo_line`](super::Pass::forgo_line).
    pub fn trial_behind_limits(self: &Arc<Self>, now: Instant) -> Option<Trial<S>> {
        let rules = self.tried.as_ref()?;
        let mut place = None;
        if let Some(guard) = &rules.bulkhead {
            let wake = || std::task::Waker::noop().clone();
            match Bulkhead::enter(guard.machine.clone(), None, now, wake) {
                Ok(Entry::Admitted(permit)) => place = Some(permit),
                // It has no queue: see `Guards`.
                Ok(Entry::Queued(_)) => {}
                Err(_) => {
                    guard.tally.refuse();
                    return None;
                }
            }
        }
        let mut breaker = None;
        if let Some(guard) = &rules.breaker {
            // It counts by itself.
            breaker = Some(guard.machine.acquire_owned(|| now).ok()?);
        }
        let mut adaptive = None;
        if let Some(guard) = &rules.adaptive {
            match Adaptive::acquire(guard.machine.clone(), now) {
                Ok(permit) => adaptive = Some(permit),
                Err(_) => {
                    guard.tally.refuse();
                    return None;
                }
            }
        }
        Some(Trial {
            way: self.clone(),
            began: now,
            _place: place,
            breaker,
            adaptive,
        })
    }
}

impl<S: Shell> Trial<S> {
    /// The request ended so.
    pub fn end(self, ended: Ended, now: Instant) {
        let Some(rules) = &self.way.tried else {
            return;
        };
        let outcome = rules.outcome(ended);
        if let Some(permit) = self.breaker {
            permit.record(outcome, now);
        }
        if let Some(permit) = self.adaptive {
            permit.record(outcome, now);
        }
        if let Some(guard) = &rules.timeouts {
            let took = now.saturating_duration_since(self.began);
            let limit = guard.config.request.or(None);
            if limit.is_some_and(|limit| took > limit) {
                guard.tally.refuse();
            }
        }
    }
}
