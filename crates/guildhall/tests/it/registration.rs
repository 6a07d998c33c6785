//! Staying registered: late platforms, lost data, refusals, failing checks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use guildhall::{Registration, Running, Service};
use serde_json::json;

use crate::{get, platform::Platform, service, soon, until};

fn registered(registration: &Registration) -> bool {
    *registration == Registration::Registered
}

async fn known(platform: &Platform, running: &Running, what: impl Fn(&serde_json::Value) -> bool) {
    let key = format!("Instance default/users/{}", running.instance_id());
    let check = async {
        while !platform
            .document(&key)
            .is_some_and(|document| what(&document))
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the instance's document", check).await;
}

/// Beats every 50 ms.
fn lively(platform: &Platform) -> Service {
    service("users")
        .platform(&platform.url())
        .ttl(Duration::from_millis(150))
}

#[tokio::test]
async fn service_version_and_instance_say_what_the_author_said() {
    let platform = Platform::start().await;
    let running = service("users")
        .platform(&platform.url())
        .describe("Keeps the users")
        .endpoint("get", "/users", "All users")
        .depends_on("billing")
        .openapi(
            json!({"openapi": "3.1.0", "info": {"title": "users", "version": "1"}, "paths": {}}),
        )
        .tag("blue")
        .metadata("team", "shop")
        .zone("z1")
        .weight(3)
        .http_check(Duration::from_secs(30))
        .start()
        .await
        .unwrap();
    until(&running, registered).await;
    let service = platform.document("Service default/users").unwrap();
    assert_eq!(service["spec"], json!({"description": "Keeps the users"}));
    let version = platform
        .document("ServiceVersion default/users/1.0.0")
        .unwrap();
    assert_eq!(version["spec"]["api"]["endpoints"][0]["method"], "GET");
    assert_eq!(version["spec"]["dependencies"][0]["service"], "billing");
    assert_eq!(version["spec"]["contract"]["format"], "openapi");
    let port = running.addr().port();
    assert_eq!(running.instance_id(), format!("127.0.0.1:{port}"));
    let instance = platform
        .document(&format!("Instance default/users/127.0.0.1:{port}"))
        .unwrap();
    let spec = &instance["spec"];
    assert_eq!(
        (&spec["host"], &spec["ports"][0]["port"]),
        (&json!("127.0.0.1"), &json!(port))
    );
    assert_eq!(
        (&spec["tags"], &spec["metadata"]),
        (&json!(["blue"]), &json!({"team": "shop"}))
    );
    assert_eq!(
        (&spec["zone"], &spec["weight"], &spec["version"]),
        (&json!("z1"), &json!(3), &json!("1.0.0"))
    );
    assert_eq!(
        (&spec["checks"][0]["type"], &spec["checks"][0]["path"]),
        (&json!("http"), &json!("/health/ready"))
    );
    assert_eq!(spec["checks"][0]["interval"], "30s");
    soon("the stop", running.stop()).await;
    let asked = platform.asked();
    let last = asked.iter().rfind(|call| call.contains("/instances/"));
    assert!(last.unwrap().starts_with("DELETE "), "{asked:?}");
}

#[tokio::test]
async fn a_service_starts_and_serves_without_the_platform_and_registers_when_it_comes() {
    let mut platform = Platform::stopped().await;
    let running = lively(&platform).start().await.unwrap();
    until(&running, |registration| {
        matches!(registration, Registration::Trying { error: Some(_) })
    })
    .await;
    assert_eq!(get(&running, "/health/ready").await.status, 200);
    platform.restart().await;
    until(&running, registered).await;
    known(&platform, &running, |_| true).await;
}

#[tokio::test]
async fn a_platform_that_comes_back_without_its_data_gets_it_again() {
    let mut platform = Platform::start().await;
    let running = lively(&platform).start().await.unwrap();
    until(&running, registered).await;
    platform.lose_everything();
    known(&platform, &running, |_| true).await;

    platform.stop().await;
    platform.lose_everything();
    platform.restart().await;
    known(&platform, &running, |document| {
        document["spec"]["checks"][0]["ttl"] == "150ms"
    })
    .await;
    assert!(
        platform
            .document("ServiceVersion default/users/1.0.0")
            .is_some()
    );
}

#[tokio::test]
async fn what_operators_said_of_a_service_stays() {
    let platform = Platform::start().await;
    let first = lively(&platform)
        .describe("first")
        .instance_id("u1")
        .start()
        .await
        .unwrap();
    until(&first, registered).await;
    let second = lively(&platform)
        .describe("second")
        .instance_id("u2")
        .start()
        .await
        .unwrap();
    until(&second, registered).await;
    let service = platform.document("Service default/users").unwrap();
    assert_eq!(service["spec"]["description"], "first");
}

#[tokio::test]
async fn a_version_that_is_refused_is_served_but_not_registered() {
    let platform = Platform::start().await;
    platform.refuse_versions();
    let running = lively(&platform).start().await.unwrap();
    let refused = |registration: &Registration| matches!(registration, Registration::Trying { error: Some(error) } if error.contains("contract-broken"));
    until(&running, refused).await;
    assert_eq!(get(&running, "/health/ready").await.status, 200);
    assert!(
        platform
            .asked()
            .iter()
            .all(|asked| !asked.contains("/instances/"))
    );
    soon("the stop", running.stop()).await;
    assert!(
        platform
            .asked()
            .iter()
            .all(|asked| !asked.starts_with("DELETE"))
    );
}

#[tokio::test]
async fn a_failing_check_takes_the_instance_out_and_back() {
    let platform = Platform::start().await;
    let well = Arc::new(AtomicBool::new(true));
    let check = well.clone();
    let running = lively(&platform)
        .health_check("database", move || {
            std::future::ready(check.load(Ordering::Relaxed))
        })
        .start()
        .await
        .unwrap();
    until(&running, registered).await;
    known(&platform, &running, |document| {
        document["status"]["health"] == "healthy"
    })
    .await;
    well.store(false, Ordering::Relaxed);
    known(&platform, &running, |document| {
        document["status"]["health"] == "unhealthy"
    })
    .await;
    assert!(
        platform
            .asked()
            .iter()
            .any(|asked| asked.ends_with("/checks/heartbeat"))
    );
    well.store(true, Ordering::Relaxed);
    known(&platform, &running, |document| {
        document["status"]["health"] == "healthy"
    })
    .await;
}
