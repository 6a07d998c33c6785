//! Time is an argument (invariant 1). Clippy bans the clocks; the shell files that may read one lift the ban at their
//! top, and stand in the comment block of `clippy.toml`. This rule holds the two together.
//!
//! Tests and benches, a file's own test module included, may lift the ban without a line: they are never shipped.

use super::Finding;
use super::tree::Tree;

/// The first and the last line of the block in `clippy.toml`.
const BEGIN: &str = "# clock-shell-files:";
const END: &str = "# end";

/// The lint that bans the clocks. Split, so that this file does not find itself.
const LINT: &str = concat!("clippy::disallowed", "_methods");

/// Files that lift the ban without standing in the list, and lines of the list that no longer hold.
pub(crate) fn findings(tree: &Tree, clippy_toml: &str) -> Vec<Finding> {
    let listed = listed(clippy_toml);
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let in_tests = ["tests/", "benches/"]
            .iter()
            .any(|folder| path.starts_with(folder) || path.contains(&format!("/{folder}")));
        if in_tests || listed.iter().any(|entry| covers(entry, path)) {
            continue;
        }
        if let Some(line) = lifts_the_ban(text) {
            findings.push(Finding::line(
                path,
                line,
                "reads a clock: take `now` as an argument, or name this shell file in clippy.toml with the reason",
            ));
        }
    }
    for entry in &listed {
        let holds = tree
            .rust()
            .any(|(path, text)| covers(entry, path) && lifts_the_ban(text).is_some());
        if !holds {
            findings.push(Finding::file(
                "clippy.toml",
                format!("`{entry}` reads no clock: take its line out of the list"),
            ));
        }
    }
    findings
}

/// The paths of the block: the first word of each of its lines.
fn listed(clippy_toml: &str) -> Vec<&str> {
    clippy_toml
        .lines()
        .skip_while(|line| *line != BEGIN)
        .skip(1)
        .take_while(|line| *line != END)
        .filter_map(|line| line.trim_start_matches('#').split_whitespace().next())
        .collect()
}

fn covers(entry: &str, path: &str) -> bool {
    if entry.ends_with('/') {
        path.starts_with(entry)
    } else {
        path == entry
    }
}

/// The line, from 1, of an `expect` or `allow` of the lint outside the file's own tests.
fn lifts_the_ban(text: &str) -> Option<usize> {
    let shipped = text.lines().count() - test_lines(text);
    text.lines()
        .take(shipped)
        .position(|line| line.contains(LINT))
        .map(|index| index + 1)
}

/// How many lines the test module at the file's end has, its attributes included.
fn test_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let opens_tests = |from: usize| {
        let after = lines[from..].iter().find(|line| !line.starts_with("#["));
        lines[from] == "#[cfg(test)]"
            && after.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    };
    let start = (0..lines.len()).rev().find(|from| opens_tests(*from));
    start.map_or(0, |from| lines.len() - from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check(path: &str, text: &str, list: &str, expect: &str) {
        let clippy = format!("# Why.\n{BEGIN}\n{list}{END}\n");
        assert_eq!(
            render(&findings(&Tree::of(&[(path, text)]), &clippy)),
            expect
        );
    }

    fn shell() -> String {
        format!("//! Shell.\n#![expect({LINT}, reason = \"a\")]\n")
    }

    #[test]
    fn a_listed_shell_file_may_read_the_clock() {
        check(
            "crates/a/src/clock.rs",
            &shell(),
            "#   crates/a/src/clock.rs   why\n",
            "",
        );
        check(
            "bench/load/src/main.rs",
            &shell(),
            "#   bench/load/   why\n",
            "",
        );
    }

    #[test]
    fn tests_need_no_line() {
        check("crates/a/tests/it/main.rs", &shell(), "", "");
        let unit = format!(
            "//! Pure.\n\n#[cfg(test)]\n#[expect({LINT}, reason = \"a\")]\nmod tests {{\n}}\n"
        );
        check("crates/a/src/window.rs", &unit, "", "");
    }

    #[test]
    fn any_other_file_may_not() {
        check(
            "crates/a/src/window.rs",
            &shell(),
            "",
            "crates/a/src/window.rs:2: reads a clock: take `now` as an argument, \
             or name this shell file in clippy.toml with the reason",
        );
    }

    #[test]
    fn a_line_that_no_longer_holds_goes() {
        check(
            "crates/a/src/clock.rs",
            "//! No clock any more.\n",
            "#   crates/a/src/clock.rs   why\n#   crates/b/   why\n",
            "clippy.toml: `crates/a/src/clock.rs` reads no clock: take its line out of the list\n\
             clippy.toml: `crates/b/` reads no clock: take its line out of the list",
        );
    }
}
