//! Registration and what is read from the registry.

use guildhall_control::Error;
use guildhall_control::documents::Precondition;
use guildhall_core::document::{Kind, ServiceName};
use guildhall_core::registry::{CheckState, Health, Maintenance, MaintenanceMode, Query};
use serde_json::json;

use crate::world::*;

fn found(world: &World, service: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let query = Query::parse(parameters.iter().copied(), &[]).unwrap();
    let found = world
        .control
        .registry()
        .discover(&world.caller, &namespace(), service, &query)
        .unwrap();
    found
        .discovered
        .instances
        .iter()
        .map(|instance| instance.metadata.name.clone())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_instance_creates_its_service_in_the_same_transaction() {
    let world = World::new().await;
    let written = world.seen(instance("users/u1")).await;
    let state = world.control.state();
    let service = state.get(&key(Kind::Service, "users")).unwrap();
    assert_eq!(service.metadata().revision, written.index.revision);
    world.seen(instance("users/u2")).await;
    assert_eq!(
        world
            .control
            .state()
            .get(&key(Kind::Service, "users"))
            .unwrap(),
        service
    );
    // One that was deleted behind the view's back comes again.
    let gone = guildhall_store::Transaction::new().then(guildhall_store::Op::delete(
        "live/spec/services/default/users",
    ));
    guildhall_store::Store::commit(&*world.store, gone)
        .await
        .unwrap();
    world.seen(instance("users/u3")).await;
    assert!(
        world
            .control
            .state()
            .get(&key(Kind::Service, "users"))
            .is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_and_its_version_are_one_transaction() {
    let world = World::new().await;
    let registry = world.control.registry();
    let version = || {
        Some(document(
            Kind::ServiceVersion,
            "users/v1",
            json!({"dependencies": ["orders"]}),
        ))
    };
    let users = |owner: &str| service("users", json!({"owner": owner}));
    let written = registry
        .put_service(
            &world.caller,
            users("a"),
            version(),
            Precondition::None,
            false,
        )
        .await
        .unwrap();
    assert_eq!(written.service.index, written.version.unwrap().index);
    let refused = registry
        .put_service(
            &world.caller,
            users("b"),
            version(),
            Precondition::Absent,
            false,
        )
        .await;
    assert!(matches!(refused, Err(Error::Precondition { .. })));
    let other = Some(document(Kind::ServiceVersion, "orders/v1", json!({})));
    let refused = registry
        .put_service(&world.caller, users("b"), other, Precondition::None, false)
        .await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let refused = registry
        .register(&world.caller, users("b"), Precondition::None, false)
        .await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

#[tokio::test(start_paused = true)]
async fn discovery_filters_and_knows_its_index() {
    let world = World::new().await;
    let at =
        |zone: &str, tags: &[&str]| json!({"host": "h", "port": 1, "zone": zone, "tags": tags});
    world
        .seen(document(Kind::Instance, "users/a", at("z1", &["blue"])))
        .await;
    world
        .seen(document(
            Kind::Instance,
            "users/b",
            at("z2", &["blue", "new"]),
        ))
        .await;
    let last = world
        .seen(checked("users/c", json!([{"type": "ttl", "ttl": "1h"}])))
        .await
        .index;
    assert_eq!(found(&world, "users", &[]), ["a", "b"]);
    assert_eq!(
        found(&world, "users", &[("healthy", "false")]),
        ["a", "b", "c"]
    );
    assert_eq!(found(&world, "users", &[("tag", "new")]), ["b"]);
    assert_eq!(found(&world, "users", &[("near", "z2")]), ["b", "a"]);
    assert_eq!(found(&world, "nobody", &[]), [""; 0]);
    world.seen(instance("orders/o1")).await;
    let (index, entry) = world
        .control
        .registry()
        .service(&world.caller, &namespace(), "users")
        .unwrap();
    assert_eq!((index, entry.unwrap().revision), (last, last.revision));
    let (index, entry) = world
        .control
        .registry()
        .service(&world.caller, &namespace(), "nobody")
        .unwrap();
    assert!(index.revision >= 1 && entry.is_none());
}

#[tokio::test(start_paused = true)]
async fn too_few_healthy_instances_are_protected() {
    let world = World::new().await;
    world
        .seen(service("users", json!({"protectionThreshold": 0.5})))
        .await;
    for n in 0..4 {
        let checks = json!([{"type": "ttl", "ttl": "1h", "initialStatus": if n < 2 { "passing" } else { "critical" }}]);
        world.seen(checked(&format!("users/u{n}"), checks)).await;
    }
    let registry = world.control.registry();
    let found = registry
        .discover(&world.caller, &namespace(), "users", &Query::default())
        .unwrap();
    assert_eq!(
        (found.discovered.instances.len(), found.discovered.protected),
        (4, true)
    );
    let beaten = key(Kind::Instance, "users/u2");
    registry.heartbeat(&world.caller, &beaten).await.unwrap();
    world.until_health(&beaten, Health::Healthy).await;
    let found = registry
        .discover(&world.caller, &namespace(), "users", &Query::default())
        .unwrap();
    assert_eq!(
        (found.discovered.instances.len(), found.discovered.protected),
        (3, false)
    );
}

#[tokio::test(start_paused = true)]
async fn graph_impact_and_statistics() {
    let world = World::new().await;
    let version = |name: &str, needs: &[&str]| {
        document(Kind::ServiceVersion, name, json!({"dependencies": needs}))
    };
    world
        .seen(version("orders/v1", &["users", "payments"]))
        .await;
    world.seen(version("shop/v1", &["orders"])).await;
    world.seen(instance("users/u1")).await;
    let registry = world.control.registry();
    let graph = registry.graph(&world.caller, &namespace()).unwrap();
    assert_eq!(
        (graph.nodes.len(), graph.edges.len(), graph.missing.len()),
        (3, 3, 1)
    );
    let name = |name: &str| ServiceName::new(name).unwrap();
    let impact = registry
        .impact(&world.caller, &namespace(), &name("users"))
        .unwrap();
    let broken: Vec<_> = impact
        .breaks
        .iter()
        .map(|affected| affected.service.as_str())
        .collect();
    assert_eq!(broken, ["orders", "shop"]);
    assert!(
        registry
            .impact(&world.caller, &namespace(), &name("payments"))
            .is_ok()
    );
    assert!(matches!(
        registry.impact(&world.caller, &namespace(), &name("x")),
        Err(Error::NotFound(_))
    ));
    let numbers = registry.statistics(&world.caller, None).unwrap();
    assert_eq!(
        (numbers.services, numbers.versions, numbers.instances.used()),
        (3, 2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn maintenance_is_durable_and_in_the_timeline() {
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    world.put(instance("users/u1")).await.unwrap();
    let wish = |mode, reason: &str| {
        Some(Maintenance {
            mode,
            reason: reason.to_owned(),
            by: "someone else".to_owned(),
        })
    };
    let registry = world.control.registry();
    let draining = wish(MaintenanceMode::Draining, "new disk");
    let written = registry
        .maintenance(&world.caller, &u1, draining.clone())
        .await
        .unwrap();
    assert!(written.changed);
    assert_eq!(world.health(&u1), Some(Health::Draining));
    let again = registry
        .maintenance(&world.caller, &u1, draining)
        .await
        .unwrap();
    assert!(!again.changed);
    assert_eq!(found(&world, "users", &[]), [""; 0]);
    let world = world.restarted().await;
    let status = world.instance_status(&u1).unwrap();
    assert_eq!(status.health, Health::Draining);
    assert_eq!(
        status.maintenance.map(|maintenance| maintenance.by),
        Some("tester".to_owned())
    );
    let registry = world.control.registry();
    registry
        .maintenance(&world.caller, &u1, wish(MaintenanceMode::Maintenance, ""))
        .await
        .unwrap();
    assert_eq!(world.health(&u1), Some(Health::Maintenance));
    registry
        .maintenance(&world.caller, &u1, None)
        .await
        .unwrap();
    assert_eq!(found(&world, "users", &[]), ["u1"]);
    let timeline = registry.timeline(&world.caller, &u1).await.unwrap();
    let steps: Vec<_> = timeline
        .iter()
        .map(|entry| (entry.number, entry.to, entry.output.as_str()))
        .collect();
    let expect = [
        (0, Health::Draining, "new disk"),
        (1, Health::Maintenance, ""),
        (2, Health::Healthy, ""),
    ];
    assert_eq!(steps, expect);
    let nobody = key(Kind::Instance, "users/nobody");
    let missing = registry.maintenance(&world.caller, &nobody, None).await;
    assert!(matches!(missing, Err(Error::NotFound(_))));
}

#[tokio::test(start_paused = true)]
async fn reports_are_for_ttl_checks_that_are_there() {
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    let registry = world.control.registry();
    let checks = json!([{"type": "ttl", "ttl": "1h", "name": "own"}, {"type": "tcp", "interval": "1h", "initialStatus": "passing"}]);
    // Nobody waits for the view before the first report.
    world.put(checked("users/u1", checks)).await.unwrap();
    registry
        .report(&world.caller, &u1, "own", CheckState::Warning, "warm")
        .await
        .unwrap();
    world.until_health(&u1, Health::Warning).await;
    let status = world.instance_status(&u1).unwrap();
    assert_eq!(
        (status.checks[0].state, status.checks[0].output.as_str()),
        (CheckState::Warning, "warm")
    );
    let report = |check: &'static str, state| {
        let (registry, caller, u1) = (registry.clone(), world.caller.clone(), u1.clone());
        async move { registry.report(&caller, &u1, check, state, "").await }
    };
    assert!(matches!(
        report("tcp", CheckState::Passing).await,
        Err(Error::Invalid(_))
    ));
    assert!(matches!(
        report("own", CheckState::Starting).await,
        Err(Error::Invalid(_))
    ));
    let Err(Error::CheckNotFound { known, .. }) = report("none", CheckState::Passing).await else {
        panic!()
    };
    assert_eq!(known, ["own", "tcp"]);
    world.seen(instance("users/bare")).await;
    registry
        .heartbeat(&world.caller, &key(Kind::Instance, "users/bare"))
        .await
        .unwrap();
    let missing = registry
        .heartbeat(&world.caller, &key(Kind::Instance, "users/gone"))
        .await;
    assert!(matches!(missing, Err(Error::NotFound(_))));
}
