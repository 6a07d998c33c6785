//! A change of the settings keeps what it does not concern: the module's table, line by line.

use std::time::Duration;

use guildhall_resilience::Outcome;
use guildhall_resilience::breaker::{Builder, Config, Forced, Reason, State, Window};

use super::Bench;

const SECOND: Duration = Duration::from_secs(1);

fn edit(bench: &Bench, change: impl FnOnce(Builder) -> Builder) {
    let config = change(Config::builder().jitter(0.0)).build().unwrap();
    bench.breaker.reconfigure(config.clone(), bench.now());
    assert_eq!(bench.breaker.config(), config);
}

fn time(buckets: u8, width: Duration) -> Window {
    Window::Time { buckets, width }
}

/// (total, failed) of the window.
fn window(bench: &Bench) -> (u64, u64) {
    let counts = bench.breaker.snapshot(bench.now()).window;
    (counts.total, counts.failed)
}

#[test]
fn thresholds_judge_the_window_that_is_there() {
    let bench = Bench::new(|config| config);
    bench.succeed(30);
    bench.fail(19);
    edit(&bench, |config| config.failure_rate(Some(0.3)));
    assert_eq!(window(&bench), (49, 19));
    let reason = Reason::FailureRate {
        failed: 19,
        total: 50,
    };
    // Even by a good call, and even though the window was found in order before in the same bucket.
    assert_eq!(bench.succeed(1)[0].reason, reason);
}

#[test]
fn every_threshold_keeps_the_window() {
    let edits: [fn(Builder) -> Builder; 8] = [
        |config| config.failure_rate(Some(0.9)),
        |config| config.minimum_volume(500),
        |config| config.failure_count(Some(100)),
        |config| config.consecutive_failures(Some(50)),
        |config| config.slow_calls(SECOND, 0.9),
        |config| config.open_for(SECOND, SECOND),
        |config| config.probes(5, 5),
        |config| config.call_timeout(60 * SECOND),
    ];
    for change in edits {
        let bench = Bench::new(|config| config);
        bench.succeed(30);
        bench.fail(9);
        edit(&bench, change);
        assert_eq!(window(&bench), (39, 9));
        bench.expect(State::Closed);
    }
}

#[test]
fn more_or_fewer_buckets_keep_what_they_have_room_for() {
    let bench = Bench::new(|config| config.minimum_volume(1_000));
    for _ in 0..10 {
        bench.fail(2);
        bench.succeed(1);
        bench.pass(1.0);
    }
    // The present bucket is empty yet, and the first has left.
    assert_eq!(window(&bench), (27, 18));
    edit(&bench, |config| {
        config.minimum_volume(1_000).window(time(20, SECOND))
    });
    assert_eq!(window(&bench), (27, 18));
    // They leave ten seconds later now.
    bench.pass(10.0);
    assert_eq!(window(&bench), (27, 18));
    bench.pass(1.0);
    assert_eq!(window(&bench), (24, 16));
    edit(&bench, |config| {
        config.minimum_volume(1_000).window(time(14, SECOND))
    });
    assert_eq!(window(&bench), (6, 4));
}

#[test]
fn wider_and_narrower_buckets_take_the_calls_over() {
    for width in [
        Duration::from_millis(250),
        Duration::from_millis(1_700),
        60 * SECOND,
    ] {
        let bench = Bench::new(|config| config.minimum_volume(1_000));
        bench.pass(12.0);
        for _ in 0..5 {
            bench.fail(2);
            bench.pass(1.0);
        }
        let buckets = (10 * SECOND.as_millis()).div_ceil(width.as_millis()) as u8;
        edit(&bench, |config| {
            config.minimum_volume(1_000).window(time(buckets, width))
        });
        assert_eq!(window(&bench), (10, 10), "{width:?}");
        bench.fail(1);
        assert_eq!(window(&bench), (11, 11), "{width:?}");
        assert_eq!(
            bench.breaker.snapshot(bench.now()).failed,
            11,
            "counted once"
        );
        bench.pass(600.0).succeed(1);
        assert_eq!(window(&bench), (1, 0));
        assert_eq!(bench.breaker.snapshot(bench.now()).total, 12);
    }
}

#[test]
fn another_number_of_calls_keeps_the_latest() {
    let count =
        |calls| move |config: Builder| config.minimum_volume(10).window(Window::Count { calls });
    let bench = Bench::new(count(100));
    bench.fail(4);
    bench.succeed(80);
    bench.fail(5);
    bench.succeed(10);
    assert_eq!(window(&bench), (99, 9));
    edit(&bench, count(50));
    assert_eq!(window(&bench), (50, 5));
    edit(&bench, count(2_000));
    assert_eq!(window(&bench), (50, 5));
    bench.succeed(1_990);
    assert_eq!(
        window(&bench),
        (2_000, 0),
        "what came over has left in its turn"
    );
    edit(&bench, count(10));
    bench.fail(5);
    bench.expect(State::Open);
}

#[test]
fn another_kind_of_window_begins_empty() {
    let bench = Bench::new(|config| config);
    bench.fail(19);
    edit(&bench, |config| config.window(Window::Count { calls: 100 }));
    assert_eq!(window(&bench), (0, 0));
    bench.fail(19);
    edit(&bench, |config| config);
    assert_eq!(window(&bench), (0, 0));
    edit(&bench, |config| config.window(Window::Count { calls: 100 }));
    assert_eq!(window(&bench), (0, 0));
    bench.fail(20);
    bench.expect(State::Open);
    assert_eq!(bench.breaker.snapshot(bench.now()).failed, 58);
}

#[test]
fn states_and_times_under_way_stay() {
    let bench = Bench::new(|config| config);
    bench.open();
    edit(&bench, |config| config.open_for(60 * SECOND, 60 * SECOND));
    bench.pass(5.0);
    let held = bench.breaker.acquire(bench.now()).unwrap();
    edit(&bench, |config| config.failure_rate(Some(0.7)));
    assert_eq!(bench.breaker.snapshot(bench.now()).probes_under_way, 1);
    held.record(Outcome::Success, bench.now());
    bench.succeed(1);
    bench.expect(State::Closed);
    bench.breaker.force(Forced::MetricsOnly, None, bench.now());
    bench.fail(7);
    edit(&bench, |config| config.window(time(5, SECOND)));
    bench.expect(State::MetricsOnly);
    assert_eq!(window(&bench), (7, 7));
}

#[test]
fn a_wrong_setting_names_the_field_and_the_remedy() {
    let check = |change: fn(Builder) -> Builder, expect: &str| {
        let error = change(Config::builder()).build().unwrap_err();
        assert_eq!(error.to_string(), expect);
    };
    let share = "a share over 0 and up to 1: half is 0.5";
    check(
        |config| config.failure_rate(Some(50.0)),
        &format!("failure_rate: {share}"),
    );
    check(
        |config| config.failure_rate(Some(f64::NAN)),
        &format!("failure_rate: {share}"),
    );
    check(
        |config| config.slow_calls(SECOND, 0.0),
        &format!("slow_calls: {share}"),
    );
    check(
        |config| config.jitter(1.0),
        "jitter: less than 1, or it may not open at all",
    );
    check(
        |config| config.window(time(0, SECOND)),
        "window.buckets: 1 to 60",
    );
    check(
        |config| config.window(time(61, SECOND)),
        "window.buckets: 1 to 60",
    );
    check(
        |config| config.window(time(1, SECOND / 2_000)),
        "window.width: 1 ms to 1 h",
    );
    check(
        |config| config.window(Window::Count { calls: 0 }),
        "window.calls: 1 to 65,536",
    );
    check(
        |config| config.window(Window::Count { calls: 19 }),
        "minimum_volume: no more than window.calls, or it never opens",
    );
    check(
        |config| config.minimum_volume(0),
        "minimum_volume: 1 or more",
    );
    check(
        |config| config.consecutive_failures(Some(0)),
        "consecutive_failures: 1 or more; `None` switches the rule off",
    );
    check(
        |config| config.slow_calls(Duration::ZERO, 0.5),
        "slow_calls: after more than nothing, or every call is slow",
    );
    check(
        |config| config.open_for(Duration::ZERO, SECOND),
        "open_for: more than nothing",
    );
    check(
        |config| config.open_for(2 * SECOND, SECOND),
        "open_for: the first time no longer than the longest",
    );
    check(|config| config.probes(0, 0), "probes: 1 or more");
    check(
        |config| config.probes(3, 4),
        "probes: failures from 1 up to the number of probes",
    );
    check(
        |config| config.call_timeout(100_000 * SECOND),
        "call_timeout: a day at most",
    );
    assert_eq!(Config::builder().build().unwrap(), Config::default());
}
