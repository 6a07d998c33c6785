//! Lenient decoding: what a newer version wrote, read as far as this build understands it.
//!
//! The types refuse what they do not know, so that a write is refused with the nearest known word
//! (see `strict`). What is read (the store's bytes, a watch, a list, a copy on disk) may come from
//! the next minor version. So reading tries the types as they are, which costs nothing where
//! nothing is unknown, and only then takes out what is not known and reads what is left:
//!
//! - an unknown **field** is left out, wherever it stands;
//! - an unknown **word** of an enumeration is dealt with as the kind says
//!   ([`Spec::UNKNOWN_WORDS`](super::Spec::UNKNOWN_WORDS)); in a status, which only reports, the
//!   status is left out. Anywhere else the document is not read: half a route is another route.
//!   Who reads many passes over that one and says so.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// What a reader makes of a word that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It reads this word instead.
    Read(&'static str),
    /// It leaves out what stands at this place, which begins the word's own.
    Omit(&'static str),
}

/// Remedies by the place of the word: a JSON Pointer in which `*` stands for every item.
pub type Remedies = &'static [(&'static str, Remedy)];

/// In every document the status reports and decides nothing.
const STATUS: &str = "/status";

/// How many unknown fields and words, counted by their place, one document may have. Each costs
/// a pass over it.
const MAX_UNKNOWN: usize = 64;

/// Reads JSON that a server or an earlier run wrote, perhaps of a newer version: fields that are
/// not known here are left out.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    read_with(json, &[])
}

/// The same, with `remedies` for words that are not known here.
pub(crate) fn read_with<T: DeserializeOwned>(
    json: &[u8],
    remedies: Remedies,
) -> Result<T, serde_json::Error> {
    let error = match serde_json::from_slice(json) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    if Unknown::of(&error).is_none() {
        return Err(error);
    }
    let mut value: Value = serde_json::from_slice(json)?;
    for _ in 0..MAX_UNKNOWN {
        let failed = match serde_path_to_error::deserialize(&value) {
            Ok(read) => return Ok(read),
            Err(failed) => failed,
        };
        if !mend(&mut value, failed.path(), failed.inner(), remedies) {
            return Err(failed.into_inner());
        }
    }
    Err(error)
}

/// What serde does not know; it words that the same for every format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    Field,
    Word,
}

impl Unknown {
    fn of(error: &serde_json::Error) -> Option<Self> {
        let text = error.to_string();
        if text.starts_with("unknown field `") {
            Some(Self::Field)
        } else if text.starts_with("unknown variant `") {
            Some(Self::Word)
        } else {
            None
        }
    }
}

/// Takes out of `value` what `error` complains of at `path`; false if that must not be.
fn mend(value: &mut Value, path: &Path, error: &serde_json::Error, remedies: Remedies) -> bool {
    let Some(unknown) = Unknown::of(error) else {
        return false;
    };
    let mut place: Vec<Step<'_>> = path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Item(*index)),
            Segment::Map { key } => Some(Step::Field(key)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect();
    if unknown == Unknown::Field {
        // Its siblings in a list have it too, mostly: one pass takes it from all of them.
        return edit(value, &place, true, &mut take_out);
    }
    let remedy = remedies
        .iter()
        .find(|(pattern, _)| matches(pattern, &place))
        .map(|(_, remedy)| *remedy);
    let remedy = remedy.or_else(|| {
        let status = place.first() == Some(&Step::Field("status"));
        status.then_some(Remedy::Omit(STATUS))
    });
    match remedy {
        Some(Remedy::Read(word)) => edit(value, &place, false, &mut |parent, last| {
            if let Some(value) = last.of(parent) {
                *value = Value::from(word);
            }
        }),
        Some(Remedy::Omit(pattern)) => {
            place.truncate(steps(pattern).count());
            edit(value, &place, false, &mut take_out)
        }
        None => false,
    }
}

/// A step of a path into JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

impl Step<'_> {
    fn of(self, parent: &mut Value) -> Option<&mut Value> {
        match (self, parent) {
            (Step::Field(field), Value::Object(fields)) => fields.get_mut(field),
            (Step::Item(item), Value::Array(items)) => items.get_mut(item),
            _ => None,
        }
    }
}

fn steps(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').skip(1)
}

fn matches(pattern: &str, place: &[Step<'_>]) -> bool {
    let fits = |(wanted, step): (&str, &Step<'_>)| match step {
        Step::Field(field) => *field == wanted,
        Step::Item(_) => wanted == "*",
    };
    steps(pattern).count() == place.len() && steps(pattern).zip(place).all(fits)
}

fn take_out(parent: &mut Value, last: Step<'_>) {
    match (last, parent) {
        (Step::Field(field), Value::Object(fields)) => drop(fields.remove(field)),
        (Step::Item(item), Value::Array(items)) if item < items.len() => drop(items.remove(item)),
        _ => {}
    }
}

/// Calls `act` with the parent of what stands at `place`, and its last step; with `every`, for
/// every item of the lists on the way. False if `place` is the whole document.
fn edit(
    value: &mut Value,
    place: &[Step<'_>],
    every: bool,
    act: &mut impl FnMut(&mut Value, Step<'_>),
) -> bool {
    match place {
        [] => return false,
        [last] => act(value, *last),
        [Step::Item(_), rest @ ..] if every => {
            let items = value.as_array_mut().into_iter().flatten();
            items.for_each(|item| {
                edit(item, rest, every, act);
            });
        }
        [first, rest @ ..] => {
            if let Some(next) = first.of(value) {
                edit(next, rest, every, act);
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        status: Option<Inner>,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        word: Word,
        n: u8,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        #[default]
        Known,
        Other,
    }

    fn check(json: Value, remedies: Remedies, expect: &str) {
        let read: Result<Outer, _> = read_with(json.to_string().as_bytes(), remedies);
        let said = match read {
            Ok(outer) => {
                let inner = |inner: &Inner| format!("{:?}{}", inner.word, inner.n);
                let list: Vec<_> = outer.list.iter().map(inner).collect();
                let status = outer.status.as_ref().map(inner);
                format!("{} {}", list.join(","), status.unwrap_or_default())
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(said.trim(), expect, "{json}");
    }

    #[test]
    fn unknown_fields_are_left_out_at_every_level() {
        let json = json!({"a": 1, "list": [{"n": 1, "b": {"n": 9}}, {"n": 2}, {"n": 3, "b": 1, "c": 2}], "status": {"d": []}});
        check(json, &[], "Known1,Known2,Known3 Known0");
    }

    #[test]
    fn unknown_words_are_dealt_with_as_the_kind_says() {
        const READ: Remedies = &[("/list/*/word", Remedy::Read("other"))];
        const OMIT: Remedies = &[("/list/*/word", Remedy::Omit("/list/*"))];
        let json = json!({"list": [{"word": "known", "n": 1}, {"word": "new", "n": 2, "x": 1}]});
        check(json.clone(), READ, "Known1,Other2");
        check(json.clone(), OMIT, "Known1");
        check(
            json,
            &[],
            "unknown variant `new`, expected `known` or `other`",
        );
        // A status only reports.
        check(
            json!({"list": [{}], "status": {"word": "new"}}),
            &[],
            "Known0",
        );
    }

    #[test]
    fn what_is_wrong_is_not_read() {
        check(
            json!({"a": 1, "list": [{"n": 300}]}),
            &[],
            "invalid value: integer `300`, expected u8",
        );
        let fields = (0..100).map(|n| (format!("x{n}"), Value::Null));
        let many = Value::Object(fields.collect());
        assert!(read::<Outer>(many.to_string().as_bytes()).is_err());
        assert!(read::<Outer>(b"[1").is_err());
        assert!(read::<Word>(b"\"new\"").is_err());
    }
}
