//! How long things may take and how much may be sent.

use std::time::Duration;

use guildhall_gateway::{Limits, Options, Timeouts};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{
    Backend, Fixture, in_front_of, in_front_of_with, instance, ok, options, route, soon,
    to_service, until,
};

fn with_timeouts(timeouts: Timeouts) -> Options {
    Options {
        timeouts,
        ..options()
    }
}

/// A backend that reads requests and never answers.
async fn silent() -> Backend {
    Backend::raw(|_, mut client| async move { while client.read(false).await.is_ok() {} }).await
}

fn timed(
    name: &str,
    prefix: &str,
    timeouts: serde_json::Value,
) -> guildhall_core::document::Document {
    route(
        name,
        json!({"rules": [{
            "matches": [{"path": {"value": prefix}}],
            "backendRefs": [{"name": "svc"}],
            "timeouts": timeouts,
        }]}),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_does_not_answer_is_504_and_says_which_limit() {
    let backend = silent().await;
    let options = with_timeouts(Timeouts {
        request: Duration::from_millis(50),
        ..Timeouts::default()
    });
    let fixture = Fixture::start(
        options,
        vec![
            to_service("default", "/default", "svc"),
            timed("request", "/request", json!({"request": "60ms"})),
            timed(
                "attempt",
                "/attempt",
                json!({"request": "10s", "backendRequest": "60ms"}),
            ),
            instance("svc", "one", backend.address),
        ],
    )
    .await;
    for (path, reason) in [
        ("/default", "request_timeout"),
        ("/request", "request_timeout"),
        ("/attempt", "upstream_timeout"),
    ] {
        let answer = fixture.get(path).await;
        assert_eq!(
            (answer.status, answer.reason().split(';').next()),
            (504, Some(reason)),
            "{path}"
        );
    }
    assert_eq!(
        backend.connections(),
        3,
        "a connection that timed out is not used again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_zero_is_none_and_a_slow_upload_takes_its_time() {
    let backend = Backend::answering(|request| ok(&request.body.len().to_string())).await;
    let options = with_timeouts(Timeouts {
        request: Duration::from_millis(100),
        ..Timeouts::default()
    });
    let fixture = in_front_of_with(&backend, options).await;
    let mut client = fixture.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n")
        .await;
    for _ in 0..8 {
        client.send("x").await;
        sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(soon(client.read(false)).await.unwrap().text(), "8");

    let silent = silent().await;
    let fixture = Fixture::start(
        with_timeouts(Timeouts {
            request: Duration::from_millis(20),
            ..Timeouts::default()
        }),
        vec![
            timed("off", "/", json!({"request": "0s"})),
            instance("svc", "one", silent.address),
        ],
    )
    .await;
    let mut client = fixture.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        timeout(Duration::from_millis(150), client.fill())
            .await
            .is_err(),
        "it waits"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_the_route_gives_holds_for_the_whole_answer() {
    let backend = Backend::raw(|_, mut client| async move {
        let _ = client.read(false).await;
        client
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        loop {
            client.send("1\r\nx\r\n").await;
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let fixture = Fixture::start(
        options(),
        vec![
            timed("limited", "/", json!({"request": "100ms"})),
            instance("svc", "one", backend.address),
        ],
    )
    .await;
    let mut client = fixture.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(
        soon(client.read(false)).await.is_err(),
        "the answer breaks off, it does not end"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_and_idle_connections_are_closed_and_running_requests_are_not() {
    let backend = Backend::raw(|_, mut client| async move {
        while client.read(false).await.is_ok() {
            sleep(Duration::from_millis(400)).await;
            client.send(ok("late")).await;
        }
    })
    .await;
    let options = with_timeouts(Timeouts {
        head: Duration::from_millis(100),
        idle: Duration::from_millis(200),
        ..Timeouts::default()
    });
    let fixture = in_front_of_with(&backend, options).await;
    let mut slow = fixture.client().await;
    let began = Instant::now();
    let dripping = async {
        for byte in "GET / HTTP/1.1\r\nHost: a\r\nX: "
            .bytes()
            .chain(std::iter::repeat(b'x'))
        {
            use tokio::io::AsyncWriteExt;
            if slow.stream.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    soon(dripping).await;
    assert!(began.elapsed() >= Duration::from_millis(100));

    let mut idle = fixture.client().await;
    idle.closed().await;
    assert!(idle.buffer.is_empty());

    let mut client = fixture.client().await;
    assert_eq!(
        client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.text(),
        "late"
    );
    client.closed().await;
    assert_eq!(fixture.gateway.status().traffic.connections_timed_out, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_a_byte_is_closed() {
    let backend = silent().await;
    let options = with_timeouts(Timeouts {
        stream_idle: Duration::from_millis(100),
        request: Duration::ZERO,
        ..Timeouts::default()
    });
    let fixture = in_front_of_with(&backend, options).await;
    let mut client = fixture.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.closed().await;
    until("the request is over", async || {
        fixture.gateway.status().traffic.requests_running == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_large_is_431() {
    let backend = Backend::named("reached").await;
    let options = Options {
        limits: Limits {
            head_bytes: 8 * 1024,
            ..Limits::default()
        },
        ..options()
    };
    let fixture = in_front_of_with(&backend, options).await;
    let padding = "x".repeat(9 * 1024);
    let many: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
    for headers in [format!("X: {padding}\r\n"), many] {
        let mut client = fixture.client().await;
        client
            .send(format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"))
            .await;
        assert_eq!(soon(client.read(false)).await.unwrap().status, 431);
        client.closed().await;
    }
    let fits = "x".repeat(7 * 1024);
    assert_eq!(
        fixture
            .ask(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {fits}\r\n\r\n"))
            .await
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let backend = Backend::named("reached").await;
    let options = Options {
        workers: 1,
        limits: Limits {
            connections: 2,
            ..Limits::default()
        },
        ..options()
    };
    let fixture = in_front_of_with(&backend, options).await;
    let mut kept = [fixture.client().await, fixture.client().await];
    for client in &mut kept {
        assert_eq!(
            client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status,
            200
        );
    }
    fixture.client().await.closed().await;
    assert_eq!(fixture.gateway.status().traffic.connections_refused, 1);
    drop(kept);
    until("there is room again", async || {
        fixture.gateway.status().traffic.connections == 0
    })
    .await;
    assert_eq!(fixture.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_takes_its_request_with_it() {
    let backend = silent().await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("the backend is asked", async || backend.connections() == 1).await;
    drop(client);
    until("the backend's connection is closed", async || {
        let traffic = fixture.gateway.status().traffic;
        traffic.upstream_connections == 0 && traffic.reasons.get("client_gone") == Some(&1)
    })
    .await;
}
