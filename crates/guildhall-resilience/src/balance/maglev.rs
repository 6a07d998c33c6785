//! Maglev: consistent hashing by a table, evener than a ring and one load to look up.
//!
//! Every endpoint lists the table's slots in an order of its own, and they take turns filling the next free slot on
//! their lists. Shares differ by less than one slot per endpoint; a change of the set moves a few keys more than it
//! must (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4, whose
//! table of 65,537 slots is the default here and Envoy's). Weights take turns less often, as in Envoy.

use super::hash::{mixed, rendezvous, xxh64};

/// Slots that are tried, each by the hash of the last, before the eligible endpoints are looked at directly.
const TRIES: usize = 8;

/// Table sizes to choose from: prime, so that every endpoint's order visits each slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaglevSize {
    /// 5,003 slots, 20 KiB: up to some 50 endpoints.
    Small,
    /// 65,537 slots, 256 KiB: up to some 650 endpoints.
    #[default]
    Medium,
    /// 655,373 slots, 2.5 MiB: up to some 6,500 endpoints.
    Large,
}

impl MaglevSize {
    /// How many slots there are: a prime.
    pub const fn slots(self) -> u32 {
        match self {
            Self::Small => 5_003,
            Self::Medium => 65_537,
            Self::Large => 655_373,
        }
    }
}

/// A table of endpoints.
///
/// ```
/// use guildhall_resilience::balance::{Maglev, MaglevSize, xxh64};
///
/// let table = Maglev::new(MaglevSize::Small, [("a", 1), ("b", 1), ("c", 1)]);
/// let key = xxh64(b"session-4711", 0);
/// assert_eq!(table.pick(key, |_| true), table.pick(key, |_| true));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Maglev {
    table: Box<[u32]>,
    keys: Box<[(u32, u64)]>,
}

impl Maglev {
    /// Over endpoints of these keys and weights. A key names an endpoint across processes and restarts: its id or its
    /// address. An endpoint of weight 0 is never picked.
    ///
    /// Endpoints are taken in the order of their keys, so that the table does not depend on how they are listed.
    pub fn new<K: AsRef<[u8]>>(
        size: MaglevSize,
        endpoints: impl IntoIterator<Item = (K, u32)>,
    ) -> Self {
        let mut endpoints: Vec<(K, u32, u32)> = endpoints
            .into_iter()
            .zip(0u32..)
            .filter(|((_, weight), _)| *weight > 0)
            .map(|((key, weight), place)| (key, weight, place))
            .collect();
        endpoints.sort_by(|(a, ..), (b, ..)| a.as_ref().cmp(b.as_ref()));
        let keys = endpoints
            .iter()
            .map(|(key, _, place)| (*place, xxh64(key.as_ref(), u64::MAX)))
            .collect();
        Self {
            table: fill(size.slots(), &endpoints),
            keys,
        }
    }

    /// The place of the endpoint that the key of this `hash` belongs to; `None` if none is eligible.
    ///
    /// The keys of an ineligible endpoint spread over the others, and come back to it when it does.
    pub fn pick(&self, hash: u64, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let slots = self.table.len() as u64;
        if slots == 0 {
            return None;
        }
        std::iter::successors(Some(hash), |hash| Some(mixed(hash.wrapping_add(1))))
            .take(TRIES)
            .map(|hash| self.table[(hash % slots) as usize] as usize)
            .find(|place| eligible(*place))
            .or_else(|| rendezvous(hash, &self.keys, eligible))
    }

    /// How many slots each of `endpoints` places has; what its share of keys is.
    pub fn shares(&self, endpoints: usize) -> Vec<u32> {
        let mut shares = vec![0; endpoints];
        for place in &self.table {
            if let Some(share) = shares.get_mut(*place as usize) {
                *share += 1;
            }
        }
        shares
    }
}

/// The paper's population of the table over (key, weight, place).
fn fill<K: AsRef<[u8]>>(slots: u32, endpoints: &[(K, u32, u32)]) -> Box<[u32]> {
    const FREE: u32 = u32::MAX;

    /// Where an endpoint is in its order of slots, and what its turns add up to.
    struct Turn {
        at: u32,
        skip: u32,
        credit: u64,
    }

    let Some(heaviest) = endpoints.iter().map(|(_, weight, _)| *weight).max() else {
        return Box::default();
    };
    let mut turns: Vec<Turn> = endpoints
        .iter()
        .map(|(key, ..)| Turn {
            at: (xxh64(key.as_ref(), 0) % u64::from(slots)) as u32,
            skip: (xxh64(key.as_ref(), 1) % u64::from(slots - 1)) as u32 + 1,
            credit: 0,
        })
        .collect();
    let mut table = vec![FREE; slots as usize];
    let mut filled = 0;
    loop {
        for (turn, (_, weight, place)) in turns.iter_mut().zip(endpoints) {
            // The heaviest has every turn, one of half its weight every second.
            turn.credit += u64::from(*weight);
            if turn.credit < u64::from(heaviest) {
                continue;
            }
            turn.credit -= u64::from(heaviest);
            while table[turn.at as usize] != FREE {
                turn.at = (turn.at + turn.skip) % slots;
            }
            table[turn.at as usize] = *place;
            filled += 1;
            if filled == slots {
                return table.into();
            }
        }
    }
}
