//! What is told when, and what a sink that fails changes about it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_resilience::{
    Outcome,
    breaker::{self, Config, State},
    limiter::shares::Part,
};

use guildhall_core::{
    document::{InstanceId, Namespace, ServiceName, Timestamp},
    policy::{
        Section, Source, Target,
        guard::{GuardState, Guarded, Measured, PolicyName, Share},
        report::{
            Event, Limit, MAX_ENTRIES, PolicyRef, Received, Report, ReportError, ReportedBy,
            Reporter, ReporterKind,
        },
        spec::TargetKind,
    },
    registry::health::Moment,
    route::table::{ClusterKey, Subset},
};

const OK: Result<Received, ReportError> = Ok(Received {
    full: false,
    shares: Vec::new(),
});
const EVERYTHING: Result<Received, ReportError> = Ok(Received {
    full: true,
    shares: Vec::new(),
});

fn who() -> ReportedBy {
    ReportedBy {
        kind: ReporterKind::Service,
        namespace: Some(Namespace::default()),
        name: ServiceName::new("order-service").unwrap(),
        instance: InstanceId::new("o1").unwrap(),
    }
}

fn state(service: &str, measured: Measured) -> GuardState {
    GuardState {
        guarded: Guarded::Service(ClusterKey {
            namespace: Namespace::default(),
            service: ServiceName::new(service).unwrap(),
            subset: Subset::DefaultPort,
        }),
        section: Section::CircuitBreaker,
        source: Arc::new(Source::built_in(&Namespace::default())),
        tried: false,
        measured,
    }
}

/// A breaker as `Guards` shows it.
fn shown(service: &str, breaker: &breaker::Breaker, made: Instant, now: Instant) -> GuardState {
    let snapshot = breaker.snapshot(now);
    let since = snapshot.last_transition.map_or(made, |last| last.at);
    let measured = Measured::Breaker {
        snapshot: Box::new(snapshot),
        since,
        forced: None,
    };
    state(service, measured)
}

/// A reporter with real breakers, and a clock that is turned by hand.
struct World {
    reporter: Reporter,
    breakers: Vec<(String, breaker::Breaker)>,
    start: Instant,
    now: Instant,
}

impl World {
    fn new(services: &[&str]) -> Self {
        let start = origin();
        let config = || {
            Config::builder()
                .consecutive_failures(Some(2))
                .build()
                .unwrap()
        };
        let breakers = services.iter().map(|name| {
            (
                (*name).to_owned(),
                breaker::Breaker::new(config(), 1, start),
            )
        });
        Self {
            reporter: Reporter::new(who(), 7),
            breakers: breakers.collect(),
            start,
            now: start,
        }
    }

    fn advance(&mut self, millis: u64) -> &mut Self {
        self.now += Duration::from_millis(millis);
        self
    }

    fn call(&mut self, outcome: Outcome) {
        if let Ok(permit) = self.breakers[0].1.acquire(self.now) {
            permit.record(outcome, self.now);
        }
    }

    /// Shows all breakers and asks for a report.
    fn report(&mut self) -> Option<Report> {
        let wall = 1_000_000 + (self.now - self.start).as_millis() as u64;
        let moment = Moment {
            monotonic: self.now,
            wall: Timestamp(wall),
        };
        let breakers = self.breakers.iter();
        let shown = breakers.map(|(name, breaker)| shown(name, breaker, self.start, self.now));
        self.reporter.observe(shown, moment);
        self.reporter.due(self.now)
    }

    /// The same, and the report is taken.
    fn taken(&mut self) -> Option<Report> {
        let report = self.report();
        self.reporter.sent(&OK, self.now);
        report
    }
}

fn origin() -> Instant {
    Instant::now()
}

#[test]
fn everything_comes_first_then_figures_each_second_while_they_change() {
    let mut world = World::new(&["users", "stock"]);
    let first = world.taken().unwrap();
    assert_eq!(
        (first.full, first.sequence, first.breakers.len()),
        (true, 1, 2)
    );
    assert!(world.advance(5000).taken().is_none(), "nothing has changed");

    world.call(Outcome::Success);
    let second = world.advance(50).taken().unwrap();
    assert_eq!((second.full, second.breakers.len()), (false, 1));
    assert_eq!(second.breakers[0].statistics.successful, 1);
    world.call(Outcome::Success);
    assert!(world.advance(950).taken().is_none());
    assert!(world.advance(50).taken().is_some());

    let full = world.advance(4000).taken().unwrap();
    assert!(full.full, "ten seconds, but for this run's share of one");
}

#[test]
fn a_transition_is_told_at_once_with_its_reason_and_its_time() {
    let mut world = World::new(&["users"]);
    world.taken().unwrap();
    world.advance(1020);
    world.call(Outcome::Failure);
    world.call(Outcome::Failure);
    let report = world.advance(30).taken().unwrap();
    let Event { transition, .. } = &report.events[0];
    assert_eq!(transition.reason, "2 calls failed in a row");
    assert_eq!(transition.at, Timestamp(1_001_020));
    assert_eq!(report.breakers[0].state, State::Open);
    assert_eq!(report.breakers[0].since, Timestamp(1_001_020));

    // The clocks' readings drift apart by a millisecond: that is no news.
    world.advance(1200);
    let shown = shown("users", &world.breakers[0].1, world.start, world.now);
    world.reporter.observe(
        [shown],
        Moment {
            monotonic: world.now,
            wall: Timestamp(1_002_251),
        },
    );
    assert_eq!(world.reporter.due(world.now), None);
}

#[test]
fn what_was_not_taken_is_told_again_whole_after_a_pause() {
    let mut world = World::new(&["users", "stock"]);
    world.taken().unwrap();
    world.advance(2000);
    world.call(Outcome::Failure);
    world.call(Outcome::Failure);
    let lost = world.report().unwrap();
    assert_eq!((lost.full, lost.events.len()), (false, 1));
    assert!(world.advance(5000).report().is_none(), "one at a time");
    let away = Err(ReportError::Away("gone".to_owned()));
    world.reporter.sent(&away, world.now);
    assert!(world.advance(900).report().is_none());
    let again = world.advance(100).report().unwrap();
    assert_eq!(
        (again.full, again.breakers.len(), &again.events),
        (true, 2, &lost.events)
    );

    // Each failure doubles the pause; a refusal has a long one of its own.
    world.reporter.sent(&away, world.now);
    assert!(world.advance(1999).report().is_none());
    assert!(world.advance(1).report().is_some());
    let refused = Err(ReportError::Refused("no".to_owned()));
    world.reporter.sent(&refused, world.now);
    assert!(world.advance(59_999).report().is_none());
    assert!(world.advance(1).taken().is_some());
    assert!(world.taken().is_none());
}

#[test]
fn a_receiver_that_misses_something_gets_everything_at_once() {
    let mut world = World::new(&["users", "stock"]);
    world.taken().unwrap();
    world.advance(1000);
    world.call(Outcome::Success);
    assert!(!world.report().unwrap().full);
    world.reporter.sent(&EVERYTHING, world.now);
    let all = world.report().unwrap();
    assert_eq!((all.full, all.breakers.len()), (true, 2));
    // One that is never content is treated as one that fails.
    world.reporter.sent(&EVERYTHING, world.now);
    assert!(world.report().is_none());
    assert!(world.advance(1000).report().is_some());
}

#[test]
fn machines_that_are_gone_are_told_by_their_absence_once() {
    let mut world = World::new(&["users"]);
    world.taken().unwrap();
    world.breakers.clear();
    let last = world.advance(1000).taken().unwrap();
    assert_eq!((last.full, last.breakers.len()), (true, 0));
    assert!(
        world.advance(60_000).taken().is_none(),
        "who has nothing says nothing"
    );
}

#[test]
fn the_least_telling_find_no_room_and_are_counted() {
    let names: Vec<String> = (0..MAX_ENTRIES + 3).map(|n| format!("s{n:04}")).collect();
    let names: Vec<&str> = names.iter().rev().map(String::as_str).collect();
    let mut world = World::new(&names);
    world.call(Outcome::Failure);
    world.call(Outcome::Failure);
    let report = world.taken().unwrap();
    assert_eq!((report.breakers.len(), report.omitted), (MAX_ENTRIES, 3));
    assert_eq!(report.breakers[0].state, State::Open);
    report.validate().unwrap();
    let mut large = report;
    large.breakers.push(large.breakers[0].clone());
    large.breakers[0].target.subset = "x".repeat(2000);
    let problems = large.validate().unwrap_err();
    assert_eq!(problems.0[0].pointer, "/breakers");
    assert_eq!(problems.0[1].pointer, "/breakers/0/target/subset");
}

/// A limit that others hold to, as `Guards` shows it.
fn shared(part: f64) -> GuardState {
    let share = Share {
        policy: PolicyName {
            namespace: Namespace::default(),
            name: "p".to_owned(),
        },
        part: Some(Part::from_f64(part)),
        demand: None,
    };
    let under = Target {
        kind: TargetKind::Service,
        namespace: Namespace::default(),
        name: "users".to_owned(),
        section_name: None,
    };
    GuardState {
        guarded: Guarded::Target {
            target: under,
            rule: "all".into(),
        },
        ..state(
            "users",
            Measured::RateLimit {
                passed: 1,
                refused: 0,
                share: Some(share),
            },
        )
    }
}

#[test]
fn a_limit_that_others_hold_to_is_told_every_three_seconds_and_soon_after_a_failure() {
    let mut world = World::new(&[]);
    let mut reporter = Reporter::new(who(), 7);
    let due = |world: &mut World, reporter: &mut Reporter, millis, part| {
        let now = world.advance(millis).now;
        let moment = Moment {
            monotonic: now,
            wall: Timestamp(0),
        };
        reporter.observe(
            [
                shared(part),
                state("users", Measured::Deadline { refused: 0 }),
            ],
            moment,
        );
        reporter.due(now)
    };
    let first = due(&mut world, &mut reporter, 0, 0.5).unwrap();
    assert_eq!((first.full, first.limits.len()), (true, 2));
    assert!(reporter.awaits(1) && !reporter.awaits(2));
    reporter.sent(&OK, world.now);
    assert!(!reporter.awaits(1));
    assert_eq!(due(&mut world, &mut reporter, 2999, 0.5), None);
    let again = due(&mut world, &mut reporter, 1, 0.5).unwrap();
    assert_eq!((again.full, again.limits.len()), (false, 1));
    let told = again.limits[0].share.as_ref().unwrap();
    assert_eq!(told.part, Some(Part::from_f64(0.5)));
    reporter.sent(&OK, world.now);
    // Another part is told as figures are.
    assert_eq!(due(&mut world, &mut reporter, 999, 0.25), None);
    assert!(due(&mut world, &mut reporter, 1, 0.25).is_some());

    let away = Err(ReportError::Away("gone".to_owned()));
    for pause in [1000, 2000, 3000, 3000] {
        reporter.sent(&away, world.now);
        assert_eq!(due(&mut world, &mut reporter, pause - 1, 0.25), None);
        assert!(due(&mut world, &mut reporter, 1, 0.25).unwrap().full);
    }
}

#[test]
fn what_others_hold_to_always_finds_room() {
    let names: Vec<String> = (0..MAX_ENTRIES).map(|n| format!("s{n:04}")).collect();
    let world = World::new(&[]);
    let mut reporter = Reporter::new(who(), 7);
    let refused = names
        .iter()
        .map(|name| state(name, Measured::Deadline { refused: 9 }));
    let moment = Moment {
        monotonic: world.now,
        wall: Timestamp(0),
    };
    reporter.observe(refused.chain([shared(0.5)]), moment);
    let report = reporter.due(world.now).unwrap();
    assert_eq!((report.limits.len(), report.omitted), (MAX_ENTRIES, 1));
    assert!(report.limits[0].share.is_some());
}

#[test]
fn a_report_reads_back() {
    let mut world = World::new(&["users"]);
    world.call(Outcome::Failure);
    world.call(Outcome::Failure);
    let mut report = world.report().unwrap();
    report.breakers[0].policy = Some(PolicyRef {
        namespace: Namespace::default(),
        name: "p".to_owned(),
        revision: 4,
    });
    let bulkhead = Measured::Bulkhead {
        in_flight: 3,
        queued: 1,
        limit: 4,
        refused: 2,
    };
    let now = Moment {
        monotonic: world.now,
        wall: Timestamp(0),
    };
    let mut reporter = Reporter::new(who(), 1);
    reporter.observe([state("users", bulkhead), shared(0.3)], now);
    report.limits = reporter.due(world.now).unwrap().limits;
    let Limit { limit, used, .. } = &report.limits[1];
    assert_eq!((*limit, *used), (Some(4), Some(3)));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    assert!(json.contains(r#""state":"OPEN""#), "{json}");
    let odd = json.replace(r#""state":"OPEN""#, r#""state":"AJAR""#);
    let error = serde_json::from_str::<Report>(&odd)
        .unwrap_err()
        .to_string();
    assert!(error.contains("HALF_OPEN"), "{error}");
}
