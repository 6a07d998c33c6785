//! The report: one section of `bench/RESULTS.md` per benchmark, overwritten whole; the others stay as they are.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine;
use crate::options::Options;
use crate::site::Site;

/// The head of a results file that is not there yet.
const PREAMBLE: &str = "# Results

Guildhall beside its peers, each section from one run in which they took turns; a figure is the median of the turns.
`cargo xtask bench` writes this file, a section a benchmark. CPU is user and system time of the server's process, without
the load generator's. Compare within a section only.
";

/// What a benchmark found.
pub(crate) struct Section {
    /// The section's heading, and its key in the file.
    title: String,
    command: String,
    machine: String,
    versions: Vec<String>,
    body: String,
    bars: Vec<String>,
}

impl Section {
    /// An empty section of the benchmark that works at `site`.
    pub(crate) fn new(site: &Site<'_>, title: &str) -> Self {
        let options = site.options;
        let mut command = format!("cargo xtask bench {}", site.bench);
        for (name, list) in [("--only", &options.only), ("--parts", &options.parts)] {
            if !list.is_empty() {
                let _ = write!(command, " {name} {}", list.join(","));
            }
        }
        let _ = write!(
            command,
            " --rounds {} --seconds {}",
            options.rounds, options.seconds
        );
        Self {
            title: title.to_owned(),
            command,
            machine: machine::describe(&site.file_system),
            versions: Vec::new(),
            body: String::new(),
            bars: Vec::new(),
        }
    }

    /// Names a program that took part, with its version; once, however often it took part.
    pub(crate) fn version(&mut self, name: &str, version: &str) {
        let named = format!("{name} {version}");
        if !self.versions.contains(&named) {
            self.versions.push(named);
        }
    }

    /// Adds a paragraph.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = write!(self.body, "\n{text}\n");
    }

    /// Adds a table under a caption.
    pub(crate) fn table(&mut self, caption: &str, columns: &[&str], rows: &[Vec<String>]) {
        let _ = write!(self.body, "\n{caption}\n\n| {} |\n|", columns.join(" | "));
        for column in 0..columns.len() {
            self.body
                .push_str(if column == 0 { "---|" } else { "---:|" });
        }
        self.body.push('\n');
        for row in rows {
            let _ = writeln!(self.body, "| {} |", row.join(" | "));
        }
    }

    /// Adds the bar `value ≤ bound`, with how the value is written. NaN was not measured.
    pub(crate) fn at_most(
        &mut self,
        what: &str,
        value: f64,
        bound: f64,
        written: impl Fn(f64) -> String,
    ) {
        self.bar(what, value, value <= bound, written);
    }

    /// Adds the bar `value ≥ bound`, with how the value is written. NaN was not measured.
    pub(crate) fn at_least(
        &mut self,
        what: &str,
        value: f64,
        bound: f64,
        written: impl Fn(f64) -> String,
    ) {
        self.bar(what, value, value >= bound, written);
    }

    fn bar(&mut self, what: &str, value: f64, holds: bool, written: impl Fn(f64) -> String) {
        let verdict = match (value.is_finite(), holds) {
            (false, _) => "not measured".to_owned(),
            (true, true) => format!("pass, {}", written(value)),
            (true, false) => format!("FAIL, {}", written(value)),
        };
        self.bars.push(format!("- {what}: **{verdict}**"));
    }

    fn render(&self, date: &str) -> String {
        let mut text = format!(
            "## {}\n\n`{}`, {date}.  \n{}.  \n{}.\n{}",
            self.title,
            self.command,
            self.machine,
            self.versions.join(", "),
            self.body,
        );
        if !self.bars.is_empty() {
            let _ = write!(text, "\nBars:\n\n{}\n", self.bars.join("\n"));
        }
        text
    }
}

/// Prints the section, and puts it into the results file unless the options say not to.
pub(crate) fn publish(section: &Section, options: &Options) -> Result<()> {
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let text = section.render(&date);
    println!("{text}");
    if options.dry_run {
        return Ok(());
    }
    write(&options.results, &section.title, &text)
}

fn write(file: &Path, title: &str, section: &str) -> Result<()> {
    let old = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => PREAMBLE.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    std::fs::write(file, replace(&old, title, section))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// The results with this section in place of the one of the same title, or at the end where there is none.
fn replace(results: &str, title: &str, section: &str) -> String {
    let heading = format!("## {title}");
    let mut text = String::new();
    let mut skipping = false;
    let mut placed = false;
    for line in results.lines() {
        if line.starts_with("## ") {
            skipping = line == heading;
            if skipping {
                text.push_str(section);
                text.push('\n');
                placed = true;
            }
        }
        if !skipping {
            text.push_str(line);
            text.push('\n');
        }
    }
    if !placed {
        text.push('\n');
        text.push_str(section);
    }
    let end = text.trim_end().len();
    text.truncate(end);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(results: &str, expect: &str) {
        assert_eq!(replace(results, "B", "## B\n\nnew\n"), expect);
    }

    #[test]
    fn a_section_takes_its_own_place_and_no_other() {
        check(
            "# R\n\n## A\n\na\n\n## B\n\nold\n\n## C\n\nc\n",
            "# R\n\n## A\n\na\n\n## B\n\nnew\n\n## C\n\nc\n",
        );
        check(
            "# R\n\n## A\n\na\n\n## B\n\nold\n",
            "# R\n\n## A\n\na\n\n## B\n\nnew\n",
        );
    }

    #[test]
    fn a_new_section_goes_to_the_end() {
        check("# R\n\n## A\n\na\n", "# R\n\n## A\n\na\n\n## B\n\nnew\n");
    }
}
