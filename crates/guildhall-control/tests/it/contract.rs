//! Contracts are compared when a version is registered.

use guildhall_control::Error;
use guildhall_control::documents::Precondition;
use guildhall_core::document::{Document, Kind};
use serde_json::{Value, json};

use crate::world::*;

fn version(name: &str, properties: Value) -> Document {
    let schema = json!({"type": "object", "properties": properties});
    document(
        Kind::ServiceVersion,
        name,
        json!({"contract": {"format": "jsonSchema", "document": schema}}),
    )
}

fn running(name: &str, version: &str) -> Document {
    document(
        Kind::Instance,
        name,
        json!({"host": "h", "port": 1, "version": version}),
    )
}

/// Users in version 1 with an instance, and orders that depend on it.
async fn world(policy: &str) -> World {
    let world = World::new().await;
    world
        .seen(service("users", json!({"contractPolicy": policy})))
        .await;
    world
        .seen(version(
            "users/v1",
            json!({"id": {"type": "string"}, "mail": {"type": "string"}}),
        ))
        .await;
    world.seen(running("users/u1", "v1")).await;
    world
        .seen(document(
            Kind::ServiceVersion,
            "orders/v1",
            json!({"dependencies": ["users"]}),
        ))
        .await;
    world.seen(running("orders/o1", "v1")).await;
    world
}

fn breaking() -> Document {
    version("users/v2", json!({"id": {"type": "integer"}}))
}

fn status(world: &World, name: &str) -> Value {
    let state = world.control.state();
    let document = state.get(&key(Kind::ServiceVersion, name)).unwrap();
    serde_json::to_value(document).unwrap()["status"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_breaking_contract_is_refused_naming_the_consumers() {
    let world = world("Refuse").await;
    let error = world.put(breaking()).await.unwrap_err();
    let Error::ContractRefused(refused) = &error else {
        panic!("{error}")
    };
    assert_eq!(refused.0.consumers, ["orders"]);
    assert!(!refused.0.breaking.is_empty());
    assert!(error.to_string().contains("orders"), "{error}");
    assert!(
        world
            .control
            .state()
            .get(&key(Kind::ServiceVersion, "users/v2"))
            .is_none()
    );
    world
        .put(version(
            "users/v2",
            json!({"id": {"type": "string"}, "mail": {"type": "string"}}),
        ))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_breaking_contract_is_recorded() {
    let world = world("Record").await;
    let written = world.seen(breaking()).await;
    let answered = serde_json::to_value(&written.document).unwrap()["status"].clone();
    let recorded = status(&world, "users/v2");
    assert_eq!(answered, recorded);
    assert_eq!(recorded["consumers"], json!(["orders"]));
    assert_eq!(recorded["comparedWith"], json!(["v1"]));
    let world = world.restarted().await;
    assert_eq!(status(&world, "users/v2"), recorded);
    // A version that no longer breaks says so.
    world
        .seen(version(
            "users/v2",
            json!({"id": {"type": "string"}, "mail": {"type": "string"}}),
        ))
        .await;
    assert_eq!(status(&world, "users/v2")["consumers"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn the_policy_that_is_written_with_the_version_counts() {
    let world = world("Record").await;
    let registry = world.control.registry();
    let strict = service("users", json!({"contractPolicy": "Refuse"}));
    let refused = registry
        .put_service(
            &world.caller,
            strict,
            Some(breaking()),
            Precondition::None,
            false,
        )
        .await;
    assert!(matches!(refused, Err(Error::ContractRefused(_))));
    let state = world.control.state();
    let Document::Service(users) = state.get(&key(Kind::Service, "users")).unwrap() else {
        panic!()
    };
    assert_eq!(
        users.spec.contract_policy,
        guildhall_core::registry::ContractPolicy::Record
    );
}
