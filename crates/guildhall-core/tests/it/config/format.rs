//! Parsing: what is read, what is refused, where.

use std::time::{Duration, Instant};

use guildhall_core::config::{
    Format,
    format::{MAX_BYTES, MAX_DEPTH, render},
    parse,
};
use proptest::prelude::*;
use serde_json::json;

use super::trees;

#[test]
fn one_tree_in_every_format_with_its_places() {
    let expect = json!({"name": "shop", "pool": {"size": 8, "hosts": ["a", "b"]}});
    let places = |format: Format, text: &str| {
        let parsed = parse(format, text.as_bytes()).unwrap();
        assert_eq!(parsed.value(), Some(expect.clone()), "{format}");
        [
            "/name",
            "/pool",
            "/pool/size",
            "/pool/hosts/1",
            "/pool/none/x",
        ]
        .map(|pointer| {
            let position = parsed.position(pointer).unwrap();
            format!("{}:{}", position.line, position.column)
        })
        .join(" ")
    };
    let json = "{\n  \"name\": \"shop\",\n  \"pool\": {\"size\": 8, \"hosts\": [\"a\", \"b\"]}\n}";
    assert_eq!(places(Format::Json, json), "2:11 3:11 3:20 3:38 3:11");
    let yaml = "# é\nname: shop\npool:\n  size: 8\n  hosts:\n    - a\n    - b\n";
    assert_eq!(places(Format::Yaml, yaml), "2:7 4:3 4:9 7:7 4:3");
    let toml = "name = \"shop\"\n[pool]\nsize = 8\nhosts = [\"a\", \"b\"]\n";
    assert_eq!(places(Format::Toml, toml), "1:8 2:1 3:8 4:15 2:1");
    let parsed = parse(Format::Properties, b"a.b = 1\n# c\nd : x\\\n  y\n").unwrap();
    assert_eq!(parsed.value(), Some(json!({"a.b": "1", "d": "xy"})));
    assert_eq!(
        parsed.position("/d").unwrap().to_string(),
        "line 3, column 5"
    );
}

#[test]
fn order_and_text_stay_as_written() {
    for (format, text) in [
        (Format::Json, r#"{"z": 1, "a": {"y": 1, "b": 2}}"#),
        (Format::Yaml, "z: 1\na:\n  y: 1\n  b: 2\n# end"),
        (Format::Toml, "z = 1\na.y = 1\na.b = 2 # end"),
    ] {
        let parsed = parse(format, text.as_bytes()).unwrap();
        assert_eq!(parsed.text(), Some(text));
        let json = serde_json::to_string(parsed.root().unwrap()).unwrap();
        assert_eq!(json, r#"{"z":1,"a":{"y":1,"b":2}}"#, "{format}");
    }
}

/// Parses each text and compares where the error is and how it begins.
fn check(format: Format, cases: &[(&str, &str)]) {
    let wrong = cases.iter().filter_map(|(text, expect)| {
        let said = match parse(format, text.as_bytes()) {
            Ok(parsed) => format!("nothing, and read {}", parsed.value().unwrap()),
            Err(error) => error.to_string(),
        };
        (!said.starts_with(expect)).then(|| format!("{text:?}\nsaid {said}\nnot  {expect}\n"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{format}:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_not_json_is_told_what_would_be() {
    check(
        Format::Json,
        &[
            ("", "line 1, column 1: the file is empty; write {}"),
            (
                "{\n\"a\": 1,\n}",
                "line 3, column 1: a key in double quotes should be here; take out the comma",
            ),
            (
                "[1,]",
                "line 1, column 4: at /1: a value should be here; take out the comma",
            ),
            (
                "{\"a\": {\"b\" 1}}",
                "line 1, column 12: at /a/b: a colon should be here",
            ),
            (
                "{\"a\": 1 \"b\": 2}",
                "line 1, column 9: a comma or } should be here",
            ),
            (
                "{\"a/b\": 'x'}",
                "line 1, column 9: at /a~1b: JSON writes texts in double quotes",
            ),
            ("// c\n{}", "line 1, column 1: JSON has no comments"),
            ("{a: 1}", "line 1, column 2: a key in double quotes"),
            (
                "{\"a\": 1, \"b\": 2,\n \"a\": 3}",
                "line 2, column 2: at /a: \"a\" was given at line 1, column 2 already",
            ),
            ("[tru]", "line 1, column 2: at /0: JSON knows the words"),
            ("[NaN]", "line 1, column 2: at /0: infinity and NaN"),
            (
                "[01]",
                "line 1, column 2: at /0: a number has no leading zeros",
            ),
            ("[1.]", "line 1, column 4: at /0: a digit should be here"),
            (
                "[18446744073709551616]",
                "line 1, column 2: at /0: this integer does not fit",
            ),
            (
                "[1e999]",
                "line 1, column 2: at /0: this number is too large",
            ),
            ("[\"a", "line 1, column 2: at /0: this text is not closed"),
            (
                "[\"a\nb\"]",
                "line 1, column 4: at /0: a text has no line breaks",
            ),
            ("[\"\\x\"]", "line 1, column 3: at /0: after a backslash"),
            (
                "[\"\\ud800\"]",
                "line 1, column 3: at /0: half of a surrogate pair",
            ),
            ("[\"\\u12\"]", "line 1, column 3: at /0: \\u takes four"),
            ("{} {}", "line 1, column 4: the value ends before this"),
            (
                "[1",
                "line 1, column 3: the file ends where a comma or ] should be",
            ),
        ],
    );
}

#[test]
fn what_is_not_yaml_is_told_what_would_be() {
    check(
        Format::Yaml,
        &[
            ("just text", "line 1, column 1: the file is one text"),
            (
                "a: 1\nb: 2\na: 3",
                "line 3, column 1: at /a: \"a\" was given at line 1, column 1 already",
            ),
            ("a: 1\n b: 2", "line 2, column 3: mapping values"),
            ("a:\n\t- b", "line 2, column 2: at /a: tabs"),
            ("a: [1, 2\nb: 3", "line 2, column 2: "),
            ("a: \"x\nb: 1", "line "),
            ("a: *b", "line 1, column 4: at /a: "),
            (
                "a: &b [*b]",
                "line 1, column 8: at /a/0: this stands within",
            ),
            ("a: 1\n---\nb: 2", "line 2, column 1: a second document"),
            ("%YAML 1.1\n---\na: yes", "line 1, column 1: "),
            ("a: !secret x", "line 1, column 4: at /a: the tag"),
            ("a: !!int x", "line 1, column 4: at /a: the tag"),
            ("a: !!map [1]", "line 1, column 4: at /a: the tag"),
            (
                "[a]: 1",
                "line 1, column 1: a list or an object cannot be a key",
            ),
            ("a:\n  : x", "line 2, column 3: at /a: a key is missing"),
            ("a: .inf", "line 1, column 4: at /a: infinity and NaN"),
            ("mode: 0755", "line 1, column 7: at /mode: a leading zero"),
            ("a:\n  <<: x", "line 2, column 3: at /a/<<: << takes in"),
            ("a: b: c", "line 1, column 5: mapping values"),
        ],
    );
}

#[test]
fn what_is_not_toml_is_told_what_would_be() {
    check(
        Format::Toml,
        &[
            ("a = 1\nb", "line 2, column 2: "),
            ("a = 1\n\na = 2", "line 3, column 1: duplicate key"),
            ("a = inf", "line 1, column 5: at /a: infinity and NaN"),
            (
                "a = [9223372036854775808]",
                "line 1, column 6: at /a/0: this integer",
            ),
            ("a = yes", "line 1, column 5: "),
            ("a = \"x", "line 1, column 7: "),
        ],
    );
}

#[test]
fn what_is_not_properties_is_told_what_would_be() {
    check(
        Format::Properties,
        &[
            ("a=1\n=2", "line 2, column 1: a key is missing"),
            (
                "a=1\nb=2\n a : 3",
                "line 3, column 2: at /a: \"a\" was given at line 1",
            ),
            ("a=\\u12g4", "line 1, column 3: \\u takes four"),
            ("a=\\ud800x", "line 1, column 3: half of a surrogate pair"),
        ],
    );
}

#[test]
fn merge_keys_and_aliases_are_expanded() {
    let text =
        "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nall:\n  <<: [*b, *m]\n  x: 9\nlist: [*b]";
    let parsed = parse(Format::Yaml, text.as_bytes()).unwrap();
    let value = parsed.value().unwrap();
    assert_eq!(value["all"], json!({"x": 9, "y": 2, "z": 4}));
    assert_eq!(value["list"], json!([{"x": 1, "y": 2}]));
    // What an alias names stands where its anchor is.
    assert_eq!(
        parsed.position("/all/z").unwrap().to_string(),
        "line 2, column 20"
    );
}

#[test]
fn what_is_too_large_or_too_deep_is_refused_at_once() {
    let started = Instant::now();
    let refused = |format: Format, text: String, expect: &str| {
        assert!(text.len() <= MAX_BYTES);
        let error = parse(format, text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expect), "{format}: {error}");
    };
    let many = MAX_BYTES / 2;
    refused(Format::Json, "[".repeat(many), "write it flatter");
    refused(
        Format::Json,
        "{\"a\":".repeat(MAX_BYTES / 5),
        "write it flatter",
    );
    refused(Format::Yaml, "[".repeat(many), "write it flatter");
    refused(
        Format::Yaml,
        "{a: ".repeat(MAX_BYTES / 4),
        "write it flatter",
    );
    refused(Format::Yaml, "- ".repeat(many), "write it flatter");
    refused(Format::Yaml, "? ".repeat(many), "");
    refused(Format::Yaml, "&a ".repeat(many / 2), "");
    refused(
        Format::Toml,
        format!("a = {}", "[".repeat(many)),
        "write it flatter",
    );
    refused(Format::Toml, "a.".repeat(many), "write it flatter");
    let wide = format!("{}a = ", "a.".repeat(60));
    let deep = format!("{}1", format!("{wide}{{").repeat(75));
    refused(Format::Toml, deep, "write it flatter");
    let laughs: String = (1..30)
        .map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(9)))
        .collect();
    refused(
        Format::Yaml,
        format!("a0: &a0 [x]\n{laughs}"),
        "write it with fewer",
    );
    let copies = "&a [".repeat(60) + &"1,".repeat(400_000) + &"]".repeat(60);
    refused(Format::Yaml, copies, "write it with fewer");
    let chain: String = (1..40)
        .map(|n| format!("a{n}: &a{n} [[*a{}]]\n", n - 1))
        .collect();
    refused(
        Format::Yaml,
        format!("a0: &a0 [x]\n{chain}"),
        "write it flatter",
    );

    let error = parse(Format::Text, &vec![b'x'; MAX_BYTES + 1]).unwrap_err();
    assert_eq!(error.position, None);
    assert!(error.detail.contains("split it"), "{error}");
    let error = parse(Format::Text, b"ab\n\xffc").unwrap_err();
    assert_eq!(error.position.unwrap().to_string(), "line 2, column 1");
    // Generous: what this guards against takes minutes.
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn as_deep_and_as_wide_as_is_allowed_is_read() {
    let deep = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    assert!(parse(Format::Json, deep.as_bytes()).is_ok());
    assert!(parse(Format::Yaml, deep.as_bytes()).is_ok());
    let wide = format!("[{}1]", "1,".repeat(100_000));
    assert!(parse(Format::Json, wide.as_bytes()).is_ok());
    assert!(parse(Format::Yaml, wide.as_bytes()).is_ok());
    let keys: String = (0..10_000).map(|n| format!("k{n}: {n}\n")).collect();
    assert!(parse(Format::Yaml, keys.as_bytes()).is_ok());
    assert!(parse(Format::Properties, keys.as_bytes()).is_ok());
    assert!(parse(Format::Toml, keys.replace(": ", " = ").as_bytes()).is_ok());
}

#[test]
fn what_a_format_cannot_say_is_pointed_at() {
    let tree = |text: &str| parse(Format::Json, text.as_bytes()).unwrap();
    for (format, text, expect) in [
        (
            Format::Toml,
            r#"{"a": [1, null]}"#,
            "toml cannot say what is at \"/a/1\": TOML has no null",
        ),
        (
            Format::Toml,
            "[1]",
            "toml cannot say what is at \"\": a file is a table",
        ),
        (
            Format::Properties,
            r#"{"a": {"b": 1}}"#,
            "properties cannot say what is at \"/a\"",
        ),
        (Format::Text, "{}", "text cannot say what is at \"\""),
    ] {
        let error = render(format, tree(text).root().unwrap()).unwrap_err();
        assert!(error.to_string().starts_with(expect), "{error}");
    }
}

#[test]
fn a_tree_renders_as_one_would_write_it() {
    let json = r#"{"server": {"host": "0.0.0.0", "port": 80, "on": "no", "tags": ["a", {"b": 1, "c": []}]}, "note": "x\n\n y\n", "e": {}}"#;
    let tree = parse(Format::Json, json.as_bytes()).unwrap();
    let text = render(Format::Yaml, tree.root().unwrap()).unwrap();
    assert_eq!(
        text,
        "server:\n  host: \"0.0.0.0\"\n  port: 80\n  \"on\": \"no\"\n  tags:\n    - a\n    - b: 1\n      c: []\nnote: |\n  x\n\n   y\ne: {}\n"
    );
    let text = render(Format::Toml, tree.root().unwrap()).unwrap();
    assert_eq!(
        text,
        "note = \"x\\n\\n y\\n\"\n\n[server]\nhost = \"0.0.0.0\"\nport = 80\non = \"no\"\ntags = [\"a\", { b = 1, c = [] }]\n\n[e]\n"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_rendered_reads_back(tree in trees::objects(true), plain in trees::objects(false), flat in trees::flat()) {
        for (format, tree) in [
            (Format::Json, &tree),
            (Format::Yaml, &tree),
            (Format::Toml, &plain),
            (Format::Properties, &flat),
        ] {
            let text = render(format, tree).unwrap();
            let parsed = parse(format, text.as_bytes());
            let parsed = parsed.unwrap_or_else(|error| panic!("{format}: {error} in\n{text}"));
            assert_eq!(parsed.root(), Some(tree), "{format}:\n{text}");
        }
    }

    #[test]
    fn every_value_is_where_it_says(tree in trees::objects(true)) {
        // The text at a value's place reads as that value.
        let text = render(Format::Json, &tree).unwrap();
        let parsed = parse(Format::Json, text.as_bytes()).unwrap();
        parsed.root().unwrap().walk(&mut |pointer, node| {
            let piece = &text[node.span.range()];
            let again = parse(Format::Json, piece.as_bytes()).unwrap();
            assert_eq!(again.root(), Some(node), "{pointer}");
            true
        });
    }
}
