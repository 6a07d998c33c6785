//! TTL checks: heartbeats, silence, removal, lag.

use std::sync::atomic::Ordering;
use std::time::Duration;

use guildhall_core::document::{DocumentKey, Kind};
use guildhall_core::registry::{CheckState, Health};
use serde_json::json;

use crate::world::*;

fn u1() -> DocumentKey {
    key(Kind::Instance, "users/u1")
}

impl World {
    async fn beat(&self) {
        self.control
            .registry()
            .heartbeat(&self.caller, &u1())
            .await
            .unwrap();
    }

    async fn steps(&self) -> Vec<(Health, Health)> {
        let timeline = self
            .control
            .registry()
            .timeline(&self.caller, &u1())
            .await
            .unwrap();
        timeline
            .iter()
            .map(|entry| (entry.from, entry.to))
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_missed_ttl_is_unhealthy_within_a_second_and_a_heartbeat_brings_it_back() {
    let world = World::new().await;
    world
        .seen(checked("users/u1", json!([{"type": "ttl", "ttl": "5s"}])))
        .await;
    assert_eq!(world.health(&u1()), Some(Health::Starting));
    for _ in 0..4 {
        world.beat().await;
        world.until_health(&u1(), Health::Healthy).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    world.beat().await;
    let took = world.until_health(&u1(), Health::Unhealthy).await;
    assert!(
        (Duration::from_secs(5)..Duration::from_secs(6)).contains(&took),
        "{took:?}"
    );
    let status = world.instance_status(&u1()).unwrap();
    assert_eq!(status.checks[0].output, "nothing heard for 5s");
    world.beat().await;
    let took = world.until_health(&u1(), Health::Healthy).await;
    assert!(took < Duration::from_millis(100), "{took:?}");
    let expect = [
        (Health::Starting, Health::Healthy),
        (Health::Healthy, Health::Unhealthy),
        (Health::Unhealthy, Health::Healthy),
    ];
    assert_eq!(world.steps().await, expect);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_and_equal_reports_write_nothing() {
    let world = World::new().await;
    world
        .seen(checked("users/u1", json!([{"type": "ttl", "ttl": "5s"}])))
        .await;
    world.beat().await;
    world.until_health(&u1(), Health::Healthy).await;
    let before = world.store.commits.load(Ordering::Relaxed);
    for _ in 0..1_000 {
        world.beat().await;
        world
            .control
            .registry()
            .report(&world.caller, &u1(), "ttl", CheckState::Passing, "x")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.store.commits.load(Ordering::Relaxed), before);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_stays_silent_is_removed_with_all_it_had() {
    let world = World::new().await;
    let check = json!([{"type": "ttl", "ttl": "2s", "deregisterAfter": "10s"}]);
    world.seen(checked("users/u1", check)).await;
    world.beat().await;
    world.until_health(&u1(), Health::Unhealthy).await;
    let took = until("removed", || world.health(&u1()).is_none()).await;
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(12)).contains(&took),
        "{took:?}"
    );
    let left = world.store.engine().range(
        &guildhall_store::Range::default(),
        tokio::time::Instant::now().into_std(),
    );
    let left: Vec<_> = left
        .unwrap()
        .entries
        .iter()
        .map(|entry| entry.key.clone())
        .collect();
    assert_eq!(left, ["duty/checks", "live/spec/services/default/users"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_heard_again_is_not_removed() {
    let world = World::new().await;
    world
        .seen(checked(
            "users/u1",
            json!([{"type": "ttl", "ttl": "2s", "deregisterAfter": "10s"}]),
        ))
        .await;
    world.until_health(&u1(), Health::Unhealthy).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    world.beat().await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(
        world.health(&u1()),
        Some(Health::Unhealthy),
        "silent again, but not for long enough"
    );
    until("removed", || world.health(&u1()).is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn the_checkers_own_lag_extends_deadlines() {
    let world = World::new().await;
    world
        .seen(checked("users/u1", json!([{"type": "ttl", "ttl": "5s"}])))
        .await;
    world.beat().await;
    world.until_health(&u1(), Health::Healthy).await;
    // The whole process stands still for a minute: nothing could be heard.
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(world.health(&u1()), Some(Health::Healthy));
    assert!(world.control.status().checks.lag > Duration::from_secs(55));
    let took = world.until_health(&u1(), Health::Unhealthy).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn statuses_and_timelines_stay_over_a_restart_and_deadlines_start_afresh() {
    let world = World::new().await;
    world
        .seen(checked("users/u1", json!([{"type": "ttl", "ttl": "5s"}])))
        .await;
    world.beat().await;
    world.until_health(&u1(), Health::Healthy).await;
    let (status, steps) = (world.instance_status(&u1()), world.steps().await);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let world = world.restarted().await;
    assert_eq!(
        (world.instance_status(&u1()), world.steps().await),
        (status, steps)
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(world.health(&u1()), Some(Health::Healthy));
    world.until_health(&u1(), Health::Unhealthy).await;
    let steps = world.steps().await;
    assert_eq!(steps.last(), Some(&(Health::Healthy, Health::Unhealthy)));
    let world = world.restarted().await;
    assert_eq!(world.health(&u1()), Some(Health::Unhealthy));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(
        world.steps().await,
        steps,
        "what is known is not found again"
    );
    world.beat().await;
    world.until_health(&u1(), Health::Healthy).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeline_keeps_the_last_hundred() {
    let world = World::new().await;
    world
        .seen(checked("users/u1", json!([{"type": "ttl", "ttl": "1h"}])))
        .await;
    for n in 0..130 {
        let state = if n % 2 == 0 {
            CheckState::Passing
        } else {
            CheckState::Critical
        };
        let output = format!("step {n}");
        world
            .control
            .registry()
            .report(&world.caller, &u1(), "ttl", state, &output)
            .await
            .unwrap();
        let health = if n % 2 == 0 {
            Health::Healthy
        } else {
            Health::Unhealthy
        };
        world.until_health(&u1(), health).await;
    }
    let world = world.restarted().await;
    let timeline = world
        .control
        .registry()
        .timeline(&world.caller, &u1())
        .await
        .unwrap();
    assert_eq!(timeline.len(), 100);
    assert_eq!(
        (timeline[0].number, timeline[0].output.as_str()),
        (30, "step 30")
    );
    assert_eq!(
        (timeline[99].number, timeline[99].output.as_str()),
        (129, "step 129")
    );
}

#[tokio::test(start_paused = true)]
async fn other_checks_change_the_status_and_equal_ones_keep_it() {
    let world = World::new().await;
    let ttl = |name: &str| json!({"type": "ttl", "ttl": "1h", "name": name});
    world
        .seen(checked("users/u1", json!([ttl("a"), ttl("b")])))
        .await;
    let registry = world.control.registry();
    registry
        .report(&world.caller, &u1(), "a", CheckState::Passing, "")
        .await
        .unwrap();
    registry
        .report(&world.caller, &u1(), "b", CheckState::Critical, "")
        .await
        .unwrap();
    world.until_health(&u1(), Health::Unhealthy).await;
    // b is no longer there, and with it what it said.
    world.seen(checked("users/u1", json!([ttl("a")]))).await;
    assert_eq!(world.health(&u1()), Some(Health::Healthy));
    world
        .seen(checked("users/u1", json!([ttl("a"), ttl("c")])))
        .await;
    assert_eq!(world.health(&u1()), Some(Health::Starting));
    world.beat().await;
    world.until_health(&u1(), Health::Healthy).await;
    world.seen(instance("users/u1")).await;
    assert_eq!(world.instance_status(&u1()).unwrap().checks, []);
    assert_eq!(world.health(&u1()), Some(Health::Healthy));
}

#[tokio::test(start_paused = true)]
async fn default_checks_of_a_service_are_run_for_its_instances() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    world
        .seen(service(
            "users",
            json!({"checks": [{"type": "ttl", "ttl": "2s"}]}),
        ))
        .await;
    world.beat().await;
    world.until_health(&u1(), Health::Healthy).await;
    world.until_health(&u1(), Health::Unhealthy).await;
    world.seen(service("users", json!({}))).await;
    assert_eq!(world.health(&u1()), Some(Health::Healthy));
    assert_eq!(world.control.status().checks.instances, 0);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_comes_back_begins_anew() {
    let world = World::new().await;
    let register = || checked("users/u1", json!([{"type": "ttl", "ttl": "2s"}]));
    world.seen(register()).await;
    world.until_health(&u1(), Health::Unhealthy).await;
    world.delete(&u1()).await;
    world.seen(register()).await;
    assert_eq!(
        (world.health(&u1()), world.steps().await),
        (Some(Health::Starting), vec![])
    );
    world.beat().await;
    world.until_health(&u1(), Health::Healthy).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_restore_the_older_document_is_what_is_checked() {
    let world = World::new().await;
    world.seen(service("filler", json!({}))).await;
    world
        .seen(checked("users/u1", json!([{"type": "ttl", "ttl": "1h"}])))
        .await;
    world.store.replace(2);
    let old = checked("users/u1", json!([{"type": "ttl", "ttl": "2s"}]));
    let key = u1().store_key(guildhall_core::document::KeyPart::Spec);
    let put = guildhall_store::Op::put(key, old.to_stored().unwrap());
    let restored = guildhall_store::Transaction::new().then(put);
    guildhall_store::Store::commit(&*world.store, restored)
        .await
        .unwrap();
    // The duty is not held in the restored store: it is taken up anew, and deadlines with it.
    let took = world.until_health(&u1(), Health::Unhealthy).await;
    assert!(took < Duration::from_secs(8), "{took:?}");
}
