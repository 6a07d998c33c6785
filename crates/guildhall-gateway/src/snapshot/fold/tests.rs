//! What a change touches, and what it leaves alone.

use guildhall_core::{
    document::Body,
    registry::{Health, InstanceStatus},
};
use serde_json::{Value, json};

use super::*;

const WALL: Timestamp = Timestamp(1_700_000_000_000);

fn document(kind: Kind, name: &str, spec: &Value) -> Document {
    let json = json!({"metadata": {"name": name}, "spec": spec}).to_string();
    Body::parse(&json)
        .and_then(|body| body.into_document(kind, None, None))
        .unwrap()
}

fn instance(service: &str, id: &str, health: Health) -> Document {
    let host = format!("10.0.0.{}", id.len());
    let Document::Instance(object) = document(
        Kind::Instance,
        id,
        &json!({"service": service, "host": host, "port": 80}),
    ) else {
        panic!()
    };
    let status = Some(InstanceStatus {
        health,
        ..InstanceStatus::default()
    });
    Document::Instance(Arc::new(Object {
        status,
        ..Object::clone(&object)
    }))
}

fn route(name: &str, service: &str) -> Document {
    document(
        Kind::HttpRoute,
        name,
        &json!({"rules": [{"backendRefs": [{"name": service}]}]}),
    )
}

fn index(revision: u64) -> Index {
    Index {
        incarnation: 1,
        revision,
    }
}

fn full(documents: Vec<Document>) -> Update {
    Update::Full {
        index: Some(index(10)),
        documents,
    }
}

fn delta(revision: u64, change: Change) -> Update {
    Update::Delta {
        index: index(revision),
        changes: vec![change],
    }
}

/// The endpoints of each cluster, by service.
fn shown(snapshot: &Snapshot) -> Vec<String> {
    let line = |cluster: &Arc<Cluster>| {
        let endpoints: Vec<&str> = cluster
            .endpoints()
            .iter()
            .map(|e| &*e.state.label)
            .collect();
        let missing = if cluster.exists { "" } else { " (missing)" };
        format!("{}{missing}: {}", cluster.label, endpoints.join(" "))
    };
    snapshot.clusters.iter().map(line).collect()
}

#[test]
fn a_change_of_one_service_leaves_the_others_alone() {
    let mut fold = Fold::new(None, false);
    let now = crate::clock::now();
    let used = Health::Healthy;
    fold.apply(full(vec![
        route("r1", "a"),
        route("r2", "b"),
        instance("a", "x", used),
        instance("b", "yy", used),
    ]));
    let before = fold.snapshot(now, WALL);
    assert_eq!(
        shown(&before),
        ["default/a: 10.0.0.1:80", "default/b: 10.0.0.2:80"]
    );

    fold.apply(delta(11, Change::Put(instance("b", "zzz", used))));
    let after = fold.snapshot(now, WALL);
    assert_eq!(
        shown(&after),
        [
            "default/a: 10.0.0.1:80",
            "default/b: 10.0.0.2:80 10.0.0.3:80"
        ]
    );
    assert!(Arc::ptr_eq(&before.table, &after.table));
    assert!(Arc::ptr_eq(&before.clusters[0], &after.clusters[0]));
    let state = |snapshot: &Snapshot| Arc::clone(&snapshot.clusters[1].endpoints()[0].state);
    assert!(
        Arc::ptr_eq(&state(&before), &state(&after)),
        "an endpoint keeps its state"
    );

    fold.apply(delta(
        12,
        Change::Put(instance("b", "yy", Health::Unhealthy)),
    ));
    fold.apply(delta(13, Change::Deleted(instance("a", "x", used).key())));
    let last = fold.snapshot(now, WALL);
    assert_eq!(
        shown(&last),
        ["default/a (missing): ", "default/b: 10.0.0.3:80"]
    );
    assert!(!state(&before).is_live());
    assert_eq!(last.index, Some(index(13)));
}

#[test]
fn a_resynchronisation_keeps_what_is_the_same() {
    let mut fold = Fold::new(None, false);
    let now = crate::clock::now();
    let documents = || vec![route("r", "a"), instance("a", "x", Health::Healthy)];
    fold.apply(full(documents()));
    let before = fold.snapshot(now, WALL);
    fold.apply(full(documents()));
    let after = fold.snapshot(now, WALL);
    assert!(Arc::ptr_eq(&before.clusters[0], &after.clusters[0]));
    fold.apply(full(Vec::new()));
    assert_eq!(fold.snapshot(now, WALL).endpoints(), 0);
    assert!(!before.clusters[0].endpoints()[0].state.is_live());
}

#[test]
fn health_from_before_a_restart_is_used_until_it_is_known() {
    let mut fold = Fold::new(None, false);
    let now = crate::clock::now();
    let documents = vec![
        route("r", "a"),
        instance("a", "x", Health::Unhealthy),
        instance("a", "yy", Health::Maintenance),
    ];
    fold.apply(Update::Full {
        index: None,
        documents: documents.clone(),
    });
    assert_eq!(shown(&fold.snapshot(now, WALL)), ["default/a: 10.0.0.1:80"]);
    fold.apply(full(documents));
    assert_eq!(shown(&fold.snapshot(now, WALL)), ["default/a: "]);
}

#[test]
fn what_does_not_speak_http_is_told_apart() {
    let mut fold = Fold::new(None, false);
    let spec = json!({"service": "a", "host": "10.0.0.1", "port": 80, "protocol": "grpc"});
    fold.apply(full(vec![
        route("r", "a"),
        document(Kind::Instance, "x", &spec),
    ]));
    let snapshot = fold.snapshot(crate::clock::now(), WALL);
    assert!(snapshot.clusters[0].unsupported && snapshot.clusters[0].endpoints().is_empty());
}

#[test]
fn the_default_route_follows_the_services() {
    let mut fold = Fold::new(None, true);
    let now = crate::clock::now();
    let names = |snapshot: &Snapshot| {
        let mut names: Vec<String> = snapshot
            .services
            .keys()
            .map(|name| name.to_string())
            .collect();
        names.sort();
        names.join(" ")
    };
    fold.apply(full(vec![
        route("r", "a"),
        instance("a", "x", Health::Healthy),
    ]));
    assert_eq!(names(&fold.snapshot(now, WALL)), "a");
    fold.apply(delta(11, Change::Put(instance("b", "yy", Health::Healthy))));
    let both = fold.snapshot(now, WALL);
    assert_eq!((names(&both), both.endpoints()), ("a b".to_owned(), 3));
    fold.apply(delta(
        12,
        Change::Deleted(instance("b", "yy", Health::Healthy).key()),
    ));
    fold.apply(delta(
        13,
        Change::Deleted(instance("a", "x", Health::Healthy).key()),
    ));
    assert_eq!(names(&fold.snapshot(now, WALL)), "");
    assert_eq!(fold.clusters.len(), 1, "the one the route names");
}
