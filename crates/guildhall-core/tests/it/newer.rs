//! One version meets the next: what a newer one wrote is read, what a client writes is not let
//! through unread.

use guildhall_core::document::{Body, Document, Kind, Namespace};
use guildhall_core::registry::{Probe, Protocol};
use serde_json::{Value, json};

/// A document of each kind as the API writes it, with something at every level that its type has.
fn documents() -> Vec<(Kind, Value)> {
    let checks = json!([
        {"type": "http", "path": "/h", "headers": {"a": "b"}, "expectedStatus": [200, "300-302"]},
        {"name": "alive", "type": "ttl", "ttl": "10s", "initialStatus": "passing"},
    ]);
    let time = "2026-01-31T08:00:00Z";
    let reference = json!({"name": "web", "kind": "Gateway"});
    let backend = json!({"name": "users", "port": 80, "filters": [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}]}}
    ]});
    let rule = json!({
        "matches": [{
            "path": {"type": "Exact", "value": "/a"},
            "headers": [{"name": "a", "value": "b"}],
            "queryParams": [{"name": "a", "value": "b"}],
        }],
        "filters": [
            {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/b"}}},
            {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 80}, "percent": 5}},
        ],
        "backendRefs": [backend],
        "timeouts": {"request": "1s"},
        "retry": {"codes": [503]},
        "sessionPersistence": {"type": "Cookie", "cookie": {"name": "c"}},
    });
    let listener = json!({
        "name": "web", "port": 443, "protocol": "HTTPS",
        "tls": {"certificateRefs": [{"name": "c"}]},
        "allowedRoutes": {"namespaces": {"from": "All"}, "kinds": [{"kind": "HTTPRoute"}]},
    });
    let specs = [
        (
            Kind::Service,
            json!({"links": [{"title": "t", "url": "u"}], "checks": checks, "contractPolicy": "Refuse"}),
            Value::Null,
        ),
        (
            Kind::ServiceVersion,
            json!({
                "api": {"endpoints": [{"path": "/a", "method": "GET"}]},
                "contract": {"format": "openapi", "document": {"openapi": "3.1.0"}},
                "dependencies": ["a", {"service": "b", "type": "asynchronous"}],
            }),
            json!({"breaking": [{"kind": "operationRemoved", "at": "GET /a", "detail": "gone"}]}),
        ),
        (
            Kind::Instance,
            json!({
                "service": "users", "host": "h", "ports": [{"name": "web", "port": 80}, {"port": 81}],
                "weight": 1, "metadata": {"k": "v"}, "scrape": {"path": "/m"}, "checks": checks,
            }),
            json!({
                "health": "maintenance", "since": time, "maintenance": {"mode": "maintenance"},
                "checks": [{"name": "http", "state": "passing", "since": time}],
            }),
        ),
        (
            Kind::Lock,
            json!({"ttl": "30s"}),
            json!({"holder": {"owner": "o", "token": 1, "acquiredAt": time, "ttl": "30s"}}),
        ),
        (
            Kind::Gateway,
            json!({"gatewayClassName": "guildhall", "listeners": [listener], "infrastructure": {"labels": {"a": "b"}}}),
            json!({"conditions": []}),
        ),
        (
            Kind::HttpRoute,
            json!({"parentRefs": [reference], "rules": [rule]}),
            json!({"parents": []}),
        ),
    ];
    let served = |(kind, spec, status): (Kind, Value, Value)| {
        let metadata =
            json!({"name": "u1", "namespace": "default", "revision": 7, "labels": {"a": "b"}});
        let mut document = json!({"kind": kind, "metadata": metadata, "spec": spec});
        if !status.is_null() {
            document["status"] = status;
        }
        (kind, document)
    };
    specs.into_iter().map(served).collect()
}

/// The places of all objects that are structs: not those whose keys are the user's. (What a route
/// matches is a list of that name.)
fn structs(value: &Value, at: &str, found: &mut Vec<String>) {
    let free = [
        "/labels",
        "/spec/metadata",
        "/headers",
        "/contract/document",
    ];
    match value {
        Value::Object(fields) if !free.iter().any(|end| at.ends_with(end)) => {
            found.push(at.to_owned());
            for (key, value) in fields {
                structs(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                structs(item, &format!("{at}/{n}"), found);
            }
        }
        _ => {}
    }
}

fn places(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    structs(document, "", &mut found);
    found
}

fn read(kind: Kind, json: &Value) -> Result<Document, serde_json::Error> {
    Document::from_api(kind, &json.to_string())
}

#[test]
fn fields_of_a_newer_version_are_passed_over_at_every_level() {
    for (kind, json) in documents() {
        let known = read(kind, &json).unwrap();
        let mut all = json.clone();
        for place in places(&json) {
            let mut newer = json.clone();
            for document in [&mut newer, &mut all] {
                document.pointer_mut(&place).unwrap()["nextField"] = json!({"deep": [1]});
            }
            let read = read(kind, &newer).unwrap_or_else(|error| panic!("{kind} {place}: {error}"));
            assert_eq!(read, known, "{kind} {place}");
        }
        assert_eq!(read(kind, &all).unwrap(), known, "{kind} everywhere");
        let mut stored = all;
        stored.as_object_mut().unwrap().remove("kind");
        let stored = Document::from_stored(kind, 7, stored.to_string().as_bytes()).unwrap();
        assert!(stored.same_intent(&known), "{kind}");
    }
}

#[test]
fn the_same_fields_are_refused_where_a_client_writes_them() {
    for (kind, json) in documents() {
        for place in places(&json) {
            // The status is the platform's; it is dropped whole.
            if place.starts_with("/status") {
                continue;
            }
            let mut newer = json.clone();
            newer.pointer_mut(&place).unwrap()["nextField"] = json!({"deep": [1]});
            let body = Body::parse(&newer.to_string());
            let refused = body.and_then(|body| body.into_document(kind, None, None));
            let problems = refused.unwrap_err();
            assert_eq!(
                problems.0[0].pointer,
                format!("{place}/nextField"),
                "{kind}"
            );
            assert!(
                problems.0[0]
                    .detail
                    .starts_with("unknown field \"nextField\""),
                "{problems}"
            );
        }
    }
    let misspelt = json!({"spec": {"host": "h", "port": 1, "checks": [{"intervall": "1s"}]}});
    let body = Body::parse(&misspelt.to_string()).unwrap();
    let problems = body
        .into_document(Kind::Instance, Some(&Namespace::default()), Some("a/b"))
        .unwrap_err();
    assert_eq!(
        problems.to_string(),
        r#"/spec/checks/0/intervall: unknown field "intervall"; did you mean "interval"?"#
    );
}

/// The document of `kind`, read with `word` at `place`.
fn with_word(kind: Kind, place: &str) -> Result<Document, serde_json::Error> {
    let (_, mut json) = documents().into_iter().find(|(k, _)| *k == kind).unwrap();
    *json.pointer_mut(place).unwrap() = json!("next");
    read(kind, &json)
}

#[test]
fn words_of_a_newer_version_cost_what_they_concern() {
    let instance = |place: &str| match with_word(Kind::Instance, place).unwrap() {
        Document::Instance(object) => object,
        other => panic!("{other:?}"),
    };
    let read = instance("/spec/checks/0/type");
    assert!(
        matches!(read.spec.checks[..], [ref check] if matches!(check.probe, Probe::Ttl { .. }))
    );
    assert_eq!(
        instance("/spec/checks/1/initialStatus").spec.checks.len(),
        2
    );
    let status = instance("/status/checks/0/state").status.clone().unwrap();
    assert!(status.checks.is_empty() && status.maintenance.is_some());
    let status = instance("/status/maintenance/mode").status.clone().unwrap();
    assert!(status.maintenance.is_some());
    assert!(
        instance("/status/health").status.is_none(),
        "health is unknown"
    );

    let version = |place: &str| match with_word(Kind::ServiceVersion, place).unwrap() {
        Document::ServiceVersion(object) => object,
        other => panic!("{other:?}"),
    };
    assert!(version("/spec/contract/format").spec.contract.is_none());
    assert_eq!(
        version("/spec/dependencies/1/type").spec.dependencies.len(),
        2
    );
    assert!(
        version("/status/breaking/0/kind")
            .status
            .clone()
            .unwrap()
            .breaking
            .is_empty()
    );
    assert!(with_word(Kind::Service, "/spec/checks/0/type").is_ok());
    assert!(with_word(Kind::Service, "/spec/contractPolicy").is_ok());
}

#[test]
fn a_protocol_of_a_newer_version_is_some_protocol_over_tcp() {
    for ports in [
        json!({"port": 80, "protocol": "next"}),
        json!({"ports": [{"port": 80, "protocol": "next"}, {"port": 81, "protocol": "http"}]}),
    ] {
        let mut spec = json!({"service": "users", "host": "h"});
        spec.as_object_mut()
            .unwrap()
            .append(&mut ports.as_object().unwrap().clone());
        let document = read(
            Kind::Instance,
            &json!({"metadata": {"name": "u1"}, "spec": spec}),
        );
        let Document::Instance(object) = document.unwrap() else {
            panic!("no instance")
        };
        let port = object.spec.default_port().unwrap();
        assert_eq!((port.port, port.protocol), (80, Protocol::Tcp));
    }
}

#[test]
fn half_a_route_is_not_read() {
    for place in [
        "/spec/rules/0/filters/0/type",
        "/spec/rules/0/matches/0/path/type",
    ] {
        let error = with_word(Kind::HttpRoute, place).unwrap_err();
        assert!(
            error.to_string().starts_with("unknown variant `next`"),
            "{error}"
        );
    }
}
