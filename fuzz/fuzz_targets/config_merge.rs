//! Layers over each other: the result is what JSON Merge Patch (RFC 7396) makes of them, each value has an origin in the
//! text it came from, and the whole reads back from what it renders as.
#![no_main]

use std::sync::Arc;

use guildhall_core::config::{
    Effective, Layer, Node, Source, Value, format::MAX_BYTES, merge, merge::mixed, parse,
};
use guildhall_fuzz::{check_position, check_rendered, content, parts};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value as Json};

fuzz_target!(|data: &[u8]| {
    let layers: Vec<Layer> = parts(data)
        .into_iter()
        .take(4)
        .filter_map(content)
        .enumerate()
        .map(|(n, content)| Layer {
            source: Arc::new(Source {
                config: format!("layer{n}/_/file"),
                version: n as u64,
                gray: None,
            }),
            content: Arc::new(content),
        })
        .collect();
    let formats: Vec<_> = layers.iter().map(|l| l.content.format()).collect();
    let merged = match merge(&layers) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(layers.is_empty() || mixed(&formats).is_some());
            return;
        }
        Ok(Effective::AsWritten(at)) => {
            assert_eq!(at, layers.len() - 1);
            return;
        }
        Ok(Effective::Merged(merged)) => merged,
    };
    let first = layers.iter().rposition(|l| l.content.root().is_none());
    let first = first.map_or(0, |piece| piece + 1);
    let mut expect = Json::Object(Map::new());
    for layer in &layers[first..] {
        match layer.content.value() {
            None | Some(Json::Null) => {}
            Some(patch) => apply(&mut expect, &patch),
        }
    }
    assert_eq!(merged.root.to_json(), expect);
    let mut ends = 0;
    merged.root.walk(&mut |_, node| {
        ends += usize::from(node.value.is_leaf());
        !matches!(node.value, Value::Array(_))
    });
    assert!(merged.origins.len() >= 1 || ends == 0);
    for origin in merged.origins.iter().take(200) {
        assert!(merged.root.get(&origin.pointer).is_some(), "{origin:?}");
        let layer = &layers[origin.source.version as usize];
        check_position(origin.position, layer.content.text().unwrap_or_default());
    }
    check_rendered(merged.format, &merged.root);
    check_again(&layers, &merged.root);
});

/// A layer over the result of all changes nothing that it has said already.
fn check_again(layers: &[Layer], root: &Node) {
    let Ok(text) = serde_json::to_string(root) else {
        return;
    };
    let Some(last) = layers.last() else { return };
    let flat = |l: &Layer| l.content.format() == guildhall_core::config::Format::Properties;
    if text.len() > MAX_BYTES || flat(last) {
        return;
    }
    let parsed = parse(guildhall_core::config::Format::Json, text.as_bytes());
    let below = Layer {
        source: Arc::clone(&last.source),
        content: Arc::new(parsed.expect("a result reads back as JSON")),
    };
    if let Ok(Effective::Merged(again)) = merge(&[below, last.clone()]) {
        assert_eq!(&again.root, root);
    }
}

/// RFC 7396, section 2.
fn apply(target: &mut Json, patch: &Json) {
    let Json::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Json::Object(Map::new());
    }
    let Json::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            apply(target.entry(key.clone()).or_insert(Json::Null), value);
        }
    }
}
