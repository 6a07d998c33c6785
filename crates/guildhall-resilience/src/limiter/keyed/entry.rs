//! A key's place: whose it is, what it has used up, and whether anybody asked for it lately.

use super::super::gcra::Rate;
use super::super::{Allowed, Limited};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use Ordering::{AcqRel, Acquire, Relaxed, Release};

/// On a cache line of its own: keys that are hammered by different threads must not meet.
///
/// `print` says whose `tat` is, and changes only under the shard's lock. Who reads `tat` without the lock looks at `print`
/// before *and* after: before, so that the number is no older than the key; after, so that it is no younger. Then the
/// compare-and-set fails if the place has changed hands meanwhile, but for one case: the newcomer's number is the same to
/// the nanosecond. Then the newcomer has one request counted too many; nobody is ever let through for it.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Entry {
    /// The key's fingerprint; 0 while nobody's.
    print: AtomicU64,
    tat: AtomicU64,
    /// Asked for since the hand passed. Stored only where it is not set, or every look-up would write.
    used: AtomicBool,
}

impl Entry {
    pub(super) fn new() -> Self {
        Self {
            print: AtomicU64::new(0),
            tat: AtomicU64::new(0),
            used: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn print(&self) -> u64 {
        self.print.load(Acquire)
    }

    /// What the rule says to a request of this cost, `None` being more than a full burst; or nothing, if the place is another key's
    /// by now.
    #[inline]
    pub(super) fn take(
        &self,
        print: u64,
        rate: Rate,
        cost: Option<u64>,
        now: u64,
    ) -> Option<Result<Allowed, Limited>> {
        let mut tat = self.tat_of(print)?;
        let answer = loop {
            let Some(cost) = cost else {
                break Err(rate.limited(tat, now, None));
            };
            let next = match rate.next(tat, now, cost) {
                Ok(next) => next,
                Err(early) => break Err(rate.limited(tat, now, Some(early))),
            };
            match self.tat.compare_exchange_weak(tat, next, Relaxed, Relaxed) {
                Ok(_) => break Ok(rate.allowed(next, now)),
                Err(_) => tat = self.tat_of(print)?,
            }
        };
        if !self.used.load(Relaxed) {
            self.used.store(true, Relaxed);
        }
        Some(answer)
    }

    /// This key's number.
    #[inline]
    pub(super) fn tat_of(&self, print: u64) -> Option<u64> {
        let before = self.print.load(Acquire) == print;
        let tat = self.tat.load(Acquire);
        let after = self.print.load(Relaxed) == print;
        (before && after).then_some(tat)
    }

    /// Whether it was asked for since this was called last. Under the shard's lock.
    pub(super) fn was_used(&self) -> bool {
        let used = self.used.load(Relaxed);
        if used {
            self.used.store(false, Relaxed);
        }
        used
    }

    /// Gives the place to another key, and returns the last one's number. Under the shard's lock.
    pub(super) fn replace(&self, print: u64, tat: u64) -> u64 {
        self.print.store(0, Relaxed);
        // Released: who reads this number sees that the place is the last one's no more. Acquired: whatever the last one
        // was let through is in the number that is returned.
        let last = self.tat.swap(tat, AcqRel);
        self.used.store(false, Relaxed);
        self.print.store(print, Release);
        last
    }

    /// The same requests used up under another rate. Under the shard's lock.
    pub(super) fn carry(&self, old: Rate, new: Rate, now: u64) {
        let mut tat = self.tat.load(Relaxed);
        while let Err(other) =
            self.tat
                .compare_exchange_weak(tat, old.carried(tat, now, new), Relaxed, Relaxed)
        {
            tat = other;
        }
    }
}
