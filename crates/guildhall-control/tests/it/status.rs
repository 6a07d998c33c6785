//! Transitions of many instances, written together.

use std::sync::atomic::Ordering;
use std::time::Duration;

use guildhall_core::document::Kind;
use guildhall_core::registry::{Health, Maintenance, MaintenanceMode};
use serde_json::json;

use crate::world::*;

#[tokio::test(start_paused = true)]
async fn transitions_of_many_instances_share_transactions() {
    let world = World::new().await;
    let keys: Vec<_> = (0..500)
        .map(|n| key(Kind::Instance, &format!("users/u{n}")))
        .collect();
    for key in &keys {
        world
            .put(checked(&key.name, json!([{"type": "ttl", "ttl": "5s"}])))
            .await
            .unwrap();
    }
    for key in &keys {
        world
            .control
            .registry()
            .heartbeat(&world.caller, key)
            .await
            .unwrap();
    }
    let all = |health| keys.iter().all(|key| world.health(key) == Some(health));
    until("all healthy", || all(Health::Healthy)).await;
    let before = world.store.commits.load(Ordering::Relaxed);
    let took = until("all unhealthy", || all(Health::Unhealthy)).await;
    assert!(took < Duration::from_secs(6), "{took:?}");
    let commits = world.store.commits.load(Ordering::Relaxed) - before;
    // 128 operations a transaction, two for each instance, and a compare for each and the fence.
    assert!(
        (8..=40).contains(&commits),
        "{commits} transactions for 500 instances"
    );
}

#[tokio::test(start_paused = true)]
async fn an_operator_and_a_check_do_not_lose_each_others_writes() {
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    let ttl = |name: &str| json!({"type": "ttl", "ttl": "1h", "name": name});
    world
        .seen(checked("users/u1", json!([ttl("a"), ttl("b")])))
        .await;
    let registry = world.control.registry();
    for round in 0..20 {
        let wish = (round % 2 == 0).then(|| Maintenance {
            mode: MaintenanceMode::Maintenance,
            reason: round.to_string(),
            by: String::new(),
        });
        let state = if round % 2 == 0 {
            guildhall_core::registry::CheckState::Passing
        } else {
            guildhall_core::registry::CheckState::Critical
        };
        let (held, reported) = tokio::join!(
            registry.maintenance(&world.caller, &u1, wish.clone()),
            registry.report(&world.caller, &u1, "a", state, "")
        );
        held.unwrap();
        reported.unwrap();
        until("both are there", || {
            let status = world.instance_status(&u1).unwrap();
            status.checks[0].state == state && status.maintenance.is_some() == wish.is_some()
        })
        .await;
    }
    let timeline = registry.timeline(&world.caller, &u1).await.unwrap();
    let numbers: Vec<u64> = timeline.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_waits_at_the_stop_is_written() {
    let world = World::new().await;
    let keys: Vec<_> = (0..200)
        .map(|n| key(Kind::Instance, &format!("users/u{n}")))
        .collect();
    for key in &keys {
        world
            .seen(checked(&key.name, json!([{"type": "ttl", "ttl": "1h"}])))
            .await;
    }
    for key in &keys {
        world
            .control
            .registry()
            .heartbeat(&world.caller, key)
            .await
            .unwrap();
    }
    world.control.stop().await;
    let world = world.restarted().await;
    assert!(
        keys.iter()
            .all(|key| world.health(key) == Some(Health::Healthy))
    );
}
