//! References inside one contract.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Keywords that say nothing about which values are valid.
const SILENT: [&str; 11] = [
    "$defs",
    "definitions",
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "summary",
    "default",
    "example",
    "examples",
];

/// How many references in a row are followed.
const MAX_HOPS: usize = 16;

/// The document that a schema's references point into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root<'a>(pub(super) &'a Value);

impl<'a> Root<'a> {
    /// What `reference` points to; `None` if that is not in the document.
    ///
    /// `#`, `#/a/b` and `#name` (an `$anchor` in `$defs`) are understood.
    pub(super) fn resolve(self, reference: &str) -> Option<&'a Value> {
        let fragment = reference.strip_prefix('#')?;
        let fragment = percent_decode_str(fragment).decode_utf8().ok()?;
        if fragment.is_empty() || fragment.starts_with('/') {
            return self.0.pointer(&fragment);
        }
        let definitions = self.0.get("$defs")?.as_object()?;
        definitions
            .values()
            .find(|schema| schema.get("$anchor").and_then(Value::as_str) == Some(&*fragment))
    }

    /// `value`, or what it refers to in the end.
    pub(super) fn follow(self, value: &'a Value) -> &'a Value {
        self.follow_while(value, |_| true)
    }

    /// The same, but only as long as nothing but the reference constrains values.
    pub(super) fn follow_plain(self, value: &'a Value) -> &'a Value {
        self.follow_while(value, |map| {
            map.keys()
                .all(|key| key == "$ref" || SILENT.contains(&&**key))
        })
    }

    fn follow_while(
        self,
        mut value: &'a Value,
        go_on: impl Fn(&Map<String, Value>) -> bool,
    ) -> &'a Value {
        for _ in 0..MAX_HOPS {
            let map = value.as_object().filter(|map| go_on(map));
            let reference = map.and_then(|map| map.get("$ref")).and_then(Value::as_str);
            match reference.and_then(|reference| self.resolve(reference)) {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }
}
