//! The layers over limiters, bulkheads, adaptive limits and shedding, on a paused clock.

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use guildhall_resilience::adaptive::{Adaptive, AdaptiveConfig};
use guildhall_resilience::bulkhead::{Bulkhead, BulkheadConfig};
use guildhall_resilience::deadline::Deadline;
use guildhall_resilience::limiter::{Gcra, Keyed, LeakyQueue, Quota};
use guildhall_resilience::retry::{Body, FailureClass, Idempotency};
use guildhall_resilience::shed::{Criticality, DelayShed, DelayShedConfig, Reserve};
use guildhall_resilience::tower::Rules;
use guildhall_resilience::tower::adaptive::AdaptiveLayer;
use guildhall_resilience::tower::bulkhead::BulkheadLayer;
use guildhall_resilience::tower::limiter::{ByKey, PaceLayer, RateLimitLayer};
use guildhall_resilience::tower::shed::ShedLayer;
use guildhall_resilience::{Outcome, Pattern, Rejection};
use tokio::time::{advance, sleep};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn rejection<T>(result: Result<T, BoxError>) -> Rejection {
    match result {
        Ok(_) => panic!("it was admitted"),
        Err(error) => *error.downcast::<Rejection>().unwrap(),
    }
}

/// Requests of the tests: how long they have, if that is limited.
#[derive(Clone)]
struct Within;

impl Rules<Option<Duration>, u32, BoxError> for Within {
    fn idempotency(&self, _: &Option<Duration>) -> Idempotency {
        Idempotency::Idempotent
    }
    fn body(&self, _: &Option<Duration>) -> Body {
        Body::Held
    }
    fn again(&self, request: &Option<Duration>) -> Option<Option<Duration>> {
        Some(*request)
    }
    fn failure(&self, _: Result<&u32, &BoxError>) -> Option<FailureClass> {
        None
    }
    fn deadline(&self, request: &Option<Duration>, now: Instant) -> Deadline {
        request.map_or(Deadline::NEVER, |left| Deadline::own(left, now))
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_refuses_what_is_over_it_and_says_when_to_come_back() {
    let gcra = Arc::new(Gcra::new(
        Quota::per_second(10).unwrap().with_burst(1).unwrap(),
        now(),
    ));
    let echo = service_fn(|request: u32| ready(Ok::<_, BoxError>(request)));
    let mut service = RateLimitLayer::new(gcra).layer(echo);
    assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
    let refused = rejection(service.ready().await.unwrap().call(7).await);
    assert_eq!(
        (refused.by, refused.retry_after),
        (Pattern::RateLimit, Some(ms(100)))
    );
    advance(ms(100)).await;
    assert!(service.ready().await.unwrap().call(7).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn being_ready_takes_nothing() {
    let gcra = Arc::new(Gcra::new(Quota::per_second(1).unwrap(), now()));
    let echo = service_fn(|request: u32| ready(Ok::<_, BoxError>(request)));
    let layer = RateLimitLayer::new(Arc::clone(&gcra));
    for _ in 0..10 {
        // Ready and never called: a clone that was dropped.
        layer.layer(echo).ready().await.unwrap();
    }
    assert_eq!(gcra.status(now()).remaining, 1);
}

#[tokio::test(start_paused = true)]
async fn keys_are_limited_apart_and_requests_without_one_are_not() {
    let keyed: Arc<Keyed<String>> =
        Arc::new(Keyed::new(Quota::per_second(1).unwrap(), 10, now()).unwrap());
    let echo = service_fn(|request: Option<String>| ready(Ok::<_, BoxError>(request)));
    fn key(request: &Option<String>) -> Option<&str> {
        request.as_deref()
    }
    let mut service = RateLimitLayer::new(ByKey::new(keyed, key)).layer(echo);
    let mut admitted = Vec::new();
    for client in [Some("a"), Some("a"), Some("b"), None, None, Some("b")] {
        let request = client.map(str::to_owned);
        admitted.push(service.ready().await.unwrap().call(request).await.is_ok());
    }
    assert_eq!(admitted, [true, false, true, true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn paced_requests_go_in_their_turns() {
    let queue = Arc::new(LeakyQueue::new(
        Quota::per_second(10).unwrap(),
        ms(200),
        now(),
    ));
    let began = now();
    let service = PaceLayer::new(queue).layer(service_fn(move |_: ()| {
        ready(Ok::<_, BoxError>(now() - began))
    }));
    let calls = (0..4).map(|_| tokio::spawn(service.clone().oneshot(())));
    let mut went = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        went.push(call.await.unwrap());
    }
    let last = rejection(went.pop().unwrap());
    assert_eq!(
        (last.by, last.retry_after),
        (Pattern::RateLimit, Some(ms(100)))
    );
    let went: Vec<u128> = went.into_iter().map(|at| at.unwrap().as_millis()).collect();
    assert_eq!(went, [0, 100, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_paced_request_that_is_dropped_gives_its_turn_back() {
    let queue = Arc::new(LeakyQueue::new(
        Quota::per_second(10).unwrap(),
        ms(1_000),
        now(),
    ));
    let mut service =
        PaceLayer::new(Arc::clone(&queue)).layer(service_fn(|_: ()| ready(Ok::<_, BoxError>(()))));
    service.ready().await.unwrap().call(()).await.unwrap();
    let waiting = service.ready().await.unwrap().call(());
    assert_eq!(queue.wait(now()), ms(200));
    drop(waiting);
    assert_eq!(queue.wait(now()), ms(100));
    service.ready().await.unwrap().call(()).await.unwrap();
    assert_eq!(
        queue.wait(now()),
        ms(100),
        "what was used is not given back"
    );
}

/// A service in which requests stay for 100 ms, and the most that were in it at once.
fn slow(
    inside: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
) -> impl Service<Option<Duration>, Response = u32, Error = BoxError, Future: Send> + Clone {
    service_fn(move |_: Option<Duration>| {
        let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
        async move {
            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            sleep(ms(100)).await;
            inside.fetch_sub(1, SeqCst);
            Ok::<_, BoxError>(now().elapsed().as_millis() as u32)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_holds_so_many_queues_so_many_and_refuses_the_rest() {
    let (inside, most) = (Arc::default(), Arc::default());
    let config = BulkheadConfig::new(2)
        .unwrap()
        .with_queue(2, ms(1_000))
        .unwrap();
    let bulkhead = Arc::new(Bulkhead::new(config));
    let delays = Arc::new(DelayShed::new(DelayShedConfig::default(), now()));
    let layer = BulkheadLayer::new(Arc::clone(&bulkhead), Within).with_delays(Arc::clone(&delays));
    let service = layer.layer(slow(inside, Arc::clone(&most)));
    let began = now();
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let call = service.clone().oneshot(None);
            tokio::spawn(async move { (call.await, now() - began) })
        })
        .collect();
    let mut ends = Vec::new();
    for call in calls {
        let (result, at) = call.await.unwrap();
        ends.push((
            result.map_err(|error| rejection::<()>(Err(error)).by).err(),
            at.as_millis(),
        ));
    }
    assert_eq!(
        ends,
        [
            (None, 100),
            (None, 100),
            (None, 200),
            (None, 200),
            (Some(Pattern::Bulkhead), 0)
        ]
    );
    assert_eq!(most.load(SeqCst), 2);
    let stats = bulkhead.stats();
    assert_eq!((stats.in_flight, stats.queued), (0, 0));
    // At first nobody waited; whoever came second waited for 100 ms.
    assert_eq!(delays.pressure(began + ms(100)), 0.0);
    assert!(delays.pressure(now()) > 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_goes_at_its_deadline_and_a_dropped_one_at_once() {
    let config = BulkheadConfig::new(1)
        .unwrap()
        .with_queue(3, ms(1_000))
        .unwrap();
    let bulkhead = Arc::new(Bulkhead::new(config));
    let layer = BulkheadLayer::new(Arc::clone(&bulkhead), Within);
    let service = layer.layer(slow(Arc::default(), Arc::default()));
    let began = now();
    let first = tokio::spawn(service.clone().oneshot(None));
    let hasty = tokio::spawn(service.clone().oneshot(Some(ms(40))));
    let dropped = tokio::spawn(service.clone().oneshot(None));
    let last = tokio::spawn(service.clone().oneshot(None));
    sleep(ms(10)).await;
    assert_eq!(bulkhead.stats().queued, 3);
    dropped.abort();
    let hasty = rejection(hasty.await.unwrap());
    assert_eq!(
        (hasty.by, (now() - began).as_millis()),
        (Pattern::Bulkhead, 40)
    );
    assert_eq!(bulkhead.stats().queued, 1);
    first.await.unwrap().unwrap();
    last.await.unwrap().unwrap();
    assert_eq!((now() - began).as_millis(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_gives_its_place_back() {
    let bulkhead = Arc::new(Bulkhead::new(BulkheadConfig::new(1).unwrap()));
    let never = service_fn(|_: Option<Duration>| pending::<Result<u32, BoxError>>());
    let mut service = BulkheadLayer::new(Arc::clone(&bulkhead), Within).layer(never);
    let call = service.ready().await.unwrap().call(None);
    assert_eq!(bulkhead.stats().in_flight, 1);
    drop(call);
    assert_eq!(bulkhead.stats().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_refuses_above_it_and_learns_from_ends() {
    let config = AdaptiveConfig::default().with_limits(1, 2, 10).unwrap();
    let adaptive = Arc::new(Adaptive::new(config, 7, now()));
    let classify = |result: Result<&u32, &BoxError>| match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    let layer = AdaptiveLayer::new(Arc::clone(&adaptive), classify);
    let mut service = layer.layer(slow(Arc::default(), Arc::default()));
    let one = service.ready().await.unwrap().call(None);
    let two = service.ready().await.unwrap().call(None);
    let three = rejection(service.ready().await.unwrap().call(None).await);
    assert_eq!(three.by, Pattern::Adaptive);
    drop(one);
    two.await.unwrap();
    assert_eq!(adaptive.stats().in_flight, 0);
    for _ in 0..100 {
        let (a, b) = (
            service.ready().await.unwrap().call(None),
            service.ready().await.unwrap().call(None),
        );
        let _ = tokio::join!(a, b);
    }
    assert!(
        adaptive.stats().limit > 2,
        "steady latency, always full: {:?}",
        adaptive.stats()
    );
}

#[tokio::test(start_paused = true)]
async fn shedding_takes_what_matters_least() {
    let adaptive = Arc::new(Adaptive::new(AdaptiveConfig::default(), 7, now()));
    let delays = Arc::new(DelayShed::new(DelayShedConfig::default(), now()));
    let layer = ShedLayer::new(7, |class: &Criticality| *class)
        .by_delay(Arc::clone(&delays))
        .by_utilisation(Arc::clone(&adaptive), Reserve::default());
    let mut service = layer.layer(service_fn(|_: Criticality| ready(Ok::<_, BoxError>(()))));
    let mut goes = async |class| service.ready().await.unwrap().call(class).await;
    assert!(goes(Criticality::Sheddable).await.is_ok());
    // 12 of 20: the sheddable's half is used up.
    let held: Vec<_> = (0..12)
        .map(|_| Adaptive::acquire(&*adaptive, now()).unwrap())
        .collect();
    assert_eq!(
        rejection(goes(Criticality::Sheddable).await).by,
        Pattern::Shed
    );
    assert!(goes(Criticality::SheddablePlus).await.is_ok());
    drop(held);
    for _ in 0..8 {
        delays.record(ms(50), now());
        advance(ms(100)).await;
    }
    assert_eq!(
        rejection(goes(Criticality::SheddablePlus).await).by,
        Pattern::Shed
    );
    assert!(goes(Criticality::Critical).await.is_ok());
}
