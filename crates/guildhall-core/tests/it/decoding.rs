//! No text makes decoding panic, and what was decoded reads back.

use guildhall_core::document::{Body, Document, Kind, Namespace};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Words of the documents, so that random JSON gets past the first field.
const WORDS: [&str; 40] = [
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "status",
    "name",
    "namespace",
    "labels",
    "revision",
    "createdAt",
    "service",
    "host",
    "port",
    "ports",
    "protocol",
    "version",
    "zone",
    "tags",
    "weight",
    "scrape",
    "checks",
    "type",
    "ttl",
    "interval",
    "path",
    "headers",
    "expectedStatus",
    "deregisterAfter",
    "initialStatus",
    "protectionThreshold",
    "contractPolicy",
    "api",
    "endpoints",
    "contract",
    "format",
    "document",
    "dependencies",
    "optional",
    "health",
    "breaking",
];

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..70_000u32).prop_map(Value::from),
        prop::sample::select(vec![
            "a",
            "users",
            "10s",
            "5",
            "http",
            "ttl",
            "Instance",
            "200-299",
            "2026-01-31T08:00:00Z",
            "default",
            "a/b",
            "passing",
            "Refuse",
            "openapi",
            "\u{0}",
            "é",
        ])
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
}

fn jsons() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(5, 48, 6, |inner| {
        let key = prop_oneof![8 => prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned), 1 => ".{0,6}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn decode(kind: Kind, text: &str) {
    if let Ok(body) = Body::parse(text) {
        for name in [None, Some("users"), Some("users/1"), Some("")] {
            let Ok(again) = Body::parse(text) else {
                unreachable!()
            };
            let _ = again.into_document(kind, Some(&Namespace::default()), name);
        }
        if let Ok(document) = body.into_document(kind, None, Some("users/1")) {
            read_back(&document);
        }
    }
    let _ = Document::from_stored(kind, 1, text.as_bytes());
    if let Ok(document) = Document::from_api(kind, text) {
        let _ = document.key();
        let _ = document.with_stored_status(Some(text.as_bytes()));
    }
}

fn read_back(document: &Document) {
    let stored = document.to_stored().unwrap();
    let again = Document::from_stored(document.kind(), 0, &stored).unwrap();
    assert!(again.same_intent(document), "{document:?} became {again:?}");
    let served = serde_json::to_string(document).unwrap();
    assert!(
        Document::from_api(document.kind(), &served)
            .unwrap()
            .same_intent(document)
    );
}

proptest! {
    #[test]
    fn any_json_is_decoded_or_refused(json in jsons(), kind in prop::sample::select(Kind::ALL.to_vec())) {
        decode(kind, &json.to_string());
        decode(kind, &json!({"spec": json}).to_string());
        decode(kind, &json!({"spec": {}, "metadata": json, "status": json}).to_string());
        let instance = json!({"host": "h", "port": 1, "checks": [json], "metadata": {"a": "b"}});
        decode(Kind::Instance, &json!({"spec": instance}).to_string());
    }

    #[test]
    fn any_text_is_decoded_or_refused(text in ".{0,64}", kind in prop::sample::select(Kind::ALL.to_vec())) {
        decode(kind, &text);
    }
}

#[test]
fn the_documents_of_the_registry_read_back() {
    let checks = json!([
        {"type": "http", "path": "/h", "headers": {"a": "b"}, "expectedStatus": [200, "300-302"], "expectedBody": "ok"},
        {"type": "grpc", "service": "s"},
        {"type": "ttl", "ttl": "10s", "deregisterAfter": "1m", "initialStatus": "passing"},
    ]);
    for (kind, name, spec) in [
        (
            Kind::Service,
            "users",
            json!({"protectionThreshold": 0.3, "checks": checks, "contractPolicy": "Refuse"}),
        ),
        (
            Kind::ServiceVersion,
            "users/1.0",
            json!({"dependencies": ["a", {"service": "b", "type": "asynchronous"}]}),
        ),
        (
            Kind::Instance,
            "users/u:1",
            json!({"host": "::1", "port": 80, "metadata": {"k": "v"}, "checks": checks}),
        ),
        (Kind::Lock, "leader", json!({"ttl": "30s"})),
    ] {
        let body = Body::parse(&json!({"spec": spec}).to_string()).unwrap();
        read_back(
            &body
                .into_document(kind, Some(&Namespace::default()), Some(name))
                .unwrap(),
        );
    }
}

#[test]
fn what_an_instance_may_not_say_is_pointed_at() {
    let problems = |spec: Value| {
        let body = Body::parse(&json!({"spec": spec}).to_string()).unwrap();
        let document = body.into_document(Kind::Instance, None, Some("users/u1"));
        document
            .unwrap_err()
            .0
            .into_iter()
            .map(|problem| problem.pointer)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let with = |field: &str, value: Value| json!({"host": "h", "port": 1, field: value});
    for (spec, expect) in [
        (json!({"host": "a b", "port": 1}), "/spec/host"),
        (json!({"host": "h"}), "/spec/ports"),
        (json!({"host": "h", "port": 0}), "/spec/ports/0/port"),
        (with("zone", json!("")), "/spec/zone"),
        (
            with("scrape", json!({"port": 0, "path": "m", "scheme": "ftp"})),
            "/spec/scrape/port /spec/scrape/path /spec/scrape/scheme",
        ),
        (
            with("checks", json!([{"type": "tcp"}, {"type": "tcp"}])),
            "/spec/checks/1/name",
        ),
        (
            with("checks", json!([{"type": "tcp", "port": 0, "rise": 0}])),
            "/spec/checks/0/rise /spec/checks/0/port",
        ),
        (
            with("checks", json!([{"headers": {"a b": "c", "d": "e\r\nf"}}])),
            "/spec/checks/0/headers/a b /spec/checks/0/headers/d",
        ),
        (
            with(
                "checks",
                json!([{"tlsServerName": "a b"}, {"type": "grpc", "tlsServerName": ""}]),
            ),
            "/spec/checks/0/tlsServerName /spec/checks/1/tlsServerName",
        ),
        (
            with("checks", json!([{"path": "h"}])),
            "/spec/checks/0/path",
        ),
    ] {
        assert_eq!(problems(spec), expect);
    }
}

#[test]
fn a_wrong_status_says_what_would_be_right() {
    let spec = json!({"host": "h", "port": 1, "checks": [{"expectedStatus": [true]}]});
    let body = Body::parse(&json!({"spec": spec}).to_string()).unwrap();
    let problems = body
        .into_document(Kind::Instance, None, Some("users/u1"))
        .unwrap_err();
    assert!(
        problems.to_string().contains("an HTTP status such as 200"),
        "{problems}"
    );
}

/// How long decoding takes, for whoever changes it: `cargo test --profile bench -p guildhall-core
/// --test it -- --ignored --nocapture decoding_costs`.
#[test]
#[ignore = "a measurement"]
fn decoding_costs() {
    let spec = json!({
        "host": "10.0.3.7", "port": 3001, "version": "1.4.2", "zone": "eu-west-1a", "region": "eu-west-1",
        "tags": ["web", "blue"], "metadata": {"commit": "0a1b2c3d", "team": "shop"},
        "checks": [{"type": "http", "path": "/health", "interval": "10s"}],
    });
    let sent = json!({"kind": "Instance", "metadata": {"name": "u1"}, "spec": spec}).to_string();
    let decode = |text: &str| {
        let body = Body::parse(text).unwrap();
        body.into_document(
            Kind::Instance,
            Some(&Namespace::default()),
            Some("users/u1"),
        )
        .unwrap()
    };
    let document = decode(&sent);
    let stored = document.to_stored().unwrap();
    let mut newer: Value = serde_json::from_slice(&stored).unwrap();
    newer["spec"]["dialect"] = json!("x");
    let newer = newer.to_string();
    let time = |what: &str, run: &dyn Fn()| {
        const ROUNDS: u32 = 100_000;
        (0..ROUNDS / 10).for_each(|_| run());
        let best = (0..7).map(|_| {
            let started = std::time::Instant::now();
            (0..ROUNDS).for_each(|_| run());
            started.elapsed() / ROUNDS
        });
        eprintln!("{what}: {:?}", best.min().unwrap());
    };
    let read = |bytes: &[u8]| drop(Document::from_stored(Kind::Instance, 1, bytes));
    time("a body, strictly", &|| {
        drop(std::hint::black_box(decode(&sent)))
    });
    time("what is stored", &|| read(&stored));
    time("the same with a field of a newer version", &|| {
        read(newer.as_bytes())
    });
}
