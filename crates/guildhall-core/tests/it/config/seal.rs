//! Sealed values: they open where they were sealed, and nowhere else.

use guildhall_core::config::{
    Format, Parsed, Value,
    format::{Node, render},
    parse,
    seal::{Binding, KeyFileError, KeyRing, SealError, find, mask, open, open_text, reseal, seal},
};
use proptest::prelude::*;
use serde_json::json;

use super::trees;

const OLD: &str = "old: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEW: &str = "new: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn keys(lines: &[&str]) -> KeyRing {
    KeyRing::parse(&lines.join("\n")).unwrap()
}

fn binding(environment: &str) -> Binding<'_> {
    Binding {
        namespace: "shop",
        service: "users",
        environment,
        file: "app",
    }
}

/// Nonces that are all different.
fn nonces() -> impl FnMut() -> [u8; 24] {
    let mut count = 0_u8;
    move || {
        count += 1;
        [count; 24]
    }
}

fn sealed(format: Format, text: &str, pointers: &[&str]) -> Parsed {
    let content = parse(format, text.as_bytes()).unwrap();
    let text = seal(
        &content,
        pointers,
        &keys(&[OLD]),
        &binding("prod"),
        &mut nonces(),
    )
    .unwrap();
    parse(format, text.as_bytes()).unwrap()
}

#[test]
fn a_value_is_sealed_where_it_stands_and_nothing_else_changes() {
    for (format, text, pointers, masked) in [
        (
            Format::Yaml,
            "# db\ndb:\n  user: app # who\n  password: 'hunter 2' # why\n  port: 5432\n",
            vec!["/db/password", "/db/port", "/db/none"],
            "# db\ndb:\n  user: app # who\n  password: \"******\" # why\n  port: \"******\"\n",
        ),
        (
            Format::Yaml,
            "cert: |\n  one\n  two\n\nlast:\n  a: 1\n  b: 2\n# end",
            vec!["/cert", "/last"],
            "cert: \"******\"\n\nlast:\n  \"******\"\n# end",
        ),
        (
            Format::Json,
            "{\"a\" : [1, {\"b\": \"x\"}]\n}",
            vec!["/a/1"],
            "{\"a\" : [1, \"******\"]\n}",
        ),
        (
            Format::Toml,
            "[db]\npassword = '''x\ny''' # why\n",
            vec!["/db/password"],
            "[db]\npassword = \"******\" # why\n",
        ),
        (
            Format::Properties,
            "a = 1\ndb.password : x\\\n  y\nb=2",
            vec!["/db.password"],
            "a = 1\ndb.password : ******\nb=2",
        ),
    ] {
        let written = sealed(format, text, &pointers);
        assert_eq!(mask(&written).unwrap(), masked);
        let opened = open(&written, &keys(&[OLD]), &binding("prod")).unwrap();
        let plain = parse(format, text.as_bytes()).unwrap();
        assert_eq!(Some(&opened), plain.root(), "{format}");
        let text = open_text(&written, &keys(&[NEW, OLD]), &binding("prod")).unwrap();
        assert_eq!(parse(format, text.as_bytes()).unwrap().root(), plain.root());
        // What is sealed stays as it is.
        let again = seal(
            &written,
            &pointers,
            &keys(&[NEW]),
            &binding("prod"),
            &mut nonces(),
        );
        assert_eq!(again.unwrap(), written.text().unwrap());
    }
}

#[test]
fn the_forms_are_those_that_are_written_down() {
    // A change here makes what is stored unreadable.
    let text = sealed(Format::Json, r#"{"a": 1}"#, &["/a"]);
    let text = text.text().unwrap();
    assert_eq!(
        text,
        r#"{"a": {"$sealed": "v1:old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB8edsFgTInx0V4wSBr1YtE04="}}"#
    );
    let text = sealed(Format::Toml, "a = 1", &["/a"]);
    assert!(text.text().unwrap().starts_with("a = \"sealed:v1:old:AQEB"));
}

#[test]
fn what_is_sealed_opens_only_in_its_place() {
    let content = sealed(Format::Json, r#"{"a": "x", "b": "y"}"#, &["/a"]);
    let refused = |content: &Parsed, keys: &KeyRing, binding: &Binding<'_>| {
        open(content, keys, binding).unwrap_err().to_string()
    };
    let old = keys(&[OLD]);
    for other in [
        binding("test"),
        Binding {
            namespace: "other",
            ..binding("prod")
        },
        Binding {
            service: "user",
            ..binding("prod")
        },
        Binding {
            file: "",
            ..binding("prod")
        },
    ] {
        assert!(
            refused(&content, &old, &other)
                .starts_with("line 1, column 7: the value at \"/a\" does not open")
        );
    }
    let moved = content.text().unwrap().replace("\"a\"", "\"c\"");
    let moved = parse(Format::Json, moved.as_bytes()).unwrap();
    assert!(refused(&moved, &old, &binding("prod")).contains("\"/c\" does not open"));
    assert_eq!(
        refused(&content, &keys(&[NEW]), &binding("prod")),
        "line 1, column 7: the value at \"/a\" was sealed with the key \"old\", which is not in the key file; add it there"
    );
    let other = keys(&["old: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="]);
    assert!(refused(&content, &other, &binding("prod")).contains("does not open"));
    for text in [
        r#"{"a": {"$sealed": "v1:old:AA"}}"#,
        r#"{"a": {"$sealed": 1}}"#,
        r#"{"a": {"$sealed": "v1:old:", "b": 1}}"#,
        r#"{"a": "sealed:v1:old"}"#,
    ] {
        let content = parse(Format::Json, text.as_bytes()).unwrap();
        let error = find(&content).unwrap_err().to_string();
        assert!(
            error.starts_with("line 1, column 7: the value at \"/a\" is not a sealed value"),
            "{error}"
        );
    }
}

#[test]
fn keys_are_rotated_and_content_is_promoted_by_sealing_anew() {
    let content = sealed(Format::Yaml, "a: x # c\nb: [1, 2]\n", &["/a", "/b/1"]);
    let both = keys(&[NEW, OLD]);
    let text = reseal(
        &content,
        &both,
        &binding("prod"),
        &binding("test"),
        &mut nonces(),
    )
    .unwrap();
    let content = parse(Format::Yaml, text.as_bytes()).unwrap();
    let found = find(&content).unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|value| (value.pointer.as_str(), value.key.as_str()))
        .collect();
    assert_eq!(told, [("/a", "new"), ("/b/1", "new")]);
    let opened = open(&content, &keys(&[NEW]), &binding("test")).unwrap();
    assert_eq!(opened.to_json(), json!({"a": "x", "b": [1, 2]}));
    assert!(open(&content, &both, &binding("prod")).is_err());
    assert!(text.contains("} # c\n"));
}

#[test]
fn what_an_alias_names_is_sealed_once_and_opens_everywhere() {
    let text = "a: &a\n  p: secret\nb: *a\nc:\n  <<: *a\n  q: 1\n";
    for pointer in ["/a/p", "/b/p", "/c/p"] {
        let content = sealed(Format::Yaml, text, &[pointer]);
        assert!(!content.text().unwrap().contains("secret"));
        let found = find(&content).unwrap();
        assert_eq!(
            found
                .iter()
                .map(|value| value.pointer.as_str())
                .collect::<Vec<_>>(),
            ["/a/p"]
        );
        let opened = open(&content, &keys(&[OLD]), &binding("prod")).unwrap();
        assert_eq!(opened.to_json()["c"], json!({"p": "secret", "q": 1}));
        assert_eq!(opened.to_json()["b"], json!({"p": "secret"}));
    }
}

#[test]
fn a_place_that_cannot_take_it_is_told() {
    let content = parse(Format::Toml, b"x = 1\n[db]\npassword = 1\n[db.more]\ny = 2").unwrap();
    let error = seal(
        &content,
        &["/x", "/db"],
        &keys(&[OLD]),
        &binding("prod"),
        &mut nonces(),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("line 2, column 1: the value at \"/db\" cannot be replaced"),
        "{error}"
    );
    let text = parse(Format::Text, b"x").unwrap();
    let error = seal(
        &text,
        &["/a"],
        &keys(&[OLD]),
        &binding("prod"),
        &mut nonces(),
    )
    .unwrap_err();
    assert_eq!(error, SealError::NoValues);
    assert_eq!(mask(&text).unwrap(), "x");
    assert_eq!(find(&text).unwrap(), []);
}

/// Behind an anchor the sealed value was read, and its mask became part of the anchor's name.
#[test]
fn what_was_not_written_is_sealed_where_it_would_stand() {
    let content = sealed(Format::Yaml, "a: &x\nb: 1\n", &["/a"]);
    assert_eq!(mask(&content).unwrap(), "a: &x \"******\"\nb: 1\n");
}

/// It was sealed, and then nobody without the keys could read the file: a YAML file that is one text is none.
#[test]
fn all_of_a_yaml_file_is_no_value_to_seal() {
    let all = |format, text: &str| {
        let content = parse(format, text.as_bytes()).unwrap();
        seal(
            &content,
            &[""],
            &keys(&[OLD]),
            &binding("prod"),
            &mut nonces(),
        )
    };
    let error = all(Format::Yaml, "a: 1\n").unwrap_err();
    assert!(matches!(error, SealError::InPlace { .. }), "{error}");
    let sealed = all(Format::Json, "{\"a\": 1}").unwrap();
    let sealed = parse(Format::Json, sealed.as_bytes()).unwrap();
    assert_eq!(mask(&sealed).unwrap(), "\"******\"");
}

#[test]
fn a_key_file_is_read_and_no_key_is_ever_shown() {
    let ring = keys(&["# keys", "", NEW, OLD]);
    assert_eq!(ring.current(), "new");
    assert_eq!(format!("{ring:?}"), r#"KeyRing(["new", "old"])"#);
    let token = ring.seal(b"plain", b"context", [7; 24]).unwrap();
    let secret = ring.open(&token, b"context").unwrap();
    assert_eq!(
        (secret.expose(), format!("{secret:?}").as_str()),
        (b"plain".as_slice(), "Secret(..)")
    );
    assert!(ring.open(&token, b"contex").is_err());
    for (text, expect) in [
        ("", KeyFileError::Empty),
        ("# a\nkey", KeyFileError::Line(2)),
        ("a: AAAA", KeyFileError::Line(1)),
        (
            "a b: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            KeyFileError::Line(1),
        ),
        (&format!("{OLD}\n{OLD}"), KeyFileError::Twice(2)),
    ] {
        assert_eq!(KeyRing::parse(text).unwrap_err(), expect, "{text}");
    }
}

fn leaves(tree: &Node) -> Vec<String> {
    let mut leaves = Vec::new();
    tree.walk(&mut |pointer, node| {
        if node.value.is_leaf() && !pointer.is_empty() {
            leaves.push(pointer.to_owned());
        }
        true
    });
    leaves
}

/// Seals some values of a tree, and sees that they open to what they were and that no text of them is left.
fn round(format: Format, tree: &Node, choice: &[bool]) {
    let text = render(format, tree).unwrap();
    let content = parse(format, text.as_bytes()).unwrap();
    let all = leaves(tree);
    let chosen = all
        .iter()
        .zip(choice.iter().cycle())
        .filter(|(_, chosen)| **chosen);
    let mut chosen: Vec<&str> = chosen.map(|(pointer, _)| pointer.as_str()).collect();
    // A TOML table is written as a header, which no value can replace.
    chosen.retain(|pointer| {
        format != Format::Toml || !matches!(tree.get(pointer).unwrap().value, Value::Object(_))
    });
    if find(&content).is_err() {
        return;
    }
    let mut count = 0_u64;
    let mut nonces = || {
        count += 1;
        let mut nonce = [0; 24];
        nonce[..8].copy_from_slice(&count.to_le_bytes());
        nonce
    };
    let written = seal(
        &content,
        &chosen,
        &keys(&[OLD]),
        &binding("prod"),
        &mut nonces,
    )
    .unwrap();
    let written = parse(format, written.as_bytes()).unwrap();
    assert_eq!(find(&written).unwrap().len(), chosen.len(), "{text}");
    let opened = open(&written, &keys(&[OLD]), &binding("prod")).unwrap();
    assert_eq!(&opened, tree, "{format}: {text}");
    let again = open_text(&written, &keys(&[OLD]), &binding("prod")).unwrap();
    assert_eq!(parse(format, again.as_bytes()).unwrap().root(), Some(tree));
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_to_what_it_was(
        tree in trees::objects(true),
        plain in trees::objects(false),
        flat in trees::flat(),
        choice in prop::collection::vec(any::<bool>(), 1..12),
    ) {
        round(Format::Json, &tree, &choice);
        round(Format::Yaml, &tree, &choice);
        round(Format::Toml, &plain, &choice);
        round(Format::Properties, &flat, &choice);
    }
}
