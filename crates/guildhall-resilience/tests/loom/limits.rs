//! Limiters, bulkheads and adaptive limits under every interleaving of two threads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_resilience::Outcome;
use guildhall_resilience::adaptive::{Adaptive, AdaptiveConfig};
use guildhall_resilience::bulkhead::{Bulkhead, BulkheadConfig, Entry, Progress};
use guildhall_resilience::limiter::{Gcra, Keyed, LeakyQueue, Quota, SlidingWindow};
use guildhall_resilience::shed::{DelayShed, DelayShedConfig};
use loom::thread;

#[expect(clippy::disallowed_methods, reason = "some instant to begin with")]
fn start() -> Instant {
    Instant::now()
}

/// Runs it under every interleaving with at most three preemptions.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// Both threads' results of the same call.
fn both<S: Send + Sync + 'static, T: Send + 'static>(
    shared: &Arc<S>,
    run: impl Fn(&S) -> T + Send + Copy + 'static,
) -> [T; 2] {
    let other = Arc::clone(shared);
    let other = thread::spawn(move || run(&other));
    let mine = run(shared);
    [mine, other.join().unwrap()]
}

#[test]
fn gcra_admits_the_burst_and_no_more() {
    model(|| {
        let now = start();
        let quota = Quota::per_second(1).unwrap().with_burst(3).unwrap();
        let gcra = Arc::new(Gcra::new(quota, now));
        let two = move |gcra: &Gcra| {
            u32::from(gcra.check(now).is_ok()) + u32::from(gcra.check(now).is_ok())
        };
        assert_eq!(both(&gcra, two).iter().sum::<u32>(), 3);
    });
}

#[test]
fn the_sliding_window_admits_its_limit_across_an_edge() {
    model(|| {
        let now = start();
        let limiter = Arc::new(SlidingWindow::new(Quota::per_second(3).unwrap(), now));
        let edge = now + Duration::from_secs(1);
        let two = move |limiter: &SlidingWindow| {
            u32::from(limiter.check(now).is_ok()) + u32::from(limiter.check(edge).is_ok())
        };
        assert!(both(&limiter, two).iter().sum::<u32>() <= 3);
    });
}

#[test]
fn turns_are_given_once() {
    model(|| {
        let now = start();
        let queue = LeakyQueue::new(Quota::per_second(1).unwrap(), Duration::from_secs(5), now);
        let queue = Arc::new(queue);
        let mut waits = both(&queue, move |queue: &LeakyQueue| {
            queue.take(now).unwrap().wait.as_secs()
        });
        waits.sort_unstable();
        assert_eq!(waits, [0, 1]);
    });
}

#[test]
fn a_bulkhead_of_one_holds_one_and_loses_no_place() {
    model(|| {
        let now = start();
        let config = BulkheadConfig::new(1).unwrap();
        let config = config.with_queue(1, Duration::from_secs(1)).unwrap();
        let bulkhead: Arc<Bulkhead<()>> = Arc::new(Bulkhead::new(config));
        let inside = loom::sync::atomic::AtomicU32::new(0);
        let shared = Arc::new((bulkhead, inside));
        let work = move |shared: &(Arc<Bulkhead<()>>, loom::sync::atomic::AtomicU32)| {
            use loom::sync::atomic::Ordering::Relaxed;
            let (bulkhead, inside) = shared;
            let run = || {
                assert_eq!(inside.fetch_add(1, Relaxed), 0);
                inside.fetch_sub(1, Relaxed);
            };
            match Bulkhead::enter(Arc::clone(bulkhead), None, now, || ()) {
                Err(_) => {}
                Ok(Entry::Admitted(permit)) => {
                    run();
                    drop(permit);
                }
                // Asks once; gives up if it is not called by then.
                Ok(Entry::Queued(mut ticket)) => {
                    if let Progress::Admitted(permit) = ticket.poll(now, || ()) {
                        run();
                        drop(permit);
                    }
                }
            }
        };
        both(&shared, work);
        let stats = shared.0.stats();
        assert_eq!((stats.in_flight, stats.queued), (0, 0));
    });
}

#[test]
fn an_adaptive_limit_is_not_exceeded_and_closes_windows_once() {
    model(|| {
        let now = start();
        let config = AdaptiveConfig::default()
            .with_limits(1, 1, 10)
            .and_then(|config| config.with_window(Duration::from_nanos(1), 1))
            .unwrap();
        let adaptive = Arc::new(Adaptive::new(config, 7, now));
        let calls = both(
            &adaptive,
            move |adaptive: &Adaptive| match Adaptive::acquire(adaptive, now) {
                Err(_) => 0,
                Ok(permit) => {
                    let sample = permit.record(Outcome::Success, now + Duration::from_nanos(64));
                    1 + 10 * u32::from(sample.is_some())
                }
            },
        );
        // Whoever ran alone closed the window.
        assert!(calls.iter().any(|call| *call == 11));
        assert_eq!(adaptive.stats().in_flight, 0);
    });
}

#[test]
fn the_least_delay_is_kept_whoever_tells_it() {
    model(|| {
        let now = start();
        let shed = Arc::new(DelayShed::new(DelayShedConfig::default(), now));
        let next = now + Duration::from_millis(100);
        let other = Arc::clone(&shed);
        let other = thread::spawn(move || {
            other.record(Duration::from_millis(20), now);
            other.record(Duration::from_millis(20), next);
        });
        shed.record(Duration::ZERO, now);
        other.join().unwrap();
        // Either the short one came in time, and the first interval was good; or it came when the next had begun, where an
        // earlier time counts as that.
        let (first, second) = (
            shed.pressure(next),
            shed.pressure(next + Duration::from_millis(100)),
        );
        assert!((first == 0.0 && second > 0.0) || (first > 0.0 && second < first));
    });
}

#[test]
fn a_known_key_is_admitted_its_burst_and_no_more() {
    model(|| {
        let now = start();
        let quota = Quota::per_second(1).unwrap().with_burst(3).unwrap();
        let keyed = Arc::new(keyed(quota, 2, now));
        assert!(keyed.check("a", now).is_ok());
        let two = move |keyed: &Hashed| {
            u32::from(keyed.check("a", now).is_ok()) + u32::from(keyed.check("a", now).is_ok())
        };
        assert_eq!(both(&keyed, two).iter().sum::<u32>(), 2);
    });
}

#[test]
fn two_newcomers_of_one_key_share_its_limit() {
    model(|| {
        let now = start();
        let keyed = Arc::new(keyed(Quota::per_second(1).unwrap(), 2, now));
        let one = move |keyed: &Hashed| u32::from(keyed.check("a", now).is_ok());
        assert_eq!(both(&keyed, one).iter().sum::<u32>(), 1);
        assert_eq!(keyed.stats().keys, 1);
    });
}

#[test]
fn a_place_that_changes_hands_lets_nobody_through_twice() {
    model(|| {
        let now = start();
        let quota = Quota::per_second(1).unwrap().with_burst(2).unwrap();
        let keyed = Arc::new(keyed(quota, 1, now));
        assert!(keyed.check("a", now).is_ok());
        // One thread goes on with the key while the other's newcomer takes its place.
        let other = Arc::clone(&keyed);
        let newcomer = thread::spawn(move || u32::from(other.check("b", now).is_ok()));
        let known = u32::from(keyed.check("a", now).is_ok());
        assert_eq!(
            newcomer.join().unwrap(),
            1,
            "a newcomer has used up nothing"
        );
        assert_eq!(known, 1, "known or new, it has some left");
        // Whoever holds the place now is counted right: one request, or two.
        let left = keyed
            .status("b", now)
            .remaining
            .min(keyed.status("a", now).remaining);
        assert!(left <= 1);
    });
}

/// The third key makes the index and the places grow while another thread looks its own up.
#[test]
fn a_known_key_keeps_its_count_while_others_make_it_grow() {
    model(|| {
        let now = start();
        let quota = Quota::per_second(1).unwrap().with_burst(2).unwrap();
        let keyed = Arc::new(keyed(quota, 4, now));
        assert!(keyed.check("a", now).is_ok() && keyed.check("b", now).is_ok());
        let other = Arc::clone(&keyed);
        let newcomer = thread::spawn(move || assert!(other.check("c", now).is_ok()));
        assert!(keyed.check("a", now).is_ok());
        assert!(keyed.check("a", now).is_err());
        newcomer.join().unwrap();
        assert_eq!(keyed.stats().keys, 3);
    });
}

#[test]
fn an_edit_keeps_what_a_key_uses_up_at_that_moment() {
    model(|| {
        let now = start();
        let quota = |burst| Quota::per_second(1).and_then(|quota| quota.with_burst(burst));
        let keyed = Arc::new(keyed(quota(4).unwrap(), 1, now));
        assert!(keyed.check("a", now).is_ok());
        let other = Arc::clone(&keyed);
        let edit = thread::spawn(move || other.reconfigure(quota(3).unwrap(), now));
        assert!(keyed.check("a", now).is_ok());
        edit.join().unwrap();
        assert_eq!(keyed.status("a", now).remaining, 1);
    });
}

/// Hashes that are the same in every run, as loom runs the same thing again and again.
type Hashed = Keyed<String, std::hash::BuildHasherDefault<std::hash::DefaultHasher>>;

fn keyed(quota: Quota, capacity: usize, now: Instant) -> Hashed {
    Keyed::with_hasher(
        quota,
        capacity,
        now,
        std::hash::BuildHasherDefault::default(),
    )
    .unwrap()
}
