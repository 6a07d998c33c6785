//! A server that starts on what the next version wrote: it shows what it knows and keeps the rest.

use guildhall_core::document::{Document, KeyPart, Kind};
use guildhall_core::registry::Health;
use guildhall_store::{Op, Store, Transaction};
use serde_json::json;

use crate::world::*;

#[tokio::test(start_paused = true)]
async fn what_a_newer_server_stored_is_shown_and_kept_as_it_was_written() {
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    let checks = json!([{"type": "ttl", "ttl": "1h"}]);
    let stored = checked("users/u1", checks).to_stored().unwrap();
    let mut newer: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    newer["metadata"]["nextField"] = json!(1);
    newer["spec"]["nextField"] = json!({"deep": [1]});
    newer["spec"]["checks"][0]["nextField"] = json!(1);
    let newer = newer.to_string();
    let spec = u1.store_key(KeyPart::Spec);
    let route = key(Kind::HttpRoute, "r");
    let unread = r#"{"metadata": {"name": "r"}, "spec": {"rules": [{"matches": [{"path": {"type": "Next"}}]}]}}"#;
    let put = Transaction::new()
        .then(Op::put(spec.clone(), newer.clone()))
        .then(Op::put(route.store_key(KeyPart::Spec), unread));
    world.store.commit(put).await.unwrap();
    until("the instance is seen", || world.health(&u1).is_some()).await;
    assert!(world.control.state().get(&route).is_none());
    assert_eq!(
        world.control.status().unreadable,
        1,
        "the route is passed over"
    );

    // A status is written beside it, and the instance written again as this version knows it.
    let registry = world.control.registry();
    registry.heartbeat(&world.caller, &u1).await.unwrap();
    world.until_health(&u1, Health::Healthy).await;
    let Some(Document::Instance(known)) = world.control.state().get(&u1).cloned() else {
        panic!("no instance");
    };
    let again = world.seen(Document::Instance(known)).await;
    assert!(!again.changed);
    let world = world.restarted().await;
    assert_eq!(world.health(&u1), Some(Health::Healthy));
    let entry = world.store.get(spec.as_bytes()).await.unwrap().unwrap();
    assert_eq!(entry.value, newer);
}
