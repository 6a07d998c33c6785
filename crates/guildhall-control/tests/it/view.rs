//! The state: what it holds, and that no gap in the store's watch goes unnoticed.

use std::time::Duration;

use guildhall_core::document::{Document, Index, Kind};
use guildhall_core::registry::{CheckState, Health};
use guildhall_store::{Op, Store, Transaction, WatchError};
use serde_json::json;

use crate::world::*;

#[tokio::test(start_paused = true)]
async fn a_write_is_read_back_by_whoever_waits_for_its_index() {
    let world = World::new().await;
    let written = world
        .put(service("users", json!({"owner": "shop"})))
        .await
        .unwrap();
    let state = world.control.wait_for(written.index).await.unwrap();
    assert!(state.index.covers(written.index));
    let read = state.get(&key(Kind::Service, "users")).unwrap();
    assert_eq!(read.metadata().revision, written.index.revision);
    assert_eq!(read.metadata(), written.document.metadata());
    assert!(state.catalog.service(&namespace(), "users").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_revision_without_documents_can_be_waited_for() {
    let world = World::new().await;
    let elsewhere = Transaction::new().then(Op::put("elsewhere", "1"));
    let committed = world.store.commit(elsewhere).await.unwrap();
    let state = soon(world.control.wait_for(committed.index)).await.unwrap();
    assert!(state.index.covers(committed.index));
}

#[tokio::test(start_paused = true)]
async fn an_index_of_a_lost_history_is_not_waited_for() {
    let world = World::new().await;
    let lost = Index {
        incarnation: 99,
        revision: 1,
    };
    soon(world.control.wait_for(lost)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn everything_is_there_again_after_a_restart() {
    let world = World::new().await;
    world
        .seen(service(
            "users",
            json!({"checks": [{"type": "ttl", "ttl": "5s"}]}),
        ))
        .await;
    world.seen(instance("users/u1")).await;
    world.seen(instance("orders/o1")).await;
    world.delete(&key(Kind::Instance, "orders/o1")).await;
    let before = world.control.state();
    let world = world.restarted().await;
    let after = world.control.state();
    assert_eq!(before.documents, after.documents);
    assert_eq!(after.catalog.instances(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_status_follows_from_the_checks_until_one_is_stored() {
    let world = World::new().await;
    world.seen(instance("users/bare")).await;
    assert_eq!(
        world.health(&key(Kind::Instance, "users/bare")),
        Some(Health::Healthy)
    );
    let ttl = json!([{"type": "ttl", "ttl": "1h", "initialStatus": "warning"}, {"type": "ttl", "ttl": "1h", "name": "b"}]);
    let written = world.seen(checked("users/own", ttl)).await;
    let Document::Instance(instance) = &written.document else {
        panic!()
    };
    let status = instance.status.clone().unwrap();
    assert_eq!(
        world.instance_status(&key(Kind::Instance, "users/own")),
        Some(status.clone())
    );
    assert_eq!((status.health, status.checks.len()), (Health::Starting, 2));
    assert_eq!(status.checks[0].state, CheckState::Warning);
}

#[tokio::test(start_paused = true)]
async fn default_checks_of_the_service_decide_about_instances_without_their_own() {
    let world = World::new().await;
    let (bare, own) = (
        key(Kind::Instance, "users/bare"),
        key(Kind::Instance, "users/own"),
    );
    world.seen(instance("users/bare")).await;
    world
        .seen(checked(
            "users/own",
            json!([{"type": "ttl", "ttl": "1h", "initialStatus": "passing"}]),
        ))
        .await;
    let mut watch = world
        .control
        .watch(
            &world.caller,
            guildhall_control::watch::Scope::document(&bare),
            None,
        )
        .await
        .unwrap();
    up_to_bookmark(&mut watch).await;
    let written = world
        .seen(service(
            "users",
            json!({"checks": [{"type": "ttl", "ttl": "1h"}]}),
        ))
        .await;
    assert_eq!(
        (world.health(&bare), world.health(&own)),
        (Some(Health::Starting), Some(Health::Healthy))
    );
    let told = event(&mut watch).await;
    assert_eq!(
        (short(&told), told.index()),
        ("modified users/bare".to_owned(), Some(written.index))
    );
    world.seen(service("users", json!({}))).await;
    assert_eq!(world.health(&bare), Some(Health::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_status_leaves_the_revision_of_the_spec_alone() {
    let world = World::new().await;
    let users = key(Kind::Instance, "users/u1");
    let written = world
        .seen(checked("users/u1", json!([{"type": "ttl", "ttl": "1h"}])))
        .await;
    world
        .control
        .registry()
        .heartbeat(&world.caller, &users)
        .await
        .unwrap();
    world.until_health(&users, Health::Healthy).await;
    let state = world.control.state();
    assert_eq!(
        state.get(&users).unwrap().metadata().revision,
        written.index.revision
    );
    assert!(state.index.revision > written.index.revision);
}

#[tokio::test(start_paused = true)]
async fn after_a_gap_everything_is_read_again_and_watchers_are_told() {
    for error in [WatchError::Overflow, WatchError::Compacted { oldest: 9 }] {
        let world = World::new().await;
        world.seen(instance("users/u1")).await;
        let scope = guildhall_control::watch::Scope::service(namespace(), "users");
        let mut watch = world
            .control
            .watch(&world.caller, scope, None)
            .await
            .unwrap();
        assert_eq!(
            up_to_bookmark(&mut watch).await,
            ["added users", "added users/u1"]
        );
        world.store.break_watches(error);
        let gone = Transaction::new().then(Op::delete("live/spec/instances/default/users/u1"));
        let committed = world.store.commit(gone).await.unwrap();
        let state = soon(world.control.wait_for(committed.index)).await.unwrap();
        assert_eq!(state.catalog.instances(), 0);
        assert_eq!(told(&mut watch).await, "resync");
        assert_eq!(up_to_bookmark(&mut watch).await, ["added users"]);
        world.seen(instance("users/u2")).await;
        assert_eq!(told(&mut watch).await, "added users/u2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restored_store_is_another_incarnation_for_everybody() {
    let world = World::new().await;
    let before = world.seen(instance("users/u1")).await.index;
    let scope = guildhall_control::watch::Scope::all();
    let mut watch = world
        .control
        .watch(&world.caller, scope.clone(), None)
        .await
        .unwrap();
    up_to_bookmark(&mut watch).await;
    world.store.replace(2);
    assert_eq!(told(&mut watch).await, "resync");
    assert_eq!(up_to_bookmark(&mut watch).await, [""; 0]);
    let written = world.seen(instance("orders/o1")).await;
    assert_eq!(written.index.incarnation, 2);
    assert_eq!(told(&mut watch).await, "added orders");
    let mut resumed = world
        .control
        .watch(&world.caller, scope, Some(before))
        .await
        .unwrap();
    assert_eq!(told(&mut resumed).await, "resync");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_left_out_and_the_rest_goes_on() {
    let world = World::new().await;
    let odd = Transaction::new()
        .then(Op::put("live/spec/services/default/odd", "not json"))
        .then(Op::put("live/spec/planets/default/mars", "{}"));
    world.store.commit(odd).await.unwrap();
    world.seen(instance("users/u1")).await;
    assert_eq!(world.control.state().documents.len(), 2);
    let world = world.restarted().await;
    assert_eq!(world.control.state().documents.len(), 2);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let status = world.control.status();
    assert_eq!((status.documents, status.unreadable), (2, 2));
}
