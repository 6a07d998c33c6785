//! Regular expressions in routes: bounded in size, always over the whole value.

use regex::bytes::{Regex, RegexBuilder};

/// The most bytes an expression may have (Gateway API's limit for paths).
const MAX_PATTERN: usize = 1024;
/// The most memory a compiled expression may take, in bytes.
const MAX_COMPILED: usize = 256 * 1024;
/// The most memory one thread's matching cache of an expression may take, in bytes.
const MAX_CACHE: usize = 256 * 1024;

/// Compiles `pattern` so that it matches whole values, as Envoy's routes do.
///
/// Classes such as `\d` and `\w` mean ASCII: paths are matched percent-encoded, and the tables of
/// Unicode would be most of the compiled size.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("at most {MAX_PATTERN} bytes of regular expression"));
    }
    // By itself first: a pattern such as `a)(b` is none, but would become one between the anchors.
    build(pattern)
        .and_then(|_| build(&format!("^(?:{pattern})$")))
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                "this expression is too large when compiled; use smaller counts".to_owned()
            }
            other => format!("not a regular expression: {other}"),
        })
}

fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_CACHE)
        .nest_limit(64)
        .build()
}

/// The whole path elements every matching path begins with: where the expression hangs in the
/// tree. Cuts back generously, because a shorter prefix only costs time.
pub(crate) fn literal_elements(pattern: &str) -> Vec<&str> {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    // An alternative at the top may begin differently. One inside a group is found by this too,
    // which costs little.
    if pattern.contains('|') {
        return Vec::new();
    }
    let end = pattern
        .find(|c| r"\.+*?()|[]{}^$".contains(c))
        .unwrap_or(pattern.len());
    let mut literal = &pattern[..end];
    if pattern[end..].starts_with(['*', '?', '{', '+']) {
        let last = literal.char_indices().next_back().map_or(0, |(at, _)| at);
        literal = &literal[..last];
    }
    // What follows the last slash may go on in the expression.
    let whole = literal.rfind('/').map_or("", |slash| &literal[..slash]);
    match whole.strip_prefix('/') {
        Some(elements) => elements.split('/').collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_the_whole_value() {
        let regex = compile("/users/[0-9]+|/all").unwrap();
        for (path, expected) in [
            ("/users/7", true),
            ("/users/7/x", false),
            ("x/all", false),
            ("/all", true),
        ] {
            assert_eq!(regex.is_match(path.as_bytes()), expected, "{path}");
        }
    }

    #[test]
    fn a_large_or_broken_expression_is_refused() {
        for bad in ["(", "(a{1000}){1000}", &"a".repeat(1025), "a)(b"] {
            assert!(compile(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn literal_elements_are_those_every_match_begins_with() {
        for (pattern, expected) in [
            ("/users/[0-9]+", vec!["users"]),
            ("^/a/b/c.*", vec!["a", "b"]),
            ("/users/?", vec![]),
            ("/users*/x", vec![]),
            ("/a/b", vec!["a"]),
            ("/a/b/", vec!["a", "b"]),
            ("/a/|/b/", vec![]),
            ("(?i)/a/b", vec![]),
            (".*", vec![]),
            ("/a/b/?x", vec!["a"]),
        ] {
            assert_eq!(literal_elements(pattern), expected, "{pattern}");
        }
    }
}
