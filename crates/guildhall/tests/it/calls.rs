//! Calls from one service to another.

use std::{collections::BTreeSet, time::Duration};

use axum::{Json, Router, extract::State, routing::get as route};
use guildhall::{CallError, Registration, Running, ServiceClient};
use guildhall_core::{
    document::{Document, Metadata, Namespace, Object, ServiceName},
    registry::{Health, Instance, InstanceStatus},
};
use http::HeaderMap;
use serde_json::json;

use crate::{fetch, platform::Platform, service, soon, until};

/// Says who it is and what it was sent.
async fn users(platform: &Platform, id: &'static str) -> Running {
    let seen = move |headers: HeaderMap| async move {
        let header = |name: &str| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        Json(json!({
            "id": id, "request": header("x-request-id"), "caller": header("x-service-id"),
            "traceparent": header("traceparent"), "agent": header("user-agent"),
        }))
    };
    let router = Router::new()
        .route("/who", route(seen))
        .route("/slow", route(std::future::pending::<&str>));
    let running = service("users")
        .platform(&platform.url())
        .instance_id(id)
        .propagation(Duration::from_millis(200))
        .router(router)
        .start()
        .await
        .unwrap();
    until(&running, |registration| {
        *registration == Registration::Registered
    })
    .await;
    running
}

async fn orders(platform: &Platform) -> Running {
    service("orders")
        .platform(&platform.url())
        .start()
        .await
        .unwrap()
}

async fn who(users: &ServiceClient) -> Result<String, CallError> {
    let answer = users.get("/who").send().await?.success()?;
    Ok(answer.json::<serde_json::Value>()?["id"]
        .as_str()
        .unwrap()
        .to_owned())
}

/// An instance that nobody runs.
fn ghost(host: &str, port: u16, health: Health) -> Document {
    let spec = Instance::new(ServiceName::new("users").unwrap(), host, port);
    let mut object = Object::new(Metadata::named(Namespace::default(), "ghost"), spec);
    object.status = Some(InstanceStatus {
        health,
        ..InstanceStatus::default()
    });
    object.into()
}

#[tokio::test]
async fn calls_go_to_every_instance_and_follow_the_registry() {
    let platform = Platform::start().await;
    let (u1, u2) = (users(&platform, "u1").await, users(&platform, "u2").await);
    let orders = orders(&platform).await;
    let client = orders.client("users");
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        seen.insert(who(&client).await.unwrap());
    }
    assert_eq!(seen, BTreeSet::from(["u1".to_owned(), "u2".to_owned()]));

    // No call fails while one of them leaves.
    let leaving = tokio::spawn(u1.stop());
    while !leaving.is_finished() {
        who(&client).await.unwrap();
    }
    for _ in 0..20 {
        assert_eq!(who(&client).await.unwrap(), "u2");
    }
    soon("the end", u2.stop()).await;
    let none = async { while !matches!(who(&client).await, Err(CallError::NoInstance { .. })) {} };
    soon("an empty registry", none).await;
}

#[tokio::test]
async fn a_request_carries_its_context_on() {
    let platform = Platform::start().await;
    let _users = users(&platform, "u1").await;
    let service = service("orders").platform(&platform.url());
    let client = service.client("users");
    let forward = |State(users): State<ServiceClient>| async move {
        Json(
            users
                .get("/who")
                .send()
                .await
                .unwrap()
                .json::<serde_json::Value>()
                .unwrap(),
        )
    };
    let router = Router::new()
        .route("/via", route(forward))
        .with_state(client);
    let orders = service.router(router).start().await.unwrap();
    let headers = [
        ("x-request-id", "r-9"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ];
    let got = fetch(&format!("http://{}/via", orders.addr()), &headers)
        .await
        .unwrap()
        .json();
    assert_eq!(
        (&got["request"], &got["caller"], &got["agent"]),
        (&json!("r-9"), &json!("orders"), &json!("orders/1.0.0"))
    );
    assert_eq!(
        got["traceparent"],
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    );
}

#[tokio::test]
async fn errors_say_what_happened() {
    let platform = Platform::start().await;
    let early = service("early").client("users");
    assert!(matches!(
        who(&early).await,
        Err(CallError::NotStarted { .. })
    ));
    let alone = service("alone").start().await.unwrap();
    assert!(matches!(
        who(&alone.client("users")).await,
        Err(CallError::NoPlatform { .. })
    ));

    let orders = orders(&platform).await;
    let client = orders.client("users");
    let error = who(&client).await.unwrap_err();
    assert!(
        error.was_not_sent() && error.to_string().contains("none is registered"),
        "{error}"
    );

    platform.put(ghost("127.0.0.1", 1, Health::Unhealthy));
    let unhealthy = async {
        loop {
            let error = who(&client).await.unwrap_err();
            if error
                .to_string()
                .contains("none of its 1 registered instances is healthy")
            {
                return;
            }
        }
    };
    soon("the unhealthy instance", unhealthy).await;

    platform.put(ghost("127.0.0.1", 1, Health::Healthy));
    let refused = async { while !matches!(who(&client).await, Err(CallError::Connect { .. })) {} };
    soon("the refused connection", refused).await;

    platform.remove(&ghost("127.0.0.1", 1, Health::Healthy));
    let _users = users(&platform, "u1").await;
    soon("the real instance", async {
        while who(&client).await.is_err() {}
    })
    .await;
    let error = client
        .get("/slow")
        .timeout(Duration::from_millis(50))
        .send()
        .await
        .unwrap_err();
    let (service, after) = ("users".to_owned(), Duration::from_millis(50));
    assert_eq!(
        error,
        CallError::Timeout {
            service,
            instance: Some("u1".to_owned()),
            after
        }
    );
    assert!(error.is_unavailable() && !error.was_not_sent());
    let error = client
        .get("/nothing")
        .send()
        .await
        .unwrap()
        .success()
        .unwrap_err();
    assert!(matches!(error, CallError::Status { status, .. } if status == 404));
    assert!(matches!(
        client.get("no-slash").send().await,
        Err(CallError::Invalid { .. })
    ));
    assert!(matches!(
        client.get("/").header("a b", "c").send().await,
        Err(CallError::Invalid { .. })
    ));
}

#[tokio::test]
async fn calls_work_on_after_a_restart_while_the_platform_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut platform = Platform::start().await;
    let _users = users(&platform, "u1").await;
    let orders = || service("orders").cache_dir(folder.path());
    let first = orders().platform(&platform.url()).start().await.unwrap();
    assert_eq!(who(&first.client("users")).await.unwrap(), "u1");
    platform.stop().await;
    assert_eq!(who(&first.client("users")).await.unwrap(), "u1");
    soon("the end", first.stop()).await;

    let again = orders().platform(&platform.url()).start().await.unwrap();
    assert_eq!(who(&again.client("users")).await.unwrap(), "u1");
    let unknown = again
        .client("nobody-knows")
        .with_timeout(Duration::from_millis(50));
    let error = unknown.get("/").send().await.unwrap_err();
    assert!(
        matches!(
            error,
            CallError::Unresolved { .. } | CallError::Timeout { .. }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn bodies_are_sent_and_read() {
    let platform = Platform::start().await;
    let echo = axum::routing::post(|headers: HeaderMap, body: String| async move {
        format!("{} {body}", headers["content-type"].to_str().unwrap())
    });
    let running = service("users")
        .platform(&platform.url())
        .router(Router::new().route("/echo", echo))
        .start()
        .await
        .unwrap();
    until(&running, |registration| {
        *registration == Registration::Registered
    })
    .await;
    let orders = orders(&platform).await;
    let answer = orders
        .client("users")
        .post("/echo?a=b")
        .json(&json!({"n": 1}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.text(), "application/json {\"n\":1}");
    assert_eq!(answer.instance(), running.instance_id());
}
