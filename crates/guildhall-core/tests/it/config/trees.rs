//! Random trees, for the laws that hold for all of them.

use guildhall_core::config::{Node, Value, format::Member};
use proptest::prelude::*;
use serde_json::Number;

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c]{0,3}",
        2 => prop::sample::select(vec![
            "no", "null", "~", "1", "0x1", "1e3", "true", "12:30", "- a", "a: b", "a #b", "#a", " a", "a ", "*a", "&a", "!a", "%a",
            "a\nb", "a\n\nb\n", "a\n \nb", "\n", "a\n\n", "a\tb\n\tc\n", "a\r\nb", "\u{feff}", "\u{85}", "\u{7f}", "\u{0}", "<<", "---",
            "...", "[a", "{a}", "'", "\"", "\\", "a=b", "a:b", "$sealed", "é", "\u{2028}", "a\\", "/", "~1", "",
        ]).prop_map(str::to_owned),
        1 => ".{0,12}",
        1 => "[ -~\n\t]{0,24}",
    ]
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        (-20..20_i64).prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
    ]
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => any::<bool>().prop_map(Value::Bool),
        1 => numbers().prop_map(Value::Number),
        3 => texts().prop_map(Value::String),
    ]
}

fn object(members: Vec<(String, Node)>) -> Node {
    let mut seen = std::collections::HashSet::new();
    let members = members
        .into_iter()
        .filter(|(key, _)| seen.insert(key.clone()));
    let members = members.map(|(key, node)| Member {
        key,
        key_span: Default::default(),
        node,
    });
    Node::of(Value::Object(members.collect()))
}

/// Values of any kind, without null.
pub(super) fn values() -> impl Strategy<Value = Node> {
    scalars()
        .prop_map(Node::of)
        .prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|items| Node::of(Value::Array(items))),
                prop::collection::vec((texts(), inner), 0..5).prop_map(object),
            ]
        })
}

/// Values of any kind, null among them.
pub(super) fn values_and_nulls() -> impl Strategy<Value = Node> {
    let scalars = prop_oneof![4 => scalars(), 1 => Just(Value::Null)];
    scalars
        .prop_map(Node::of)
        .prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                1 => prop::collection::vec(inner.clone(), 0..3)
                    .prop_map(|items| Node::of(Value::Array(items))),
                3 => prop::collection::vec((texts(), inner), 0..5).prop_map(object),
            ]
        })
}

/// Objects whose members are of any kind; null among them if `nulls`.
pub(super) fn objects(nulls: bool) -> impl Strategy<Value = Node> {
    let value = if nulls {
        values_and_nulls().boxed()
    } else {
        values().boxed()
    };
    prop::collection::vec((texts(), value), 0..6).prop_map(object)
}

/// Objects of texts under keys that are not empty, as properties have them.
pub(super) fn flat() -> impl Strategy<Value = Node> {
    let key = texts().prop_filter("a key", |key| !key.is_empty());
    let value = texts().prop_map(|text| Node::of(Value::String(text)));
    prop::collection::vec((key, value), 0..6).prop_map(object)
}
