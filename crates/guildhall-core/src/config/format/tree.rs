//! The tree that content of every structured format is read into: order kept, each value with its place in the text.

use std::{borrow::Cow, collections::HashMap};

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::Number;

/// Which bytes of the text as written something takes: `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte behind the last one.
    pub end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            start: at(start),
            end: at(end),
        }
    }

    /// As a range of bytes.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value and where it was written. Two nodes are equal when their values are, wherever they stand.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written. Behind a YAML alias: where its anchor is.
    pub span: Span,
}

/// A value, as JSON has them. Objects are equal whatever the order of their members.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of 64 bits or a finite float.
    Number(Number),
    /// Text; TOML's dates and times are text too.
    String(String),
    /// A list.
    Array(Vec<Node>),
    /// Members by key, in the order they were written; no key occurs twice.
    Object(Vec<Member>),
}

/// A key and what it names.
#[derive(Clone, Debug)]
pub struct Member {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

/// Above this many members a map by key is worth being built.
const MANY: usize = 16;

/// Finds members by key, whatever their number.
pub(crate) enum Lookup<'a> {
    Few(&'a [Member]),
    Many(HashMap<&'a str, &'a Member>),
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(members: &'a [Member]) -> Self {
        if members.len() <= MANY {
            return Self::Few(members);
        }
        Self::Many(members.iter().map(|m| (m.key.as_str(), m)).collect())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Member> {
        match self {
            Self::Few(members) => members.iter().find(|member| member.key == key),
            Self::Many(members) => members.get(key).copied(),
        }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => {
                let known = Lookup::new(b);
                let same = |m: &Member| known.get(&m.key).is_some_and(|n| n.node == m.node);
                a.len() == b.len() && a.iter().all(same)
            }
            _ => false,
        }
    }
}

impl Value {
    /// Whether nothing stands below it: neither a list nor an object with members.
    pub fn is_leaf(&self) -> bool {
        match self {
            Self::Array(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
            _ => true,
        }
    }

    /// What it is: `a list`.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a text",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl Node {
    /// A value that was not written anywhere.
    pub const fn of(value: Value) -> Self {
        Self {
            value,
            span: Span { start: 0, end: 0 },
        }
    }

    /// The value at the JSON Pointer `pointer`; the empty one is this node.
    pub fn get(&self, pointer: &str) -> Option<&Self> {
        steps(pointer)?
            .iter()
            .try_fold(self, |node, step| node.child(step))
    }

    /// The same, to change.
    pub fn get_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        let mut node = self;
        for step in steps(pointer)? {
            node = match &mut node.value {
                Value::Array(items) => items.get_mut(index(&step)?)?,
                Value::Object(members) => {
                    let member = members.iter_mut().find(|member| member.key == step)?;
                    &mut member.node
                }
                _ => return None,
            };
        }
        Some(node)
    }

    fn child(&self, step: &str) -> Option<&Self> {
        match &self.value {
            Value::Array(items) => items.get(index(step)?),
            Value::Object(members) => members.iter().find(|m| m.key == step).map(|m| &m.node),
            _ => None,
        }
    }

    /// Calls `visit` with this node and all below it, each with its JSON Pointer, in the order written. Where `visit`
    /// says no, what is below the node is passed over.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&str, &'a Self) -> bool) {
        self.walk_from(&mut String::new(), visit);
    }

    fn walk_from<'a>(&'a self, at: &mut String, visit: &mut dyn FnMut(&str, &'a Self) -> bool) {
        if !visit(at, self) {
            return;
        }
        let here = at.len();
        match &self.value {
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    join(at, &n.to_string());
                    item.walk_from(at, visit);
                    at.truncate(here);
                }
            }
            Value::Object(members) => {
                for member in members {
                    join(at, &member.key);
                    member.node.walk_from(at, visit);
                    at.truncate(here);
                }
            }
            _ => {}
        }
    }

    /// The same as serde_json has it; the order of members is lost there.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::String(text) => text.as_str().into(),
            Value::Array(items) => items.iter().map(Self::to_json).collect(),
            Value::Object(members) => {
                let member = |m: &Member| (m.key.clone(), m.node.to_json());
                serde_json::Value::Object(members.iter().map(member).collect())
            }
        }
    }
}

impl From<&serde_json::Value> for Node {
    fn from(value: &serde_json::Value) -> Self {
        Self::of(match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => Value::Number(number.clone()),
            serde_json::Value::String(text) => Value::String(text.clone()),
            serde_json::Value::Array(items) => Value::Array(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => {
                let member = |(key, value): (&String, _)| Member {
                    key: key.clone(),
                    key_span: Span::default(),
                    node: Self::from(value),
                };
                Value::Object(members.iter().map(member).collect())
            }
        })
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(number) => number.serialize(serializer),
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items
                    .iter()
                    .try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Value::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for member in members {
                    map.serialize_entry(&member.key, &member.node)?;
                }
                map.end()
            }
        }
    }
}

/// An index as a pointer writes it.
fn index(step: &str) -> Option<usize> {
    let plain = step == "0" || !step.starts_with(['0', '+']);
    plain.then(|| step.parse().ok()).flatten()
}

/// A key as a JSON Pointer writes it: `~` is `~0`, `/` is `~1`.
pub fn escape(key: &str) -> Cow<'_, str> {
    if key.contains(['~', '/']) {
        Cow::Owned(key.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(key)
    }
}

/// Extends a JSON Pointer by one key or index.
pub fn join(pointer: &mut String, key: &str) {
    pointer.push('/');
    pointer.push_str(&escape(key));
}

/// The keys and indexes of a JSON Pointer; `None` where it does not begin with a slash.
pub fn steps(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let unescape = |step: &str| step.replace("~1", "/").replace("~0", "~");
    Some(
        pointer
            .strip_prefix('/')?
            .split('/')
            .map(unescape)
            .collect(),
    )
}
