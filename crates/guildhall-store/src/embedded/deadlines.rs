//! When leases expire. Not durable: after a restart every lease has its whole time again.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use imbl::OrdMap;

use super::tables::Lease;
use crate::LeaseId;

/// Every lease's deadline, by lease and in order.
#[derive(Default, Debug)]
pub(crate) struct Deadlines {
    by_lease: HashMap<LeaseId, Instant>,
    in_order: BTreeSet<(Instant, LeaseId)>,
}

impl Deadlines {
    /// Sets a lease's deadline.
    pub(crate) fn set(&mut self, lease: LeaseId, deadline: Instant) {
        if let Some(old) = self.by_lease.insert(lease, deadline) {
            self.in_order.remove(&(old, lease));
        }
        self.in_order.insert((deadline, lease));
    }

    /// Forgets a lease.
    pub(crate) fn remove(&mut self, lease: LeaseId) {
        if let Some(old) = self.by_lease.remove(&lease) {
            self.in_order.remove(&(old, lease));
        }
    }

    /// The next one.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.in_order.first().map(|(deadline, _)| *deadline)
    }

    /// Leases whose time is up.
    pub(crate) fn due(&self, now: Instant) -> Vec<LeaseId> {
        let due = self
            .in_order
            .iter()
            .take_while(|(deadline, _)| *deadline <= now);
        due.map(|(_, lease)| *lease).collect()
    }

    /// Moves every deadline by the time that the platform itself was stalled: whoever could not renew meanwhile is not
    /// to blame.
    pub(crate) fn extend(&mut self, lag: Duration) {
        self.by_lease
            .values_mut()
            .for_each(|deadline| *deadline += lag);
        self.in_order = self
            .by_lease
            .iter()
            .map(|(lease, deadline)| (*deadline, *lease))
            .collect();
    }

    /// Brings the deadlines in line with the leases there are: unknown ones go, new ones get their whole time.
    pub(crate) fn align(&mut self, leases: &OrdMap<LeaseId, Lease>, now: Instant) {
        self.by_lease.retain(|lease, _| leases.contains_key(lease));
        for (lease, state) in leases {
            self.by_lease.entry(*lease).or_insert(now + state.ttl);
        }
        self.extend(Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use imbl::OrdSet;

    use super::{super::clock, *};

    const SECOND: Duration = Duration::from_secs(1);

    fn lease(number: u64) -> LeaseId {
        LeaseId::new(number).unwrap()
    }

    #[test]
    fn a_renewed_lease_is_due_at_its_new_deadline_only() {
        let now = clock::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(lease(1), now + SECOND);
        deadlines.set(lease(2), now + SECOND * 2);
        deadlines.set(lease(1), now + SECOND * 3);
        assert_eq!(deadlines.next(), Some(now + SECOND * 2));
        assert_eq!(deadlines.due(now + SECOND * 2), [lease(2)]);
        deadlines.remove(lease(2));
        assert_eq!(deadlines.due(now + SECOND * 3), [lease(1)]);
    }

    #[test]
    fn lag_moves_all_and_alignment_gives_new_ones_their_whole_time() {
        let now = clock::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(lease(1), now);
        deadlines.set(lease(2), now);
        deadlines.extend(SECOND);
        assert_eq!(deadlines.due(now), []);
        let state = Lease {
            ttl: SECOND * 5,
            keys: OrdSet::new(),
        };
        deadlines.align(
            &OrdMap::from_iter([(lease(2), state.clone()), (lease(3), state)]),
            now,
        );
        assert_eq!(deadlines.due(now + SECOND), [lease(2)]);
        assert_eq!(deadlines.due(now + SECOND * 5), [lease(2), lease(3)]);
    }
}
