//! The machines of checks against a naive reference, and what instances make of transitions.

use std::time::{Duration, Instant};

use guildhall_core::{
    document::Timestamp,
    registry::{
        Check, CheckState, Health, InstanceStatus, Maintenance, MaintenanceMode,
        health::{CheckOutcome, Lapse, Machine, Moment},
        status::{derived, verdict},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::instance;

/// `millis` after the clocks began.
struct Clock(Instant);

impl Clock {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn at(&self, millis: u64) -> Moment {
        Moment {
            monotonic: self.0 + Duration::from_millis(millis),
            wall: Timestamp(millis),
        }
    }
}

fn check(json: Value) -> Check {
    serde_json::from_value(json).unwrap()
}

#[test]
fn a_missed_ttl_is_critical_at_its_deadline_and_removal_counts_from_then() {
    let clock = Clock::new();
    let check = check(json!({"type": "ttl", "ttl": "10s", "deregisterAfter": "1m"}));
    let mut machine = Machine::new(&check, None, clock.at(0));
    assert_eq!(machine.state(), CheckState::Starting);
    assert_eq!(
        machine
            .record(CheckOutcome::Passing, "", clock.at(4_000))
            .unwrap()
            .to,
        CheckState::Passing
    );
    assert_eq!(
        machine.record(CheckOutcome::Passing, "", clock.at(5_000)),
        None
    );
    assert_eq!(machine.deadline(), Some(clock.at(15_000).monotonic));
    assert_eq!(machine.lapse(clock.at(14_999)), None);
    let Some(Lapse::Missed(missed)) = machine.lapse(clock.at(15_000)) else {
        panic!("not missed");
    };
    assert_eq!(
        (missed.from, missed.to),
        (CheckState::Passing, CheckState::Critical)
    );
    assert_eq!(
        (&*missed.check, &*missed.output, missed.at),
        ("ttl", "nothing heard for 10s", Timestamp(15_000))
    );
    assert_eq!(machine.deadline(), Some(clock.at(75_000).monotonic));
    assert_eq!(machine.lapse(clock.at(74_999)), None);
    assert_eq!(machine.lapse(clock.at(75_000)), Some(Lapse::Deregister));
    assert_eq!(
        machine.lapse(clock.at(76_000)),
        Some(Lapse::Deregister),
        "until somebody has done it"
    );
    assert_eq!(
        machine
            .record(CheckOutcome::Passing, "", clock.at(77_000))
            .unwrap()
            .to,
        CheckState::Passing
    );
    assert_eq!(machine.lapse(clock.at(78_000)), None);
}

#[test]
fn the_platforms_own_lag_counts_against_nobody() {
    let clock = Clock::new();
    let ttl = check(json!({"type": "ttl", "ttl": "10s", "deregisterAfter": "10s"}));
    let mut machine = Machine::new(&ttl, Some(CheckState::Passing), clock.at(0));
    machine.extend(Duration::from_secs(60));
    assert_eq!(machine.lapse(clock.at(69_999)), None);
    assert!(matches!(
        machine.lapse(clock.at(70_000)),
        Some(Lapse::Missed(_))
    ));
    machine.extend(Duration::from_secs(60));
    assert_eq!(machine.deadline(), Some(clock.at(140_000).monotonic));

    let tcp = check(json!({"type": "tcp", "deregisterAfter": "10s"}));
    let mut machine = Machine::new(&tcp, Some(CheckState::Critical), clock.at(0));
    machine.extend(Duration::from_secs(5));
    assert_eq!(machine.lapse(clock.at(14_999)), None);
    assert_eq!(machine.lapse(clock.at(15_000)), Some(Lapse::Deregister));
}

#[test]
fn a_break_in_being_critical_starts_the_count_anew() {
    let clock = Clock::new();
    let check = check(json!({"type": "http", "fall": 1, "deregisterAfter": "10s"}));
    let mut machine = Machine::new(&check, None, clock.at(0));
    assert_eq!(machine.deadline(), None);
    machine.record(CheckOutcome::Critical, "", clock.at(1_000));
    machine.record(CheckOutcome::Critical, "", clock.at(5_000));
    assert_eq!(
        machine.deadline(),
        Some(clock.at(11_000).monotonic),
        "from the first failure"
    );
    machine.record(CheckOutcome::Warning, "", clock.at(6_000));
    assert_eq!(machine.deadline(), None);
    machine.record(CheckOutcome::Critical, "", clock.at(7_000));
    assert_eq!(machine.deadline(), Some(clock.at(17_000).monotonic));
}

#[test]
fn output_is_kept_up_to_4_kib() {
    let clock = Clock::new();
    let mut machine = Machine::new(&check(json!({"type": "tcp"})), None, clock.at(0));
    let output = "€".repeat(5_000);
    let transition = machine
        .record(CheckOutcome::Critical, &output, clock.at(1))
        .unwrap();
    assert_eq!(transition.output.len(), 4095);
}

/// What a check was told, newest last, decides what it says: the reference keeps it all and looks
/// through it each time.
fn reference(first: CheckState, told: &[CheckOutcome], rise: usize, fall: usize) -> CheckState {
    let mut state = first;
    for (n, last) in told.iter().enumerate() {
        let since = told[..=n].iter().rev();
        let failing = since
            .clone()
            .take_while(|o| **o == CheckOutcome::Critical)
            .count();
        let used = since.take_while(|o| **o != CheckOutcome::Critical).count();
        state = match state {
            CheckState::Starting => last.state(),
            CheckState::Critical if used >= rise => last.state(),
            CheckState::Passing | CheckState::Warning if failing >= fall => CheckState::Critical,
            CheckState::Passing | CheckState::Warning if used > 0 => last.state(),
            unchanged => unchanged,
        };
    }
    state
}

fn outcomes() -> impl Strategy<Value = Vec<CheckOutcome>> {
    prop::collection::vec(prop::sample::select(CheckOutcome::ALL.to_vec()), 0..40)
}

fn states() -> impl Strategy<Value = CheckState> {
    use CheckState::{Critical, Passing, Starting, Warning};
    prop::sample::select(vec![Starting, Passing, Warning, Critical])
}

#[derive(Clone, Debug)]
enum Event {
    Report(CheckOutcome),
    Wait(u64),
    Lag(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        prop::sample::select(CheckOutcome::ALL.to_vec()).prop_map(Event::Report),
        (1..4_000u64).prop_map(Event::Wait),
        (1..4_000u64).prop_map(Event::Lag),
    ];
    prop::collection::vec(event, 0..40)
}

proptest! {
    #[test]
    fn rise_and_fall_follow_the_reference(first in states(), told in outcomes(), rise in 1..4usize, fall in 1..4usize) {
        let clock = Clock::new();
        let check = check(json!({"type": "tcp", "rise": rise, "fall": fall}));
        let mut machine = Machine::new(&check, Some(first), clock.at(0));
        for n in 0..told.len() {
            let before = machine.state();
            let transition = machine.record(told[n], "", clock.at(n as u64));
            prop_assert_eq!(machine.state(), reference(first, &told[..=n], rise, fall));
            prop_assert_eq!(transition.is_some(), before != machine.state());
            if let Some(transition) = transition {
                prop_assert_eq!((transition.from, transition.to), (before, machine.state()));
            }
        }
    }

    /// The reference counts silence second by second instead of keeping deadlines.
    #[test]
    fn ttl_follows_the_reference(events in events()) {
        const TTL: u64 = 3_000;
        const AFTER: u64 = 5_000;
        let clock = Clock::new();
        let check = check(json!({"type": "ttl", "ttl": "3s", "deregisterAfter": "5s"}));
        let mut machine = Machine::new(&check, None, clock.at(0));
        let (mut now, mut silent, mut critical) = (0, 0, None::<u64>);
        let mut state = CheckState::Starting;
        for event in events {
            match event {
                Event::Report(outcome) => {
                    if outcome == CheckOutcome::Critical && state != CheckState::Critical {
                        critical = Some(0);
                    }
                    (silent, state) = (0, outcome.state());
                    machine.record(outcome, "", clock.at(now));
                }
                Event::Wait(millis) => {
                    now += millis;
                    silent += millis;
                    if state == CheckState::Critical {
                        critical = critical.map(|time| time + millis);
                    }
                    let expect = match state {
                        CheckState::Critical if critical.unwrap() >= AFTER => Some(true),
                        CheckState::Critical => None,
                        _ if silent >= TTL => Some(false),
                        _ => None,
                    };
                    if expect == Some(false) {
                        (state, critical) = (CheckState::Critical, Some(0));
                    }
                    let due = machine.deadline().is_some_and(|at| at <= clock.at(now).monotonic);
                    prop_assert_eq!(due, expect.is_some());
                    let lapse = machine.lapse(clock.at(now)).map(|lapse| lapse == Lapse::Deregister);
                    prop_assert_eq!(lapse, expect);
                }
                // The platform stood still: time went by, and nobody is to pay for it.
                Event::Lag(millis) => {
                    now += millis;
                    machine.extend(Duration::from_millis(millis));
                }
            }
            prop_assert_eq!(machine.state(), state);
        }
    }
}

#[test]
fn the_verdict_of_every_pair_of_checks_and_of_maintenance() {
    use CheckState::{Critical, Passing, Starting, Warning};
    let states = [Starting, Passing, Warning, Critical];
    let mut table = format!("none -> {:?}\n", verdict([], None));
    for a in states {
        for b in states {
            table += &format!("{a:?} {b:?} -> {:?}\n", verdict([a, b], None));
        }
    }
    for mode in [MaintenanceMode::Maintenance, MaintenanceMode::Draining] {
        let maintenance = Maintenance {
            mode,
            reason: String::new(),
            by: String::new(),
        };
        table += &format!(
            "{mode:?} -> {:?}\n",
            verdict([Critical], Some(&maintenance))
        );
    }
    insta::assert_snapshot!("verdict", table);
}

#[test]
fn an_instances_status_follows_its_checks_and_its_operators() {
    let clock = Clock::new();
    let document = instance(
        "s",
        "a",
        json!({"checks": [{"type": "tcp"}, {"type": "ttl", "ttl": "5s"}]}),
    );
    let guildhall_core::document::Document::Instance(object) = document else {
        unreachable!()
    };
    let mut status = derived(&object.spec, &[], Timestamp(1));
    assert_eq!(
        (status.health, status.since, status.checks.len()),
        (Health::Starting, Timestamp(1), 2)
    );
    let mut machines: Vec<Machine> = object
        .spec
        .checks
        .iter()
        .map(|check| Machine::new(check, None, clock.at(1)))
        .collect();

    let tcp = machines[0]
        .record(CheckOutcome::Passing, "connected", clock.at(2))
        .unwrap();
    let entry = status.record(&tcp).unwrap();
    assert_eq!(
        (entry.from, entry.to, entry.check.as_deref()),
        (Health::Starting, Health::Starting, Some("tcp"))
    );
    assert_eq!(status.since, Timestamp(1), "the health did not change");
    let ttl = machines[1]
        .record(CheckOutcome::Passing, "", clock.at(3))
        .unwrap();
    let entry = status.record(&ttl).unwrap();
    assert_eq!(
        (entry.to, entry.state),
        (Health::Healthy, Some(CheckState::Passing))
    );
    assert_eq!(
        (status.health, status.since),
        (Health::Healthy, Timestamp(3))
    );

    let held = Maintenance {
        mode: MaintenanceMode::Draining,
        reason: "disk".into(),
        by: "ops".into(),
    };
    let entry = status.hold(Some(held.clone()), Timestamp(4)).unwrap();
    assert_eq!(
        (entry.to, &*entry.output, entry.check),
        (Health::Draining, "disk", None)
    );
    assert_eq!(status.hold(Some(held), Timestamp(5)), None);
    assert_eq!(status.hold(None, Timestamp(6)).unwrap().to, Health::Healthy);

    let checks = [
        check(json!({"type": "ttl", "ttl": "9s"})),
        check(json!({"type": "http"})),
    ];
    let mut changed = status.clone();
    changed.fit(&checks, Timestamp(7));
    let names: Vec<_> = changed
        .checks
        .iter()
        .map(|check| (&*check.name, check.state))
        .collect();
    assert_eq!(
        names,
        [("ttl", CheckState::Passing), ("http", CheckState::Starting)]
    );
    assert_eq!(
        (changed.health, changed.since),
        (Health::Starting, Timestamp(7))
    );
    let fits = changed.clone();
    changed.fit(&checks, Timestamp(8));
    assert_eq!(changed, fits);
    assert_eq!(changed.record(&tcp), None, "the check is gone");
    let json = serde_json::to_string(&changed).unwrap();
    assert_eq!(
        serde_json::from_str::<InstanceStatus>(&json).unwrap(),
        changed
    );
}
