//! What the access log says.

use std::time::Duration;

use guildhall_gateway::{AccessLog, LogFormat, Options};
use serde_json::Value;

use crate::support::{Backend, Fixture, in_front_of_with, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_is_one_line_of_json() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("access.log");
    let backend = Backend::named("hello").await;
    let access_log = AccessLog {
        format: LogFormat::Json,
        file: Some(file.clone()),
    };
    let fixture = in_front_of_with(
        &backend,
        Options {
            access_log,
            ..options()
        },
    )
    .await;
    let mut client = fixture.client().await;
    client.ask("POST /a?b=1 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: test\r\nX-Request-ID: r-1\r\nContent-Length: 3\r\n\r\nabc").await;
    client
        .ask("GET /../x HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        .await;
    drop(client);
    let Fixture { gateway, .. } = fixture;
    // The drain writes what is left.
    tokio::task::spawn_blocking(move || gateway.drain(Duration::from_secs(20)))
        .await
        .unwrap();

    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    let expected = serde_json::json!({
        "method": "POST", "path": "/a?b=1", "protocol": "HTTP/1.1", "response_code": 200, "reason": "forwarded",
        "bytes_received": 3, "bytes_sent": 5, "remote_address": "127.0.0.1", "user_agent": "test", "request_id": "r-1",
        "authority": "shop.test", "upstream_host": backend.address.to_string(), "route": "default/all", "rule": "0",
        "revision": 0, "service": "default/svc", "service_revision": 1,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&lines[0][field], value, "{field} in {text}");
    }
    assert!(
        lines[0]["duration"].as_f64().unwrap() >= lines[0]["upstream_duration"].as_f64().unwrap()
    );
    assert!(lines[0]["start_time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        (&lines[1]["response_code"], &lines[1]["reason"]),
        (&400.into(), &"request_invalid".into())
    );
}
