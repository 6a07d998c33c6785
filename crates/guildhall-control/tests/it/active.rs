//! Active checks against upstreams, in real time with short intervals.

use std::sync::atomic::Ordering;
use std::time::Duration;

use guildhall_core::document::{Document, Kind};
use guildhall_core::registry::{CheckState, Health};
use serde_json::{Value, json};
use tonic_health::ServingStatus;

use crate::upstream::{HttpUpstream, silent};
use crate::world::*;

/// An instance at `port` with a check whose times suit a test.
fn probed(name: &str, port: u16, mut check: Value) -> Document {
    let usual = json!({"interval": "30ms", "timeout": "2s", "fall": 3});
    for (field, value) in usual.as_object().unwrap() {
        check
            .as_object_mut()
            .unwrap()
            .entry(field)
            .or_insert(value.clone());
    }
    document(
        Kind::Instance,
        name,
        json!({"host": "127.0.0.1", "port": port, "checks": [check]}),
    )
}

#[tokio::test]
async fn an_http_check_rises_and_falls() {
    let upstream = HttpUpstream::start("all is well").await;
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    let check = json!({"type": "http", "path": "/ready?full=1", "rise": 2, "headers": {"x-token": "t"}, "expectedBody": "well"});
    world
        .seen(probed("users/u1", upstream.address.port(), check))
        .await;
    world.until_health(&u1, Health::Healthy).await;
    upstream.answer(500);
    let failing = upstream.count();
    world.until_health(&u1, Health::Unhealthy).await;
    assert!(upstream.count() >= failing + 3, "three failures in a row");
    let status = world.instance_status(&u1).unwrap();
    assert_eq!(
        status.checks[0].output,
        "500 Internal Server Error: all is well"
    );
    upstream.answer(429);
    world.until_health(&u1, Health::Warning).await;
    upstream.answer(200);
    world.until_health(&u1, Health::Healthy).await;
    let request = upstream.requests.lock().unwrap().pop().unwrap();
    assert_eq!(
        (
            request.uri().to_string().as_str(),
            &request.headers()["x-token"]
        ),
        ("/ready?full=1", &"t".parse().unwrap())
    );
    assert_eq!(
        upstream.connections.load(Ordering::SeqCst),
        1,
        "the connection is kept"
    );
    let timeline = world
        .control
        .registry()
        .timeline(&world.caller, &u1)
        .await
        .unwrap();
    let steps: Vec<_> = timeline.iter().map(|entry| entry.to).collect();
    assert_eq!(
        steps,
        [
            Health::Healthy,
            Health::Unhealthy,
            Health::Warning,
            Health::Healthy
        ]
    );
}

#[tokio::test]
async fn expectations_and_silence_decide() {
    let upstream = HttpUpstream::start("hello").await;
    let (quiet, task) = silent().await;
    let world = World::new().await;
    let port = upstream.address.port();
    upstream.answer(204);
    world
        .seen(probed(
            "a/range",
            port,
            json!({"type": "http", "expectedStatus": [200, "202-204"]}),
        ))
        .await;
    world
        .seen(probed(
            "a/status",
            port,
            json!({"type": "http", "expectedStatus": [200]}),
        ))
        .await;
    world
        .seen(probed(
            "a/body",
            port,
            json!({"type": "http", "expectedBody": "bye"}),
        ))
        .await;
    world
        .seen(probed(
            "a/quiet",
            quiet.port(),
            json!({"type": "http", "timeout": "50ms"}),
        ))
        .await;
    world
        .until_health(&key(Kind::Instance, "a/range"), Health::Healthy)
        .await;
    for name in ["a/status", "a/body", "a/quiet"] {
        world
            .until_health(&key(Kind::Instance, name), Health::Unhealthy)
            .await;
    }
    let quiet = world
        .instance_status(&key(Kind::Instance, "a/quiet"))
        .unwrap();
    assert_eq!(quiet.checks[0].output, "no answer within 50ms");
    task.abort();
}

#[tokio::test]
async fn a_tcp_check_connects() {
    let (open, task) = silent().await;
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    world
        .seen(probed(
            "users/u1",
            open.port(),
            json!({"type": "tcp", "fall": 1}),
        ))
        .await;
    world.until_health(&u1, Health::Healthy).await;
    task.abort();
    world.until_health(&u1, Health::Unhealthy).await;
    let output = world.instance_status(&u1).unwrap().checks[0].output.clone();
    assert!(
        output.starts_with("cannot connect to 127.0.0.1:"),
        "{output}"
    );
}

#[tokio::test]
async fn a_grpc_check_asks_the_health_service() {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("shop.Users", ServingStatus::Serving)
        .await;
    let incoming =
        tonic::transport::server::TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = incoming.local_addr().unwrap().port();
    let server = tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
    let world = World::new().await;
    let (users, all, none) = (
        key(Kind::Instance, "a/users"),
        key(Kind::Instance, "a/all"),
        key(Kind::Instance, "a/none"),
    );
    world
        .seen(probed(
            "a/users",
            port,
            json!({"type": "grpc", "service": "shop.Users"}),
        ))
        .await;
    world
        .seen(probed("a/all", port, json!({"type": "grpc"})))
        .await;
    world
        .seen(probed(
            "a/none",
            port,
            json!({"type": "grpc", "service": "shop.None"}),
        ))
        .await;
    world.until_health(&users, Health::Healthy).await;
    world.until_health(&all, Health::Healthy).await;
    world.until_health(&none, Health::Unhealthy).await;
    reporter
        .set_service_status("shop.Users", ServingStatus::NotServing)
        .await;
    world.until_health(&users, Health::Unhealthy).await;
    assert_eq!(
        world.instance_status(&users).unwrap().checks[0].output,
        "NOT_SERVING"
    );
    assert_eq!(world.health(&all), Some(Health::Healthy));
    // What speaks HTTP/1 only is no gRPC server.
    let upstream = HttpUpstream::start("hello").await;
    world
        .seen(probed(
            "a/http",
            upstream.address.port(),
            json!({"type": "grpc"}),
        ))
        .await;
    world
        .until_health(&key(Kind::Instance, "a/http"), Health::Unhealthy)
        .await;
    server.abort();
}

#[tokio::test]
async fn link_local_targets_are_refused_unless_allowed() {
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    let checks = json!([{"type": "tcp", "interval": "30ms"}]);
    let spec = json!({"host": "169.254.169.254", "port": 80, "checks": checks});
    world.seen(document(Kind::Instance, "users/u1", spec)).await;
    world.until_health(&u1, Health::Unhealthy).await;
    let output = world.instance_status(&u1).unwrap().checks[0].output.clone();
    assert!(output.contains("link-local"), "{output}");
}

#[tokio::test]
async fn checks_run_side_by_side_up_to_the_bound() {
    let (quiet, task) = silent().await;
    let mut options = options();
    options.checks.concurrency = 4;
    options.checks.first_within = Duration::from_millis(1);
    let world = World::with(options).await;
    for n in 0..10 {
        let check = json!({"type": "http", "timeout": "300ms", "interval": "10s"});
        world
            .seen(probed(&format!("users/u{n}"), quiet.port(), check))
            .await;
    }
    let statistics = || world.control.status().checks;
    until("some wait", || {
        statistics().running == 4 && statistics().waiting == 6
    })
    .await;
    until("all have run", || statistics().runs >= 10).await;
    task.abort();
}

#[tokio::test]
async fn a_failing_instance_is_removed_after_its_time() {
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    world
        .seen(probed(
            "users/u1",
            1,
            json!({"type": "tcp", "fall": 1, "deregisterAfter": "200ms"}),
        ))
        .await;
    until("removed", || world.health(&u1).is_none()).await;
}

#[tokio::test]
async fn several_checks_have_states_of_their_own() {
    let upstream = HttpUpstream::start("hello").await;
    let world = World::new().await;
    let u1 = key(Kind::Instance, "users/u1");
    let port = upstream.address.port();
    let check = |name: &str, port: u16| json!({"type": "tcp", "name": name, "port": port, "interval": "30ms", "fall": 1});
    let spec =
        json!({"host": "localhost", "port": port, "checks": [check("up", port), check("down", 1)]});
    world.seen(document(Kind::Instance, "users/u1", spec)).await;
    until("both have answered", || {
        let status = world.instance_status(&u1).unwrap();
        let states: Vec<_> = status.checks.iter().map(|check| check.state).collect();
        states == [CheckState::Passing, CheckState::Critical]
    })
    .await;
    assert_eq!(world.health(&u1), Some(Health::Unhealthy));
}
