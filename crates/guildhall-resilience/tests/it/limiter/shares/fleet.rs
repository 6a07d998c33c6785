//! A fleet under one limit, on a clock that is turned by hand: what passes together is the limit.

use std::time::{Duration, Instant};

use guildhall_resilience::limiter::{
    Gcra, Quota,
    shares::{Claim, Demand, Part, Shares, UNTOLD},
};
use proptest::prelude::*;

use super::{ms, quota, second, start};

const STEP: Duration = Duration::from_millis(10);

struct Member {
    limiter: Gcra,
    held: Option<Part>,
    demand: Demand,
    asked: u64,
    /// What it is asked for in a step, and what is left over of the step before, in hundredths.
    due: u64,
    passed: u64,
    /// An answer on its way: it is heard before the next report.
    answer: Option<Part>,
    cut_off: bool,
}

struct Fleet {
    whole: Quota,
    shares: Shares<usize>,
    members: Vec<Member>,
    now: Instant,
    steps: u64,
}

impl Fleet {
    fn new(members: usize, whole: Quota) -> Self {
        let now = start();
        let member = |_| Member {
            limiter: Gcra::new(UNTOLD.of_rate(&whole), now),
            held: None,
            demand: Demand::new(0, now),
            asked: 0,
            due: 0,
            passed: 0,
            answer: None,
            cut_off: false,
        };
        Self {
            whole,
            shares: Shares::new(now),
            members: (0..members).map(member).collect(),
            now,
            steps: 0,
        }
    }

    /// Lets time pass, with so many requests a second to each member. How many passed in that time.
    fn run(&mut self, time: Duration, rates: &[u64]) -> u64 {
        let before: u64 = self.members.iter().map(|member| member.passed).sum();
        let per_second = f64::from(self.whole.limit()) / self.whole.period().as_secs_f64();
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            self.steps += 1;
            for (at, (member, rate)) in self.members.iter_mut().zip(rates).enumerate() {
                member.due += rate;
                while member.due >= 100 {
                    member.due -= 100;
                    member.asked += 1;
                    let passes = member.limiter.check(self.now).is_ok();
                    member.passed += u64::from(passes);
                }
                member.demand.observe(member.asked, self.now);
                // Each reports once a second, at a moment of its own.
                if member.cut_off || !(self.steps + 37 * at as u64).is_multiple_of(100) {
                    continue;
                }
                if let Some(part) = member.answer.take() {
                    member.held = Some(part);
                    member.limiter.resize(part.of_rate(&self.whole), self.now);
                }
                let demand = member.demand.per_second();
                let claim = Claim {
                    held: member.held,
                    demand: demand.map(|rate| Part::from_f64(rate / per_second)),
                };
                member.answer = self.shares.report(&at, claim, self.now);
            }
        }
        self.members.iter().map(|member| member.passed).sum::<u64>() - before
    }
}

fn within(passed: u64, expected: u64, percent: u64) {
    let off = passed.abs_diff(expected) * 100;
    assert!(
        off <= expected * percent,
        "{passed} passed, where {expected} should"
    );
}

#[test]
fn together_they_let_the_limit_through_however_the_demand_is_spread() {
    let mut fleet = Fleet::new(3, quota(300, second(), 300));
    for rates in [
        [400, 400, 400],
        [600, 0, 0],
        [0, 0, 600],
        [50, 900, 10],
        [150, 150, 150],
    ] {
        // It has followed after a few seconds.
        fleet.run(second() * 6, &rates);
        within(fleet.run(second() * 30, &rates), 9_000, 5);
    }
    // What is asked for passes, where all of it is within the limit.
    fleet.run(second() * 10, &[100, 60, 20]);
    within(fleet.run(second() * 30, &[100, 60, 20]), 5_400, 1);
}

#[test]
fn who_is_silent_gives_back_and_who_is_cut_off_keeps() {
    let mut fleet = Fleet::new(2, quota(100, second(), 100));
    let rates = [300, 300];
    fleet.run(second() * 6, &rates);
    within(fleet.run(second() * 20, &rates), 2_000, 3);
    fleet.members[1].cut_off = true;
    // Nothing changes for either of them.
    let before = fleet.members[1].passed;
    within(fleet.run(second() * 20, &rates), 2_000, 3);
    within(fleet.members[1].passed - before, 1_000, 3);
    // The coordinator has given it up; it goes on, as it cannot know.
    fleet.shares.leave(&1);
    fleet.run(second() * 3, &rates);
    within(fleet.run(second() * 20, &rates), 3_000, 3);
    // It is back: a few seconds later the limit is the limit.
    fleet.members[1].cut_off = false;
    fleet.run(second() * 6, &rates);
    within(fleet.run(second() * 20, &rates), 2_000, 3);
}

#[test]
fn a_limit_of_a_minute_does_not_come_back_with_each_part_that_moves() {
    let mut fleet = Fleet::new(2, quota(600, ms(60_000), 600));
    let mut passed = 0;
    // The demand goes to and fro, faster than the period.
    for turn in 0..40 {
        let rates = if turn % 2 == 0 { [100, 0] } else { [0, 100] };
        passed += fleet.run(second() * 15, &rates);
    }
    // Ten minutes at ten a second, and what was there at the beginning.
    assert!(passed <= 6_000 + 600, "{passed}");
    // What moves is regained at the rate, not at once: part of the limit is unused.
    assert!(passed >= 4_000, "{passed}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Over any time, together no more than the limit, the burst, and what was there untold.
    #[test]
    fn no_spread_of_demand_gets_more_than_the_limit(
        phases in prop::collection::vec((1..12u64, prop::array::uniform3(0..800u64)), 1..12),
    ) {
        let mut fleet = Fleet::new(3, quota(200, second(), 200));
        let (mut time, mut passed) = (0, 0);
        for (seconds, rates) in phases {
            time += seconds;
            passed += fleet.run(second() * seconds as u32, &rates);
            prop_assert!(passed <= 200 * time + 200 + 60, "{passed} in {time} s");
        }
    }
}
