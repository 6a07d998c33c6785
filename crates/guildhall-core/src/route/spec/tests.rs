//! Tests of the documents: what decodes, what is refused and where the refusal points.

use serde_json::{Value, json};

use crate::document::{Body, Document, Kind};

fn parse(kind: Kind, spec: &Value) -> Result<Document, String> {
    let json = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind.word(),
        "metadata": {"name": "r"},
        "spec": spec,
    });
    Body::parse(&json.to_string())
        .and_then(|body| body.into_document(kind, None, None))
        .map_err(|problems| problems.to_string())
}

/// Refuses `spec` and points at `pointer`.
fn refuse(spec: Value, pointer: &str) {
    match parse(Kind::HttpRoute, &spec) {
        Ok(_) => panic!("accepted: {spec}"),
        Err(problems) => assert!(problems.starts_with(&format!("{pointer}:")), "{problems}"),
    }
}

fn rule(rule: Value) -> Value {
    json!({"rules": [rule]})
}

#[test]
fn the_whole_shape_decodes_and_reads_back() {
    let spec = json!({
        "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "infra", "name": "edge", "sectionName": "http", "port": 80}],
        "useDefaultGateways": "All",
        "hostnames": ["shop.example.com", "*.example.com"],
        "rules": [{
            "name": "orders",
            "matches": [{
                "path": {"type": "PathPrefix", "value": "/orders"},
                "headers": [{"type": "Exact", "name": "X-Version", "value": "2"}],
                "queryParams": [{"type": "RegularExpression", "name": "q", "value": "[0-9]+"}],
                "method": "GET",
            }],
            "filters": [
                {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}], "add": [{"name": "c", "value": "d"}], "remove": ["e"]}},
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["server"]}},
                {"type": "URLRewrite", "urlRewrite": {"hostname": "x.example.com", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2"}}},
                {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 80}, "fraction": {"numerator": 1, "denominator": 1000}}},
                {"type": "CORS", "cors": {"allowOrigins": ["https://*.example.com"], "allowCredentials": true, "allowMethods": ["GET", "*"], "maxAge": 60}},
                {"type": "ExternalAuth", "externalAuth": {"protocol": "HTTP", "backendRef": {"name": "auth"}, "http": {"path": "/check", "allowedHeaders": ["authorization"]}, "forwardBody": {"maxSize": 1024}}},
                {"type": "Fault", "fault": {"delay": {"fixedDelay": "2s", "percentage": 0.5}, "abort": {"httpStatus": 503}, "header": {"name": "x-chaos", "value": "on"}}},
                {"type": "ExtensionRef", "extensionRef": {"group": "x.io", "kind": "Thing", "name": "t"}},
            ],
            "backendRefs": [{"group": "", "kind": "Service", "name": "orders", "port": 80, "weight": 9, "filters": []}, {"name": "orders-next", "portName": "admin"}],
            "timeouts": {"request": "10s", "backendRequest": "2s"},
            "retry": {"codes": [503], "attempts": 2, "backoff": "100ms"},
            "sessionPersistence": {"absoluteTimeout": "1h", "type": "Cookie", "cookie": {"name": "sid", "lifetimeType": "Permanent"}},
        }],
    });
    let read = parse(Kind::HttpRoute, &spec).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(parse(Kind::HttpRoute, &written["spec"]).unwrap(), read);
    assert_eq!(
        written["spec"]["rules"][0]["filters"],
        spec["rules"][0]["filters"]
    );
}

#[test]
fn an_unknown_field_is_pointed_at() {
    refuse(
        rule(json!({"backendRefs": [{"name": "a", "wieght": 1}]})),
        "/spec/rules/0/backendRefs/0/wieght",
    );
    refuse(json!({"hostname": ["a.com"]}), "/spec/hostname");
}

#[test]
fn what_makes_no_sense_is_refused_where_it_stands() {
    let path = |kind: &str, value: &str| {
        rule(json!({"matches": [{"path": {"type": kind, "value": value}}]}))
    };
    for bad in ["a", "/a//b", "/a/../b", "/a/.", "/a%2fb", "/a?b", "/a b"] {
        refuse(
            path("PathPrefix", bad),
            "/spec/rules/0/matches/0/path/value",
        );
        refuse(path("Exact", bad), "/spec/rules/0/matches/0/path/value");
    }
    refuse(
        path("RegularExpression", "/("),
        "/spec/rules/0/matches/0/path/value",
    );
    refuse(json!({"hostnames": ["A.com"]}), "/spec/hostnames/0");
    refuse(
        json!({"hostnames": ["a.com", "10.0.0.1"]}),
        "/spec/hostnames/1",
    );
    refuse(json!({"hostnames": ["a.*.com"]}), "/spec/hostnames/0");
    refuse(
        rule(json!({"backendRefs": [{"name": ""}]})),
        "/spec/rules/0/backendRefs/0/name",
    );
    refuse(
        rule(json!({"backendRefs": [{"name": "a", "port": 0}]})),
        "/spec/rules/0/backendRefs/0/port",
    );
    refuse(
        rule(json!({"backendRefs": [{"name": "a", "weight": 1_000_001}]})),
        "/spec/rules/0/backendRefs/0/weight",
    );
    refuse(
        rule(json!({"backendRefs": [{"name": "a", "port": 1, "portName": "x"}]})),
        "/spec/rules/0/backendRefs/0/portName",
    );
    refuse(
        rule(json!({"timeouts": {"request": "1s", "backendRequest": "2s"}})),
        "/spec/rules/0/timeouts/backendRequest",
    );
    refuse(
        rule(json!({"retry": {"codes": [200]}})),
        "/spec/rules/0/retry/codes/0",
    );
    refuse(
        rule(json!({"retry": {"attempts": 100}})),
        "/spec/rules/0/retry/attempts",
    );
    refuse(
        rule(json!({"retry": {"backoff": "2h"}})),
        "/spec/rules/0/retry/backoff",
    );
    refuse(
        json!({"rules": [{"name": "a"}, {"name": "a"}]}),
        "/spec/rules/1/name",
    );
}

#[test]
fn filters_are_refused_where_they_contradict() {
    let redirect = json!({"type": "RequestRedirect", "requestRedirect": {"statusCode": 301}});
    let rewrite = |path: Value| json!({"type": "URLRewrite", "urlRewrite": {"path": path}});
    let full = rewrite(json!({"type": "ReplaceFullPath", "replaceFullPath": "/x"}));
    refuse(
        rule(json!({"filters": [redirect, full]})),
        "/spec/rules/0/filters",
    );
    refuse(
        rule(json!({"filters": [redirect, redirect]})),
        "/spec/rules/0/filters/1/type",
    );
    refuse(
        rule(json!({"filters": [redirect], "backendRefs": [{"name": "a"}]})),
        "/spec/rules/0/backendRefs",
    );
    let prefix = rewrite(json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}));
    let exact = json!([{"path": {"type": "Exact", "value": "/a"}}]);
    refuse(
        rule(json!({"filters": [prefix], "matches": exact})),
        "/spec/rules/0/filters/0",
    );
    refuse(
        rule(json!({"filters": [{"type": "URLRewrite"}]})),
        "/spec/rules/0/filters/0",
    );
    refuse(
        rule(json!({"filters": [{"type": "CORS", "urlRewrite": {}}]})),
        "/spec/rules/0/filters/0",
    );
    let header = |name: &str, value: &str| {
        let set = json!({"set": [{"name": name, "value": value}]});
        rule(json!({"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": set}]}))
    };
    let at = "/spec/rules/0/filters/0/requestHeaderModifier/set/0";
    refuse(header("a b", "x"), &format!("{at}/name"));
    refuse(
        header("Transfer-Encoding", "chunked"),
        &format!("{at}/name"),
    );
    refuse(header("a", "x\r\ny: z"), &format!("{at}/value"));
}

#[test]
fn a_gateway_decodes_and_its_listeners_are_checked() {
    let listeners = json!([
        {"name": "http", "port": 80, "protocol": "HTTP", "hostname": "*.example.com", "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}}, "kinds": [{"kind": "HTTPRoute"}]}},
        {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"mode": "Terminate", "certificateRefs": [{"name": "cert"}]}},
    ]);
    let spec = json!({
        "gatewayClassName": "any",
        "listeners": listeners,
        "addresses": [{"type": "IPAddress", "value": "10.0.0.1"}],
        "infrastructure": {"labels": {"a": "b"}, "parametersRef": {"group": "g", "kind": "k", "name": "n"}},
        "allowedListeners": {"namespaces": {"from": "All"}},
        "tls": {"backend": {"clientCertificateRef": {"name": "c"}}, "frontend": {"default": {"validation": {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}], "mode": "AllowValidOnly"}}, "perPort": [{"port": 8443, "tls": {}}]}},
        "defaultScope": "All",
    });
    let read = parse(Kind::Gateway, &spec).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(parse(Kind::Gateway, &written["spec"]).unwrap(), read);
    let twice = json!({"listeners": [listeners[0], listeners[0]]});
    let problems = parse(Kind::Gateway, &twice).unwrap_err();
    assert!(
        problems.contains("/spec/listeners/1/name: two listeners have this name"),
        "{problems}"
    );
}

#[test]
fn a_filters_type_is_one_of_those_there_are() {
    for word in ["Missing", "Next"] {
        let json = serde_json::json!({"spec": {"rules": [{"filters": [{"type": word}]}]}});
        let body = Body::parse(&json.to_string()).unwrap();
        let problems = body
            .into_document(Kind::HttpRoute, None, Some("r"))
            .unwrap_err();
        let expect = format!("unknown value {word:?}; known are: RequestHeaderModifier, ");
        assert!(problems.0[0].detail.starts_with(&expect), "{problems}");
    }
}

#[test]
fn a_fault_that_makes_no_sense_is_refused_where_it_stands() {
    let fault = |fault: Value| rule(json!({"filters": [{"type": "Fault", "fault": fault}]}));
    let at = |field: &str| format!("/spec/rules/0/filters/0/fault{field}");
    let abort = json!({"httpStatus": 503});
    for (spec, field) in [
        (json!({}), ""),
        (json!({"delay": {"fixedDelay": "2h"}}), "/delay/fixedDelay"),
        (json!({"abort": {"httpStatus": 200}}), "/abort/httpStatus"),
        (
            json!({"abort": {"httpStatus": 503, "percentage": 101}}),
            "/abort/percentage",
        ),
        (
            json!({"abort": abort, "header": {"name": "a b"}}),
            "/header/name",
        ),
        (
            json!({"abort": abort, "header": {"name": "a", "value": "\n"}}),
            "/header/value",
        ),
    ] {
        refuse(fault(spec), &at(field));
    }
    let redirect = json!({"type": "RequestRedirect", "requestRedirect": {"hostname": "a.com"}});
    let both = json!({"filters": [redirect, {"type": "Fault", "fault": {"abort": abort}}]});
    refuse(rule(both), "/spec/rules/0/filters");
}
