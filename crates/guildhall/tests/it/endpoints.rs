//! What is served beside the author's routes, and what every request passes.

use std::{
    io,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, routing::get as route};
use guildhall::RequestContext;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::{fetch, get, service};

#[tokio::test]
async fn health_tells_each_check_and_turns_503() {
    let well = Arc::new(AtomicBool::new(true));
    let check = well.clone();
    let running = service("users")
        .health_check("database", move || {
            let well = check.load(Ordering::Relaxed);
            async move {
                if well {
                    Ok(())
                } else {
                    Err("connection refused")
                }
            }
        })
        .start()
        .await
        .unwrap();
    let health = get(&running, "/health").await;
    let body = health.json();
    assert_eq!(health.status, 200);
    assert_eq!(body["service"], "users");
    assert_eq!(
        body["checks"]["service_status"],
        json!({"healthy": true, "details": {"status": "running"}})
    );
    assert_eq!(body["checks"]["memory_usage"]["details"]["limitMB"], 500);
    assert_eq!(body["checks"]["database"], json!({"healthy": true}));

    well.store(false, Ordering::Relaxed);
    // A report is answered again for a moment.
    let unhealthy = async {
        loop {
            let health = get(&running, "/health").await;
            if health.status == 503 {
                return health.json();
            }
        }
    };
    let body = crate::soon("the failing check", unhealthy).await;
    assert_eq!(
        body["checks"]["database"],
        json!({"healthy": false, "error": "connection refused"})
    );
    assert_eq!(get(&running, "/health/ready").await.status, 503);
    assert_eq!(get(&running, "/health/live").await.status, 200);
}

#[tokio::test]
async fn too_much_memory_is_unhealthy() {
    let running = service("users").memory_limit(1).start().await.unwrap();
    let health = get(&running, "/health").await;
    assert_eq!(health.status, 503);
    assert!(
        health.json()["checks"]["memory_usage"]["error"]
            .as_str()
            .unwrap()
            .ends_with("of at most 1 MB are used")
    );
}

#[tokio::test]
async fn requests_are_counted_under_their_route() {
    let running = service("users")
        .router(Router::new().route("/users/{id}", route(|| async { "one" })))
        .start()
        .await
        .unwrap();
    for path in ["/users/1", "/users/2", "/nowhere", "/health"] {
        get(&running, path).await;
    }
    running.metrics().count("logins", 3, &[]);
    let metrics = get(&running, "/metrics").await;
    assert_eq!(
        metrics.headers["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    for line in [
        "http_requests_total{method=\"GET\",path=\"/users/{id}\",status=\"200\"} 2",
        "http_requests_total{method=\"GET\",path=\"unmatched\",status=\"404\"} 1",
        "http_request_duration_seconds_count{method=\"GET\",path=\"/users/{id}\"} 2",
        "http_requests_active 0",
        "logins_total{} 3",
    ] {
        assert!(
            metrics.body.lines().any(|l| l == line),
            "{line} is not in\n{}",
            metrics.body
        );
    }
    assert!(!metrics.body.contains("/health"));
}

#[tokio::test]
async fn the_authors_own_endpoints_stand_where_ours_are_switched_off() {
    let router = Router::new().route("/health", route(|| async { "mine" }));
    let running = service("users")
        .without_endpoints()
        .router(router)
        .start()
        .await
        .unwrap();
    assert_eq!(get(&running, "/health").await.body, "mine");
    assert_eq!(get(&running, "/metrics").await.status, 404);
}

/// Logs that a test can read.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// All that the tests' services log: callsites are shared, a subscriber of one test's own would miss lines.
    fn global() -> &'static Self {
        static LINES: LazyLock<Lines> = LazyLock::new(|| {
            let lines = Lines::default();
            let subscriber = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_writer(lines.clone());
            tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
            lines
        });
        &LINES
    }

    /// The JSON lines of one target about the requests of one test.
    fn of(&self, target: &str, requests: &[&str]) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines
            .filter(|line| {
                line["target"] == target && requests.iter().any(|id| line["request_id"] == *id)
            })
            .collect()
    }
}

#[tokio::test]
async fn each_request_has_an_id_a_log_line_and_survives_a_panic() {
    let lines = Lines::global();
    let id = || async { RequestContext::current().unwrap().request_id().to_owned() };
    let boom = || async { panic!("the test's panic") as String };
    let router = Router::new()
        .route("/id", route(id))
        .route("/boom", route(boom));
    let running = service("users").router(router).start().await.unwrap();
    let base = format!("http://{}", running.addr());

    let got = fetch(&format!("{base}/id?secret=1"), &[("x-request-id", "r-42")])
        .await
        .unwrap();
    assert_eq!(
        (got.body.as_str(), &got.headers["x-request-id"]),
        ("r-42", &"r-42".parse().unwrap())
    );
    let got = fetch(&format!("{base}/id"), &[("x-request-id", &"x".repeat(500))])
        .await
        .unwrap();
    assert_eq!(got.body.len(), 32);

    let got = fetch(&format!("{base}/boom"), &[("x-request-id", "r-43")])
        .await
        .unwrap();
    assert_eq!(
        (got.status, &got.headers["content-type"]),
        (500, &"application/problem+json".parse().unwrap())
    );
    assert_eq!(
        (&got.json()["code"], &got.json()["instance"]),
        (&json!("internal"), &json!("r-43"))
    );
    assert!(!got.body.contains("the test's panic"));

    let logged = lines.of("guildhall::request", &["r-42", "r-43"]);
    assert_eq!(logged.len(), 2);
    assert_eq!(
        (&logged[0]["path"], &logged[0]["request_id"]),
        (&json!("/id"), &json!("r-42"))
    );
    assert_eq!(
        (&logged[1]["status"], &logged[1]["method"]),
        (&json!(500), &json!("GET"))
    );
    assert!(logged[1]["ms"].as_str().unwrap().parse::<f64>().unwrap() >= 0.0);
    let panics = lines.of("guildhall::layers::panic", &["r-43"]);
    assert_eq!(
        (&panics[0]["cause"], &panics[0]["request_id"]),
        (&json!("the test's panic"), &json!("r-43"))
    );
}
