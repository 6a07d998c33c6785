//! Bodies of requests and responses, by media type.

use serde_json::{Map, Value};

use super::operations::Operation;
use crate::registry::contract::{
    change::{ChangeKind, Report},
    schema::{Comparison, Direction},
};

/// What breaks for who sends `old`'s body to `new`.
pub(super) fn compare_requests<'a>(
    schemas: &mut Comparison<'a>,
    old: &Operation<'a>,
    new: &Operation<'a>,
    report: &mut Report,
) {
    let body = |operation: &Operation<'a>| {
        operation
            .body
            .get("requestBody")
            .map(|body| operation.root.follow(body))
    };
    let Some(after) = body(new) else {
        return;
    };
    let before = body(old);
    let required = |body: &Value| body.get("required") == Some(&Value::Bool(true));
    let at = format!("{} request", old.at);
    if required(after) && !before.is_some_and(required) {
        let detail = if before.is_some() {
            "could be left out, is required now"
        } else {
            "is new and required"
        };
        report.add(ChangeKind::BodyRequired, &at, detail);
    }
    if let Some(before) = before {
        content(schemas, before, after, Direction::Input, &at, report);
    }
}

/// What breaks for who expects `old`'s responses and gets `new`'s. Only successes must stay;
/// errors that are described on both sides are compared all the same.
pub(super) fn compare_responses<'a>(
    schemas: &mut Comparison<'a>,
    old: &Operation<'a>,
    new: &Operation<'a>,
    report: &mut Report,
) {
    let now = responses(new);
    for (status, before) in responses(old).into_iter().flatten() {
        let at = format!("{} response {status}", old.at);
        match now.and_then(|now| described(now, status)) {
            Some(after) => {
                let (before, after) = (old.root.follow(before), new.root.follow(after));
                content(schemas, before, after, Direction::Output, &at, report);
            }
            None if status.starts_with('2') => {
                report.add(ChangeKind::ResponseRemoved, at, "is no longer given");
            }
            None => {}
        }
    }
}

fn responses<'a>(operation: &Operation<'a>) -> Option<&'a Map<String, Value>> {
    operation.body.get("responses")?.as_object()
}

/// What is said about `status`: by itself, by its class (`2XX`), or by default.
fn described<'a>(responses: &'a Map<String, Value>, status: &str) -> Option<&'a Value> {
    let class = || responses.get(&format!("{}XX", status.get(..1)?));
    responses
        .get(status)
        .or_else(class)
        .or_else(|| responses.get("default"))
}

fn content<'a>(
    schemas: &mut Comparison<'a>,
    old: &'a Value,
    new: &'a Value,
    direction: Direction,
    at: &str,
    report: &mut Report,
) {
    let types = |holder: &'a Value| holder.get("content").and_then(Value::as_object);
    let Some(before) = types(old).filter(|types| !types.is_empty()) else {
        return;
    };
    for (media_type, before) in before {
        let at = format!("{at} {media_type}");
        let after =
            types(new).and_then(|types| types.iter().find(|(name, _)| same_type(name, media_type)));
        match after {
            Some((_, after)) => {
                if let Some((before, after)) = before.get("schema").zip(after.get("schema")) {
                    schemas.compare(before, after, direction, &at, report);
                }
            }
            None => {
                let way = if direction == Direction::Input {
                    "taken"
                } else {
                    "given"
                };
                report.add(
                    ChangeKind::MediaTypeRemoved,
                    at,
                    format!("is no longer {way}"),
                );
            }
        }
    }
}

/// Whether two media types are the same apart from their parameters.
fn same_type(a: &str, b: &str) -> bool {
    let name = |text: &str| {
        text.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    };
    name(a) == name(b)
}
