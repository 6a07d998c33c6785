//! A breaker's settings. An invalid [`Config`] cannot be made; [`ConfigError`] names the field and the remedy.

use std::time::Duration;

use fastrand::Rng;

use crate::ConfigError;

/// Which calls a closed breaker judges by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Calls of the last `buckets * width`: what a service with traffic wants. A bucket is forgotten as a whole, so that
    /// the window's edge is as sharp as a bucket is wide.
    Time {
        /// How many buckets: 1 to 60.
        buckets: u8,
        /// How wide one is: 1 ms to 1 h, in whole microseconds (the rest is cut).
        width: Duration,
    },
    /// The last `calls` calls, however old: what a batch job wants. Threads share one ring, so that it scales worse.
    Count {
        /// How many: 1 to 65,536.
        calls: u32,
    },
}

/// Calls slower than this count against the service, whatever they answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlowCalls {
    pub(super) after: Duration,
    pub(super) rate: Share,
}

/// A share of calls in parts per million, so that comparisons are whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(pub(super) u32);

impl Share {
    pub(super) const WHOLE: u32 = 1_000_000;

    fn of(share: f64) -> Option<Self> {
        let parts = (share * f64::from(Self::WHOLE)).round();
        // A NaN is in no range.
        (1.0..=f64::from(Self::WHOLE))
            .contains(&parts)
            .then_some(Self(parts as u32))
    }
}

/// A breaker's settings, checked. [`Config::default`] has the defaults of the table in [`Builder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(super) window: Window,
    pub(super) failure_rate: Option<Share>,
    pub(super) minimum_volume: u32,
    pub(super) failure_count: Option<u32>,
    pub(super) consecutive_failures: Option<u32>,
    pub(super) slow_calls: Option<SlowCalls>,
    pub(super) open_for: Duration,
    pub(super) open_for_at_most: Duration,
    pub(super) jitter: Share,
    pub(super) probes: u8,
    pub(super) probe_failures: u8,
    pub(super) half_open_deadline: Duration,
}

impl Config {
    /// Begins with the defaults.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The window it judges by.
    pub fn window(&self) -> Window {
        self.window
    }

    /// How long it is open after having opened so often already.
    pub(super) fn open_time(&self, opened: u32, random: &mut Rng) -> Duration {
        let doubled = self
            .open_for
            .saturating_mul(1u32.checked_shl(opened).unwrap_or(u32::MAX))
            .min(self.open_for_at_most);
        let jitter = f64::from(self.jitter.0) / f64::from(Share::WHOLE);
        doubled.mul_f64(1.0 + jitter * (2.0 * random.f64() - 1.0))
    }

    /// How long a round of probes may take.
    pub fn half_open_deadline(&self) -> Duration {
        self.half_open_deadline
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Window::Time {
                buckets: 10,
                width: Duration::from_secs(1),
            },
            failure_rate: Some(Share(Share::WHOLE / 2)),
            minimum_volume: 20,
            failure_count: None,
            consecutive_failures: None,
            slow_calls: None,
            open_for: Duration::from_secs(5),
            open_for_at_most: Duration::from_secs(60),
            jitter: Share(Share::WHOLE / 5),
            probes: 3,
            probe_failures: 2,
            half_open_deadline: HALF_OPEN_DEADLINE,
        }
    }
}

const HALF_OPEN_DEADLINE: Duration = Duration::from_secs(30);

/// Settings on their way to a [`Config`].
///
/// | setting | default | where it comes from |
/// |---|---|---|
/// | `window` | 10 × 1 s | Hystrix: long enough for a rate, short enough to notice within seconds |
/// | `failure_rate` | 0.5 | resilience4j and Hystrix |
/// | `minimum_volume` | 20 | Hystrix: below it a rate is noise; resilience4j's 100 never opens a quiet service's |
/// | `failure_count` | off | |
/// | `consecutive_failures` | off | gobreaker's rule; under load any five in a row happen by chance |
/// | `slow_calls` | off | resilience4j counts them from 60 s on, which no caller waits for |
/// | `open_for` | 5 s, doubling to 60 s | Polly's and Hystrix's 5 s for a hiccup, resilience4j's 60 s for an outage |
/// | `jitter` | 0.2 | so that a fleet does not come back in one instant |
/// | `probes` | 3, 2 failures reopen | one probe is a coin; ten (resilience4j) hurt a service that is still down |
/// | `call_timeout` | unknown | a round of probes is given the longer of it and 30 s |
///
/// The rule of a policy such as "five failures of expected kinds in 10 s, then 60 s of recovery":
///
/// ```
/// use guildhall_resilience::breaker::{Config, Window};
/// use std::time::Duration;
///
/// let config = Config::builder()
///     .window(Window::Time { buckets: 10, width: Duration::from_secs(1) })
///     .failure_rate(None)
///     .failure_count(Some(5))
///     .open_for(Duration::from_secs(60), Duration::from_secs(60))
///     .build()?;
/// # assert_eq!(config.half_open_deadline(), Duration::from_secs(30));
/// # Ok::<(), guildhall_resilience::ConfigError>(())
/// ```
///
/// Which kinds are expected is for [`classify`](crate::classify) to say.
#[derive(Clone, Debug)]
pub struct Builder {
    config: Config,
    failure_rate: Option<f64>,
    slow_calls: Option<(Duration, f64)>,
    jitter: f64,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            config: Config::default(),
            failure_rate: Some(0.5),
            slow_calls: None,
            jitter: 0.2,
        }
    }
}

impl Builder {
    /// Which calls a closed breaker judges by.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.config.window = window;
        self
    }

    /// The share of failed calls in the window, over 0 and up to 1, from which on it opens; `None` for never.
    #[must_use]
    pub fn failure_rate(mut self, share: Option<f64>) -> Self {
        self.failure_rate = share;
        self
    }

    /// How many calls must be in the window before a rate (of failures, of slow calls) counts.
    #[must_use]
    pub fn minimum_volume(mut self, calls: u32) -> Self {
        self.config.minimum_volume = calls;
        self
    }

    /// How many failures in the window open it, at whatever volume; `None` for no such rule.
    #[must_use]
    pub fn failure_count(mut self, failures: Option<u32>) -> Self {
        self.config.failure_count = failures;
        self
    }

    /// How many failures without a success between them open it, at whatever volume; `None` for no such rule.
    #[must_use]
    pub fn consecutive_failures(mut self, failures: Option<u32>) -> Self {
        self.config.consecutive_failures = failures;
        self
    }

    /// A call is slow if it takes `after` or longer; this share of slow calls in the window, over 0 and up to 1, opens
    /// the breaker. A slow probe counts as a failed one.
    #[must_use]
    pub fn slow_calls(mut self, after: Duration, share: f64) -> Self {
        self.slow_calls = Some((after, share));
        self
    }

    /// How long it stays open at first, and at most: it doubles with every round of probes that fails, and a closed
    /// breaker begins anew.
    #[must_use]
    pub fn open_for(mut self, first: Duration, at_most: Duration) -> Self {
        self.config.open_for = first;
        self.config.open_for_at_most = at_most;
        self
    }

    /// The share, from 0 up to but not 1, by which the open time is lengthened or shortened at random, the longest one
    /// too.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// How many probes a half-open breaker admits, and how many failures among them reopen it. It closes as soon as so
    /// many failures have become impossible.
    #[must_use]
    pub fn probes(mut self, probes: u8, failures: u8) -> Self {
        self.config.probes = probes;
        self.config.probe_failures = failures;
        self
    }

    /// How long a call may take at most. A round of probes that is not over after the longer of this and 30 s ends:
    /// probes still under way count as failures.
    #[must_use]
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.config.half_open_deadline = timeout.max(HALF_OPEN_DEADLINE);
        self
    }

    /// The settings, if they make sense together.
    ///
    /// # Errors
    /// Names the first field that does not, and the remedy.
    pub fn build(self) -> Result<Config, ConfigError> {
        let check = |field, holds, remedy| ConfigError::unless(holds, field, remedy);
        let mut config = self.config;
        let share = |field, share| {
            Share::of(share).ok_or(ConfigError {
                field,
                remedy: "a share over 0 and up to 1: half is 0.5",
            })
        };
        config.failure_rate = self
            .failure_rate
            .map(|rate| share("failure_rate", rate))
            .transpose()?;
        config.slow_calls = match self.slow_calls {
            Some((after, rate)) => Some(SlowCalls {
                after,
                rate: share("slow_calls", rate)?,
            }),
            None => None,
        };
        config.jitter = match self.jitter {
            0.0 => Share(0),
            jitter => share("jitter", jitter)?,
        };
        check(
            "jitter",
            config.jitter.0 < Share::WHOLE,
            "less than 1, or it may not open at all",
        )?;
        match config.window {
            Window::Time { buckets, width } => {
                check("window.buckets", (1..=60).contains(&buckets), "1 to 60")?;
                let widths = Duration::from_millis(1)..=Duration::from_secs(3600);
                check("window.width", widths.contains(&width), "1 ms to 1 h")?;
            }
            Window::Count { calls } => {
                check("window.calls", (1..=65_536).contains(&calls), "1 to 65,536")?;
                check(
                    "minimum_volume",
                    config.minimum_volume <= calls,
                    "no more than window.calls, or it never opens",
                )?;
                check(
                    "failure_count",
                    config.failure_count.is_none_or(|count| count <= calls),
                    "no more than window.calls, or it never opens",
                )?;
            }
        }
        let positive = |field, number: Option<u32>| {
            check(
                field,
                number != Some(0),
                "1 or more; `None` switches the rule off",
            )
        };
        check("minimum_volume", config.minimum_volume > 0, "1 or more")?;
        positive("failure_count", config.failure_count)?;
        positive("consecutive_failures", config.consecutive_failures)?;
        check(
            "slow_calls",
            config.slow_calls.is_none_or(|slow| !slow.after.is_zero()),
            "after more than nothing, or every call is slow",
        )?;
        check("open_for", !config.open_for.is_zero(), "more than nothing")?;
        check(
            "open_for",
            config.open_for <= config.open_for_at_most,
            "the first time no longer than the longest",
        )?;
        check(
            "open_for",
            config.open_for_at_most <= Duration::from_secs(86_400),
            "a day at most; force the breaker open for longer",
        )?;
        check("probes", config.probes > 0, "1 or more")?;
        check(
            "probes",
            (1..=config.probes).contains(&config.probe_failures),
            "failures from 1 up to the number of probes",
        )?;
        check(
            "call_timeout",
            config.half_open_deadline <= Duration::from_secs(86_400),
            "a day at most",
        )?;
        Ok(config)
    }
}
