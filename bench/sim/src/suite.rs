//! Which runs make the report: every strategy in every scenario, loads and outages of several sizes.

use guildhall_resilience::ConfigError;

use crate::backend::Site;
use crate::measure::Record;
use crate::scenario::{self, Scenario};
use crate::strategy::envoy::Envoy;
use crate::strategy::guildhall::{Guildhall, TIMEOUT};
use crate::strategy::naive::Naive;
use crate::strategy::resilience4j::Resilience4j;
use crate::time::{MILLISECOND, Nanos, SECOND, Timeline};
use crate::world::World;

/// 2,000 requests a second, 40 at once.
pub(crate) const SITE: Site = Site {
    endpoints: 10,
    workers: 4,
    service: 20 * MILLISECOND,
    backlog: 512,
    patience: 2 * SECOND,
};

/// Offered loads, as shares of capacity.
pub(crate) const LOADS: [f64; 8] = [0.5, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0];
/// Lengths of outages, in seconds.
pub(crate) const OUTAGES: [u64; 6] = [5, 10, 20, 30, 45, 60];
/// How many seeds in a row the bars are held against.
pub(crate) const SEEDS: u64 = 20;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Guildhall,
    Naive,
    Envoy,
    Resilience4j,
}

impl Caller {
    pub(crate) const ALL: [Self; 4] = [
        Self::Guildhall,
        Self::Naive,
        Self::Envoy,
        Self::Resilience4j,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Guildhall => "Guildhall",
            Self::Naive => "naive retry",
            Self::Envoy => "Envoy",
            Self::Resilience4j => "resilience4j",
        }
    }

    /// Runs a scenario.
    pub(crate) fn run(
        self,
        scenario: &Scenario,
        seed: u64,
        timeline: Timeline,
    ) -> Result<Record, ConfigError> {
        let endpoints = SITE.endpoints;
        Ok(match self {
            Self::Guildhall => {
                let caller = Guildhall::new(endpoints, seed, timeline)?;
                World::run(SITE, scenario, caller, seed)
            }
            Self::Naive => World::run(
                SITE,
                scenario,
                Naive::new(endpoints, 3, Some(TIMEOUT)),
                seed,
            ),
            Self::Envoy => {
                let caller = Envoy::new(endpoints, seed, timeline)?;
                World::run(SITE, scenario, caller, seed)
            }
            Self::Resilience4j => World::run(SITE, scenario, Resilience4j::new(endpoints), seed),
        })
    }
}

/// A scenario, and what every caller did in it, in the order of [`Caller::ALL`].
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) scenario: Scenario,
    pub(crate) records: Vec<Record>,
}

/// A figure of every caller by something.
pub(crate) type Curve<X, Y> = Vec<(X, Vec<Y>)>;

/// All runs.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) seed: u64,
    pub(crate) played: Vec<Played>,
    /// By offered load: goodput by capacity, and the p99 of good answers.
    pub(crate) loads: Curve<f64, (f64, Option<Nanos>)>,
    /// By the outage's length: the longest recovery of all seeds; `None` if one did not recover.
    pub(crate) outages: Curve<u64, Option<Nanos>>,
    /// What ours is held to, of each seed.
    pub(crate) held: Vec<Held>,
}

/// The figures of ours that bars are set for, of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) goodput: f64,
    /// In each overload: by load, and by slowness.
    pub(crate) amplification: Vec<(&'static str, f64)>,
    pub(crate) recoveries: Vec<Recovery>,
}

/// One recovery of ours.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    pub(crate) of: String,
    pub(crate) took: Option<Nanos>,
    /// The open time that ran when the backend was back; `None` if none did.
    pub(crate) open: Option<Nanos>,
}

impl Suite {
    /// Runs everything.
    pub(crate) fn run(seed: u64, timeline: Timeline) -> Result<Self, ConfigError> {
        let played = scenario::all()
            .into_iter()
            .map(|scenario| play(scenario, seed, timeline))
            .collect::<Result<_, _>>()?;
        let mut loads = Vec::new();
        for load in LOADS {
            let overload = scenario::overload(load);
            let played = play(overload, seed, timeline)?;
            let window = &played.scenario.window;
            let could = SITE.capacity() * (window.end - window.start) as f64 / 1e9;
            let figures = played.records.iter().map(|record| {
                let figures = record.figures(window);
                (figures.good as f64 / could, figures.p99)
            });
            loads.push((load, figures.collect()));
        }
        let mut outages = Vec::new();
        for seconds in OUTAGES {
            let scenario = scenario::outage(seconds);
            let mut longest = Vec::new();
            for caller in Caller::ALL {
                let mut worst = Some(0);
                for seed in seed..seed + SEEDS {
                    let record = caller.run(&scenario, seed, timeline)?;
                    let took = recovery(&record, &scenario);
                    worst = worst.zip(took).map(|(a, b)| a.max(b));
                }
                longest.push(worst);
            }
            outages.push((seconds, longest));
        }
        let held = (seed..seed + SEEDS)
            .map(|seed| hold(seed, timeline))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            seed,
            played,
            loads,
            outages,
            held,
        })
    }
}

/// Every caller in one scenario.
pub(crate) fn play(
    scenario: Scenario,
    seed: u64,
    timeline: Timeline,
) -> Result<Played, ConfigError> {
    let records = Caller::ALL
        .iter()
        .map(|caller| caller.run(&scenario, seed, timeline))
        .collect::<Result<_, _>>()?;
    Ok(Played { scenario, records })
}

pub(crate) fn recovery(record: &Record, scenario: &Scenario) -> Option<Nanos> {
    let over = scenario.trouble.as_ref()?.end;
    record.recovery(over, scenario.ends)
}

fn hold(seed: u64, timeline: Timeline) -> Result<Held, ConfigError> {
    let run = |scenario: &Scenario| Caller::Guildhall.run(scenario, seed, timeline);
    let mut held = Held {
        goodput: 0.0,
        amplification: Vec::new(),
        recoveries: Vec::new(),
    };
    for scenario in scenario::all() {
        let overloads = matches!(scenario.name, "overload" | "slow");
        if !overloads && scenario.name != "flapping" {
            continue;
        }
        let record = run(&scenario)?;
        let figures = record.figures(&scenario.window);
        if overloads {
            let amplification = figures.amplification().unwrap_or(1.0);
            held.amplification.push((scenario.name, amplification));
        }
        if scenario.name == "overload" {
            let seconds = (scenario.window.end - scenario.window.start) as f64 / 1e9;
            held.goodput = figures.good as f64 / (seconds * SITE.capacity());
        }
        held.recoveries
            .push(recovered(scenario.name.to_owned(), &record, &scenario));
    }
    for seconds in OUTAGES {
        let scenario = scenario::outage(seconds);
        let of = format!("outage of {seconds} s");
        held.recoveries
            .push(recovered(of, &run(&scenario)?, &scenario));
    }
    Ok(held)
}

fn recovered(of: String, record: &Record, scenario: &Scenario) -> Recovery {
    let over = scenario.trouble.as_ref().map_or(0, |trouble| trouble.end);
    let before = record.log.openings.iter().rev().find(|of| of.at <= over);
    Recovery {
        of,
        took: recovery(record, scenario),
        open: before
            .filter(|opening| opening.until > over)
            .map(|opening| opening.until - opening.at),
    }
}
