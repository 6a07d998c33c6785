//! What changed between two contents: nothing where they are the same, the same number of changes both ways, and lines that
//! make the one of the other when they are applied.
#![no_main]

use guildhall_core::config::{diff, unified};
use guildhall_fuzz::{check_position, content, parts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let [before, after] = parts.as_slice() else {
        return;
    };
    let (Some(a), Some(b)) = (content(before), content(after)) else {
        return;
    };
    let none = diff(&a, &a, ("a", "a"));
    assert!(none.structural.is_none_or(|changes| changes.is_empty()));
    assert_eq!(none.textual.as_deref(), Some(""));

    let there = diff(&a, &b, ("a", "b"));
    let back = diff(&b, &a, ("b", "a"));
    let is_tree = a.root().is_some() && b.root().is_some();
    assert_eq!(there.structural.is_some(), is_tree);
    let (there, back) = (
        there.structural.unwrap_or_default(),
        back.structural.unwrap_or_default(),
    );
    assert_eq!(there.len(), back.len());
    assert_eq!(there.is_empty(), !is_tree || a.value() == b.value());
    for change in &there {
        assert!(change.before_at.is_some() || change.after_at.is_some());
        for (at, parsed) in [(change.before_at, &a), (change.after_at, &b)] {
            if let Some(at) = at {
                check_position(at, parsed.text().unwrap_or_default());
            }
        }
    }
    let (a, b) = (a.text().unwrap_or_default(), b.text().unwrap_or_default());
    let patch = unified(a, b, ("a", "b"));
    assert_eq!(patch.is_empty(), a == b);
    assert_eq!(apply(a, &patch), b, "{patch}");
});

/// Applies a unified diff as patch(1) does.
fn apply(before: &str, patch: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let mut out = String::new();
    let mut at = 0;
    let mut lines = patch.split_inclusive('\n').peekable();
    for _ in 0..2 {
        lines.next();
    }
    while let Some(line) = lines.next() {
        if let Some(head) = line.strip_prefix("@@ -") {
            let range = head.split(' ').next().unwrap_or_default();
            let (start, count) = range.split_once(',').unwrap_or((range, "1"));
            let start: usize = start.parse().expect("a hunk begins somewhere");
            let start = if count == "0" { start } else { start - 1 };
            out.extend(old[at..start].iter().copied());
            at = start;
            continue;
        }
        if line.starts_with('\\') {
            continue;
        }
        let bare = lines.peek().is_some_and(|next| next.starts_with('\\'));
        let (sign, text) = line.split_at(1);
        let text = if bare {
            text.strip_suffix('\n').unwrap_or(text)
        } else {
            text
        };
        match sign {
            " " => {
                assert_eq!(old[at], text);
                out.push_str(text);
                at += 1;
            }
            "-" => {
                assert_eq!(old[at], text);
                at += 1;
            }
            "+" => out.push_str(text),
            other => panic!("a line of a diff that begins with {other:?}"),
        }
    }
    out.extend(old[at..].iter().copied());
    out
}
