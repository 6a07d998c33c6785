//! The leaky queue: even departures, a bounded wait, turns given back.

use std::time::Duration;

use guildhall_resilience::limiter::LeakyQueue;
use proptest::prelude::*;

use super::{ms, quota, start};

proptest! {
    #[test]
    fn requests_leave_evenly_and_nobody_waits_longer_than_the_bound(
        interval in 1..1_000u64,
        bound in 0..5_000u64,
        gaps in prop::collection::vec(0..1_500u64, 1..200),
    ) {
        let origin = start();
        let queue = LeakyQueue::new(quota(1, ms(interval), 1), ms(bound), origin);
        // The model: the times at which requests leave.
        let mut left: Vec<u64> = Vec::new();
        let mut now = 0;
        for gap in gaps {
            now += gap;
            let free = left.last().map_or(0, |last| last + interval).max(now);
            match queue.take(origin + ms(now)) {
                Ok(turn) => {
                    prop_assert_eq!(turn.at, origin + ms(free));
                    prop_assert_eq!(turn.wait, ms(free - now));
                    prop_assert!(turn.wait <= ms(bound));
                    left.push(free);
                }
                Err(limited) => {
                    prop_assert!(free - now > bound);
                    prop_assert_eq!(limited.retry_after, Some(ms(free - now - bound)));
                }
            }
        }
    }
}

#[test]
fn the_last_turn_given_back_shortens_the_line_and_another_does_not() {
    let now = start();
    let queue = LeakyQueue::new(quota(1, ms(100), 1), ms(1_000), now);
    let [first, second, third, fourth] = [(); 4].map(|()| queue.take(now).unwrap());
    assert!(!queue.give_back(second), "two stand behind it");
    assert_eq!(queue.wait(now), ms(400));
    assert!(queue.give_back(fourth));
    assert!(queue.give_back(third));
    assert_eq!(queue.wait(now), ms(200));
    assert!(!queue.give_back(first));
}

#[test]
fn an_idle_queue_stores_nothing() {
    let now = start();
    let queue = LeakyQueue::new(quota(1, ms(100), 50), Duration::ZERO, now);
    let later = now + ms(10_000);
    assert_eq!((0..50).filter(|_| queue.take(later).is_ok()).count(), 1);
}

#[test]
fn weights_move_those_behind() {
    let now = start();
    let queue = LeakyQueue::new(quota(1, ms(100), 1), ms(1_000), now);
    assert_eq!(queue.take_n(3, now).unwrap().wait, ms(0));
    assert_eq!(queue.take(now).unwrap().wait, ms(300));
}

#[test]
fn an_edit_keeps_the_turns_that_were_given() {
    let now = start();
    let queue = LeakyQueue::new(quota(1, ms(100), 1), ms(1_000), now);
    let _ = (queue.take(now).unwrap(), queue.take(now).unwrap());
    queue.reconfigure(quota(1, ms(10), 1), ms(205));
    assert_eq!(queue.take(now).unwrap().wait, ms(200));
    assert_eq!(queue.take(now).unwrap_err().retry_after, Some(ms(5)));
}
