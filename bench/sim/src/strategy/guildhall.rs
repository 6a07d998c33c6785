//! Ours: the state machines of guildhall-resilience as they ship, in the order of docs/design/resilience.md.
//!
//! deadline → shed → retry → per attempt [ breaker → adaptive limit → attempt timeout → balance (not a tried endpoint,
//! not an ejected one) and send ]. Every setting is its default; those that have none are named here:
//!
//! - The deadline is the caller's, inherited; attempts have [`TIMEOUT`] (the same as naive retry's).
//! - Shedding is by the adaptive limit's utilisation (`Reserve`), as callers wait in no queue of ours: a bulkhead has no
//!   default size. No rate limit, no hedge, no fallback: the first has no default, the others would flatter the figures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_resilience::adaptive::{self, Adaptive, AdaptiveConfig};
use guildhall_resilience::balance::{P2c, PanicThreshold};
use guildhall_resilience::breaker::{self, Breaker, State, Transition};
use guildhall_resilience::deadline::Deadline;
use guildhall_resilience::outlier::{self, Endpoint, Event, Observed, Outlier, Ticket};
use guildhall_resilience::retry::{
    Attempted, Body, Budget, BudgetConfig, Decision, FailureClass, Idempotency, RetryPolicy,
};
use guildhall_resilience::shed::Reserve;
use guildhall_resilience::{ConfigError, Outcome};

use super::{Asked, Attempt, Ended, Log, Next, Opening, Strategy};
use crate::time::{MILLISECOND, Nanos, SECOND, Timeline};

/// How long an attempt may take.
pub(crate) const TIMEOUT: Nanos = 500 * MILLISECOND;

/// How often the outlier detection sweeps: the default of its settings.
const INTERVAL: Nanos = 10 * SECOND;

#[derive(Debug)]
pub(crate) struct Guildhall {
    timeline: Timeline,
    random: fastrand::Rng,
    reserve: Reserve,
    policy: RetryPolicy,
    budget: Budget,
    breaker: Arc<Breaker>,
    adaptive: Arc<Adaptive>,
    balancer: P2c,
    outlier: Outlier<usize>,
    endpoints: Vec<Arc<Endpoint<usize>>>,
    swept: Nanos,
    log: Log,
}

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Hold {
    breaker: breaker::Permit<Arc<Breaker>>,
    adaptive: adaptive::Permit<Arc<Adaptive>>,
    endpoint: usize,
    ticket: Ticket,
    /// When the request was sent for the first time, if that is now.
    first: Option<Instant>,
}

impl Guildhall {
    pub(crate) fn new(
        endpoints: usize,
        seed: u64,
        timeline: Timeline,
    ) -> Result<Self, ConfigError> {
        let start = timeline.at(0);
        let mut random = fastrand::Rng::with_seed(seed);
        let outlier = Outlier::new(outlier::Config::default(), start)?;
        Ok(Self {
            timeline,
            reserve: Reserve::default(),
            policy: RetryPolicy::default(),
            budget: Budget::new(BudgetConfig::default(), start),
            breaker: Arc::new(Breaker::new(
                breaker::Config::default(),
                random.u64(..),
                start,
            )),
            adaptive: Arc::new(Adaptive::new(
                AdaptiveConfig::default(),
                random.u64(..),
                start,
            )),
            balancer: P2c::new(vec![1; endpoints]),
            endpoints: outlier.members(0..endpoints, start),
            outlier,
            random,
            swept: 0,
            log: Log::default(),
        })
    }

    fn note(&mut self, transition: Option<Transition>, now: Nanos) {
        let Some(transition) = transition else {
            return;
        };
        if transition.to == State::Open {
            let open = transition.until.map_or(Duration::ZERO, |until| {
                until.saturating_duration_since(transition.at)
            });
            self.log.openings.push(Opening {
                at: now,
                until: now + open.as_nanos() as Nanos,
            });
        }
    }
}

impl Strategy for Guildhall {
    type Hold = Hold;

    fn admit(&mut self, asked: &Asked, _: Nanos) -> bool {
        let utilisation = self.adaptive.utilisation();
        self.reserve.admit(asked.criticality, utilisation).is_ok()
    }

    fn attempt(&mut self, asked: &Asked, in_flight: &[u32], now: Nanos) -> Attempt<Hold> {
        let at = self.timeline.at(now);
        let breaker = match self.breaker.acquire_owned(|| at) {
            Ok(permit) => permit,
            Err(refusal) => {
                self.note(refusal.transition, now);
                return Attempt::Refuse;
            }
        };
        let Ok(adaptive) = Adaptive::acquire(Arc::clone(&self.adaptive), at) else {
            return Attempt::Refuse;
        };
        let ejected = |place: usize| self.endpoints[place].is_ejected(at);
        let healthy = (0..self.endpoints.len()).filter(|at| !ejected(*at)).count();
        let panics = PanicThreshold::default().is_panic(healthy, self.endpoints.len());
        let untried = |place: usize| asked.tried & (1 << place) == 0;
        let picked = self.balancer.pick(
            &mut self.random,
            |place| in_flight[place],
            |place| untried(place) && (panics || !ejected(place)),
        );
        let Some(endpoint) = picked else {
            return Attempt::Refuse;
        };
        Attempt::Send {
            endpoint,
            timeout: Some(TIMEOUT),
            hold: Hold {
                breaker,
                adaptive,
                endpoint,
                ticket: self.endpoints[endpoint].begin(),
                first: (asked.tried == 0).then_some(at),
            },
        }
    }

    fn ended(&mut self, hold: Hold, ended: Ended, now: Nanos) {
        let at = self.timeline.at(now);
        let outcome = match ended {
            Ended::Success => Outcome::Success,
            Ended::Unavailable | Ended::Connect | Ended::Timeout => Outcome::Failure,
            // The inherited deadline, and what was not sent.
            Ended::CallerLeft | Ended::Refused => Outcome::Ignored,
        };
        if let Some(first) = hold.first.filter(|_| ended != Ended::CallerLeft) {
            // As the retry layer does when the first attempt that was sent ends.
            self.budget.deposit(first);
        }
        let status = (ended == Ended::Unavailable).then_some(503);
        let _ = hold.adaptive.record(outcome, at);
        let transition = hold.breaker.record(outcome, at);
        self.note(transition, now);
        let endpoint = &self.endpoints[hold.endpoint];
        let observed = Observed::new(outcome, status);
        let event = self.outlier.record(endpoint, hold.ticket, observed, at);
        if matches!(event, Some(Event::Ejected { .. })) {
            self.log.ejections.push(now);
        }
    }

    fn next(&mut self, asked: &Asked, ended: Ended, now: Nanos) -> Next {
        let class = match ended {
            Ended::Unavailable => FailureClass::Unavailable,
            Ended::Connect => FailureClass::Connect,
            Ended::Timeout => FailureClass::AttemptTimeout,
            Ended::Refused => FailureClass::Rejected,
            Ended::CallerLeft | Ended::Success => FailureClass::Cancelled,
        };
        let at = self.timeline.at(now);
        let left = Duration::from_nanos(asked.deadline.saturating_sub(now));
        let attempted = Attempted {
            attempts: asked.tries,
            class,
            idempotency: Idempotency::Idempotent,
            body: Body::Empty,
            retry_after: None,
            remaining: Deadline::inherited(left, at).remaining(at),
        };
        match self
            .policy
            .decide(&attempted, Some(&self.budget), &mut self.random, at)
        {
            Decision::Retry { after } => Next::Again {
                after: after.as_nanos() as Nanos,
            },
            Decision::GiveUp(_) => Next::GiveUp,
        }
    }

    fn tick(&mut self, now: Nanos) {
        let at = self.timeline.at(now);
        let transition = self.breaker.tick(at);
        self.note(transition, now);
        if now >= self.swept + INTERVAL {
            self.swept = now;
            let events = self.outlier.sweep(at);
            let ejected = |event: &&Event<usize>| matches!(event, Event::Ejected { .. });
            for _ in events.iter().filter(ejected) {
                self.log.ejections.push(now);
            }
        }
    }

    fn log(&self) -> &Log {
        &self.log
    }

    fn limit(&self) -> Option<u32> {
        Some(self.adaptive.stats().limit)
    }
}
