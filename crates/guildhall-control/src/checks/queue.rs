//! What is due when: one priority queue for all checks.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Something to do at a time. Entries are never searched for: one that no longer applies is
/// recognised when its time comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    pub(super) slot: u32,
    /// Which tenant of the slot it is for.
    pub(super) generation: u32,
    /// Which of the instance's checks.
    pub(super) check: u16,
    pub(super) what: What,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Run the active check.
    Run,
    /// Ask the machine what the time has brought about.
    Deadline,
}

/// Soonest first.
#[derive(Debug, Default)]
pub(super) struct Queue(BinaryHeap<Due>);

impl Queue {
    pub(super) fn push(&mut self, due: Due) {
        self.0.push(due);
    }

    /// The next entry whose time has come.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Due> {
        if self.next()? <= now {
            self.0.pop()
        } else {
            None
        }
    }

    /// When the next entry's time comes.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|due| due.at)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap keeps the greatest on top: the soonest has to be that.
        let key = |due: &Self| {
            (
                due.at,
                due.slot,
                due.generation,
                due.check,
                due.what == What::Run,
            )
        };
        key(other).cmp(&key(self))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_soonest_comes_first_and_none_before_its_time() {
        let start = crate::clock::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut queue = Queue::default();
        for (slot, seconds) in [(0, 3), (1, 1), (2, 2)] {
            queue.push(Due {
                at: at(seconds),
                slot,
                generation: 0,
                check: 0,
                what: What::Run,
            });
        }
        assert_eq!(queue.next(), Some(at(1)));
        assert_eq!(queue.pop(at(2)).map(|due| due.slot), Some(1));
        assert_eq!(queue.pop(at(2)).map(|due| due.slot), Some(2));
        assert_eq!(queue.pop(at(2)), None);
        assert_eq!(queue.pop(at(3)).map(|due| due.slot), Some(0));
    }
}
