//! The layer: what is evidence and what is not, on a paused clock.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guildhall_resilience::breaker::{Breaker, Config, Refusal, State, Transition};
use guildhall_resilience::classify::{Classify, ErrorClass};
use guildhall_resilience::tower::breaker::{BreakerLayer, HttpJudge, Judge};
use guildhall_resilience::{Outcome, Pattern, Rejection};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

/// Counts what it hears, and takes an even answer for a good one.
#[derive(Clone, Default)]
struct Listening {
    refused: Arc<AtomicUsize>,
    changes: Arc<Mutex<Vec<(State, State)>>>,
}

impl Judge<u32, BoxError> for Listening {
    fn outcome(&self, result: Result<&u32, &BoxError>) -> Outcome {
        match result {
            Ok(answer) if answer % 2 == 0 => Outcome::Success,
            _ => Outcome::Failure,
        }
    }

    fn changed(&self, transition: Transition) {
        self.changes
            .lock()
            .unwrap()
            .push((transition.from, transition.to));
    }

    fn refused(&self, _: &Refusal) {
        self.refused.fetch_add(1, Relaxed);
    }
}

fn breaker() -> Arc<Breaker> {
    let config = Config::builder().jitter(0.0).build().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the paused clock")]
    let now = tokio::time::Instant::now().into_std();
    Arc::new(Breaker::new(config, 1, now))
}

#[tokio::test(start_paused = true)]
async fn it_opens_refuses_probes_and_closes() {
    let (breaker, judge) = (breaker(), Listening::default());
    let echo = service_fn(|request: u32| async move { Ok::<_, BoxError>(request) });
    let mut service = BreakerLayer::new(breaker.clone(), judge.clone()).layer(echo);
    for _ in 0..20 {
        assert_eq!(service.ready().await.unwrap().call(1).await.unwrap(), 1);
    }
    let error = service.call(2).await.unwrap_err();
    let rejection = error.downcast_ref::<Rejection>().unwrap();
    assert_eq!(rejection.by, Pattern::Breaker);
    assert_eq!(rejection.retry_after, Some(Duration::from_secs(5)));
    tokio::time::advance(Duration::from_secs(5)).await;
    for _ in 0..2 {
        assert_eq!(service.call(2).await.unwrap(), 2);
    }
    let changes = judge.changes.lock().unwrap().clone();
    use State::{Closed, HalfOpen, Open};
    assert_eq!(
        changes,
        [(Closed, Open), (Open, HalfOpen), (HalfOpen, Closed)]
    );
    assert_eq!(judge.refused.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_is_given_back() {
    let breaker = breaker();
    let hang = service_fn(|fails: bool| async move {
        if fails {
            return Err::<u32, BoxError>("down".into());
        }
        std::future::pending().await
    });
    let mut service = BreakerLayer::new(breaker.clone(), Listening::default()).layer(hang);
    for _ in 0..20 {
        service.call(true).await.unwrap_err();
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    for _ in 0..10 {
        let call = service.call(false);
        tokio::time::timeout(Duration::from_millis(1), call)
            .await
            .unwrap_err();
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    let held: Vec<_> = (0..3).map(|_| service.call(false)).collect();
    let error = service.call(false).await.unwrap_err();
    assert!(error.is::<Rejection>());
    drop(held);
    service.call(true).await.unwrap_err();
    service.call(true).await.unwrap_err();
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn statuses_are_judged_by_the_rules() {
    let breaker = breaker();
    let status = service_fn(|status: u16| async move {
        let response = http::Response::builder().status(status).body(());
        response.map_err(BoxError::from)
    });
    let judge = HttpJudge::new(Classify::default(), |_: &BoxError| ErrorClass::Other);
    let mut service = BreakerLayer::new(breaker.clone(), judge).layer(status);
    for answer in [404, 429, 400, 499] {
        for _ in 0..100 {
            service.call(answer).await.unwrap();
        }
    }
    assert_eq!(breaker.state(), State::Closed);
    for _ in 0..200 {
        service.call(503).await.unwrap();
    }
    assert_eq!(breaker.state(), State::Open);
}
