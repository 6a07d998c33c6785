//! Limits that many hold to, divided among those who report: a ledger for each. Pure.
//!
//! Who reports claims what it holds to, and is answered what its part is from then on. What was granted never sums to more
//! than the limit: see [`shares`](guildhall_resilience::limiter::shares), which has the rules and their proof. A part is
//! free again when its holder says farewell, is silent for too long, starts anew, or tells everything without it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use guildhall_core::{
    document::{Document, DocumentKey, Kind},
    policy::{
        Target,
        guard::{Granted, SharedLimit},
        report::{Limit, ReportedBy},
        spec::RateLimitScope,
    },
};
use guildhall_resilience::limiter::shares::{Claim, Shares};

use crate::view::State;

/// What one report claims.
pub(super) type Claims = BTreeMap<SharedLimit, Claim>;

/// All limits that many hold to.
#[derive(Debug)]
pub(super) struct Ledgers {
    /// Until then nobody is given more than what it has.
    settled: Instant,
    ledgers: HashMap<SharedLimit, Shares<ReportedBy>>,
}

impl Ledgers {
    pub(super) fn new(settled: Instant) -> Self {
        Self {
            settled,
            ledgers: HashMap::new(),
        }
    }

    /// Answers what `by` claims. What it held before and holds no more is free.
    pub(super) fn report(&mut self, by: &ReportedBy, claims: Claims, now: Instant) -> Vec<Granted> {
        let claims = claims.into_iter();
        let granted = claims.filter_map(|(limit, claim)| {
            let settled = self.settled;
            let ledger = self
                .ledgers
                .entry(limit.clone())
                .or_insert_with(|| Shares::new(settled));
            let part = ledger.report(by, claim, now)?;
            Some(Granted { limit, part })
        });
        granted.collect()
    }

    /// `by` holds to these no more.
    pub(super) fn leave<'l>(
        &mut self,
        by: &ReportedBy,
        limits: impl IntoIterator<Item = &'l SharedLimit>,
    ) {
        for limit in limits {
            if let Some(ledger) = self.ledgers.get_mut(limit) {
                ledger.leave(by);
                if ledger.is_empty() {
                    self.ledgers.remove(limit);
                }
            }
        }
    }

    /// How many are held to.
    pub(super) fn len(&self) -> usize {
        self.ledgers.len()
    }
}

/// What these limits claim.
pub(super) fn claims<'l>(limits: impl IntoIterator<Item = &'l Limit>) -> Claims {
    let claim = |limit: &Limit| Some((limit.shared()?, limit.share.as_ref()?.claim()));
    limits.into_iter().filter_map(claim).collect()
}

/// Those of these limits that others hold to, too.
pub(super) fn shared<'l>(limits: impl IntoIterator<Item = &'l Limit>) -> BTreeSet<SharedLimit> {
    limits.into_iter().filter_map(Limit::shared).collect()
}

/// Whether `by` can hold to the limit: there is such a rule, and it is one that its policies can give it. A service
/// follows those of its own namespace.
pub(super) fn may_hold(state: &State, by: &ReportedBy, limit: &SharedLimit) -> bool {
    let SharedLimit {
        policy,
        under,
        name,
        ..
    } = limit;
    let own = by.namespace.as_ref();
    if own.is_some_and(|own| *own != policy.namespace) {
        return false;
    }
    let key = DocumentKey::new(Kind::Policy, policy.namespace.clone(), policy.name.as_str());
    let Some(Document::Policy(found)) = state.get(&key) else {
        return false;
    };
    let is_target =
        |reference| Target::of(reference, &policy.namespace).is_some_and(|target| target == *under);
    let rules = found.spec.rate_limit.as_ref();
    let mut rules = rules
        .and_then(|limit| limit.rules.iter().flatten().find(|rule| rule.name == *name))
        .into_iter();
    found.spec.target_refs.iter().any(is_target)
        && rules.any(|rule| rule.scope == Some(RateLimitScope::Shared))
}
