//! Fallbacks around a scripted service, on a paused clock.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use guildhall_resilience::{
    fallback::{Cause, FallbackPlan, LastGood, Source},
    tower::{
        HttpRules,
        fallback::{Answers, FallbackLayer},
    },
};
use http::{Request, Response};
use tokio::time::advance;
use tower::{BoxError, Layer, Service, ServiceExt};

use super::script::{End, Script, request};

#[derive(Clone)]
pub(super) struct ByPath;

impl Answers<Request<&'static str>, Response<&'static str>> for ByPath {
    type Key = String;

    fn key(&self, request: &Request<&'static str>) -> Option<String> {
        (request.method() == "GET").then(|| request.uri().path().to_owned())
    }

    fn copy(&self, good: &Response<&'static str>) -> Option<(Response<&'static str>, usize)> {
        Some((good.clone(), good.body().len()))
    }

    fn kept(&self, kept: &Response<&'static str>, age: Duration) -> Option<Response<&'static str>> {
        let mut answer = kept.clone();
        answer.headers_mut().insert("age", age.as_secs().into());
        Some(answer)
    }

    fn fixed(&self, cause: Cause) -> Option<Response<&'static str>> {
        Some(Response::builder().status(203).body(cause.name()).unwrap())
    }
}

const CACHED: Source = Source::Cached {
    oldest: Duration::from_secs(60),
};

fn around(
    script: &Script,
    sources: &[Source],
    other: Option<Script>,
) -> impl Service<Request<&'static str>, Response = Response<&'static str>, Error = BoxError> + Clone
{
    let plan = FallbackPlan::new(sources.iter().copied()).unwrap();
    let kept = Arc::new(Mutex::new(LastGood::new(10, 1_000).unwrap()));
    FallbackLayer::new(plan, ByPath, HttpRules::default(), kept, other).layer(script.clone())
}

#[tokio::test(start_paused = true)]
async fn the_last_good_answer_stands_in_as_long_as_it_is_fresh() {
    let script = Script::new([(0, End::Status(200)), (0, End::Status(503))]);
    let service = around(&script, &[CACHED], None);
    assert_eq!(
        service
            .clone()
            .oneshot(request("GET"))
            .await
            .unwrap()
            .status(),
        200
    );
    advance(Duration::from_secs(20)).await;
    let stale = service.clone().oneshot(request("GET")).await.unwrap();
    assert_eq!(
        (
            stale.status().as_u16(),
            stale.headers()["age"].to_str().unwrap()
        ),
        (200, "20")
    );
    // A POST has no key, and what is too old is worse than none.
    assert_eq!(
        service
            .clone()
            .oneshot(request("POST"))
            .await
            .unwrap()
            .status(),
        503
    );
    advance(Duration::from_secs(41)).await;
    assert_eq!(service.oneshot(request("GET")).await.unwrap().status(), 503);
}

#[tokio::test(start_paused = true)]
async fn the_other_service_answers_and_the_fixed_answer_stands_behind_it() {
    let sources = [Source::Service, Source::Static];
    let script = Script::new([(0, End::Broken)]);
    let other = Script::new([(5, End::Status(200)), (5, End::Status(500))]);
    let service = around(&script, &sources, Some(other.clone()));
    assert_eq!(
        service
            .clone()
            .oneshot(request("PUT"))
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(other.seen()[0].body, "asked");
    let fixed = service.oneshot(request("PUT")).await.unwrap();
    assert_eq!((fixed.status().as_u16(), *fixed.body()), (203, "failed"));
    // A plan that names a service where there is none passes it over.
    let fixed = around(&script, &sources, None)
        .oneshot(request("PUT"))
        .await
        .unwrap();
    assert_eq!(fixed.status(), 203);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_request_stays_wrong_and_a_success_is_left_alone() {
    let script = Script::new([
        (0, End::Status(404)),
        (0, End::Status(429)),
        (0, End::Status(204)),
    ]);
    let service = around(&script, &[Source::Static], None);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(
            service
                .clone()
                .oneshot(request("GET"))
                .await
                .unwrap()
                .status()
                .as_u16(),
        );
    }
    assert_eq!(statuses, [404, 429, 204]);
}

#[tokio::test(start_paused = true)]
async fn the_other_services_answer_is_not_kept_as_this_ones() {
    let script = Script::new([(0, End::Broken)]);
    let other = Script::new([(0, End::Status(200)), (0, End::Broken)]);
    let service = around(&script, &[Source::Service, CACHED], Some(other));
    assert_eq!(
        service
            .clone()
            .oneshot(request("GET"))
            .await
            .unwrap()
            .status(),
        200
    );
    assert!(service.oneshot(request("GET")).await.is_err());
}
