//! Rate limits that several processes count together: whom a worker asks, and what is known of whether it answers.
//!
//! Each worker has a connection of its own, as workers share nothing that a request writes to. What becomes of the
//! connections is told for all of them together: a line in the log as the first is without an answer, another as all have
//! answers again.

use std::{
    borrow::Cow,
    mem::discriminant,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use guildhall_core::policy::{
    compile::KeyedBy,
    guard::{Asked, Limits, Pass, Rejected},
};
use guildhall_resilience::limiter::redis::{RedisLimiter, RedisState};
use serde::Serialize;

use crate::{clock, shared::Shared, worker::Worker};

/// Who counts rate limits of scope `Exact`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum ExactCount {
    /// This gateway for itself: it was given no Redis.
    #[default]
    Unset,
    /// The first connection to Redis is being made.
    Connecting,
    /// Redis.
    Redis,
    /// This gateway for itself, in one worker at least, until Redis answers again.
    Away {
        /// Why it does not.
        why: Arc<str>,
    },
}

/// What is known of all workers' connections.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<Vec<RedisState>>);

impl Connections {
    /// Of so many workers; of none where there is no Redis.
    pub(crate) fn of(workers: usize) -> Self {
        Self(Mutex::new(vec![RedisState::Connecting; workers]))
    }

    fn states(&self) -> MutexGuard<'_, Vec<RedisState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who counts at present.
    pub(crate) fn count(&self) -> ExactCount {
        together(&self.states())
    }

    fn note(&self, worker: usize, state: &RedisState) {
        let mut states = self.states();
        let before = together(&states);
        if let Some(known) = states.get_mut(worker) {
            *known = state.clone();
        }
        let after = together(&states);
        if discriminant(&before) == discriminant(&after) {
            return;
        }
        match after {
            ExactCount::Redis => tracing::info!("rate limits of scope Exact are counted in Redis"),
            ExactCount::Away { why } => tracing::warn!(
                %why,
                "Redis is away: this gateway counts rate limits of scope Exact for itself"
            ),
            ExactCount::Unset | ExactCount::Connecting => {}
        }
    }
}

fn together(states: &[RedisState]) -> ExactCount {
    let mut together = match states {
        [] => ExactCount::Unset,
        _ => ExactCount::Redis,
    };
    for state in states {
        match state {
            RedisState::Away(why) => return ExactCount::Away { why: why.clone() },
            RedisState::Connecting => together = ExactCount::Connecting,
            RedisState::Up => {}
        }
    }
    together
}

/// Begins to connect a worker, on the present runtime, if the gateway was given a Redis.
pub(crate) fn connect(shared: &Arc<Shared>, worker: usize) -> Option<RedisLimiter> {
    let config = shared.options.redis.clone()?;
    let told = Arc::clone(shared);
    Some(RedisLimiter::start(
        config.on_change(move |state| told.exact.note(worker, state)),
    ))
}

/// Takes what a request costs from each limit, wherever it is counted. Waits for Redis no longer than its timeout;
/// without its answer each limit is what this gateway counts.
pub(crate) async fn admit<'a>(
    worker: &Worker,
    limits: &Limits,
    now: Instant,
    key: impl Fn(&KeyedBy) -> Cow<'a, str>,
) -> Result<Pass, Rejected> {
    let asking = match limits.ask(now, key)? {
        Asked::Passed(pass) => return Ok(pass),
        Asked::Exact(asking) => asking,
    };
    let answer = match &worker.redis {
        Some(redis) => redis.ask(asking.asks()).await.ok(),
        None => None,
    };
    let stats = worker.stats();
    match answer {
        Some(_) => stats.exact_asked.add(1),
        None => stats.exact_alone.add(1),
    }
    asking.answered(answer, clock::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_as_good_as_the_worst_of_them() {
        let connections = Connections::of(2);
        let why: Arc<str> = "it is gone".into();
        let away = RedisState::Away(why.clone());
        assert_eq!(Connections::default().count(), ExactCount::Unset);
        assert_eq!(connections.count(), ExactCount::Connecting);
        connections.note(0, &RedisState::Up);
        assert_eq!(connections.count(), ExactCount::Connecting);
        connections.note(1, &away);
        assert_eq!(connections.count(), ExactCount::Away { why });
        connections.note(1, &RedisState::Up);
        assert_eq!(connections.count(), ExactCount::Redis);
    }
}
