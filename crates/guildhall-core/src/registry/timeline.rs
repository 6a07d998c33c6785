//! When and why an instance changed: the last hundred changes of each, kept over restarts.
//!
//! An instance's entries are numbered; the entry `n` is stored in slot `n mod 100`, so that the
//! newest overwrites the oldest and no entry is ever looked for to be deleted. They lie outside
//! the watched keys: a timeline wakes nobody.

use serde::{Deserialize, Serialize};

use super::{CheckState, Health};
use crate::document::{Namespace, Timestamp};

/// How many entries an instance keeps.
pub const KEPT: u64 = 100;

/// One change of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// Grows by one with each entry of the instance.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The instance's health before.
    pub from: Health,
    /// And after; the same if another check had decided already.
    pub to: Health,
    /// The check that changed; absent where an operator did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// What that check says now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CheckState>,
    /// What the check printed, or the operator's reason; at most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// The prefix of the store keys of an instance's entries.
pub fn prefix(namespace: &Namespace, service: &str, instance: &str) -> String {
    format!("timeline/{namespace}/{service}/{instance}/")
}

/// The store key of the entry `number`.
pub fn key(namespace: &Namespace, service: &str, instance: &str, number: u64) -> String {
    format!("{}{}", prefix(namespace, service, instance), number % KEPT)
}

/// The number of the entry after `entries`, in whatever order these are.
pub fn next_number(entries: &[TimelineEntry]) -> u64 {
    entries
        .iter()
        .map(|entry| entry.number)
        .max()
        .map_or(0, |last| last.saturating_add(1))
}

/// The entries as read from their slots, oldest first; what a full turn of the ring should have
/// overwritten is left out.
pub fn in_order(mut entries: Vec<TimelineEntry>) -> Vec<TimelineEntry> {
    let oldest = next_number(&entries).saturating_sub(KEPT);
    entries.retain(|entry| entry.number >= oldest);
    entries.sort_by_key(|entry| entry.number);
    entries
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn entry(number: u64) -> TimelineEntry {
        let (from, to) = (Health::Starting, Health::Healthy);
        TimelineEntry {
            number,
            at: Timestamp(number),
            from,
            to,
            check: None,
            state: None,
            output: String::new(),
        }
    }

    #[test]
    fn the_ring_keeps_the_last_hundred_in_order() {
        let mut slots = BTreeMap::new();
        for count in 0..=250 {
            let entries: Vec<_> = slots.values().cloned().collect();
            let next = next_number(&entries);
            assert_eq!(next, count);
            let numbers: Vec<u64> = in_order(entries).iter().map(|entry| entry.number).collect();
            assert_eq!(
                numbers,
                (count.saturating_sub(KEPT)..count).collect::<Vec<_>>()
            );
            slots.insert(
                key(&Namespace::default(), "users", "u:1", next),
                entry(next),
            );
        }
    }

    #[test]
    fn a_slot_that_was_not_overwritten_is_left_out() {
        let numbers: Vec<u64> = in_order(vec![entry(205), entry(3), entry(204)])
            .iter()
            .map(|e| e.number)
            .collect();
        assert_eq!(numbers, [204, 205]);
        assert_eq!(next_number(&[entry(u64::MAX)]), u64::MAX);
    }
}
