//! Envoy as it is by default, with retries and outlier detection switched on.
//!
//! Modelled after its API reference (v3), each at its default:
//!
//! - `config.route.v3.RetryPolicy`, `retry_on: 5xx`: `num_retries` 1; `retry_back_off` base 25 ms, longest 10 × that,
//!   fully jittered; no `per_try_timeout`. The route's `timeout` of 15 s is longer than any caller here waits.
//! - `config.cluster.v3.CircuitBreakers.Thresholds`: `max_requests` 1024 at once and `max_retries` 3 at once; what is
//!   over the first is answered 503 (`x-envoy-overloaded`) and never retried. No `retry_budget`.
//! - `config.cluster.v3.OutlierDetection {}`: `consecutive_5xx` 5, `interval` 10 s, `base_ejection_time` 30 s,
//!   `max_ejection_percent` 10, success rate against five hosts or more. Played by the outlier detection of
//!   guildhall-resilience, whose rules are Envoy's; it ends ejections on time where Envoy waits for its next sweep.
//! - `lb_policy` ROUND_ROBIN; `healthy_panic_threshold` 50 %; no `retry_host_predicate`: a retry may go to the endpoint
//!   that has just failed.
//!
//! HTTP/2 upstreams: with HTTP/1.1 another 1,024 would wait for one of 1,024 connections.

use std::sync::Arc;

use guildhall_resilience::ConfigError;
use guildhall_resilience::balance::{PanicThreshold, RoundRobin};
use guildhall_resilience::outlier::{Config, Endpoint, Event, Observed, Outlier, Ticket};

use super::{Asked, Attempt, Ended, Log, Next, Strategy};
use crate::time::{MILLISECOND, Nanos, SECOND, Timeline};

const MAX_REQUESTS: u32 = 1024;
const MAX_RETRIES: u32 = 3;
const NUM_RETRIES: u32 = 1;
const BACK_OFF: Nanos = 25 * MILLISECOND;
const INTERVAL: Nanos = 10 * SECOND;

#[derive(Debug)]
pub(crate) struct Envoy {
    timeline: Timeline,
    random: fastrand::Rng,
    turns: RoundRobin,
    outlier: Outlier<usize>,
    endpoints: Vec<Arc<Endpoint<usize>>>,
    /// Both count until the upstream is done with it, those that wait for their back-off included.
    requests: u32,
    retries: u32,
    swept: Nanos,
    log: Log,
}

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Hold {
    endpoint: usize,
    ticket: Ticket,
    is_retry: bool,
}

impl Envoy {
    pub(crate) fn new(
        endpoints: usize,
        seed: u64,
        timeline: Timeline,
    ) -> Result<Self, ConfigError> {
        let outlier = Outlier::new(Config::default(), timeline.at(0))?;
        Ok(Self {
            timeline,
            random: fastrand::Rng::with_seed(seed),
            turns: RoundRobin::new(vec![1; endpoints]),
            endpoints: outlier.members(0..endpoints, timeline.at(0)),
            outlier,
            requests: 0,
            retries: 0,
            swept: 0,
            log: Log::default(),
        })
    }
}

impl Strategy for Envoy {
    type Hold = Hold;

    fn admit(&mut self, _: &Asked, _: Nanos) -> bool {
        true
    }

    fn attempt(&mut self, asked: &Asked, _: &[u32], now: Nanos) -> Attempt<Hold> {
        let is_retry = asked.tries > 0;
        if self.requests >= MAX_REQUESTS {
            // The place among the retries was taken when the retry was decided.
            self.retries -= u32::from(is_retry);
            return Attempt::Refuse;
        }
        let now = self.timeline.at(now);
        let ejected = |endpoint: usize| self.endpoints[endpoint].is_ejected(now);
        let healthy = (0..self.endpoints.len()).filter(|at| !ejected(*at)).count();
        let panics = PanicThreshold::default().is_panic(healthy, self.endpoints.len());
        let Some(endpoint) = self.turns.pick(|at| panics || !ejected(at)) else {
            self.retries -= u32::from(is_retry);
            return Attempt::Refuse;
        };
        self.requests += 1;
        Attempt::Send {
            endpoint,
            timeout: None,
            hold: Hold {
                endpoint,
                ticket: self.endpoints[endpoint].begin(),
                is_retry,
            },
        }
    }

    fn ended(&mut self, hold: Hold, ended: Ended, now: Nanos) {
        self.requests -= 1;
        self.retries -= u32::from(hold.is_retry);
        let observed = match ended {
            Ended::Success => Observed::Success,
            Ended::CallerLeft | Ended::Refused => Observed::Ignored,
            Ended::Unavailable | Ended::Connect | Ended::Timeout => Observed::GatewayFailure,
        };
        let endpoint = &self.endpoints[hold.endpoint];
        let event = self
            .outlier
            .record(endpoint, hold.ticket, observed, self.timeline.at(now));
        if matches!(event, Some(Event::Ejected { .. })) {
            self.log.ejections.push(now);
        }
    }

    fn next(&mut self, asked: &Asked, ended: Ended, _: Nanos) -> Next {
        let overflowed = ended == Ended::Refused;
        if overflowed || asked.tries > NUM_RETRIES || self.retries >= MAX_RETRIES {
            return Next::GiveUp;
        }
        self.retries += 1;
        Next::Again {
            after: self.random.u64(0..BACK_OFF),
        }
    }

    fn abandoned(&mut self) {
        self.retries -= 1;
    }

    fn tick(&mut self, now: Nanos) {
        if now >= self.swept + INTERVAL {
            self.swept = now;
            let events = self.outlier.sweep(self.timeline.at(now));
            let ejected = |event: &&Event<usize>| matches!(event, Event::Ejected { .. });
            for _ in events.iter().filter(ejected) {
                self.log.ejections.push(now);
            }
        }
    }

    fn log(&self) -> &Log {
        &self.log
    }
}
