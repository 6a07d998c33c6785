//! How all machines stand: one row each.

use std::{sync::Arc, time::Instant};

use super::{
    guards::Guards,
    key::OfService,
    state::{GuardState, Guarded, Measured},
    way::Shell,
};
use crate::policy::{effective::Source, spec::Section};

impl<S: Shell> Guards<S> {
    /// How the machines stand that ways use, in no particular order.
    pub fn states(&self, now: Instant) -> impl Iterator<Item = GuardState> {
        let breakers = self.breakers.used().map(move |(key, known)| {
            let snapshot = known.machine.snapshot(now);
            let last = snapshot.last_transition.as_ref();
            let measured = Measured::Breaker {
                since: last.map_or(known.made, |transition| transition.at),
                forced: known
                    .obeyed
                    .force()
                    .filter(|_| snapshot.state.is_forced())
                    .cloned(),
                snapshot: Box::new(snapshot),
            };
            row(key, Section::CircuitBreaker, &known.source, measured)
        });
        let bulkheads = self.bulkheads.used().map(|(key, known)| {
            let stats = known.machine.stats();
            let measured = Measured::Bulkhead {
                in_flight: stats.in_flight,
                queued: stats.queued,
                limit: known.config.max_concurrent(),
                refused: known.tally.refused(),
            };
            row(key, Section::Bulkhead, &known.source, measured)
        });
        let adaptives = self.adaptives.used().map(|(key, known)| {
            let stats = known.machine.stats();
            let measured = Measured::Adaptive {
                in_flight: stats.in_flight,
                limit: stats.limit,
                refused: known.tally.refused(),
            };
            row(key, Section::AdaptiveConcurrency, &known.source, measured)
        });
        let timeouts = self.timeouts.used().map(|(key, known)| {
            let refused = known.tally.refused();
            let measured = Measured::Deadline { refused };
            row(key, Section::Timeouts, &known.source, measured)
        });
        let limits = self.limits.used().map(|(key, known)| GuardState {
            guarded: Guarded::Target {
                target: key.target.clone(),
                rule: key.rule.as_str().into(),
            },
            section: Section::RateLimit,
            source: known.source.clone(),
            tried: key.tried,
            measured: Measured::RateLimit {
                passed: known.tally.passed(),
                refused: known.tally.refused(),
                share: known.machine.share(|| key.owner()),
            },
        });
        breakers
            .chain(bulkheads)
            .chain(adaptives)
            .chain(timeouts)
            .chain(limits)
    }
}

fn row(key: &OfService, section: Section, source: &Arc<Source>, measured: Measured) -> GuardState {
    GuardState {
        guarded: Guarded::Service(key.service.clone()),
        section,
        source: source.clone(),
        tried: key.tried,
        measured,
    }
}
