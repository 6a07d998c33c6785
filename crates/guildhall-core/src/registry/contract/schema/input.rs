//! What consumers send: everything they could send before must still be taken.

use serde_json::Value;

use super::{
    compare::{Comparison, Outcome, show, step},
    flat::Node,
    shape::{Shape, has_flag},
};
use crate::registry::contract::change::ChangeKind;

/// What breaks for a sender from `old` to `new`.
pub(super) fn compare<'a>(
    comparison: &mut Comparison<'a>,
    old: &Shape<'a>,
    new: &Shape<'a>,
    depth: usize,
) -> Outcome {
    let mut outcome = Outcome::new();
    if !new.types.covers(old.types) {
        outcome.add(
            ChangeKind::TypeNarrowed,
            "",
            format!("was {}, is now {}", old.types, new.types),
        );
    }
    values(old, new, &mut outcome);
    for detail in old.bounds.narrowed_by(&new.bounds) {
        outcome.add(ChangeKind::BoundNarrowed, "", detail);
    }
    for (keyword, value) in &new.other {
        if old.other.get(keyword) != Some(value) {
            outcome.add(
                ChangeKind::Incomplete,
                "",
                format!("{keyword} changed: compare it by hand"),
            );
        }
    }
    for reference in new.opaque.difference(&old.opaque) {
        let detail = format!("{reference} lies outside the document: compare it by hand");
        outcome.add(ChangeKind::Incomplete, "", detail);
    }
    properties(comparison, old, new, depth, &mut outcome);
    for at in 0..old.first_items.len().max(new.first_items.len()) {
        let below = comparison.nodes(old.item(at), new.item(at), true, depth + 1);
        outcome.extend(&step(&at.to_string()), below);
    }
    if !new.items.is_empty() {
        let below = comparison.nodes(&old.items, &new.items, true, depth + 1);
        outcome.extend("/*", below);
    }
    outcome
}

fn values(old: &Shape<'_>, new: &Shape<'_>, outcome: &mut Outcome) {
    let Some(taken) = &new.values else {
        return;
    };
    let kind = ChangeKind::EnumValueRemoved;
    match &old.values {
        Some(sent) => {
            for value in sent.iter().filter(|value| !taken.contains(value)) {
                outcome.add(kind, "", format!("{} is no longer taken", show(value)));
            }
        }
        None if old.types.are_all(taken) => {}
        None => {
            let values: Vec<String> = taken.iter().take(8).map(|value| show(value)).collect();
            let more = if taken.len() > 8 { ", …" } else { "" };
            outcome.add(
                kind,
                "",
                format!("only {}{more} is taken now", values.join(", ")),
            );
        }
    }
}

fn properties<'a>(
    comparison: &mut Comparison<'a>,
    old: &Shape<'a>,
    new: &Shape<'a>,
    depth: usize,
    outcome: &mut Outcome,
) {
    let never_sent =
        |root, node: Option<&Node<'a>>| node.is_some_and(|node| has_flag(root, node, "readOnly"));
    for name in new.required.difference(&old.required) {
        if !never_sent(comparison.new, new.properties.get(name)) {
            let known = old.properties.contains_key(name);
            let detail = if known {
                "could be left out, is required now"
            } else {
                "is new and required"
            };
            outcome.add(ChangeKind::PropertyRequired, step(name), detail);
        }
    }
    for (name, before) in &old.properties {
        if never_sent(comparison.old, Some(before)) {
            continue;
        }
        match new.properties.get(name) {
            Some(after) => {
                let below = comparison.nodes(before, after, true, depth + 1);
                outcome.extend(&step(name), below);
            }
            None if refuses(&new.additional) => {
                outcome.add(
                    ChangeKind::PropertyRemoved,
                    step(name),
                    "is no longer taken",
                );
            }
            None if !new.additional.is_empty() => {
                let below = comparison.nodes(before, &new.additional, true, depth + 1);
                outcome.extend(&step(name), below);
            }
            None => {}
        }
    }
    if refuses(&new.additional) {
        if !refuses(&old.additional) {
            outcome.add(
                ChangeKind::PropertyRemoved,
                "/*",
                "properties that are not named are no longer taken",
            );
        }
    } else if !new.additional.is_empty() {
        let below = comparison.nodes(&old.additional, &new.additional, true, depth + 1);
        outcome.extend("/*", below);
    }
}

fn refuses(additional: &Node<'_>) -> bool {
    additional.contains(&&Value::Bool(false))
}
