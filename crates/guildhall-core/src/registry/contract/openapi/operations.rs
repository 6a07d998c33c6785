//! The operations of a document, by method and path.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::registry::contract::document::Root;

const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// One operation and where it stands.
pub(super) struct Operation<'a> {
    /// `POST /users/{id}`, as its own document writes it.
    pub(super) at: String,
    /// The names in the path's braces, in order.
    pub(super) path_names: Vec<&'a str>,
    pub(super) root: Root<'a>,
    pub(super) item: &'a Map<String, Value>,
    pub(super) body: &'a Map<String, Value>,
}

/// All operations by method and path. What a path calls its parameters does not matter to a
/// client, so the key leaves it out.
pub(super) fn operations(root: Root<'_>) -> BTreeMap<(String, &'static str), Operation<'_>> {
    let mut found = BTreeMap::new();
    let paths = root.0.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        let Some(item) = root.follow(item).as_object() else {
            continue;
        };
        let (shape, path_names) = template(path);
        for method in METHODS {
            if let Some(body) = item.get(method).and_then(Value::as_object) {
                let at = format!("{} {path}", method.to_uppercase());
                let path_names = path_names.clone();
                found.insert(
                    (shape.clone(), method),
                    Operation {
                        at,
                        path_names,
                        root,
                        item,
                        body,
                    },
                );
            }
        }
    }
    found
}

/// `/users/{id}` is `/users/{}` with the name `id`.
fn template(path: &str) -> (String, Vec<&str>) {
    let (mut shape, mut names) = (String::new(), Vec::new());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        shape.push_str(before);
        shape.push_str("{}");
        names.push(name);
        rest = after;
    }
    shape.push_str(rest);
    (shape, names)
}
