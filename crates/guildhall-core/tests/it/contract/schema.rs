//! JSON Schema in both directions.

use guildhall_core::registry::contract::{Direction, MAX_CHANGES, compare_schemas};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::render;

fn changes(old: &Value, new: &Value, direction: Direction) -> Vec<String> {
    render(&compare_schemas(old, new, direction))
}

/// What breaks for senders, and what for receivers.
fn check(old: Value, new: Value, input: &[&str], output: &[&str]) {
    assert_eq!(
        changes(&old, &new, Direction::Input),
        input,
        "input from {old} to {new}"
    );
    assert_eq!(
        changes(&old, &new, Direction::Output),
        output,
        "output from {old} to {new}"
    );
    for schema in [old, new] {
        let none: [String; 0] = [];
        assert_eq!(
            changes(&schema, &schema, Direction::Both),
            none,
            "{schema} beside itself"
        );
    }
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

#[test]
fn properties() {
    let string = || json!({"type": "string"});
    check(
        object(json!({}), &[]),
        object(json!({"a": string()}), &[]),
        &[],
        &[],
    );
    check(
        object(json!({}), &[]),
        object(json!({"a": string()}), &["a"]),
        &[r#"propertyRequired "/a" is new and required"#],
        &[],
    );
    check(
        object(json!({"a": string()}), &[]),
        object(json!({"a": string()}), &["a"]),
        &[r#"propertyRequired "/a" could be left out, is required now"#],
        &[],
    );
    check(
        object(json!({"a": string()}), &["a"]),
        object(json!({"a": string()}), &[]),
        &[],
        &[r#"propertyOptional "/a" always came, may be missing now"#],
    );
    check(
        object(json!({"a": string()}), &["a"]),
        object(json!({}), &[]),
        &[],
        &[r#"propertyRemoved "/a" is no longer given"#],
    );
    check(
        object(json!({"a/b": string()}), &[]),
        json!({"type": "object", "additionalProperties": false}),
        &[
            r#"propertyRemoved "/a~1b" is no longer taken"#,
            r#"propertyRemoved "/*" properties that are not named are no longer taken"#,
        ],
        &[r#"propertyRemoved "/a~1b" is no longer given"#],
    );
    let (map, other) = (
        json!({"additionalProperties": {"type": "integer"}}),
        json!({"additionalProperties": string()}),
    );
    check(
        map,
        other,
        &[r#"typeNarrowed "/*" was integer, is now string"#],
        &[r#"typeChanged "/*" was integer, is now string"#],
    );
}

#[test]
fn what_only_the_server_writes_is_not_asked_of_senders() {
    let with = |flag: &str| json!({"type": "string", flag: true});
    check(
        object(json!({}), &[]),
        object(json!({"id": with("readOnly")}), &["id"]),
        &[],
        &[],
    );
    check(
        object(json!({"key": with("writeOnly")}), &["key"]),
        object(json!({}), &[]),
        &[],
        &[],
    );
    check(
        json!({"properties": {"id": {"$ref": "#/$defs/id"}}, "$defs": {"id": with("readOnly")}}),
        json!({"properties": {"id": {"$ref": "#/$defs/id"}}, "$defs": {"id": {"type": "integer", "readOnly": true}}}),
        &[],
        &[r#"typeChanged "/id" was string, is now integer"#],
    );
}

#[test]
fn types() {
    let of = |name: &str| json!({"type": name});
    check(
        of("integer"),
        of("number"),
        &[],
        &[r#"typeChanged "" was integer, is now number"#],
    );
    check(
        of("number"),
        of("integer"),
        &[r#"typeNarrowed "" was number, is now integer"#],
        &[],
    );
    check(
        of("string"),
        of("integer"),
        &[r#"typeNarrowed "" was string, is now integer"#],
        &[r#"typeChanged "" was string, is now integer"#],
    );
    check(
        of("string"),
        json!({"type": ["string", "null"]}),
        &[],
        &[r#"typeChanged "" was string, is now null or string"#],
    );
    check(
        of("string"),
        json!({"type": "string", "nullable": true}),
        &[],
        &[r#"typeChanged "" was string, is now null or string"#],
    );
    check(
        json!({"type": ["string", "null"]}),
        json!({"type": "string", "nullable": true}),
        &[],
        &[],
    );
    check(
        json!({"type": ["string", "null"]}),
        json!({"oneOf": [{"type": "null"}, {"type": "string"}]}),
        &[],
        &[],
    );
    check(
        json!({}),
        of("string"),
        &[r#"typeNarrowed "" was any type, is now string"#],
        &[],
    );
    check(
        of("string"),
        json!(true),
        &[],
        &[r#"typeChanged "" was string, is now any type"#],
    );
    check(
        of("string"),
        json!(false),
        &[r#"typeNarrowed "" was string, is now nothing"#],
        &[],
    );
    check(
        json!({"type": "array", "items": {"type": "string"}}),
        json!({"type": "array", "items": {"type": "integer"}}),
        &[r#"typeNarrowed "/*" was string, is now integer"#],
        &[r#"typeChanged "/*" was string, is now integer"#],
    );
    check(
        json!({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}),
        json!({"items": [{"type": "string"}, {"type": "string"}], "additionalItems": {"type": "integer"}}),
        &[r#"typeNarrowed "/1" was integer, is now string"#],
        &[],
    );
}

#[test]
fn values() {
    let of = |values: Value| json!({"type": "string", "enum": values});
    check(
        of(json!(["a"])),
        of(json!(["a", "b"])),
        &[],
        &[r#"enumValueAdded "" "b" may come now"#],
    );
    check(
        of(json!(["a", "b"])),
        of(json!(["a"])),
        &[r#"enumValueRemoved "" "b" is no longer taken"#],
        &[],
    );
    check(
        json!({"type": "string"}),
        of(json!(["a", "b"])),
        &[r#"enumValueRemoved "" only "a", "b" is taken now"#],
        &[],
    );
    check(
        of(json!(["a"])),
        json!({"type": "string"}),
        &[],
        &[r#"enumValueAdded "" any string may come now"#],
    );
    check(json!({"const": "a"}), of(json!(["a"])), &[], &[]);
    check(
        json!({"enum": ["a", 1]}),
        json!({"enum": [1, "a"]}),
        &[],
        &[],
    );
    check(
        json!({"type": "boolean"}),
        json!({"enum": [true, false]}),
        &[],
        &[],
    );
}

#[test]
fn bounds() {
    let narrowed = |old: Value, new: Value, expect: &str| {
        check(
            old.clone(),
            new.clone(),
            &[&format!("boundNarrowed \"\" {expect}")],
            &[],
        );
        check(new, old, &[], &[]);
    };
    let int = |keyword: &str, n: Value| json!({"type": "integer", keyword: n});
    let string = |keyword: &str, n: Value| json!({"type": "string", keyword: n});
    narrowed(
        int("minimum", json!(1)),
        int("minimum", json!(2)),
        "minimum was 1, is now 2",
    );
    narrowed(
        int("minimum", json!(1)),
        int("exclusiveMinimum", json!(1)),
        "minimum was 1, is now 1 (excluded)",
    );
    narrowed(
        int("maximum", json!(9)),
        json!({"type": "integer", "maximum": 9, "exclusiveMaximum": true}),
        "maximum was 9, is now 9 (excluded)",
    );
    narrowed(
        json!({"type": "integer"}),
        int("maximum", json!(9.5)),
        "maximum is now 9.5",
    );
    narrowed(
        string("maxLength", json!(9)),
        string("maxLength", json!(8)),
        "maxLength was 9, is now 8",
    );
    narrowed(
        string("minLength", json!(1)),
        string("minLength", json!(2)),
        "minLength was 1, is now 2",
    );
    narrowed(
        json!({"type": "string"}),
        string("pattern", json!("^a")),
        "must match the pattern \"^a\" now",
    );
    narrowed(
        int("multipleOf", json!(2)),
        int("multipleOf", json!(4)),
        "multipleOf is now 4",
    );
    narrowed(
        json!({}),
        json!({"uniqueItems": true}),
        "items must be unique now",
    );
    check(
        json!({"type": "string"}),
        string("minLength", json!(0)),
        &[],
        &[],
    );
    check(
        int("format", json!("int32")),
        int("format", json!("int64")),
        &[],
        &[r#"typeChanged "" format was int32, is now int64"#],
    );
    check(
        string("format", json!("uuid")),
        json!({"type": "string"}),
        &[],
        &[r#"typeChanged "" format was uuid, is now not given"#],
    );
    check(
        json!({"type": "string"}),
        string("format", json!("uuid")),
        &[r#"boundNarrowed "" format was not given, is now uuid"#],
        &[],
    );
}

#[test]
fn combinations() {
    let a =
        || json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let b =
        || json!({"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]});
    let both = json!({
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "required": ["b", "a"],
    });
    check(json!({"allOf": [a(), b()]}), both, &[], &[]);
    check(
        a(),
        json!({"allOf": [a(), b()]}),
        &[r#"propertyRequired "/b" is new and required"#],
        &[],
    );
    check(
        json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
        json!({"type": "string"}),
        &[r#"typeNarrowed "" was string or integer, is now string"#],
        &[],
    );
    check(
        a(),
        json!({"anyOf": [b(), a()]}),
        &[],
        &[r#"propertyRemoved "/a" is no longer given"#],
    );
    // A shared base beside the alternatives belongs to each of them.
    check(
        json!({"properties": {"id": {"type": "string"}}, "oneOf": [a(), b()]}),
        json!({"properties": {"id": {"type": "integer"}}, "oneOf": [b(), a()]}),
        &[r#"typeNarrowed "/id" was string, is now integer"#],
        &[r#"typeChanged "/id" was string, is now integer"#],
    );
}

#[test]
fn references() {
    let list = |item: Value| {
        json!({
            "$ref": "#/$defs/node",
            "$defs": {"node": {
                "type": "object",
                "properties": {"value": item, "next": {"$ref": "#/$defs/node"}},
            }},
        })
    };
    check(
        list(json!({"type": "string"})),
        list(json!({"type": "integer"})),
        &[r#"typeNarrowed "/value" was string, is now integer"#],
        &[r#"typeChanged "/value" was string, is now integer"#],
    );
    // Written out once before the circle begins, it is the same schema.
    let unrolled = json!({
        "type": "object",
        "properties": {"value": {"type": "string"}, "next": {"$ref": "#/$defs/node"}},
        "$defs": {"node": {
            "type": "object",
            "properties": {"value": {"type": "string"}, "next": {"$ref": "#"}},
        }},
    });
    check(list(json!({"type": "string"})), unrolled, &[], &[]);
    check(
        json!({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"type": "string"}}}),
        json!({"$ref": "#here", "$defs": {"x": {"$anchor": "here", "type": "string"}}}),
        &[],
        &[],
    );
    check(
        json!({"$ref": "https://example.com/a.json"}),
        json!({"$ref": "https://example.com/b.json"}),
        &[
            r#"incomplete "" https://example.com/b.json lies outside the document: compare it by hand"#,
        ],
        &[
            r#"incomplete "" https://example.com/a.json lies outside the document: compare it by hand"#,
        ],
    );
    let itself = json!({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}});
    assert_eq!(
        changes(&itself, &json!({"type": "string"}), Direction::Input),
        [
            r#"incomplete "" too many alternatives, or a schema that is made of itself: compare it by hand"#
        ]
    );
}

#[test]
fn what_is_not_compared_is_said() {
    check(
        json!({"not": {"type": "string"}}),
        json!({"not": {"type": "integer"}}),
        &[r#"incomplete "" not changed: compare it by hand"#],
        &[r#"incomplete "" not changed: compare it by hand"#],
    );
    check(
        json!({"not": {"type": "string"}}),
        json!({}),
        &[],
        &[r#"incomplete "" not changed: compare it by hand"#],
    );
    let deep =
        |leaf: &str| (0..100).fold(json!({"type": leaf}), |below, _| json!({"items": below}));
    let told = changes(&deep("string"), &deep("integer"), Direction::Input);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("nested more than 64 deep"), "{told:?}");
}

#[test]
fn the_list_is_bounded() {
    let many = |kind: &str| {
        let properties = (0..500).map(|n| (format!("p{n}"), json!({"type": kind})));
        json!({"properties": properties.collect::<serde_json::Map<_, _>>()})
    };
    let told = compare_schemas(&many("string"), &many("integer"), Direction::Both);
    assert_eq!(told.len(), MAX_CHANGES + 1);
    assert!(told[MAX_CHANGES].detail.contains("only the first"));
}

/// Schemas that refer to each other so that there are more ways through them than could be gone in
/// years: this ends only because pairs are remembered and all work has one budget.
#[test]
fn no_document_takes_long() {
    let web = |leaf: &str, copies: usize| {
        let mut definitions = serde_json::Map::new();
        for n in 0..60 {
            let next = json!({"$ref": format!("#/$defs/s{}", n + 1)});
            let properties =
                (0..copies).map(|p| (format!("p{p}"), json!({"oneOf": [next, {"type": "null"}]})));
            let properties: serde_json::Map<_, _> = properties.collect();
            definitions.insert(
                format!("s{n}"),
                json!({"type": "object", "properties": properties}),
            );
        }
        definitions.insert("s60".to_owned(), json!({"type": leaf}));
        json!({"$ref": "#/$defs/s0", "$defs": definitions})
    };
    let all = |copies: usize| {
        let each = |n: usize| {
            let properties = (0..copies).map(|m| {
                (
                    format!("p{m}"),
                    json!({"$ref": format!("#/$defs/t{}", (n * 7 + m) % copies)}),
                )
            });
            let either = [
                json!({"$ref": format!("#/$defs/t{}", (n + 1) % copies)}),
                json!({"type": "object"}),
            ];
            json!({"properties": properties.collect::<serde_json::Map<_, _>>(), "anyOf": either, "required": [format!("p{n}")]})
        };
        let definitions: serde_json::Map<_, _> =
            (0..copies).map(|n| (format!("t{n}"), each(n))).collect();
        json!({"$ref": "#/$defs/t0", "$defs": definitions})
    };
    assert!(changes(&web("string", 10), &web("string", 10), Direction::Both).is_empty());
    assert!(!changes(&web("string", 10), &web("integer", 10), Direction::Both).is_empty());
    compare_schemas(&all(40), &all(41), Direction::Both);
}

/// Words that schemas are made of, so that random documents hit the rules.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!(true)),
        Just(json!(false)),
        prop::sample::select(vec![
            "string", "integer", "number", "null", "object", "array", "odd"
        ])
        .prop_map(|t| json!({"type": t})),
        prop::sample::select(vec!["#", "#/$defs/a", "#/$defs/b", "#/nowhere", "x"])
            .prop_map(|r| json!({"$ref": r})),
        prop::collection::vec(0..3u8, 0..3).prop_map(|values| json!({"enum": values})),
        (any::<i8>(), any::<bool>()).prop_map(
            |(n, b)| json!({"minimum": n, "exclusiveMaximum": b, "maxLength": n, "multipleOf": n})
        ),
        Just(json!(["not", "a", "schema"])),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let properties = prop::collection::btree_map("[ab]", inner.clone(), 0..3);
        let some = || prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            (properties, prop::collection::vec("[ab]", 0..2), inner.clone())
                .prop_map(|(p, r, a)| json!({"type": "object", "properties": p, "required": r, "additionalProperties": a})),
            (some(), inner.clone()).prop_map(|(first, items)| json!({"prefixItems": first, "items": items})),
            (some(), some()).prop_map(|(all, any)| json!({"allOf": all, "anyOf": any})),
            (some(), inner.clone()).prop_map(|(one, not)| json!({"oneOf": one, "not": not})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"$ref": "#/$defs/a", "$defs": {"a": a, "b": b}})),
        ]
    })
}

proptest! {
    #[test]
    fn a_schema_never_breaks_itself_and_none_panics(old in schemas(), new in schemas()) {
        let unread = |told: &[String]| told.iter().any(|line| line.starts_with("incomplete"));
        let same = changes(&old, &old, Direction::Both);
        prop_assert!(same.is_empty() || unread(&same), "{:?}", same);
        compare_schemas(&old, &new, Direction::Both);
    }
}
