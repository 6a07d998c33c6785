//! What ours is held to, and whether it holds: the worst of several seeds counts.

use crate::suite::{Held, Recovery};
use crate::time::{Nanos, SECOND, seconds};

/// The breaker's first open time by default.
const FIRST_OPEN: Nanos = 5 * SECOND;

/// A bar, and what was reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) what: String,
    pub(crate) bar: &'static str,
    pub(crate) worst: String,
    /// Of the seeds' figures.
    pub(crate) median: String,
    pub(crate) best: String,
    /// `None` where no bar is set: the figure is shown beside one.
    pub(crate) holds: Option<bool>,
}

/// All bars, over the seeds of `held`.
pub(crate) fn bars(held: &[Held]) -> Vec<Bar> {
    let goodput = sorted(held.iter().map(|of| -of.goodput));
    let mut bars = vec![Bar {
        what: "goodput at 3 × offered load, of capacity".to_owned(),
        bar: "≥ 90 %",
        holds: Some(goodput.worst <= -0.9),
        ..goodput.said(|of| format!("{:.1} %", of * -100.0))
    }];
    for (name, said) in [
        (
            "overload",
            "attempts for each request sent, at 3 × offered load",
        ),
        ("slow", "attempts for each request sent, all endpoints slow"),
    ] {
        let all = held.iter().flat_map(|of| &of.amplification);
        let of_name = all.filter(|(of, _)| *of == name);
        let amplification = sorted(of_name.map(|(_, amplification)| *amplification));
        bars.push(Bar {
            what: said.to_owned(),
            bar: "≤ 1.2",
            holds: Some(amplification.worst <= 1.2),
            ..amplification.said(|of| format!("{of:.3}"))
        });
    }
    let in_force = recovery(
        "recovery, in open periods: the one in force when the backend recovers",
        held,
        |of| of.open.unwrap_or(FIRST_OPEN),
    );
    bars.push(Bar {
        bar: "≤ 2",
        holds: Some(in_force.periods <= 2.0),
        ..in_force.bar
    });
    let in_first = recovery("the same recoveries, in first periods (5 s)", held, |_| {
        FIRST_OPEN
    });
    bars.push(in_first.bar);
    bars
}

/// Figures of the seeds, of which the highest is the worst.
struct Spread {
    best: f64,
    median: f64,
    worst: f64,
}

fn sorted(figures: impl Iterator<Item = f64>) -> Spread {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    // What was never measured does not hold.
    let at = |at: usize| figures.get(at).copied().unwrap_or(f64::INFINITY);
    Spread {
        best: at(0),
        median: at(figures.len() / 2),
        worst: at(figures.len().saturating_sub(1)),
    }
}

impl Spread {
    fn said(&self, say: impl Fn(f64) -> String) -> Bar {
        Bar {
            what: String::new(),
            bar: "–",
            worst: say(self.worst),
            median: say(self.median),
            best: say(self.best),
            holds: None,
        }
    }
}

/// How long recoveries take, and no bar yet.
struct Recoveries {
    bar: Bar,
    /// The longest of all seeds.
    periods: f64,
}

/// Each seed's figure is its longest recovery, in periods.
fn recovery(what: &str, held: &[Held], period: impl Fn(&Recovery) -> Nanos) -> Recoveries {
    let periods = |of: &Recovery| {
        of.took
            .map_or(f64::INFINITY, |took| took as f64 / period(of) as f64)
    };
    let longest = |of: &Held| of.recoveries.iter().map(&periods).fold(0.0, f64::max);
    let spread = sorted(held.iter().map(longest));
    let all = held.iter().flat_map(|of| &of.recoveries);
    let worst = all.max_by(|a, b| periods(a).total_cmp(&periods(b)));
    let which = worst.map_or(String::new(), |of| match of.took {
        None => format!(" ({})", of.of),
        Some(took) => format!(" ({:.1} s, {})", seconds(took), of.of),
    });
    let said = spread.said(|of| match of.is_finite() {
        true => format!("{of:.2}"),
        false => "never".to_owned(),
    });
    Recoveries {
        bar: Bar {
            what: what.to_owned(),
            worst: said.worst.clone() + &which,
            ..said
        },
        periods: spread.worst,
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
        let holds: Vec<Option<bool>> = bars.iter().map(|bar| bar.holds).collect();
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(holds, [no, yes, no, yes, None], "{bars:#?}");
        assert_eq!(bars[0].worst, "89.0 %");
        assert_eq!(
            (bars[4].best.as_str(), bars[4].median.as_str()),
            ("0.20", "3.80")
        );
    }

    #[test]
    fn who_never_recovers_fails() {
        let bars = bars(&[held(1.0, None)]);
        assert_eq!(bars[3].worst, "never (outage)");
        assert_eq!((bars[3].holds, bars[4].bar), (Some(false), "–"));
    }
}
