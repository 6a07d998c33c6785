//! Hedges around a scripted service, on a paused clock.

use std::{sync::Arc, time::Duration};

use guildhall_resilience::{
    hedge::{Hedge, HedgeConfig},
    retry::{Budget, BudgetConfig},
    tower::{
        HttpRules,
        hedge::{HedgeLayer, Hedged},
    },
};
use tokio::time::Instant;
use tower::{BoxError, Layer, ServiceExt};

use super::script::{End, Script, request};

fn around(script: &Script, hedges: u32, per_second: u32) -> Hedged<Script, HttpRules<BoxError>> {
    let now = Instant::now().into_std();
    let config = HedgeConfig::after(Duration::from_millis(50))
        .with_hedges(hedges)
        .unwrap();
    let budget = Arc::new(Budget::new(
        BudgetConfig::new(0.0, per_second).unwrap(),
        now,
    ));
    HedgeLayer::new(
        Arc::new(Hedge::new(config, now)),
        budget,
        HttpRules::default(),
    )
    .layer(script.clone())
}

/// Asks once; the answer's status (0 for an error) and how long it took.
async fn ask(hedged: Hedged<Script, HttpRules<BoxError>>, method: &str) -> (u16, u128) {
    let start = Instant::now();
    let result = hedged.oneshot(request(method)).await;
    let status = result.map_or(0, |response| response.status().as_u16());
    (status, start.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn the_faster_one_wins_and_the_loser_is_cancelled() {
    let script = Script::new([(500, End::Status(200)), (10, End::Status(201))]);
    let (status, time) = ask(around(&script, 1, 10), "GET").await;
    assert_eq!((status, time), (201, 60));
    assert_eq!(script.times(), [0, 50]);
    // The loser never ended: what stands below saw it dropped, which is no evidence.
    assert_eq!(script.answered(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_may_still_win() {
    let script = Script::new([(70, End::Status(200)), (500, End::Status(201))]);
    assert_eq!(ask(around(&script, 1, 10), "GET").await, (200, 70));
}

#[tokio::test(start_paused = true)]
async fn a_fast_answer_has_no_hedge() {
    let script = Script::new([(49, End::Status(200))]);
    assert_eq!(ask(around(&script, 1, 10), "GET").await, (200, 49));
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_do_harm_twice_has_no_hedge() {
    let script = Script::new([(500, End::Status(200))]);
    assert_eq!(ask(around(&script, 1, 10), "POST").await, (200, 500));
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_budget_there_is_no_hedge() {
    let script = Script::new([(500, End::Status(200))]);
    assert_eq!(ask(around(&script, 1, 0), "GET").await, (200, 500));
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_waits_for_the_others_and_the_last_one_is_handed_on() {
    let script = Script::new([(200, End::Status(200)), (10, End::Broken)]);
    assert_eq!(ask(around(&script, 1, 10), "GET").await, (200, 200));

    let script = Script::new([(60, End::Broken), (100, End::Status(503))]);
    assert_eq!(ask(around(&script, 1, 10), "GET").await, (503, 150));
}

#[tokio::test(start_paused = true)]
async fn several_hedges_follow_each_other() {
    let script = Script::new([
        (900, End::Status(200)),
        (900, End::Status(200)),
        (5, End::Status(203)),
    ]);
    assert_eq!(ask(around(&script, 2, 10), "GET").await, (203, 105));
    assert_eq!(script.times(), [0, 50, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_could_not_answer_in_time_is_not_sent() {
    let script = Script::new([(500, End::Status(200))]);
    let mut hurried = request("GET");
    hurried
        .headers_mut()
        .insert("grpc-timeout", "50m".parse().unwrap());
    around(&script, 1, 10).oneshot(hurried).await.unwrap();
    assert_eq!(script.seen().len(), 1);
}
