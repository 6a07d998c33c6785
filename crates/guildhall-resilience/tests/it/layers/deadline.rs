//! Deadlines and attempt timeouts around a scripted service, on a paused clock.

use std::{sync::Arc, time::Duration};

use guildhall_resilience::{
    Pattern, Rejection,
    deadline::Expiry,
    retry::{Backoff, Budget, BudgetConfig, RetryPolicy},
    tower::{
        HttpRules,
        deadline::{AttemptTimeoutLayer, DeadlineLayer, Expired},
        retry::RetryLayer,
    },
};
use http::Request;
use tokio::time::Instant;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt};

use super::script::{End, Script, request};

fn millis(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

fn with(timeout: &str) -> Request<&'static str> {
    let mut request = request("GET");
    request
        .headers_mut()
        .insert("grpc-timeout", timeout.parse().unwrap());
    request
}

fn expiry(error: &BoxError) -> Option<Expiry> {
    error
        .downcast_ref::<Expired>()
        .map(|expired| expired.expiry)
}

#[tokio::test(start_paused = true)]
async fn the_nearer_of_our_limit_and_the_callers_ends_a_request() {
    let script = Script::new([(10_000, End::Status(200))]);
    let service = DeadlineLayer::new(millis(300), HttpRules::default()).layer(script);
    let mut ends = Vec::new();
    for request in [request("GET"), with("200m"), with("9S")] {
        let start = Instant::now();
        let error = service.clone().oneshot(request).await.unwrap_err();
        ends.push((start.elapsed().as_millis(), expiry(&error).unwrap()));
    }
    assert_eq!(
        ends,
        [
            (300, Expiry::Request),
            (200, Expiry::Inherited),
            (300, Expiry::Request)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_over_already_is_turned_away_unsent() {
    let script = Script::new([(0, End::Status(200))]);
    let layer = DeadlineLayer::new(None, HttpRules::default()).with_margin(Duration::ZERO);
    let error = layer
        .layer(script.clone())
        .oneshot(with("0m"))
        .await
        .unwrap_err();
    let rejection = error.downcast_ref::<Rejection>().unwrap();
    assert_eq!(
        *rejection,
        Rejection {
            by: Pattern::Deadline,
            retry_after: None
        }
    );
    assert!(script.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_next_hop_is_told_what_is_left() {
    let script = Script::new([(100, End::Status(503)), (0, End::Status(200))]);
    let budget = Arc::new(Budget::new(
        BudgetConfig::default(),
        Instant::now().into_std(),
    ));
    let policy =
        RetryPolicy::default().with_backoff(Backoff::new(Duration::ZERO, Duration::ZERO).unwrap());
    let service = ServiceBuilder::new()
        .layer(
            DeadlineLayer::new(millis(5_000), HttpRules::default())
                .with_margin(Duration::from_millis(10)),
        )
        .layer(RetryLayer::new(policy, budget, HttpRules::default()))
        .layer(AttemptTimeoutLayer::new(millis(800), HttpRules::default()))
        .service(script.clone());
    service.clone().oneshot(with("850m")).await.unwrap();
    let told: Vec<_> = script
        .seen()
        .iter()
        .map(|seen| seen.headers["grpc-timeout"].clone())
        .collect();
    // The first attempt has its own limit, the second what is left of the caller's, less the way back (a
    // millisecond of which the timer of a pause without length takes).
    assert_eq!(told[0], "800000u");
    let second: u32 = told[1]
        .to_str()
        .unwrap()
        .trim_end_matches('u')
        .parse()
        .unwrap();
    assert!((738_000..=740_000).contains(&second), "{second}");

    // Without a word from the caller it is Envoy's header.
    let script = Script::new([(0, End::Status(200))]);
    let layer = AttemptTimeoutLayer::new(millis(800), HttpRules::<BoxError>::default());
    layer
        .layer(script.clone())
        .oneshot(request("GET"))
        .await
        .unwrap();
    assert_eq!(
        script.seen()[0].headers["x-envoy-expected-rq-timeout-ms"],
        "800"
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempts_end_is_a_failure_that_is_retried_and_a_deadlines_is_neither() {
    let budget = Arc::new(Budget::new(
        BudgetConfig::default(),
        Instant::now().into_std(),
    ));
    let around = |script: &Script| {
        ServiceBuilder::new()
            .layer(DeadlineLayer::new(None, HttpRules::default()))
            .layer(RetryLayer::new(
                RetryPolicy::default(),
                budget.clone(),
                HttpRules::default(),
            ))
            .layer(AttemptTimeoutLayer::new(millis(100), HttpRules::default()))
            .service(script.clone())
    };
    let script = Script::new([(500, End::Status(200)), (50, End::Status(200))]);
    assert_eq!(
        around(&script)
            .oneshot(request("GET"))
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!((script.seen().len(), script.answered()), (2, 1));

    let script = Script::new([(500, End::Status(200))]);
    let error = around(&script).oneshot(with("80m")).await.unwrap_err();
    assert_eq!(expiry(&error), Some(Expiry::Inherited));
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_the_last_moment_counts() {
    let script = Script::new([(100, End::Status(200))]);
    let service =
        AttemptTimeoutLayer::new(millis(100), HttpRules::<BoxError>::default()).layer(script);
    assert_eq!(service.oneshot(request("GET")).await.unwrap().status(), 200);
}
