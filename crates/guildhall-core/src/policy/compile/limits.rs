//! `rateLimit`, `bulkhead` and `adaptiveConcurrency`.

use std::time::Duration;

use guildhall_resilience::{
    adaptive::{AdaptiveConfig, Aimd, Algorithm, Gradient, Vegas},
    bulkhead::BulkheadConfig,
    limiter::{Quota, WarmUpConfig},
};

use super::{At, KeyedBy, share};
use crate::{
    document::{Pointer, Problems},
    policy::spec::{
        AdaptiveAlgorithm, AdaptiveConcurrency, Bulkhead, RateLimit, RateLimitAlgorithm,
        RateLimitRule, RateLimitScope, RequestKey,
    },
};

/// One limit. Its count is kept by `name`, as long as `key`, `scope` and the kind of `limiter` stay.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitRule {
    /// Its name.
    pub name: String,
    /// How it counts.
    pub limiter: Limiter,
    /// Who counts together.
    pub scope: RateLimitScope,
    /// What it counts by; one count for all requests without.
    pub key: Option<LimiterKey>,
}

impl LimitRule {
    /// Whether what `self` has counted holds for `next` too: the same name, algorithm, key and scope. (A
    /// [`Keyed`](guildhall_resilience::limiter::Keyed) limiter of another capacity has to be made anew.)
    pub fn keeps_count_of(&self, next: &Self) -> bool {
        let kind = |limiter: &Limiter| std::mem::discriminant(limiter);
        self.name == next.name
            && kind(&self.limiter) == kind(&next.limiter)
            && self.key == next.key
            && self.scope == next.scope
    }
}

/// How requests are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limiter {
    /// [`Gcra`](guildhall_resilience::limiter::Gcra), or [`Keyed`](guildhall_resilience::limiter::Keyed) with a key.
    TokenBucket(Quota),
    /// [`SlidingWindow`](guildhall_resilience::limiter::SlidingWindow).
    SlidingWindow(Quota),
    /// [`LeakyQueue`](guildhall_resilience::limiter::LeakyQueue).
    LeakyQueue {
        /// The rate.
        quota: Quota,
        /// How long a request may have to wait.
        max_wait: Duration,
    },
    /// [`WarmUp`](guildhall_resilience::limiter::WarmUp).
    WarmUp(WarmUpConfig),
}

/// What a limit counts by.
#[derive(Clone, Debug, PartialEq)]
pub struct LimiterKey {
    /// What of a request makes its key.
    pub by: KeyedBy,
    /// How many keys are remembered.
    pub capacity: usize,
}

const HOUR: Duration = Duration::from_secs(3600);

impl RateLimit {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<Vec<LimitRule>> {
        let rules = self.rules.as_deref().unwrap_or_default();
        let list = at.pointer.field("rules");
        problems.check(rules.len() <= 8, list, "at most 8 rules");
        let mut compiled = Vec::with_capacity(rules.len());
        for (n, rule) in rules.iter().enumerate() {
            let pointer = list.item(n);
            let twice = rules[..n].iter().any(|earlier| earlier.name == rule.name);
            problems.check(!twice, pointer.field("name"), "two rules have this name");
            let at = At {
                pointer,
                attempt_timeout: None,
            };
            compiled.extend(rule.compile(&at, problems));
        }
        let on = self.enabled.unwrap_or(true) && !compiled.is_empty();
        on.then_some(compiled)
    }
}

impl RateLimitRule {
    fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<LimitRule> {
        use RateLimitAlgorithm as Word;
        let algorithm = self.algorithm.unwrap_or_default();
        let name = at.pointer.field("name");
        problems.check(
            (1..=253).contains(&self.name.len()),
            name,
            "1 to 253 characters",
        );
        self.check_fit(algorithm, &at.pointer, problems);
        let quota = Quota::new(self.requests, self.period.get()).and_then(|quota| {
            self.burst
                .map_or(Ok(quota), |burst| quota.with_burst(burst))
        });
        let names = [
            (
                "limit",
                "requests",
                Some("1 or more, and no more than a thousand million a second"),
            ),
            (
                "period",
                "period",
                Some("more than 0s, and so short that a full burst comes back within 36 years"),
            ),
        ];
        let quota = at.take(quota, &names, problems)?;
        let max_wait = self.max_wait.unwrap_or_default().get();
        let limiter = match algorithm {
            Word::TokenBucket => Limiter::TokenBucket(quota),
            Word::SlidingWindow => Limiter::SlidingWindow(quota),
            Word::LeakyQueue => Limiter::LeakyQueue { quota, max_wait },
            Word::WarmUp => {
                let period = self
                    .warm_up_period
                    .map_or(Duration::from_secs(10), |period| period.get());
                let names = [
                    (
                        "warm_up",
                        "warmUpPeriod",
                        Some("more than 0s and at most 30 days (720h)"),
                    ),
                    (
                        "cold_factor",
                        "coldFactor",
                        Some("above 1 and at most 1000"),
                    ),
                ];
                let config = WarmUpConfig::new(quota, period).and_then(|config| {
                    self.cold_factor
                        .map_or(Ok(config), |factor| config.with_cold_factor(factor))
                });
                Limiter::WarmUp(at.take(config, &names, problems)?.with_max_wait(max_wait))
            }
        };
        let capacity = self.max_keys.unwrap_or(10_000) as usize;
        let key = self.key.as_ref().and_then(RequestKey::compile);
        let key = key.map(|by| LimiterKey { by, capacity });
        Some(LimitRule {
            name: self.name.clone(),
            limiter,
            scope: self.scope.unwrap_or_default(),
            key,
        })
    }

    /// Notes fields that the algorithm does not look at: who writes them expects something of them.
    fn check_fit(&self, algorithm: RateLimitAlgorithm, at: &Pointer<'_>, problems: &mut Problems) {
        use RateLimitAlgorithm as Word;
        let bucket = algorithm == Word::TokenBucket;
        let paced = matches!(algorithm, Word::LeakyQueue | Word::WarmUp);
        let warm = algorithm == Word::WarmUp;
        problems.check(
            bucket || self.burst.is_none(),
            at.field("burst"),
            "only TokenBucket has bursts; leave it out",
        );
        problems.check(
            bucket || self.key.is_none(),
            at.field("key"),
            "only TokenBucket counts by key; leave the key or the algorithm out",
        );
        problems.check(
            bucket || self.scope != Some(RateLimitScope::Exact),
            at.field("scope"),
            "only TokenBucket can be counted exactly; leave the scope or the algorithm out",
        );
        let shared = self.scope == Some(RateLimitScope::Shared);
        problems.check(
            (bucket && self.key.is_none()) || !shared,
            at.field("scope"),
            "only TokenBucket without a key can be shared; write Exact, or leave the scope out",
        );
        problems.check(
            paced || self.max_wait.is_none(),
            at.field("maxWait"),
            "only LeakyQueue and WarmUp let requests wait",
        );
        problems.check(
            self.max_wait.is_none_or(|wait| wait.get() <= HOUR),
            at.field("maxWait"),
            "1h at most",
        );
        problems.check(
            warm || self.warm_up_period.is_none(),
            at.field("warmUpPeriod"),
            "only for WarmUp",
        );
        problems.check(
            warm || self.cold_factor.is_none(),
            at.field("coldFactor"),
            "only for WarmUp",
        );
        if let Some(key) = &self.key {
            key.validate(&at.field("key"), problems);
        }
        let keys = self
            .max_keys
            .is_none_or(|keys| self.key.is_some() && (1..=1_000_000).contains(&keys));
        problems.check(
            keys,
            at.field("maxKeys"),
            "1 to 1000000, and with a key only",
        );
    }
}

impl Bulkhead {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<BulkheadConfig> {
        let calls = self.max_concurrent_calls.unwrap_or(1024);
        let wait = self.max_wait_duration.map(|wait| wait.get());
        let (queued, wait) = match (self.max_pending_requests, wait) {
            (None, None) => (0, Duration::ZERO),
            (Some(queued), None) => (queued, Duration::from_millis(100)),
            (None, Some(wait)) => (calls.min(1_000_000), wait),
            (Some(queued), Some(wait)) => (queued, wait),
        };
        problems.check(
            wait <= HOUR,
            at.pointer.field("maxWaitDuration"),
            "1h at most",
        );
        // Either word for "nobody waits" is enough.
        let nobody = queued == 0 || wait.is_zero();
        let (queued, wait) = if nobody {
            (0, Duration::ZERO)
        } else {
            (queued, wait)
        };
        let names = [
            ("max_concurrent", "maxConcurrentCalls", None),
            ("max_queued", "maxPendingRequests", None),
        ];
        let config = BulkheadConfig::new(calls).and_then(|config| config.with_queue(queued, wait));
        let config = at.take(config, &names, problems)?;
        self.enabled.unwrap_or(true).then_some(config)
    }
}

impl AdaptiveConcurrency {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<AdaptiveConfig> {
        let usual = AdaptiveConfig::default();
        let most = self
            .max_concurrency
            .unwrap_or(usual.max().max(self.min_concurrency.unwrap_or(0)));
        let least = self.min_concurrency.unwrap_or(usual.min().min(most));
        let usual_first = usual.initial().clamp(least.min(most), most);
        let first = self.initial_concurrency.unwrap_or(usual_first);
        let config = AdaptiveConfig::new(self.algorithm())
            .and_then(|config| config.with_limits(least, first, most))
            .and_then(|config| {
                let window = self
                    .sample_window
                    .map_or(Duration::from_millis(100), |window| window.get());
                config.with_window(window, self.min_samples.unwrap_or(10))
            })
            .and_then(|config| {
                config.with_overload_share(share(self.overload_percent.unwrap_or(10.0)))
            });
        problems.check(
            self.sample_window.is_none_or(|window| window.get() <= HOUR),
            at.pointer.field("sampleWindow"),
            "1h at most",
        );
        let config = at.take(config, self.names(), problems)?;
        self.enabled.unwrap_or(true).then_some(config)
    }

    fn algorithm(&self) -> Algorithm {
        match self.algorithm.unwrap_or_default() {
            AdaptiveAlgorithm::Gradient => {
                let mut to = Gradient::default();
                if let Some(from) = &self.gradient {
                    to.queue = from.queue_size.unwrap_or(to.queue);
                    to.smoothing = from.smoothing.unwrap_or(to.smoothing);
                    to.tolerance = from.rtt_tolerance.unwrap_or(to.tolerance);
                    to.long_window = from.long_window.unwrap_or(to.long_window);
                }
                Algorithm::Gradient(to)
            }
            AdaptiveAlgorithm::Aimd => {
                let mut to = Aimd::default();
                if let Some(from) = &self.aimd {
                    to.backoff = from.backoff_ratio.unwrap_or(to.backoff);
                    to.timeout = from.timeout.map_or(to.timeout, |timeout| timeout.get());
                }
                Algorithm::Aimd(to)
            }
            AdaptiveAlgorithm::Vegas => {
                let mut to = Vegas::default();
                if let Some(from) = &self.vegas {
                    to.probe = from.probe_multiplier.unwrap_or(to.probe);
                    to.smoothing = from.smoothing.unwrap_or(to.smoothing);
                }
                Algorithm::Vegas(to)
            }
        }
    }

    fn names(&self) -> &'static super::Names {
        match self.algorithm.unwrap_or_default() {
            AdaptiveAlgorithm::Vegas => &[
                ("probe", "vegas/probeMultiplier", None),
                ("smoothing", "vegas/smoothing", None),
                LIMITS[0],
                LIMITS[1],
                LIMITS[2],
                LIMITS[3],
                LIMITS[4],
                LIMITS[5],
            ],
            _ => &[
                ("queue", "gradient/queueSize", None),
                ("smoothing", "gradient/smoothing", None),
                ("tolerance", "gradient/rttTolerance", None),
                ("long_window", "gradient/longWindow", None),
                ("backoff", "aimd/backoffRatio", None),
                ("timeout", "aimd/timeout", None),
                LIMITS[0],
                LIMITS[1],
                LIMITS[2],
                LIMITS[3],
                LIMITS[4],
                LIMITS[5],
            ],
        }
    }
}

const LIMITS: [(&str, &str, Option<&str>); 6] = [
    ("min", "minConcurrency", None),
    (
        "initial",
        "initialConcurrency",
        Some("between minConcurrency and maxConcurrency, the first no greater than the second"),
    ),
    ("max", "maxConcurrency", None),
    ("window", "sampleWindow", None),
    ("min_samples", "minSamples", None),
    (
        "overload_share",
        "overloadPercent",
        Some("above 0 and up to 100 percent"),
    ),
];
