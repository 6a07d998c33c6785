//! Rate limits that several processes count together: whom this process asks, if it was told.

use std::{borrow::Cow, sync::Arc, time::Instant};

use guildhall_core::policy::{
    compile::KeyedBy,
    guard::{Asked, Limits, Pass, Rejected, Trial, Way},
};
use guildhall_resilience::limiter::exact::{Answer, Ask};

use crate::{clock, metrics::Meter, policy::Sdk};

/// Whoever counts for the fleet. Without the feature `redis` that is nobody, and each process counts for itself.
#[derive(Default)]
pub(crate) struct Exact {
    #[cfg(feature = "redis")]
    redis: std::sync::OnceLock<guildhall_resilience::limiter::redis::RedisLimiter>,
}

impl Exact {
    /// Begins to connect, on the present runtime.
    #[cfg(feature = "redis")]
    pub(crate) fn start(&self, config: guildhall_resilience::limiter::redis::RedisConfig) {
        use guildhall_resilience::limiter::redis::{RedisLimiter, RedisState};
        self.redis.get_or_init(|| {
            RedisLimiter::start(config.on_change(|state| match state {
                RedisState::Up => {
                    tracing::info!("rate limits of scope Exact are counted in Redis");
                }
                RedisState::Away(why) => tracing::warn!(
                    %why,
                    "Redis is away: this process counts rate limits of scope Exact for itself"
                ),
                RedisState::Connecting => {}
            }))
        });
    }

    #[cfg(feature = "redis")]
    async fn ask(&self, asks: &[Ask]) -> Option<Answer> {
        self.redis.get()?.ask(asks).await.ok()
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_async, reason = "the same as with Redis")]
    async fn ask(&self, _: &[Ask]) -> Option<Answer> {
        None
    }

    /// Takes what a call costs from each limit, wherever it is counted. Waits no longer than the timeout of whoever is
    /// asked; without an answer each limit is what this process counts.
    pub(super) async fn admit<'a>(
        &self,
        meter: &Meter,
        limits: &Limits,
        now: Instant,
        key: impl Fn(&KeyedBy) -> Cow<'a, str>,
    ) -> Result<Pass, Rejected> {
        match limits.ask(now, key)? {
            Asked::Passed(pass) => Ok(pass),
            Asked::Exact(asking) => {
                let answer = self.ask(asking.asks()).await;
                meter.counted(answer.is_some());
                asking.answered(answer, clock::now())
            }
        }
    }

    /// Begins a call under what is only tried; see [`Way::trial`].
    pub(super) async fn trial<'a>(
        &self,
        meter: &Meter,
        way: &Arc<Way<Sdk>>,
        now: Instant,
        key: impl Fn(&KeyedBy) -> Cow<'a, str>,
    ) -> Option<Trial<Sdk>> {
        let limits = way.tried.as_ref()?.rate_limit.as_ref();
        let Some(limits) = limits else {
            return way.trial_behind_limits(now);
        };
        self.admit(meter, limits, now, key).await.ok()?.forgo_line();
        way.trial_behind_limits(clock::now())
    }
}
