//! What users of other registries suffer from, each as a test through the front door. Those that need a clock or a seam
//! stand with the crates whose business they are:
//!
//! | pitfall | tests |
//! |---|---|
//! | ghosts after a crash | here; `register`; control `health::a_missed_ttl_is_unhealthy_within_a_second_and_a_heartbeat_brings_it_back`, `an_instance_that_stays_silent_is_removed_with_all_it_had` |
//! | a stalled platform declares the fleet dead | control `health::the_checkers_own_lag_extends_deadlines` |
//! | flapping, and no way to see why | control `active::an_http_check_rises_and_falls`, `health::a_timeline_keeps_the_last_hundred`; `registry::heartbeats_and_reports_move_an_instance` |
//! | long polls that flood, leak or cost O(n) | here; control `watch::a_change_to_one_service_wakes_only_its_watchers`, `watch::watches_end_with_the_control_plane_and_are_bounded`; `process::a_reader_that_stopped_reading_costs_bounded_memory` |
//! | a poll that says nothing changed too late, or something did when nothing had | `poll`; control `poll` |
//! | all unhealthy, and the answer is empty | here; `discovery::a_threshold_gives_all_rather_than_too_few` |
//! | no zone preference, filters on the client | `discovery::filters_narrow_and_near_sorts` |
//! | checks that run together, without bound, a connection each | control `table::ten_thousand_checks_do_not_run_together`, `active::checks_run_side_by_side_up_to_the_bound`, `active::an_http_check_rises_and_falls` |
//! | invalid documents accepted | `refusals`, `cli::exit_codes_say_what_kind_of_failure_it_was` |

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Answer, Node, node, now, send, until};

async fn health(node: &Node, id: &str) -> String {
    let read = node.get(&format!("services/users/instances/{id}")).await;
    let read = read.json();
    read["status"]["health"]
        .as_str()
        .unwrap_or("gone")
        .to_owned()
}

async fn found(node: &Node) -> (Vec<String>, Value) {
    let found = node.get("services/users/instances").await.json();
    let names = found["instances"].as_array().unwrap().iter();
    let name = |instance: &Value| instance["metadata"]["name"].as_str().unwrap().to_owned();
    (names.map(name).collect(), found["protected"].clone())
}

#[tokio::test]
async fn a_crashed_instance_leaves_after_any_time_it_names() {
    let node = node().await;
    let begun = now();
    let checks = r#", "checks": [{"type": "ttl", "ttl": "200ms", "deregisterAfter": "300ms"}]"#;
    node.register("users", "u1", checks).await;
    node.send("PUT", "services/users/instances/u1/heartbeat", &[], "")
        .await;
    until("an unhealthy instance", async || {
        (health(&node, "u1").await == "unhealthy").then_some(())
    })
    .await;
    let silent = begun.elapsed();
    until("no instance", async || {
        (health(&node, "u1").await == "gone").then_some(())
    })
    .await;
    let gone = begun.elapsed();
    assert!(silent >= Duration::from_millis(200), "{silent:?}");
    assert!(gone >= Duration::from_millis(500), "{gone:?}");
    assert!(
        gone < Duration::from_secs(5),
        "{gone:?}: no minute, as elsewhere"
    );
    node.platform.stop().await;
}

/// A long poll that waits for a change to the instances of `service`.
async fn poll(node: &Node, service: &str) -> JoinHandle<Answer> {
    let path = format!("services/{service}/instances");
    let found = node.get(&path).await.json();
    let path = format!("{path}?wait=60s&index={}", found["index"].as_str().unwrap());
    let api = node.api();
    tokio::spawn(async move { send(api, "GET", &path, &[], "").await })
}

#[tokio::test]
async fn a_change_to_one_service_wakes_no_poll_of_another() {
    let node = node().await;
    node.register("users", "u1", "").await;
    node.register("orders", "o1", "").await;
    let (users, orders) = (poll(&node, "users").await, poll(&node, "orders").await);
    node.register("users", "u2", "").await;
    let answer = users.await.unwrap().json();
    assert_eq!(answer["instances"].as_array().unwrap().len(), 2);
    assert!(!orders.is_finished(), "nothing of its service has changed");
    node.register("orders", "o2", "").await;
    assert_eq!(
        orders.await.unwrap().json()["instances"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn all_unhealthy_is_nobody_unless_the_service_asks_for_protection() {
    let node = node().await;
    let bad = r#", "checks": [{"type": "ttl", "ttl": "60s", "initialStatus": "critical"}]"#;
    node.register("users", "u1", bad).await;
    node.register("users", "u2", bad).await;
    until("two unhealthy instances", async || {
        (health(&node, "u1").await == "unhealthy" && health(&node, "u2").await == "unhealthy")
            .then_some(())
    })
    .await;
    assert_eq!(found(&node).await, (vec![], json!(false)), "off by default");
    node.put(
        "services/users",
        r#"{"spec": {"protectionThreshold": 0.3}}"#,
    )
    .await;
    let all = vec!["u1".to_owned(), "u2".to_owned()];
    until("protection", async || {
        (found(&node).await == (all.clone(), json!(true))).then_some(())
    })
    .await;
    node.platform.stop().await;
}

#[tokio::test]
async fn an_instance_is_starting_until_its_first_result_unless_it_says_otherwise() {
    let node = node().await;
    let ttl = |more: &str| format!(r#", "checks": [{{"type": "ttl", "ttl": "60s"{more}}}]"#);
    node.register("users", "new", &ttl("")).await;
    node.register("users", "sure", &ttl(r#", "initialStatus": "passing""#))
        .await;
    node.register("users", "unchecked", "").await;
    until("all three", async || {
        let seen = (
            health(&node, "new").await,
            health(&node, "sure").await,
            health(&node, "unchecked").await,
        );
        (seen
            == (
                "starting".to_owned(),
                "healthy".to_owned(),
                "healthy".to_owned(),
            ))
            .then_some(())
    })
    .await;
    assert_eq!(
        found(&node).await.0,
        ["sure", "unchecked"],
        "what is starting gets no traffic"
    );
    node.send("PUT", "services/users/instances/new/heartbeat", &[], "")
        .await;
    until("its first result", async || {
        (found(&node).await.0.len() == 3).then_some(())
    })
    .await;
    node.platform.stop().await;
}
