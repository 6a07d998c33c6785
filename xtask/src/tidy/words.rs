//! Words that mark something unfinished. What is not done is left out and said in an issue, not left in the code.

use super::Finding;
use super::tree::Tree;

/// The words, with whether their case matters. They are split so that this file does not find itself.
const UNFINISHED: [(&str, bool); 3] = [
    (concat!("TO", "DO"), true),
    (concat!("FIX", "ME"), true),
    (concat!("for", " now"), false),
];

/// Every line that has one of the words as whole words.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for (index, line) in text.lines().enumerate() {
            for (word, cased) in UNFINISHED {
                if has_word(line, word, cased) {
                    let message = format!("`{word}`: finish it, or leave it out and file an issue");
                    findings.push(Finding::line(path, index + 1, message));
                }
            }
        }
    }
    findings
}

fn has_word(line: &str, word: &str, cased: bool) -> bool {
    let lowered;
    let line = if cased {
        line
    } else {
        lowered = line.to_ascii_lowercase();
        lowered.as_str()
    };
    let part_of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, found)| {
        let before = line[..at].chars().next_back();
        let after = line[at + found.len()..].chars().next();
        !before.is_some_and(part_of_a_word) && !after.is_some_and(part_of_a_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check(line: &str, expect: &str) {
        assert_eq!(render(&findings(&Tree::of(&[("a.rs", line)]))), expect);
    }

    #[test]
    fn unfinished_words_are_found() {
        let word = UNFINISHED[0].0;
        check(
            &format!("// {word}: later"),
            &format!("a.rs:1: `{word}`: finish it, or leave it out and file an issue"),
        );
        let phrase = UNFINISHED[2].0;
        check(
            &format!("// {}", phrase.to_uppercase()),
            &format!("a.rs:1: `{phrase}`: finish it, or leave it out and file an issue"),
        );
    }

    #[test]
    fn parts_of_other_words_are_not() {
        check("let TODOS = wait_for_now(); // for nowhere", "");
    }
}
