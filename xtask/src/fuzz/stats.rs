//! What libFuzzer says of a run, read from its output.

/// What came of a run, as far as it was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stats {
    /// Inputs that were run.
    pub(super) runs: u64,
    /// How many a second.
    pub(super) per_second: u64,
    /// Edges of the code that some input reached.
    pub(super) edges: u64,
    /// Inputs that were found and kept.
    pub(super) found: u64,
    /// The file with the input that ended it.
    pub(super) artifact: Option<String>,
    /// Why it ended, if not because time was up.
    pub(super) why: Option<String>,
}

impl Stats {
    /// Reads the output of a run.
    pub(super) fn parse(output: &str) -> Self {
        let mut stats = Self::default();
        let mut panicked = false;
        for line in output.lines() {
            if let Some((name, value)) = line
                .strip_prefix("stat::")
                .and_then(|rest| rest.split_once(':'))
            {
                let value = value.trim().parse().unwrap_or_default();
                match name {
                    "number_of_executed_units" => stats.runs = value,
                    "average_exec_per_sec" => stats.per_second = value,
                    "new_units_added" => stats.found = value,
                    _ => {}
                }
            } else if let Some(path) = written(line) {
                stats.artifact = Some(path.to_owned());
            } else if std::mem::take(&mut panicked) {
                stats.why = Some(line.trim().to_owned());
            } else if line.starts_with("thread '") && line.contains("panicked at") {
                // The message is in the next line.
                panicked = true;
            } else if let Some((_, error)) = line.split_once("ERROR: libFuzzer: ") {
                stats.why.get_or_insert_with(|| error.to_owned());
            } else if line.starts_with('#')
                && let Some(edges) = edges(line)
            {
                stats.edges = stats.edges.max(edges);
            }
        }
        stats
    }
}

/// The file that an input was written to.
fn written(line: &str) -> Option<&str> {
    line.split_once("Test unit written to ")
        .map(|(_, path)| path.trim())
}

/// The coverage in a line of progress.
fn edges(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(" cov: ")?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_went_well_is_read() {
        let output = "\
INFO: Loaded 1 modules   (52044 inline 8-bit counters): 52044 [0x1, 0x2),
#2\tINITED cov: 201 ft: 202 corp: 1/1b exec/s: 0 rss: 39Mb
#1024\tNEW    cov: 310 ft: 420 corp: 20/90b lim: 4 exec/s: 0 rss: 40Mb L: 3/4 MS: 1 EraseBytes-
#2803294\tDONE   cov: 433 ft: 1432 corp: 350/20Kb lim: 4096 exec/s: 254844 rss: 412Mb
Done 2803294 runs in 11 second(s)
stat::number_of_executed_units: 2803294
stat::average_exec_per_sec:     254844
stat::new_units_added:          511
stat::slowest_unit_time_sec:    0
stat::peak_rss_mb:              412
";
        let expect = Stats {
            runs: 2_803_294,
            per_second: 254_844,
            edges: 433,
            found: 511,
            artifact: None,
            why: None,
        };
        assert_eq!(Stats::parse(output), expect);
    }

    #[test]
    fn a_crash_says_why_and_where_its_input_is() {
        let output = "\
#77\tNEW    cov: 12 ft: 13 corp: 2/2b lim: 4 exec/s: 0 rss: 40Mb

thread '<unnamed>' (123) panicked at fuzz_targets/names.rs:9:5:
assertion `left == right` failed
  left: 1
==123== ERROR: libFuzzer: deadly signal
SUMMARY: libFuzzer: deadly signal
artifact_prefix='/t/crashes/names/'; Test unit written to /t/crashes/names/crash-ab
stat::number_of_executed_units: 78
";
        let stats = Stats::parse(output);
        assert_eq!(
            stats.why.as_deref(),
            Some("assertion `left == right` failed")
        );
        assert_eq!(stats.artifact.as_deref(), Some("/t/crashes/names/crash-ab"));
        assert_eq!((stats.runs, stats.edges), (78, 12));
        let slow = "ALARM: working on the last Unit for 11 seconds\n==1== ERROR: libFuzzer: timeout after 11 seconds\n";
        let why = Stats::parse(slow).why;
        assert_eq!(why.as_deref(), Some("timeout after 11 seconds"));
    }
}
