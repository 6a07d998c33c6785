//! The catalog against a naive model: the documents in a map, and for each service the highest
//! revision that ever touched it.

use std::collections::{BTreeMap, BTreeSet};

use guildhall_core::{
    document::{Document, Kind, Namespace},
    registry::{Catalog, Health},
};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{catalog, deleted, instance, put, service, version, with_health};

#[derive(Clone, Debug)]
enum Step {
    Put(Kind, u8, u8),
    Delete(Kind, u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = || prop::sample::select(vec![Kind::Service, Kind::ServiceVersion, Kind::Instance]);
    let step = prop_oneof![
        3 => (kind(), 0..4u8, 0..3u8).prop_map(|(kind, service, own)| Step::Put(kind, service, own)),
        2 => (kind(), 0..4u8, 0..3u8).prop_map(|(kind, service, own)| Step::Delete(kind, service, own)),
    ];
    prop::collection::vec(step, 0..60)
}

fn name(kind: Kind, service: u8, own: u8) -> String {
    if kind == Kind::Service {
        format!("s{service}")
    } else {
        format!("s{service}/{own}")
    }
}

fn document(kind: Kind, of: u8, own: u8, revision: u64) -> Document {
    let (of, own) = (format!("s{of}"), own.to_string());
    match kind {
        Kind::Service => service(&of, json!({"description": revision.to_string()})),
        Kind::ServiceVersion => version(&of, &own, json!({})),
        _ => instance(&of, &own, json!({"zone": revision.to_string()})),
    }
}

proptest! {
    #[test]
    fn the_catalog_holds_what_a_plain_map_holds(steps in steps()) {
        let namespace = Namespace::default();
        let mut catalog = Catalog::new();
        let mut documents = BTreeMap::<(Kind, String), Document>::new();
        let mut touched = BTreeMap::<String, u64>::new();
        let mut before = Vec::new();
        for (step, revision) in steps.into_iter().zip(1..) {
            before.push((catalog.clone(), documents.clone()));
            let (Step::Put(kind, of, own) | Step::Delete(kind, of, own)) = step;
            let key = (kind, name(kind, of, own));
            let change = if let Step::Put(..) = step {
                let document = document(kind, of, own, revision);
                documents.insert(key, document.clone());
                put(document)
            } else {
                documents.remove(&key);
                deleted(kind, &key.1)
            };
            let told = catalog.apply(&change, revision).unwrap();
            prop_assert_eq!(told.service.as_str(), format!("s{of}"));
            touched.insert(format!("s{of}"), revision);

            for n in 0..4 {
                let service = format!("s{n}");
                let expect = touched.get(&service).copied().unwrap_or(0).max(1);
                prop_assert_eq!(catalog.service_revision(&namespace, &service), expect);
            }
            prop_assert_eq!(catalog.namespace_revision(&namespace), revision);
            assert_same(&catalog, &documents)?;
        }
        // Clones taken on the way are untouched by what came after.
        for (catalog, documents) in before {
            assert_same(&catalog, &documents)?;
        }
    }
}

fn assert_same(
    catalog: &Catalog,
    documents: &BTreeMap<(Kind, String), Document>,
) -> Result<(), TestCaseError> {
    let mut held = BTreeMap::new();
    for entry in catalog.services(None) {
        prop_assert!(!entry.is_empty());
        let own = entry.service.iter().cloned().map(Document::Service);
        let versions = entry
            .versions
            .values()
            .cloned()
            .map(Document::ServiceVersion);
        let instances = entry.instances.values().cloned().map(Document::Instance);
        for document in own.chain(versions).chain(instances) {
            let key = document.key();
            prop_assert_eq!(key.service(), Some(entry.name.as_str()));
            held.insert((key.kind, key.name.to_string()), document);
        }
    }
    prop_assert_eq!(&held, documents);
    let instances = documents
        .keys()
        .filter(|(kind, _)| *kind == Kind::Instance)
        .count();
    prop_assert_eq!(catalog.instances(), instances);
    let services: BTreeSet<&str> = documents
        .keys()
        .map(|(_, name)| name.split('/').next().unwrap())
        .collect();
    let listed: Vec<&str> = catalog
        .services(Some(&Namespace::default()))
        .map(|entry| entry.name.as_str())
        .collect();
    prop_assert_eq!(services.into_iter().collect::<Vec<_>>(), listed);
    Ok(())
}

#[test]
fn after_a_start_no_index_is_lower_than_before() {
    let namespace = Namespace::default();
    let mut before = catalog([
        service("a", json!({})),
        instance("a", "1", json!({})),
        instance("b", "1", json!({})),
    ]);
    before.apply(&deleted(Kind::Instance, "a/1"), 4);
    before.apply(&deleted(Kind::Instance, "b/1"), 5);
    let after = Catalog::load([&service("a", json!({}))], before.revision());
    for name in ["a", "b", "never"] {
        let (was, is) = (
            before.service_revision(&namespace, name),
            after.service_revision(&namespace, name),
        );
        assert!(is >= was, "{name}: {is} after {was}");
    }
    assert!(after.namespace_revision(&namespace) >= before.namespace_revision(&namespace));
}

#[test]
fn namespaces_are_apart() {
    let mut catalog = catalog([service("a", json!({}))]);
    let other = Namespace::new("other").unwrap();
    assert_eq!(catalog.namespace_revision(&other), 1);
    let document = service("a", json!({}));
    let mut metadata = document.metadata().clone();
    metadata.namespace = other.clone();
    catalog.apply(&put(document.with_metadata(metadata)), 7);
    assert_eq!(
        catalog
            .namespaces()
            .map(Namespace::as_str)
            .collect::<Vec<_>>(),
        ["default", "other"]
    );
    assert_eq!(catalog.service_revision(&Namespace::default(), "a"), 1);
    assert_eq!(catalog.service_revision(&other, "a"), 7);
    assert_eq!(catalog.services(Some(&other)).count(), 1);
}

#[test]
fn the_default_checks_of_a_service_decide_about_instances_without_any() {
    let checks = json!([{"type": "tcp"}]);
    let catalog = catalog([
        service("a", json!({"checks": checks})),
        instance(
            "a",
            "own",
            json!({"checks": [{"type": "ttl", "ttl": "5s", "initialStatus": "passing"}]}),
        ),
        instance("a", "none", json!({})),
        with_health(instance("a", "told", json!({})), Health::Warning),
        instance("b", "none", json!({})),
    ]);
    let health = |service: &str, id: &str| {
        let entry = catalog.service(&Namespace::default(), service).unwrap();
        let object = entry.instances.get(id).unwrap();
        let checks: Vec<_> = entry
            .checks(&object.spec)
            .iter()
            .map(|check| check.name.clone())
            .collect();
        (entry.health(object), checks.join(","))
    };
    assert_eq!(health("a", "own"), (Health::Healthy, "ttl".to_owned()));
    assert_eq!(health("a", "none"), (Health::Starting, "tcp".to_owned()));
    assert_eq!(health("a", "told"), (Health::Warning, "tcp".to_owned()));
    assert_eq!(health("b", "none"), (Health::Healthy, String::new()));
}
