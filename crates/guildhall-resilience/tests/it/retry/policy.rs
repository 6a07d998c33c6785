//! Decisions: a table of class × idempotency × body, and each pitfall by name.

use std::{
    fmt::Write,
    time::{Duration, Instant, SystemTime},
};

use fastrand::Rng;
use guildhall_resilience::retry::{
    Attempted, Backoff, Body, Budget, BudgetConfig, Decision, FailureClass, FailureClasses,
    Idempotency, NoRetry, RetryPolicy, retry_after,
};
use proptest::prelude::*;

use crate::alloc::allocations;

const SECOND: Duration = Duration::from_secs(1);

/// A GET without a body that got a 503 at its first attempt.
const FAILED: Attempted = Attempted {
    attempts: 1,
    class: FailureClass::Unavailable,
    idempotency: Idempotency::Idempotent,
    body: Body::Empty,
    retry_after: None,
    remaining: None,
};

fn decide(policy: RetryPolicy, attempted: &Attempted) -> Decision {
    policy.decide(attempted, None, &mut Rng::with_seed(1), Instant::now())
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Retry { .. } => "retry",
        Decision::GiveUp(why) => why.name(),
    }
}

#[test]
fn every_class_with_every_kind_of_request() {
    let everything = RetryPolicy::default().with_retry_on(FailureClasses::of(&FailureClass::ALL));
    let mut table = String::from(
        "class | idempotent, empty | held | streamed | unknown, empty | held | streamed\n",
    );
    for (name, policy) in [
        ("default", RetryPolicy::default()),
        ("all classes", everything),
    ] {
        writeln!(table, "# {name}").unwrap();
        for class in FailureClass::ALL {
            let mut row = vec![class.name()];
            for idempotency in [Idempotency::Idempotent, Idempotency::Unknown] {
                for body in [Body::Empty, Body::Held, Body::Streamed] {
                    let retry_after = (class == FailureClass::Throttled).then_some(SECOND);
                    let attempted = Attempted {
                        class,
                        idempotency,
                        body,
                        retry_after,
                        ..FAILED
                    };
                    row.push(word(decide(policy, &attempted)));
                }
            }
            writeln!(table, "{}", row.join(" | ")).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn statuses_have_classes() {
    let classes = [
        200, 304, 400, 404, 408, 429, 499, 500, 501, 502, 503, 504, 599, 600,
    ]
    .map(|status| {
        format!(
            "{status} {}",
            FailureClass::of_status(status).map_or("-", FailureClass::name)
        )
    });
    insta::assert_snapshot!(classes.join("\n"));
}

#[test]
fn methods_are_those_of_the_rfc() {
    let idempotent = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
    let unknown = ["POST", "PATCH", "CONNECT", "get", "QUERY-ISH", ""];
    assert!(
        idempotent
            .iter()
            .all(|method| Idempotency::of_method(method) == Idempotency::Idempotent)
    );
    assert!(
        unknown
            .iter()
            .all(|method| Idempotency::of_method(method) == Idempotency::Unknown)
    );
}

/// octocrab#835: an empty body counted as one that cannot be sent again, and nothing said so.
#[test]
fn an_empty_body_is_sent_again_and_a_streamed_one_is_refused_openly() {
    let with = |body| decide(RetryPolicy::default(), &Attempted { body, ..FAILED });
    assert!(matches!(with(Body::Empty), Decision::Retry { .. }));
    assert!(matches!(with(Body::Held), Decision::Retry { .. }));
    assert_eq!(
        with(Body::Streamed),
        Decision::GiveUp(NoRetry::StreamedBody)
    );
}

#[test]
fn what_was_not_processed_is_sent_again_whatever_the_method() {
    for class in FailureClass::ALL {
        let policy = RetryPolicy::default().with_retry_on(FailureClasses::of(&FailureClass::ALL));
        let posted = Attempted {
            class,
            idempotency: Idempotency::Unknown,
            retry_after: Some(Duration::ZERO),
            ..FAILED
        };
        let retried = matches!(decide(policy, &posted), Decision::Retry { .. });
        assert!(!retried || !class.may_be_processed(), "{class:?}");
    }
}

#[test]
fn the_servers_pause_is_kept_with_jitter_on_top() {
    let told = Attempted {
        retry_after: Some(2 * SECOND),
        remaining: Some(3 * SECOND),
        ..FAILED
    };
    let mut random = Rng::with_seed(2);
    let pauses: Vec<Duration> = (0..1_000)
        .map(
            |_| match RetryPolicy::default().decide(&told, None, &mut random, Instant::now()) {
                Decision::Retry { after } => after,
                Decision::GiveUp(why) => panic!("{why:?}"),
            },
        )
        .collect();
    let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
    assert!(*least >= 2 * SECOND && *most <= 2 * SECOND + Duration::from_millis(25));
    assert!(
        *most - *least > Duration::from_millis(20),
        "those told the same come back together"
    );
}

#[test]
fn the_servers_pause_is_honoured_up_to_the_deadline_and_the_policys_limit() {
    let told = |asked, remaining| {
        decide(
            RetryPolicy::default(),
            &Attempted {
                retry_after: Some(asked),
                remaining,
                ..FAILED
            },
        )
    };
    assert!(matches!(told(SECOND, Some(2 * SECOND)), Decision::Retry { after } if after >= SECOND));
    assert!(matches!(
        told(3 * SECOND, Some(2 * SECOND)),
        Decision::GiveUp(NoRetry::DeadlineTooNear { wait, remaining })
            if wait >= 3 * SECOND && remaining == 2 * SECOND
    ));
    assert_eq!(
        told(11 * SECOND, None),
        Decision::GiveUp(NoRetry::RetryAfterTooLong {
            asked: 11 * SECOND,
            limit: 10 * SECOND
        })
    );
    assert!(matches!(
        told(Duration::MAX, None),
        Decision::GiveUp(NoRetry::RetryAfterTooLong { .. })
    ));
    let over = Attempted {
        remaining: Some(Duration::ZERO),
        ..FAILED
    };
    assert!(matches!(
        decide(RetryPolicy::default(), &over),
        Decision::GiveUp(NoRetry::DeadlineTooNear { .. })
    ));
}

#[test]
fn too_many_requests_is_retried_only_when_told_when() {
    let throttled = Attempted {
        class: FailureClass::Throttled,
        ..FAILED
    };
    assert_eq!(
        decide(RetryPolicy::default(), &throttled),
        Decision::GiveUp(NoRetry::NoRetryAfter)
    );
}

#[test]
fn attempts_come_to_an_end() {
    let policy = RetryPolicy::default().with_attempts(3).unwrap();
    let after = |attempts| decide(policy, &Attempted { attempts, ..FAILED });
    assert_eq!(
        [1, 2, 3, 4].map(|attempts| word(after(attempts))),
        ["retry", "retry", "attempts-spent", "attempts-spent"]
    );
    let once = policy.with_attempts(1).unwrap();
    assert_eq!(
        decide(once, &FAILED),
        Decision::GiveUp(NoRetry::AttemptsSpent { attempts: 1 })
    );
}

#[test]
fn a_retry_that_is_not_made_is_not_taken_from_the_budget() {
    let now = Instant::now();
    let budget = Budget::new(BudgetConfig::new(0.0, 1).unwrap(), now);
    let mut random = Rng::with_seed(3);
    let policy = RetryPolicy::default();
    for refused in [
        Attempted {
            class: FailureClass::ClientError,
            ..FAILED
        },
        Attempted {
            idempotency: Idempotency::Unknown,
            ..FAILED
        },
        Attempted {
            body: Body::Streamed,
            ..FAILED
        },
        Attempted {
            attempts: 3,
            ..FAILED
        },
        Attempted {
            retry_after: Some(SECOND * 60),
            ..FAILED
        },
        Attempted {
            remaining: Some(Duration::ZERO),
            ..FAILED
        },
    ] {
        let decision = policy.decide(&refused, Some(&budget), &mut random, now);
        assert!(matches!(decision, Decision::GiveUp(_)));
        assert_eq!(budget.status(now).retries, 0);
    }
    let mut words = Vec::new();
    for _ in 0..11 {
        words.push(word(policy.decide(
            &FAILED,
            Some(&budget),
            &mut random,
            now,
        )));
    }
    assert_eq!(
        (words[..10].to_vec(), words[10]),
        (vec!["retry"; 10], "budget-spent")
    );
}

#[test]
fn pauses_are_spread_over_the_whole_range() {
    let backoff = Backoff::new(100 * Duration::from_millis(1), SECOND).unwrap();
    let mut random = Rng::with_seed(4);
    for (retry, ceiling) in [(1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (u32::MAX, 1.0)] {
        let pauses: Vec<f64> = (0..10_000)
            .map(|_| backoff.pause(retry, &mut random).as_secs_f64() / ceiling)
            .collect();
        let mean = pauses.iter().sum::<f64>() / 10_000.0;
        // Uniform: a mean of a half, give or take four standard errors (0.29 / 100).
        assert!((mean - 0.5).abs() < 0.012, "{mean}");
        assert!(pauses.iter().all(|pause| (0.0..=1.0).contains(pause)));
        for tenth in 0..10 {
            let within = pauses
                .iter()
                .filter(|pause| (**pause * 10.0) as u32 == tenth)
                .count();
            assert!(
                (880..1_120).contains(&within),
                "{within} of 10000 in tenth {tenth}"
            );
        }
    }
    assert_eq!(
        Backoff::new(Duration::ZERO, SECOND)
            .unwrap()
            .pause(9, &mut random),
        Duration::ZERO
    );
    // Over what is left above a shortest pause.
    let least = Duration::from_millis(90);
    let backoff = backoff.with_least(least).unwrap();
    let pauses = [(); 1_000].map(|()| backoff.pause(1, &mut random));
    let tenth = Duration::from_millis(91);
    assert!(pauses.iter().all(|pause| *pause >= least));
    let within = pauses.iter().filter(|pause| **pause < tenth).count();
    assert!((60..140).contains(&within), "{within}");
}

proptest! {
    /// Whatever is asked, a retry never ends its pause after the deadline and never exceeds the attempts.
    #[test]
    fn a_retry_is_always_in_time(
        attempts in 1u32..6,
        class in prop::sample::select(FailureClass::ALL.to_vec()),
        idempotent in any::<bool>(),
        retry_after in prop::option::of(0u64..20_000),
        remaining in prop::option::of(0u64..20_000),
        seed in any::<u64>(),
    ) {
        let attempted = Attempted {
            attempts,
            class,
            idempotency: if idempotent { Idempotency::Idempotent } else { Idempotency::Unknown },
            body: Body::Held,
            retry_after: retry_after.map(Duration::from_millis),
            remaining: remaining.map(Duration::from_millis),
        };
        let policy = RetryPolicy::default();
        let decision = policy.decide(&attempted, None, &mut Rng::with_seed(seed), Instant::now());
        if let Decision::Retry { after } = decision {
            prop_assert!(attempted.remaining.is_none_or(|remaining| after < remaining));
            prop_assert!(after >= attempted.retry_after.unwrap_or_default());
            prop_assert!(attempts < policy.attempts());
            prop_assert!(!class.is_final());
            prop_assert!(idempotent || !class.may_be_processed());
        }
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let values = [
        "0",
        " 7 ",
        "99999999999999999999999",
        "-1",
        "+1",
        "1.5",
        "",
        "later",
        "Sun, 06 Nov 1994 08:49:47 GMT",
        "Sunday, 06-Nov-94 08:49:47 GMT",
        "Sun Nov  6 08:49:47 1994",
        "Sun, 06 Nov 1994 08:00:00 GMT",
        "Sun, 32 Nov 1994 08:00:00 GMT",
    ]
    .map(|value| format!("{value:?} {:?}", retry_after::parse(value, wall)));
    insta::assert_snapshot!(values.join("\n"));
    let formatted =
        [0, 1, 999, 1_000, 1_001].map(|millis| retry_after::format(Duration::from_millis(millis)));
    assert_eq!(formatted, [0, 1, 1, 1, 2]);
}

#[test]
fn what_is_wrong_with_a_policy_is_said() {
    let errors = [
        RetryPolicy::default().with_attempts(0).unwrap_err(),
        RetryPolicy::default().with_attempts(101).unwrap_err(),
        Backoff::new(SECOND, Duration::ZERO).unwrap_err(),
        Backoff::default().with_least(SECOND).unwrap_err(),
        Backoff::new(SECOND, SECOND * 100_000).unwrap_err(),
        BudgetConfig::new(f64::NAN, 1).unwrap_err(),
        BudgetConfig::new(-0.1, 1).unwrap_err(),
        BudgetConfig::new(0.2, 20_000).unwrap_err(),
    ]
    .map(|error| error.to_string());
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn deciding_allocates_nothing() {
    let now = Instant::now();
    let budget = Budget::new(BudgetConfig::default(), now);
    let mut random = Rng::with_seed(5);
    let count = allocations(|| {
        for _ in 0..200 {
            budget.deposit(now);
            RetryPolicy::default().decide(&FAILED, Some(&budget), &mut random, now);
        }
    });
    assert_eq!(count, 0);
}
