//! Servers that take few streams at a time.

use tokio::{runtime::Handle, task::JoinSet};
use tonic::transport::Server;

use super::{away::answer_serving, *};

fn few(platform: &Platform, does: Does, most: u32) -> Upstream {
    let server = Server::builder().max_concurrent_streams(most);
    Upstream::start_with(platform, "users", "u1", does, server, &Handle::current())
}

fn no_second_chances() -> serde_json::Value {
    json!({"retry": {"enabled": false}, "circuitBreaker": {"consecutiveFailures": 1}})
}

#[tokio::test]
async fn calls_wait_for_a_stream_and_none_fails() {
    let platform = Platform::start().await;
    let users = few(&platform, Does::Slow(MS(5)), 2);
    let orders = service(&platform, no_second_chances())
        .start()
        .await
        .unwrap();
    let channel = orders.grpc("users");
    let mut calls = JoinSet::new();
    for _ in 0..60 {
        let channel = channel.clone();
        calls.spawn(async move { check(&channel).await });
    }
    for ended in soon("all calls", calls.join_all()).await {
        assert_eq!(ended.unwrap(), 1);
    }
    // Two streams of each of four connections, and all of them taken.
    assert_eq!((users.asked(), users.peak()), (60, 8));
}

#[tokio::test]
async fn a_call_waits_for_a_stream_no_longer_than_its_deadline() {
    let platform = Platform::start().await;
    let users = few(&platform, Does::Hang, 1);
    let orders = service(&platform, json!({"circuitBreaker": {"enabled": false}}));
    let orders = orders.start().await.unwrap();
    let channel = orders.grpc("users");
    let mut streams = Vec::new();
    for _ in 0..4 {
        let answer = client(&channel).watch(HealthCheckRequest::default()).await;
        streams.push(answer.unwrap().into_inner());
    }
    let hasty = channel.clone().with_timeout(MS(100));
    let status = check(&hasty).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    // It was not sent, and whoever waits next is not behind it.
    assert_eq!(users.asked(), 4);
    users.set(Does::Serve);
    let waits = tokio::spawn(async move { check(&channel).await });
    tokio::task::yield_now().await;
    drop(streams.pop());
    assert_eq!(soon("the room", waits).await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn a_connection_that_cannot_be_opened_keeps_nobody_from_those_that_there_are() {
    let platform = Platform::start().await;
    // It takes one connection with one stream; on others it says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    register(&platform, "users", "u1", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        let mut http = h2::server::Builder::new();
        let handshake = http.max_concurrent_streams(1).handshake(first);
        let mut connection = handshake.await.unwrap();
        let mut silent = Vec::new();
        loop {
            tokio::select! {
                Some(call) = connection.accept() => answer_serving(call.unwrap().1),
                accepted = listener.accept() => silent.push(accepted.unwrap().0),
            }
        }
    });
    let orders = service(&platform, no_second_chances())
        .start()
        .await
        .unwrap();
    let channel = orders.grpc("users").with_timeout(MS(3_000));
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let channel = channel.clone();
        calls.spawn(async move { check(&channel).await });
    }
    for ended in soon("all calls", calls.join_all()).await {
        assert_eq!(ended.unwrap(), 1);
    }
    server.abort();
}
