//! What changed between two contents: by value, and line by line.
//!
//! Both are told of whatever the formats are; where one side has no tree, only the lines are. Sealed values must be masked
//! before ([`super::seal`]): a diff shows what it is given.

use serde::{Deserialize, Serialize};

use super::format::{Parsed, Position};
use crate::history::{Change, changes_of};

/// What leads from one content to another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentDiff {
    /// Value by value, with where each stands; what moved is gone in one place and there in another. Absent where one
    /// side has no tree of values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structural: Option<Vec<ValueChange>>,
    /// Line by line, as a unified diff; empty where the texts are the same. Absent where one side is binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub textual: Option<String>,
}

/// One value that is not what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueChange {
    /// The value, before and after.
    #[serde(flatten)]
    pub change: Change,
    /// Where it stood; absent where it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_at: Option<Position>,
    /// Where it stands; absent where it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_at: Option<Position>,
}

/// What leads from `before` to `after`.
///
/// Objects are compared key by key, whatever the order, and lists item by item; a whole that came or went is one change.
/// `names` are what the unified diff calls the two.
pub fn diff(before: &Parsed, after: &Parsed, names: (&str, &str)) -> ContentDiff {
    ContentDiff {
        structural: structural(before, after),
        textual: Some((before, after))
            .and_then(|(a, b)| Some((a.text()?, b.text()?)))
            .map(|(a, b)| unified(a, b, names)),
    }
}

fn structural(before: &Parsed, after: &Parsed) -> Option<Vec<ValueChange>> {
    let (old, new) = (before.value()?, after.value()?);
    let changes = changes_of(Some(&old), Some(&new)).into_iter();
    let placed = changes.map(|change| {
        let at = |side: &Option<_>, parsed: &Parsed| {
            side.as_ref().and_then(|_| parsed.position(&change.pointer))
        };
        ValueChange {
            before_at: at(&change.before, before),
            after_at: at(&change.after, after),
            change,
        }
    });
    Some(placed.collect())
}

/// Above this many lines that are not the same at both ends, lines are not paired any more: that takes time by their
/// square.
const MAX_LINES: usize = 8192;

/// The lines that changed, each with three around it; empty if none did. `names` are what it calls the two.
pub fn unified(before: &str, after: &str, names: (&str, &str)) -> String {
    if before == after {
        return String::new();
    }
    let (old, new): (Vec<_>, Vec<_>) = (lines(before), lines(after));
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let ends = old.iter().rev().zip(new.iter().rev());
    let most = old.len().min(new.len()) - head;
    let tail = ends.take(most).take_while(|(a, b)| a == b).count();
    if old.len().max(new.len()) - head - tail > MAX_LINES {
        return replaced(&old, &new, head, tail, names);
    }
    // Lines end where they do for all who apply diffs: a return alone ends none.
    let diff = similar::TextDiff::configure()
        .newline_terminated(true)
        .diff_slices(&old, &new);
    let mut out = header(names);
    for hunk in diff.unified_diff().iter_hunks() {
        out.push_str(&format!("{}\n", hunk.header()));
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                similar::ChangeTag::Equal => ' ',
                similar::ChangeTag::Delete => '-',
                similar::ChangeTag::Insert => '+',
            };
            push(&mut out, sign, change.value());
        }
    }
    out
}

fn header(names: (&str, &str)) -> String {
    format!("--- {}\n+++ {}\n", names.0, names.1)
}

/// Writes a line of a diff, and says so where nothing ends it.
fn push(out: &mut String, sign: char, line: &str) {
    out.push(sign);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// One hunk: all between the ends that are the same is taken away, and what stands there instead is added.
fn replaced(old: &[&str], new: &[&str], head: usize, tail: usize, names: (&str, &str)) -> String {
    const AROUND: usize = 3;
    let start = head.saturating_sub(AROUND);
    let side = |all: &[&str]| {
        let end = (all.len() - tail + AROUND).min(all.len());
        // A side without lines begins behind the line before it.
        let first = if end == start { start } else { start + 1 };
        format!("{first},{}", end - start)
    };
    let mut out = header(names);
    out.push_str(&format!("@@ -{} +{} @@\n", side(old), side(new)));
    let mut push = |sign, lines: &[&str]| lines.iter().for_each(|line| push(&mut out, sign, line));
    let end = old.len() - tail;
    push(' ', old.get(start..head).unwrap_or_default());
    push('-', old.get(head..end).unwrap_or_default());
    push('+', new.get(head..new.len() - tail).unwrap_or_default());
    push(
        ' ',
        old.get(end..(end + AROUND).min(old.len()))
            .unwrap_or_default(),
    );
    out
}
