//! Queries: how they are read, what they select, and what an emptied service answers.

use guildhall_core::{
    document::Namespace,
    registry::{Health, Near, Query, discover},
};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{catalog, instance, service, with_health};

fn parse(query: &str) -> Result<Query, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let pairs = pairs.map(|(k, v)| (decode(k), decode(v)));
    Query::parse(pairs, &["index", "wait"]).map_err(|error| error.to_string())
}

fn check(query: &str, expect: &str) {
    let health = |document, health| with_health(document, health);
    let catalog = catalog([
        health(
            instance(
                "s",
                "a",
                json!({"zone": "z1", "region": "eu", "tags": ["web", "blue"], "version": "1"}),
            ),
            Health::Healthy,
        ),
        health(
            instance(
                "s",
                "b",
                json!({"zone": "z2", "region": "eu", "tags": ["web"], "version": "2"}),
            ),
            Health::Warning,
        ),
        health(
            instance(
                "s",
                "c",
                json!({"zone": "z3", "region": "us", "metadata": {"k": "v"}}),
            ),
            Health::Healthy,
        ),
        health(
            instance(
                "s",
                "d",
                json!({"zone": "z1", "region": "eu", "tags": ["web"]}),
            ),
            Health::Unhealthy,
        ),
        health(
            instance("s", "e", json!({"zone": "z2", "region": "eu"})),
            Health::Starting,
        ),
        health(instance("s", "f", json!({})), Health::Draining),
        health(instance("s", "g", json!({})), Health::Maintenance),
    ]);
    let entry = catalog.service(&Namespace::default(), "s").unwrap();
    let found = discover(entry, &parse(query).unwrap());
    let ids: Vec<&str> = found
        .instances
        .iter()
        .map(|instance| &*instance.metadata.name)
        .collect();
    assert_eq!(ids.join(" "), expect, "{query}");
    assert!(!found.protected);
}

#[test]
fn filters_hold_together() {
    check("", "a b c");
    check("healthy=true", "a b c");
    check("healthy=false", "a b c d e f g");
    check("tag=web", "a b");
    check("tag=web&tag=blue", "a");
    check("tag=green", "");
    check("zone=z1", "a");
    check("region=eu&healthy=false", "a b d e");
    check("version=2", "b");
    check("metadata.k=v", "c");
    check("metadata.k=", "");
    check("index=1.2&wait=30s&tag=blue", "a");
}

#[test]
fn the_nearest_come_first_and_none_is_left_out() {
    check("near=z2", "b a c");
    check("near=z3", "c a b");
    check("near=us/z9", "c a b");
    check("near=eu/z2", "b a c");
    check("near=nowhere", "a b c");
    check("near=z2&healthy=false", "b e a d c f g");
}

#[test]
fn the_region_of_a_zone_is_known_from_all_its_instances() {
    // b, the only healthy one in z2, is filtered out; z2 is in eu all the same.
    check("near=z2&version=1", "a");
    let catalog = catalog([
        instance("s", "1", json!({"region": "us", "zone": "u"})),
        instance(
            "s",
            "2",
            json!({"region": "eu", "zone": "e1", "tags": ["x"]}),
        ),
        instance("s", "3", json!({"region": "eu", "zone": "e2"})),
    ]);
    let entry = catalog.service(&Namespace::default(), "s").unwrap();
    let mut query = Query {
        near: Some(Near {
            region: None,
            zone: "e1".into(),
        }),
        ..Query::default()
    };
    let ids = |query: &Query| {
        let found = discover(entry, query).instances;
        found
            .iter()
            .map(|instance| instance.metadata.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&query), ["2", "3", "1"]);
    query.near = Some(Near {
        region: None,
        zone: "e9".into(),
    });
    assert_eq!(ids(&query), ["1", "2", "3"]);
}

#[test]
fn a_service_protects_itself_when_few_are_healthy() {
    let healths = [
        Health::Healthy,
        Health::Unhealthy,
        Health::Unhealthy,
        Health::Starting,
    ];
    let protected = |threshold: f64, query: Query| {
        let mut documents = vec![service("s", json!({"protectionThreshold": threshold}))];
        for (n, health) in healths.into_iter().enumerate() {
            documents.push(with_health(
                instance("s", &n.to_string(), json!({"tags": [format!("t{n}")]})),
                health,
            ));
        }
        for held in [Health::Draining, Health::Maintenance] {
            documents.push(with_health(
                instance("s", &format!("{held:?}"), json!({})),
                held,
            ));
        }
        let catalog = catalog(documents);
        let found = discover(catalog.service(&Namespace::default(), "s").unwrap(), &query);
        (found.instances.len(), found.protected)
    };
    let query = Query::default;
    assert_eq!(protected(0.0, query()), (1, false), "off");
    assert_eq!(protected(0.24, query()), (1, false), "a quarter is healthy");
    assert_eq!(
        protected(0.25, query()),
        (4, true),
        "at most a quarter is healthy; held ones do not count"
    );
    assert_eq!(
        protected(0.25, Query::all()),
        (6, false),
        "health was not asked for"
    );
    let tagged = |n: usize| Query {
        tags: [format!("t{n}")].into(),
        ..Query::default()
    };
    assert_eq!(
        protected(0.5, tagged(0)),
        (1, false),
        "all that meet the filters are healthy"
    );
    assert_eq!(protected(0.5, tagged(1)), (1, true));
    assert_eq!(protected(0.5, tagged(9)), (0, false));
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_may_have_been() {
    for (query, expect) in [
        (
            "tags=a",
            r#"there is no parameter "tags"; did you mean "tag"?"#,
        ),
        (
            "zon=a",
            r#"there is no parameter "zon"; did you mean "zone"?"#,
        ),
        (
            "idnex=1",
            r#"there is no parameter "idnex"; did you mean "index"?"#,
        ),
        (
            "metadata=a",
            r#"there is no parameter "metadata"; did you mean "metadata.KEY"?"#,
        ),
        (
            "metadata.=a",
            r#"there is no parameter "metadata."; did you mean "metadata.KEY"?"#,
        ),
        (
            "frobnicate=1",
            r#"there is no parameter "frobnicate"; there are healthy, tag, zone, region, version, near, index, wait and metadata.KEY"#,
        ),
        ("healthy=yes", r#"healthy="yes": write true or false"#),
        (
            "zone=",
            r#"zone="": leave the parameter out, or give it a value"#,
        ),
        ("near=/z", r#"near="/z": write a zone, or region/zone"#),
        (
            "zone=a&zone=b",
            "zone was given twice; ask for one value at a time",
        ),
        (
            "metadata.a=1&metadata.a=2",
            "metadata.a was given twice; ask for one value at a time",
        ),
    ] {
        assert_eq!(parse(query).unwrap_err(), expect);
    }
    assert!(
        parse("version=a%20b")
            .unwrap_err()
            .starts_with(r#"version="a b": "#)
    );
}

fn queries() -> impl Strategy<Value = Query> {
    let text = || "[a-c/&=%+ é\"#]{1,4}";
    let optional = move || prop::option::of(text());
    let near = prop_oneof![
        "[a-c &%]{1,3}".prop_map(|zone| Near { region: None, zone }),
        ("[a-c &%]{1,3}", text()).prop_map(|(region, zone)| Near {
            region: Some(region),
            zone
        }),
    ];
    (
        any::<bool>(),
        prop::collection::btree_set(text(), 0..3),
        optional(),
        optional(),
        prop::option::of("[a-c#+.]{1,3}"),
        prop::collection::btree_map(text(), ".{0,3}", 0..3),
        prop::option::of(near),
    )
        .prop_map(|(healthy, tags, zone, region, version, metadata, near)| {
            let version = version.map(|version| version.parse().unwrap());
            Query {
                healthy,
                tags,
                zone,
                region,
                version,
                metadata,
                near,
            }
        })
}

proptest! {
    #[test]
    fn the_canonical_form_says_the_query_and_nothing_else(query in queries()) {
        prop_assert_eq!(parse(&query.to_string()), Ok(query));
    }

    #[test]
    fn no_parameters_make_the_parser_panic(pairs in prop::collection::vec((".{0,9}", ".{0,9}"), 0..5)) {
        let _ = Query::parse(pairs, &["index"]);
    }
}

#[test]
fn the_order_of_parameters_does_not_matter() {
    let canonical = |query| parse(query).unwrap().to_string();
    let expect = "healthy=true&metadata.a=1&near=z&region=r&zone=z&tag=a&tag=b&version=1";
    assert_eq!(
        canonical("tag=b&near=z&version=1&zone=z&tag=a&metadata.a=1&region=r&tag=b"),
        expect
    );
    assert_eq!(canonical(""), "healthy=true");
}
