//! Slow start: an endpoint that has just come up gets its share by and by.
//!
//! A cold process (empty caches, unoptimised code, no connections) that gets a full share at once answers its first
//! requests slowly or not at all. Its weight therefore grows over a window:
//!
//! `weight × max(minimum, (age / window)^(1 / aggression))`
//!
//! Source: Envoy, "Slow start mode", with its defaults for aggression (1: linear) and minimum (10%). Above 1 the weight
//! grows fast at first; below 1, late.
//!
//! It applies to balancers that draw by weight (two choices, round robin, random). Affinity by hash cannot ramp up: a
//! key is at an endpoint or it is not.

use std::time::Duration;

/// What full weight is in the scale of [`SlowStart::weight`].
const SCALE: f64 = 100.0;

/// How the weight of a new endpoint grows.
///
/// The balancer is rebuilt while any endpoint is in its window (10 times over the window is plenty); it loses no count
/// by that.
///
/// ```
/// use guildhall_resilience::balance::{P2c, SlowStart};
/// use std::time::Duration;
///
/// let slow_start = SlowStart { window: Duration::from_secs(60), ..SlowStart::default() };
/// let endpoints = [(1, Duration::from_secs(3600)), (1, Duration::from_secs(15))]; // (weight, age)
/// let weights = endpoints.map(|(weight, age)| slow_start.weight(weight, age));
/// assert_eq!(weights, [100, 25]);
/// let balancer = P2c::new(weights);
/// # let _ = balancer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowStart {
    /// How long it takes to full weight; zero, the default, is none at all.
    pub window: Duration,
    /// The curve: 1 is a straight line. Values that are not above 0 count as 1.
    pub aggression: f64,
    /// The least share of its weight that an endpoint has, 0 to 1.
    pub minimum: f64,
}

impl Default for SlowStart {
    fn default() -> Self {
        Self {
            window: Duration::ZERO,
            aggression: 1.0,
            minimum: 0.1,
        }
    }
}

impl SlowStart {
    /// The share of its weight that an endpoint has which became healthy `age` ago: 0 to 1.
    pub fn factor(&self, age: Duration) -> f64 {
        if age >= self.window {
            return 1.0;
        }
        let aggression = if self.aggression > 0.0 {
            self.aggression
        } else {
            1.0
        };
        let time = age.as_secs_f64() / self.window.as_secs_f64();
        time.powf(1.0 / aggression)
            .max(self.minimum)
            .clamp(0.0, 1.0)
    }

    /// `weight` × 100 × [`factor`](Self::factor), rounded, and at least 1 unless `weight` is 0. The weights of all
    /// endpoints of a balancer go through this, those outside their window included.
    pub fn weight(&self, weight: u32, age: Duration) -> u32 {
        if weight == 0 {
            return 0;
        }
        ((f64::from(weight) * SCALE * self.factor(age)).round() as u32).max(1)
    }

    /// Whether an endpoint of this age still grows, and the balancer has to be built again.
    pub fn is_growing(&self, age: Duration) -> bool {
        age < self.window
    }
}
