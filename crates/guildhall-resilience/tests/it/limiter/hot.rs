//! Deciding allocates nothing.

use std::time::Duration;

use guildhall_resilience::limiter::{Gcra, Keyed, LeakyQueue, SlidingWindow, WarmUp, WarmUpConfig};

use super::{ms, quota, start};
use crate::alloc::allocations;

#[test]
fn no_limiter_allocates_whether_it_admits_or_refuses() {
    let now = start();
    let quota = quota(1, ms(100), 5);
    let (gcra, sliding) = (Gcra::new(quota, now), SlidingWindow::new(quota, now));
    let leaky = LeakyQueue::new(quota, ms(200), now);
    let warm_up = WarmUp::new(WarmUpConfig::new(quota, ms(1_000)).unwrap(), now);
    let run = || {
        for step in 0..1_000 {
            let now = now + Duration::from_millis(step * 7);
            let _ = (gcra.check(now), gcra.check_n(2, now), gcra.status(now));
            let _ = (sliding.check(now), leaky.take(now), warm_up.take(now));
        }
    };
    assert_eq!(allocations(run), 0);
}

#[test]
fn a_known_key_costs_no_allocation() {
    let now = start();
    let keyed: Keyed<String> = Keyed::new(quota(1, ms(100), 5), 10_000, now).unwrap();
    let keys: Vec<String> = (0..2_000).map(|key| format!("client-{key}")).collect();
    for key in &keys {
        assert!(keyed.check(key.as_str(), now).is_ok());
    }
    let run = || {
        for step in 0..5 {
            for key in &keys {
                let _ = keyed.check(key.as_str(), now + Duration::from_millis(step * 30));
            }
        }
    };
    assert_eq!(allocations(run), 0);
}
