//! Ring hash and Maglev: published vectors, evenness, and how many keys a change of the set moves.

use guildhall_resilience::balance::{Maglev, MaglevSize, RingConfig, RingHash, xxh64};

use super::{assert_shares, names, spread};

const KEYS: u64 = 50_000;

fn key(at: u64) -> u64 {
    xxh64(&at.to_le_bytes(), 99)
}

/// The owner of every key, by name.
fn owners(names: &[String], pick: impl Fn(u64) -> Option<usize>) -> Vec<String> {
    (0..KEYS)
        .map(|at| names[pick(key(at)).unwrap()].clone())
        .collect()
}

/// Of the keys that were not `gone`'s, and are not `come`'s, the share that changed owners.
fn moved_needlessly(before: &[String], after: &[String], changed: &str) -> f64 {
    let others: Vec<bool> = before
        .iter()
        .zip(after)
        .filter(|(before, after)| *before != changed && *after != changed)
        .map(|(before, after)| before != after)
        .collect();
    others.iter().filter(|moved| **moved).count() as f64 / others.len() as f64
}

#[test]
fn xxh64_gives_the_published_values() {
    // From the reference implementation and its specification.
    let vectors: [(&[u8], u64, u64); 6] = [
        (b"", 0, 0xef46_db37_51d8_e999),
        (b"a", 0, 0xd24e_c4f1_a98c_6e5b),
        (b"abc", 0, 0x44bc_2cf5_ad77_0999),
        (
            b"Nobody inspects the spammish repetition",
            0,
            0xfbce_a83c_8a37_8bf1,
        ),
        (b"", 0x9e37_79b1, 0xac75_fda2_929b_17ef),
        (b"xxhash", 20141025, 0xb559_b98d_844e_0635),
    ];
    for (bytes, seed, hash) in vectors {
        assert_eq!(
            xxh64(bytes, seed),
            hash,
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn a_ring_moves_no_key_it_need_not() {
    let all = names(20);
    let ring =
        |names: &[String]| RingHash::new(RingConfig::default(), names.iter().map(|name| (name, 1)));
    let (full, rest) = (ring(&all), ring(&all[1..]));
    let before = owners(&all, |hash| full.pick(hash, |_| 0, |_| true));
    let after = owners(&all[1..], |hash| rest.pick(hash, |_| 0, |_| true));
    // Taking one out and putting one in are the same comparison.
    assert_eq!(moved_needlessly(&before, &after, &all[0]), 0.0);
    let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    assert!(
        (0.03..0.07).contains(&(moved as f64 / KEYS as f64)),
        "{moved} where a twentieth was expected"
    );
}

#[test]
fn a_ring_moves_few_keys_when_weights_differ() {
    let all = names(20);
    let weight = |name: &String| 1 + u32::from(name.as_bytes()[5] % 4);
    let ring = |names: &[String]| {
        RingHash::new(
            RingConfig::default(),
            names.iter().map(|name| (name, weight(name))),
        )
    };
    let (full, rest) = (ring(&all), ring(&all[1..]));
    let before = owners(&all, |hash| full.pick(hash, |_| 0, |_| true));
    let after = owners(&all[1..], |hash| rest.pick(hash, |_| 0, |_| true));
    let moved = moved_needlessly(&before, &after, &all[0]);
    assert!(moved < 0.03, "{moved}");
}

#[test]
fn maglev_moves_few_keys_it_need_not() {
    // The paper's figure 12: a few in a hundred, the fewer the larger the table.
    let moved = |size, n| {
        let all = names(n);
        let table = |names: &[String]| Maglev::new(size, names.iter().map(|name| (name, 1)));
        let (full, rest) = (table(&all), table(&all[1..]));
        let before = owners(&all, |hash| full.pick(hash, |_| true));
        let after = owners(&all[1..], |hash| rest.pick(hash, |_| true));
        moved_needlessly(&before, &after, &all[0])
    };
    let (small, medium) = (moved(MaglevSize::Small, 20), moved(MaglevSize::Medium, 20));
    assert!(small < 0.05, "{small}");
    assert!(medium < 0.03, "{medium}");
    let hundred = moved(MaglevSize::Medium, 100);
    assert!(hundred < 0.03, "{hundred}");
}

#[test]
fn only_the_keys_of_what_is_not_eligible_move_and_they_spread() {
    let all = names(10);
    let ring = RingHash::new(RingConfig::default(), all.iter().map(|name| (name, 1)));
    let table = Maglev::new(MaglevSize::Medium, all.iter().map(|name| (name, 1)));
    let pick = |which: &str, hash, out: Option<usize>| {
        let eligible = |place| Some(place) != out;
        match which {
            "ring" => ring.pick(hash, |_| 0, eligible),
            _ => table.pick(hash, eligible),
        }
    };
    for which in ["ring", "table"] {
        let mut heirs = vec![0; 10];
        for at in 0..KEYS {
            let (before, after) = (pick(which, key(at), None), pick(which, key(at), Some(4)));
            if before == Some(4) {
                heirs[after.unwrap()] += 1;
            } else {
                assert_eq!(before, after, "{which}");
            }
        }
        heirs.remove(4);
        // A ring's heirs are those who stand behind 160 points; a table's are drawn.
        let tolerance = if which == "ring" { 0.08 } else { 0.02 };
        assert_shares(&heirs, &[1.0 / 9.0; 9], tolerance);
    }
}

#[test]
fn maglev_is_even_to_a_slot_and_shares_by_weight() {
    let all = names(7);
    let shares = Maglev::new(MaglevSize::Medium, all.iter().map(|name| (name, 1))).shares(7);
    let (most, least) = (shares.iter().max().unwrap(), shares.iter().min().unwrap());
    assert!(most - least <= 1, "{shares:?}");

    let weights = [1, 2, 4, 0, 8, 1, 4];
    let table = Maglev::new(MaglevSize::Medium, all.iter().zip(weights));
    let shares: Vec<usize> = table
        .shares(7)
        .iter()
        .map(|share| *share as usize)
        .collect();
    assert_shares(
        &shares,
        &weights.map(|weight| f64::from(weight) / 20.0),
        0.001,
    );
}

#[test]
fn maglev_does_not_depend_on_the_order_of_endpoints() {
    let all = names(9);
    let backwards: Vec<String> = all.iter().rev().cloned().collect();
    let a = Maglev::new(MaglevSize::Small, all.iter().map(|name| (name, 1)));
    let b = Maglev::new(MaglevSize::Small, backwards.iter().map(|name| (name, 1)));
    let (a, b) = (
        owners(&all, |hash| a.pick(hash, |_| true)),
        owners(&backwards, |hash| b.pick(hash, |_| true)),
    );
    assert_eq!(a, b);
}

#[test]
fn a_ring_shares_by_weight() {
    let all = names(5);
    let weights = [1, 2, 4, 0, 8];
    let config = RingConfig {
        points: 1_000,
        ..RingConfig::default()
    };
    let ring = RingHash::new(config, all.iter().zip(weights));
    let picked = spread(5, 50_000, |hash| ring.pick(hash, |_| 0, |_| true));
    assert_eq!(picked[3], 0);
    assert_shares(
        &picked,
        &weights.map(|weight| f64::from(weight) / 15.0),
        0.02,
    );
}

#[test]
fn a_bound_keeps_a_popular_key_from_drowning_its_endpoint() {
    let all = names(10);
    let config = RingConfig {
        bound: Some(1.25),
        ..RingConfig::default()
    };
    let ring = RingHash::new(config, all.iter().map(|name| (name, 1)));
    let mut load = [0u64; 10];
    for _ in 0..1_000 {
        // All of one key, and none of the requests ends.
        let place = ring.pick(key(1), |place| load[place], |_| true).unwrap();
        load[place] += 1;
    }
    // The paper's bound: ⌈1.25 × 1,000 / 10⌉.
    assert!(load.iter().all(|load| *load <= 125), "{load:?}");

    // With little to do every request of the key is at home.
    let home = ring.pick(key(1), |_| 0, |_| true);
    assert!((0..100).all(|_| ring.pick(key(1), |_| 0, |_| true) == home));
}
