//! One limit for many: a coordinator divides it among all who hold to it, by what each asks for.
//!
//! Nobody asks anybody before a request: each holder counts for itself against its part, reports about every second how
//! much it is asked for, and hears what its part is from then on. [`Shares`] is the coordinator's ledger of one limit;
//! [`Part::of_rate`] makes a quota of a part, [`Gcra::resize`](super::Gcra::resize) follows it, and [`Demand`] measures.
//! Token buckets only: a sliding window gets back what it gains when its period is over, so that parts that move to and
//! fro within a period would leave next to nothing of its limit.
//!
//! # How it is divided
//!
//! Max-min fair: who asks for less than an even part has what it asks for, and the others share the rest evenly. If all
//! together ask for less than there is, each has as much more, in proportion. Nobody has less than an even part of a
//! twentieth of the limit ([`FLOORS`]), so that whoever was asked for nothing can begin.
//!
//! # What holds
//!
//! *What is granted never sums to more than the limit*, whatever reports and answers get lost:
//!
//! | | |
//! |---|---|
//! | an increase | is given only out of what is free |
//! | a decrease | is free once the holder has reported that it holds to it |
//! | an answer that was lost | stays granted until the next report says what the holder has |
//! | a holder that is gone | gives its part back when [`Shares::leave`] says so |
//! | a coordinator that started again | gives nothing more until it has heard of those whom its predecessor told ([`Shares::new`]) |
//!
//! Beyond the limit stands only what nobody has granted: a holder that was never told a part has [`UNTOLD`], one that is
//! cut off keeps what it had while the coordinator, which cannot know, gives it to others. Requests do not pass twice
//! because a part moves: a limiter that is resized keeps what is *left*, so that what one holder has used up does not come
//! back as the unused part of another. What a bucket gains comes at its new rate; demand that goes to and fro much faster than
//! the period leaves part of the limit unused.
//!
//! ```
//! use guildhall_resilience::limiter::shares::{Claim, Part, Shares, UNTOLD};
//! use guildhall_resilience::limiter::{Gcra, Quota};
//! use std::time::{Duration, Instant};
//!
//! let now = Instant::now();
//! let second = |n| now + Duration::from_secs(n);
//! // Nobody was here before.
//! let mut shares = Shares::new(now);
//!
//! // A holder begins with a tenth, and is told that all is its own.
//! let limit = Quota::per_second(1000)?;
//! let gcra = Gcra::new(UNTOLD.of_rate(&limit), now);
//! let first = Claim { held: None, demand: Some(Part::from_f64(0.8)) };
//! let part = shares.report(&"a", first, now).unwrap();
//! assert_eq!(part, Part::ALL);
//! gcra.resize(part.of_rate(&limit), now);
//!
//! // Another one has to wait until the first has given something up.
//! let claim = |held, demand| Claim { held, demand: Some(Part::from_f64(demand)) };
//! assert_eq!(shares.report(&"b", claim(None, 0.8), second(1)), None);
//! let half = shares.report(&"a", claim(Some(part), 0.8), second(1)).unwrap();
//! assert_eq!(half, Part::from_f64(0.5));
//! assert_eq!(shares.report(&"b", claim(None, 0.8), second(2)), None);
//! shares.report(&"a", claim(Some(half), 0.8), second(2));
//! assert_eq!(shares.report(&"b", claim(None, 0.8), second(3)), Some(half));
//! # Ok::<(), guildhall_resilience::ConfigError>(())
//! ```

mod demand;
mod level;
mod part;

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

pub use demand::Demand;
pub use part::Part;

use level::Level;

/// What a holder has that was not told a part yet, and what one is taken to ask for that has not measured it.
pub const UNTOLD: Part = Part::billionths(100_000_000);

/// What those who ask for less have together at least: each an even part of it.
pub const FLOORS: Part = Part::billionths(50_000_000);

/// The least that is given to a holder that was not told a part yet, unless it should have less.
const LEAST: u64 = UNTOLD.in_billionths();

/// Up to so many holders each report is answered by what all ask for at that moment.
const FEW: usize = 64;

/// How often it is worked out for more of them.
const EVERY: Duration = Duration::from_millis(100);

/// What a holder reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The part that it holds to now; `None` if it was never told one.
    pub held: Option<Part>,
    /// What it is asked for, as a part of the limit; `None` if it has not been measured yet.
    pub demand: Option<Part>,
}

/// Divides one limit among its holders. Pure; each step costs the same for any number of holders, but that parts are
/// worked out anew for all of them up to ten times a second.
#[derive(Clone, Debug)]
pub struct Shares<H> {
    holders: HashMap<H, Holder>,
    /// What holders have together.
    taken: u64,
    /// How all of it is divided, and when that was worked out.
    level: Option<(Level, Instant)>,
    /// Whether that was before the latest change of who asks for how much.
    changed: bool,
    settled: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    /// The most that it may hold to: what it reported, or what it was answered if that is more.
    taken: u64,
    demand: Part,
}

impl<H: Hash + Eq> Shares<H> {
    /// Nobody has anything. Until `settled` nobody is given more than what it has: give those time to report whom a
    /// predecessor, whose ledger is lost, told their parts.
    pub fn new(settled: Instant) -> Self {
        Self {
            holders: HashMap::new(),
            taken: 0,
            level: None,
            changed: true,
            settled,
        }
    }

    /// What `holder` reports, and the part that it is to hold to from now on; `None` if it has not been told one yet and
    /// has to wait until others have given something up.
    ///
    /// Reports of one holder must come in their order, and an answer reaches it before it makes its next report, or never.
    pub fn report(&mut self, holder: &H, claim: Claim, now: Instant) -> Option<Part>
    where
        H: Clone,
    {
        let demand = claim.demand.unwrap_or(UNTOLD);
        let held = claim.held.map(|held| held.at_most_all().in_billionths());
        let before = match self.holders.get_mut(holder) {
            Some(known) => {
                if known.demand != demand {
                    known.demand = demand;
                    self.changed = true;
                }
                known.taken
            }
            None => {
                let known = Holder { taken: 0, demand };
                self.holders.insert(holder.clone(), known);
                self.changed = true;
                0
            }
        };
        let others = self.taken.saturating_sub(before);
        let free = Part::ALL.in_billionths().saturating_sub(others);
        let part = self.level(now).part(demand).in_billionths();
        let settled = now >= self.settled;
        let granted = match held {
            Some(held) if settled => Some(part.min(held.max(free))),
            Some(held) => Some(part.min(held)),
            // A crumb is worse than what it has untold.
            None if settled => Some(part.min(free)).filter(|got| *got >= part.min(LEAST)),
            None => None,
        };
        // An answer before this report that has not come to it by now never will.
        let taken = granted.unwrap_or(0).max(held.unwrap_or(0));
        self.taken = others.saturating_add(taken);
        if let Some(known) = self.holders.get_mut(holder) {
            known.taken = taken;
        }
        granted.map(Part::billionths)
    }

    fn level(&mut self, now: Instant) -> Level {
        let fresh = |at: Instant| now.saturating_duration_since(at) < EVERY;
        match self.level {
            Some((level, _)) if !self.changed => level,
            Some((level, at)) if self.holders.len() > FEW && fresh(at) => level,
            _ => {
                let level = Level::of(self.holders.values().map(|known| known.demand));
                self.level = Some((level, now));
                self.changed = false;
                level
            }
        }
    }

    /// `holder` is gone, or has been silent for so long that it counts as gone: its part is free.
    pub fn leave<Q>(&mut self, holder: &Q)
    where
        H: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(gone) = self.holders.remove(holder) {
            self.taken = self.taken.saturating_sub(gone.taken);
            self.changed = true;
        }
    }

    /// What the holders have together, as far as it was granted or reported.
    pub fn taken(&self) -> Part {
        Part::billionths(self.taken)
    }

    /// How many hold to the limit.
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether nobody does.
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }
}
