//! Which ways stay the very same, and which rules have ways of their own.

use guildhall_core::document::decode;
use serde_json::{Value, json};

use super::*;

const WALL: Timestamp = Timestamp(1_700_000_000_000);

fn put(policing: &mut Policing, name: &str, revision: u64, target: Value, sections: &str) {
    let mut spec: Value = serde_json::from_str(sections).unwrap();
    spec["targetRefs"] = json!([target]);
    let policy = decode(&spec.to_string(), "/spec").unwrap();
    let metadata = Metadata {
        revision,
        ..Metadata::named(Namespace::default(), name)
    };
    policing.put(metadata, policy);
}

fn service(name: &str) -> ClusterKey {
    ClusterKey {
        namespace: Namespace::default(),
        service: ServiceName::new(name).unwrap(),
        subset: Subset::DefaultPort,
    }
}

#[test]
fn a_change_elsewhere_leaves_a_way_the_very_same() {
    let now = crate::clock::now();
    let mut policing = Policing::default();
    assert!(!policing.refresh());
    let way = |policing: &mut Policing, name: &str| policing.of_service(&service(name), now, WALL);
    assert!(way(&mut policing, "a").is_none());

    let target = |name: &str| json!({"kind": "Service", "name": name});
    put(
        &mut policing,
        "p",
        1,
        target("a"),
        r#"{"circuitBreaker": {}}"#,
    );
    assert!(policing.refresh());
    let first = way(&mut policing, "a").unwrap();
    assert!(way(&mut policing, "b").is_none());
    policing.forget_unused();

    put(&mut policing, "q", 2, target("b"), r#"{"bulkhead": {}}"#);
    assert!(policing.refresh());
    assert!(Arc::ptr_eq(&first, &way(&mut policing, "a").unwrap()));
    assert!(way(&mut policing, "b").unwrap().enforced.bulkhead.is_some());
    policing.forget_unused();

    // The policy itself: another way, over the same machine.
    put(
        &mut policing,
        "p",
        3,
        target("a"),
        r#"{"circuitBreaker": {"failureRateThreshold": 20}}"#,
    );
    assert!(policing.refresh());
    let edited = way(&mut policing, "a").unwrap();
    let breaker = |way: &Way| Arc::clone(&way.enforced.breaker.as_ref().unwrap().machine);
    assert!(!Arc::ptr_eq(&first, &edited));
    assert!(Arc::ptr_eq(&breaker(&first), &breaker(&edited)));

    policing.remove(&Namespace::default(), "p");
    assert!(policing.refresh());
    assert!(way(&mut policing, "a").is_none());
    policing.forget_unused();
    assert_eq!(policing.known.len(), 1);
}

#[test]
fn services_that_policies_fall_back_to_are_known() {
    let mut policing = Policing::default();
    let sections = r#"{"fallback": {"sources": [{"service": {"name": "spare"}}]}}"#;
    put(
        &mut policing,
        "p",
        1,
        json!({"kind": "Service", "name": "a"}),
        sections,
    );
    policing.refresh();
    assert!(policing.others().iter().eq([&service("spare")]));
    policing.clear();
    policing.refresh();
    assert!(policing.others().is_empty());
}
