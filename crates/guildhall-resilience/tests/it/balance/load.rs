//! Peak EWMA against its formula, and what it does to endpoints of different speed.

use std::time::{Duration, Instant};

use fastrand::Rng;
use guildhall_resilience::balance::{P2c, PeakEwma, PeakEwmaConfig};
use proptest::prelude::*;

use crate::alloc::allocations;

const MS: Duration = Duration::from_millis(1);

/// finagle's, written plainly, in nanoseconds.
struct Model {
    decay: f64,
    latency: f64,
    at: Duration,
}

impl Model {
    fn observe(&mut self, sample: f64, at: Duration) {
        let elapsed = at.saturating_sub(self.at).as_nanos() as f64;
        self.at = self.at.max(at);
        let weight = (-elapsed / self.decay).exp();
        self.latency = if sample > self.latency {
            sample
        } else {
            self.latency * weight + sample * (1.0 - weight)
        };
    }
}

proptest! {
    #[test]
    fn it_is_finagles_formula(
        steps in prop::collection::vec((0u64..5_000_000_000, 0u64..2_000_000_000), 1..50),
        back in prop::bool::ANY,
    ) {
        let start = Instant::now() + Duration::from_secs(3600);
        let ewma = PeakEwma::new(PeakEwmaConfig::default(), start);
        let mut model = Model { decay: 10e9, latency: 30e6, at: Duration::ZERO };
        let mut at = Duration::ZERO;
        for (step, latency) in steps {
            at += Duration::from_nanos(step);
            // Now and then a clock that jumped back.
            let seen = if back && latency % 3 == 0 { at.saturating_sub(Duration::from_secs(60)) } else { at };
            ewma.record(Duration::from_nanos(latency), start + seen);
            model.observe(latency as f64, seen);
            let error = (ewma.latency(start + model.at).as_nanos() as f64 - model.latency).abs();
            prop_assert!(error <= 1.0 + model.latency * 1e-9, "off by {error} ns of {}", model.latency);
        }
    }
}

#[test]
fn a_peak_counts_at_once_and_is_forgotten_by_and_by() {
    let start = Instant::now();
    let ewma = PeakEwma::new(PeakEwmaConfig::default(), start);
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut seen = vec![ewma.latency(start)];
    ewma.record(900 * MS, at(1));
    seen.push(ewma.latency(at(1)));
    ewma.record(2 * MS, at(1));
    seen.push(ewma.latency(at(1)));
    ewma.record(2 * MS, at(11));
    seen.push(ewma.latency(at(11)));
    // Nobody asks it any more, because it is slow; after a while it is worth a try again.
    seen.push(ewma.latency(at(71)));
    let seen: Vec<u128> = seen.iter().map(Duration::as_micros).collect();
    insta::assert_debug_snapshot!(seen, @r"
    [
        30000,
        900000,
        900000,
        332355,
        823,
    ]
    ");
}

#[test]
fn a_clock_that_stands_still_or_jumps_back_changes_nothing_but_peaks() {
    let start = Instant::now() + Duration::from_secs(60);
    let ewma = PeakEwma::new(PeakEwmaConfig::default(), start);
    ewma.record(100 * MS, start);
    for at in [start, start - Duration::from_secs(50)] {
        ewma.record(MS, at);
        assert_eq!(ewma.latency(at), 100 * MS);
    }
    ewma.record(200 * MS, start - Duration::from_secs(50));
    assert_eq!(ewma.latency(start), 200 * MS);
}

#[test]
fn without_decay_the_last_sample_stands() {
    let start = Instant::now();
    let config = PeakEwmaConfig {
        decay: Duration::ZERO,
        ..PeakEwmaConfig::default()
    };
    let ewma = PeakEwma::new(config, start);
    for sample in [5, 90, 3] {
        ewma.record(sample * MS, start);
        assert_eq!(ewma.latency(start + Duration::from_secs(9)), sample * MS);
    }
}

#[test]
fn requests_settle_by_speed() {
    // Nine endpoints answer in 10 ms, one in 100 ms; requests come faster than it alone could bear.
    let start = Instant::now();
    let slow = 9;
    let time = |place| if place == slow { 100 * MS } else { 10 * MS };
    let endpoints: Vec<PeakEwma> = (0..10)
        .map(|_| PeakEwma::new(PeakEwmaConfig::default(), start))
        .collect();
    let balancer = P2c::new([1; 10]);
    let mut random = Rng::with_seed(6);
    let mut running: Vec<(Instant, usize)> = Vec::new();
    let mut picked = [0; 10];
    let mut now = start;
    for _ in 0..20_000 {
        now += MS / 2;
        running.retain(|(end, place)| {
            let over = *end <= now;
            if over {
                endpoints[*place].record(time(*place), now);
            }
            !over
        });
        let load = |place: usize| {
            let in_flight = running.iter().filter(|(_, at)| *at == place).count() as u32;
            endpoints[place].load(in_flight, now)
        };
        let place = balancer.pick_by(&mut random, load, |_| true).unwrap();
        running.push((now + time(place), place));
        picked[place] += 1;
    }
    let share = f64::from(picked[slow]) / 20_000.0;
    // It has a tenth of the speed: by requests in flight alone it would have about as many in flight as the others.
    assert!(share < 0.02, "{picked:?}");
    assert!(picked[slow] > 0, "it is still tried");
}

#[test]
fn recording_and_asking_allocate_nothing() {
    let now = Instant::now();
    let ewma = PeakEwma::new(PeakEwmaConfig::default(), now);
    let count = allocations(|| {
        ewma.record(MS, now);
        ewma.load(3, now)
    });
    assert_eq!(count, 0);
}
