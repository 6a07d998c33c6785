//! Calls that go on where they can, and end with a reason where they cannot.

use std::time::Duration;

use axum::{Router, extract::State, routing::get as route};
use guildhall::{Answer, CallError, Running, ServiceClient, StandIn};
use http::Method;
use serde_json::json;

use crate::{
    fetch, get,
    platform::Platform,
    service, soon,
    upstream::{Does, Upstream, register},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A service that calls `users`, with these defaults.
async fn caller(platform: &Platform, defaults: serde_json::Value) -> Running {
    let service = service("orders").platform(&platform.url());
    service.call_defaults(defaults).start().await.unwrap()
}

async fn status(client: &ServiceClient) -> Result<u16, CallError> {
    Ok(client.get("/").send().await?.status().as_u16())
}

/// Where nobody listens.
async fn nowhere() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn metric(running: &Running, line: &str) -> Option<u64> {
    let body = get(running, "/metrics").await.body;
    let value = body.lines().find_map(|l| l.strip_prefix(line))?;
    value.trim().parse().ok()
}

#[tokio::test]
async fn a_failed_attempt_goes_to_another_instance() {
    let platform = Platform::start().await;
    let good = Upstream::start(&platform, "users", "good", Does::Answer(200)).await;
    let bad = Upstream::start(&platform, "users", "bad", Does::Answer(503)).await;
    register(&platform, "users", "gone", nowhere().await);
    // Two of three instances fail: by the defaults that is too much to go on.
    let defaults = json!({
        "circuitBreaker": {"enabled": false},
        "retry": {"budget": {"percent": 200, "minRetriesPerSecond": 100}},
    });
    let orders = caller(&platform, defaults).await;
    let client = orders.client("users");
    for _ in 0..20 {
        let answer = client.get("/").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &*answer.text()), (200, "good"));
    }
    assert_eq!(good.asked(), 20);
    assert!(bad.asked() > 0);

    // Every attempt carries the same context, and never more time than is left.
    let (seen, mut tried) = (good.seen(), bad.seen());
    let again = seen
        .iter()
        .find_map(|headers| {
            let same = |other: &http::HeaderMap| other["x-request-id"] == headers["x-request-id"];
            tried.iter().position(same).map(|at| (headers, at))
        })
        .map(|(second, first)| (tried.swap_remove(first), second))
        .unwrap();
    assert_eq!(again.0["x-service-id"], again.1["x-service-id"]);
    let left = |headers: &http::HeaderMap| {
        let value = headers["x-envoy-expected-rq-timeout-ms"].to_str().unwrap();
        value.parse::<u64>().unwrap()
    };
    assert!(left(again.1) <= left(&again.0) && left(&again.0) <= 30_000);
    let retried = "guildhall_client_retries_total{service=\"users\",reason=\"unavailable\"}";
    assert_eq!(metric(&orders, retried).await, Some(bad.asked() as u64));
}

#[tokio::test]
async fn what_may_not_be_done_twice_is_not_unless_it_was_not_begun() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Answer(503)).await;
    let orders = caller(
        &platform,
        json!({"retry": {"backOff": {"baseInterval": "1ms"}}}),
    )
    .await;
    let client = orders.client("users");
    assert_eq!(client.post("/").send().await.unwrap().status(), 503);
    assert_eq!(users.asked(), 1);
    let keyed = client.post("/").header("idempotency-key", "k1");
    assert_eq!(keyed.send().await.unwrap().status(), 503);
    assert_eq!(users.asked(), 4);

    // A connection that did not come about carried nothing.
    users.set(Does::Answer(201));
    register(&platform, "users", "gone", nowhere().await);
    let both = async {
        loop {
            let answer = client.post("/").send().await.unwrap();
            assert_eq!(answer.status(), 201);
            let line = "guildhall_client_retries_total{service=\"users\",reason=\"connect\"}";
            if metric(&orders, line).await.is_some() {
                return;
            }
        }
    };
    soon("a retry of a connection", both).await;
}

#[tokio::test]
async fn retries_keep_to_their_budget() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Answer(503)).await;
    let orders = caller(
        &platform,
        json!({
            "retry": {"attempts": 3, "backOff": {"baseInterval": "1ms"},
                      "budget": {"percent": 10, "minRetriesPerSecond": 0}},
            "circuitBreaker": {"enabled": false},
        }),
    )
    .await;
    let client = orders.client("users");
    for _ in 0..100 {
        assert_eq!(status(&client).await.unwrap(), 503);
    }
    let asked = users.asked();
    assert!((100..=110).contains(&asked), "{asked}");
    let spent = "guildhall_client_not_retried_total{service=\"users\",reason=\"budget-spent\"}";
    assert!(metric(&orders, spent).await.unwrap() >= 80);
}

#[tokio::test]
async fn the_breaker_opens_says_so_and_closes() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Answer(500)).await;
    let orders = caller(
        &platform,
        json!({"circuitBreaker": {"consecutiveFailures": 5, "waitDurationInOpenState": "200ms"}}),
    )
    .await;
    let client = orders.client("users");
    for _ in 0..5 {
        assert_eq!(status(&client).await.unwrap(), 500);
    }
    let error = status(&client).await.unwrap_err();
    let rejected = error.rejected().unwrap();
    assert_eq!(rejected.by.name(), "breaker");
    assert!(rejected.retry_after.unwrap() <= MS(240), "{rejected}");
    assert!(error.was_not_sent() && error.is_unavailable());
    let told = error.to_string();
    assert!(
        told.starts_with("users was not called: rejected by breaker"),
        "{told}"
    );
    assert_eq!(users.asked(), 5);
    let state = |state: &str| {
        format!("guildhall_client_breaker_state{{service=\"users\",state=\"{state}\"}}")
    };
    assert_eq!(metric(&orders, &state("OPEN")).await, Some(1));
    let rejections = "guildhall_client_rejections_total{service=\"users\",reason=\"breaker\"}";
    assert_eq!(metric(&orders, rejections).await, Some(1));

    users.set(Does::Answer(200));
    let back = async {
        while status(&client).await.is_err() {
            tokio::task::yield_now().await;
        }
        while metric(&orders, &state("CLOSED")).await != Some(1) {
            assert_eq!(status(&client).await.unwrap(), 200);
        }
    };
    soon("the closed breaker", back).await;
}

#[tokio::test]
async fn a_call_of_an_earlier_time_decides_nothing() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Slow(MS(400), 500)).await;
    let breaker = json!({"circuitBreaker": {"consecutiveFailures": 2, "waitDurationInOpenState": "20ms",
        "permittedNumberOfCallsInHalfOpenState": 1}});
    let orders = caller(&platform, breaker).await;
    let client = orders.client("users");
    let stale = tokio::spawn(client.get("/").send());
    soon("the call's beginning", async {
        while users.asked() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    users.set(Does::Answer(500));
    while status(&client).await.is_ok() {}
    users.set(Does::Answer(200));
    soon("the breaker's recovery", async {
        while status(&client).await.is_err() {}
    })
    .await;
    // One failure of now, and one of then: two in a row it would be, if both counted.
    users.set(Does::Answer(500));
    assert_eq!(status(&client).await.unwrap(), 500);
    assert_eq!(stale.await.unwrap().unwrap().status(), 500);
    users.set(Does::Answer(200));
    assert_eq!(status(&client).await.unwrap(), 200);
}

#[tokio::test]
async fn what_breakers_do_is_reported() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Answer(500)).await;
    let defaults = json!({"circuitBreaker": {"consecutiveFailures": 2}});
    let orders = caller(&platform, defaults).await;
    let client = orders.client("users");
    while status(&client).await.is_ok() {}
    let asked = users.asked() as u64;
    let open = async {
        loop {
            let reports = platform.reports();
            let mut row = reports.iter().flat_map(|report| &report.breakers);
            let open = row.find(|breaker| breaker.state.name() == "OPEN");
            if let Some(breaker) = open {
                return (reports[0].reporter.clone(), breaker.clone());
            }
            tokio::task::yield_now().await;
        }
    };
    let (reporter, breaker) = soon("the report", open).await;
    assert_eq!(
        reporter.to_string(),
        format!("default/orders/{}", orders.instance_id())
    );
    assert_eq!(breaker.target.service.as_str(), "users");
    assert_eq!(breaker.statistics.failed, asked);
    assert!(breaker.last_transition.unwrap().reason.contains("in a row"));
    soon("the end", orders.stop()).await;
    let last = platform.reports().pop().unwrap();
    assert!(last.full && last.breakers.is_empty(), "{last:?}");
}

#[tokio::test]
async fn a_hanging_instance_is_left_out() {
    let platform = Platform::start().await;
    let _good = Upstream::start(&platform, "users", "good", Does::Answer(200)).await;
    let hanging = Upstream::start(&platform, "users", "hanging", Does::Hang).await;
    let orders = caller(
        &platform,
        json!({
            "timeouts": {"backendRequest": "50ms"},
            "retry": {"backOff": {"baseInterval": "1ms"}},
            "outlierDetection": {"consecutiveFailures": 3},
            "circuitBreaker": {"enabled": false},
        }),
    )
    .await;
    let client = orders.client("users");
    for _ in 0..60 {
        assert_eq!(&*client.get("/").send().await.unwrap().text(), "good");
    }
    assert_eq!(hanging.asked(), 3);
}

#[tokio::test]
async fn timeouts_say_whose_they_are() {
    let platform = Platform::start().await;
    let _users = Upstream::start(&platform, "users", "u1", Does::Hang).await;
    let defaults = json!({"timeouts": {"backendRequest": "30ms"}, "retry": {"attempts": 0}});
    let orders = caller(&platform, defaults).await;
    let client = orders.client("users");
    let (service, instance) = ("users".to_owned(), Some("u1".to_owned()));
    let error = status(&client).await.unwrap_err();
    let expect = CallError::Timeout {
        service: service.clone(),
        instance: instance.clone(),
        after: MS(30),
    };
    assert_eq!(error, expect);
    let error = client.get("/").timeout(MS(10)).send().await.unwrap_err();
    let expect = CallError::Timeout {
        service,
        instance,
        after: MS(10),
    };
    assert_eq!(error, expect);
}

#[tokio::test]
async fn a_deadline_shrinks_from_hop_to_hop() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Answer(200)).await;
    let hop = |name: &str, next: &str| {
        let service = service(name).platform(&platform.url());
        let client = service.client(next);
        let call = |State(next): State<ServiceClient>| async move {
            match next.get("/").send().await {
                Ok(answer) => (answer.status(), answer.text().into_owned()),
                Err(error) => (http::StatusCode::BAD_GATEWAY, error.to_string()),
            }
        };
        let router = Router::new().route("/", route(call)).with_state(client);
        service.router(router).start()
    };
    let orders = hop("orders", "users").await.unwrap();
    register(&platform, "orders", "o1", orders.addr());
    let shop = hop("shop", "orders").await.unwrap();
    let base = format!("http://{}/", shop.addr());
    let limit = [("x-envoy-expected-rq-timeout-ms", "2000")];
    let got = fetch(&base, &limit).await.unwrap();
    assert_eq!(got.status, 200, "{}", got.body);
    let left = users.seen()[0]["x-envoy-expected-rq-timeout-ms"].clone();
    let left: u64 = left.to_str().unwrap().parse().unwrap();
    assert!((1..2000).contains(&left), "{left}");

    // Nobody waits any longer than the first who asked.
    users.set(Does::Hang);
    let limit = [("x-envoy-expected-rq-timeout-ms", "100")];
    let got = soon("the end of the deadline", fetch(&base, &limit))
        .await
        .unwrap();
    assert_eq!(got.status, 502);
    assert!(
        got.body.contains("left of the request's deadline"),
        "{}",
        got.body
    );
}

#[tokio::test]
async fn the_caller_may_say_what_answers_instead() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Answer(500)).await;
    let orders = caller(&platform, json!({})).await;
    let client = orders.client("users").with_fallback(|failed| async move {
        match failed {
            CallError::Status { status, .. } if status == 501 => None,
            failed => Answer::instead_json(&json!({"because": failed.to_string()})).ok(),
        }
    });
    let answer = client.get("/").send().await.unwrap();
    assert_eq!(answer.stand_in(), Some(&StandIn::Code));
    let because = answer.json::<serde_json::Value>().unwrap()["because"].to_string();
    assert!(because.contains("500"), "{because}");
    for (does, expect) in [(501, 501), (404, 404), (200, 200)] {
        users.set(Does::Answer(does));
        let answer = client.get("/").send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.stand_in()),
            (expect, None)
        );
    }
    let line = "guildhall_client_stand_ins_total{service=\"users\",reason=\"code\"}";
    assert_eq!(metric(&orders, line).await, Some(1));
}

#[tokio::test]
async fn a_policy_may_say_what_answers_instead() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Answer(200)).await;
    let spare = Upstream::start(&platform, "users-spare", "s1", Does::Answer(200)).await;
    let fallback = json!({"fallback": {"sources": [
        {"cached": {"maxAge": "1m"}},
        {"service": {"name": "users-spare"}},
        {"static": {"status": 203, "headers": {"x-fixed": "yes"}, "body": "nobody"}},
    ]}});
    let orders = caller(&platform, fallback).await;
    let client = orders.client("users");
    assert_eq!(status(&client).await.unwrap(), 200);
    users.set(Does::Answer(500));
    let answer = client.get("/").send().await.unwrap();
    assert!(matches!(answer.stand_in(), Some(StandIn::Kept { .. })));
    assert_eq!(
        (&*answer.text(), &answer.headers()["age"]),
        ("u1", &"0".parse().unwrap())
    );

    // What was never asked has no answer that was kept.
    let answer = client.get("/other").send().await.unwrap();
    assert_eq!(
        answer.stand_in(),
        Some(&StandIn::Service("users-spare".to_owned()))
    );
    assert_eq!((&*answer.text(), spare.asked()), ("s1", 1));

    spare.set(Does::Answer(500));
    let answer = client.get("/other").send().await.unwrap();
    assert_eq!(answer.stand_in(), Some(&StandIn::Fixed));
    assert_eq!((answer.status().as_u16(), &*answer.text()), (203, "nobody"));
    assert_eq!(answer.headers()["x-fixed"], "yes");
}

#[tokio::test]
async fn limits_and_full_bulkheads_are_told_apart() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Answer(200)).await;
    let orders = caller(
        &platform,
        json!({
            "rateLimit": {"rules": [{"name": "writes", "requests": 3, "period": "1m",
                                     "key": {"type": "Header", "name": "x-tenant"}}]},
            "bulkhead": {"maxConcurrentCalls": 1},
        }),
    )
    .await;
    let client = orders.client("users");
    let as_tenant = |tenant: &str| client.get("/").header("x-tenant", tenant).send();
    for _ in 0..3 {
        as_tenant("a").await.unwrap();
    }
    let error = as_tenant("a").await.unwrap_err();
    let rejected = error.rejected().unwrap();
    assert_eq!(
        (rejected.by.name(), rejected.rule.as_deref()),
        ("rate-limit", Some("writes"))
    );
    assert!(rejected.retry_after.unwrap() > Duration::ZERO);
    as_tenant("b").await.unwrap();

    users.set(Does::Hang);
    let asked = users.asked();
    let hanging = tokio::spawn(client.get("/").header("x-tenant", "c").send());
    soon("the hanging call", async {
        while users.asked() == asked {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let error = as_tenant("d").await.unwrap_err();
    assert_eq!(error.rejected().unwrap().by.name(), "bulkhead");
    hanging.abort();
}

#[tokio::test]
async fn a_slow_answer_is_overtaken() {
    let platform = Platform::start().await;
    let slow = Upstream::start(&platform, "users", "slow", Does::Slow(MS(3_000), 200)).await;
    let quick = Upstream::start(&platform, "users", "quick", Does::Answer(200)).await;
    let defaults = json!({"hedging": {"delay": {"fixed": "20ms"}, "budget": {"percent": 100, "minRetriesPerSecond": 100}}});
    let orders = caller(&platform, defaults).await;
    let client = orders.client("users").with_timeout(MS(2_000));
    for _ in 0..10 {
        assert_eq!(&*client.get("/").send().await.unwrap().text(), "quick");
    }
    assert!(slow.asked() > 0 && quick.asked() == 10);
}

#[tokio::test]
async fn balancing_by_hash_keeps_to_its_instance() {
    let platform = Platform::start().await;
    let mut fleet = Vec::new();
    for id in ["u1", "u2", "u3", "u4"] {
        fleet.push(Upstream::start(&platform, "users", id, Does::Answer(200)).await);
    }
    let defaults = json!({"loadBalancer": {"type": "Maglev",
        "consistentHash": {"type": "Header", "name": "x-user"}}});
    let orders = caller(&platform, defaults).await;
    let client = orders.client("users");
    let mut homes = std::collections::BTreeSet::new();
    for user in 0..20 {
        let ask = || async {
            let call = client.get("/").header("x-user", &user.to_string());
            call.send().await.unwrap().instance().to_owned()
        };
        let home = ask().await;
        for _ in 0..3 {
            assert_eq!(ask().await, home);
        }
        homes.insert(home);
    }
    assert!(homes.len() > 2, "{homes:?}");
}

#[tokio::test]
async fn wrong_defaults_are_told_at_the_start() {
    let wrong = service("orders").call_defaults(json!({"retry": {"atempts": 3}}));
    let error = wrong.start().await.unwrap_err().to_string();
    assert!(
        error.contains("call_defaults: /retry/atempts") || error.contains("atempts"),
        "{error}"
    );
    let fine = service("orders").call_defaults(json!({"retry": {"attempts": 3}}));
    let running = fine.start().await.unwrap();
    let call = running.client("users").call(Method::GET, "/").send().await;
    assert!(matches!(call, Err(CallError::NoPlatform { .. })));
}
