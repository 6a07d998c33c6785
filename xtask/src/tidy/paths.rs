//! Documents name only what exists. A map that names a file long gone is worse than none.
//!
//! What counts as a path: in backticks, a word that begins with a folder of the root (`crates/…`), or that has a slash
//! and ends in a slash or in a source file's ending; in code blocks, a word that begins with a folder of the root; the
//! target of a link that is not an address. A path from the root must be there; any other must be the end of one that is.

use super::Finding;
use super::tree::Tree;

/// Folders of the root that hold sources and documents.
const FOLDERS: [&str; 10] = [
    "crates/",
    "docs/",
    "bench/",
    "xtask/",
    "examples/",
    "console/",
    "compat/",
    "scripts/",
    ".ci/",
    ".cargo/",
];

/// Endings that make a word with a slash a file of ours.
const ENDINGS: [&str; 4] = [".rs", ".md", ".toml", "/"];

/// Paths named in documents that are nowhere.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        let mut in_fence = false;
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                in_fence = !in_fence;
                continue;
            }
            let missing = if in_fence {
                missing_in_fence(tree, line)
            } else {
                missing_in_prose(tree, path, line)
            };
            findings.extend(missing.into_iter().map(|named| {
                Finding::line(
                    path,
                    index + 1,
                    format!("`{named}` does not exist: name what does"),
                )
            }));
        }
    }
    findings
}

fn missing_in_fence(tree: &Tree, line: &str) -> Vec<String> {
    line.split_whitespace()
        .filter(|word| from_root(word) && is_plain(word) && !tree.has(word))
        .map(str::to_owned)
        .collect()
}

fn missing_in_prose(tree: &Tree, document: &str, line: &str) -> Vec<String> {
    // Every second piece between backticks is code.
    let coded = line.split('`').skip(1).step_by(2);
    let named = coded.filter(|word| is_plain(word)).filter(|word| {
        if from_root(word) {
            return !tree.has(word);
        }
        let inside = word.trim_end_matches('/').contains('/') || word.ends_with('/');
        inside && ENDINGS.iter().any(|ending| word.ends_with(ending)) && !tree.has_ending(word)
    });
    let linked = links(line).filter(|target| !tree.has(&resolve(document, target)));
    named.chain(linked).map(str::to_owned).collect()
}

fn from_root(word: &str) -> bool {
    FOLDERS.iter().any(|folder| word.starts_with(folder))
}

/// Whether a word can only be a path: no pattern, no variable, no address.
fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    !word.starts_with('/') && !word.is_empty() && word.chars().all(plain)
}

/// The targets of `[text](target)` that are files.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', '#', ' ']).next()?;
        let is_file =
            !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
        is_file.then_some(target)
    })
}

/// A link's target from the workspace's root.
fn resolve(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check(line: &str, expect: &[&str]) {
        let tree = Tree::of(&[
            ("docs/map.md", line),
            ("docs/errors/a.md", ""),
            ("crates/guildhall-core/src/registry/check.rs", ""),
        ]);
        let expect: Vec<String> = expect
            .iter()
            .map(|named| format!("docs/map.md:1: `{named}` does not exist: name what does"))
            .collect();
        assert_eq!(render(&findings(&tree)), expect.join("\n"));
    }

    #[test]
    fn what_exists_passes() {
        check(
            "`crates/guildhall-core/` and `registry/check.rs` in `registry/`",
            &[],
        );
        check(
            "[a](errors/a.md#top), [b](../docs/map.md), [c](https://example.org/x.md)",
            &[],
        );
    }

    #[test]
    fn what_is_gone_is_named() {
        check("see `crates/guildhall-types`", &["crates/guildhall-types"]);
        check(
            "see `registry/gone.rs` in `gone/`",
            &["registry/gone.rs", "gone/"],
        );
        check("[a](errors/gone.md)", &["errors/gone.md"]);
    }

    #[test]
    fn what_is_no_path_is_left_alone() {
        check(
            "`application/json`, `GET /api/v1/status`, `crates/*`, `/users/`, `a/b`",
            &[],
        );
    }

    #[test]
    fn code_blocks_are_checked_for_paths_from_the_root() {
        let tree = Tree::of(&[(
            "a.md",
            "```\ncrates/gone   cd target/x registry/gone.rs\n```\n",
        )]);
        assert_eq!(
            render(&findings(&tree)),
            "a.md:2: `crates/gone` does not exist: name what does"
        );
    }
}
