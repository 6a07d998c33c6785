//! What ours is held to, and whether it holds: the worst of several seeds counts.

use crate::suite::{Held, Recovery};
use crate::time::{Nanos, SECOND, seconds};

/// The breaker's first open time by default.
const FIRST_OPEN: Nanos = 5 * SECOND;

/// A bar, and what was reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) what: String,
    pub(crate) bar: String,
    pub(crate) worst: String,
    pub(crate) holds: bool,
}

/// All bars, over the seeds of `held`.
pub(crate) fn bars(held: &[Held]) -> Vec<Bar> {
    let goodput = held.iter().map(|of| of.goodput).fold(1.0, f64::min);
    let mut bars = vec![Bar {
        what: "goodput at 3 × offered load, of capacity".to_owned(),
        bar: "≥ 90 %".to_owned(),
        worst: format!("{:.1} %", goodput * 100.0),
        holds: goodput >= 0.9,
    }];
    for (name, said) in [
        (
            "overload",
            "attempts for each request sent, at 3 × offered load",
        ),
        ("slow", "attempts for each request sent, all endpoints slow"),
    ] {
        let all = held.iter().flat_map(|of| &of.amplification);
        let worst = all
            .filter(|(of, _)| *of == name)
            .map(|(_, amplification)| *amplification)
            .fold(1.0, f64::max);
        bars.push(Bar {
            what: said.to_owned(),
            bar: "≤ 1.2".to_owned(),
            worst: format!("{worst:.3}"),
            holds: worst <= 1.2,
        });
    }
    let recoveries: Vec<&Recovery> = held.iter().flat_map(|of| &of.recoveries).collect();
    bars.push(recovery(
        "recovery, in open times then in force",
        "≤ 2",
        &recoveries,
        |of| of.open.unwrap_or(FIRST_OPEN),
    ));
    bars.push(recovery(
        "recovery, in first open times (5 s)",
        "≤ 2",
        &recoveries,
        |_| FIRST_OPEN,
    ));
    bars
}

fn recovery(
    what: &str,
    bar: &str,
    recoveries: &[&Recovery],
    period: impl Fn(&Recovery) -> Nanos,
) -> Bar {
    let periods = |of: &Recovery| {
        of.took
            .map_or(f64::INFINITY, |took| took as f64 / period(of) as f64)
    };
    let worst = recoveries
        .iter()
        .max_by(|a, b| periods(a).total_cmp(&periods(b)));
    let (said, holds) = match worst {
        None => ("nothing to recover from".to_owned(), false),
        Some(of) => match of.took {
            None => (format!("never, {}", of.of), false),
            Some(took) => (
                format!("{:.2} ({:.1} s, {})", periods(of), seconds(took), of.of),
                periods(of) <= 2.0,
            ),
        },
    };
    Bar {
        what: what.to_owned(),
        bar: bar.to_owned(),
        worst: said,
        holds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(goodput: f64, took: Option<Nanos>) -> Held {
        Held {
            goodput,
            amplification: vec![("overload", 1.1), ("slow", 1.21)],
            recoveries: vec![Recovery {
                of: "outage".to_owned(),
                took,
                open: Some(10 * SECOND),
            }],
        }
    }

    #[test]
    fn the_worst_seed_counts() {
        let bars = bars(&[held(0.95, Some(SECOND)), held(0.89, Some(19 * SECOND))]);
        let holds: Vec<bool> = bars.iter().map(|bar| bar.holds).collect();
        assert_eq!(holds, [false, true, false, true, false], "{bars:#?}");
    }

    #[test]
    fn who_never_recovers_fails() {
        let bars = bars(&[held(1.0, None)]);
        assert_eq!(bars[3].worst, "never, outage");
        assert!(!bars[3].holds && !bars[4].holds);
    }
}
