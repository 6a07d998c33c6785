//! The keyed limiter against a list of token buckets in the order of use.

use std::time::Duration;

use guildhall_resilience::limiter::{Gcra, Keyed, KeyedStats};
use proptest::prelude::*;

use super::{ms, quota, start};

/// A key, its bucket, and whether it was asked for since the hand passed.
type Place = (u8, Gcra, bool);

/// The place of the key that goes: the first from the hand on that nobody asked for.
fn second_chance(places: &mut [Place], hand: &mut usize) -> usize {
    loop {
        let at = *hand;
        *hand = (at + 1) % places.len();
        if !std::mem::take(&mut places[at].2) {
            return at;
        }
    }
}

proptest! {
    #[test]
    fn it_is_a_limiter_for_each_key_and_gives_places_by_second_chance(
        capacity in 1..40usize,
        burst in 1..4u32,
        steps in prop::collection::vec((0..60u8, 0..300u64, 1..3u32), 1..400),
    ) {
        let origin = start();
        let quota = quota(1, ms(100), burst);
        let keyed: Keyed<u8> = Keyed::new(quota, capacity, origin).unwrap();
        let mut model: Vec<Place> = Vec::new();
        let (mut hand, mut stats, mut now) = (0, KeyedStats::default(), origin);
        for (key, gap, n) in steps {
            now += ms(gap.saturating_sub(200));
            let got = keyed.check_n(&key, n, now);
            match model.iter_mut().find(|(other, ..)| *other == key) {
                Some((_, gcra, used)) => {
                    prop_assert_eq!(got, gcra.check_n(n, now));
                    *used = true;
                }
                // It would not get through if it had a place, so it gets none.
                None if n > burst => prop_assert!(got.is_err()),
                None => {
                    let gcra = Gcra::new(quota, origin);
                    prop_assert_eq!(got, gcra.check_n(n, now));
                    if model.len() < capacity {
                        model.push((key, gcra, false));
                    } else {
                        let at = second_chance(&mut model, &mut hand);
                        let (_, gone, _) = std::mem::replace(&mut model[at], (key, gcra, false));
                        if gone.status(now).reset > Duration::ZERO {
                            stats.forgotten += 1;
                        } else {
                            stats.evicted += 1;
                        }
                    }
                }
            }
            stats.keys = model.len();
            prop_assert_eq!(keyed.stats(), stats);
            for (key, gcra, _) in &model {
                prop_assert_eq!(keyed.status(key, now), gcra.status(now));
            }
        }
    }

    /// Whatever is edited in between, every key is as it would be alone.
    #[test]
    fn an_edit_reaches_every_key(
        capacity in prop::sample::select(vec![50usize, 2_000]),
        steps in prop::collection::vec((0..50u8, 0..200u64, 1..6u32, 0..20u32), 1..200),
    ) {
        let mut now = start();
        let first = quota(1, ms(100), 3);
        let keyed: Keyed<u8> = Keyed::new(first, capacity, now).unwrap();
        let alone: Vec<Gcra> = (0..50).map(|_| Gcra::new(first, now)).collect();
        for (key, gap, burst, edit) in steps {
            now += ms(gap);
            if edit == 0 {
                let next = quota(1, ms(50 * u64::from(burst)), burst);
                keyed.reconfigure(next, now);
                for gcra in &alone {
                    gcra.reconfigure(next, now);
                }
            }
            prop_assert_eq!(keyed.check(&key, now), alone[usize::from(key)].check(now));
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
fn a_newcomer_pushes_out_nobody_who_was_asked_for_since_the_hand_passed() {
    let now = start();
    let keyed: Keyed<u64> = Keyed::new(quota(1, ms(3_600_000), 1), 100, now).unwrap();
    for key in 0..100u64 {
        assert!(keyed.check(&key, now).is_ok());
    }
    // Refused, but asked for.
    for key in 0..60u64 {
        assert!(keyed.check(&key, now).is_err());
    }
    for other in 1_000..1_040u64 {
        assert!(keyed.check(&other, now).is_ok());
    }
    let known = (0..100u64).filter(|key| keyed.status(key, now).remaining == 0);
    assert_eq!(known.collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
}

#[test]
fn when_all_were_asked_for_the_one_at_the_hand_goes_and_the_others_have_had_their_chance() {
    let now = start();
    let keyed: Keyed<u64> = Keyed::new(quota(1, ms(3_600_000), 1), 4, now).unwrap();
    for key in [0, 1, 2, 3, 0, 1, 2, 3] {
        let _ = keyed.check(&key, now);
    }
    // 0 for 10; then 1, which nobody asked for since; but 2 was.
    assert!(keyed.check(&10, now).is_ok());
    assert!(keyed.check(&2, now).is_err());
    assert!(keyed.check(&11, now).is_ok());
    assert!(keyed.check(&12, now).is_ok());
    let known = (0..20u64).filter(|key| keyed.status(key, now).remaining == 0);
    assert_eq!(known.collect::<Vec<_>>(), [2, 10, 11, 12]);
}

#[test]
fn it_holds_what_it_says_before_anybody_goes() {
    let now = start();
    for capacity in [1, 15, 16, 17, 500, 1_023] {
        let keyed: Keyed<usize> = Keyed::new(quota(1, ms(1_000), 1), capacity, now).unwrap();
        for key in 0..capacity {
            assert!(keyed.check(&key, now).is_ok());
        }
        assert!((0..capacity).all(|key| keyed.check(&key, now).is_err()));
        let expect = KeyedStats {
            keys: capacity,
            ..KeyedStats::default()
        };
        assert_eq!(keyed.stats(), expect);
    }
}

/// Each place changes hands all the time: no key gets more than its burst each time it is new, and none is lost.
#[test]
fn threads_fight_for_few_places() {
    let now = start();
    let burst = 3;
    let keyed: Keyed<u64> = Keyed::new(quota(1, ms(3_600_000), burst), 8, now).unwrap();
    let calls = 20_000u64;
    let admitted: u64 = std::thread::scope(|scope| {
        let run = |thread: u64| {
            let keyed = &keyed;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(thread);
                let mut ask = || u64::from(keyed.check(&random.u64(..24), now).is_ok());
                (0..calls).map(|_| ask()).sum::<u64>()
            })
        };
        let threads = [run(1), run(2), run(3)];
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    let stats = keyed.stats();
    assert_eq!((stats.keys, stats.evicted), (8, 0));
    // Whoever got a place got one request through with it, and all together no more than the burst for each.
    let places = stats.forgotten + 8;
    assert!(
        admitted >= places && admitted <= places * u64::from(burst),
        "{admitted} of {stats:?}"
    );
}

/// Newcomers make the places and the index grow under the eyes of those who look up.
#[test]
fn nobody_is_forgotten_while_it_grows() {
    let now = start();
    let keyed: Keyed<u64> = Keyed::new(quota(1, ms(3_600_000), 2), 100_000, now).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let keyed = &keyed;
            scope.spawn(move || {
                for key in (thread << 32)..(thread << 32) + 20_000 {
                    assert!(keyed.check(&key, now).is_ok());
                    assert!(keyed.check(&(key - (key & 0xff)), now).is_ok() == (key & 0xff == 0));
                }
            });
        }
    });
    let stats = keyed.stats();
    assert_eq!((stats.keys, stats.forgotten), (60_000, 0));
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
