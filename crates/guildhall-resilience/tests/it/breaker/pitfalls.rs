//! What other breakers have got wrong; each of these names it.

use std::sync::Arc;
use std::time::Duration;

use guildhall_resilience::breaker::{Breaker, Config, Forced, Reason, State, Window};
use guildhall_resilience::{Outcome, Pattern, Rejection};

use super::Bench;

#[test]
fn a_stale_success_does_not_close_a_half_open_breaker() {
    let bench = Bench::new(|config| config.probes(1, 1));
    let early = bench.breaker.acquire(bench.now()).unwrap();
    let earlier = bench.breaker.acquire(bench.now()).unwrap();
    bench.open().pass(5.0);
    let probe = bench.breaker.acquire(bench.now()).unwrap();
    assert_eq!(early.record(Outcome::Success, bench.now()), None);
    assert_eq!(earlier.record(Outcome::Failure, bench.now()), None);
    bench.expect(State::HalfOpen);
    probe.record(Outcome::Success, bench.now());
    bench.expect(State::Closed);
}

#[test]
fn stale_failures_do_not_open_a_breaker_that_has_recovered() {
    let bench = Bench::new(|config| config);
    let early: Vec<_> = (0..100)
        .map(|_| bench.breaker.acquire(bench.now()).unwrap())
        .collect();
    bench.ready_to_probe();
    let probes: Vec<_> = (0..3)
        .map(|_| bench.breaker.acquire(bench.now()).unwrap())
        .collect();
    let transitions: Vec<_> = probes
        .into_iter()
        .filter_map(|probe| probe.record(Outcome::Success, bench.now()))
        .collect();
    assert_eq!(transitions.len(), 1);
    for permit in early {
        assert_eq!(permit.record(Outcome::Failure, bench.now()), None);
    }
    let snapshot = bench.expect(State::Closed).breaker.snapshot(bench.now());
    assert_eq!(snapshot.window.total, 0);
    assert_eq!(snapshot.failed, 120, "the statistics know them");
}

#[test]
fn a_probe_of_an_earlier_round_does_not_decide_a_later_one() {
    let bench = Bench::new(|config| config);
    bench.ready_to_probe();
    let early = bench.breaker.acquire(bench.now()).unwrap();
    bench.fail(2);
    bench.expect(State::Open);
    let later = bench.now() + Duration::from_secs(10);
    let held = bench.breaker.acquire(later).unwrap();
    assert_eq!(early.record(Outcome::Success, later), None);
    assert_eq!(bench.breaker.snapshot(later).probes_under_way, 1);
    drop(held);
    assert_eq!(bench.breaker.snapshot(later).probes_under_way, 0);
    bench.expect(State::HalfOpen);
}

#[test]
fn a_probe_that_is_dropped_is_given_back() {
    let bench = Bench::new(|config| config);
    bench.ready_to_probe();
    for _ in 0..100 {
        let permit = bench.breaker.acquire(bench.now()).unwrap();
        assert!(permit.is_probe());
        drop(permit);
    }
    let held: Vec<_> = (0..3).map(|_| bench.breaker.acquire(bench.now())).collect();
    assert!(bench.breaker.acquire(bench.now()).is_err());
    drop(held);
    bench.succeed(2);
    bench.expect(State::Closed);
}

#[test]
fn a_permit_lost_to_a_panic_is_given_back() {
    let bench = Bench::new(|config| config.probes(1, 1));
    bench.ready_to_probe();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = bench.breaker.acquire(bench.now()).unwrap();
        std::panic::resume_unwind(Box::new("the call panicked"));
    }));
    assert!(result.is_err());
    assert!(bench.breaker.acquire(bench.now()).is_ok());
}

#[test]
fn probes_that_hang_reopen_at_the_deadline() {
    let bench = Bench::new(|config| config.call_timeout(Duration::from_secs(40)));
    bench.ready_to_probe();
    let hanging: Vec<_> = (0..3)
        .map(|_| bench.breaker.acquire(bench.now()).unwrap())
        .collect();
    bench.pass(39.0);
    assert_eq!(bench.breaker.tick(bench.now()), None);
    bench.pass(1.0);
    let refusal = bench.breaker.acquire(bench.now()).unwrap_err();
    let transition = refusal.transition.unwrap();
    let reason = Reason::ProbesOverdue {
        failed: 0,
        unfinished: 3,
    };
    assert_eq!((transition.to, transition.reason), (State::Open, reason));
    for permit in hanging {
        assert_eq!(permit.record(Outcome::Success, bench.now()), None);
    }
    bench.expect(State::Open);
    // It has opened twice: ten seconds.
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(10)));
}

#[test]
fn low_traffic_does_not_reopen_at_the_deadline() {
    let bench = Bench::new(|config| config);
    bench.ready_to_probe().succeed(1);
    bench.pass(31.0);
    let permit = bench.breaker.acquire(bench.now()).unwrap();
    assert_eq!(permit.transition(), None, "another round, quietly");
    permit.record(Outcome::Success, bench.now());
    bench.expect(State::HalfOpen).succeed(1);
    bench.expect(State::Closed);
}

#[test]
fn cancellation_is_no_evidence() {
    let bench = Bench::new(|config| config);
    assert!(bench.calls(Outcome::Ignored, 1_000).is_empty());
    bench.fail(19);
    bench.calls(Outcome::Ignored, 1_000);
    bench.expect(State::Closed).fail(1);
    bench.expect(State::Open);
    bench.pass(5.0);
    bench.calls(Outcome::Ignored, 1_000);
    bench.expect(State::HalfOpen).succeed(2);
    let snapshot = bench.expect(State::Closed).breaker.snapshot(bench.now());
    assert_eq!((snapshot.ignored, snapshot.total), (3_000, 3_022));
}

#[test]
fn a_clock_that_stands_still_or_runs_back_changes_nothing() {
    let bench = Bench::new(|config| config);
    bench.pass(100.0);
    bench.fail(10);
    let early = bench.start + Duration::from_secs(3);
    // Ten more, stamped long before: they count in the present.
    for _ in 0..9 {
        let permit = bench.breaker.acquire(early).unwrap();
        assert_eq!(permit.record(Outcome::Failure, early), None);
    }
    assert_eq!(bench.breaker.snapshot(early).window.total, 19);
    let permit = bench.breaker.acquire(early).unwrap();
    assert!(permit.record(Outcome::Failure, bench.now()).is_some());
    // Before it was opened, and before it was made.
    for at in [early, bench.start - Duration::from_secs(1)] {
        assert_eq!(bench.breaker.acquire(at).unwrap_err().state, State::Open);
    }
    assert_eq!(bench.breaker.tick(early), None);
}

#[test]
fn a_clock_that_jumps_forward_forgets_and_probes() {
    let bench = Bench::new(|config| config);
    bench.fail(19);
    bench.pass(1e7).fail(19);
    bench.expect(State::Closed).fail(1);
    bench.expect(State::Open);
    bench.pass(1e7).succeed(2);
    bench.expect(State::Closed);
}

#[test]
fn a_count_window_slides() {
    // tower-resilience needs 10,000 failures here.
    let bench = Bench::new(|config| config.window(Window::Count { calls: 100 }));
    bench.succeed(10_000);
    bench.fail(49);
    bench.expect(State::Closed);
    let transitions = bench.fail(1);
    assert_eq!(
        transitions[0].reason,
        Reason::FailureRate {
            failed: 50,
            total: 100
        }
    );
    bench.pass(5.0).succeed(2);
    bench.expect(State::Closed);
    assert_eq!(bench.breaker.snapshot(bench.now()).window.total, 0);
}

#[test]
fn a_time_window_slides() {
    let bench = Bench::new(|config| config);
    bench.succeed(10_000);
    bench.pass(5.0).fail(60);
    bench.expect(State::Closed);
    assert_eq!(bench.breaker.snapshot(bench.now()).window.total, 10_060);
    // The successes have left; the next call, even a good one, finds sixty of sixty-one failed.
    let transitions = bench.pass(5.0).succeed(1);
    assert_eq!(
        transitions[0].reason,
        Reason::FailureRate {
            failed: 60,
            total: 61
        }
    );
}

#[test]
fn a_failure_is_forgotten_with_its_bucket() {
    let bench = Bench::new(|config| config);
    bench.fail(19);
    bench.pass(9.999);
    assert_eq!(bench.breaker.snapshot(bench.now()).window.failed, 19);
    bench.pass(0.001);
    assert_eq!(bench.breaker.snapshot(bench.now()).window.failed, 0);
    bench.fail(19);
    bench.expect(State::Closed);
}

#[test]
fn a_half_open_breaker_admits_its_probes_and_nobody_else() {
    let bench = Bench::new(|config| config);
    bench.ready_to_probe();
    let herd: Vec<_> = (0..1_000)
        .map(|_| bench.breaker.acquire(bench.now()))
        .collect();
    assert_eq!(herd.iter().filter(|one| one.is_ok()).count(), 3);
    let refusal = herd[3].as_ref().unwrap_err();
    assert_eq!(
        (refusal.state, refusal.retry_after),
        (State::HalfOpen, None)
    );
    assert_eq!(bench.breaker.snapshot(bench.now()).rejected, 997);
}

#[test]
fn a_herd_of_threads_gets_no_more_probes_than_there_are() {
    let bench = Bench::new(|config| config);
    bench.ready_to_probe();
    let (breaker, now) = (&bench.breaker, bench.now());
    let barrier = std::sync::Barrier::new(8);
    let admitted = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let permits: Vec<_> = (0..100).map(|_| breaker.acquire(now)).collect();
                    barrier.wait();
                    permits.iter().filter(|one| one.is_ok()).count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|one| one.join().unwrap())
            .sum::<usize>()
    });
    assert_eq!(admitted, 3);
}

#[test]
fn little_traffic_does_not_open_it() {
    let bench = Bench::new(|config| config);
    for _ in 0..100 {
        bench.pass(0.6).fail(1);
    }
    bench.expect(State::Closed);
    assert!(bench.breaker.snapshot(bench.now()).window.total < 20);
}

#[test]
fn it_can_be_switched_off() {
    let bench = Bench::new(|config| config);
    bench.breaker.force(Forced::Disabled, None, bench.now());
    assert!(bench.fail(1_000).is_empty());
    bench.expect(State::Disabled);
    bench.pass(1e6).fail(1);
    let snapshot = bench.expect(State::Disabled).breaker.snapshot(bench.now());
    assert_eq!((snapshot.failed, snapshot.window.total), (1_001, 0));
}

#[test]
fn a_force_expires() {
    let bench = Bench::new(|config| config);
    let until = bench.now() + Duration::from_secs(60);
    bench.breaker.force(Forced::Open, Some(until), bench.now());
    let refusal = bench.pass(20.0).breaker.acquire(bench.now()).unwrap_err();
    assert_eq!(
        (refusal.state, refusal.retry_after),
        (State::ForcedOpen, Some(Duration::from_secs(40)))
    );
    assert_eq!(
        Rejection::from(refusal),
        Rejection {
            by: Pattern::Breaker,
            retry_after: Some(Duration::from_secs(40))
        }
    );
    bench.pass(40.0);
    let permit = bench.breaker.acquire(bench.now()).unwrap();
    assert_eq!(permit.transition().unwrap().reason, Reason::ForceExpired);
    bench.expect(State::Closed);
    assert_eq!(bench.breaker.tick(bench.now()), None, "reported once");
}

#[test]
fn each_refusal_and_each_transition_is_told_once() {
    let bench = Bench::new(|config| config);
    assert_eq!(bench.fail(1_000).len(), 1);
    assert_eq!(bench.breaker.snapshot(bench.now()).rejected, 980);
    bench.pass(5.0);
    let permits: Vec<_> = (0..3)
        .map(|_| bench.breaker.acquire(bench.now()).unwrap())
        .collect();
    let told = permits.iter().filter(|one| one.transition().is_some());
    assert_eq!(told.count(), 1);
    let last = bench.breaker.snapshot(bench.now()).last_transition.unwrap();
    assert_eq!(
        last.to_string(),
        "OPEN -> HALF_OPEN: the open time is over (for 30s)"
    );
    assert_eq!(last.at, bench.now());
}

#[test]
fn a_fleet_does_not_come_back_in_one_instant() {
    let bench = Bench::new(|config| config);
    let mut times: Vec<_> = (0..1_000)
        .map(|seed| {
            let breaker = Breaker::new(Config::default(), seed, bench.now());
            for _ in 0..20 {
                breaker
                    .acquire(bench.now())
                    .unwrap()
                    .record(Outcome::Failure, bench.now());
            }
            breaker
                .acquire(bench.now())
                .unwrap_err()
                .retry_after
                .unwrap()
        })
        .collect();
    times.sort();
    let (first, last) = (times[0], times[999]);
    assert!(first >= Duration::from_secs(4) && last <= Duration::from_secs(6));
    assert!(
        last - first > Duration::from_millis(1_900),
        "{first:?} to {last:?}"
    );
    times.dedup();
    assert!(times.len() > 990);
}

#[test]
fn the_open_time_doubles_up_to_its_limit_and_begins_anew_once_closed() {
    let bench = Bench::new(|config| config);
    bench.open();
    let mut seconds = Vec::new();
    for _ in 0..6 {
        let open_for = bench
            .breaker
            .acquire(bench.now())
            .unwrap_err()
            .retry_after
            .unwrap();
        seconds.push(open_for.as_secs());
        bench.pass(open_for.as_secs_f64()).fail(2);
    }
    assert_eq!(seconds, [5, 10, 20, 40, 60, 60]);
    bench.pass(60.0).succeed(2);
    bench.expect(State::Closed).fail(20);
    let open_for = bench.breaker.acquire(bench.now()).unwrap_err().retry_after;
    assert_eq!(open_for, Some(Duration::from_secs(5)));
}

#[test]
fn slow_calls_open_it_and_slow_probes_reopen_it() {
    let slow = Duration::from_secs(2);
    let bench = Bench::new(|config| config.failure_rate(None).slow_calls(slow, 0.5));
    let admitted: Vec<_> = (0..10)
        .map(|_| bench.breaker.acquire(bench.now()).unwrap())
        .collect();
    bench.pass(2.0).succeed(10);
    let transitions: Vec<_> = admitted
        .into_iter()
        .filter_map(|permit| permit.record(Outcome::Success, bench.now()))
        .collect();
    assert_eq!(
        transitions[0].reason,
        Reason::SlowCalls {
            slow: 10,
            total: 20
        }
    );
    bench.pass(5.0);
    for _ in 0..2 {
        let probe = bench.breaker.acquire(bench.now()).unwrap();
        probe.record(Outcome::Success, bench.now() + slow);
    }
    bench.expect(State::Open);
    assert_eq!(bench.breaker.snapshot(bench.now()).slow, 12);
}

#[test]
fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
    let bench = Bench::new(|config| config.consecutive_failures(Some(5)));
    for _ in 0..3 {
        bench.fail(4);
        bench.succeed(1);
    }
    bench.calls(Outcome::Ignored, 3);
    assert!(bench.fail(4).is_empty());
    let reason = bench.fail(1)[0].reason;
    assert_eq!(reason, Reason::ConsecutiveFailures { failed: 5 });
}

#[test]
fn five_failures_in_ten_seconds_then_a_minute_of_recovery() {
    let minute = Duration::from_secs(60);
    let bench = Bench::new(|config| {
        config
            .failure_rate(None)
            .failure_count(Some(5))
            .open_for(minute, minute)
    });
    bench.succeed(1_000);
    bench.fail(4);
    bench.pass(10.0).fail(4);
    bench.expect(State::Closed);
    assert_eq!(bench.fail(1)[0].reason, Reason::FailureCount { failed: 5 });
    let refusal = bench.breaker.acquire(bench.now()).unwrap_err();
    assert_eq!(refusal.retry_after, Some(minute));
}

#[test]
fn an_owned_permit_outlives_the_handle() {
    let bench = Bench::new(|config| config);
    let breaker = Arc::new(Breaker::new(Config::default(), 1, bench.now()));
    let permit = breaker.acquire_owned(|| bench.now()).unwrap();
    let weak = Arc::downgrade(&breaker);
    drop(breaker);
    assert_eq!(permit.record(Outcome::Success, bench.now()), None);
    assert!(weak.upgrade().is_none());
}
