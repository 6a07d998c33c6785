//! What is granted: never too much, whatever is lost, and in the end to everybody what is fair.

use std::fmt::Write;

use guildhall_resilience::limiter::shares::{Claim, FLOORS, Part, Shares, UNTOLD};
use proptest::prelude::*;

use super::{Round, claim, second, start};

#[test]
fn who_gets_how_much() {
    let mut table = String::new();
    for demands in [
        &[0.0][..],
        &[5.0],
        &[0.0, 0.0],
        &[2.0, 2.0],
        &[0.3, 0.0],
        &[0.3, 0.6],
        &[0.3, 2.0],
        &[2.0, 0.0],
        &[0.1, 0.2, 0.9],
        &[1.0, 1.0, 1.0],
        &[0.05, 0.5, 0.5, 4.0],
        &[0.0, 0.0, 0.0, 0.0, 1.0],
    ] {
        let mut round = Round::new(demands.len());
        for _ in 0..5 {
            round.turn(demands);
        }
        let parts = round.parts().join(" ");
        writeln!(table, "{demands:?}: {parts}").unwrap();
    }
    insta::assert_snapshot!(table, @r"
    [0.0]: 100%
    [5.0]: 100%
    [0.0, 0.0]: 50% 50%
    [2.0, 2.0]: 50% 50%
    [0.3, 0.0]: 92.3% 7.7%
    [0.3, 0.6]: 33.3% 66.7%
    [0.3, 2.0]: 30% 70%
    [2.0, 0.0]: 97.5% 2.5%
    [0.1, 0.2, 0.9]: 10% 20% 70%
    [1.0, 1.0, 1.0]: 33.3% 33.3% 33.3%
    [0.05, 0.5, 0.5, 4.0]: 5% 31.7% 31.7% 31.7%
    [0.0, 0.0, 0.0, 0.0, 1.0]: 1% 1% 1% 1% 96%
    ");
}

/// What a holder hears that reports something to a ledger in which another one has something.
#[test]
fn every_report_in_every_state() {
    let held = |part: f64| Some(Part::from_f64(part));
    let states = [
        ("nobody else", None),
        ("another has all", Some((1.0, 1.0))),
        ("another has half", Some((0.5, 1.0))),
        ("another is idle", Some((0.025, 0.0))),
    ];
    let reports = [
        ("is new", None, None),
        ("is new and busy", None, Some(2.0)),
        ("is new and idle", None, Some(0.0)),
        ("has a crumb", held(0.01), Some(2.0)),
        ("has half", held(0.5), Some(2.0)),
        ("has all", held(1.0), Some(2.0)),
        ("has half, idle", held(0.5), Some(0.0)),
    ];
    let mut table = String::new();
    for (state, other) in states {
        for (report, held, demand) in reports {
            let now = start();
            // Who reports before that keeps what it says it has.
            let settled = now + second();
            let mut shares = Shares::new(settled);
            if let Some((part, demand)) = other {
                shares.report(&"other", claim(Some(Part::from_f64(part)), demand), now);
            }
            let claim = Claim {
                held,
                demand: demand.map(Part::from_f64),
            };
            let told = shares.report(&"it", claim, settled);
            let told = told.map_or("waits".to_owned(), |part| part.to_string());
            writeln!(
                table,
                "{state:<16} {report:<16} {told:<6} ({})",
                shares.taken()
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(table, @r"
    nobody else      is new           100%   (100%)
    nobody else      is new and busy  100%   (100%)
    nobody else      is new and idle  100%   (100%)
    nobody else      has a crumb      100%   (100%)
    nobody else      has half         100%   (100%)
    nobody else      has all          100%   (100%)
    nobody else      has half, idle   100%   (100%)
    another has all  is new           waits  (100%)
    another has all  is new and busy  waits  (100%)
    another has all  is new and idle  waits  (100%)
    another has all  has a crumb      1%     (101%)
    another has all  has half         50%    (150%)
    another has all  has all          50%    (200%)
    another has all  has half, idle   2.5%   (150%)
    another has half is new           10%    (60%)
    another has half is new and busy  50%    (100%)
    another has half is new and idle  2.5%   (52.5%)
    another has half has a crumb      50%    (100%)
    another has half has half         50%    (100%)
    another has half has all          50%    (150%)
    another has half has half, idle   2.5%   (100%)
    another is idle  is new           80%    (82.5%)
    another is idle  is new and busy  97.5%  (100%)
    another is idle  is new and idle  50%    (52.5%)
    another is idle  has a crumb      97.5%  (100%)
    another is idle  has half         97.5%  (100%)
    another is idle  has all          97.5%  (102.5%)
    another is idle  has half, idle   50%    (52.5%)
    ");
}

#[test]
fn nobody_gains_before_the_predecessors_holders_were_heard() {
    let now = start();
    let mut shares = Shares::new(now + second() * 5);
    let part = Part::from_f64(0.6);
    assert_eq!(shares.report(&"new", claim(None, 2.0), now), None);
    // Somebody whom this ledger does not know has it from the one before.
    assert_eq!(
        shares.report(&"old", claim(Some(part), 2.0), now),
        Some(Part::from_f64(0.5))
    );
    let half = Some(Part::from_f64(0.5));
    let later = now + second() * 4;
    assert_eq!(shares.report(&"old", claim(half, 2.0), later), half);
    assert_eq!(shares.report(&"new", claim(None, 2.0), later), None);
    let settled = now + second() * 5;
    assert_eq!(shares.report(&"new", claim(None, 2.0), settled), half);
}

#[test]
fn who_leaves_gives_its_part_back_and_who_comes_back_keeps_what_it_had() {
    let mut round = Round::new(2);
    for _ in 0..4 {
        round.turn(&[2.0, 2.0]);
    }
    assert_eq!(round.parts(), ["50%", "50%"]);
    // Cut off: it keeps its half, and after a while the other one gets all.
    round.shares.leave(&1);
    let all = round
        .shares
        .report(&0, claim(round.held[0], 2.0), round.now);
    assert_eq!(all, Some(Part::ALL));
    round.held[0] = all;
    // Back again: too much for a moment, until the other one has given it up.
    round.turn(&[2.0, 2.0]);
    assert_eq!(round.parts(), ["100%", "50%"]);
    round.turn(&[2.0, 2.0]);
    round.turn(&[2.0, 2.0]);
    assert_eq!(round.parts(), ["50%", "50%"]);
    assert_eq!(round.shares.taken(), Part::ALL);
}

#[test]
fn thousands_are_worked_out_ten_times_a_second() {
    let mut round = Round::new(2_000);
    let demands = vec![0.01; 2_000];
    for _ in 0..4 {
        round.turn(&demands);
    }
    let fair = Part::ALL.in_billionths() / 2_000;
    for part in &round.held {
        assert_eq!(part.map(Part::in_billionths), Some(fair));
    }
}

/// Something that happens to one of the holders.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It reports; the answer arrives or is lost.
    Reports { answered: bool },
    /// It is asked for so much, in hundredths.
    Asked(u64),
    /// It ends, and the coordinator notices.
    Ends,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Reports { answered: true }),
        2 => Just(Event::Reports { answered: false }),
        2 => (0..300u64).prop_map(Event::Asked),
        1 => Just(Event::Ends),
    ]
}

proptest! {
    /// What holders were told never sums to more than the limit, at any moment.
    #[test]
    fn what_is_granted_never_sums_to_more_than_the_limit(
        events in prop::collection::vec((0..6usize, event(), 0..400u64), 1..400),
    ) {
        let mut now = start();
        let mut shares = Shares::new(now);
        let mut holders = [(None::<Part>, 0.0); 6];
        for (at, event, pause) in events {
            now += std::time::Duration::from_millis(pause);
            let (held, demand) = &mut holders[at];
            match event {
                Event::Reports { answered } => {
                    let told = shares.report(&at, claim(*held, *demand), now);
                    if answered && told.is_some() {
                        *held = told;
                    }
                }
                Event::Asked(hundredths) => *demand = hundredths as f64 / 100.0,
                Event::Ends => {
                    *held = None;
                    shares.leave(&at);
                }
            }
            let sum: u64 = holders.iter().filter_map(|(held, _)| *held).map(Part::in_billionths).sum();
            prop_assert!(sum <= Part::ALL.in_billionths(), "{holders:?}");
            prop_assert!(shares.taken() <= Part::ALL);
        }
    }

    /// Once demands stay what they are and answers arrive, everybody has a part that is fair.
    #[test]
    fn it_comes_to_rest_where_nobody_is_worse_off_than_who_asks_for_more(
        demands in prop::collection::vec(0..200u64, 1..12),
        before in prop::collection::vec(0..200u64, 12),
    ) {
        let of = |hundredths: &u64| *hundredths as f64 / 100.0;
        let n = demands.len();
        let mut round = Round::new(n);
        let (before, demands): (Vec<f64>, Vec<f64>) =
            (before[..n].iter().map(of).collect(), demands.iter().map(of).collect());
        for _ in 0..5 {
            round.turn(&before);
        }
        for _ in 0..4 {
            round.turn(&demands);
        }
        let parts: Vec<f64> = round.held.iter().map(|part| part.unwrap().as_f64()).collect();
        let sum: f64 = parts.iter().sum();
        prop_assert!(sum <= 1.0 + 1e-9 && sum > 1.0 - 1e-6, "all is given: {parts:?}");
        let floor = FLOORS.as_f64() / n as f64;
        let rest = parts.clone();
        for (part, demand) in parts.iter().zip(&demands) {
            prop_assert!(*part >= floor - 1e-6, "{parts:?}");
            // Who does not get what it asks for gets as much as anybody does.
            let most = rest.iter().copied().fold(0.0, f64::max);
            prop_assert!(*part >= demand.min(1.0) - 1e-6 || *part >= most - 1e-6, "{demands:?}: {parts:?}");
        }
        // At rest nothing moves.
        let held = round.held.clone();
        round.turn(&demands);
        prop_assert_eq!(held, round.held);
    }
}

#[test]
fn parts_are_told_as_people_read_them() {
    let told =
        [0.0, 0.0004, 0.025, 0.3333333, 0.5, 1.0, 7.3].map(|part| Part::from_f64(part).to_string());
    assert_eq!(told, ["0%", "0%", "2.5%", "33.3%", "50%", "100%", "730%"]);
    assert_eq!(Part::from_f64(f64::NAN), Part::NONE);
    assert_eq!(Part::from_f64(-1.0), Part::NONE);
    assert_eq!(Part::from_f64(UNTOLD.as_f64()), UNTOLD);
}
