//! What changed between two versions, field by field.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::Document;

/// One field that is not what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The field, as a JSON Pointer into the document.
    pub pointer: String,
    /// What it was; absent where it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "said")]
    pub before: Option<Value>,
    /// What it is; absent where it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "said")]
    pub after: Option<Value>,
}

/// Keeps a `null` that is said apart from nothing said.
mod said {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Value>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Value>, D::Error> {
        Value::deserialize(deserializer).map(Some)
    }
}

/// What leads from one document to another, by what their authors say in them: what the platform
/// owns is left out. `None` is a document that is not there.
///
/// Objects are compared key by key and lists item by item, so that an item put first shows all
/// that follow it as changed. A whole that came or went is one change.
///
/// # Errors
/// A document that does not serialise: a defect.
pub fn changes(
    before: Option<&Document>,
    after: Option<&Document>,
) -> Result<Vec<Change>, serde_json::Error> {
    let value = |document: Option<&Document>| {
        let portable = document.map(Document::portable);
        portable.map(serde_json::to_value).transpose()
    };
    let (before, after) = (value(before)?, value(after)?);
    Ok(changes_of(before.as_ref(), after.as_ref()))
}

/// What leads from one value to another; `None` is a value that is not there.
pub fn changes_of(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let mut found = Vec::new();
    compare(&mut String::new(), before, after, &mut found);
    found
}

/// As deep as documents are: their depth was bounded when they were parsed.
fn compare(
    pointer: &mut String,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<Change>,
) {
    if before == after {
        return;
    }
    let length = pointer.len();
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                compare(pointer, old.get(key), new.get(key), found);
                pointer.truncate(length);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for at in 0..old.len().max(new.len()) {
                pointer.push_str(&format!("/{at}"));
                compare(pointer, old.get(at), new.get(at), found);
                pointer.truncate(length);
            }
        }
        (before, after) => found.push(Change {
            pointer: pointer.clone(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(before: Value, after: Value, expect: &[&str]) {
        let mut found = Vec::new();
        compare(&mut String::new(), Some(&before), Some(&after), &mut found);
        let shown = found.iter().map(|change| {
            let side =
                |side: &Option<Value>| side.as_ref().map_or("-".to_owned(), Value::to_string);
            format!(
                "{} {} {}",
                change.pointer,
                side(&change.before),
                side(&change.after)
            )
        });
        assert_eq!(shown.collect::<Vec<_>>(), expect);
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Change>>(&json).unwrap(), found);
    }

    #[test]
    fn fields_that_changed_came_and_went_are_pointed_at() {
        check(json!({"a": 1}), json!({"a": 1}), &[]);
        check(
            json!({"a": 1, "b": {"c": [1, 2]}, "x/y~": 1}),
            json!({"a": 2, "b": {"c": [1, 3, {"d": 4}]}, "e": null}),
            &[
                "/a 1 2",
                "/b/c/1 2 3",
                "/b/c/2 - {\"d\":4}",
                "/x~1y~0 1 -",
                "/e - null",
            ],
        );
        check(json!([1, 2]), json!({"a": 1}), &[" [1,2] {\"a\":1}"]);
    }
}
