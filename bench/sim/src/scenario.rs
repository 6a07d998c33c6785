//! What happens in a run: the load that is offered, and what ails the endpoints when.

use std::ops::Range;

use crate::time::{Nanos, SECOND};

/// How an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Condition {
    /// It answers, so many times slower than usual.
    Serving { slower: f64 },
    /// It answers 503 within a millisecond.
    Failing,
}

/// What ails endpoints.
#[derive(Clone, Debug)]
pub(crate) enum Ailment {
    Failing,
    /// So many times slower.
    Slow(f64),
    /// So many times slower at first, back to normal in a straight line: cold caches.
    Cold(f64),
}

/// An ailment, and when and where.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) when: Range<Nanos>,
    pub(crate) endpoints: Range<usize>,
    pub(crate) ailment: Ailment,
}

/// One run's weather.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// For readers.
    pub(crate) what: String,
    /// From when on which load, as a share of the healthy capacity; the first from 0 on.
    pub(crate) load: Vec<(Nanos, f64)>,
    pub(crate) faults: Vec<Fault>,
    /// When the last request arrives.
    pub(crate) ends: Nanos,
    /// What is measured.
    pub(crate) window: Range<Nanos>,
    /// When the trouble begins and when it is over: what opening and recovery are counted from.
    pub(crate) trouble: Option<Range<Nanos>>,
}

const ALL: Range<usize> = 0..usize::MAX;
/// Seconds for which a run goes on after its trouble: longer than the longest open time, 60 s and a fifth.
pub(crate) const FOLLOWED: u64 = 80;
/// What a service is usually run at.
const USUAL: f64 = 0.7;

impl Scenario {
    pub(crate) fn load_at(&self, now: Nanos) -> f64 {
        let steps = self.load.iter().take_while(|(from, _)| *from <= now);
        steps.last().map_or(0.0, |(_, load)| *load)
    }

    /// When the load changes next.
    pub(crate) fn next_step(&self, now: Nanos) -> Option<Nanos> {
        let mut steps = self.load.iter().map(|(from, _)| *from);
        steps.find(|from| *from > now)
    }

    pub(crate) fn condition(&self, endpoint: usize, now: Nanos) -> Condition {
        let mut ails = self
            .faults
            .iter()
            .filter(|fault| fault.endpoints.contains(&endpoint) && fault.when.contains(&now));
        match ails.next() {
            None => Condition::Serving { slower: 1.0 },
            Some(fault) => match fault.ailment {
                Ailment::Failing => Condition::Failing,
                Ailment::Slow(slower) => Condition::Serving { slower },
                Ailment::Cold(slower) => {
                    let whole = (fault.when.end - fault.when.start) as f64;
                    let left = (fault.when.end - now) as f64 / whole;
                    Condition::Serving {
                        slower: 1.0 + (slower - 1.0) * left,
                    }
                }
            },
        }
    }

    /// The capacity at a time, as a share of the healthy one.
    pub(crate) fn capacity_at(&self, endpoints: usize, now: Nanos) -> f64 {
        let each = (0..endpoints).map(|endpoint| match self.condition(endpoint, now) {
            Condition::Failing => 0.0,
            Condition::Serving { slower } => 1.0 / slower,
        });
        each.sum::<f64>() / endpoints as f64
    }

    fn new(name: &'static str, what: &str, ends: u64) -> Self {
        Self {
            name,
            what: what.to_owned(),
            load: vec![(0, USUAL)],
            faults: Vec::new(),
            ends: ends * SECOND,
            window: 10 * SECOND..ends * SECOND,
            trouble: None,
        }
    }

    fn with_fault(mut self, when: Range<u64>, endpoints: Range<usize>, ailment: Ailment) -> Self {
        self.faults.push(Fault {
            when: when.start * SECOND..when.end * SECOND,
            endpoints,
            ailment,
        });
        self
    }

    fn with_trouble(mut self, when: Range<u64>) -> Self {
        self.trouble = Some(when.start * SECOND..when.end * SECOND);
        self.window = when.start * SECOND..when.end * SECOND;
        self
    }
}

/// The runs of the report, in its order.
pub(crate) fn all() -> Vec<Scenario> {
    let mut flapping = Scenario::new(
        "flapping",
        "all endpoints fail for 3 s out of 10 s, six times over, at 0.7 × capacity",
        73 + FOLLOWED,
    )
    .with_trouble(20..73);
    for turn in 0..6 {
        let from = 20 + 10 * turn;
        flapping = flapping.with_fault(from..from + 3, ALL, Ailment::Failing);
    }
    vec![
        Scenario::new("healthy", "nothing happens, at 0.7 × capacity", 60),
        overload(3.0),
        Scenario::new(
            "failing",
            "all endpoints answer 503 for 30 s, at 0.7 × capacity",
            50 + FOLLOWED,
        )
        .with_fault(20..50, ALL, Ailment::Failing)
        .with_trouble(20..50),
        Scenario::new(
            "one-failing",
            "one endpoint of ten answers 503 for 30 s, at 0.7 × capacity",
            50 + FOLLOWED,
        )
        .with_fault(20..50, 0..1, Ailment::Failing)
        .with_trouble(20..50),
        Scenario::new(
            "slow",
            "all endpoints are 10 times slower for 30 s: 0.7 × capacity becomes 7 ×",
            50 + FOLLOWED,
        )
        .with_fault(20..50, ALL, Ailment::Slow(10.0))
        .with_trouble(20..50),
        Scenario::new(
            "one-slow",
            "one endpoint of ten is 10 times slower for 30 s, at 0.7 × capacity",
            50 + FOLLOWED,
        )
        .with_fault(20..50, 0..1, Ailment::Slow(10.0))
        .with_trouble(20..50),
        Scenario::new(
            "recovering",
            "all fail for 30 s and come back cold: 5 times slower, normal after 20 s; at 0.7 × capacity",
            50 + FOLLOWED,
        )
        .with_fault(20..50, ALL, Ailment::Failing)
        .with_fault(50..70, ALL, Ailment::Cold(5.0))
        .with_trouble(20..50),
        flapping,
    ]
}

/// Load beyond capacity for 40 s.
pub(crate) fn overload(load: f64) -> Scenario {
    let what = format!("offered load rises from 0.7 to {load} × capacity for 40 s");
    let mut overload = Scenario::new("overload", &what, 60 + FOLLOWED);
    overload.load = vec![(0, USUAL), (20 * SECOND, load), (60 * SECOND, USUAL)];
    let overload = overload.with_trouble(20..60);
    Scenario {
        // The first seconds are the transition's.
        window: 25 * SECOND..60 * SECOND,
        ..overload
    }
}

/// All endpoints fail for so many seconds.
pub(crate) fn outage(seconds: u64) -> Scenario {
    let what = format!("all endpoints answer 503 for {seconds} s");
    Scenario::new("outage", &what, 20 + seconds + FOLLOWED)
        .with_fault(20..20 + seconds, ALL, Ailment::Failing)
        .with_trouble(20..20 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cold_endpoint_warms_in_a_straight_line() {
        let scenario = Scenario::new("", "", 100).with_fault(10..20, 0..1, Ailment::Cold(5.0));
        let at = |second: u64| scenario.condition(0, second * SECOND);
        assert_eq!(at(9), Condition::Serving { slower: 1.0 });
        assert_eq!(at(10), Condition::Serving { slower: 5.0 });
        assert_eq!(at(15), Condition::Serving { slower: 3.0 });
        assert_eq!(at(20), Condition::Serving { slower: 1.0 });
        assert!((scenario.capacity_at(2, 10 * SECOND) - 0.6).abs() < 1e-9);
    }
}
