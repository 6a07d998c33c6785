//! The section of `bench/RESULTS.md` that tells what patterns cost beside their peers', with the bars.
//!
//! `cargo bench -p guildhall-bench-micro -- --write breaker limiter` writes it anew, of what was measured in that run; the
//! other sections are bench/load's, and stay as they are.

use std::fmt::Write as _;
use std::io;

use crate::Cost;

const TITLE: &str = "Resilience, a call";
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../RESULTS.md");

/// What one group cost on so many threads.
#[derive(Clone, Debug)]
pub struct Table {
    /// The group's name.
    pub group: String,
    /// How many threads called at once.
    pub threads: usize,
    /// Ours first.
    pub costs: Vec<Cost>,
}

/// Puts the section into the results if the command line says `--write`.
///
/// # Errors
/// If the file cannot be read or written.
pub fn publish(tables: &[Table]) -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--write") {
        return Ok(());
    }
    let words: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|arg| *arg != "--bench")
        .collect();
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let section = section(tables, &words.join(" "), &date);
    let old = std::fs::read_to_string(FILE)?;
    std::fs::write(FILE, replaced(&old, &section))
}

fn section(tables: &[Table], words: &str, date: &str) -> String {
    let mut text = format!(
        "## {TITLE}\n\n`cargo bench -p guildhall-bench-micro -- {words}`, {date}.\n\n\
         CPU nanoseconds of a call, all threads together, the median of 41 turns of 4 ms (401 where threads meet) in which the contenders alternate;\n\
         so twice as much on 2 threads is no scaling at all, and the same is all of it.\n"
    );
    let mut groups: Vec<&str> = tables.iter().map(|table| table.group.as_str()).collect();
    groups.dedup();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let of: Vec<&Table> = tables.iter().filter(|of| of.group == group).collect();
        let _ = write!(text, "\n{group}:\n\n| |");
        for table in &of {
            let plural = if table.threads == 1 { "" } else { "s" };
            let _ = write!(text, " {} thread{plural} |", table.threads);
        }
        let _ = write!(text, "\n|---|{}\n", "---:|".repeat(of.len()));
        let first = of.first().map_or(&[][..], |first| &first.costs);
        for (at, cost) in first.iter().enumerate() {
            let _ = write!(text, "| {} |", cost.name);
            for table in &of {
                let cpu = table.costs.get(at).map_or(f64::NAN, |cost| cost.cpu);
                let _ = write!(text, " {cpu:.1} |");
            }
            text.push('\n');
        }
    }
    let _ = write!(text, "\nBars:\n\n{}\n", bars(tables).join("\n"));
    text
}

fn bars(tables: &[Table]) -> Vec<String> {
    let cpu = |group: &str, threads: usize, contender: &str| {
        let table = tables
            .iter()
            .find(|of| of.group.starts_with(group) && of.threads == threads);
        let costs = table.map_or(&[][..], |of| &of.costs);
        let cost = costs.iter().find(|of| of.name.starts_with(contender));
        cost.map_or(f64::NAN, |cost| cost.cpu)
    };
    let mut bars = Vec::new();
    let mut bar = |what: String, value: f64, holds: bool, unit: &str| {
        bars.push(match (value.is_nan(), holds) {
            (true, _) => format!("- {what}: **not measured**"),
            (_, true) => format!("- {what}: **pass, {value:.2}{unit}**"),
            (_, false) => format!("- {what}: **FAIL, {value:.2}{unit}**"),
        });
    };
    let (still, clock) = ("breaker-still", "breaker-clock");
    let value = cpu(still, 1, "time window");
    bar(
        "breaker without the clock ≤ 30 ns".to_owned(),
        value,
        value <= 30.0,
        " ns",
    );
    let value = cpu(clock, 1, "ours");
    bar(
        "breaker with the clock ≤ 90 ns".to_owned(),
        value,
        value <= 90.0,
        " ns",
    );
    let value = 2.0 * cpu(still, 1, "time window") / cpu(still, 2, "time window");
    bar(
        "time window on 2 threads ≥ 1.7 × one".to_owned(),
        value,
        value >= 1.7,
        " ×",
    );
    for threads in [1, 2] {
        for (peer, most) in [("failsafe (its defaults)", 0.5), ("tower-resilience", 0.2)] {
            let value = cpu(clock, threads, "ours") / cpu(clock, threads, peer);
            let what = format!("breaker ≤ {most} × {peer}, threads: {threads}");
            bar(what, value, value <= most, " ×");
        }
        for (group, what) in [
            ("limiter-admitted, each", "limiter"),
            ("limiter-keyed, 4096", "keyed limiter"),
            (
                "limiter-keyed, one key",
                "keyed limiter, all threads with one key,",
            ),
        ] {
            let peer = cpu(group, threads, "governor (Instant::now");
            let value = cpu(group, threads, "ours") / peer;
            let what = format!("{what} ≤ governor by the same clock, threads: {threads}");
            bar(what, value, value <= 1.0, " ×");
        }
    }
    bars
}

/// The results with this section in place of the present one, or at the end.
fn replaced(results: &str, section: &str) -> String {
    let heading = format!("## {TITLE}\n");
    let Some(start) = results.find(&heading) else {
        return format!("{}\n\n{section}", results.trim_end());
    };
    let (before, old) = results.split_at(start);
    let after = old.find("\n## ").map_or("", |at| &old[at..]);
    format!("{before}{section}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(threads: usize, ours: f64, peer: f64) -> Table {
        let cost = |name: &str, cpu| Cost {
            name: name.to_owned(),
            cpu,
            wall: cpu,
        };
        Table {
            group: "breaker-clock, a call".to_owned(),
            threads,
            costs: vec![cost("ours", ours), cost("failsafe (its defaults)", peer)],
        }
    }

    #[test]
    fn bars_say_what_holds_and_what_was_not_measured() {
        let bars = bars(&[table(1, 30.0, 100.0), table(2, 60.0, 100.0)]).join("\n");
        let lines = [
            "- breaker with the clock ≤ 90 ns: **pass, 30.00 ns**",
            "- breaker ≤ 0.5 × failsafe (its defaults), threads: 1: **pass, 0.30 ×**",
            "- breaker ≤ 0.5 × failsafe (its defaults), threads: 2: **FAIL, 0.60 ×**",
            "- breaker ≤ 0.2 × tower-resilience, threads: 1: **not measured**",
        ];
        assert!(lines.iter().all(|line| bars.contains(line)), "{bars}");
    }

    #[test]
    fn a_table_has_a_column_for_each_number_of_threads() {
        let text = section(&[table(1, 30.0, 100.0), table(2, 60.0, 100.0)], "", "");
        assert!(
            text.contains("| ours | 30.0 | 60.0 |\n| failsafe (its defaults) | 100.0 | 100.0 |\n"),
            "{text}"
        );
    }

    #[test]
    fn the_section_takes_its_own_place_or_the_end() {
        let section = format!("## {TITLE}\n\nnew\n");
        assert_eq!(
            replaced("# R\n\n## A\n\na\n", &section),
            format!("# R\n\n## A\n\na\n\n{section}")
        );
        let old = format!("# R\n\n## {TITLE}\n\nold\n\n## C\n\nc\n");
        assert_eq!(
            replaced(&old, &section),
            format!("# R\n\n{section}\n## C\n\nc\n")
        );
    }
}
