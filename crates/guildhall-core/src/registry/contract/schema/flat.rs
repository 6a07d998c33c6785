//! From a schema to its alternatives: `$ref`, `allOf`, `oneOf` and `anyOf` worked out.

use serde_json::{Map, Value};
use smallvec::{SmallVec, smallvec};

use crate::registry::contract::document::Root;

/// The most alternatives that a schema may come to.
const MAX_ALTERNATIVES: usize = 64;
/// How deep references and combinations may nest before a plain schema comes.
const MAX_NESTING: usize = 32;

/// Schemas that hold together; none: anything goes.
pub(super) type Node<'a> = SmallVec<[&'a Value; 1]>;

/// One alternative: what must hold, with nothing left to work out.
pub(super) type Conjunction<'a> = SmallVec<[Part<'a>; 2]>;

/// One of the things that must hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    /// A schema; its references and combinations are other parts.
    Schema(&'a Map<String, Value>),
    /// A reference that leads out of the document.
    Opaque(&'a str),
}

/// More alternatives than are compared, or a schema made of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooComplex;

/// The alternatives of `node`; none: nothing is valid.
pub(super) fn alternatives<'a>(
    root: Root<'a>,
    node: &Node<'a>,
) -> Result<Vec<Conjunction<'a>>, TooComplex> {
    let mut all = vec![Conjunction::new()];
    for schema in node {
        all = both(all, &of_schema(root, schema, 0)?)?;
    }
    Ok(all)
}

fn of_schema<'a>(
    root: Root<'a>,
    schema: &'a Value,
    nesting: usize,
) -> Result<Vec<Conjunction<'a>>, TooComplex> {
    if nesting > MAX_NESTING {
        return Err(TooComplex);
    }
    let map = match schema {
        Value::Object(map) => map,
        Value::Bool(false) => return Ok(Vec::new()),
        _ => return Ok(vec![Conjunction::new()]),
    };
    let mut all: Vec<Conjunction<'a>> = vec![smallvec![Part::Schema(map)]];
    if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
        let target = match root.resolve(reference) {
            Some(target) => of_schema(root, target, nesting + 1)?,
            None => vec![smallvec![Part::Opaque(reference)]],
        };
        all = both(all, &target)?;
    }
    for member in members(map, "allOf") {
        all = both(all, &of_schema(root, member, nesting + 1)?)?;
    }
    for keyword in ["oneOf", "anyOf"] {
        let mut either = Vec::new();
        for member in members(map, keyword) {
            either.extend(of_schema(root, member, nesting + 1)?);
            if either.len() > MAX_ALTERNATIVES {
                return Err(TooComplex);
            }
        }
        if map.get(keyword).is_some_and(Value::is_array) {
            all = both(all, &either)?;
        }
    }
    Ok(all)
}

fn members<'a>(map: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'a Value> {
    map.get(keyword)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Every alternative of `left` together with every one of `right`.
fn both<'a>(
    left: Vec<Conjunction<'a>>,
    right: &[Conjunction<'a>],
) -> Result<Vec<Conjunction<'a>>, TooComplex> {
    if left.len() * right.len() > MAX_ALTERNATIVES {
        return Err(TooComplex);
    }
    let pairs = left.iter().flat_map(|l| {
        right
            .iter()
            .map(move |r| l.iter().chain(r).copied().collect())
    });
    Ok(pairs.collect())
}
