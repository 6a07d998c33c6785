//! Background duties have one owner, and a late write of a former one is refused.

use std::sync::Arc;
use std::time::Duration;

use guildhall_control::{Control, Error};
use guildhall_core::document::Kind;
use guildhall_core::registry::Health;
use guildhall_store::{Op, Store, Transaction};
use serde_json::json;

use crate::world::*;

#[tokio::test(start_paused = true)]
async fn the_second_replica_takes_over_when_the_first_stops_or_falls_silent() {
    let first = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    first
        .seen(checked("users/u1", json!([{"type": "ttl", "ttl": "5s"}])))
        .await;
    let mut options = options();
    options.duty.replica = "second".to_owned();
    let store = Arc::clone(&first.store) as Arc<dyn Store>;
    let second = Control::start(store, options).await.unwrap();
    assert!(first.control.status().on_duty && !second.status().on_duty);
    let refused = second.registry().heartbeat(&first.caller, &u1).await;
    assert!(matches!(refused, Err(Error::NotOnDuty { owner }) if owner == "local"));
    first
        .control
        .registry()
        .heartbeat(&first.caller, &u1)
        .await
        .unwrap();
    first.until_health(&u1, Health::Healthy).await;
    first.control.stop().await;
    until("the second is on duty", || second.status().on_duty).await;
    second
        .registry()
        .heartbeat(&first.caller, &u1)
        .await
        .unwrap();
    let health = || match second.state().get(&u1) {
        Some(guildhall_core::document::Document::Instance(instance)) => {
            instance.status.clone().map(|s| s.health)
        }
        _ => None,
    };
    assert_eq!(health(), Some(Health::Healthy));
    until("the second has noticed", || {
        health() == Some(Health::Unhealthy)
    })
    .await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_write_without_the_duty_is_refused_and_found_again() {
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    world
        .seen(checked("users/u1", json!([{"type": "ttl", "ttl": "5s"}])))
        .await;
    // Somebody else takes the duty, as after a long pause of this process, and dies.
    let usurped = Transaction::new().then(Op::put("duty/checks", "another"));
    world.store.commit(usurped).await.unwrap();
    world
        .control
        .registry()
        .heartbeat(&world.caller, &u1)
        .await
        .unwrap();
    until("off duty", || !world.control.status().on_duty).await;
    assert_eq!(world.health(&u1), Some(Health::Starting));
    let freed = Transaction::new().then(Op::delete("duty/checks"));
    world.store.commit(freed).await.unwrap();
    until("on duty again", || world.control.status().on_duty).await;
    world.until_health(&u1, Health::Unhealthy).await;
}

#[tokio::test(start_paused = true)]
async fn the_duty_is_kept_while_the_process_lives() {
    let world = World::new().await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(world.control.status().on_duty);
    assert_eq!(world.control.status().store.leases, 1);
    let world = world.restarted().await;
    assert!(world.control.status().on_duty, "a restart waits for nobody");
    assert_eq!(world.control.status().store.leases, 1);
}
