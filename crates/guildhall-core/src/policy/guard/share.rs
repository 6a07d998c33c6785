//! Limits that many hold to together (`scope: Shared`): each counts for itself against its part of the limit, and tells
//! what it is asked for; the control plane divides. See [`shares`](guildhall_resilience::limiter::shares).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use guildhall_resilience::limiter::{
    Gcra, Quota,
    shares::{Claim, Demand, Part, UNTOLD},
};
use serde::{Deserialize, Serialize};

use crate::{document::Namespace, policy::target::Target};

/// What a demand is rounded to, in billionths: finer figures would be told without being worth it.
const ROUNDED: u64 = 1_000_000;

/// A policy, whatever its revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PolicyName {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
}

/// A limit that many hold to together: a rule of a policy, for one of its targets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedLimit {
    /// The policy that has the rule. A refusal may name a more specific one.
    pub policy: PolicyName,
    /// The policy's target, of which everything shares the limit.
    pub under: Target,
    /// The rule's name.
    pub name: String,
    /// Whether it only counts what it would have refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What one holder has of a limit that many hold to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// The policy that has the rule.
    pub policy: PolicyName,
    /// The part that it holds to, as a share of 1; absent before it was told one: then it lets a tenth pass
    /// ([`UNTOLD`]).
    #[serde(default, with = "fraction", skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// What it is asked for, with what it refuses, as a share of the limit: 2 is twice as much as there is. Absent
    /// before it was measured.
    #[serde(default, with = "fraction", skip_serializing_if = "Option::is_none")]
    pub demand: Option<Part>,
}

/// The part of a limit that a holder is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// Which limit.
    #[serde(flatten)]
    pub limit: SharedLimit,
    /// How much of it, as a share of 1.
    #[serde(with = "whole")]
    pub part: Part,
}

impl Share {
    /// The part of the limit that passes.
    pub fn passes(&self) -> Part {
        self.part.unwrap_or(UNTOLD)
    }

    /// What it says to whoever divides the limit.
    pub fn claim(&self) -> Claim {
        Claim {
            held: self.part,
            demand: self.demand,
        }
    }
}

/// The count of a limit that others hold to, too.
#[derive(Debug)]
pub(super) struct Shared {
    gcra: Gcra,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    limit: Quota,
    part: Option<Part>,
    /// From the first look on.
    demand: Option<Demand>,
}

impl Held {
    /// What may pass here.
    fn quota(&self) -> Quota {
        self.part.unwrap_or(UNTOLD).of_rate(&self.limit)
    }
}

impl Shared {
    pub(super) fn new(limit: Quota, now: Instant) -> Self {
        let held = Held {
            limit,
            part: None,
            demand: None,
        };
        Self {
            gcra: Gcra::new(held.quota(), now),
            held: Mutex::new(held),
        }
    }

    /// Requests look at this alone.
    #[inline]
    pub(super) fn gcra(&self) -> &Gcra {
        &self.gcra
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limit is another one; the part of it stays.
    pub(super) fn reconfigure(&self, limit: Quota, now: Instant) {
        let mut held = self.held();
        held.limit = limit;
        self.gcra.reconfigure(held.quota(), now);
    }

    /// Holds to this part from now on.
    pub(super) fn give(&self, part: Part, now: Instant) {
        self.set(Some(part.at_most_all()), now);
    }

    /// Nobody asks it any more: its part goes to others.
    pub(super) fn give_back(&self, now: Instant) {
        self.held().demand = None;
        self.set(None, now);
    }

    fn set(&self, part: Option<Part>, now: Instant) {
        let mut held = self.held();
        if held.part != part {
            held.part = part;
            self.gcra.resize(held.quota(), now);
        }
    }

    /// So many requests have come since it was made.
    pub(super) fn observe(&self, count: u64, now: Instant) {
        let mut held = self.held();
        match &mut held.demand {
            Some(demand) => demand.observe(count, now),
            None => held.demand = Some(Demand::new(count, now)),
        }
    }

    /// What it holds to, and what it is asked for.
    pub(super) fn share(&self, policy: PolicyName) -> Share {
        let held = self.held();
        let per_second = held.demand.as_ref().and_then(Demand::per_second);
        let demand = per_second.map(|per_second| {
            let limit = f64::from(held.limit.limit()) / held.limit.period().as_secs_f64();
            rounded(Part::from_f64(per_second / limit))
        });
        Share {
            policy,
            part: held.part,
            demand,
        }
    }
}

fn rounded(part: Part) -> Part {
    let steps = part.in_billionths().saturating_add(ROUNDED / 2) / ROUNDED;
    Part::billionths(steps * ROUNDED)
}

/// A part, as a share of 1.
mod whole {
    use guildhall_resilience::limiter::shares::Part;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn serialize<S: Serializer>(part: &Part, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(part.as_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Part, D::Error> {
        f64::deserialize(deserializer).map(Part::from_f64)
    }
}

/// The same, or nothing.
mod fraction {
    use guildhall_resilience::limiter::shares::Part;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(
        part: &Option<Part>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        part.map(Part::as_f64).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Part>, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.map(Part::from_f64))
    }
}
