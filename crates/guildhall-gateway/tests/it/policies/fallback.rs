//! What is answered when a request cannot be.

use serde_json::json;

use super::{GET, Moody, shown, under};
use crate::support::{Backend, Fixture, for_service, instance, ok, options, to_service};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fixed_answer_stands_in_and_says_so() {
    let ill = Moody::named("ill").await;
    let fixed =
        json!({"status": 200, "headers": {"content-type": "application/json"}, "body": "[]"});
    let spec = json!({"fallback": {"sources": [{"static": fixed}]}});
    let fixture = under(&[&ill.backend], vec![for_service("calm", 6, spec)]).await;
    let mut client = fixture.client().await;
    assert_eq!(client.ask(GET).await.text(), "ill");
    ill.answers(500);
    let answer = client.ask(GET).await;
    assert_eq!((answer.status, answer.text()), (200, "[]"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.reason().starts_with("fallback_answered; "));
    assert!(
        answer
            .reason()
            .ends_with("; policy=default/calm; policy-revision=6")
    );
    // A wrong request stays wrong.
    ill.answers(404);
    assert_eq!(client.ask(GET).await.status, 404);
    assert_eq!(
        fixture.gateway.status().traffic.reasons["fallback_answered"],
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_good_answer_is_given_again_also_when_the_breaker_is_open() {
    let moody = Moody::named("good").await;
    let spec = json!({
        "fallback": {"sources": [{"cached": {"maxAge": "1h"}}]},
        "circuitBreaker": {"minimumNumberOfCalls": 2, "waitDurationInOpenState": "1h", "maxWaitDurationInOpenState": "1h"},
    });
    let fixture = under(&[&moody.backend], vec![for_service("calm", 1, spec)]).await;
    let mut client = fixture.client().await;
    assert_eq!(client.ask(GET).await.text(), "good");
    moody.answers(503);
    for _ in 0..10 {
        let answer = client.ask(GET).await;
        assert_eq!((answer.status, answer.text()), (200, "good"));
        assert_eq!(answer.header("age"), Some("0"));
    }
    assert!(moody.backend.requests() < 5, "the breaker opened behind it");
    // Nothing was kept for this one, and nothing is for who has a cookie.
    assert_eq!(shown(&fixture.get("/other").await), (503, "circuit_open"));
    let with_cookie = "GET / HTTP/1.1\r\nHost: a\r\nCookie: s=1\r\n\r\n";
    assert_eq!(shown(&client.ask(with_cookie).await), (503, "circuit_open"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_service_answers() {
    let (ill, spare) = (Moody::named("ill").await, Backend::named("spare").await);
    ill.answers(503);
    let spec = json!({"fallback": {"sources": [{"service": {"name": "spare"}}, {"static": {"status": 218}}]}});
    let documents = vec![
        to_service("all", "/", "svc"),
        instance("svc", "one", ill.backend.address),
        instance("spare", "one", spare.address),
        for_service("calm", 1, spec),
    ];
    let mut fixture = Fixture::start(options(), documents).await;
    let answer = fixture.get("/").await;
    assert_eq!((answer.status, answer.text()), (200, "spare"));
    assert!(
        answer.reason().starts_with("fallback_answered; ")
            && answer.reason().contains("service=default/spare")
    );
    fixture.delete(instance("spare", "one", spare.address).key());
    fixture.in_effect().await;
    assert_eq!(fixture.get("/").await.status, 218);
    fixture.put(instance("spare", "two", spare.address));
    fixture.in_effect().await;
    assert_eq!(fixture.get("/").await.text(), "spare");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_service_is_sent_the_body_also_after_retries() {
    let ill = Moody::named("ill").await;
    ill.answers(503);
    let spare = Backend::answering(|request| ok(std::str::from_utf8(&request.body).unwrap())).await;
    let spec = json!({
        "fallback": {"sources": [{"service": {"name": "spare"}}]},
        "retry": {"attempts": 2, "backOff": {"baseInterval": "1ms"}},
    });
    let documents = vec![
        to_service("all", "/", "svc"),
        instance("svc", "one", ill.backend.address),
        instance("spare", "one", spare.address),
        for_service("calm", 1, spec),
    ];
    let fixture = Fixture::start(options(), documents).await;
    let answer = fixture
        .ask("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    assert_eq!((ill.backend.requests(), spare.requests()), (3, 1));
    // Answers of an error are read to their end: connections are used again.
    for _ in 0..10 {
        assert_eq!(fixture.get("/").await.status, 200);
    }
    assert!(
        ill.backend.connections() <= 4,
        "{}",
        ill.backend.connections()
    );
}
