//! The keyed limiter against a list of token buckets in the order of use.

use std::time::Duration;

use guildhall_resilience::limiter::{Gcra, Keyed, KeyedStats};
use proptest::prelude::*;

use super::{ms, quota, start};

proptest! {
    #[test]
    fn it_is_a_limiter_for_each_of_the_keys_used_last(
        capacity in 1..8usize,
        burst in 1..4u32,
        steps in prop::collection::vec((0..12u8, 0..300u64, 1..3u32), 1..300),
    ) {
        let origin = start();
        let quota = quota(1, ms(100), burst);
        let keyed: Keyed<u8> = Keyed::new(quota, capacity, origin).unwrap();
        // The most recently used one last.
        let mut model: Vec<(u8, Gcra)> = Vec::new();
        let mut stats = KeyedStats::default();
        let mut now = origin;
        for (key, gap, n) in steps {
            now += ms(gap.saturating_sub(200));
            let gcra = match model.iter().position(|(other, _)| *other == key) {
                Some(at) => model.remove(at).1,
                None if n > burst => {
                    prop_assert!(keyed.check_n(&key, n, now).is_err());
                    continue;
                }
                None => {
                    if model.len() == capacity {
                        let (_, gcra) = model.remove(0);
                        if gcra.status(now).reset > Duration::ZERO {
                            stats.forgotten += 1;
                        } else {
                            stats.evicted += 1;
                        }
                    }
                    Gcra::new(quota, origin)
                }
            };
            prop_assert_eq!(keyed.check_n(&key, n, now), gcra.check_n(n, now));
            model.push((key, gcra));
            stats.keys = model.len();
            prop_assert_eq!(keyed.stats(), stats);
            for (key, gcra) in &model {
                prop_assert_eq!(keyed.status(key, now), gcra.status(now));
            }
        }
    }
}

#[test]
fn a_large_one_stays_within_its_capacity() {
    let now = start();
    let keyed: Keyed<u64> = Keyed::new(quota(1, ms(1_000), 1), 5_000, now).unwrap();
    for key in 0..50_000u64 {
        assert!(keyed.check(&key, now).is_ok());
    }
    let stats = keyed.stats();
    assert!(stats.keys <= 5_000 && stats.keys > 4_900, "{stats:?}");
    assert_eq!(stats.forgotten + stats.keys as u64, 50_000);
    // What was idle loses nothing, and is counted apart.
    let later = now + ms(2_000);
    for key in 50_000..51_000u64 {
        assert!(keyed.check(&key, later).is_ok());
    }
    assert_eq!(keyed.stats().forgotten, stats.forgotten);
    assert!(keyed.stats().evicted > 900);
}

#[test]
fn a_key_that_is_hammered_is_not_forgotten_however_many_others_come() {
    let now = start();
    let keyed: Keyed<u64> = Keyed::new(quota(1, ms(3_600_000), 3), 64, now).unwrap();
    let mut admitted = 0;
    for other in 1..10_000u64 {
        admitted += u32::from(keyed.check(&0, now).is_ok());
        let _ = keyed.check(&other, now);
    }
    assert_eq!(admitted, 3);
}

#[test]
fn an_edit_keeps_what_each_key_has_used() {
    let now = start();
    let keyed: Keyed<String> = Keyed::new(quota(1, ms(100), 10), 100, now).unwrap();
    assert!(keyed.check_n("a", 4, now).is_ok());
    assert!(keyed.check_n("b", 9, now).is_ok());
    keyed.reconfigure(quota(1, ms(1_000), 5), now);
    let left = ["a", "b", "c"].map(|key| keyed.status(key, now).remaining);
    assert_eq!(left, [1, 0, 5]);
}

#[test]
fn threads_share_the_keys() {
    let now = start();
    let keyed: Keyed<u64> = Keyed::new(quota(1, ms(3_600_000), 10), 2_000, now).unwrap();
    let admitted: usize = std::thread::scope(|scope| {
        let count = || {
            (0..10_000u64)
                .filter(|at| keyed.check(&(at % 100), now).is_ok())
                .count()
        };
        let threads = [scope.spawn(count), scope.spawn(count)];
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    assert_eq!(admitted, 1_000);
}

#[test]
fn an_impossible_capacity_is_refused() {
    let error = Keyed::<u8>::new(quota(1, ms(1), 1), 0, start()).unwrap_err();
    assert_eq!(error.field, "capacity");
}
