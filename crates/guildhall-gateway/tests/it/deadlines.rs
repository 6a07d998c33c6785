//! Deadlines that come with requests: they bound them, shrink, and say nothing of the service.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use guildhall_core::document::Document;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{
    Answer, Backend, Fixture, find, for_service, instance, options, route, soon, status,
    to_service, until,
};

const EXPECTED: &str = "x-envoy-expected-rq-timeout-ms";
const GRPC: &str = "grpc-timeout";

fn get(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

fn waiting(millis: u64) -> String {
    get(&format!("{EXPECTED}: {millis}\r\n"))
}

async fn before(backend: &Backend, documents: Vec<Document>) -> Fixture {
    let mut all = vec![
        to_service("all", "/", "svc"),
        instance("svc", "one", backend.address),
    ];
    all.extend(documents);
    Fixture::start(options(), all).await
}

fn timed(timeouts: &Value) -> Document {
    let rule = json!({"backendRefs": [{"name": "svc"}], "timeouts": timeouts});
    route("all", json!({"rules": [rule]}))
}

/// A backend that takes requests and never answers.
async fn silent() -> Backend {
    Backend::raw(|_, mut client| async move { while client.fill().await.is_ok() {} }).await
}

/// What `answer` is an echo of: how long its service was told that it has, in milliseconds, and in gRPC's words.
fn told(answer: &Answer) -> (Option<u64>, Option<String>) {
    assert_eq!(answer.status, 200, "{}", answer.head);
    let echoed = Answer {
        head: answer.text().to_owned(),
        ..Answer::default()
    };
    let millis = echoed.header(EXPECTED).map(|value| value.parse().unwrap());
    (millis, echoed.header(GRPC).map(str::to_owned))
}

fn reason(answer: &Answer) -> (u16, &str) {
    let reason = answer.reason().split(';').next().unwrap_or_default();
    (answer.status, reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_is_told_what_is_left() {
    let backend = Backend::echo().await;
    let fixture = before(&backend, Vec::new()).await;
    let cases = [
        ("", None),
        ("x-envoy-expected-rq-timeout-ms: 9000\r\n", Some(9000)),
        // Waits longer than the gateway does.
        ("x-envoy-expected-rq-timeout-ms: 90000\r\n", Some(15_000)),
        (
            "grpc-timeout: 8S\r\nx-envoy-expected-rq-timeout-ms: 9000\r\n",
            Some(8000),
        ),
        // No deadlines; what cannot be read goes no further, but for what gRPC has its own answer to.
        ("x-envoy-expected-rq-timeout-ms: 0\r\n", None),
        ("x-envoy-expected-rq-timeout-ms: soon\r\n", None),
        ("grpc-timeout: soon\r\n", None),
        // That this is for the gateway alone does not make it say less.
        (
            "Connection: x-envoy-expected-rq-timeout-ms\r\nx-envoy-expected-rq-timeout-ms: 9000\r\n",
            Some(9000),
        ),
    ];
    for (headers, expected) in cases {
        let (millis, grpc) = told(&fixture.ask(&get(headers)).await);
        assert_eq!(millis.is_some(), expected.is_some(), "{headers}");
        if let (Some(millis), Some(expected)) = (millis, expected) {
            assert!(
                millis <= expected && millis > expected - 5000,
                "{headers}: {millis}"
            );
        }
        match headers.contains(GRPC) {
            true if expected.is_some() => assert!(grpc.unwrap().ends_with('u'), "{headers}"),
            true => assert_eq!(grpc.as_deref(), Some("soon")),
            false => assert_eq!(grpc, None, "{headers}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nearest_limit_is_told_and_the_margin_is_kept() {
    let backend = Backend::echo().await;
    let mut fixture = before(&backend, Vec::new()).await;
    let asked = async |fixture: &Fixture, request: &str| told(&fixture.ask(request).await).0;
    let within = |told: Option<u64>, most: u64| {
        let told = told.unwrap();
        assert!(told <= most && told > most - 5000, "{told} of {most}");
    };
    // What a route states is told without anybody having asked.
    fixture.put(timed(&json!({"request": "20s"})));
    fixture.in_effect().await;
    within(asked(&fixture, &get("")).await, 20_000);
    within(asked(&fixture, &waiting(10_000)).await, 10_000);
    within(asked(&fixture, &waiting(60_000)).await, 20_000);
    // When the whole will be over is not known while the upload runs: then only what is known is told.
    let put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n";
    assert_eq!(asked(&fixture, &format!("{put}\r\nx")).await, None);
    let put = format!("{put}{EXPECTED}: 30000\r\n\r\nx");
    within(asked(&fixture, &put).await, 30_000);

    fixture.put(timed(&json!({"request": "20s", "backendRequest": "10s"})));
    fixture.in_effect().await;
    within(asked(&fixture, &get("")).await, 10_000);

    fixture.put(timed(&Value::Null));
    fixture.put(for_service(
        "calm",
        1,
        json!({"timeouts": {"deadlineMargin": "20s", "request": "60s"}}),
    ));
    fixture.in_effect().await;
    within(asked(&fixture, &waiting(30_000)).await, 10_000);
    // The gateway's own limits have no way back to keep time for.
    within(asked(&fixture, &get("")).await, 60_000);
    within(asked(&fixture, &waiting(90_000)).await, 60_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_ends_a_request_and_is_no_evidence_against_the_service() {
    let backend = silent().await;
    let policy = json!({
        "circuitBreaker": {"minimumNumberOfCalls": 1},
        "outlierDetection": {"consecutiveFailures": 1},
        "retry": {"attempts": 3, "retryOn": ["attempt-timeout", "gateway-timeout"]},
    });
    let fixture = before(&backend, vec![for_service("calm", 1, policy)]).await;
    for asked in 1..=3 {
        let began = Instant::now();
        let answer = fixture.ask(&waiting(50)).await;
        assert_eq!(reason(&answer), (504, "deadline_over"), "{asked}");
        assert_eq!(answer.json()["code"], "upstream-timeout");
        assert!(began.elapsed() >= Duration::from_millis(50));
        assert_eq!(backend.connections(), asked, "asked once, and asked again");
    }
    // Without policies it is the same.
    let fixture = before(&backend, Vec::new()).await;
    let answer = fixture.ask(&get("grpc-timeout: 50m\r\n")).await;
    assert_eq!(reason(&answer), (504, "deadline_over"));
    let traffic = fixture.gateway.status().traffic;
    assert_eq!(traffic.reasons.get("deadline_over"), Some(&1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_over_when_it_comes_costs_nothing() {
    let backend = Backend::echo().await;
    let policy = json!({
        "timeouts": {"deadlineMargin": "20s"},
        "rateLimit": {"rules": [{"name": "one", "requests": 1, "period": "1h"}]},
    });
    let fixture = before(&backend, vec![for_service("calm", 1, policy)]).await;
    let at_once = get("grpc-timeout: 0n\r\n");
    for request in [&at_once, &waiting(20_000), &waiting(1)] {
        assert_eq!(reason(&fixture.ask(request).await), (504, "deadline_over"));
    }
    assert_eq!(backend.requests(), 0);
    assert_eq!(
        fixture.ask(&waiting(40_000)).await.status,
        200,
        "the limit is untouched"
    );
    assert_eq!(
        reason(&fixture.ask(&waiting(40_000)).await),
        (429, "rate_limited")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_takes_no_longer_than_its_client_waits() {
    let backend = silent().await;
    let fixture = before(&backend, Vec::new()).await;
    let mut client = fixture.client().await;
    let began = Instant::now();
    let head =
        format!("POST / HTTP/1.1\r\nHost: a\r\n{EXPECTED}: 100\r\nContent-Length: 100\r\n\r\n");
    client.send(head).await;
    client.send("begins").await;
    let answer = soon(client.read(false)).await.unwrap();
    assert_eq!(reason(&answer), (504, "deadline_over"));
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attempt_is_told_less() {
    let told: Arc<Mutex<Vec<u64>>> = Arc::default();
    let tells = Arc::clone(&told);
    let backend = Backend::answering(move |request| {
        let left = request.header(EXPECTED).unwrap().parse().unwrap();
        tells.lock().unwrap().push(left);
        status(503, "")
    })
    .await;
    let rule = json!({
        "backendRefs": [{"name": "svc"}],
        "retry": {"codes": [503], "attempts": 3, "backoff": "20ms"},
    });
    let fixture = before(&backend, vec![route("all", json!({"rules": [rule]}))]).await;
    let put =
        format!("PUT / HTTP/1.1\r\nHost: a\r\n{EXPECTED}: 10000\r\nContent-Length: 2\r\n\r\nhi");
    for request in [waiting(10_000), put] {
        assert_eq!(fixture.ask(&request).await.status, 503);
        let told = std::mem::take(&mut *told.lock().unwrap());
        assert_eq!(told.len(), 4);
        assert!(told[0] <= 10_000);
        assert!(told.windows(2).all(|two| two[1] + 20 <= two[0]), "{told:?}");
    }
    // A pause that would take longer than there is time is not begun.
    let began = Instant::now();
    assert_eq!(fixture.ask(&waiting(15)).await.status, 503);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_ends_with_the_deadline() {
    let backend = Backend::raw(|_, mut client| async move {
        while client.fill().await.is_ok() {
            if find(&client.buffer, b"\r\n\r\n").is_none() {
                continue;
            }
            client
                .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            loop {
                client.send("1\r\nx\r\n").await;
                sleep(Duration::from_millis(10)).await;
            }
        }
    })
    .await;
    let fixture = before(&backend, Vec::new()).await;
    let mut client = fixture.client().await;
    client.send(waiting(100)).await;
    assert!(soon(client.read(false)).await.is_err(), "it breaks off");
    until("it is counted", async || {
        let traffic = fixture.gateway.status().traffic;
        traffic.reasons.get("deadline_over") == Some(&1) && traffic.upstream_connections == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_grpc_passes_within_its_deadline() {
    let seen: Arc<Mutex<Option<String>>> = Arc::default();
    let sees = Arc::clone(&seen);
    let backend = Backend::answering(move |request| {
        *sees.lock().unwrap() = request.header(GRPC).map(str::to_owned);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTrailer: grpc-status\r\n";
        format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n5\r\n\0\0\0\0\0\r\n0\r\ngrpc-status: 0\r\n\r\n"
        )
    })
    .await;
    let stated = for_service("calm", 1, json!({"timeouts": {"backendRequest": "9s"}}));
    let fixture = before(&backend, vec![stated]).await;
    let call = |deadline: &str| {
        format!(
            "POST /a.B/C HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nContent-Type: application/grpc\r\n{deadline}\
             Content-Length: 5\r\n\r\n\0\0\0\0\0"
        )
    };
    // The policy's limit is told to one that came without, too.
    for (deadline, most) in [("grpc-timeout: 5S\r\n", 5_000_000), ("", 9_000_000)] {
        let answer = fixture.ask(&call(deadline)).await;
        assert_eq!(
            (answer.status, answer.trailers.trim()),
            (200, "grpc-status: 0")
        );
        let told = seen.lock().unwrap().take().unwrap();
        let micros: u64 = told.strip_suffix('u').unwrap().parse().unwrap();
        assert!(micros <= most && micros > most - 4_000_000, "{told}");
    }
    let hangs = silent().await;
    let fixture = before(&hangs, Vec::new()).await;
    let answer = fixture.ask(&call("grpc-timeout: 50m\r\n")).await;
    assert_eq!(reason(&answer), (504, "deadline_over"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_in_a_line_and_a_fault_count_against_the_deadline() {
    let backend = Backend::named("svc").await;
    let mut fixture = before(&backend, Vec::new()).await;
    let delay =
        json!([{"type": "Fault", "fault": {"delay": {"fixedDelay": "30s", "percentage": 100}}}]);
    let rule = json!({"backendRefs": [{"name": "svc"}], "filters": delay});
    fixture.put(route("all", json!({"rules": [rule]})));
    fixture.in_effect().await;
    assert_eq!(
        reason(&fixture.ask(&waiting(50)).await),
        (504, "deadline_over")
    );

    fixture.put(to_service("all", "/", "svc"));
    let limit = json!({"name": "paced", "algorithm": "LeakyQueue", "requests": 2, "period": "1h", "maxWait": "1h"});
    fixture.put(for_service(
        "calm",
        1,
        json!({"rateLimit": {"rules": [limit]}}),
    ));
    fixture.in_effect().await;
    assert_eq!(fixture.ask(&waiting(10_000)).await.text(), "svc");
    assert_eq!(
        reason(&fixture.ask(&waiting(50)).await),
        (504, "deadline_over")
    );
    assert_eq!(backend.requests(), 1);
}
