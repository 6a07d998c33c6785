//! Holds the schemas to the documents' types: a document that uses every field has no field that its schema lacks.

use guildhall_core::document::{Body, Document, Kind, Namespace};
use serde_json::Value;

/// One document of each kind, with every field there is (Gateway API's specs apart, whose fields are Kubernetes').
const DOCUMENTS: [(Kind, &str, &str); 9] = [
    (
        Kind::Service,
        "a",
        r#"{"displayName": "A", "description": "d", "owner": "o", "tags": ["t"], "metadata": {"k": "v"},
            "links": [{"title": "t", "url": "u"}], "protectionThreshold": 0.5, "contractPolicy": "Refuse",
            "checks": [{"type": "tcp", "port": 1, "interval": "1s", "timeout": "1s", "rise": 2, "fall": 2}]}"#,
    ),
    (
        Kind::ServiceVersion,
        "a/1",
        r#"{"api": {"endpoints": [{"path": "/", "method": "GET", "description": "d"}]},
            "contract": {"format": "openapi", "document": {"openapi": "3.1.0"}},
            "dependencies": ["b", {"service": "c", "type": "asynchronous", "optional": true, "version": "1"}]}"#,
    ),
    (
        Kind::Instance,
        "a/i",
        r#"{"service": "a", "host": "h", "ports": [{"name": "n", "port": 1, "protocol": "h2c"}], "version": "1",
            "zone": "z", "region": "r", "tags": ["t"], "weight": 2, "metadata": {"k": "v"},
            "scrape": {"port": 1, "path": "/m", "scheme": "https"},
            "checks": [
                {"name": "h", "type": "http", "port": 1, "path": "/h", "headers": {"k": "v"}, "interval": "1s",
                 "timeout": "1s", "expectedStatus": [200, "300-302"], "expectedBody": "ok", "rise": 2, "fall": 2,
                 "initialStatus": "passing", "deregisterAfter": "1m"},
                {"type": "grpc", "service": "s", "tlsSkipVerify": true, "tlsServerName": "n"}, {"type": "ttl", "ttl": "5s"}]}"#,
    ),
    (Kind::Lock, "l", r#"{"description": "d", "ttl": "5s"}"#),
    (
        Kind::Gateway,
        "g",
        r#"{"gatewayClassName": "guildhall", "listeners": [{"name": "l", "port": 80, "protocol": "HTTP"}]}"#,
    ),
    (
        Kind::HttpRoute,
        "r",
        r#"{"parentRefs": [{"name": "g"}], "hostnames": ["a.test"], "rules": [{"backendRefs": [{"name": "a"}]}]}"#,
    ),
    (
        Kind::Policy,
        "p",
        r#"{"targetRefs": [{"group": "guildhall", "kind": "Service", "name": "a"}], "mode": "DryRun",
            "timeouts": {"request": "1s"}, "retry": {"budget": {"percent": 20}, "backOff": {"baseInterval": "1s"}},
            "circuitBreaker": {"force": {"state": "DISABLED", "until": "2026-01-01T00:00:00Z"}},
            "rateLimit": {"rules": [{"name": "n", "requests": 1, "period": "1s", "key": {"type": "SourceIP"}}]},
            "fallback": {"sources": [{"static": {"headers": {"k": "v"}}}]}}"#,
    ),
    (
        Kind::Config,
        "a/prod/app.yaml",
        r#"{"format": "yaml", "content": "a: 1", "size": 4, "approval": {"required": 1},
            "gray": [{"name": "blue", "match": {"labels": {"k": "v"}, "instances": ["i"], "zones": ["z"], "percentage": 50},
                      "overlay": true, "judgement": {"maxFailed": 1}, "content": "a: 2", "size": 4}]}"#,
    ),
    (
        Kind::Config,
        "a/prod/app.bin",
        r#"{"contentHash": "0000000000000000000000000000000000000000000000000000000000000000"}"#,
    ),
];

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"]
        .as_str()
        .and_then(|reference| document.pointer(reference.trim_start_matches('#')))
    {
        Some(target) => resolved(document, target),
        None => schema,
    }
}

/// Every field of `value` that `schema` does not name.
fn lacking(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let schema = resolved(document, schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        let object = choices
            .iter()
            .find(|choice| resolved(document, choice)["type"] == "object");
        if let (Some(object), true) = (object, value.is_object()) {
            lacking(document, object, value, at, found);
        }
        return;
    }
    match value {
        Value::Object(fields) if schema.get("properties").is_some() => {
            for (name, value) in fields {
                let at = format!("{at}/{name}");
                match schema["properties"].get(name) {
                    Some(schema) => lacking(document, schema, value, &at, found),
                    None => found.push(at),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                lacking(document, &schema["items"], item, at, found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_of_a_document_stands_in_its_schema() {
    let openapi = super::document();
    for (kind, name, spec) in DOCUMENTS {
        let json = format!(
            r#"{{"kind": "{kind}", "metadata": {{"labels": {{"k": "v"}}, "annotations": {{"k": "v"}}}}, "spec": {spec}}}"#
        );
        let body = Body::parse(&json).unwrap();
        let document: Document = body
            .into_document(kind, Some(&Namespace::default()), Some(name))
            .unwrap();
        let schema = &openapi["components"]["schemas"][kind.word()];
        assert!(schema.is_object(), "{kind} has no schema");
        let mut found = Vec::new();
        lacking(
            &openapi,
            schema,
            &serde_json::to_value(&document).unwrap(),
            "",
            &mut found,
        );
        lacking(
            &openapi,
            schema,
            &serde_json::from_str(&json).unwrap(),
            "",
            &mut found,
        );
        assert_eq!(found, Vec::<String>::new(), "{kind}");
    }
}
