//! How limits are divided that many hold to: never more than the limit, whatever happens to reports and reporters.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_core::{
    document::{InstanceId, Namespace, ServiceName, Timestamp},
    policy::{
        Section, Source, Target,
        guard::{Granted, GuardState, Guarded, Measured, PolicyName, Share, SharedLimit},
        report::{
            Limit, LimitKind, Received, Report, ReportError, ReportedBy, Reporter, ReporterKind,
        },
        spec::TargetKind,
    },
    registry::health::Moment,
};
use guildhall_resilience::limiter::shares::Part;
use proptest::prelude::*;

use super::super::{FleetOptions, board::Board};
use super::start;

fn limit() -> SharedLimit {
    SharedLimit {
        policy: PolicyName {
            namespace: Namespace::default(),
            name: "calm".to_owned(),
        },
        under: Target {
            kind: TargetKind::Service,
            namespace: Namespace::default(),
            name: "users".to_owned(),
            section_name: None,
        },
        name: "all".to_owned(),
        dry_run: false,
    }
}

fn row(part: Option<f64>, demand: f64) -> Limit {
    let SharedLimit {
        policy,
        under,
        name,
        dry_run,
    } = limit();
    Limit {
        kind: LimitKind::RateLimit,
        name,
        target: None,
        under: Some(under),
        dry_run,
        limit: None,
        used: None,
        waiting: None,
        passed: Some(1),
        rejected: 0,
        share: Some(Share {
            policy,
            part: part.map(Part::from_f64),
            demand: Some(Part::from_f64(demand)),
        }),
        policy: None,
    }
}

fn report(instance: &str, sequence: u64, full: bool, limits: Vec<Limit>) -> Report {
    Report {
        limits,
        ..super::report(instance, sequence, full, Vec::new())
    }
}

/// A board that has settled, and a moment of its.
fn settled() -> (Board, Moment) {
    let now = start();
    let options = FleetOptions {
        settles_in: Duration::ZERO,
        ..FleetOptions::default()
    };
    (Board::new(options, now.monotonic), now)
}

/// The part that a report is answered.
fn part(board: &mut Board, report: Report, now: Moment) -> Option<f64> {
    let Received { shares, .. } = board.take(report, now).unwrap();
    shares.first().map(|granted| granted.part.as_f64())
}

#[test]
fn what_one_gives_up_another_gets_once_the_first_holds_to_less() {
    let (mut board, now) = settled();
    let mut part = |report| part(&mut board, report, now);
    assert_eq!(part(report("a", 1, true, vec![row(None, 1.0)])), Some(1.0));
    assert_eq!(part(report("b", 1, true, vec![row(None, 1.0)])), None);
    let all = vec![row(Some(1.0), 1.0)];
    assert_eq!(part(report("a", 2, false, all)), Some(0.5));
    assert_eq!(part(report("b", 2, false, vec![row(None, 1.0)])), None);
    // A report without the limit says nothing of it.
    assert_eq!(part(report("a", 3, false, vec![])), None);
    assert_eq!(part(report("b", 3, false, vec![row(None, 1.0)])), None);
    let half = vec![row(Some(0.5), 1.0)];
    assert_eq!(part(report("a", 4, false, half)), Some(0.5));
    assert_eq!(part(report("b", 4, false, vec![row(None, 1.0)])), Some(0.5));
}

/// How a holder goes.
type Goes = fn(&mut Board, Moment);

#[test]
fn whoever_is_gone_gives_its_part_back() {
    let gone: [(&str, Goes); 5] = [
        ("it says farewell", |board, now| {
            board.take(report("a", 2, true, vec![]), now).unwrap();
        }),
        ("it is silent", |board, now| {
            board.expire(now.monotonic + Duration::from_secs(30));
        }),
        ("it tells everything without the limit", |board, now| {
            let other = Limit {
                name: "other".to_owned(),
                share: None,
                ..row(None, 0.0)
            };
            board.take(report("a", 2, true, vec![other]), now).unwrap();
        }),
        ("the limit is no shared one any more", |board, now| {
            let own = Limit {
                share: None,
                ..row(None, 0.0)
            };
            board.take(report("a", 2, false, vec![own]), now).unwrap();
        }),
        ("it has started anew", |board, now| {
            let mut anew = report("a", 1, true, vec![row(None, 0.0)]);
            anew.run = 2;
            board.take(anew, now).unwrap();
        }),
    ];
    for (why, goes) in gone {
        let (mut board, now) = settled();
        let first = report("a", 1, true, vec![row(None, 1.0)]);
        assert_eq!(part(&mut board, first, now), Some(1.0));
        let waits = report("b", 1, true, vec![row(None, 1.0)]);
        assert_eq!(part(&mut board, waits, now), None, "{why}");
        goes(&mut board, now);
        let second = report("b", 2, true, vec![row(None, 1.0)]);
        let got = part(&mut board, second, now).unwrap_or_default();
        assert!(got > 0.9, "{why}: {got}");
        assert!(board.statistics().shared_limits == 1, "{why}");
    }
}

#[test]
fn a_control_plane_that_has_just_started_gives_nothing_out() {
    let now = start();
    let mut board = Board::new(FleetOptions::default(), now.monotonic);
    let at = |millis| Moment {
        monotonic: now.monotonic + Duration::from_millis(millis),
        ..now
    };
    let held = |sequence| report("a", sequence, sequence == 1, vec![row(Some(0.7), 1.0)]);
    let new = |sequence| report("b", sequence, sequence == 1, vec![row(None, 1.0)]);
    assert_eq!(part(&mut board, new(1), at(0)), None);
    assert_eq!(part(&mut board, held(1), at(5999)), Some(0.5));
    assert_eq!(part(&mut board, new(2), at(5999)), None);
    // It did not hear that it is to have less, and holds to what it had.
    assert_eq!(part(&mut board, new(3), at(6000)), Some(0.3));
}

#[test]
fn the_last_to_leave_takes_the_ledger_along() {
    let (mut board, now) = settled();
    for instance in ["a", "b"] {
        board
            .take(report(instance, 1, true, vec![row(None, 1.0)]), now)
            .unwrap();
    }
    assert_eq!(board.statistics().shared_limits, 1);
    for instance in ["a", "b"] {
        board.take(report(instance, 2, true, vec![]), now).unwrap();
    }
    assert_eq!(board.statistics().shared_limits, 0);
}

#[test]
fn a_short_silence_leaves_whoever_holds_a_part_time_for_another_report() {
    let now = start();
    let options = FleetOptions {
        believed_for: Duration::from_secs(1),
        settles_in: Duration::ZERO,
        ..FleetOptions::default()
    };
    let mut board = Board::new(options, now.monotonic);
    board
        .take(report("a", 1, true, vec![row(None, 1.0)]), now)
        .unwrap();
    board.expire(now.monotonic + Duration::from_secs(9));
    assert_eq!(board.statistics().shared_limits, 1);
    board.expire(now.monotonic + Duration::from_secs(10));
    assert_eq!(board.statistics().reporters, 0);
}

/// Something that happens before a step.
#[derive(Clone, Debug)]
enum Happens {
    Nothing,
    /// The reports of a holder do not arrive in this step.
    LosesReport(usize),
    /// They do, but not their answers.
    LosesAnswer(usize),
    /// A holder is killed; if it is dead, it starts.
    DiesOrStarts(usize),
    /// Its limit goes out of use, or into it.
    HidesOrShows(usize),
    /// It stops, and says so.
    Stops(usize),
    /// It is asked for so many tenths of the limit.
    IsAskedFor(usize, u64),
    /// The control plane starts again.
    Restart,
    /// It is away for so many steps, and then starts again.
    Outage(usize),
}

const HOLDERS: usize = 4;

fn happens() -> impl Strategy<Value = Happens> {
    let who = || 0..HOLDERS;
    prop_oneof![
        4 => Just(Happens::Nothing),
        2 => who().prop_map(Happens::LosesReport),
        2 => who().prop_map(Happens::LosesAnswer),
        2 => who().prop_map(Happens::DiesOrStarts),
        2 => who().prop_map(Happens::HidesOrShows),
        1 => who().prop_map(Happens::Stops),
        3 => (who(), 0..20_u64).prop_map(|(who, tenths)| Happens::IsAskedFor(who, tenths)),
        1 => Just(Happens::Restart),
        1 => (1..30_usize).prop_map(Happens::Outage),
    ]
}

/// A process with one limit, whose reports are made by the reporter that gateways and SDKs have.
struct Holder {
    who: ReportedBy,
    runs: u32,
    reporter: Option<Reporter>,
    shown: bool,
    part: Option<Part>,
    tenths: u64,
    passed: u64,
    /// Answers that are heard with the next look.
    answer: Option<Result<Received, ReportError>>,
}

impl Holder {
    fn new(n: usize) -> Self {
        let who = ReportedBy {
            kind: ReporterKind::Service,
            namespace: Some(Namespace::default()),
            name: ServiceName::new("orders").unwrap(),
            instance: InstanceId::new(&format!("o{n}")).unwrap(),
        };
        let mut holder = Self {
            who,
            runs: 0,
            reporter: None,
            shown: true,
            part: None,
            tenths: 5,
            passed: 0,
            answer: None,
        };
        holder.start();
        holder
    }

    fn start(&mut self) {
        self.runs += 1;
        self.reporter = Some(Reporter::new(self.who.clone(), self.runs));
        (self.part, self.answer) = (None, None);
    }

    fn hold(&mut self, granted: &Granted) {
        // As `Guards` does.
        if self.shown {
            self.part = Some(granted.part);
        }
    }

    /// What it reports now, if anything.
    fn look(&mut self, now: Moment) -> Option<Report> {
        let answer = self.answer.take();
        if let Some(Ok(received)) = &answer {
            received
                .shares
                .iter()
                .for_each(|granted| self.hold(granted));
        }
        self.passed += 1;
        let state = self.shown.then(|| state(self));
        let reporter = self.reporter.as_mut()?;
        if let Some(answer) = answer {
            reporter.sent(&answer, now.monotonic);
        }
        reporter.observe(state, now);
        reporter.due(now.monotonic)
    }

    fn held(&self) -> u64 {
        self.part.map_or(0, Part::in_billionths)
    }
}

fn state(holder: &Holder) -> GuardState {
    let SharedLimit {
        policy,
        under,
        name,
        dry_run,
    } = limit();
    GuardState {
        guarded: Guarded::Target {
            target: under,
            rule: name.as_str().into(),
        },
        section: Section::RateLimit,
        source: Arc::new(Source::built_in(&Namespace::default())),
        tried: dry_run,
        measured: Measured::RateLimit {
            passed: holder.passed,
            refused: 0,
            share: Some(Share {
                policy,
                part: holder.part,
                demand: Some(Part::billionths(holder.tenths * 100_000_000)),
            }),
        },
    }
}

struct World {
    board: Board,
    settles: Instant,
    /// For so many steps.
    away: usize,
    holders: Vec<Holder>,
    start: Moment,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let start = start();
        let mut world = Self {
            board: Board::new(FleetOptions::default(), start.monotonic),
            settles: start.monotonic,
            away: 0,
            holders: (0..HOLDERS).map(Holder::new).collect(),
            start,
            now: start.monotonic,
        };
        world.restart();
        world
    }

    fn restart(&mut self) {
        let options = FleetOptions::default();
        self.settles = self.now + options.settles_in;
        self.board = Board::new(options, self.now);
    }

    fn step(&mut self, millis: u64, happens: &Happens) {
        self.now += Duration::from_millis(millis);
        let now = Moment {
            monotonic: self.now,
            wall: Timestamp(
                self.start.wall.0 + (self.now - self.start.monotonic).as_millis() as u64,
            ),
        };
        match *happens {
            Happens::DiesOrStarts(n) if self.holders[n].reporter.is_none() => {
                self.holders[n].start();
            }
            Happens::DiesOrStarts(n) => {
                let holder = &mut self.holders[n];
                (holder.reporter, holder.part, holder.answer) = (None, None, None);
            }
            Happens::Stops(n) => {
                let holder = &mut self.holders[n];
                let farewell = holder.reporter.take().and_then(|mut one| one.farewell());
                (holder.part, holder.answer) = (None, None);
                if let Some(farewell) = farewell
                    && self.away == 0
                {
                    self.board.take(farewell, now).unwrap();
                }
            }
            Happens::HidesOrShows(n) => {
                let holder = &mut self.holders[n];
                holder.shown = !holder.shown;
                holder.part = None;
            }
            Happens::IsAskedFor(n, tenths) => self.holders[n].tenths = tenths,
            Happens::Restart => self.restart(),
            Happens::Outage(steps) => self.away = steps,
            Happens::Nothing | Happens::LosesReport(_) | Happens::LosesAnswer(_) => {}
        }
        // Whom a new control plane does not hear from before it settles is cut off, and for such no promise is made.
        let reliable = self.now < self.settles;
        let away = self.away > 0;
        let lost = || Err(ReportError::Away("lost".to_owned()));
        for (n, holder) in self.holders.iter_mut().enumerate() {
            let Some(report) = holder.look(now) else {
                continue;
            };
            holder.answer = Some(match happens {
                _ if away => lost(),
                Happens::LosesReport(who) if *who == n && !reliable => lost(),
                Happens::LosesAnswer(who) if *who == n => {
                    self.board.take(report, now).unwrap();
                    lost()
                }
                _ => Ok(self.board.take(report, now).unwrap()),
            });
        }
        self.board.expire(self.now);
        if away {
            self.away -= 1;
            if self.away == 0 {
                self.restart();
            }
        }
    }

    fn held(&self) -> u64 {
        self.holders.iter().map(Holder::held).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_held_never_sums_to_more_than_the_limit_and_all_of_it_is_given_out(
        steps in prop::collection::vec((50..=1000_u64, happens()), 1..120),
    ) {
        let mut world = World::new();
        for (millis, happens) in &steps {
            world.step(*millis, happens);
            let held = world.held();
            prop_assert!(held <= Part::ALL.in_billionths(), "{held} after {happens:?}");
        }
        for holder in &mut world.holders {
            holder.shown = true;
            if holder.reporter.is_none() {
                holder.start();
            }
        }
        for _ in 0..60 {
            world.step(1000, &Happens::Nothing);
            prop_assert!(world.held() <= Part::ALL.in_billionths());
        }
        prop_assert!(world.holders.iter().all(|holder| holder.part.is_some()));
        prop_assert!(world.held() >= Part::ALL.in_billionths() - 10, "{}", world.held());
    }
}
