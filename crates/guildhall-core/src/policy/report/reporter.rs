//! Decides what is told, and when. Pure: whoever owns machines shows them, asks whether a report is due, sends it, and
//! says what became of it.
//!
//! | what | told |
//! |---|---|
//! | a transition | within [`COALESCED`] of being shown, together with what else happened in that time |
//! | figures that change | every second |
//! | limits of scope `Shared`, changed or not | every three seconds, as the answer says what their parts are |
//! | everything, changed or not | every ten seconds, after a report that was not taken, and where machines are gone |
//!
//! One report is under way at a time. One that is not taken costs nothing but time: what it told is told again, its
//! transitions first.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use guildhall_resilience::breaker;

use super::{
    Breaker, Called, Event, Key, Limit, LimitKind, MAX_ENTRIES, MAX_EVENTS, PolicyRef, Received,
    Report, ReportError, ReportedBy, Statistics, Transition, Window,
};
use crate::{
    document::Timestamp,
    policy::guard::{GuardState, Guarded, Measured},
    registry::health::Moment,
};

/// The shortest time from one report to the next: transitions within it are told together.
const COALESCED: Duration = Duration::from_millis(50);
/// How often figures that change are told.
const FIGURES: Duration = Duration::from_secs(1);
/// How often limits are told that others hold to, and how long a report that was not taken keeps them from it at most: a
/// control plane that has started again waits a little longer for them before it gives anything out.
const SHARES: Duration = Duration::from_secs(3);
/// How often everything is told; up to a second sooner, so that a fleet that started together does not report together.
const FULL: Duration = Duration::from_secs(10);
/// How long after a report was not taken the next one is tried, at first; doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The pause after a refusal: somebody has to change something first.
const REFUSED: Duration = Duration::from_secs(60);
/// After which time without a word a report under way is given up.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// Gathers what there is to tell, for one sink.
#[derive(Debug)]
pub struct Reporter {
    who: ReportedBy,
    run: u32,
    sequence: u64,
    known: BTreeMap<Key, Known>,
    /// Counts observations.
    round: u64,
    events: VecDeque<Event>,
    events_omitted: u64,
    /// The first transition that was not told yet was shown then.
    urgent_since: Option<Instant>,
    /// Whether the next report must hold everything.
    full_wanted: bool,
    /// Whether the sink may believe in machines.
    told: bool,
    last: Option<Instant>,
    last_full: Option<Instant>,
    under_way: Option<UnderWay>,
    failures: u32,
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    entry: Entry,
    times: Times,
    changed: bool,
    round: u64,
    told: Option<Instant>,
}

/// The clock's times behind a breaker's wall times, which are kept as long as these stay: two readings of two clocks never
/// agree to the millisecond, and that is no news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    at: Option<Instant>,
    since: Option<Instant>,
    until: Option<Instant>,
}

/// A breaker as its owner sees it, but for its snapshot.
struct Seen {
    target: Called,
    dry_run: bool,
    policy: Option<PolicyRef>,
    order: Option<String>,
    since: Instant,
}

#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Breaker(Breaker),
    Limit(Limit),
}

#[derive(Debug)]
struct UnderWay {
    sequence: u64,
    since: Instant,
    full: bool,
    events: Vec<Event>,
}

impl Reporter {
    /// A reporter for `who`; `run` is drawn anew at each start.
    pub fn new(who: ReportedBy, run: u32) -> Self {
        Self {
            who,
            run,
            sequence: 0,
            known: BTreeMap::new(),
            round: 0,
            events: VecDeque::new(),
            events_omitted: 0,
            urgent_since: None,
            full_wanted: true,
            told: false,
            last: None,
            last_full: None,
            under_way: None,
            failures: 0,
            not_before: None,
        }
    }

    /// Takes in all machines there are at `now`; one that is missing is gone.
    pub fn observe(&mut self, machines: impl IntoIterator<Item = GuardState>, now: Moment) {
        self.round += 1;
        for GuardState {
            guarded,
            source,
            tried,
            measured,
            ..
        } in machines
        {
            let policy = PolicyRef::of(&source);
            match (guarded, measured) {
                (
                    Guarded::Service(key),
                    Measured::Breaker {
                        snapshot,
                        since,
                        forced,
                    },
                ) => {
                    let order = forced
                        .map(|order| order.reason)
                        .filter(|reason| !reason.is_empty());
                    let seen = Seen {
                        target: Called::from(&key),
                        dry_run: tried,
                        policy,
                        order,
                        since,
                    };
                    self.breaker(seen, &snapshot, now);
                }
                (guarded, measured) => {
                    let limit = limit(guarded, measured, tried, policy);
                    if let Some(limit) = limit {
                        self.note(Entry::Limit(limit), Times::default());
                    }
                }
            }
        }
        let round = self.round;
        let before = self.known.len();
        self.known.retain(|_, known| known.round == round);
        self.full_wanted |= self.known.len() < before;
    }

    fn breaker(&mut self, seen: Seen, snapshot: &breaker::Snapshot, now: Moment) {
        let key = Key::Breaker(seen.target.clone(), seen.dry_run);
        let known = self.known.get(&key).and_then(|known| match &known.entry {
            Entry::Breaker(breaker) => Some((known.times, breaker)),
            Entry::Limit(_) => None,
        });
        let times = Times {
            at: snapshot.last_transition.map(|transition| transition.at),
            since: Some(seen.since),
            until: snapshot.until,
        };
        let (last_transition, news) = match (snapshot.last_transition, known) {
            (None, _) => (None, false),
            (Some(_), Some((known, breaker))) if known.at == times.at => {
                (breaker.last_transition.clone(), false)
            }
            (Some(transition), _) => (Some(told(&transition, now)), true),
        };
        let since = match known {
            Some((known, breaker)) if known.since == times.since => breaker.since,
            _ => wall(seen.since, now),
        };
        let until = match (snapshot.until, known) {
            (Some(_), Some((known, breaker))) if known.until == times.until => breaker.until,
            (until, _) => until.map(|until| wall(until, now)),
        };
        if news && let Some(transition) = last_transition.clone() {
            self.events.push_back(Event {
                target: seen.target.clone(),
                dry_run: seen.dry_run,
                transition,
            });
            self.bound_events();
            self.urgent_since.get_or_insert(now.monotonic);
        }
        let breaker::Counts {
            total,
            failed,
            slow,
        } = snapshot.window;
        let entry = Breaker {
            target: seen.target,
            dry_run: seen.dry_run,
            state: snapshot.state,
            since,
            until,
            last_transition,
            order: seen.order,
            statistics: Statistics {
                total: snapshot.total,
                successful: snapshot.successful,
                failed: snapshot.failed,
                rejected: snapshot.rejected,
                slow: snapshot.slow,
                ignored: snapshot.ignored,
            },
            window: Window {
                total,
                failed,
                slow,
            },
            policy: seen.policy,
        };
        self.note(Entry::Breaker(entry), times);
    }

    fn note(&mut self, entry: Entry, times: Times) {
        let round = self.round;
        match self.known.get_mut(&entry.key()) {
            Some(known) => {
                known.changed |= known.entry != entry;
                (known.entry, known.times, known.round) = (entry, times, round);
            }
            None => {
                let known = Known {
                    times,
                    changed: true,
                    round,
                    entry,
                    told: None,
                };
                self.known.insert(known.entry.key(), known);
            }
        }
    }

    fn bound_events(&mut self) {
        while self.events.len() > MAX_EVENTS {
            self.events.pop_front();
            self.events_omitted += 1;
        }
    }

    /// The report to send now, if one is due. [`Reporter::sent`] must be told what became of it.
    pub fn due(&mut self, now: Instant) -> Option<Report> {
        if let Some(under_way) = &self.under_way {
            if now.saturating_duration_since(under_way.since) < GIVEN_UP {
                return None;
            }
            self.sent(&Err(ReportError::Away("no answer came".to_owned())), now);
        }
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        if self.known.is_empty() && !self.told {
            return None;
        }
        let since = |last: Option<Instant>| {
            last.map_or(Duration::MAX, |last| now.saturating_duration_since(last))
        };
        let (last, last_full) = (since(self.last), since(self.last_full));
        // Different for each run, the same within one.
        let full_every = FULL - Duration::from_millis(u64::from(self.run % 1000));
        let full = self.full_wanted || last_full >= full_every;
        let due = full && (last_full >= FIGURES || self.failures > 0)
            || self.urgent_since.is_some() && last >= COALESCED
            || last >= FIGURES && self.known.values().any(|known| known.is_due(now));
        due.then(|| self.take(full, now))
    }

    fn take(&mut self, full: bool, now: Instant) -> Report {
        self.sequence += 1;
        let mut told: Vec<&mut Known> = self
            .known
            .values_mut()
            .filter(|known| full || known.is_due(now))
            .collect();
        let omitted = told.len().saturating_sub(MAX_ENTRIES);
        if omitted > 0 {
            // Stable, so that what is alike stays in the order of its keys.
            told.sort_by_key(|known| std::cmp::Reverse(known.entry.interest()));
            told.truncate(MAX_ENTRIES);
        }
        let (mut breakers, mut limits) = (Vec::new(), Vec::new());
        for known in told {
            (known.changed, known.told) = (false, Some(now));
            match &known.entry {
                Entry::Breaker(breaker) => breakers.push(breaker.clone()),
                Entry::Limit(limit) => limits.push(limit.clone()),
            }
        }
        let events: Vec<Event> = self.events.drain(..).collect();
        self.told = !self.known.is_empty();
        self.urgent_since = None;
        self.full_wanted = false;
        self.last = Some(now);
        if full {
            self.last_full = Some(now);
        }
        self.under_way = Some(UnderWay {
            sequence: self.sequence,
            since: now,
            full,
            events: events.clone(),
        });
        Report {
            reporter: self.who.clone(),
            run: self.run,
            sequence: self.sequence,
            full,
            breakers,
            limits,
            events,
            omitted: omitted as u64,
            events_omitted: std::mem::take(&mut self.events_omitted),
        }
    }

    /// The last report of this reporter, which says that there is nothing any more; `None` if nobody was told otherwise.
    pub fn farewell(&mut self) -> Option<Report> {
        if !self.told {
            return None;
        }
        self.known.clear();
        self.sequence += 1;
        self.told = false;
        Some(Report {
            reporter: self.who.clone(),
            run: self.run,
            sequence: self.sequence,
            full: true,
            breakers: Vec::new(),
            limits: Vec::new(),
            events: Vec::new(),
            omitted: 0,
            events_omitted: 0,
        })
    }

    /// Whether it waits to hear what became of the report of this sequence. Of one that was given up nobody may say so any
    /// more: what its answer told has been overtaken.
    pub fn awaits(&self, sequence: u64) -> bool {
        let under_way = self.under_way.as_ref();
        under_way.is_some_and(|under_way| under_way.sequence == sequence)
    }

    /// Says what became of the report under way. What the answer gives is to be
    /// [granted](crate::policy::guard::Guards::grant) before the machines are shown again.
    pub fn sent(&mut self, outcome: &Result<Received, ReportError>, now: Instant) {
        let Some(under_way) = self.under_way.take() else {
            return;
        };
        let again = match outcome {
            Ok(Received { full: false, .. }) => {
                self.failures = 0;
                self.not_before = None;
                return;
            }
            // All that there is was not enough: as good as not taken.
            Ok(Received { full: true, .. }) if under_way.full => self.pause(),
            Ok(Received { full: true, .. }) => {
                self.last_full = None;
                Duration::ZERO
            }
            Err(ReportError::Away(_)) => self.pause(),
            Err(ReportError::Refused(_)) => {
                self.failures = self.failures.saturating_add(1);
                REFUSED
            }
        };
        self.full_wanted = true;
        self.not_before = Some(now + again);
        // Whoever could not place a report took nothing of it.
        for event in under_way.events.into_iter().rev() {
            self.events.push_front(event);
        }
        self.bound_events();
    }

    fn pause(&mut self) -> Duration {
        let pause = PAUSE.saturating_mul(1 << self.failures.min(4));
        self.failures = self.failures.saturating_add(1);
        let shared = self.known.values().any(|known| known.entry.is_shared());
        pause.min(if shared { SHARES } else { LONGEST_PAUSE })
    }
}

impl Known {
    /// Whether there is something to tell of it.
    fn is_due(&self, now: Instant) -> bool {
        let since = |told| now.saturating_duration_since(told);
        self.changed || self.entry.is_shared() && self.told.is_none_or(|told| since(told) >= SHARES)
    }
}

impl Entry {
    /// Whether others hold to it, too.
    fn is_shared(&self) -> bool {
        matches!(self, Self::Limit(limit) if limit.share.is_some())
    }

    fn key(&self) -> Key {
        match self {
            Self::Breaker(breaker) => breaker.key(),
            Self::Limit(limit) => limit.key(),
        }
    }

    /// What is worth a place where places are few: what others hold to as well, and always the same of it, as a part that
    /// is not told is given to others; then what keeps calls away, then what has many.
    fn interest(&self) -> (bool, bool, u64) {
        match self {
            Self::Limit(limit) if limit.share.is_some() => (true, false, 0),
            Self::Breaker(breaker) => (
                false,
                breaker.state != breaker::State::Closed,
                breaker.statistics.total,
            ),
            Self::Limit(limit) => (false, limit.rejected > 0, limit.passed.unwrap_or_default()),
        }
    }
}

/// A machine that is no breaker, as it is told.
fn limit(
    guarded: Guarded,
    measured: Measured,
    dry_run: bool,
    policy: Option<PolicyRef>,
) -> Option<Limit> {
    let (target, under, name) = match guarded {
        Guarded::Service(key) => (Some(Called::from(&key)), None, String::new()),
        Guarded::Target { target, rule } => (None, Some(target), rule.to_string()),
    };
    let limit = |kind, rejected| Limit {
        kind,
        name,
        target,
        under,
        dry_run,
        limit: None,
        used: None,
        waiting: None,
        passed: None,
        rejected,
        share: None,
        policy,
    };
    Some(match measured {
        Measured::Breaker { .. } => return None,
        Measured::RateLimit {
            passed,
            refused,
            share,
        } => Limit {
            passed: Some(passed),
            share,
            ..limit(LimitKind::RateLimit, refused)
        },
        Measured::Bulkhead {
            in_flight,
            queued,
            limit: most,
            refused,
        } => Limit {
            limit: Some(most.into()),
            used: Some(in_flight.into()),
            waiting: Some(queued.into()),
            ..limit(LimitKind::Bulkhead, refused)
        },
        Measured::Adaptive {
            in_flight,
            limit: most,
            refused,
        } => Limit {
            limit: Some(most.into()),
            used: Some(in_flight.into()),
            ..limit(LimitKind::Adaptive, refused)
        },
        Measured::Deadline { refused } => limit(LimitKind::Deadline, refused),
    })
}

fn told(transition: &breaker::Transition, now: Moment) -> Transition {
    Transition {
        from: transition.from,
        to: transition.to,
        reason: transition.reason.to_string(),
        at: wall(transition.at, now),
    }
}

/// The wall time of `at`, which may be before or after now.
fn wall(at: Instant, now: Moment) -> Timestamp {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let Moment { monotonic, wall } = now;
    Timestamp(match at.checked_duration_since(monotonic) {
        Some(ahead) => wall.0.saturating_add(millis(ahead)),
        None => wall
            .0
            .saturating_sub(millis(monotonic.saturating_duration_since(at))),
    })
}
