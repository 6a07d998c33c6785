//! Parameters in path, query, header and cookie.

use std::collections::BTreeMap;

use serde_json::Value;

use super::operations::Operation;
use crate::registry::contract::{
    change::{ChangeKind, Report},
    schema::{Comparison, Direction},
};

/// What breaks for who sends `old`'s parameters to `new`. A parameter that is gone is passed
/// over by the server, so that it breaks nothing.
pub(super) fn compare<'a>(
    schemas: &mut Comparison<'a>,
    old: &Operation<'a>,
    new: &Operation<'a>,
    report: &mut Report,
) {
    let before = parameters(old);
    for (key, after) in parameters(new) {
        let (place, name) = &key;
        let at = || match after.get("name").and_then(Value::as_str) {
            Some(written) => format!("{} {place} parameter {written}", old.at),
            None => format!("{} {place} parameter {name}", old.at),
        };
        let sent = before.get(&key);
        if is_required(after) && !sent.is_some_and(|sent| is_required(sent)) {
            let detail = if sent.is_some() {
                "could be left out, is required now"
            } else {
                "is new and required"
            };
            report.add(ChangeKind::ParameterRequired, at(), detail);
        }
        if let Some((sent, taken)) = sent.and_then(|sent| schema(sent)).zip(schema(after)) {
            schemas.compare(sent, taken, Direction::Input, &at(), report);
        }
    }
}

/// An operation's parameters by place and name: its own, and those of its path that it does not
/// replace. Names of headers have no case; those in a path go by their position.
fn parameters<'a>(operation: &Operation<'a>) -> BTreeMap<(&'a str, String), &'a Value> {
    let list = |holder: &'a serde_json::Map<String, Value>| {
        holder.get("parameters").and_then(Value::as_array)
    };
    let mut found = BTreeMap::new();
    for parameter in list(operation.item)
        .into_iter()
        .chain(list(operation.body))
        .flatten()
    {
        let parameter = operation.root.follow(parameter);
        let text = |field: &str| parameter.get(field).and_then(Value::as_str);
        let (Some(place), Some(name)) = (text("in"), text("name")) else {
            continue;
        };
        let position = || operation.path_names.iter().position(|n| *n == name);
        let name = match place {
            "header" => name.to_ascii_lowercase(),
            "path" => position().map_or_else(|| name.to_owned(), |n| n.to_string()),
            _ => name.to_owned(),
        };
        found.insert((place, name), parameter);
    }
    found
}

fn is_required(parameter: &Value) -> bool {
    parameter.get("required") == Some(&Value::Bool(true))
}

fn schema(parameter: &Value) -> Option<&Value> {
    let by_content = || {
        parameter
            .get("content")?
            .as_object()?
            .values()
            .next()?
            .get("schema")
    };
    parameter.get("schema").or_else(by_content)
}
