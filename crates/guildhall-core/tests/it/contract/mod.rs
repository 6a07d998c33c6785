//! What breaks from one contract to the next, as tables.

mod openapi;
mod schema;
mod verdict;

use guildhall_core::registry::BreakingChange;

/// One line for each change: kind, place, detail.
fn render(changes: &[BreakingChange]) -> Vec<String> {
    let line = |change: &BreakingChange| {
        let kind = serde_json::to_value(change.kind).unwrap();
        format!(
            "{} {:?} {}",
            kind.as_str().unwrap(),
            change.at,
            change.detail
        )
    };
    changes.iter().map(line).collect()
}
