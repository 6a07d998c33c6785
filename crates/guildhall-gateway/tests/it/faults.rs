//! Faults that a route asks for.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, Backend, Fixture, instance, options, route, soon};

async fn failing(backend: &Backend, fault: Value, timeouts: Value) -> Fixture {
    let spec = json!({"rules": [{
        "name": "chaos",
        "filters": [
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-chaos"]}},
            {"type": "Fault", "fault": fault},
        ],
        "timeouts": timeouts,
        "backendRefs": [{"name": "svc"}],
    }]});
    let documents = vec![route("all", spec), instance("svc", "one", backend.address)];
    Fixture::start(options(), documents).await
}

fn shown(answer: &Answer) -> (u16, &str) {
    let reason = answer.reason().split(';').next().unwrap_or_default();
    (answer.status, reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_with_the_header_are_refused_and_the_backend_never_sees_them() {
    let backend = Backend::named("svc").await;
    let fault = json!({"abort": {"httpStatus": 418}, "header": {"name": "x-chaos", "value": "on"}});
    let fixture = failing(&backend, fault, json!({})).await;
    let mut client = fixture.client().await;
    let refused = client
        .ask("GET / HTTP/1.1\r\nHost: a\r\nX-Chaos: on\r\n\r\n")
        .await;
    assert_eq!(shown(&refused), (418, "fault_injected"));
    assert!(refused.reason().contains("; route=default/all; rule=chaos"));
    let problem = refused.json();
    assert_eq!(
        (&problem["code"], &problem["status"]),
        (&json!("fault-injected"), &json!(418))
    );
    assert_eq!(backend.requests(), 0);
    let passed = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((passed.status, passed.text()), (200, "svc"));
    assert_eq!(
        fixture.gateway.status().traffic.reasons["fault_injected"],
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_the_requests_is_refused() {
    let backend = Backend::named("svc").await;
    let fault = json!({"abort": {"httpStatus": 503, "percentage": 50}});
    let fixture = failing(&backend, fault, json!({})).await;
    let mut client = fixture.client().await;
    let mut refused = 0;
    for _ in 0..400 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        refused += usize::from(answer.status == 503);
    }
    // More than seven standard deviations from the mean would be a fault of another kind.
    assert!((130..=270).contains(&refused), "{refused} of 400");
    assert_eq!(backend.requests(), 400 - refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_held_up_and_no_longer_than_its_timeout() {
    let backend = Backend::named("svc").await;
    let delay = |long: &str| json!({"delay": {"fixedDelay": long}});
    let fixture = failing(&backend, delay("50ms"), json!({})).await;
    let began = Instant::now();
    assert_eq!(soon(fixture.get("/")).await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(50));

    let fixture = failing(&backend, delay("1h"), json!({"request": "20ms"})).await;
    let answer = soon(fixture.get("/")).await;
    assert_eq!(shown(&answer), (504, "request_timeout"));
}
