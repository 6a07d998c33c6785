//! What was told, by reporter. Pure: `now` is passed in.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_core::{
    document::{Namespace, Timestamp},
    policy::guard::SharedLimit,
    policy::report::{
        Breaker, BreakerRow, Called, FleetStatistics, Key, Limit, LimitRow, MAX_ENTRIES, Received,
        Report, ReportedBy, Transition,
    },
    policy::spec::TargetKind,
    registry::health::Moment,
};
use guildhall_resilience::breaker::State;

use super::{
    FleetOptions,
    shares::{self, Ledgers},
};

/// How long whoever holds a part of a limit is believed to hold it at least: it reports every three seconds, and a lost
/// report must not give its part to others.
const HELD_FOR: Duration = Duration::from_secs(10);

/// How many transitions of a breaker are kept.
const TRANSITIONS: usize = 10;

/// Which breakers are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BreakerFilter {
    /// Those whose caller or target is in this namespace.
    pub namespace: Option<Namespace>,
    /// Those of the callers of this name.
    pub caller: Option<String>,
    /// Those that guard calls to the services of this name.
    pub service: Option<String>,
    /// Those in this state.
    pub state: Option<State>,
}

/// Everyone who calls under one name, and whom they call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The callers' namespace; a gateway has none.
    pub caller_namespace: Option<Namespace>,
    /// The callers' name.
    pub caller: String,
    /// Who is called.
    pub target: Called,
}

/// There is no room for what a report tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// As many reporters as there may be.
    Reporters(usize),
    /// As many breakers and limits as there may be.
    Entries(usize),
}

/// All that is known.
#[derive(Debug)]
pub(super) struct Board {
    options: FleetOptions,
    told: BTreeMap<ReportedBy, Told>,
    entries: usize,
    ledgers: Ledgers,
    /// Grows with each change of what is known.
    revision: u64,
    /// Where something last went away.
    removed: u64,
}

/// What one reporter told.
#[derive(Debug)]
struct Told {
    run: u32,
    sequence: u64,
    heard: Instant,
    omitted: u64,
    breakers: BTreeMap<Key, Known<BreakerRow>>,
    limits: BTreeMap<Key, Known<LimitRow>>,
}

#[derive(Debug)]
struct Known<T> {
    row: Arc<T>,
    revision: u64,
}

impl BreakerFilter {
    fn holds(&self, row: &BreakerRow) -> bool {
        let same = |wanted: &Option<String>, name: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == name)
        };
        let inside = |namespace: &Namespace| {
            row.breaker.target.namespace == *namespace
                || row.caller.namespace.as_ref() == Some(namespace)
        };
        self.namespace.as_ref().is_none_or(inside)
            && same(&self.caller, row.caller.name.as_str())
            && same(&self.service, row.breaker.target.service.as_str())
    }

    fn selects(&self, row: &BreakerRow) -> bool {
        self.state.is_none_or(|state| state == row.breaker.state)
    }
}

impl Board {
    /// Nothing is known. What is divided is given out once `now` has been long enough ago.
    pub(super) fn new(options: FleetOptions, now: Instant) -> Self {
        Self {
            ledgers: Ledgers::new(now + options.settles_in),
            options,
            told: BTreeMap::new(),
            entries: 0,
            // An index is never 0.
            revision: 1,
            removed: 1,
        }
    }

    /// Grows with each change.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Takes a report in. One that builds on what is not known here changes nothing and asks for everything. Whoever
    /// claims shares of limits must be one that [may hold](shares::may_hold) to them.
    pub(super) fn take(&mut self, report: Report, now: Moment) -> Result<Received, Full> {
        const EVERYTHING: Received = Received {
            full: true,
            shares: Vec::new(),
        };
        const DONE: Received = Received {
            full: false,
            shares: Vec::new(),
        };
        let nothing = report.full && report.breakers.is_empty() && report.limits.is_empty();
        match self.told.get(&report.reporter) {
            None if nothing => return Ok(DONE),
            None if !report.full => return Ok(EVERYTHING),
            None if self.told.len() >= self.options.reporters => {
                return Err(Full::Reporters(self.options.reporters));
            }
            Some(told) if told.run == report.run && report.sequence <= told.sequence => {
                // It was overtaken by a later one.
                return Ok(DONE);
            }
            Some(told)
                if !report.full
                    && (told.run != report.run || report.sequence != told.sequence + 1) =>
            {
                return Ok(EVERYTHING);
            }
            _ => {}
        }
        if nothing {
            self.forget(&report.reporter);
            return Ok(DONE);
        }
        // Counted as though all of it were new, so that nothing has to be taken back half way.
        let more = report.breakers.len() + report.limits.len();
        let has = self.told.get(&report.reporter).map_or(0, Told::len);
        let others = self.entries - has;
        if others + more.max(has) > self.options.entries {
            return Err(Full::Entries(self.options.entries));
        }
        let before = self.told.get(&report.reporter);
        let same_run = before.is_some_and(|told| told.run == report.run);
        let mut held = before.map(Told::shared).unwrap_or_default();
        let (by, claims) = (report.reporter.clone(), shares::claims(&report.limits));
        self.put(report, now);
        if same_run {
            // Of a run that is over nothing is held any more.
            let holds = self.told.get(&by).map(Told::shared).unwrap_or_default();
            held.retain(|limit| !holds.contains(limit));
        }
        self.ledgers.leave(&by, &held);
        Ok(Received {
            full: false,
            shares: self.ledgers.report(&by, claims, now.monotonic),
        })
    }

    fn put(&mut self, report: Report, now: Moment) {
        let Report {
            reporter,
            run,
            sequence,
            full,
            breakers,
            limits,
            events,
            omitted,
            ..
        } = report;
        let told = self.told.entry(reporter.clone()).or_insert_with(|| Told {
            run,
            sequence,
            heard: now.monotonic,
            omitted,
            breakers: BTreeMap::new(),
            limits: BTreeMap::new(),
        });
        self.entries -= told.len();
        let mut before = Told {
            breakers: std::mem::take(&mut told.breakers),
            limits: std::mem::take(&mut told.limits),
            ..*told
        };
        if before.run != run {
            // What an earlier run told of transitions is history of machines that are gone.
            before.breakers.clear();
            before.limits.clear();
        }
        (told.run, told.sequence, told.heard) = (run, sequence, now.monotonic);
        if full {
            told.omitted = omitted;
        }
        let revision = self.revision + 1;
        let mut news = false;
        let mut transitions: HashMap<Key, Vec<Transition>> = HashMap::new();
        for event in events {
            let key = Key::Breaker(event.target, event.dry_run);
            transitions.entry(key).or_default().push(event.transition);
        }
        for breaker in breakers {
            let key = breaker.key();
            let more = transitions.remove(&key).unwrap_or_default();
            let known = before.breakers.remove(&key);
            let known = breaker_row(&reporter, breaker, more, known, revision, now.wall);
            news |= known.revision == revision;
            told.breakers.insert(key, known);
        }
        for limit in limits {
            let key = limit.key();
            let known = before.limits.remove(&key);
            let known = limit_row(&reporter, limit, known, revision, now.wall);
            news |= known.revision == revision;
            told.limits.insert(key, known);
        }
        let gone = full && !(before.breakers.is_empty() && before.limits.is_empty());
        if !full {
            told.breakers.append(&mut before.breakers);
            told.limits.append(&mut before.limits);
            told.bound();
        }
        self.entries += told.len();
        if gone {
            self.removed = revision;
        }
        if gone || news {
            self.revision = revision;
        }
    }

    fn forget(&mut self, reporter: &ReportedBy) {
        if let Some(told) = self.told.remove(reporter) {
            self.entries -= told.len();
            self.ledgers.leave(reporter, &told.shared());
            self.revision += 1;
            self.removed = self.revision;
        }
    }

    /// Forgets whoever has been silent for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let believed = self.options.believed_for;
        let is_silent = |told: &Told| {
            let silence = now.saturating_duration_since(told.heard);
            silence >= believed && (silence >= HELD_FOR || told.shared().is_empty())
        };
        let silent: Vec<ReportedBy> = self
            .told
            .iter()
            .filter(|(_, told)| is_silent(told))
            .map(|(reporter, _)| reporter.clone())
            .collect();
        for reporter in silent {
            self.forget(&reporter);
        }
    }

    /// The breakers that `filter` selects and `sees` lets through, by caller and target, and the revision that last
    /// touched them or what may have been among them.
    pub(super) fn breakers(
        &self,
        filter: &BreakerFilter,
        mut sees: impl FnMut(&BreakerRow) -> bool,
    ) -> (Vec<Arc<BreakerRow>>, u64) {
        let mut index = self.removed;
        let mut rows = Vec::new();
        for known in self.told.values().flat_map(|told| told.breakers.values()) {
            if !filter.holds(&known.row) || !sees(&known.row) {
                continue;
            }
            index = index.max(known.revision);
            if filter.selects(&known.row) {
                rows.push(Arc::clone(&known.row));
            }
        }
        (rows, index)
    }

    /// The limits that `filter` selects and `sees` lets through; a limit has no state.
    pub(super) fn limits(
        &self,
        filter: &BreakerFilter,
        mut sees: impl FnMut(&LimitRow) -> bool,
    ) -> Vec<Arc<LimitRow>> {
        let holds = |row: &LimitRow| {
            let target = row.limit.target.as_ref();
            let inside = |namespace: &Namespace| {
                row.limit.namespace() == Some(namespace)
                    || row.caller.namespace.as_ref() == Some(namespace)
            };
            filter.namespace.as_ref().is_none_or(inside)
                && filter
                    .caller
                    .as_deref()
                    .is_none_or(|caller| caller == row.caller.name.as_str())
                && filter.service.as_deref().is_none_or(|service| {
                    target.is_some_and(|target| target.service.as_str() == service)
                        || row.limit.under.as_ref().is_some_and(|under| {
                            under.kind == TargetKind::Service && under.name == service
                        })
                })
        };
        self.told
            .values()
            .flat_map(|told| told.limits.values())
            .filter(|known| holds(&known.row) && sees(&known.row))
            .map(|known| Arc::clone(&known.row))
            .collect()
    }

    /// The fleet in numbers.
    pub(super) fn statistics(&self) -> FleetStatistics {
        let mut statistics = FleetStatistics {
            reporters: self.told.len(),
            shared_limits: self.ledgers.len(),
            ..FleetStatistics::default()
        };
        for told in self.told.values() {
            statistics.omitted += told.omitted;
            statistics.limits += told
                .limits
                .values()
                .filter(|known| !known.row.limit.dry_run)
                .count();
            for known in told.breakers.values() {
                let breaker = &known.row.breaker;
                if !breaker.dry_run {
                    statistics.breakers += 1;
                    *statistics
                        .states
                        .entry(breaker.state.name().to_owned())
                        .or_default() += 1;
                }
            }
        }
        statistics
    }

    /// How many breakers of each pair are in each state, in the order of [`State::ALL`]: the first `most` pairs, and how
    /// many there are beyond them.
    pub(super) fn pairs(&self, most: usize) -> (BTreeMap<Pair, [usize; State::ALL.len()]>, usize) {
        let mut pairs: BTreeMap<Pair, [usize; State::ALL.len()]> = BTreeMap::new();
        for known in self.told.values().flat_map(|told| told.breakers.values()) {
            let BreakerRow {
                caller, breaker, ..
            } = &*known.row;
            if breaker.dry_run {
                continue;
            }
            let pair = Pair {
                caller_namespace: caller.namespace.clone(),
                caller: caller.name.to_string(),
                target: breaker.target.clone(),
            };
            let counts = pairs.entry(pair).or_default();
            for (count, state) in counts.iter_mut().zip(State::ALL) {
                *count += usize::from(breaker.state == state);
            }
        }
        let beyond = pairs.len().saturating_sub(most);
        for _ in 0..beyond {
            pairs.pop_last();
        }
        (pairs, beyond)
    }
}

impl Told {
    fn len(&self) -> usize {
        self.breakers.len() + self.limits.len()
    }

    /// The limits that others hold to, too.
    fn shared(&self) -> BTreeSet<SharedLimit> {
        shares::shared(self.limits.values().map(|known| &known.row.limit))
    }

    /// A reporter that keeps adding without ever telling everything has no more room than one that does. What others hold
    /// to as well goes last: whoever holds a part of it does not know that it is taken for gone.
    fn bound(&mut self) {
        if self.len() <= MAX_ENTRIES {
            return;
        }
        let least = |known: &Known<LimitRow>| known.row.limit.share.is_none();
        let limits = self.limits.iter().rev().filter(|(_, known)| least(known));
        let surplus = self.len() - MAX_ENTRIES;
        let goes: Vec<Key> = limits.take(surplus).map(|(key, _)| key.clone()).collect();
        for key in goes {
            self.limits.remove(&key);
        }
        while self.len() > MAX_ENTRIES {
            if self.breakers.pop_last().is_none() {
                self.limits.pop_last();
            }
        }
    }
}

/// The row of a breaker: the one that is known, if nothing about it is new.
fn breaker_row(
    caller: &ReportedBy,
    breaker: Breaker,
    more: Vec<Transition>,
    known: Option<Known<BreakerRow>>,
    revision: u64,
    now: Timestamp,
) -> Known<BreakerRow> {
    let mut transitions = match known {
        Some(known) if known.row.breaker == breaker && more.is_empty() => return known,
        Some(known) => known.row.transitions.clone(),
        None => Vec::new(),
    };
    // What was told of a report that got no answer is told again.
    for transition in more {
        if !transitions.contains(&transition) {
            transitions.push(transition);
        }
    }
    let surplus = transitions.len().saturating_sub(TRANSITIONS);
    transitions.drain(..surplus);
    let row = BreakerRow {
        caller: caller.clone(),
        breaker,
        transitions,
        updated_at: now,
    };
    Known {
        row: Arc::new(row),
        revision,
    }
}

fn limit_row(
    caller: &ReportedBy,
    limit: Limit,
    known: Option<Known<LimitRow>>,
    revision: u64,
    now: Timestamp,
) -> Known<LimitRow> {
    match known {
        Some(known) if known.row.limit == limit => known,
        _ => Known {
            row: Arc::new(LimitRow {
                caller: caller.clone(),
                limit,
                updated_at: now,
            }),
            revision,
        },
    }
}
