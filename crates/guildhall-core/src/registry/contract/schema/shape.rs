//! One alternative of a schema, its parts merged: what a value of one type must look like.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    bounds::Bounds,
    flat::{Conjunction, Node, Part},
    types::Types,
};
use crate::registry::contract::document::Root;

/// Keywords that constrain a value and are only compared for being the same.
const OTHER: [&str; 12] = [
    "not",
    "if",
    "then",
    "else",
    "contains",
    "patternProperties",
    "propertyNames",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
];

#[derive(Clone, Debug)]
pub(super) struct Shape<'a> {
    pub(super) types: Types,
    /// `enum` and `const`: the only values there are.
    pub(super) values: Option<Vec<&'a Value>>,
    pub(super) properties: BTreeMap<&'a str, Node<'a>>,
    pub(super) required: BTreeSet<&'a str>,
    /// What properties without a name here must be; empty: anything.
    pub(super) additional: Node<'a>,
    /// What the first items must be, one by one.
    pub(super) first_items: Vec<Node<'a>>,
    /// What the other items must be; empty: anything.
    pub(super) items: Node<'a>,
    pub(super) bounds: Bounds<'a>,
    pub(super) other: BTreeMap<&'static str, Vec<&'a Value>>,
    pub(super) opaque: BTreeSet<&'a str>,
}

impl<'a> Shape<'a> {
    /// The shapes of one alternative, one for each type it allows.
    pub(super) fn of(alternative: &Conjunction<'a>) -> Vec<Self> {
        let mut shape = Self {
            types: Types::ANY,
            values: None,
            properties: BTreeMap::new(),
            required: BTreeSet::new(),
            additional: Node::new(),
            first_items: Vec::new(),
            items: Node::new(),
            bounds: Bounds::default(),
            other: BTreeMap::new(),
            opaque: BTreeSet::new(),
        };
        let mut nullable = false;
        for part in alternative {
            match part {
                Part::Opaque(reference) => drop(shape.opaque.insert(reference)),
                Part::Schema(schema) => {
                    shape.types = shape.types.and(Types::of_schema(schema));
                    nullable |= schema.get("nullable") == Some(&Value::Bool(true));
                    shape.merge(schema);
                }
            }
        }
        // OpenAPI 3.0: `nullable` beside `allOf` is how people write a reference that may be null.
        if nullable {
            shape.types = shape.types.or(Types::NULL);
        }
        if let Some(values) = &shape.values {
            let types = values.iter().map(|value| Types::of_value(value));
            let types = types.reduce(Types::or).unwrap_or(Types::ANY);
            shape.types = shape.types.and(types);
        }
        shape
            .types
            .parts()
            .map(|types| shape.narrowed(types))
            .collect()
    }

    /// The same with only the values of `types`.
    fn narrowed(&self, types: Types) -> Self {
        let mut shape = self.clone();
        shape.types = types;
        if let Some(values) = &mut shape.values {
            values.retain(|value| types.covers(Types::of_value(value)));
        }
        shape
    }

    fn merge(&mut self, schema: &'a Map<String, Value>) {
        let mut only = |values: Vec<&'a Value>| match &mut self.values {
            Some(before) => before.retain(|value| values.contains(value)),
            none => *none = Some(values),
        };
        if let Some(Value::Array(values)) = schema.get("enum") {
            only(values.iter().collect());
        }
        if let Some(value) = schema.get("const") {
            only(vec![value]);
        }
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (name, property) in properties {
                self.properties.entry(name).or_default().push(property);
            }
        }
        if let Some(Value::Array(names)) = schema.get("required") {
            self.required.extend(names.iter().filter_map(Value::as_str));
        }
        self.additional.extend(schema.get("additionalProperties"));
        // Before 2020-12 the first items stood in `items` and the others in `additionalItems`.
        let (first, others) = match schema.get("items") {
            Some(Value::Array(first)) => (Some(first), schema.get("additionalItems")),
            items => (schema.get("prefixItems").and_then(Value::as_array), items),
        };
        self.items.extend(others);
        for (at, item) in first.into_iter().flatten().enumerate() {
            if self.first_items.len() <= at {
                self.first_items.push(Node::new());
            }
            self.first_items[at].push(item);
        }
        self.bounds.merge(schema);
        for keyword in OTHER {
            if let Some(value) = schema.get(keyword) {
                self.other.entry(keyword).or_default().push(value);
            }
        }
    }

    /// What the item at `at` must be.
    pub(super) fn item(&self, at: usize) -> &Node<'a> {
        self.first_items.get(at).unwrap_or(&self.items)
    }
}

/// Whether `keyword` is set to true in one of the schemas, or in one that they refer to.
pub(super) fn has_flag(root: Root<'_>, node: &Node<'_>, keyword: &str) -> bool {
    let set = |schema: &Value| schema.get(keyword) == Some(&Value::Bool(true));
    node.iter()
        .any(|schema| set(schema) || set(root.follow(schema)))
}
