//! What consumers receive: nothing may come that could not come before, and what always came
//! must still come. New properties are fine: consumers are to pass over what they do not know.

use super::{
    compare::{Comparison, Outcome, show, step},
    flat::Node,
    shape::{Shape, has_flag},
};
use crate::registry::contract::change::ChangeKind;

/// What breaks for a receiver from `old` to `new`.
pub(super) fn compare<'a>(
    comparison: &mut Comparison<'a>,
    old: &Shape<'a>,
    new: &Shape<'a>,
    depth: usize,
) -> Outcome {
    let mut outcome = Outcome::new();
    if !old.types.covers(new.types) {
        outcome.add(
            ChangeKind::TypeChanged,
            "",
            format!("was {}, is now {}", old.types, new.types),
        );
    }
    values(old, new, &mut outcome);
    if let Some(detail) = old.bounds.widened_by(&new.bounds) {
        outcome.add(ChangeKind::TypeChanged, "", detail);
    }
    for (keyword, value) in &old.other {
        if new.other.get(keyword) != Some(value) {
            outcome.add(
                ChangeKind::Incomplete,
                "",
                format!("{keyword} changed: compare it by hand"),
            );
        }
    }
    for reference in old.opaque.difference(&new.opaque) {
        let detail = format!("{reference} lies outside the document: compare it by hand");
        outcome.add(ChangeKind::Incomplete, "", detail);
    }
    properties(comparison, old, new, depth, &mut outcome);
    for at in 0..old.first_items.len() {
        let below = comparison.nodes(old.item(at), new.item(at), false, depth + 1);
        outcome.extend(&step(&at.to_string()), below);
    }
    if !old.items.is_empty() {
        let below = comparison.nodes(&old.items, &new.items, false, depth + 1);
        outcome.extend("/*", below);
    }
    outcome
}

fn values(old: &Shape<'_>, new: &Shape<'_>, outcome: &mut Outcome) {
    let Some(known) = &old.values else {
        return;
    };
    let kind = ChangeKind::EnumValueAdded;
    match &new.values {
        Some(given) => {
            for value in given.iter().filter(|value| !known.contains(value)) {
                outcome.add(kind, "", format!("{} may come now", show(value)));
            }
        }
        None if new.types.are_all(known) => {}
        None => outcome.add(kind, "", format!("any {} may come now", new.types)),
    }
}

fn properties<'a>(
    comparison: &mut Comparison<'a>,
    old: &Shape<'a>,
    new: &Shape<'a>,
    depth: usize,
    outcome: &mut Outcome,
) {
    let never_given = |root, node: &Node<'a>| has_flag(root, node, "writeOnly");
    for (name, before) in &old.properties {
        if never_given(comparison.old, before) {
            continue;
        }
        match new.properties.get(name) {
            Some(after) if !never_given(comparison.new, after) => {
                let below = comparison.nodes(before, after, false, depth + 1);
                outcome.extend(&step(name), below);
            }
            _ => outcome.add(
                ChangeKind::PropertyRemoved,
                step(name),
                "is no longer given",
            ),
        }
    }
    for name in old.required.difference(&new.required) {
        // A property that is gone altogether was told above.
        let gone = old.properties.contains_key(name) && !new.properties.contains_key(name);
        let ever = old
            .properties
            .get(name)
            .is_none_or(|node| !never_given(comparison.old, node));
        if ever && !gone {
            outcome.add(
                ChangeKind::PropertyOptional,
                step(name),
                "always came, may be missing now",
            );
        }
    }
    if !old.additional.is_empty() && !old.additional.iter().all(|schema| schema.is_boolean()) {
        let below = comparison.nodes(&old.additional, &new.additional, false, depth + 1);
        outcome.extend("/*", below);
    }
}
