//! Deadlines from outside: whose limit holds, what its end means, and the headers.

use std::time::{Duration, Instant};

use guildhall_resilience::{
    Outcome,
    deadline::{Deadline, Expiry, header},
};
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn whose_limit_holds_and_what_its_end_means() {
    let now = Instant::now();
    let deadlines = [
        ("none", Deadline::NEVER),
        ("own in 50 ms", Deadline::own(50 * MS, now)),
        ("inherited, 50 ms", Deadline::inherited(50 * MS, now)),
        ("inherited, over", Deadline::inherited(Duration::ZERO, now)),
        ("own, endless", Deadline::own(Duration::MAX, now)),
    ];
    let mut table =
        vec!["deadline | attempt's limit | timeout | expiry | outcome | retried as".to_owned()];
    for (name, deadline) in deadlines {
        for limit in [None, Some(20 * MS), Some(50 * MS), Some(90 * MS)] {
            let attempt = deadline.for_attempt(limit, now);
            let timeout = match attempt.timeout(now) {
                Duration::MAX => "never".to_owned(),
                timeout => format!("{timeout:?}"),
            };
            let expiry = attempt.expiry();
            table.push(format!(
                "{name} | {limit:?} | {timeout} | {} | {:?} | {}",
                expiry.name(),
                expiry.outcome(),
                expiry.class().name(),
            ));
        }
    }
    insta::assert_snapshot!(table.join("\n"));
}

/// "Our attempt timeout is a failure, an inherited deadline's expiry is its own class."
#[test]
fn an_inherited_deadlines_end_is_no_evidence_and_an_attempts_is() {
    assert_eq!(Expiry::Inherited.outcome(), Outcome::Ignored);
    assert_eq!(Expiry::CutShort.outcome(), Outcome::Ignored);
    assert_eq!(Expiry::Attempt.outcome(), Outcome::Failure);
    assert_eq!(Expiry::Request.outcome(), Outcome::Failure);
}

#[test]
fn a_deadline_shrinks_at_each_hop() {
    let now = Instant::now();
    let first = Deadline::own(1_000 * MS, now);
    // The first hop works for 300 ms and then asks a second, which needs 10 ms for the way back.
    let now = now + 300 * MS;
    let wire = header::format_grpc_timeout(first.less(10 * MS).remaining(now).unwrap()).to_string();
    assert_eq!(wire, "690000u");
    let second = Deadline::own(15_000 * MS, now).nearer(Deadline::inherited(
        header::parse_grpc_timeout(&wire).unwrap(),
        now,
    ));
    assert!(second.is_inherited());
    assert_eq!(second.remaining(now + 690 * MS), Some(Duration::ZERO));
    assert!(second.is_over(now + 690 * MS) && !second.is_over(now + 689 * MS));
    assert!(!Deadline::NEVER.is_over(now));
    assert_eq!(Deadline::NEVER.nearer(second), second);
    assert_eq!(second.nearer(Deadline::NEVER), second);
    assert_eq!(Deadline::NEVER.less(MS).at(), None);
}

#[test]
fn grpc_timeouts() {
    let values = [
        "1H",
        "2M",
        "3S",
        "4m",
        "5u",
        "6n",
        "99999999H",
        "0S",
        "100000000n",
        "1",
        "S",
        "",
        "-1S",
        "+1S",
        " 1S",
        "1 S",
        "1s",
        "1.5S",
        "1é",
        "é",
    ]
    .map(|value| format!("{value:?} {:?}", header::parse_grpc_timeout(value)));
    insta::assert_snapshot!(values.join("\n"));
    let written = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_nanos(99_999_999),
        Duration::from_nanos(100_000_999),
        Duration::from_secs(99),
        Duration::from_secs(100),
        Duration::from_secs(365 * 86_400),
        Duration::MAX,
    ]
    .map(|left| format!("{left:?} {}", header::format_grpc_timeout(left)));
    insta::assert_snapshot!(written.join("\n"));
}

#[test]
fn envoys_milliseconds() {
    let values = ["1", "250", "0", "", "-1", "1.5", "99999999999999999999"]
        .map(header::parse_envoy_expected);
    assert_eq!(
        values,
        [Some(MS), Some(250 * MS), None, None, None, None, None]
    );
    // Less than a millisecond is not written as 0, which would be "no limit".
    let written = [Duration::ZERO, MS / 2, MS, MS * 5 / 2].map(header::format_envoy_expected);
    assert_eq!(written, [1, 1, 1, 2]);
}

proptest! {
    /// What is written is what is read, never longer, and off by less than a part in 90,000.
    #[test]
    fn grpc_timeouts_are_rounded_down(nanos in 1u64..u64::MAX) {
        let left = Duration::from_nanos(nanos);
        let written = header::format_grpc_timeout(left).to_string();
        prop_assert!(written.len() <= 9);
        let read = header::parse_grpc_timeout(&written).unwrap();
        prop_assert!(read <= left);
        // A number in the next unit has at least five digits more.
        let lost = (left - read).as_secs_f64() / left.as_secs_f64();
        prop_assert!(lost < 1.0 / 90_000.0, "{left:?} as {written}");
    }

    #[test]
    fn no_header_is_a_panic(value in ".{0,12}") {
        let _ = header::parse_grpc_timeout(&value);
        let _ = header::parse_envoy_expected(&value);
    }
}
