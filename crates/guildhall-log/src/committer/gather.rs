//! How long to wait for company before a commit: a pure decision from what the last commits took.
//!
//! Callers that wait for their answer come back in a burst after each commit. Committing the first of them alone makes
//! the others wait for a whole further sync, so on a slow disk it pays to wait for them: on a sync of 1 ms, waiting up to
//! 150 µs lifted 19,000 writes/s to 29,000. On a fast disk the same wait cost a quarter. So the wait is a fraction of the
//! measured sync time, ends when as many are there as were served or waiting last time, and is given up for a while when
//! they do not come.

use std::time::Duration;

/// The wait is at most the sync time over this.
const FRACTION: u32 = 8;

/// Below this a wait is not worth the two context switches it costs.
const WORTHWHILE: Duration = Duration::from_micros(25);

/// Groups for which no wait is tried after one that was in vain.
const REST: u32 = 32;

/// What to do before the next group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// Commit what is there.
    Go,
    /// Wait until so many requests are there, at most so long.
    Wait { count: usize, limit: Duration },
}

/// The running measure of syncs and company.
#[derive(Debug)]
pub(super) struct Gather {
    limit: Duration,
    /// Moving mean of the commit time, weight 1/8.
    sync: Duration,
    /// How many were served last time, plus those that had come meanwhile: who is likely to be back.
    company: usize,
    /// Groups left before a wait is tried again.
    rest: u32,
}

impl Gather {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            sync: Duration::ZERO,
            company: 1,
            rest: 0,
        }
    }

    /// Decides with `waiting` requests in the queue.
    pub(super) fn decide(&mut self, waiting: usize) -> Decision {
        let limit = self.limit.min(self.sync / FRACTION);
        if waiting >= self.company || limit < WORTHWHILE {
            return Decision::Go;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return Decision::Go;
        }
        Decision::Wait {
            count: self.company,
            limit,
        }
    }

    /// A wait found `waiting` requests at its start and `found` at its end.
    pub(super) fn waited(&mut self, waiting: usize, found: usize) {
        // Less than half of those who were hoped for: these callers do not come back at once.
        if (found - waiting.min(found)) * 2 < self.company - waiting {
            self.rest = REST;
        }
    }

    /// A group of `served` requests took `took` to commit, and `arrived` wait now.
    pub(super) fn committed(&mut self, served: usize, arrived: usize, took: Duration) {
        self.sync = if self.sync.is_zero() {
            took
        } else {
            (self.sync * 7 + took) / 8
        };
        self.company = served + arrived;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn gather(sync: Duration, served: usize, arrived: usize) -> Gather {
        let mut gather = Gather::new(Duration::from_micros(150));
        gather.committed(served, arrived, sync);
        gather
    }

    #[test]
    fn waits_for_the_company_of_last_time_on_a_slow_disk() {
        let expected = Decision::Wait {
            count: 64,
            limit: Duration::from_micros(125),
        };
        assert_eq!(gather(MS, 60, 4).decide(5), expected);
        assert_eq!(
            gather(MS * 10, 60, 4).decide(5),
            Decision::Wait {
                count: 64,
                limit: Duration::from_micros(150)
            }
        );
        assert_eq!(gather(MS, 60, 4).decide(64), Decision::Go);
    }

    #[test]
    fn never_waits_alone_or_on_a_fast_disk() {
        assert_eq!(gather(MS, 1, 0).decide(1), Decision::Go);
        assert_eq!(gather(MS / 10, 60, 4).decide(5), Decision::Go);
        assert_eq!(Gather::new(MS).decide(1), Decision::Go);
    }

    #[test]
    fn rests_after_a_wait_in_vain() {
        let mut gather = gather(MS, 60, 4);
        gather.waited(5, 8);
        for _ in 0..REST {
            assert_eq!(gather.decide(5), Decision::Go);
        }
        assert!(matches!(gather.decide(5), Decision::Wait { .. }));
        gather.waited(5, 50);
        assert!(matches!(gather.decide(5), Decision::Wait { .. }));
    }
}
