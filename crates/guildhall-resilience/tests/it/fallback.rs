//! Fallbacks from outside: every cause against every plan, and what is kept.

use std::time::{Duration, Instant};

use guildhall_resilience::{
    fallback::{Cause, Causes, FallbackPlan, LastGood, Source},
    retry::FailureClass,
};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const CACHED: Source = Source::Cached {
    oldest: Duration::from_secs(60),
};

const CAUSES: [Cause; 6] = [
    Cause::Rejected,
    Cause::Failed,
    Cause::TimedOut,
    Cause::Throttled,
    Cause::WrongRequest,
    Cause::Cancelled,
];

#[test]
fn every_cause_with_every_plan() {
    let plans: [&[Source]; 5] = [
        &[Source::Static],
        &[CACHED],
        &[CACHED, Source::Static],
        &[Source::Service, CACHED],
        &[CACHED, Source::Service, Source::Static],
    ];
    let kept = [None, Some(5 * SECOND), Some(90 * SECOND)];
    let mut table = Vec::new();
    for sources in plans {
        let plan = FallbackPlan::new(sources.iter().copied()).unwrap();
        table.push(format!("# {sources:?}"));
        for cause in CAUSES {
            let steps = kept.map(|kept| format!("{:?}", plan.begin(cause, kept)));
            table.push(format!("{}: {}", cause.name(), steps.join(" | ")));
        }
        let steps = kept.map(|kept| format!("{:?}", plan.after_service(kept)));
        table.push(format!("the service failed too: {}", steps.join(" | ")));
    }
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn no_plan_stands_in_for_a_wrong_request_or_for_nobody() {
    let plan = FallbackPlan::new([Source::Static])
        .unwrap()
        .with_causes(Causes::of(&CAUSES));
    let covered = CAUSES.map(|cause| plan.covers(cause));
    assert_eq!(covered, [true, true, true, true, false, false]);
}

#[test]
fn failures_have_causes() {
    let causes =
        FailureClass::ALL.map(|class| format!("{} {}", class.name(), Cause::of(class).name()));
    insta::assert_snapshot!(causes.join("\n"));
}

#[test]
fn what_is_wrong_with_a_plan_is_said() {
    let errors = [
        FallbackPlan::new([]).unwrap_err(),
        FallbackPlan::new([Source::Service, Source::Service]).unwrap_err(),
        FallbackPlan::new([CACHED, Source::Cached { oldest: SECOND }]).unwrap_err(),
        FallbackPlan::new([Source::Static, CACHED]).unwrap_err(),
        LastGood::<u8, u8>::new(0, 1).map(|_| ()).unwrap_err(),
        LastGood::<u8, u8>::new(1, 0).map(|_| ()).unwrap_err(),
    ]
    .map(|error| error.to_string());
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn an_answer_too_heavy_to_keep_forgets_the_one_before() {
    let now = Instant::now();
    let mut kept = LastGood::new(10, 100).unwrap();
    kept.store("a", 1, 60, now);
    kept.store("b", 2, 40, now);
    kept.store("a", 3, 101, now);
    assert_eq!(
        (kept.get("a", now), kept.len(), kept.weight()),
        (None, 1, 40)
    );
    kept.remove("b");
    assert!(kept.is_empty() && kept.weight() == 0);
}

proptest! {
    /// Against a list in the order of storing.
    #[test]
    fn the_last_good_answers_are_bounded_and_the_newest(
        steps in prop::collection::vec((0u8..12, 0usize..60, any::<bool>()), 1..200),
        most in 1usize..8,
        heaviest in 1usize..120,
    ) {
        let start = Instant::now();
        let mut kept = LastGood::new(most, heaviest).unwrap();
        let mut model: Vec<(u8, usize, usize)> = Vec::new();
        for (at, (key, weight, remove)) in steps.into_iter().enumerate() {
            model.retain(|(other, ..)| *other != key);
            if remove {
                kept.remove(&key);
            } else {
                kept.store(key, at, weight, start + at as u32 * SECOND);
                if weight <= heaviest {
                    model.push((key, at, weight));
                }
                let weigh = |model: &[(u8, usize, usize)]| model.iter().map(|entry| entry.2).sum::<usize>();
                while model.len() > most || weigh(&model) > heaviest {
                    model.remove(0);
                }
                prop_assert_eq!(kept.weight(), weigh(&model));
            }
            prop_assert_eq!(kept.len(), model.len());
            let now = start + 1_000 * SECOND;
            for key in 0..12 {
                let expect = model.iter().find(|(other, ..)| *other == key);
                let expect = expect.map(|(_, at, _)| (*at, (1_000 - *at as u32) * SECOND));
                prop_assert_eq!(kept.get(&key, now).map(|(value, age)| (*value, age)), expect);
            }
        }
    }
}
