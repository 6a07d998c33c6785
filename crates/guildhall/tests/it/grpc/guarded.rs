//! What policies do to calls by gRPC.

use guildhall_core::policy::guard::Rejected;

use super::*;

fn rejected(status: &Status) -> &Rejected {
    CallError::of(status).and_then(CallError::rejected).unwrap()
}

fn reason(status: &Status) -> &str {
    let reason = status.metadata().get("guildhall-reason").unwrap();
    reason.to_str().unwrap()
}

#[tokio::test]
async fn the_breaker_goes_by_the_status_in_the_trailers() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Fail(Code::Internal)).await;
    let defaults =
        json!({"circuitBreaker": {"consecutiveFailures": 3, "waitDurationInOpenState": "200ms"}});
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users");
    // A status that is the caller's fault is none of the service's.
    users.set(Does::Fail(Code::NotFound));
    for _ in 0..5 {
        assert_eq!(watch(&channel).await.unwrap_err().code(), Code::NotFound);
    }
    users.set(Does::Fail(Code::Internal));
    for _ in 0..3 {
        // The head was fine, and so was the first message.
        assert_eq!(watch(&channel).await.unwrap_err().code(), Code::Internal);
    }
    let status = check(&channel).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status)),
        (Code::Unavailable, "circuit_open")
    );
    assert_eq!(rejected(&status).by.name(), "breaker");
    assert!(rejected(&status).retry_after.unwrap() <= MS(240));
    assert_eq!(users.asked(), 8);
    // Calls by HTTP have the same one.
    let error = orders.client("users").get("/").send().await.unwrap_err();
    assert!(error.rejected().is_some(), "{error}");

    users.set(Does::Serve);
    let back = async {
        while check(&channel).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("the closed breaker", back).await;
}

#[tokio::test]
async fn a_cancelled_stream_is_no_evidence() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Hang).await;
    let defaults = json!({"circuitBreaker": {"consecutiveFailures": 1},
        "outlierDetection": {"consecutiveFailures": 1}});
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users");
    for _ in 0..3 {
        let answer = client(&channel)
            .watch(HealthCheckRequest::default())
            .await
            .unwrap();
        assert!(answer.into_inner().message().await.unwrap().is_some());
    }
    users.set(Does::Serve);
    assert_eq!(check(&channel).await.unwrap(), 1);
    let cancelled = "guildhall_client_calls_total{service=\"users\",outcome=\"cancelled\"}";
    assert_eq!(metric(&orders, cancelled).await, 3);
}

#[tokio::test]
async fn a_place_is_held_until_the_stream_ends() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Hang).await;
    let defaults = json!({"bulkhead": {"maxConcurrentCalls": 1}});
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users");
    let answer = client(&channel)
        .watch(HealthCheckRequest::default())
        .await
        .unwrap();
    let mut stream = answer.into_inner();
    assert!(stream.message().await.unwrap().is_some());
    users.set(Does::Serve);
    let status = check(&channel).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status)),
        (Code::ResourceExhausted, "bulkhead_full")
    );
    assert_eq!(rejected(&status).by.name(), "bulkhead");
    drop(stream);
    assert_eq!(check(&channel).await.unwrap(), 1);
    // One that is read to its end has left by then, though it is still there.
    let answer = client(&channel)
        .watch(HealthCheckRequest::default())
        .await
        .unwrap();
    let mut stream = answer.into_inner();
    while stream.message().await.unwrap().is_some() {}
    assert_eq!(check(&channel).await.unwrap(), 1);
    drop(stream);
}

#[tokio::test]
async fn a_refusal_names_its_rule_and_when_to_come_back() {
    let platform = Platform::start().await;
    let _users = Upstream::start(&platform, "users", "u1", Does::Serve).await;
    let limit = json!({"rateLimit": {"rules": [{"name": "all", "requests": 1, "period": "1h"}]}});
    let orders = service(&platform, limit).start().await.unwrap();
    let channel = orders.grpc("users");
    check(&channel).await.unwrap();
    let status = check(&channel).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status)),
        (Code::ResourceExhausted, "rate_limited")
    );
    assert_eq!(rejected(&status).rule.as_deref(), Some("all"));
    let details = String::from_utf8_lossy(status.details()).into_owned();
    for part in [
        "google.rpc.ErrorInfo",
        "RATE_LIMITED",
        "rule",
        "all",
        "google.rpc.RetryInfo",
    ] {
        assert!(details.contains(part), "{part}: {details}");
    }
    let line = "guildhall_client_rejections_total{service=\"users\",reason=\"rate-limit\"}";
    assert_eq!(metric(&orders, line).await, 1);
}

#[tokio::test]
async fn an_instance_that_fails_is_left_out() {
    let platform = Platform::start().await;
    let bad = Upstream::start(&platform, "users", "bad", Does::Fail(Code::Internal)).await;
    let _good = Upstream::start(&platform, "users", "good", Does::Serve).await;
    let defaults = json!({"circuitBreaker": {"enabled": false},
        "outlierDetection": {"consecutiveFailures": 3, "maxEjectionPercent": 50}});
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users");
    let failed = async {
        while bad.asked() < 3 {
            let _ = check(&channel).await;
        }
    };
    soon("three failures", failed).await;
    for _ in 0..20 {
        assert_eq!(check(&channel).await.unwrap(), 1);
    }
    assert_eq!(bad.asked(), 3);
}

#[tokio::test]
async fn what_may_be_done_twice_is_hedged() {
    let platform = Platform::start().await;
    let slow = Upstream::start(&platform, "users", "slow", Does::Slow(MS(3_000))).await;
    let quick = Upstream::start(&platform, "users", "quick", Does::Serve).await;
    let defaults = json!({"hedging": {"delay": {"fixed": "20ms"}, "budget": {"percent": 100, "minRetriesPerSecond": 100}}});
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users").with_timeout(MS(2_000)).idempotent();
    for _ in 0..10 {
        assert_eq!(check(&channel).await.unwrap(), 1);
    }
    assert!(slow.asked() > 0 && quick.asked() == 10);
}

#[tokio::test]
async fn another_service_stands_in() {
    let platform = Platform::start().await;
    let _users = Upstream::start(&platform, "users", "u1", Does::Fail(Code::Internal)).await;
    let spare = Upstream::start(&platform, "users-spare", "not-u1", Does::Serve).await;
    // Kept and fixed answers are HTTP's: they are passed over.
    let defaults = json!({"fallback": {"sources": [
        {"cached": {"maxAge": "1m"}}, {"service": {"name": "users-spare"}},
        {"static": {"status": 203, "body": "nobody"}},
    ]}});
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users");
    let answer = client(&channel)
        .check(HealthCheckRequest::default())
        .await
        .unwrap();
    assert_eq!(
        answer.metadata().get("guildhall-reason").unwrap(),
        "fallback_answered"
    );
    assert_eq!((answer.into_inner().status, spare.asked()), (2, 1));
    spare.set(Does::Fail(Code::Internal));
    assert_eq!(check(&channel).await.unwrap_err().code(), Code::Internal);
}
