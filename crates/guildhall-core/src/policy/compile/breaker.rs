//! `circuitBreaker` and `outlierDetection`.

use std::time::Duration;

use guildhall_resilience::{
    Outcome,
    breaker::{Config, Forced, Window},
    classify::{Classify, ErrorClass},
    outlier,
};

use super::{At, share};
use crate::{
    document::{Problems, Timestamp},
    policy::spec::{
        CallError, CircuitBreaker, FailurePercentage, Force, ForcedState, OutlierDetection,
        SlidingWindow, SuccessRate, WindowType,
    },
    registry::StatusRange,
};

/// Whether a service is called while it fails.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerRule {
    /// The breaker's settings.
    pub config: Config,
    /// What the end of a call says.
    pub classify: Classify,
    /// A state by order.
    pub forced: Option<ForcedOrder>,
    /// A fresh start by order, by when it was given.
    pub reset: Option<Timestamp>,
}

/// A state by order, until a wall time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForcedOrder {
    /// The state.
    pub state: Forced,
    /// Until when.
    pub until: Timestamp,
    /// Why, for people.
    pub reason: String,
}

impl BreakerRule {
    /// The same without a reason to open: what obeys orders and does nothing else.
    pub(super) fn without_judgement(self) -> Self {
        let idle = Config::builder().failure_rate(None).build();
        Self {
            config: idle.unwrap_or(self.config),
            ..self
        }
    }
}

impl ForcedOrder {
    /// How long the order still holds at the wall time `now`; `None` if it has expired.
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        let left = self.until.as_millis().saturating_sub(now.as_millis());
        (left > 0).then(|| Duration::from_millis(left))
    }
}

const DAY: Duration = Duration::from_secs(86_400);

impl CircuitBreaker {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<BreakerRule> {
        let before = problems.0.len();
        let window = self.window();
        let calls = match window {
            Window::Count { calls } => calls,
            Window::Time { .. } => u32::MAX,
        };
        let some = |number: Option<u32>| number.filter(|number| *number > 0);
        let rate = |percent: f64| (percent != 0.0).then(|| share(percent));
        let (first, longest) = self.open_times();
        let probes = self.permitted_calls_in_half_open_state.unwrap_or(3);
        let mut builder = Config::builder()
            .window(window)
            .failure_rate(rate(self.failure_rate_threshold.unwrap_or(50.0)))
            .minimum_volume(self.minimum_number_of_calls.unwrap_or(calls.min(20)))
            .failure_count(some(self.failure_count_threshold))
            .consecutive_failures(some(self.consecutive_failures))
            .open_for(first, longest)
            .jitter(share(self.open_state_jitter.unwrap_or(20.0)))
            .probes(probes, self.failures_to_reopen.unwrap_or(probes.min(2)));
        let slow = rate(self.slow_call_rate_threshold.unwrap_or(100.0));
        if let (Some(after), Some(share)) = (self.slow_call_duration_threshold, slow) {
            builder = builder.slow_calls(after.get(), share);
        }
        if let Some(timeout) = at.attempt_timeout {
            builder = builder.call_timeout(timeout.min(DAY));
        }
        let config = at.take(builder.build(), self.names(), problems);
        let classify = self.classify(at, problems);
        let forced = self.force.as_ref().map(|force| force.compile(at, problems));
        if problems.0.len() > before || !self.enabled.unwrap_or(true) {
            return None;
        }
        Some(BreakerRule {
            config: config?,
            classify,
            forced,
            reset: self.reset,
        })
    }

    /// Whether it orders something and says nothing else.
    pub(super) fn is_order(&self) -> bool {
        let order = Self {
            force: self.force.clone(),
            reset: self.reset,
            ..Self::default()
        };
        *self == order && *self != Self::default()
    }

    fn window(&self) -> Window {
        let ten_seconds = Duration::from_secs(10);
        match &self.sliding_window {
            None => Window::Time {
                buckets: 10,
                width: ten_seconds / 10,
            },
            Some(SlidingWindow {
                window_type: WindowType::TimeBased,
                duration,
                buckets,
                ..
            }) => {
                let buckets = buckets.unwrap_or(10);
                let duration = duration.map_or(ten_seconds, |duration| duration.get());
                Window::Time {
                    buckets,
                    width: duration / u32::from(buckets.max(1)),
                }
            }
            Some(SlidingWindow {
                window_type: WindowType::CountBased,
                calls,
                ..
            }) => Window::Count {
                calls: calls.unwrap_or(100),
            },
        }
    }

    /// What is not given keeps to what is.
    fn open_times(&self) -> (Duration, Duration) {
        let first = self.wait_duration_in_open_state.map(|time| time.get());
        let longest = self.max_wait_duration_in_open_state.map(|time| time.get());
        let usual = (Duration::from_secs(5), Duration::from_secs(60));
        match (first, longest) {
            (Some(first), Some(longest)) => (first, longest),
            (Some(first), None) => (first, first.max(usual.1)),
            (None, longest) => {
                let longest = longest.unwrap_or(usual.1);
                (usual.0.min(longest), longest)
            }
        }
    }

    fn names(&self) -> &'static super::Names {
        const PERCENT: Option<&str> =
            Some("above 0 and up to 100 percent; 0 switches the rule off");
        &[
            ("failure_rate", "failureRateThreshold", PERCENT),
            (
                "slow_calls",
                "slowCallRateThreshold",
                Some(
                    "above 0 and up to 100 percent, with a slowCallDurationThreshold above 0s; 0 switches the rule off",
                ),
            ),
            ("jitter", "openStateJitter", Some("0 to 99 percent")),
            ("window.buckets", "slidingWindow/buckets", None),
            (
                "window.width",
                "slidingWindow/duration",
                Some(
                    "so long that each bucket has 1ms to 1h; there are 10 buckets if nothing else is said",
                ),
            ),
            ("window.calls", "slidingWindow/calls", None),
            (
                "minimum_volume",
                "minimumNumberOfCalls",
                Some("1 or more, and no more than slidingWindow.calls, or it never opens"),
            ),
            (
                "failure_count",
                "failureCountThreshold",
                Some("no more than slidingWindow.calls, or it never opens"),
            ),
            (
                "open_for",
                "waitDurationInOpenState",
                Some(
                    "more than 0s, and no longer than maxWaitDurationInOpenState, which is 24h at most; force the breaker open for longer",
                ),
            ),
            (
                "probes",
                "permittedNumberOfCallsInHalfOpenState",
                Some("1 or more, and failuresToReopen from 1 up to it"),
            ),
        ]
    }

    fn classify(&self, at: &At<'_>, problems: &mut Problems) -> Classify {
        let mut rules = Classify::default();
        if let Some(recorded) = &self.record_statuses {
            // The list says which are failures; those of the default that it leaves out are none.
            for status in 100..=599 {
                if rules.status(status) == Outcome::Failure {
                    rules = with_status(rules, status, status, Outcome::Success).0;
                }
            }
            rules = with_statuses(
                rules,
                recorded,
                Outcome::Failure,
                "recordStatuses",
                at,
                problems,
            );
        }
        if let Some(successes) = &self.success_statuses {
            rules = with_statuses(
                rules,
                successes,
                Outcome::Success,
                "successStatuses",
                at,
                problems,
            );
        }
        if let Some(ignored) = &self.ignore_statuses {
            for status in [408, 425, 499] {
                if rules.status(status) == Outcome::Ignored {
                    rules = with_status(rules, status, status, Outcome::Success).0;
                }
            }
            rules = with_statuses(
                rules,
                ignored,
                Outcome::Ignored,
                "ignoreStatuses",
                at,
                problems,
            );
        }
        const NAMED: [CallError; 6] = [
            CallError::Connect,
            CallError::Reset,
            CallError::Protocol,
            CallError::AttemptTimeout,
            CallError::DeadlineExceeded,
            CallError::Other,
        ];
        for error in NAMED {
            let class = class(error);
            let recorded = match &self.record_errors {
                Some(recorded) => recorded.contains(&error),
                None => rules.error(class) == Outcome::Failure,
            };
            let ignored = self
                .ignore_errors
                .as_ref()
                .is_some_and(|ignored| ignored.contains(&error));
            // One that neither list has got no answer: it cannot be a success.
            let outcome = if recorded && !ignored {
                Outcome::Failure
            } else {
                Outcome::Ignored
            };
            rules = rules.with_error(class, outcome);
        }
        rules
    }
}

impl Force {
    fn compile(&self, at: &At<'_>, problems: &mut Problems) -> ForcedOrder {
        let reason = self.reason.clone().unwrap_or_default();
        let force = at.pointer.field("force");
        problems.check(
            reason.len() <= 1024,
            force.field("reason"),
            "at most 1024 bytes",
        );
        let state = match self.state {
            ForcedState::ForcedOpen => Forced::Open,
            ForcedState::Disabled => Forced::Disabled,
            ForcedState::MetricsOnly => Forced::MetricsOnly,
        };
        ForcedOrder {
            state,
            until: self.until,
            reason,
        }
    }
}

fn with_statuses(
    mut rules: Classify,
    ranges: &[StatusRange],
    outcome: Outcome,
    name: &'static str,
    at: &At<'_>,
    problems: &mut Problems,
) -> Classify {
    let list = at.pointer.field(name);
    for (n, range) in ranges.iter().enumerate() {
        let error;
        (rules, error) = with_status(rules, range.first, range.last, outcome);
        if let Some(error) = error {
            problems.add(list.item(n), error);
        }
    }
    rules
}

fn with_status(
    rules: Classify,
    first: u16,
    last: u16,
    outcome: Outcome,
) -> (
    Classify,
    Option<guildhall_resilience::classify::StatusError>,
) {
    match rules.clone().with_status(first..=last, outcome) {
        Ok(rules) => (rules, None),
        Err(error) => (rules, Some(error)),
    }
}

fn class(error: CallError) -> ErrorClass {
    match error {
        CallError::Connect => ErrorClass::Connect,
        CallError::Reset => ErrorClass::Reset,
        CallError::Protocol => ErrorClass::Protocol,
        CallError::AttemptTimeout => ErrorClass::AttemptTimeout,
        CallError::DeadlineExceeded => ErrorClass::DeadlineExceeded,
        CallError::Other => ErrorClass::Other,
    }
}

impl OutlierDetection {
    pub(super) fn compile(&self, at: &At<'_>, problems: &mut Problems) -> Option<outlier::Config> {
        let usual = outlier::Config::default();
        let some = |number: Option<u32>, usual| match number {
            None => usual,
            Some(0) => None,
            number => number,
        };
        let base = self
            .base_ejection_time
            .map_or(usual.base_ejection, |time| time.get());
        let config = outlier::Config {
            consecutive_failures: some(self.consecutive_failures, usual.consecutive_failures),
            consecutive_gateway_failures: some(
                self.consecutive_gateway_failures,
                usual.consecutive_gateway_failures,
            ),
            success_rate: match &self.success_rate {
                None => usual.success_rate,
                Some(rule) => rule.compile(),
            },
            failure_percentage: match &self.failure_percentage {
                None => usual.failure_percentage,
                Some(rule) => rule.compile(),
            },
            interval: self.interval.map_or(usual.interval, |time| time.get()),
            base_ejection: base,
            max_ejection: self
                .max_ejection_time
                .map_or_else(|| usual.max_ejection.max(base), |time| time.get()),
            max_ejected_share: self
                .max_ejection_percent
                .map_or(usual.max_ejected_share, share),
        };
        problems.check(
            config.interval <= Duration::from_secs(3600),
            at.pointer.field("interval"),
            "1h at most",
        );
        let names = [
            (
                "success_rate.deviations",
                "successRate/stdevFactor",
                Some("1 or more; 1900 is usual"),
            ),
            ("success_rate.volume", "successRate/requestVolume", None),
            (
                "failure_percentage.share",
                "failurePercentage/threshold",
                Some("above 0 and up to 100 percent"),
            ),
            (
                "failure_percentage.volume",
                "failurePercentage/requestVolume",
                None,
            ),
            ("interval", "interval", Some("more than 0s")),
            ("base_ejection", "baseEjectionTime", Some("more than 0s")),
            (
                "max_ejection",
                "maxEjectionTime",
                Some("no shorter than baseEjectionTime"),
            ),
            (
                "max_ejected_share",
                "maxEjectionPercent",
                Some("above 0 and up to 100 percent"),
            ),
        ];
        at.take(config.check(), &names, problems)?;
        self.enabled.unwrap_or(true).then_some(config)
    }
}

impl SuccessRate {
    fn compile(&self) -> Option<outlier::SuccessRate> {
        let usual = outlier::SuccessRate::default();
        self.enabled.unwrap_or(true).then(|| outlier::SuccessRate {
            minimum_hosts: self.minimum_hosts.unwrap_or(usual.minimum_hosts),
            volume: self.request_volume.unwrap_or(usual.volume),
            deviations: self
                .stdev_factor
                .map_or(usual.deviations, |factor| f64::from(factor) / 1000.0),
        })
    }
}

impl FailurePercentage {
    fn compile(&self) -> Option<outlier::FailurePercentage> {
        let usual = outlier::FailurePercentage::default();
        self.enabled
            .unwrap_or(true)
            .then(|| outlier::FailurePercentage {
                minimum_hosts: self.minimum_hosts.unwrap_or(usual.minimum_hosts),
                volume: self.request_volume.unwrap_or(usual.volume),
                share: self.threshold.map_or(usual.share, share),
            })
    }
}
