//! Two contents that were read, value by value and line by line.

use super::{ContentDiff, ValueChange, unified};
use crate::{config::Parsed, history::changes_of};

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
