//! Starting and stopping, in order.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get as route};
use guildhall::{Phase, Service, ServiceError};
use tokio::sync::Notify;

use crate::{fetch, get, platform::Platform, service, soon, until};

#[tokio::test]
async fn what_is_wrong_is_told_at_the_start_all_at_once() {
    let wrong = Service::new("Not A Name", "1.0.0")
        .bind("nowhere")
        .depends_on("also wrong")
        .namespace("NS")
        .standalone();
    let _client = wrong.client("no/name");
    let Err(ServiceError::Settings(problems)) = wrong.start().await else {
        panic!("it started")
    };
    for part in ["bind:", "depends_on:", "namespace:", "name:", "client:"] {
        assert!(
            problems.iter().any(|problem| problem.starts_with(part)),
            "{part} is not in {problems:?}"
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let first = service("first").start().await.unwrap();
    let second = service("second")
        .bind(&first.addr().to_string())
        .start()
        .await;
    let error = second.unwrap_err().to_string();
    assert!(
        error.contains("is another process using the port?"),
        "{error}"
    );
}

/// A route that answers when it is told to, and says when it was asked.
fn held() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (asked.clone(), answer.clone());
    let handler = move || {
        let (tell, wait) = (tell.clone(), wait.clone());
        async move {
            tell.notify_one();
            wait.notified().await;
            "done"
        }
    };
    (Router::new().route("/slow", route(handler)), asked, answer)
}

#[tokio::test]
async fn a_stop_leaves_the_registry_first_and_fails_nobody() {
    let platform = Platform::start().await;
    let (router, asked, answer) = held();
    let running = service("orders")
        .platform(&platform.url())
        .propagation(Duration::from_millis(300))
        .router(router)
        .start()
        .await
        .unwrap();
    until(&running, |registration| {
        *registration == guildhall::Registration::Registered
    })
    .await;
    let key = format!("Instance default/orders/{}", running.instance_id());
    assert!(platform.document(&key).is_some());

    let base = format!("http://{}", running.addr());
    let slow = tokio::spawn({
        let url = format!("{base}/slow");
        async move { fetch(&url, &[]).await }
    });
    soon("the slow request", asked.notified()).await;
    let mut registration = running.registration();
    let stopping = tokio::spawn(running.stop());
    let left = registration
        .wait_for(|registration| *registration == guildhall::Registration::Deregistered);
    soon("the farewell", async { left.await.map(drop) })
        .await
        .unwrap();
    assert!(platform.document(&key).is_none());

    // Who has not heard of it yet is served still, and told that it is not ready.
    let ready = fetch(&format!("{base}/health/ready"), &[]).await.unwrap();
    assert_eq!(
        (ready.status, ready.json()["status"].as_str()),
        (503, Some("stopping"))
    );
    assert_eq!(
        fetch(&format!("{base}/health/live"), &[])
            .await
            .unwrap()
            .status,
        200
    );

    // Then nothing new is accepted, and what is under way finishes.
    let refused = async { while fetch(&format!("{base}/health/live"), &[]).await.is_ok() {} };
    soon("the closed door", refused).await;
    answer.notify_one();
    assert_eq!(
        soon("the slow answer", slow).await.unwrap().unwrap().body,
        "done"
    );
    assert_eq!(soon("the end", stopping).await.unwrap().cut, 0);
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_at_the_deadline() {
    let (router, asked, _answer) = held();
    let running = service("orders")
        .drain_deadline(Duration::from_millis(50))
        .router(router)
        .start()
        .await
        .unwrap();
    assert_eq!(running.phase(), Phase::Running);
    let url = format!("http://{}/slow", running.addr());
    let slow = tokio::spawn(async move { fetch(&url, &[]).await });
    soon("the slow request", asked.notified()).await;
    assert_eq!(soon("the end", running.stop()).await.cut, 1);
    assert!(soon("the cut", slow).await.unwrap().is_err());
}

#[tokio::test]
async fn a_service_that_is_dropped_ends() {
    let running = service("orders").start().await.unwrap();
    let base = format!("http://{}/health/live", running.addr());
    assert_eq!(fetch(&base, &[]).await.unwrap().status, 200);
    drop(running);
    soon("the end", async {
        while fetch(&base, &[]).await.is_ok() {}
    })
    .await;
}

#[tokio::test]
async fn connections_beyond_the_most_wait() {
    let (router, asked, answer) = held();
    let running = service("orders")
        .max_connections(1)
        .router(router)
        .start()
        .await
        .unwrap();
    let url = format!("http://{}/slow", running.addr());
    let first = tokio::spawn({
        let url = url.clone();
        async move { fetch(&url, &[]).await }
    });
    soon("the first request", asked.notified()).await;
    let second = tokio::spawn(async move { fetch(&url, &[]).await });
    answer.notify_one();
    soon("the first answer", first).await.unwrap().unwrap();
    soon("the second request", asked.notified()).await;
    answer.notify_one();
    soon("the second answer", second).await.unwrap().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn run_ends_in_order_on_sigterm() {
    let port = get_free_port().await;
    let running = tokio::spawn(service("orders").bind(&format!("127.0.0.1:{port}")).run());
    let url = format!("http://127.0.0.1:{port}/health/ready");
    soon("the start", async {
        while fetch(&url, &[]).await.is_err() {
            tokio::task::yield_now().await
        }
    })
    .await;
    let kill = format!("kill -TERM {}", std::process::id());
    assert!(
        std::process::Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    soon("the end", running).await.unwrap().unwrap();
    assert!(fetch(&url, &[]).await.is_err());
}

#[cfg(unix)]
async fn get_free_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test]
async fn ready_says_so() {
    let running = service("orders").start().await.unwrap();
    assert_eq!(get(&running, "/health/ready").await.status, 200);
}
