//! What changed between two contents.

use guildhall_core::config::{Format, Parsed, diff, format::render, parse, unified};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::trees;

fn read(format: Format, text: &str) -> Parsed {
    parse(format, text.as_bytes()).unwrap()
}

#[test]
fn changes_are_told_by_value_and_by_line_with_their_places() {
    let before = read(
        Format::Yaml,
        "# pool\npool:\n  size: 8\n  old: 1\nhosts: [a, b]\n",
    );
    let after = read(
        Format::Yaml,
        "# the pool\npool:\n  size: 9\nhosts: [a, c, d]\nnew:\n  x: 1\n",
    );
    let told = diff(&before, &after, ("1", "2"));
    let changes = serde_json::to_value(&told.structural).unwrap();
    assert_eq!(
        changes,
        json!([
            {"pointer": "/hosts/1", "before": "b", "after": "c",
             "beforeAt": {"line": 5, "column": 12}, "afterAt": {"line": 4, "column": 12}},
            {"pointer": "/hosts/2", "after": "d", "afterAt": {"line": 4, "column": 15}},
            {"pointer": "/pool/old", "before": 1, "beforeAt": {"line": 4, "column": 8}},
            {"pointer": "/pool/size", "before": 8, "after": 9,
             "beforeAt": {"line": 3, "column": 9}, "afterAt": {"line": 3, "column": 9}},
            {"pointer": "/new", "after": {"x": 1}, "afterAt": {"line": 6, "column": 3}},
        ])
    );
    assert_eq!(
        told.textual.unwrap(),
        "--- 1\n+++ 2\n@@ -1,5 +1,6 @@\n-# pool\n+# the pool\n pool:\n-  size: 8\n-  old: 1\n-hosts: [a, b]\n\
         +  size: 9\n+hosts: [a, c, d]\n+new:\n+  x: 1\n"
    );
}

#[test]
fn formats_may_differ_and_comments_change_no_value() {
    let told = diff(
        &read(Format::Json, r#"{"a": 1, "b": 2}"#),
        &read(Format::Toml, "b = 2\na = 1 # one\n"),
        ("json", "toml"),
    );
    assert_eq!(told.structural, Some(Vec::new()));
    assert!(told.textual.unwrap().contains("+a = 1 # one"));
}

/// Lines were cut at a return alone, and the next one began in the middle of a line of the diff.
#[test]
fn a_return_alone_ends_no_line() {
    let lines = |before: &str, after: &str| unified(before, after, ("a", "b"));
    assert_eq!(
        lines("a\rb\r\nc", "a\rb\nc"),
        "--- a\n+++ b\n@@ -1,2 +1,2 @@\n-a\rb\r\n+a\rb\n c\n\\ No newline at end of file\n"
    );
    assert_eq!(
        lines("a\r", "b\r"),
        "--- a\n+++ b\n@@ -1 +1 @@\n-a\r\n\\ No newline at end of file\n+b\r\n\\ No newline at end of file\n"
    );
}

#[test]
fn text_has_lines_only_and_binary_nothing() {
    let told = diff(
        &read(Format::Text, "a\nb"),
        &read(Format::Text, "a\nc"),
        ("x", "y"),
    );
    assert_eq!(told.structural, None);
    assert!(
        told.textual
            .unwrap()
            .ends_with("-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n")
    );
    let binary = parse(Format::Binary, b"\xff").unwrap();
    let told = diff(&binary, &binary, ("x", "y"));
    assert_eq!((told.structural, told.textual), (None, None));
}

/// Carries out a unified diff.
fn patched(before: &str, patch: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let mut out = String::new();
    let mut at = 0;
    let mut lines = patch.split_inclusive('\n').skip(2).peekable();
    while let Some(line) = lines.next() {
        if let Some(header) = line.strip_prefix("@@ -") {
            let mut numbers = header.split([',', ' ']).map(|n| n.parse::<usize>().ok());
            let first = numbers.next().unwrap().unwrap();
            let empty = header.split(' ').next().unwrap().ends_with(",0");
            let start = if empty { first } else { first - 1 };
            out.extend(old[at..start].iter().copied());
            at = start;
            continue;
        }
        if line.starts_with('\\') {
            continue;
        }
        let mut content = &line[1..];
        if lines.peek().is_some_and(|next| next.starts_with('\\')) {
            content = content.strip_suffix('\n').unwrap();
        }
        match &line[..1] {
            "+" => out.push_str(content),
            sign => {
                assert_eq!(old[at], content);
                at += 1;
                if sign == " " {
                    out.push_str(content);
                }
            }
        }
    }
    out.extend(old[at..].iter().copied());
    out
}

#[test]
fn what_is_too_long_to_pair_is_one_hunk_that_still_applies() {
    let lines = |from: u32, to: u32| (from..to).map(|n| format!("{n}\n")).collect::<String>();
    for (before, after) in [
        (
            lines(0, 20_000),
            lines(0, 5) + &lines(30_000, 50_000) + &lines(19_990, 20_000),
        ),
        (lines(0, 20_000), lines(0, 5)),
        (lines(0, 5), lines(0, 20_000)),
        (String::new(), lines(0, 20_000)),
        (
            lines(0, 20_000) + "end",
            "start\n".to_owned() + &lines(20_000, 40_000) + "end",
        ),
    ] {
        let told = diff(
            &read(Format::Text, &before),
            &read(Format::Text, &after),
            ("a", "b"),
        );
        let patch = told.textual.unwrap();
        assert_eq!(patch.matches("@@ -").count(), 1);
        assert!(patched(&before, &patch) == after);
    }
}

/// Carries out structural changes; lists grow and shrink at their ends.
fn applied(mut value: Value, changes: &[guildhall_core::config::diff::ValueChange]) -> Value {
    for change in changes.iter().rev().map(|change| &change.change) {
        let Some((parent, key)) = change.pointer.rsplit_once('/') else {
            value = change.after.clone().unwrap();
            continue;
        };
        let key = key.replace("~1", "/").replace("~0", "~");
        match (value.pointer_mut(parent).unwrap(), &change.after) {
            (Value::Object(members), Some(after)) => drop(members.insert(key, after.clone())),
            (Value::Object(members), None) => drop(members.remove(&key)),
            (Value::Array(items), None) => drop(items.remove(key.parse().unwrap())),
            (Value::Array(items), Some(after)) => {
                let at: usize = key.parse().unwrap();
                if change.before.is_some() {
                    items[at] = after.clone();
                } else {
                    // Later ones came first: each goes before them.
                    let end = items.len().min(at);
                    items.insert(end, after.clone());
                }
            }
            _ => unreachable!(),
        }
    }
    value
}

proptest! {
    #[test]
    fn changes_carried_out_give_the_other(a in trees::objects(true), b in trees::objects(true)) {
        let texts = [&a, &b].map(|tree| render(Format::Yaml, tree).unwrap());
        let [before, after] = [0, 1].map(|n| read(Format::Yaml, &texts[n]));
        let told = diff(&before, &after, ("a", "b"));
        let changes = told.structural.unwrap();
        prop_assert_eq!(changes.is_empty(), a == b);
        prop_assert_eq!(applied(before.value().unwrap(), &changes), after.value().unwrap());
        let patch = told.textual.unwrap();
        prop_assert_eq!(patched(&texts[0], &patch), &*texts[1]);
    }
}
