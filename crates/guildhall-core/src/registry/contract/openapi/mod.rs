//! OpenAPI 3.0 and 3.1: operations, then what goes in, then what comes out.
//!
//! Not compared: security, callbacks, webhooks, links, headers of responses, and how parameters
//! are serialised.

mod bodies;
mod operations;
mod parameters;

use serde_json::Value;

use super::{
    change::{ChangeKind, Report},
    document::Root,
    schema::Comparison,
};
use operations::{Operation, operations};

/// Reports what breaks for a client of `old` that talks to `new`.
pub(super) fn compare(old: &Value, new: &Value, report: &mut Report) {
    let mut schemas = Comparison::new(old, new);
    let (old, new) = (Root(old), Root(new));
    let now = operations(new);
    for (key, before) in operations(old) {
        match now.get(&key) {
            Some(after) => operation(&mut schemas, &before, after, report),
            None => report.add(
                ChangeKind::OperationRemoved,
                before.at,
                "is no longer there",
            ),
        }
    }
}

fn operation<'a>(
    schemas: &mut Comparison<'a>,
    old: &Operation<'a>,
    new: &Operation<'a>,
    report: &mut Report,
) {
    parameters::compare(schemas, old, new, report);
    bodies::compare_requests(schemas, old, new, report);
    bodies::compare_responses(schemas, old, new, report);
}
