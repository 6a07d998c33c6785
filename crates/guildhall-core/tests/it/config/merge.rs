//! Layers over each other.

use std::sync::Arc;

use guildhall_core::config::{
    Effective, Format, Layer, MergeError, Node, Source, Value,
    format::render,
    merge::{self, Merged},
    parse,
};
use proptest::prelude::*;
use serde_json::json;

use super::trees;

fn layer(name: &str, format: Format, text: &[u8]) -> Layer {
    Layer {
        source: Arc::new(Source {
            config: name.to_owned(),
            version: 1,
            gray: None,
        }),
        content: Arc::new(parse(format, text).unwrap()),
    }
}

fn merged(layers: &[Layer]) -> Merged {
    match merge::merge(layers).unwrap() {
        Effective::Merged(merged) => merged,
        Effective::AsWritten(at) => panic!("layer {at} as it was written"),
    }
}

#[test]
fn the_more_specific_wins_member_by_member_and_each_value_tells_its_origin() {
    let merged = merged(&[
        layer(
            "_/_",
            Format::Yaml,
            b"pool: {size: 4, hosts: [a, b]}\nlog: info\ntrace: on\n",
        ),
        layer("s/_", Format::Yaml, b"# nothing yet\n"),
        layer("s/e", Format::Toml, b"[pool]\nsize = 8\nhosts = [\"c\"]\n"),
        layer(
            "s/e#blue",
            Format::Json,
            b"{\"trace\": null, \"pool\": {\"max\": 9},\n\"x\": {\"y\": null}}",
        ),
    ]);
    assert_eq!(merged.format, Format::Json);
    assert_eq!(
        serde_json::to_string(&merged.root).unwrap(),
        r#"{"pool":{"size":8,"hosts":["c"],"max":9},"log":"info","x":{}}"#
    );
    let origins = merged.origins.iter().map(|origin| {
        let position = origin.position;
        format!(
            "{} {}:{}:{}",
            origin.pointer, origin.source.config, position.line, position.column
        )
    });
    assert_eq!(
        origins.collect::<Vec<_>>(),
        [
            "/pool/size s/e:2:8",
            "/pool/hosts s/e:3:9",
            "/pool/max s/e#blue:1:33",
            "/log _/_:2:6",
            "/x s/e#blue:2:6",
        ]
    );
    let origin = serde_json::to_value(&merged.origins[0]).unwrap();
    assert_eq!(
        origin,
        json!({"pointer": "/pool/size", "config": "s/e", "version": 1, "line": 2, "column": 8})
    );
}

#[test]
fn what_is_in_one_piece_wins_whole() {
    let yaml = |name| layer(name, Format::Yaml, b"a: 1");
    let text = |name| layer(name, Format::Text, b"a");
    for (layers, expect) in [
        (vec![yaml("1")], 0),
        (vec![text("1"), text("2")], 1),
        (vec![yaml("1"), layer("2", Format::Binary, b"\xff")], 1),
        (vec![yaml("1"), text("2"), yaml("3")], 2),
    ] {
        match merge::merge(&layers).unwrap() {
            Effective::AsWritten(at) => assert_eq!(at, expect),
            Effective::Merged(merged) => panic!("{merged:?}"),
        }
    }
    let over = merged(&[text("1"), yaml("2"), layer("3", Format::Yaml, b"b: 2")]);
    assert_eq!(over.root.to_json(), json!({"a": 1, "b": 2}));
    assert_eq!(over.origins[1].source.config, "3");
    assert_eq!(merge::merge(&[]).unwrap_err(), MergeError::Empty);
}

#[test]
fn properties_go_with_properties_only() {
    let below = layer("1", Format::Properties, b"a.b=1\nc=2");
    let above = layer("2", Format::Properties, b"a.b=3");
    let root = merged(&[below.clone(), above]).root;
    assert_eq!(render(Format::Properties, &root).unwrap(), "a.b=3\nc=2\n");
    let error = merge::merge(&[below, layer("2", Format::Yaml, b"a: {b: 3}")]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("1 is properties and 2 over it is yaml"),
        "{error}"
    );
}

#[test]
fn many_members_merge_in_no_time() {
    let text = |from: u32| {
        (from..from + 50_000)
            .map(|n| format!("k{n}=v\n"))
            .collect::<String>()
    };
    let layers = [0, 25_000].map(|from| layer("x", Format::Properties, text(from).as_bytes()));
    assert_eq!(merged(&layers).origins.len(), 75_000);
}

/// RFC 7396, as it is written there.
fn patch(target: serde_json::Value, patch: &serde_json::Value) -> serde_json::Value {
    let serde_json::Value::Object(members) = patch else {
        return patch.clone();
    };
    let mut target = match target {
        serde_json::Value::Object(target) => target,
        _ => serde_json::Map::new(),
    };
    for (key, value) in members {
        if value.is_null() {
            target.remove(key);
        } else {
            let old = target.remove(key).unwrap_or_default();
            target.insert(key.clone(), self::patch(old, value));
        }
    }
    target.into()
}

fn of(trees: &[Node]) -> Vec<Layer> {
    let layer = |(n, tree): (usize, &Node)| {
        let text = render(Format::Json, tree).unwrap();
        layer(&n.to_string(), Format::Json, text.as_bytes())
    };
    trees.iter().enumerate().map(layer).collect()
}

proptest! {
    #[test]
    fn merging_is_patching_layer_by_layer(trees in prop::collection::vec(trees::objects(true), 2..5)) {
        let merged = merged(&of(&trees));
        let expect = trees.iter().fold(json!({}), |below, tree| patch(below, &tree.to_json()));
        prop_assert_eq!(merged.root.to_json(), expect);
    }

    #[test]
    fn every_value_is_that_of_its_origin(trees in prop::collection::vec(trees::objects(true), 2..5)) {
        let layers = of(&trees);
        let merged = merged(&layers);
        let mut pointers = Vec::new();
        merged.root.walk(&mut |pointer, node| {
            let below = matches!(&node.value, Value::Object(members) if !members.is_empty());
            if !below {
                pointers.push(pointer.to_owned());
            }
            below
        });
        let told: Vec<_> = merged.origins.iter().map(|origin| origin.pointer.clone()).collect();
        prop_assert_eq!(&told, &pointers);
        for origin in merged.origins.iter().filter(|origin| !origin.pointer.is_empty()) {
            let index: usize = origin.source.config.parse().unwrap();
            let content = &layers[index].content;
            let written = content.root().unwrap().get(&origin.pointer).unwrap();
            let value = merged.root.get(&origin.pointer).unwrap();
            // An object whose members were all taken away may have had some.
            prop_assert!(written == value || matches!(value.value, Value::Object(_)));
            prop_assert_eq!(Some(origin.position), content.position(&origin.pointer));
        }
    }

    #[test]
    fn a_layer_over_itself_or_over_nothing_is_itself(tree in trees::objects(false)) {
        let nothing = Node::of(Value::Object(Vec::new()));
        prop_assert_eq!(&merged(&of(&[tree.clone(), tree.clone()])).root, &tree);
        prop_assert_eq!(&merged(&of(&[nothing.clone(), tree.clone()])).root, &tree);
        prop_assert_eq!(&merged(&of(&[tree.clone(), nothing])).root, &tree);
    }
}
