//! A pick of each balancer among 10 and 1,000 endpoints, and what it costs to build them.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use guildhall_bench_micro::{Contender, compare, wanted};
use guildhall_resilience::balance::{
    Algorithm, Balancer, Candidate, MaglevSize, PeakEwma, PeakEwmaConfig, RingConfig,
};

const ALGORITHMS: [(&str, Algorithm); 6] = [
    ("least request", Algorithm::LeastRequest),
    ("peak EWMA", Algorithm::PeakEwma),
    ("round robin", Algorithm::RoundRobin),
    ("random", Algorithm::Random),
    (
        "ring hash",
        Algorithm::RingHash(RingConfig {
            points: 160,
            bound: None,
        }),
    ),
    ("Maglev", Algorithm::Maglev(MaglevSize::Medium)),
];

/// Every group of this file.
pub(crate) fn run() {
    if !wanted("balance") {
        return;
    }
    for endpoints in [10, 1_000] {
        picks(endpoints);
        builds(endpoints);
    }
}

fn picks(endpoints: usize) {
    let names: Vec<String> = (0..endpoints).map(|at| format!("instance-{at}")).collect();
    // Weights that differ a little: the dearer way of drawing.
    let candidates: Vec<Candidate<'_>> = names
        .iter()
        .zip((1..=4).cycle())
        .map(|(name, weight)| Candidate {
            key: name.as_bytes(),
            weight,
        })
        .collect();
    let now = Instant::now();
    let load: Vec<AtomicU32> = (0..endpoints)
        .map(|at| AtomicU32::new(at as u32 % 7))
        .collect();
    let latencies: Vec<PeakEwma> = (0..endpoints)
        .map(|_| PeakEwma::new(PeakEwmaConfig::default(), now))
        .collect();
    let contenders: Vec<Contender<'_>> = ALGORITHMS
        .into_iter()
        .map(|(name, algorithm)| {
            let balancer = Balancer::new(algorithm, &candidates);
            let (load, latencies) = (&load, &latencies);
            let later = now + Duration::from_secs(1);
            Contender::new(name, move |n| {
                let mut random = fastrand::Rng::with_seed(1);
                for at in 0..n {
                    let hash = at.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    let of = |place: usize| match algorithm {
                        Algorithm::PeakEwma => {
                            latencies[place].load(load[place].load(Relaxed), later)
                        }
                        _ => u64::from(load[place].load(Relaxed)),
                    };
                    black_box(balancer.pick(hash, &mut random, of, |_| true));
                }
            })
        })
        .collect();
    compare(&format!("balance, a pick of {endpoints}"), 1, &contenders);
}

fn builds(endpoints: usize) {
    let names: Vec<String> = (0..endpoints).map(|at| format!("instance-{at}")).collect();
    let candidates: Vec<Candidate<'_>> = names
        .iter()
        .zip((1..=4).cycle())
        .map(|(name, weight)| Candidate {
            key: name.as_bytes(),
            weight,
        })
        .collect();
    for (name, algorithm) in ALGORITHMS {
        let start = Instant::now();
        for _ in 0..3 {
            black_box(Balancer::new(algorithm, &candidates));
        }
        let each = start.elapsed() / 3;
        eprintln!("  built over {endpoints}: {name} in {each:?}");
    }
}
