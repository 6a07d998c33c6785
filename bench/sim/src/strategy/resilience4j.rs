//! resilience4j as it is by default: Retry ( CircuitBreaker ( TimeLimiter ( call ) ) ), the order of its Spring
//! aspects.
//!
//! Modelled after its documentation, each at its default:
//!
//! - `RetryConfig`: `maxAttempts` 3, `waitDuration` 500 ms without jitter; every exception is retried, so that
//!   `CallNotPermittedException` of an open breaker is, too.
//! - `CircuitBreakerConfig`: COUNT_BASED `slidingWindowSize` 100, `minimumNumberOfCalls` 100, `failureRateThreshold`
//!   50 %, `waitDurationInOpenState` 60 s, `permittedNumberOfCallsInHalfOpenState` 10 (judged by the same rate when all
//!   ten have ended), `maxWaitDurationInHalfOpenState` 0 (for ever); slow calls are those over 60 s, which nobody here
//!   waits for.
//! - `TimeLimiterConfig`: `timeoutDuration` 1 s.
//!
//! Left out: `Bulkhead` and `RateLimiter`. Their defaults (25 at once; 50 in 500 ns) are no statement about a service
//! that bears 40 at once. Endpoints take turns, as behind any plain load balancer.

use std::collections::VecDeque;

use guildhall_resilience::balance::RoundRobin;

use super::{Asked, Attempt, Ended, Log, Next, Opening, Strategy};
use crate::time::{MILLISECOND, Nanos, SECOND};

const MAX_ATTEMPTS: u32 = 3;
const WAIT: Nanos = 500 * MILLISECOND;
const TIMEOUT: Nanos = SECOND;
const WINDOW: usize = 100;
const PERMITTED: usize = 10;
const OPEN: Nanos = 60 * SECOND;

#[derive(Debug)]
pub(crate) struct Resilience4j {
    turns: RoundRobin,
    state: State,
    log: Log,
}

#[derive(Debug)]
enum State {
    Closed(Ring),
    Open { until: Nanos },
    HalfOpen { permits: usize, ring: Ring },
}

/// The latest calls; `true` is a failure.
#[derive(Debug)]
struct Ring {
    calls: VecDeque<bool>,
    size: usize,
}

impl Ring {
    fn new(size: usize) -> Self {
        Self {
            calls: VecDeque::with_capacity(size),
            size,
        }
    }

    /// Whether half of a full ring failed; `None` if it is not full.
    fn record(&mut self, failed: bool) -> Option<bool> {
        if self.calls.len() == self.size {
            self.calls.pop_front();
        }
        self.calls.push_back(failed);
        let failures = self.calls.iter().filter(|failed| **failed).count();
        (self.calls.len() == self.size).then_some(failures * 2 >= self.size)
    }
}

impl Resilience4j {
    pub(crate) fn new(endpoints: usize) -> Self {
        Self {
            turns: RoundRobin::new(vec![1; endpoints]),
            state: State::Closed(Ring::new(WINDOW)),
            log: Log::default(),
        }
    }

    fn permits(&mut self, now: Nanos) -> bool {
        if let State::Open { until } = self.state
            && now >= until
        {
            self.state = State::HalfOpen {
                permits: PERMITTED,
                ring: Ring::new(PERMITTED),
            };
        }
        match &mut self.state {
            State::Closed(_) => true,
            State::Open { .. } => false,
            State::HalfOpen { permits, .. } => {
                let some = *permits > 0;
                *permits -= usize::from(some);
                some
            }
        }
    }

    /// Whoever ends is counted in the present state, whichever admitted it.
    fn record(&mut self, failed: bool, now: Nanos) {
        let verdict = match &mut self.state {
            State::Open { .. } => None,
            State::Closed(ring) => ring.record(failed).filter(|opens| *opens),
            State::HalfOpen { ring, .. } => ring.record(failed),
        };
        match verdict {
            Some(true) => {
                let until = now + OPEN;
                self.state = State::Open { until };
                self.log.openings.push(Opening { at: now, until });
            }
            Some(false) => self.state = State::Closed(Ring::new(WINDOW)),
            None => {}
        }
    }
}

impl Strategy for Resilience4j {
    type Hold = ();

    fn admit(&mut self, _: &Asked, _: Nanos) -> bool {
        true
    }

    fn attempt(&mut self, _: &Asked, _: &[u32], now: Nanos) -> Attempt<()> {
        if !self.permits(now) {
            return Attempt::Refuse;
        }
        match self.turns.pick(|_| true) {
            Some(endpoint) => Attempt::Send {
                endpoint,
                timeout: Some(TIMEOUT),
                hold: (),
            },
            None => Attempt::Refuse,
        }
    }

    fn ended(&mut self, (): (), ended: Ended, now: Nanos) {
        match ended {
            Ended::Success => self.record(false, now),
            Ended::Unavailable | Ended::Connect | Ended::Timeout => self.record(true, now),
            // `releasePermission`.
            Ended::CallerLeft | Ended::Refused => {
                if let State::HalfOpen { permits, .. } = &mut self.state {
                    *permits += 1;
                }
            }
        }
    }

    fn next(&mut self, asked: &Asked, _: Ended, _: Nanos) -> Next {
        if asked.tries < MAX_ATTEMPTS {
            Next::Again { after: WAIT }
        } else {
            Next::GiveUp
        }
    }

    fn tick(&mut self, _: Nanos) {}

    fn log(&self) -> &Log {
        &self.log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_calls_open_it_for_a_minute_and_ten_probes_close_it() {
        let mut caller = Resilience4j::new(1);
        for at in 0..100 {
            assert!(caller.permits(at));
            caller.record(at % 2 == 0, at);
        }
        assert_eq!(caller.log.openings.len(), 1, "half of a hundred failed");
        assert!(!caller.permits(59 * SECOND));
        let later = 61 * SECOND;
        let permitted = (0..20).filter(|_| caller.permits(later)).count();
        assert_eq!(permitted, 10);
        for _ in 0..10 {
            caller.record(false, later);
        }
        assert!(matches!(caller.state, State::Closed(_)));
    }
}
