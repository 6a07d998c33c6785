//! Orders to breakers: a state for a while, a fresh start. Each is obeyed once.

use std::time::Instant;

use guildhall_resilience::breaker::Breaker;

use crate::{
    document::Timestamp,
    policy::compile::{BreakerRule, ForcedOrder},
};

/// The orders that a breaker has obeyed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Obeyed {
    force: Option<ForcedOrder>,
    reset: Option<Timestamp>,
}

impl Obeyed {
    /// Tells `breaker` what `rule` orders and it has not been told. One that was just made (`new`) has nothing to
    /// reset; an order whose time is over is none.
    pub(super) fn obey(
        &mut self,
        breaker: &Breaker,
        rule: &BreakerRule,
        new: bool,
        now: Instant,
        wall: Timestamp,
    ) {
        // A document that was put back names an earlier reset, which is no new one.
        if rule.reset > self.reset {
            self.reset = rule.reset;
            if !new {
                breaker.reset(now);
                // A state by order that still holds is ordered again.
                self.force = None;
            }
        }
        let order = rule
            .forced
            .as_ref()
            .and_then(|order| Some((order, order.remaining(wall)?)));
        match order {
            Some((order, remaining)) => {
                if self.force.as_ref() != Some(order) {
                    let until = now.checked_add(remaining);
                    breaker.force(order.state, until, now);
                    self.force = Some(order.clone());
                }
            }
            None => {
                if self.force.take().is_some() {
                    breaker.release(now);
                }
            }
        }
    }

    /// The order that it has obeyed last, whether or not its time is over.
    pub(super) fn force(&self) -> Option<&ForcedOrder> {
        self.force.as_ref()
    }
}
