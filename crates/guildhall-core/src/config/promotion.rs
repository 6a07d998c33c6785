//! Promotion: what it means to release in one environment what another one runs. Pure.
//!
//! A promotion takes the content alone: whom a gray release is for, how many must approve and the tags are the target's
//! own. The report says what its readers will have, and what a person would want to know before it is done.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ContentDiff, Origin, Source};
use crate::history::Change;

/// What became of a file that was to be promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// There was no such file in the target environment.
    Created,
    /// The target has another content than before.
    Updated,
    /// The target has this content already: nothing was written.
    Unchanged,
}

/// A file's promotion, done or tried: what it means for those who read the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// Which release: `users/staging/app.yaml@5`.
    pub from: String,
    /// The file that gets its content: `users/prod/app.yaml`.
    pub to: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The target's version with it; in a dry run, and where nothing was written, the version it had, 0 if it was not there.
    pub version: u32,
    /// The target's revision, for `If-Match`; 0 if it is not there.
    pub revision: u64,
    /// The draft that was made of it instead of a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<u32>,
    /// What changes in the target's content.
    pub diff: ContentDiff,
    /// What changes for those who read the target, by the file that they ask for.
    pub readers: Vec<ReaderChange>,
    /// How many more such files there are than `readers` tells of.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_readers: usize,
    /// Values that the target's environment has below the file and that the content replaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hides: Vec<Hidden>,
    /// Gray releases of the target: those who have one go on with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gray: Vec<String>,
    /// What else is worth a look before it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What changes for those who ask for one file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReaderChange {
    /// The file that they ask for.
    pub file: String,
    /// The values that they get, all inputs laid over each other and without gray releases. Absent where there are no
    /// values: text and binary, or what does not go together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<Change>>,
    /// Why they would get nothing: the inputs do not go together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Who reads it at present.
    pub listeners: Audience,
}

/// Who reads a file at present, from the server that was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audience {
    /// How many.
    pub count: usize,
    /// The ids of the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
}

/// A value that the target's environment has and that the promoted content replaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hidden {
    /// The value, as a JSON Pointer.
    pub pointer: String,
    /// What the files below the target say.
    pub below: Value,
    /// What the content says; `null` takes the value away.
    pub promoted: Value,
    /// Which of the files says it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Arc<Source>>,
}

/// The values of `below` that `promoted`, laid over it, replaces by others; at most `most`.
///
/// `origins` say where those of `below` were written.
pub fn hidden(below: &Value, origins: &[Origin], promoted: &Value, most: usize) -> Vec<Hidden> {
    let mut found = Vec::new();
    compare(&mut String::new(), below, promoted, most, &mut found);
    for hidden in &mut found {
        // Origins stand at leaves; of an object that is replaced whole, the first one's.
        let origin = origins.iter().find(|origin| {
            let rest = origin.pointer.strip_prefix(&hidden.pointer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        hidden.source = origin.map(|origin| Arc::clone(&origin.source));
    }
    found
}

fn compare(
    pointer: &mut String,
    below: &Value,
    promoted: &Value,
    most: usize,
    found: &mut Vec<Hidden>,
) {
    if below == promoted || found.len() >= most {
        return;
    }
    let (Value::Object(below), Value::Object(promoted)) = (below, promoted) else {
        found.push(Hidden {
            pointer: pointer.clone(),
            below: below.clone(),
            promoted: promoted.clone(),
            source: None,
        });
        return;
    };
    for (key, value) in promoted {
        if let Some(below) = below.get(key) {
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            compare(pointer, below, value, most, found);
            pointer.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Position;

    #[test]
    fn what_the_environment_says_otherwise_is_told_with_its_source() {
        let below = json!({"db": {"host": "prod-db", "port": 5432}, "log": "warn", "a/b": 1, "x": {"y": 1}});
        let promoted = json!({"db": {"host": "staging-db", "port": 5432, "pool": 4}, "a/b": 2, "x": null, "new": 1});
        let source = Arc::new(Source {
            config: "_/prod/app.yaml".to_owned(),
            version: 3,
            gray: None,
        });
        let origin = |pointer: &str| Origin {
            pointer: pointer.to_owned(),
            source: Arc::clone(&source),
            position: Position { line: 1, column: 1 },
        };
        let origins = [origin("/db/host"), origin("/x/y")];
        let mut found = hidden(&below, &origins, &promoted, 10);
        found.sort_by(|a, b| a.pointer.cmp(&b.pointer));
        let short = found.iter().map(|one| {
            let source = one.source.as_ref().map_or(0, |source| source.version);
            (&*one.pointer, &one.below, &one.promoted, source)
        });
        let expect = [
            ("/a~1b", &json!(1), &json!(2), 0),
            ("/db/host", &json!("prod-db"), &json!("staging-db"), 3),
            ("/x", &json!({"y": 1}), &Value::Null, 3),
        ];
        assert_eq!(short.collect::<Vec<_>>(), expect);
        assert_eq!(hidden(&below, &[], &promoted, 1).len(), 1);
    }
}
