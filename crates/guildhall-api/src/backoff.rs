//! How long to wait before the next attempt. Pure: randomness is an argument.

use std::time::Duration;

/// Doubling waits with full jitter: each is anything from nothing to the present bound, so that
/// the clients of a server that went away do not come back all at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    bound: Duration,
}

impl Backoff {
    /// Waits of up to `first`, then up to twice that, and so on to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            bound: first,
        }
    }

    /// The next wait.
    pub fn next(&mut self, random: &mut fastrand::Rng) -> Duration {
        let wait = self.bound.mul_f64(random.f64());
        self.bound = (self.bound * 2).min(self.most);
        wait
    }

    /// Begins anew: it worked.
    pub fn reset(&mut self) {
        self.bound = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_bound_and_begin_anew() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 8 * second);
        let mut random = fastrand::Rng::with_seed(1);
        for bound in [1, 2, 4, 8, 8, 8] {
            assert_eq!(backoff.bound, bound * second);
            assert!(backoff.next(&mut random) <= bound * second);
        }
        backoff.reset();
        assert!(backoff.next(&mut random) <= second);
    }
}
