//! The whole stack: what is off is not there, and what is on stands in its order.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use guildhall_resilience::{
    Pattern, Rejection,
    breaker::{Breaker, Config, State},
    bulkhead::{Bulkhead, BulkheadConfig},
    deadline::Expiry,
    fallback::{FallbackPlan, LastGood, Source},
    hedge::{Hedge, HedgeConfig},
    limiter::{Gcra, Quota},
    retry::{Backoff, Budget, BudgetConfig, RetryPolicy},
    shed::Criticality,
    tower::{
        HttpRules, Stack,
        breaker::{BreakerLayer, HttpJudge},
        bulkhead::BulkheadLayer,
        deadline::{AttemptTimeoutLayer, DeadlineLayer, Expired},
        fallback::FallbackLayer,
        hedge::HedgeLayer,
        limiter::RateLimitLayer,
        retry::RetryLayer,
    },
};
use http::Request;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service, ServiceExt, layer::util::Identity};

use super::{
    fallback::ByPath,
    script::{End, Script, request},
};

type Off = Stack<
    HttpRules<BoxError>,
    Arc<Gcra>,
    fn(&Request<&'static str>) -> Criticality,
    Identity,
    Identity,
    Identity,
>;

/// Notes that a request came by.
#[derive(Clone, Debug)]
struct Tag(&'static str, Arc<Mutex<Vec<&'static str>>>);

#[derive(Clone, Debug)]
struct Tagged<S>(S, Tag);

impl<S> Layer<S> for Tag {
    type Service = Tagged<S>;
    fn layer(&self, inner: S) -> Tagged<S> {
        Tagged(inner, self.clone())
    }
}

impl<S: Service<Req>, Req> Service<Req> for Tagged<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }
    fn call(&mut self, request: Req) -> S::Future {
        self.1.1.lock().unwrap().push(self.1.0);
        self.0.call(request)
    }
}

fn budget() -> Arc<Budget> {
    Arc::new(Budget::new(
        BudgetConfig::default(),
        Instant::now().into_std(),
    ))
}

fn full() -> Off {
    let now = Instant::now().into_std();
    let rules = HttpRules::default();
    let policy =
        RetryPolicy::default().with_backoff(Backoff::new(Duration::ZERO, Duration::ZERO).unwrap());
    let hedge = Hedge::new(HedgeConfig::after(Duration::from_millis(50)), now);
    let quota = Quota::per_second(10).unwrap().with_burst(2).unwrap();
    let mut stack: Off = Stack::off();
    stack.rate_limit = Some(RateLimitLayer::new(Arc::new(Gcra::new(quota, now))));
    stack.deadline = Some(DeadlineLayer::new(Some(Duration::from_millis(480)), rules));
    stack.bulkhead = Some(BulkheadLayer::new(
        Arc::new(Bulkhead::new(BulkheadConfig::new(8).unwrap())),
        rules,
    ));
    stack.retry = Some(RetryLayer::new(policy, budget(), rules).with_seed(7));
    stack.hedge = Some(HedgeLayer::new(Arc::new(hedge), budget(), rules));
    stack.attempt_timeout = Some(AttemptTimeoutLayer::new(
        Some(Duration::from_millis(200)),
        rules,
    ));
    stack
}

#[tokio::test(start_paused = true)]
async fn with_everything_off_it_is_the_service() {
    let script = Script::new([(5, End::Status(503))]);
    let stack: Off = Stack::off();
    let answer = stack
        .layer(script.clone())
        .oneshot(request("GET"))
        .await
        .unwrap();
    assert_eq!((answer.status().as_u16(), script.seen().len()), (503, 1));
    assert!(script.seen()[0].headers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_passes_the_fallback_once_and_breaker_and_limit_with_every_attempt() {
    let script = Script::new([
        (5, End::Status(503)),
        (80, End::Status(200)),
        (5, End::Status(201)),
    ]);
    let log = Arc::<Mutex<Vec<_>>>::default();
    let tag = |name| Tag(name, log.clone());
    let service = full()
        .with_adaptive(tag("adaptive"))
        .with_breaker(tag("breaker"))
        .with_fallback(tag("fallback"))
        .layer(script.clone());
    let answer = service.oneshot(request("GET")).await.unwrap();
    // The first failed, the second was slow, its hedge won.
    assert_eq!((answer.status().as_u16(), script.seen().len()), (201, 3));
    assert_eq!(
        *log.lock().unwrap(),
        [
            "fallback", "breaker", "adaptive", "breaker", "adaptive", "breaker", "adaptive"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_all_attempts_together() {
    let script = Script::new([(10_000, End::Status(200))]);
    let start = Instant::now();
    let error = full()
        .layer(script)
        .oneshot(request("GET"))
        .await
        .unwrap_err();
    let expired = error.downcast_ref::<Expired>().unwrap();
    assert!(
        matches!(expired.expiry, Expiry::Request | Expiry::CutShort),
        "{expired:?}"
    );
    assert_eq!(start.elapsed().as_millis(), 480);
}

#[tokio::test(start_paused = true)]
async fn what_is_over_the_limit_reaches_nothing() {
    let script = Script::new([(0, End::Status(200))]);
    let log = Arc::<Mutex<Vec<_>>>::default();
    let service = full()
        .with_fallback(Tag("fallback", log.clone()))
        .layer(script.clone());
    for _ in 0..2 {
        service.clone().oneshot(request("GET")).await.unwrap();
    }
    let error = service.oneshot(request("GET")).await.unwrap_err();
    let rejection = error.downcast_ref::<Rejection>().unwrap();
    assert_eq!(rejection.by, Pattern::RateLimit);
    assert!(rejection.retry_after.is_some());
    assert_eq!((log.lock().unwrap().len(), script.seen().len()), (2, 2));
}

fn breaker() -> Arc<Breaker> {
    let config = Config::builder()
        .minimum_volume(3)
        .jitter(0.0)
        .build()
        .unwrap();
    Arc::new(Breaker::new(config, 7, Instant::now().into_std()))
}

#[tokio::test(start_paused = true)]
async fn the_breaker_opens_the_fallback_answers_and_all_is_well_again() {
    let failures = std::iter::repeat_n((1, End::Status(500)), 3);
    let script = Script::new(failures.chain([(1, End::Status(200))]));
    let (breaker, log) = (breaker(), Arc::<Mutex<Vec<_>>>::default());
    let plan = FallbackPlan::new([Source::Static]).unwrap();
    let kept = Arc::new(Mutex::new(LastGood::new(1, 1).unwrap()));
    let fallback = FallbackLayer::new(plan, ByPath, HttpRules::default(), kept, None::<Script>);
    let mut stack = full()
        .with_breaker(BreakerLayer::new(breaker.clone(), HttpJudge::default()))
        .with_adaptive(Tag("sent", log.clone()))
        .with_fallback(fallback);
    stack.rate_limit = None;
    let service = stack.layer(script.clone());
    let mut bodies = Vec::new();
    for _ in 0..5 {
        bodies.push(
            *service
                .clone()
                .oneshot(request("GET"))
                .await
                .unwrap()
                .body(),
        );
    }
    assert_eq!(
        bodies,
        ["failed", "failed", "failed", "rejected", "rejected"]
    );
    assert_eq!(
        (breaker.state(), log.lock().unwrap().len()),
        (State::Open, 3)
    );

    tokio::time::advance(Duration::from_secs(5)).await;
    for _ in 0..3 {
        assert_eq!(
            *service
                .clone()
                .oneshot(request("GET"))
                .await
                .unwrap()
                .body(),
            "served"
        );
    }
    assert_eq!(breaker.state(), State::Closed);
}

/// "Cancellation is no evidence": a hedge's loser, the caller's cancel and an inherited deadline count as nothing.
#[tokio::test(start_paused = true)]
async fn what_is_no_evidence_does_not_reach_the_breaker() {
    let breaker = breaker();
    let judged = |script: &Script| {
        let mut stack =
            full().with_breaker(BreakerLayer::new(breaker.clone(), HttpJudge::default()));
        stack.rate_limit = None;
        stack.layer(script.clone())
    };
    let counted = || {
        let snapshot = breaker.snapshot(Instant::now().into_std());
        (snapshot.window.total, snapshot.window.failed)
    };
    // A hedge wins; its loser is dropped.
    let script = Script::new([(150, End::Status(200)), (1, End::Status(200))]);
    judged(&script).oneshot(request("GET")).await.unwrap();
    assert_eq!((script.seen().len(), counted()), (2, (1, 0)));

    // The caller goes away.
    let script = Script::new([(150, End::Status(200))]);
    let asked = judged(&script).oneshot(request("POST"));
    let gone = tokio::time::timeout(Duration::from_millis(20), asked).await;
    assert_eq!((gone.is_err(), counted()), (true, (1, 0)));

    // The deadline that came with the request ends it.
    let mut hurried = request("POST");
    hurried
        .headers_mut()
        .insert("grpc-timeout", "20m".parse().unwrap());
    judged(&script).oneshot(hurried).await.unwrap_err();
    assert_eq!(counted(), (1, 0));

    // Our own timeout of an attempt is a failure.
    let script = Script::new([(10_000, End::Status(200))]);
    judged(&script).oneshot(request("POST")).await.unwrap_err();
    assert_eq!(counted(), (2, 1));
}
