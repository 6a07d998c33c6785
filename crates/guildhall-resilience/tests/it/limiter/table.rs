//! Every state × event of GCRA and the leaky queue, as a table.

use std::fmt::Write;
use std::time::Duration;

use guildhall_resilience::limiter::{Gcra, LeakyQueue, SlidingWindow, header};

use super::{ms, quota, start};

#[test]
fn gcra() {
    // 10 a second, 4 at once.
    let states = [("fresh", 0), ("half used", 2), ("used up", 4)];
    let events = [
        ("one at once", 1, 0),
        ("two at once", 2, 0),
        ("five at once", 5, 0),
        ("one after 99 ms", 1, 99),
        ("one after 100 ms", 1, 100),
        ("four after 400 ms", 4, 400),
    ];
    let mut table = String::new();
    for (state, used) in states {
        for (event, n, after) in events {
            let origin = start();
            let gcra = Gcra::new(quota(10, ms(1_000), 4), origin);
            assert!(gcra.check_n(used, origin).is_ok());
            let answer = match gcra.check_n(n, origin + ms(after)) {
                Ok(allowed) => format!("goes, {}", header::limit("p", &allowed.status())),
                Err(limited) => format!(
                    "refused, retry after {:?}, {}",
                    limited.retry_after,
                    header::limit("p", &limited.status)
                ),
            };
            writeln!(table, "{state:<10} {event:<18} {answer}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn leaky_queue() {
    // 10 a second, at most 250 ms in line.
    let states = [("empty", 0), ("one in line", 2), ("full", 4)];
    let mut table = String::new();
    for (state, taken) in states {
        for (event, after) in [
            ("at once", 0),
            ("after 50 ms", 50),
            ("after 150 ms", 150),
            ("after a second", 1_000),
        ] {
            let origin = start();
            let queue = LeakyQueue::new(quota(10, ms(1_000), 1), ms(250), origin);
            for _ in 0..taken {
                let _ = queue.take(origin);
            }
            let answer = match queue.take(origin + ms(after)) {
                Ok(turn) => format!("waits {:?}", turn.wait),
                Err(limited) => format!("refused, retry after {:?}", limited.retry_after.unwrap()),
            };
            writeln!(table, "{state:<12} {event:<15} {answer}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn sliding_window() {
    // 10 a second; so many used in the window before and in the present one, which is 250 ms old.
    let mut table = String::new();
    for (before, present) in [(0, 0), (8, 0), (0, 10), (10, 2), (10, 3)] {
        for n in [1, 5, 10, 11] {
            let origin = start();
            let limiter = SlidingWindow::new(quota(10, ms(1_000), 1), origin);
            assert!(limiter.check_n(before, origin).is_ok());
            let now = origin + ms(1_250);
            let _ = limiter.check_n(present, now);
            let answer = match limiter.check_n(n, now) {
                Ok(status) => format!("goes, {} left", status.remaining),
                Err(limited) => match limited.retry_after {
                    Some(wait) => format!(
                        "refused, {} left, retry after {:?}",
                        limited.status.remaining,
                        round(wait)
                    ),
                    None => format!("refused, {} left, never goes", limited.status.remaining),
                },
            };
            writeln!(
                table,
                "{before:>2} before, {present:>2} present, {n:>2} more: {answer}"
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

/// To a millisecond, up.
fn round(wait: Duration) -> Duration {
    ms(wait.as_nanos().div_ceil(1_000_000) as u64)
}
