//! Balancers from outside: shares with a seeded random number generator, and what a change of the set moves.

mod hashing;
mod load;
mod share;

/// How often each of `n` places is picked in `picks` requests.
fn spread(n: usize, picks: usize, mut pick: impl FnMut(u64) -> Option<usize>) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(11);
    let mut picked = vec![0; n];
    for _ in 0..picks {
        if let Some(place) = pick(random.u64(..)) {
            picked[place] += 1;
        }
    }
    picked
}

/// Fails unless each share of `picked` is within `tolerance` (of the whole) of `shares`.
#[track_caller]
fn assert_shares(picked: &[usize], shares: &[f64], tolerance: f64) {
    let total: usize = picked.iter().sum();
    for (place, share) in shares.iter().enumerate() {
        let got = picked[place] as f64 / total as f64;
        assert!(
            (got - share).abs() <= tolerance,
            "{picked:?} where {shares:?} was expected"
        );
    }
}

/// Names of `n` endpoints.
fn names(n: usize) -> Vec<String> {
    (0..n)
        .map(|at| format!("10.0.{}.{}:8080", at / 250, at % 250))
        .collect()
}
