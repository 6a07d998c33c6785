//! The table at the end of a run.

use super::run::Outcome;

const HEAD: [&str; 6] = ["target", "runs", "runs/s", "edges", "found", "outcome"];

/// One line for each target; names to the left, numbers to the right.
pub(super) fn render(outcomes: &[Outcome]) -> String {
    let rows = outcomes.iter().map(|outcome| {
        let stats = &outcome.stats;
        let word = if outcome.crashed() { "CRASHED" } else { "ok" };
        [
            outcome.name.clone(),
            stats.runs.to_string(),
            stats.per_second.to_string(),
            stats.edges.to_string(),
            stats.found.to_string(),
            word.to_owned(),
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(HEAD.map(str::to_owned))
        .chain(rows)
        .collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let [name, numbers @ .., word] = row;
        text.push_str(&format!("{name:<0$}", widths[0]));
        for (number, width) in numbers.iter().zip(&widths[1..]) {
            text.push_str(&format!("  {number:>width$}"));
        }
        text.push_str(&format!("  {word}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::stats::Stats;
    use super::*;

    #[test]
    fn numbers_stand_under_each_other() {
        let stats = |runs| Stats {
            runs,
            per_second: runs / 5,
            edges: 40,
            found: 3,
            ..Stats::default()
        };
        let outcomes = [
            Outcome::new("config_yaml", stats(123_456), true),
            Outcome::new("names", stats(9), false),
        ];
        let expect = "\
target         runs  runs/s  edges  found  outcome
config_yaml  123456   24691     40      3  ok
names             9       1     40      3  CRASHED
";
        assert_eq!(render(&outcomes), expect);
    }
}
