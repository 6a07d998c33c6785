//! The graph of dependencies, its cycles, and who suffers when a service is drained.

use std::collections::BTreeSet;

use guildhall_core::{
    document::{Document, Namespace, ServiceName},
    registry::{Catalog, Graph, Health, contract::consumers, graph, impact, statistics},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{catalog, instance, service, version, with_health};

/// A version `1` of each service with dependencies such as `"b c? d~ e~?"`: optional with `?`,
/// asynchronous with `~`.
fn fleet(services: &[(&str, &str)]) -> Catalog {
    let documents: Vec<Document> = services
        .iter()
        .map(|(name, calls)| version(name, "1", json!({"dependencies": dependencies(calls)})))
        .collect();
    catalog(documents)
}

fn dependencies(calls: &str) -> Vec<Value> {
    let dependency = |call: &str| {
        let kind = if call.contains('~') {
            "asynchronous"
        } else {
            "synchronous"
        };
        let service = call.trim_end_matches(['~', '?']);
        json!({"service": service, "type": kind, "optional": call.contains('?')})
    };
    calls.split_whitespace().map(dependency).collect()
}

fn of(catalog: &Catalog) -> Graph {
    graph(catalog, &Namespace::default())
}

fn names(names: &[ServiceName]) -> String {
    names
        .iter()
        .map(ServiceName::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn live_versions_say_what_a_service_depends_on() {
    let depends = |calls: &str| json!({"dependencies": dependencies(calls)});
    let catalog = catalog([
        service("users", json!({})),
        version("orders", "1", depends("users? old")),
        version("orders", "2", depends("users mail~")),
        version("orders", "3", depends("never")),
        instance("orders", "a", json!({"version": "1"})),
        with_health(
            instance("orders", "b", json!({"version": "2"})),
            Health::Unhealthy,
        ),
        with_health(
            instance("orders", "c", json!({"version": "2"})),
            Health::Warning,
        ),
        instance("orders", "d", json!({})),
        version("idle", "1", depends("old")),
        version("idle", "2", depends("users")),
    ]);
    insta::assert_yaml_snapshot!("live_versions", of(&catalog));
    assert_eq!(
        serde_json::from_value::<Graph>(serde_json::to_value(of(&catalog)).unwrap()).unwrap(),
        of(&catalog)
    );
    assert_eq!(names(&consumers(&of(&catalog), "users")), "idle orders");
    insta::assert_yaml_snapshot!("statistics", statistics(&catalog, None));
}

#[test]
fn a_service_whose_instances_run_no_registered_version_depends_as_its_newest_does() {
    let catalog = catalog([
        version("a", "1", json!({"dependencies": ["b"]})),
        instance("a", "x", json!({"version": "unheard-of"})),
        instance("a", "y", json!({})),
    ]);
    let graph = of(&catalog);
    assert_eq!(graph.edges.len(), 1);
    assert_eq!(graph.node("a").unwrap().versions.len(), 3);
    assert!(graph.node("b").is_none());
}

#[test]
fn cycles_are_told_once_and_with_a_way_round() {
    let check = |services: &[(&str, &str)], expect: &[&str]| {
        let cycles = of(&fleet(services)).cycles;
        let told = |c: &guildhall_core::registry::graph::Cycle| {
            let word = if c.synchronous {
                "synchronous"
            } else {
                "broken by messages"
            };
            format!("{}: {} ({word})", names(&c.services), names(&c.path))
        };
        assert_eq!(cycles.iter().map(told).collect::<Vec<_>>(), expect);
    };
    check(&[("a", "b"), ("b", "c"), ("c", "")], &[]);
    check(&[("a", "a")], &["a: a a (synchronous)"]);
    check(
        &[("a", "b"), ("b", "c"), ("c", "a")],
        &["a b c: a b c a (synchronous)"],
    );
    check(
        &[("a", "b"), ("b", "c~"), ("c", "a")],
        &["a b c: a b c a (broken by messages)"],
    );
    check(
        &[("a", "b c~"), ("b", "a"), ("c", "a"), ("d", "a")],
        &[
            "a b: a b a (synchronous)",
            "a b c: a b a (broken by messages)",
        ],
    );
    check(
        &[("a", "b"), ("b", "a"), ("x", "y"), ("y", "x")],
        &["a b: a b a (synchronous)", "x y: x y x (synchronous)"],
    );
}

#[test]
fn a_chain_longer_than_any_stack_is_no_trouble() {
    let names: Vec<String> = (0..20_000).map(|n| format!("s{n:05}")).collect();
    let last = names.len() - 1;
    let chain: Vec<(&str, &str)> = (0..=last)
        .map(|n| (&*names[n], &*names[(n + 1) % names.len()]))
        .collect();
    let graph = of(&fleet(&chain));
    assert_eq!(graph.cycles.len(), 1);
    assert_eq!(graph.cycles[0].services.len(), names.len());
}

#[test]
fn a_required_call_breaks_and_a_soft_one_degrades() {
    let check = |services: &[(&str, &str)], breaks: &[&str], degrades: &[&str]| {
        let impact = impact(&of(&fleet(services)), &ServiceName::new("db").unwrap());
        let paths = |all: &[guildhall_core::registry::graph::Affected]| {
            let path = |a: &guildhall_core::registry::graph::Affected| {
                assert_eq!(a.direct, a.path.len() == 2);
                names(&a.path)
            };
            all.iter().map(path).collect::<Vec<_>>()
        };
        assert_eq!(paths(&impact.breaks), breaks);
        assert_eq!(paths(&impact.degrades), degrades);
    };
    check(&[("a", "")], &[], &[]);
    check(
        &[("web", "orders"), ("orders", "db"), ("other", "x")],
        &["orders db", "web orders db"],
        &[],
    );
    check(
        &[("web", "orders"), ("orders", "db?")],
        &[],
        &["orders db", "web orders db"],
    );
    check(
        &[("web", "orders~"), ("orders", "db")],
        &["orders db"],
        &["web orders db"],
    );
    // Web reaches db over a soft call at once, and over required ones the long way: it breaks.
    check(
        &[("web", "db? orders"), ("orders", "db")],
        &["orders db", "web orders db"],
        &[],
    );
    // Circles, the drained service among them, come to an end.
    check(
        &[("db", "web"), ("web", "db"), ("a", "b web"), ("b", "a")],
        &["web db", "a web db", "b a web db"],
        &[],
    );
    // A service that is called and not there can be asked about too.
    check(&[("web", "db")], &["web db"], &[]);
}

proptest! {
    /// Against the definition: two services are in one cycle if each reaches the other.
    #[test]
    fn cycles_are_the_mutually_reachable(edges in prop::collection::btree_set((0..6usize, 0..6usize), 0..14)) {
        let calls: Vec<(String, String)> = (0..6)
            .map(|n| {
                let to = edges.iter().filter(|(from, _)| *from == n).map(|(_, to)| format!("s{to}"));
                (format!("s{n}"), to.collect::<Vec<_>>().join(" "))
            })
            .collect();
        let calls: Vec<(&str, &str)> = calls.iter().map(|(a, b)| (&**a, &**b)).collect();
        let graph = of(&fleet(&calls));
        let mut reach = [[false; 6]; 6];
        for (from, to) in &edges {
            reach[*from][*to] = true;
        }
        for via in 0..6 {
            for from in 0..6 {
                for to in 0..6 {
                    reach[from][to] |= reach[from][via] && reach[via][to];
                }
            }
        }
        let group = |n: usize| (0..6).filter(move |m| reach[n][*m] && reach[*m][n]).map(|m| format!("s{m}"));
        let expect: BTreeSet<Vec<String>> = (0..6).filter(|n| reach[*n][*n]).map(|n| group(n).collect()).collect();
        let found = graph.cycles.iter().map(|c| c.services.iter().map(ToString::to_string).collect());
        prop_assert_eq!(found.collect::<BTreeSet<Vec<String>>>(), expect);
        prop_assert_eq!(graph.cycles.iter().map(|c| &c.services).collect::<BTreeSet<_>>().len(), graph.cycles.len());
        for cycle in &graph.cycles {
            prop_assert_eq!(cycle.path.first(), cycle.path.last());
            for pair in cycle.path.windows(2) {
                prop_assert!(graph.edges.iter().any(|e| e.from == pair[0] && e.to == pair[1]));
            }
        }
    }
}
