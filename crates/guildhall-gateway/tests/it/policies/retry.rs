//! Sending again: elsewhere, within the budget, with the body; and sending twice.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{GET, Moody, counter, shown, under};
use crate::support::{Backend, for_service, ok, soon, status};

fn retry(attempts: u32) -> Value {
    json!({"retry": {"attempts": attempts, "backOff": {"baseInterval": "1ms"}}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_request_is_sent_to_another_instance() {
    let (well, ill) = (Moody::named("well").await, Moody::named("ill").await);
    ill.answers(503);
    let policy = for_service("calm", 1, retry(1));
    let fixture = under(&[&well.backend, &ill.backend], vec![policy]).await;
    let mut client = fixture.client().await;
    for _ in 0..40 {
        assert_eq!(client.ask(GET).await.text(), "well");
    }
    assert!(ill.backend.requests() > 0);
    let traffic = fixture.gateway.status().traffic;
    assert_eq!(traffic.retries, ill.backend.requests() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_not_sent_again_and_neither_is_a_body_too_large() {
    let ill = Moody::named("ill").await;
    ill.answers(503);
    let fixture = under(&[&ill.backend], vec![for_service("calm", 1, retry(2))]).await;
    let mut client = fixture.client().await;
    let sent = |method: &str, length: usize, more: &str| {
        let body = "x".repeat(length);
        format!("{method} / HTTP/1.1\r\nHost: a\r\n{more}Content-Length: {length}\r\n\r\n{body}")
    };
    for (request, attempts) in [
        (sent("POST", 2, ""), 1),
        (sent("POST", 2, "Idempotency-Key: k\r\n"), 3),
        (sent("PUT", 2, ""), 3),
        (sent("PUT", 65_537, ""), 1),
        (GET.to_owned(), 3),
    ] {
        let before = ill.backend.requests();
        assert_eq!(client.ask(&request).await.status, 503);
        let line = request.lines().next().unwrap();
        assert_eq!(ill.backend.requests() - before, attempts, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_is_sent_again_as_it_was() {
    let (seen, counts) = counter();
    let backend = Backend::answering(move |request| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        match counts.fetch_add(1, Ordering::SeqCst) {
            0 => status(503, ""),
            _ => ok(&format!("{body}|{}", request.trailers.trim())),
        }
    })
    .await;
    let fixture = under(&[&backend], vec![for_service("calm", 1, retry(1))]).await;
    let chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let answer = fixture.ask(chunked).await;
    assert_eq!((answer.status, answer.text()), (200, "abcde|"));
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_requests_share_a_budget() {
    let ill = Moody::named("ill").await;
    ill.answers(503);
    let mut spec = retry(1);
    spec["retry"]["budget"] = json!({"percent": 20, "minRetriesPerSecond": 0});
    let fixture = under(&[&ill.backend], vec![for_service("calm", 1, spec)]).await;
    let mut client = fixture.client().await;
    for _ in 0..50 {
        assert_eq!(client.ask(GET).await.status, 503);
    }
    assert_eq!(ill.backend.requests(), 60, "a fifth more");
    let traffic = fixture.gateway.status().traffic;
    assert_eq!((traffic.retries, traffic.retries_over_budget), (10, 40));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pause_that_the_service_asks_for_is_kept() {
    let (_, counts) = counter();
    let backend = Backend::answering(move |_| match counts.fetch_add(1, Ordering::SeqCst) {
        0 => status(503, "Retry-After: 1\r\n"),
        1 => ok("fine"),
        // Longer than the policy waits.
        _ => status(503, "Retry-After: 3600\r\n"),
    })
    .await;
    let fixture = under(&[&backend], vec![for_service("calm", 1, retry(1))]).await;
    let began = Instant::now();
    assert_eq!(soon(fixture.get("/")).await.text(), "fine");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(fixture.get("/").await.status, 503);
    assert_eq!(backend.requests(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_breaker_is_not_asked_again() {
    let ill = Moody::named("ill").await;
    ill.answers(500);
    let mut spec = retry(5);
    spec["circuitBreaker"] = json!({"minimumNumberOfCalls": 2, "waitDurationInOpenState": "30s"});
    let fixture = under(&[&ill.backend], vec![for_service("calm", 1, spec)]).await;
    ill.answers(503);
    assert_eq!(shown(&fixture.get("/").await), (503, "circuit_open"));
    assert_eq!(ill.backend.requests(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_request_is_sent_once_more_and_the_faster_answer_counts() {
    let slow = {
        let go = Arc::new(Notify::new());
        Backend::raw(move |_, mut client| {
            let go = Arc::clone(&go);
            async move {
                let _ = client.read(false).await;
                go.notified().await;
            }
        })
        .await
    };
    let quick = Backend::named("quick").await;
    let spec = json!({"hedging": {"delay": {"fixed": "5ms"}, "budget": {"percent": 100, "minRetriesPerSecond": 100}}});
    let fixture = under(&[&slow, &quick], vec![for_service("calm", 1, spec)]).await;
    let mut client = fixture.client().await;
    for _ in 0..20 {
        assert_eq!(client.ask(GET).await.text(), "quick");
    }
    let hedges = fixture.gateway.status().traffic.hedges;
    assert_eq!(hedges as usize, slow.connections());
    // Who is not idempotent waits for what was sent: the route's timeout ends it.
    assert!(hedges > 0);
}
