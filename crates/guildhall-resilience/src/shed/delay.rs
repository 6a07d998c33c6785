//! Shedding by queue delay.
//!
//! Time is cut into intervals. If even the *least* delay of one was above the target, requests queue for good (Nichols
//! and Jacobson, "Controlling Queue Delay", 2012: target 5 ms, interval 100 ms), and the pressure rises; if not, it
//! falls, more slowly. The pressure sheds class by class, each in sixteen steps, the least critical first, as WeChat's
//! DAGOR does with its levels (Zhou et al., "Overload Control for Scaling WeChat Microservices", 2018: 5 % up, 1 % down).
//! Shedding a share of a class at random keeps load even where a single step would make it swing.
//!
//! A sixteenth of the most critical class is admitted whatever happens: without requests there are no delays to learn
//! from.
//!
//! # What an edit keeps
//!
//! | field | kept | changed |
//! |---|---|---|
//! | `target` | the pressure, the running interval | what counts as too long |
//! | `interval` | the pressure | a new interval begins |

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{Criticality, Shed};
use crate::ConfigError;
use crate::origin::{Origin, nanos};
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// Steps of pressure in a class.
const STEPS: u64 = 16;
/// All of three classes and all but one step of the most critical.
const MOST: u64 = 4 * STEPS - 1;
/// A quarter of a class up, a sixteenth down.
const UP: u64 = 4;
const DOWN: u64 = 1;

/// When requests queue for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayShedConfig {
    target: Duration,
    interval: Duration,
}

impl Default for DelayShedConfig {
    /// CoDel's: 5 ms in intervals of 100 ms.
    fn default() -> Self {
        Self {
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
        }
    }
}

impl DelayShedConfig {
    /// The delay that is bearable for long, and the interval in which it must be reached once.
    ///
    /// # Errors
    /// Unless `target` is at least a microsecond and at most 10 s, and `interval` longer than it and at most an hour.
    pub fn new(target: Duration, interval: Duration) -> Result<Self, ConfigError> {
        ConfigError::unless(
            target >= Duration::from_micros(1) && target <= Duration::from_secs(10),
            "target",
            "must be between a microsecond and 10 s",
        )?;
        ConfigError::unless(
            interval > target && interval <= Duration::from_secs(3600),
            "interval",
            "must be longer than `target` and at most an hour; about a usual round trip, say 20 times the target",
        )?;
        Ok(Self { target, interval })
    }
}

/// The state, in one word: the interval's number (32 bits), the least delay in it in microseconds (24 bits, all set if
/// there was none), the pressure (8 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    interval: u32,
    least: u32,
    pressure: u8,
}

const NO_DELAY: u32 = (1 << 24) - 1;

impl Word {
    fn from_bits(bits: u64) -> Self {
        Self {
            interval: (bits >> 32) as u32,
            least: (bits >> 8) as u32 & NO_DELAY,
            pressure: bits as u8,
        }
    }

    fn bits(self) -> u64 {
        u64::from(self.interval) << 32 | u64::from(self.least) << 8 | u64::from(self.pressure)
    }

    /// The state in this interval: those that are over have moved the pressure.
    fn at(self, interval: u32, target: u32) -> Self {
        // The numbers come round in 2³² intervals, 13 years of CoDel's; a difference that is no time forward is an earlier
        // `now`, which changes nothing.
        let over = interval.wrapping_sub(self.interval);
        if over == 0 || over > u32::MAX / 2 {
            return self;
        }
        let pressure = u64::from(self.pressure);
        let pressure = if self.least != NO_DELAY && self.least > target {
            (pressure + UP).min(MOST)
        } else {
            pressure.saturating_sub(DOWN)
        };
        // Of the others nothing was heard: nobody queued.
        let pressure = pressure.saturating_sub(DOWN * u64::from(over - 1));
        Self {
            interval,
            least: NO_DELAY,
            pressure: pressure as u8,
        }
    }
}

/// Sheds requests while others queue for too long.
///
/// Lock-free; the state is one word.
///
/// ```
/// use guildhall_resilience::shed::{Criticality, DelayShed, DelayShedConfig};
/// use std::time::{Duration, Instant};
///
/// let mut now = Instant::now();
/// let mut random = fastrand::Rng::with_seed(7);
/// let shed = DelayShed::new(DelayShedConfig::default(), now);
/// for _ in 0..5 {
///     shed.record(Duration::from_millis(20), now);
///     now += Duration::from_millis(100);
/// }
/// assert!(shed.admit(Criticality::Sheddable, now, &mut random).is_err());
/// assert!(shed.admit(Criticality::Critical, now, &mut random).is_ok());
/// ```
#[derive(Debug)]
#[repr(align(64))]
pub struct DelayShed {
    word: AtomicU64,
    /// In nanoseconds.
    interval: AtomicU64,
    /// In microseconds.
    target: AtomicU64,
    origin: Origin,
    config: Mutex<DelayShedConfig>,
}

impl DelayShed {
    /// Without pressure.
    pub fn new(config: DelayShedConfig, now: Instant) -> Self {
        let word = Word {
            interval: 0,
            least: NO_DELAY,
            pressure: 0,
        };
        Self {
            word: AtomicU64::new(word.bits()),
            interval: AtomicU64::new(nanos(config.interval)),
            target: AtomicU64::new(u64::from(micros(config.target))),
            origin: Origin::new(now),
            config: Mutex::new(config),
        }
    }

    /// A request has come through a queue, which took so long; zero if it had not to wait.
    pub fn record(&self, delay: Duration, now: Instant) {
        let (interval, target) = (self.number(now), self.target.load(Relaxed) as u32);
        let delay = micros(delay);
        let mut bits = self.word.load(Relaxed);
        loop {
            let word = Word::from_bits(bits).at(interval, target);
            let to = Word {
                least: word.least.min(delay),
                ..word
            };
            // Usually there was a shorter delay, and nothing is written.
            if to.bits() == bits {
                return;
            }
            match self
                .word
                .compare_exchange_weak(bits, to.bits(), Relaxed, Relaxed)
            {
                Ok(_) => return,
                Err(other) => bits = other,
            }
        }
    }

    /// Whether a request may go on.
    ///
    /// # Errors
    /// [`Shed`] if not; the pressure does not fall before the interval is over, which is its `retry_after`.
    pub fn admit(
        &self,
        criticality: Criticality,
        now: Instant,
        random: &mut Rng,
    ) -> Result<(), Shed> {
        let over = self
            .pressure_steps(now)
            .saturating_sub(criticality.rank() as u64 * STEPS);
        if over == 0 || (over < STEPS && random.u64(..STEPS) >= over) {
            return Ok(());
        }
        let (interval, now) = (self.interval.load(Relaxed), self.origin.nanos(now));
        Err(Shed {
            criticality,
            retry_after: Some(Duration::from_nanos(interval - now % interval)),
        })
    }

    /// From 0, where nothing is shed, to 1, where nearly everything is. Each quarter is a class.
    pub fn pressure(&self, now: Instant) -> f64 {
        self.pressure_steps(now) as f64 / MOST as f64
    }

    /// Another configuration from now on (see the table in the module's source); the pressure stays.
    pub fn reconfigure(&self, config: DelayShedConfig, now: Instant) {
        let mut held = lock(&self.config);
        if config.interval != held.interval {
            let pressure = self.pressure_steps(now) as u8;
            self.interval.store(nanos(config.interval), Relaxed);
            let word = Word {
                interval: self.number(now),
                least: NO_DELAY,
                pressure,
            };
            self.word.store(word.bits(), Relaxed);
        }
        self.target.store(u64::from(micros(config.target)), Relaxed);
        *held = config;
    }

    fn pressure_steps(&self, now: Instant) -> u64 {
        let target = self.target.load(Relaxed) as u32;
        let word = Word::from_bits(self.word.load(Relaxed)).at(self.number(now), target);
        u64::from(word.pressure)
    }

    fn number(&self, now: Instant) -> u32 {
        (self.origin.nanos(now) / self.interval.load(Relaxed)) as u32
    }
}

/// Whole microseconds, below those that stand for none: 16.7 s.
fn micros(delay: Duration) -> u32 {
    u32::try_from(delay.as_micros())
        .unwrap_or(u32::MAX)
        .min(NO_DELAY - 1)
}
