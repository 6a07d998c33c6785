//! Which plots there are, and what is in them.

use crate::plot::{Line, Plot};
use crate::suite::{Caller, Played, SITE, Suite};
use crate::time::{MILLISECOND, SECOND, seconds};

/// Where a plot stands, from the folder `docs`.
fn path(name: &str) -> String {
    format!("plots/resilience-{name}.svg")
}

/// A plot in Markdown.
pub(crate) fn image(name: &str) -> String {
    format!("![{name}]({})\n", path(name))
}

/// Every plot: its path from the folder `docs`, and its SVG.
pub(crate) fn plots(suite: &Suite) -> Vec<(String, String)> {
    let mut plots = vec![
        (path("goodput"), goodput(suite).svg()),
        (path("latency"), latency(suite).svg()),
        (path("recovery"), outages(suite).svg()),
    ];
    for played in &suite.played {
        plots.push((path(played.scenario.name), over_time(played).svg()));
    }
    plots
}

fn lines<X: Copy, Y>(
    curve: &[(X, Vec<Y>)],
    x: impl Fn(X) -> f64,
    y: impl Fn(&Y) -> Option<f64>,
) -> Vec<Line> {
    let line = |(at, caller): (usize, &Caller)| Line {
        name: caller.name().to_owned(),
        points: curve
            .iter()
            .map(|(of, all)| (x(*of), y(&all[at])))
            .collect(),
        dashed: false,
    };
    Caller::ALL.iter().enumerate().map(line).collect()
}

fn goodput(suite: &Suite) -> Plot {
    let mut lines = lines(&suite.loads, |load| load, |(goodput, _)| Some(*goodput));
    lines.push(Line {
        name: "bar: 0.9".to_owned(),
        points: vec![(1.0, Some(0.9)), (3.0, Some(0.9))],
        dashed: true,
    });
    Plot {
        title: "Goodput by offered load".to_owned(),
        x: "offered load, of capacity",
        y: "goodput, of capacity",
        y_max: 1.1,
        shaded: Vec::new(),
        lines,
    }
}

fn latency(suite: &Suite) -> Plot {
    Plot {
        title: "p99 of good answers by offered load".to_owned(),
        x: "offered load, of capacity",
        y: "milliseconds",
        y_max: 2000.0,
        shaded: Vec::new(),
        lines: lines(
            &suite.loads,
            |load| load,
            |(_, p99)| p99.map(|p99| p99 as f64 / MILLISECOND as f64),
        ),
    }
}

fn outages(suite: &Suite) -> Plot {
    Plot {
        title: "Recovery by length of outage (a gap: never)".to_owned(),
        x: "length of the outage, s",
        y: "until 9 of 10 are answered, s",
        y_max: 60.0,
        shaded: Vec::new(),
        lines: lines(
            &suite.outages,
            |seconds| seconds as f64,
            |took| took.map(seconds),
        ),
    }
}

fn over_time(played: &Played) -> Plot {
    let scenario = &played.scenario;
    let ends = (scenario.ends / SECOND) as usize;
    let line = |(caller, record): (&Caller, &crate::measure::Record)| {
        let by_second = record.by_second();
        let points = (0..ends).map(|second| {
            let good = by_second.get(second).map_or(0, |figures| figures.good);
            (second as f64, Some(good as f64))
        });
        Line {
            name: caller.name().to_owned(),
            points: points.collect(),
            dashed: false,
        }
    };
    let mut lines: Vec<Line> = Caller::ALL.iter().zip(&played.records).map(line).collect();
    let could = (0..ends).map(|second| {
        let at = second as u64 * SECOND;
        let capacity = scenario.capacity_at(SITE.endpoints, at);
        let servable = capacity.min(scenario.load_at(at));
        (second as f64, Some(servable * SITE.capacity()))
    });
    lines.push(Line {
        name: "could be served".to_owned(),
        points: could.collect(),
        dashed: true,
    });
    let trouble = scenario.trouble.iter();
    Plot {
        title: format!("{}: good answers a second", scenario.name),
        x: "s",
        y: "requests a second",
        y_max: SITE.capacity() * 1.2,
        shaded: trouble
            .map(|of| (seconds(of.start), seconds(of.end)))
            .collect(),
        lines,
    }
}
