//! Every Rust file opens with `//!`: what it is for, what it must not do, where to look next. A file that nobody can say
//! that of has no reason to be.

use super::Finding;
use super::tree::Tree;

/// Rust files whose first line is not a module comment with words in it.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|(_, text)| !opens_with_words(text))
        .map(|(path, _)| {
            Finding::line(
                path,
                1,
                "open the file with `//!`: what it is for, what it must not do",
            )
        })
        .collect()
}

fn opens_with_words(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first
        .strip_prefix("//!")
        .is_some_and(|words| !words.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check(text: &str, expect: &str) {
        assert_eq!(
            render(&findings(&Tree::of(&[("crates/a/src/b.rs", text)]))),
            expect
        );
    }

    const MISSING: &str =
        "crates/a/src/b.rs:1: open the file with `//!`: what it is for, what it must not do";

    #[test]
    fn the_first_line_says_what_the_file_is_for() {
        check("//! The window of a breaker.\nfn a() {}\n", "");
    }

    #[test]
    fn code_an_attribute_an_empty_comment_or_nothing_first() {
        check("fn a() {}\n", MISSING);
        check("#![allow(dead_code)]\n//! Late.\n", MISSING);
        check("//!\n//! Second.\n", MISSING);
        check("", MISSING);
    }
}
