//! What holds on a way, compiled, before it has machines.

use crate::policy::{
    compile::{Compiled, compile},
    effective::Effective,
    spec::Section,
};

/// What holds on a way, and what holds for the service on all ways to it.
pub(super) struct Ruled<'a> {
    pub(super) here: Compiled,
    pub(super) own: Compiled,
    pub(super) merged: &'a Effective,
}

impl<'a> Ruled<'a> {
    pub(super) fn of(here: &'a Effective, own: &Effective) -> Self {
        // Contradictions between policies are told by their status.
        Self {
            here: compile(here).0,
            own: compile(own).0,
            merged: here,
        }
    }

    /// What is the same as enforced is not tried; what is tried names a policy that is.
    pub(super) fn different_from(
        mut self,
        enforced: &Self,
        here: &Effective,
        own: &Effective,
    ) -> Self {
        macro_rules! clear {
            ($of:ident: $($field:ident = $section:ident),+) => {$(
                let same = enforced.$of.$field.as_ref().map(|rule| &rule.config);
                if self.$of.$field.as_ref().map(|rule| &rule.config) == same {
                    self.$of.$field = None;
                }
                if let (Some(rule), Some(tried)) = (&mut self.$of.$field, $of.tried(Section::$section)) {
                    rule.source = tried.clone();
                }
            )+};
        }
        clear!(here: rate_limit = RateLimit, timeouts = Timeouts);
        clear!(own: circuit_breaker = CircuitBreaker, bulkhead = Bulkhead, adaptive_concurrency = AdaptiveConcurrency);
        self
    }

    /// Whether anything in it refuses requests.
    pub(super) fn refuses(&self) -> bool {
        self.here.rate_limit.is_some()
            || self.here.timeouts.is_some()
            || self.own.circuit_breaker.is_some()
            || self.own.bulkhead.is_some()
            || self.own.adaptive_concurrency.is_some()
    }
}
