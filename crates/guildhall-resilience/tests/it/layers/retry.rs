//! Retries around a scripted service, on a paused clock.

use std::{sync::Arc, time::Duration};

use guildhall_resilience::{
    deadline::Deadline,
    hedge::{Hedge, HedgeConfig},
    retry::{
        Backoff, Body, Budget, BudgetConfig, Decision, FailureClass, FailureClasses, Idempotency,
        NoRetry, RetryPolicy,
    },
    tower::{
        HttpRules, Rules,
        hedge::HedgeLayer,
        retry::{Retry, RetryLayer},
    },
};
use http::{Request, Response};
use tokio::time::Instant;
use tower::{BoxError, Layer, ServiceExt};

use super::script::{End, Script, request};

fn budget(ratio: f64, per_second: u32) -> Arc<Budget> {
    Arc::new(Budget::new(
        BudgetConfig::new(ratio, per_second).unwrap(),
        Instant::now().into_std(),
    ))
}

fn around(script: &Script, budget: &Arc<Budget>) -> Retry<Script, HttpRules<BoxError>> {
    let pause = Duration::from_millis(100);
    let policy = RetryPolicy::default().with_backoff(Backoff::new(pause, pause * 10).unwrap());
    RetryLayer::new(policy, budget.clone(), HttpRules::default())
        .with_seed(7)
        .layer(script.clone())
}

#[tokio::test(start_paused = true)]
async fn a_failed_request_is_sent_again_whole_until_it_succeeds() {
    let script = Script::new([
        (1, End::Status(503)),
        (1, End::Broken),
        (1, End::Status(200)),
    ]);
    let response = around(&script, &budget(0.0, 10))
        .oneshot(request("PUT"))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let seen = script.seen();
    assert!(seen.len() == 3 && seen.iter().all(|seen| seen.body == "asked"));
}

#[tokio::test(start_paused = true)]
async fn what_stays_a_failure_is_handed_on_as_it_came() {
    let script = Script::new([
        (1, End::Status(503)),
        (1, End::Status(504)),
        (1, End::Status(502)),
    ]);
    let response = around(&script, &budget(0.0, 10))
        .oneshot(request("GET"))
        .await
        .unwrap();
    assert_eq!((response.status().as_u16(), script.seen().len()), (502, 3));

    let script = Script::new([(1, End::Broken)]);
    let error = around(&script, &budget(0.0, 10))
        .oneshot(request("GET"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), script.seen().len()),
        ("the connection broke", 3)
    );
}

#[tokio::test(start_paused = true)]
async fn what_may_do_harm_twice_is_sent_once_unless_it_has_a_key() {
    let script = Script::new([(1, End::Status(503))]);
    around(&script, &budget(0.0, 10))
        .oneshot(request("POST"))
        .await
        .unwrap();
    assert_eq!(script.seen().len(), 1);

    let mut keyed = request("POST");
    keyed
        .headers_mut()
        .insert("idempotency-key", "4711".parse().unwrap());
    let script = Script::new([(1, End::Status(503)), (1, End::Status(200))]);
    around(&script, &budget(0.0, 10))
        .oneshot(keyed)
        .await
        .unwrap();
    assert_eq!(script.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_servers_pause_is_kept() {
    let script = Script::new([(0, End::RetryAfter(429, "2")), (0, End::Status(200))]);
    around(&script, &budget(0.0, 10))
        .oneshot(request("GET"))
        .await
        .unwrap();
    let times = script.times();
    assert!((2_000..=2_101).contains(&times[1]), "{times:?}");

    // The deadline is before the pause's end: nobody waits for nothing.
    let script = Script::new([(0, End::RetryAfter(503, "2")), (0, End::Status(200))]);
    let mut hurried = request("GET");
    hurried
        .headers_mut()
        .insert("grpc-timeout", "1500m".parse().unwrap());
    let start = Instant::now();
    let response = around(&script, &budget(0.0, 10))
        .oneshot(hurried)
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), start.elapsed().as_millis()),
        (503, 0)
    );
}

/// Bar: amplification by retries is 1.2 at most when everything fails.
#[tokio::test(start_paused = true)]
async fn when_everything_fails_load_grows_by_the_budgets_ratio_only() {
    let script = Script::new([(0, End::Status(503))]);
    let retry = around(&script, &budget(0.2, 0));
    for _ in 0..1_000 {
        retry.clone().oneshot(request("GET")).await.unwrap();
    }
    let sent = script.seen().len();
    assert!(sent <= 1_200, "{sent} for 1000 requests");
    assert!(sent >= 1_050, "{sent}: the budget is not used");
}

/// Rules by which a 418 is an open breaker's answer.
#[derive(Clone)]
struct TurnsAway;

impl Rules<Request<&'static str>, Response<&'static str>, BoxError> for TurnsAway {
    fn idempotency(&self, _: &Request<&'static str>) -> Idempotency {
        Idempotency::Idempotent
    }
    fn body(&self, _: &Request<&'static str>) -> Body {
        Body::Empty
    }
    fn again(&self, request: &Request<&'static str>) -> Option<Request<&'static str>> {
        Some(request.clone())
    }
    fn failure(&self, result: Result<&Response<&'static str>, &BoxError>) -> Option<FailureClass> {
        match result.ok()?.status().as_u16() {
            418 => Some(FailureClass::Rejected),
            status => FailureClass::of_status(status),
        }
    }
    fn deadline(&self, _: &Request<&'static str>, _: std::time::Instant) -> Deadline {
        Deadline::NEVER
    }
}

/// A budget that requests behind an open breaker fill is ten seconds of retries for the moment it closes.
#[tokio::test(start_paused = true)]
async fn what_was_turned_away_before_it_was_sent_pays_for_no_retry() {
    let now = || Instant::now().into_std();
    for (end, deposits) in [(418, 0), (503, 1), (404, 1), (200, 1)] {
        let budget = budget(0.0, 0);
        let layer = RetryLayer::new(RetryPolicy::default(), budget.clone(), TurnsAway);
        let retry = layer.layer(Script::new([(1, End::Status(end))]));
        retry.oneshot(request("GET")).await.unwrap();
        assert_eq!(budget.status(now()).requests, deposits, "{end}");

        let budget = self::budget(0.0, 0);
        let hedge = Hedge::new(HedgeConfig::after(Duration::from_millis(50)), now());
        let layer = HedgeLayer::new(Arc::new(hedge), budget.clone(), TurnsAway);
        let hedged = layer.layer(Script::new([(1, End::Status(end))]));
        hedged.oneshot(request("GET")).await.unwrap();
        assert_eq!(budget.status(now()).requests, deposits, "{end}, hedged");
    }
    // Sent at the second attempt only: once.
    let budget = budget(0.0, 10);
    let classes = FailureClasses::of(&FailureClass::ALL);
    let policy = RetryPolicy::default().with_retry_on(classes);
    let layer = RetryLayer::new(policy, budget.clone(), TurnsAway);
    let script = Script::new([(1, End::Status(418)), (1, End::Status(503))]);
    layer.layer(script).oneshot(request("GET")).await.unwrap();
    let status = budget.status(now());
    assert_eq!((status.requests, status.retries), (1, 2));
}

/// A request that cannot be copied, and rules that remember why it was not sent again.
#[derive(Clone, Default)]
struct Streamed(Arc<std::sync::Mutex<Vec<Decision>>>);

impl Rules<Request<&'static str>, Response<&'static str>, BoxError> for Streamed {
    fn idempotency(&self, _: &Request<&'static str>) -> Idempotency {
        Idempotency::Idempotent
    }
    fn body(&self, _: &Request<&'static str>) -> Body {
        Body::Streamed
    }
    fn again(&self, _: &Request<&'static str>) -> Option<Request<&'static str>> {
        None
    }
    fn failure(&self, result: Result<&Response<&'static str>, &BoxError>) -> Option<FailureClass> {
        result
            .ok()
            .and_then(|response| FailureClass::of_status(response.status().as_u16()))
    }
    fn deadline(&self, _: &Request<&'static str>, _: std::time::Instant) -> Deadline {
        Deadline::NEVER
    }
    fn decided(&self, _: FailureClass, decision: Decision) {
        self.0.lock().unwrap().push(decision);
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_sent_once_and_the_reason_is_told_once() {
    let script = Script::new([(1, End::Status(503))]);
    let rules = Streamed::default();
    let layer = RetryLayer::new(RetryPolicy::default(), budget(0.0, 10), rules.clone());
    let response = layer
        .layer(script.clone())
        .oneshot(request("GET"))
        .await
        .unwrap();
    assert_eq!((response.status().as_u16(), script.seen().len()), (503, 1));
    assert_eq!(
        *rules.0.lock().unwrap(),
        [Decision::GiveUp(NoRetry::StreamedBody)]
    );
}
