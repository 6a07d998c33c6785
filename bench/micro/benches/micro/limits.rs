//! Bulkheads beside tokio's semaphore; adaptive limits and shedding alone, as no Rust peer of weight has them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_bench_micro::{Contender, compare, wanted};
use guildhall_resilience::Outcome;
use guildhall_resilience::adaptive::{Adaptive, AdaptiveConfig};
use guildhall_resilience::bulkhead::{Bulkhead, BulkheadConfig, Entry};
use guildhall_resilience::shed::{Criticality, DelayShed, DelayShedConfig};
use tokio::sync::Semaphore;

/// Every group of this file.
pub(crate) fn run() {
    for threads in [1, 2] {
        bulkhead(threads);
        adaptive_and_shed(threads);
    }
}

fn bulkhead(threads: usize) {
    if !wanted("bulkhead") {
        return;
    }
    let now = Instant::now();
    let config =
        BulkheadConfig::new(100).and_then(|config| config.with_queue(100, Duration::from_secs(1)));
    let bulkhead: Arc<Bulkhead<()>> = Arc::new(Bulkhead::new(config.expect("a size")));
    let semaphore = Arc::new(Semaphore::new(100));
    compare(
        "bulkhead, enter and leave",
        threads,
        &[
            Contender::new("ours, borrowed", |n| {
                for _ in 0..n {
                    if let Ok(Entry::Admitted(permit)) =
                        Bulkhead::enter(&*bulkhead, None, now, || ())
                    {
                        drop(black_box(permit));
                    }
                }
            }),
            Contender::new("tokio::sync::Semaphore, borrowed", |n| {
                for _ in 0..n {
                    if let Ok(permit) = semaphore.try_acquire() {
                        drop(black_box(permit));
                    }
                }
            }),
            Contender::new("ours, owned", |n| {
                for _ in 0..n {
                    let owned = Arc::clone(&bulkhead);
                    if let Ok(Entry::Admitted(permit)) = Bulkhead::enter(owned, None, now, || ()) {
                        drop(black_box(permit));
                    }
                }
            }),
            Contender::new("tokio::sync::Semaphore, owned", |n| {
                for _ in 0..n {
                    if let Ok(permit) = Arc::clone(&semaphore).try_acquire_owned() {
                        drop(black_box(permit));
                    }
                }
            }),
        ],
    );
}

fn adaptive_and_shed(threads: usize) {
    if !wanted("adaptive-shed") {
        return;
    }
    let now = Instant::now();
    let adaptive = Adaptive::new(AdaptiveConfig::default(), 7, now);
    let shed = DelayShed::new(DelayShedConfig::default(), now);
    compare(
        "adaptive-shed, without a clock",
        threads,
        &[
            Contender::new("adaptive: acquire and record", |n| {
                for _ in 0..n {
                    if let Ok(permit) = Adaptive::acquire(&adaptive, black_box(now)) {
                        black_box(permit.record(Outcome::Success, black_box(now)));
                    }
                }
            }),
            Contender::new("shed by delay: record and admit", |n| {
                let mut random = fastrand::Rng::with_seed(7);
                for _ in 0..n {
                    shed.record(Duration::ZERO, black_box(now));
                    let _ =
                        black_box(shed.admit(Criticality::Critical, black_box(now), &mut random));
                }
            }),
        ],
    );
}
