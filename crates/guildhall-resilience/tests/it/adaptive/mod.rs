//! Adaptive limits: the formulas, their bounds, and services that they have to find the capacity of.

mod algorithms;
mod promises;

use std::time::{Duration, Instant};

use guildhall_resilience::adaptive::{AdaptiveConfig, Aimd, Algorithm, Gradient, Vegas};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[expect(clippy::disallowed_methods, reason = "tests begin at any time")]
fn start() -> Instant {
    Instant::now()
}

fn algorithms() -> [(&'static str, Algorithm); 3] {
    [
        ("gradient", Algorithm::Gradient(Gradient::default())),
        (
            "aimd",
            Algorithm::Aimd(Aimd {
                timeout: ms(25),
                ..Aimd::default()
            }),
        ),
        ("vegas", Algorithm::Vegas(Vegas::default())),
    ]
}

fn config(algorithm: Algorithm) -> AdaptiveConfig {
    AdaptiveConfig::new(algorithm)
        .and_then(|config| config.with_limits(1, 10, 500))
        .and_then(|config| config.with_window(ms(100), 20))
        .unwrap()
}
