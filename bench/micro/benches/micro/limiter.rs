//! GCRA and the keyed limiter beside governor's: with each one's own clock, and on a clock that costs nothing.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{FakeRelativeClock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, RateLimiter};
use guildhall_bench_micro::{Contender, compare, wanted};
use guildhall_resilience::limiter::{
    Gcra, Keyed, LeakyQueue, Quota, SlidingWindow, WarmUp, WarmUpConfig,
};

/// High enough that nearly every check is admitted, which is the dearer way: a refusal writes nothing.
const RATE: u32 = 1_000_000_000;
/// Keys of the keyed limiters; all known.
const KEYS: usize = 4096;

fn ours() -> Quota {
    Quota::per_second(RATE).expect("a rate")
}

fn governors(rate: u32) -> governor::Quota {
    governor::Quota::per_second(NonZeroU32::new(rate).expect("a rate"))
}

/// Calls `one` so many times.
fn times(n: u64, mut one: impl FnMut()) {
    for _ in 0..n {
        one();
    }
}

/// Every group of this file.
pub(crate) fn run() {
    for threads in [1, 2] {
        admitted(threads);
        still(threads);
        refused(threads);
        keyed(threads);
        one_key(threads);
    }
    others();
}

fn admitted(threads: usize) {
    if !wanted("limiter-admitted") {
        return;
    }
    let gcra = Gcra::new(ours(), Instant::now());
    let governor: DefaultDirectRateLimiter = RateLimiter::direct(governors(RATE));
    let same = RateLimiter::direct_with_clock(governors(RATE), MonotonicClock);
    compare(
        "limiter-admitted, each with its clock",
        threads,
        &[
            Contender::new("ours (Instant::now)", |n| {
                times(n, || {
                    black_box(gcra.check(Instant::now()).is_ok());
                });
            }),
            Contender::new("governor (Instant::now)", |n| {
                times(n, || {
                    black_box(same.check().is_ok());
                });
            }),
            Contender::new("governor (quanta)", |n| {
                times(n, || {
                    black_box(governor.check().is_ok());
                });
            }),
            Contender::new("Instant::now alone", |n| {
                times(n, || {
                    black_box(Instant::now());
                });
            }),
        ],
    );
}

fn still(threads: usize) {
    if !wanted("limiter-admitted") {
        return;
    }
    // On a clock that stands still a burst of u32::MAX outlasts the run.
    let now = Instant::now();
    // Read from memory, as governor's fake clock is; one time alone would be turned into nanoseconds outside the loop.
    let times_to_pass = black_box([now; 64]);
    let quota = Quota::per_second(1_000_000).and_then(|quota| quota.with_burst(u32::MAX));
    let gcra = Gcra::new(quota.expect("a quota"), now);
    let clock = FakeRelativeClock::default();
    let quota = governors(1_000_000).allow_burst(NonZeroU32::MAX);
    let governor = RateLimiter::direct_with_clock(quota, clock);
    compare(
        "limiter-admitted, without a clock",
        threads,
        &[
            Contender::new("ours", |n| {
                let mut at = 0;
                times(n, || {
                    at = (at + 1) % times_to_pass.len();
                    black_box(gcra.check(times_to_pass[at]).is_ok());
                });
            }),
            Contender::new("governor (fake clock)", |n| {
                times(n, || {
                    black_box(governor.check().is_ok());
                });
            }),
        ],
    );
}

fn refused(threads: usize) {
    if !wanted("limiter-refused") {
        return;
    }
    let gcra = Gcra::new(
        Quota::new(1, Duration::from_secs(3600)).expect("a quota"),
        Instant::now(),
    );
    let quota = governor::Quota::with_period(Duration::from_secs(3600)).expect("a quota");
    let governor: DefaultDirectRateLimiter = RateLimiter::direct(quota);
    compare(
        "limiter-refused, each with its clock",
        threads,
        &[
            Contender::new("ours (Instant::now)", |n| {
                times(n, || {
                    black_box(gcra.check(Instant::now()).is_ok());
                });
            }),
            Contender::new("governor (quanta)", |n| {
                times(n, || {
                    black_box(governor.check().is_ok());
                });
            }),
        ],
    );
}

fn keyed(threads: usize) {
    if !wanted("limiter-keyed") {
        return;
    }
    let keys: Vec<String> = (0..KEYS).map(|at| format!("client-{at:08}")).collect();
    let mine: Keyed<String> = Keyed::new(ours(), 2 * KEYS, Instant::now()).expect("a limiter");
    let governor: DefaultKeyedRateLimiter<String> = RateLimiter::keyed(governors(RATE));
    let same: RateLimiter<String, _, _, NoOpMiddleware<Instant>> =
        RateLimiter::dashmap_with_clock(governors(RATE), MonotonicClock);
    let each = |n: u64, check: &dyn Fn(&String)| {
        // A stride that is coprime with the number of keys, from a start that threads do not share.
        let mut at = black_box(&n) as *const u64 as usize / 64;
        times(n, || {
            at = (at + 1237) % KEYS;
            check(&keys[at]);
        });
    };
    compare(
        "limiter-keyed, 4096 keys, each with its clock",
        threads,
        &[
            Contender::new("ours (Instant::now)", |n| {
                each(n, &|key| {
                    black_box(mine.check(key.as_str(), Instant::now()).is_ok());
                });
            }),
            Contender::new("governor (Instant::now, dashmap)", |n| {
                each(n, &|key| {
                    black_box(same.check_key(key).is_ok());
                });
            }),
            Contender::new("governor (quanta, dashmap)", |n| {
                each(n, &|key| {
                    black_box(governor.check_key(key).is_ok());
                });
            }),
        ],
    );
}

fn one_key(threads: usize) {
    if !wanted("limiter-keyed") {
        return;
    }
    let key = "client-00000001".to_owned();
    let mine: Keyed<String> = Keyed::new(ours(), 2 * KEYS, Instant::now()).expect("a limiter");
    let governor: DefaultKeyedRateLimiter<String> = RateLimiter::keyed(governors(RATE));
    let same: RateLimiter<String, _, _, NoOpMiddleware<Instant>> =
        RateLimiter::dashmap_with_clock(governors(RATE), MonotonicClock);
    compare(
        "limiter-keyed, one key, each with its clock",
        threads,
        &[
            Contender::new("ours (Instant::now)", |n| {
                times(n, || {
                    black_box(mine.check(key.as_str(), Instant::now()).is_ok());
                });
            }),
            Contender::new("governor (Instant::now, dashmap)", |n| {
                times(n, || {
                    black_box(same.check_key(&key).is_ok());
                });
            }),
            Contender::new("governor (quanta, dashmap)", |n| {
                times(n, || {
                    black_box(governor.check_key(&key).is_ok());
                });
            }),
        ],
    );
}

fn others() {
    if !wanted("limiter-others") {
        return;
    }
    let now = Instant::now();
    let sliding = SlidingWindow::new(Quota::per_minute(u32::MAX).expect("a quota"), now);
    let leaky = LeakyQueue::new(ours(), Duration::from_secs(3600), now);
    let config = WarmUpConfig::new(ours(), Duration::from_secs(10)).expect("a configuration");
    let warm_up = WarmUp::new(config.with_max_wait(Duration::from_secs(3600)), now);
    compare(
        "limiter-others, without a clock",
        1,
        &[
            Contender::new("sliding window", |n| {
                times(n, || {
                    let _ = black_box(sliding.check(black_box(now)));
                });
            }),
            Contender::new("leaky queue", |n| {
                times(n, || {
                    let _ = black_box(leaky.take(black_box(now)));
                });
            }),
            Contender::new("warm-up", |n| {
                times(n, || {
                    let _ = black_box(warm_up.take(black_box(now)));
                });
            }),
        ],
    );
}
