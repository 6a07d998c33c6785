//! Tests of the table: precedence by example, and against a matcher that knows no tree.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;
use crate::{
    document::{Body, Document, Kind, Metadata, Timestamp},
    route::{
        host,
        spec::{PathMatchType, ValueMatch, ValueMatchType},
    },
};

/// A route as JSON's `spec`, written `age` milliseconds after the epoch.
fn route(name: &str, age: u64, spec: &Value) -> Arc<Object<HttpRoute>> {
    let json = json!({"metadata": {"name": name}, "spec": spec}).to_string();
    match Body::parse(&json).and_then(|body| body.into_document(Kind::HttpRoute, None, None)) {
        Ok(Document::HttpRoute(route)) => Arc::new(Object::new(
            Metadata {
                created_at: Some(Timestamp(age)),
                revision: age,
                ..route.metadata.clone()
            },
            route.spec.clone(),
        )),
        other => panic!("{name}: {other:?}"),
    }
}

/// Routes with one rule each, `r0` the oldest.
fn routes(specs: &[Value]) -> Vec<Arc<Object<HttpRoute>>> {
    specs
        .iter()
        .enumerate()
        .map(|(n, spec)| route(&format!("r{n}"), n as u64 + 1, spec))
        .collect()
}

struct Request {
    method: Method,
    host: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

/// Reads `GET host/path?query name=value …`.
fn request(line: &str) -> Request {
    let mut words = line.split(' ');
    let method = words.next().unwrap().parse().unwrap();
    let target = words.next().unwrap();
    let (host, rest) = target.split_at(target.find('/').unwrap());
    let (path, query) = rest
        .split_once('?')
        .map_or((rest, None), |(path, query)| (path, Some(query.to_owned())));
    let headers = words
        .map(|word| word.split_once('=').unwrap())
        .map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                value.parse::<HeaderValue>().unwrap(),
            )
        })
        .collect();
    Request {
        method,
        host: host.to_owned(),
        path: path.to_owned(),
        query,
        headers,
    }
}

impl Request {
    fn head(&self) -> RequestHead<'_> {
        RequestHead {
            method: &self.method,
            host: &self.host,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
        }
    }
}

/// `expect` lines are `GET host/path … -> route` (or `-> none`), with the rule's place after a dot.
fn check(specs: &[Value], expect: &[&str]) {
    let table = RouteTable::compile(&routes(specs), &Gateways::default());
    for line in expect {
        let (asked, expected) = line.split_once(" -> ").unwrap();
        let request = request(asked);
        let found = table.find(&request.head());
        let found = found.map_or("none".to_owned(), |m| {
            format!("{}.{}", m.rule.route.name, m.rule.index)
        });
        assert_eq!(
            found,
            if expected == "none" {
                expected.to_owned()
            } else {
                full(expected)
            },
            "{line}"
        );
    }
}

fn full(expected: &str) -> String {
    if expected.contains('.') {
        expected.to_owned()
    } else {
        format!("{expected}.0")
    }
}

fn path(kind: &str, value: &str) -> Value {
    json!({"rules": [{"matches": [{"path": {"type": kind, "value": value}}]}]})
}

#[test]
fn a_prefix_goes_by_path_elements() {
    check(
        &[path("PathPrefix", "/a/b")],
        &[
            "GET x/a/b -> r0",
            "GET x/a/b/ -> r0",
            "GET x/a/b/c -> r0",
            "GET x/a/bc -> none",
            "GET x/a -> none",
            "GET x/ -> none",
        ],
    );
    check(
        &[path("PathPrefix", "/a/")],
        &["GET x/a -> r0", "GET x/a/ -> r0", "GET x/ab -> none"],
    );
    check(
        &[path("PathPrefix", "/")],
        &["GET x/ -> r0", "GET x/anything -> r0"],
    );
}

#[test]
fn an_exact_path_is_that_to_the_byte() {
    check(
        &[path("Exact", "/a")],
        &[
            "GET x/a -> r0",
            "GET x/a/ -> none",
            "GET x/A -> none",
            "GET x/a/b -> none",
        ],
    );
}

#[test]
fn exact_beats_expression_beats_the_longest_prefix() {
    let specs = [
        path("PathPrefix", "/"),
        path("PathPrefix", "/a"),
        path("PathPrefix", "/a/b"),
        path("RegularExpression", "/a/x[0-9]+"),
        path("RegularExpression", "/a/.*[0-9]{2}.*"),
        path("Exact", "/a/x1"),
    ];
    check(
        &specs,
        &[
            "GET h/z -> r0",
            "GET h/a/c -> r1",
            "GET h/a/b/c -> r2",
            "GET h/a/x1 -> r5",
            "GET h/a/x2 -> r3",
            // The longer expression wins where both match.
            "GET h/a/x22 -> r4",
            "GET h/a/b/22 -> r4",
        ],
    );
}

#[test]
fn method_headers_and_query_refine_in_this_order() {
    let one = |matches: Value| json!({"rules": [{"matches": [matches]}]});
    let specs = [
        one(json!({})),
        one(json!({"queryParams": [{"name": "q", "value": "1"}, {"name": "p", "value": "1"}]})),
        one(json!({"headers": [{"name": "X-A", "value": "1"}]})),
        one(json!({"headers": [{"name": "x-a", "value": "1"}, {"name": "x-b", "value": "2"}]})),
        one(json!({"method": "POST"})),
    ];
    check(
        &specs,
        &[
            "GET h/ -> r0",
            "GET h/?q=1 -> r0",
            "GET h/?p=1&q=1 -> r1",
            "GET h/?p=1&q=1 x-a=1 -> r2",
            "GET h/ x-a=1 x-b=2 -> r3",
            "GET h/ x-a=2 -> r0",
            "POST h/?p=1&q=1 x-a=1 x-b=2 -> r4",
        ],
    );
}

#[test]
fn ties_go_to_the_older_route_then_to_the_first_rule_and_match() {
    let same = path("PathPrefix", "/a");
    check(&[same.clone(), same.clone()], &["GET h/a -> r0"]);
    let two = json!({"rules": [{"matches": [{}]}, {"matches": [{}]}]});
    check(&[two], &["GET h/ -> r0.0"]);
    let named = [route("b", 1, &same), route("a", 1, &same)];
    let table = RouteTable::compile(&named, &Gateways::default());
    let found = table
        .find(&request("GET h/a").head())
        .map(|m| m.rule.route.name.to_string());
    assert_eq!(found.as_deref(), Some("a"), "equally old routes go by name");
}

#[test]
fn the_narrower_host_is_asked_first_and_passes_on_what_it_has_no_rule_for() {
    let on = |hosts: &[&str], prefix: &str| json!({"hostnames": hosts, "rules": [{"matches": [{"path": {"value": prefix}}]}]});
    let specs = [
        on(&[], "/any"),
        on(&["*.com"], "/"),
        on(&["*.shop.com"], "/"),
        on(&["a.shop.com"], "/exact"),
    ];
    check(
        &specs,
        &[
            "GET a.shop.com/exact -> r3",
            "GET a.shop.com/other -> r2",
            "GET b.a.shop.com/exact -> r2",
            "GET shop.com/any -> r1",
            "GET com/any -> r0",
            "GET example.org/any -> r0",
            "GET example.org/ -> none",
        ],
    );
}

#[test]
fn values_are_compared_whole_and_decoded() {
    let query = |kind: &str, value: &str| json!({"rules": [{"matches": [{"queryParams": [{"type": kind, "name": "a b", "value": value}]}]}]});
    check(
        &[query("Exact", "x y")],
        &[
            "GET h/?a%20b=x+y -> r0",
            "GET h/?a+b=x%20y -> r0",
            "GET h/?a+b=x -> none",
            "GET h/?a+b=x&a+b=x+y -> none",
            "GET h/?a -> none",
            "GET h/ -> none",
        ],
    );
    check(
        &[query("RegularExpression", "x.y")],
        &["GET h/?a+b=x+y -> r0", "GET h/?a+b=x+yz -> none"],
    );
    let header = json!({"rules": [{"matches": [{"headers": [{"name": "v", "value": "1,2"}]}]}]});
    check(
        &[header],
        &[
            "GET h/ v=1 v=2 -> r0",
            "GET h/ v=1 -> none",
            "GET h/ -> none",
        ],
    );
}

#[test]
fn a_route_without_rules_matches_everything_and_has_no_backend() {
    let table = RouteTable::compile(&routes(&[json!({})]), &Gateways::default());
    let request = request("GET h/x");
    let found = table.find(&request.head()).unwrap();
    assert!(matches!(&found.rule.action, Action::Forward(backends) if backends.total() == 0));
}

#[test]
fn shares_are_those_of_the_weights_and_none_goes_to_zero() {
    let spec = json!({"rules": [{"backendRefs": [
        {"name": "a", "weight": 3}, {"name": "b", "weight": 0}, {"name": "c"}, {"name": "d", "namespace": "other"},
    ]}]});
    let table = RouteTable::compile(&routes(&[spec]), &Gateways::default());
    let request = request("GET h/");
    let Action::Forward(backends) = &table.find(&request.head()).unwrap().rule.action else {
        panic!()
    };
    assert_eq!(backends.total(), 5);
    let chosen: Vec<_> = (0..5)
        .map(|at| match backends.choose(at).unwrap().target {
            Ok(id) => table.clusters()[id.0].service.to_string(),
            Err(fault) => fault.reason().to_owned(),
        })
        .collect();
    assert_eq!(chosen, ["a", "a", "a", "c", "RefNotPermitted"]);
    assert!(backends.choose(5).is_none());
}

#[test]
fn what_did_not_change_is_kept() {
    let on = |host: &str, service: &str| json!({"hostnames": [host], "rules": [{"backendRefs": [{"name": service}]}]});
    let mut all = vec![
        route("a", 1, &on("a.com", "one")),
        route("b", 2, &on("b.com", "two")),
    ];
    let mut compiler = Compiler::default();
    let before = compiler.compile(all.clone(), Gateways::default());
    all[1] = route("b", 3, &on("b.com", "three"));
    // The same document read again is the same route.
    all[0] = route("a", 1, &on("a.com", "one"));
    let after = compiler.compile(all, Gateways::default());
    assert!(Arc::ptr_eq(&before.exact["a.com"], &after.exact["a.com"]));
    assert!(!Arc::ptr_eq(&before.exact["b.com"], &after.exact["b.com"]));
    assert_eq!(before.clusters()[0], after.clusters()[0]);
    assert_eq!(after.len(), 2);
}

#[test]
fn a_route_that_is_gone_leaves_nothing() {
    let on = |host: &str| json!({"hostnames": [host]});
    let mut compiler = Compiler::default();
    let routes = [route("a", 1, &on("a.com")), route("b", 1, &on("*.b.com"))];
    let table = compiler.compile(routes, Gateways::default());
    assert_eq!(
        (table.len(), table.exact.len(), table.wildcard.len()),
        (2, 1, 1)
    );
    let gone = route("b", 1, &on("*.b.com")).key();
    let table = compiler.update([(gone, None)], None);
    assert_eq!(
        (table.len(), table.exact.len(), table.wildcard.len()),
        (1, 1, 0)
    );
    let table = compiler.compile([], Gateways::default());
    assert!(table.is_empty() && table.exact.is_empty());
}

#[test]
fn gateways_that_change_move_routes_to_other_hosts() {
    let gateway = |hostname: &str| -> Gateways {
        let listener =
            json!({"name": "http", "port": 80, "protocol": "HTTP", "hostname": hostname});
        let json =
            json!({"metadata": {"name": "edge"}, "spec": {"listeners": [listener]}}).to_string();
        match Body::parse(&json).and_then(|body| body.into_document(Kind::Gateway, None, None)) {
            Ok(Document::Gateway(gateway)) => [gateway].into_iter().collect(),
            other => panic!("{other:?}"),
        }
    };
    let mut compiler = Compiler::default();
    let of_edge = route("r", 1, &json!({"parentRefs": [{"name": "edge"}]}));
    let table = compiler.compile([of_edge], gateway("a.com"));
    assert!(table.exact.contains_key("a.com"));
    let table = compiler.update([], Some(gateway("b.com")));
    assert!(table.exact.contains_key("b.com") && table.exact.len() == 1);
    assert!(compiler.update([], Some(Gateways::default())).is_empty());
}

#[test]
fn places_of_clusters_do_not_grow_without_end() {
    let mut compiler = Compiler::default();
    let mut table = RouteTable::default();
    for n in 0..5_000u64 {
        let to = json!({"rules": [{"backendRefs": [{"name": format!("s{n}")}]}]});
        let changed = route("r", n + 1, &to);
        table = compiler.update([(changed.key(), Some(changed))], None);
        assert!(table.clusters().len() <= STALE + 3);
    }
    assert!(table.generation() > 0);
    let request = request("GET h/");
    let Action::Forward(backends) = &table.find(&request.head()).unwrap().rule.action else {
        panic!()
    };
    let id = backends.choose(0).unwrap().target.unwrap();
    assert_eq!(table.clusters()[id.0].service.as_str(), "s4999");
}

const STALE: usize = 1024;

/// What the tree must agree with: every match of every route, compared one by one.
fn naive<'r>(routes: &'r [Arc<Object<HttpRoute>>], request: &Request) -> Option<(&'r str, usize)> {
    let mut best: Option<(Rank, (&str, usize))> = None;
    for route in routes {
        let hostnames = &route.spec.hostnames;
        let patterns: Vec<_> = if hostnames.is_empty() {
            vec![host::HostPattern::Any]
        } else {
            hostnames
                .iter()
                .map(|name| host::HostPattern::new(Some(name)))
                .collect()
        };
        for pattern in patterns
            .iter()
            .filter(|pattern| pattern.matches(&request.host))
        {
            for (index, rule) in route.spec.rules.iter().enumerate() {
                for (nth, of) in rule.matches.iter().enumerate() {
                    let asked = of.path();
                    let Some(path_rank) = naive_path(asked.match_type, &asked.value, &request.path)
                    else {
                        continue;
                    };
                    let method = of
                        .method
                        .is_none_or(|method| method.as_str() == request.method.as_str());
                    let headers = of.headers.iter().all(|test| {
                        let value = request
                            .headers
                            .get(&test.name)
                            .and_then(|value| value.to_str().ok());
                        value.is_some_and(|value| naive_value(test, value))
                    });
                    let query = of.query_params.iter().all(|test| {
                        let pairs = request.query.as_deref().unwrap_or("").split('&');
                        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
                        let value = pairs
                            .find(|(name, _)| *name == test.name)
                            .map(|(_, value)| value);
                        value.is_some_and(|value| naive_value(test, value))
                    });
                    if !(method && headers && query) {
                        continue;
                    }
                    let host_rank = match pattern {
                        host::HostPattern::Exact(_) => (2, 0),
                        host::HostPattern::Wildcard(suffix) => (1, suffix.len()),
                        host::HostPattern::Any => (0, 0),
                    };
                    let refined = (of.method.is_some(), of.headers.len(), of.query_params.len());
                    let age = route.metadata.created_at.unwrap().0;
                    let order = std::cmp::Reverse((age, route.metadata.name.clone(), index, nth));
                    let rank = (host_rank, path_rank, refined, order);
                    if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                        best = Some((rank, (&route.metadata.name, index)));
                    }
                }
            }
        }
    }
    best.map(|(_, found)| found)
}

type Rank = (
    (u8, usize),
    (u8, usize),
    (bool, usize, usize),
    std::cmp::Reverse<(u64, String, usize, usize)>,
);

fn naive_path(kind: PathMatchType, value: &str, path: &str) -> Option<(u8, usize)> {
    match kind {
        PathMatchType::Exact => (value == path).then_some((2, 0)),
        PathMatchType::RegularExpression => {
            let whole = regex::Regex::new(&format!("^(?:{value})$")).unwrap();
            whole.is_match(path).then_some((1, value.len()))
        }
        PathMatchType::PathPrefix => {
            let value = value.trim_end_matches('/');
            let rest = path.strip_prefix(value)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((0, value.len()))
        }
    }
}

fn naive_value(test: &ValueMatch, value: &str) -> bool {
    match test.match_type {
        ValueMatchType::Exact => test.value == value,
        ValueMatchType::RegularExpression => regex::Regex::new(&format!("^(?:{})$", test.value))
            .unwrap()
            .is_match(value),
    }
}

const PATHS: [&str; 10] = [
    "/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/b", "/b/a", "/ab", "/a/bc",
];
const PATTERNS: [&str; 7] = [
    "/a/[ab].*",
    "/.*",
    "/a/b/?",
    "/a/b/c|/b",
    "/[a-c]+",
    "/a/b/c",
    "/b/.*",
];
const HOSTS: [&str; 6] = [
    "x.com",
    "a.x.com",
    "b.a.x.com",
    "*.x.com",
    "*.a.x.com",
    "*.com",
];

fn any_match() -> impl Strategy<Value = Value> {
    let path = option::of(prop_oneof![
        3 => (select(&["Exact", "PathPrefix"][..]), select(&PATHS[..])),
        1 => (Just("RegularExpression"), select(&PATTERNS[..])),
    ]);
    let values = |names: &'static [&'static str]| {
        let kinds = select(
            &[
                ("Exact", "1"),
                ("Exact", "2"),
                ("RegularExpression", "[12]"),
            ][..],
        );
        vec((select(names), kinds), 0..2)
    };
    (
        path,
        option::of(select(&["GET", "POST"][..])),
        values(&["x-a", "x-b"]),
        values(&["p", "q"]),
    )
        .prop_map(|(path, method, headers, query)| {
            let list = |values: Vec<(&str, (&str, &str))>| -> Value {
                values
                    .iter()
                    .map(
                        |(name, (kind, value))| json!({"type": kind, "name": name, "value": value}),
                    )
                    .collect()
            };
            let mut one = json!({"headers": list(headers), "queryParams": list(query)});
            if let Some((kind, value)) = path {
                one["path"] = json!({"type": kind, "value": value});
            }
            if let Some(method) = method {
                one["method"] = json!(method);
            }
            one
        })
}

fn any_route() -> impl Strategy<Value = Value> {
    let rules = vec(vec(any_match(), 1..3), 1..3);
    (vec(select(&HOSTS[..]), 0..3), rules).prop_map(|(hostnames, rules)| {
        let rules: Vec<_> = rules
            .into_iter()
            .map(|matches| json!({"matches": matches}))
            .collect();
        json!({"hostnames": hostnames, "rules": rules})
    })
}

fn any_request() -> impl Strategy<Value = String> {
    let hosts = select(&["x.com", "a.x.com", "b.a.x.com", "c.com", "org"][..]);
    let query = select(&["", "?p=1", "?p=2&q=1", "?q=3"][..]);
    let headers = select(&["", " x-a=1", " x-a=2 x-b=1", " x-b=3"][..]);
    (
        select(&["GET", "POST", "PUT"][..]),
        hosts,
        select(&PATHS[..]),
        query,
        headers,
    )
        .prop_map(|(method, host, path, query, headers)| {
            format!("{method} {host}{path}{query}{headers}")
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_tree_agrees_with_a_matcher_that_knows_none(
        specs in vec((any_route(), 0u64..3), 1..8),
        requests in vec(any_request(), 1..24),
    ) {
        let routes: Vec<_> =
            specs.iter().enumerate().map(|(n, (spec, age))| route(&format!("r{n}"), *age, spec)).collect();
        let table = RouteTable::compile(&routes, &Gateways::default());
        // The same, one route after the other, with some that came and went.
        let mut compiler = Compiler::default();
        compiler.compile(routes.iter().rev().take(3).cloned(), Gateways::default());
        compiler.compile([], Gateways::default());
        let mut grown = RouteTable::default();
        for route in routes.iter().rev() {
            grown = compiler.update([(route.key(), Some(route.clone()))], None);
        }
        for line in requests {
            let request = request(&line);
            let expected = naive(&routes, &request);
            for table in [&table, &grown] {
                let found = table.find(&request.head()).map(|m| (&*m.rule.route.name, m.rule.index));
                prop_assert_eq!(found, expected, "{}", line);
            }
        }
    }
}
