//! Files of 100 to 300 lines are normal. Past 600 a file stands in [`LONG_FILES`] with the reason why it is one idea,
//! or it is two files.

use super::Finding;
use super::tree::Tree;

/// The length past which a file needs a reason.
const LIMIT: usize = 600;

/// Files that are longer, each with its reason.
pub(crate) const LONG_FILES: &[(&str, &str)] = &[];

/// Code files that are too long, and lines of the table that no longer hold.
pub(crate) fn findings(tree: &Tree, long_files: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree
        .texts()
        .filter(|(path, _)| !path.ends_with(".md") && !path.ends_with(".toml"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(path, lines)| *lines > LIMIT && !long_files.iter().any(|(listed, _)| listed == path))
        .map(|(path, lines)| {
            Finding::file(
                path,
                format!("{lines} lines: make the second idea in it a file of its own, or give the reason in length.rs"),
            )
        })
        .collect();
    let stale = long_files
        .iter()
        .filter(|(path, _)| {
            tree.text(path)
                .is_none_or(|text| text.lines().count() <= LIMIT)
        })
        .map(|(path, _)| Finding::file(*path, "no longer long: take its line out of length.rs"));
    findings.extend(stale);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check(lines: usize, listed: &[(&str, &str)], expect: &str) {
        let text = "//! A.\n".repeat(lines);
        assert_eq!(
            render(&findings(&Tree::of(&[("a.rs", &text)]), listed)),
            expect
        );
    }

    #[test]
    fn six_hundred_lines_pass_and_one_more_needs_a_reason() {
        check(600, &[], "");
        check(601, &[("a.rs", "a table of every state and event")], "");
        check(
            601,
            &[],
            "a.rs: 601 lines: make the second idea in it a file of its own, or give the reason in length.rs",
        );
    }

    #[test]
    fn a_reason_without_a_long_file_goes() {
        check(
            600,
            &[("a.rs", "was long"), ("gone.rs", "was long")],
            "a.rs: no longer long: take its line out of length.rs\n\
             gone.rs: no longer long: take its line out of length.rs",
        );
    }
}
