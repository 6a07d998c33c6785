//! gRPC: calls by tonic's clients through the chain.

mod away;
mod echo;
mod guarded;
mod health;
mod says;
mod served;
mod stops;
mod streams;
mod upstream;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use echo::Text;
use futures_util::stream;
use guildhall::{CallError, GrpcChannel, RequestContext, Running};
use http::HeaderMap;
use serde_json::json;
use tokio::sync::mpsc;
use tonic::{Code, Request, Status, Streaming, client::Grpc};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use upstream::{Does, Upstream, register, service};

use crate::{get, platform::Platform, soon};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[expect(
    clippy::disallowed_methods,
    reason = "a test that looks at how long something took"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

fn client(channel: &GrpcChannel) -> HealthClient<GrpcChannel> {
    HealthClient::new(channel.clone())
}

async fn check(channel: &GrpcChannel) -> Result<i32, Status> {
    let answer = client(channel).check(HealthCheckRequest::default()).await?;
    Ok(answer.into_inner().status)
}

/// All that a server's stream says, unless it fails.
async fn watch(channel: &GrpcChannel) -> Result<Vec<i32>, Status> {
    let answer = client(channel).watch(HealthCheckRequest::default()).await?;
    let mut stream = answer.into_inner();
    let mut all = Vec::new();
    while let Some(message) = stream.message().await? {
        all.push(message.status);
    }
    Ok(all)
}

/// A call that streams both ways: what is sent into it, and what comes back.
async fn echo(
    channel: &GrpcChannel,
) -> Result<(mpsc::UnboundedSender<String>, Streaming<String>), Status> {
    let (say, said) = mpsc::unbounded_channel();
    let said = stream::unfold(
        said,
        |mut said| async move { Some((said.recv().await?, said)) },
    );
    let mut client = Grpc::new(channel.clone());
    client.ready().await?;
    let path = "/shop.Echo/Echo".parse().unwrap();
    let answer = client.streaming(Request::new(said), path, Text).await?;
    Ok((say, answer.into_inner()))
}

async fn metric(running: &Running, line: &str) -> u64 {
    let body = get(running, "/metrics").await.body;
    let value = body.lines().find_map(|l| l.strip_prefix(line));
    value.map_or(0, |value| value.trim().parse().unwrap())
}

#[tokio::test]
async fn unary_calls_and_streams_both_ways() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Serve).await;
    let orders = service(&platform, json!({})).start().await.unwrap();
    let channel = orders.grpc("users");
    assert_eq!(check(&channel).await.unwrap(), 1);
    assert_eq!(watch(&channel).await.unwrap(), [1]);

    // Each message waits for the answer to the one before.
    let (say, mut said) = echo(&channel).await.unwrap();
    for word in ["one", "two", "three"] {
        say.send(word.to_owned()).unwrap();
        assert_eq!(said.message().await.unwrap().unwrap(), word);
    }
    drop(say);
    assert_eq!(said.message().await.unwrap(), None);

    for seen in users.seen() {
        assert_eq!(seen["x-service-id"], "orders");
        assert_eq!(seen["user-agent"], "orders/1.0.0");
        assert!(seen.contains_key("x-request-id"));
        // Nobody said how long it may take.
        assert!(!seen.contains_key("grpc-timeout"));
    }
    let ok = "guildhall_client_calls_total{service=\"users\",outcome=\"grpc-ok\"}";
    assert_eq!(metric(&orders, ok).await, 3);
}

#[tokio::test]
async fn an_instance_is_chosen_for_each_call() {
    let platform = Platform::start().await;
    let first = Upstream::start(&platform, "users", "u1", Does::Serve).await;
    let second = Upstream::start(&platform, "users", "u2", Does::Serve).await;
    let orders = service(&platform, json!({})).start().await.unwrap();
    let channel = orders.grpc("users");
    for _ in 0..40 {
        check(&channel).await.unwrap();
    }
    assert!(first.asked() > 5 && second.asked() > 5);
    assert_eq!(first.asked() + second.asked(), 40);

    // Instances that speak HTTP alone are not called.
    let address = first.address;
    crate::upstream::register(&platform, "others", "o1", address);
    let status = check(&orders.grpc("others")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let told = status.message();
    assert!(told.contains("no port with protocol grpc or h2c"), "{told}");
    let reason = &status.metadata().get("guildhall-reason").unwrap();
    assert_eq!(*reason, "no_healthy_endpoint");
}

#[tokio::test]
async fn what_fails_is_retried_on_another_instance_if_it_may_be() {
    let platform = Platform::start().await;
    let bad = Upstream::start(&platform, "users", "bad", Does::Fail(Code::Unavailable)).await;
    let good = Upstream::start(&platform, "users", "good", Does::Serve).await;
    let defaults = json!({
        "circuitBreaker": {"enabled": false}, "outlierDetection": {"enabled": false},
        "retry": {"backOff": {"baseInterval": "1ms"},
                  "budget": {"percent": 200, "minRetriesPerSecond": 100}},
    });
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users");
    // Not said to be idempotent: what may have been done is not done again.
    let until_bad = async {
        loop {
            if let Err(status) = check(&channel).await {
                return status;
            }
        }
    };
    let status = soon("the bad instance", until_bad).await;
    // It is the service's own: nothing of ours is in it.
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "as the test says")
    );
    assert!(CallError::of(&status).is_none());

    let asked = bad.asked();
    let repeated = channel
        .clone()
        .idempotent_methods(["/grpc.health.v1.Health/Check"]);
    for _ in 0..20 {
        assert_eq!(check(&repeated).await.unwrap(), 1);
    }
    assert!(bad.asked() > asked && good.asked() >= 20);
    // Every attempt is told as the same request.
    let ids = |upstream: &Upstream| -> Vec<_> {
        let seen = upstream.seen().into_iter();
        seen.map(|headers: HeaderMap| headers["x-request-id"].clone())
            .collect()
    };
    let again = ids(&good);
    assert!(ids(&bad)[asked..].iter().all(|id| again.contains(id)));
    let retried = "guildhall_client_retries_total{service=\"users\",reason=\"unavailable\"}";
    assert_eq!(metric(&orders, retried).await as usize, bad.asked() - asked);

    // What is streamed goes once.
    let streamed = async { while echo(&channel.clone().idempotent()).await.is_ok() {} };
    soon("the bad instance", streamed).await;
    let not = "guildhall_client_not_retried_total{service=\"users\",reason=\"streamed-body\"}";
    assert_eq!(metric(&orders, not).await, 1);
}

#[tokio::test]
async fn what_was_certainly_not_begun_is_sent_again() {
    let platform = Platform::start().await;
    let good = Upstream::start(&platform, "users", "good", Does::Serve).await;
    // One where nobody listens, and one that refuses every stream.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    register(&platform, "users", "gone", listener.local_addr().unwrap());
    drop(listener);
    let (refusing, refused) = refuse(&platform).await;
    let defaults = json!({
        "circuitBreaker": {"enabled": false}, "outlierDetection": {"enabled": false},
        "retry": {"attempts": 3, "backOff": {"baseInterval": "1ms"},
                  "budget": {"percent": 400, "minRetriesPerSecond": 100}},
    });
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users");
    let line =
        |reason| format!("guildhall_client_retries_total{{service=\"users\",reason=\"{reason}\"}}");
    let both = async {
        loop {
            assert_eq!(check(&channel).await.unwrap(), 1);
            let connect = line("connect");
            if metric(&orders, &connect).await > 0 && refused.load(Ordering::Relaxed) > 0 {
                return;
            }
        }
    };
    soon("both of them", both).await;
    assert!(good.asked() > 0);
    // What was refused was sent again as a part of the attempt: that is no retry.
    assert_eq!(metric(&orders, &line("refused")).await, 0);
    refusing.abort();
}

/// An instance that looks at nothing, and how often it was asked.
async fn refuse(platform: &Platform) -> (tokio::task::JoinHandle<()>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    register(platform, "users", "refuses", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    counted.fetch_add(1, Ordering::Relaxed);
                    respond.send_reset(h2::Reason::REFUSED_STREAM);
                }
            });
        }
    });
    (serving, count)
}

#[tokio::test]
async fn an_instance_that_shuts_down_fails_nobody() {
    let platform = Platform::start().await;
    let first = Upstream::start(&platform, "users", "u1", Does::Slow(MS(5))).await;
    let second = Upstream::start(&platform, "users", "u2", Does::Slow(MS(5))).await;
    // Nothing but what was not begun may be sent again.
    let orders = service(
        &platform,
        json!({"retry": {"budget": {"percent": 100, "minRetriesPerSecond": 100}}}),
    );
    let orders = orders.start().await.unwrap();
    let channel = orders.grpc("users");
    let callers = (0..8).map(|_| {
        let channel = channel.clone();
        tokio::spawn(async move {
            for _ in 0..60 {
                check(&channel).await.unwrap();
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let busy = async {
        while first.asked() < 40 {
            tokio::task::yield_now().await;
        }
    };
    soon("calls", busy).await;
    first.shut_down().await;
    for caller in callers {
        soon("the callers", caller).await.unwrap();
    }
    assert!(second.asked() > 100);
}

#[tokio::test]
async fn a_pushback_is_kept_to() {
    let platform = Platform::start().await;
    let not_again = Does::PushBack(Code::Unavailable, "-1");
    let users = Upstream::start(&platform, "users", "u1", not_again).await;
    let defaults = json!({"retry": {"backOff": {"baseInterval": "1ms"}}});
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users").idempotent();
    assert_eq!(check(&channel).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(users.asked(), 1);
    // RESOURCE_EXHAUSTED comes again only where the server says when.
    users.set(Does::Fail(Code::ResourceExhausted));
    check(&channel).await.unwrap_err();
    assert_eq!(users.asked(), 2);
    users.set(Does::PushBack(Code::ResourceExhausted, "150"));
    let began = now();
    check(&channel).await.unwrap_err();
    assert_eq!(users.asked(), 5);
    assert!(began.elapsed() >= MS(300));
}

#[tokio::test]
async fn deadlines_are_inherited_sent_and_held_to() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Serve).await;
    let orders = service(&platform, json!({})).start().await.unwrap();
    let channel = orders.grpc("users");
    let told = || -> Duration {
        let seen = users.seen().pop().unwrap();
        let value = seen["grpc-timeout"].to_str().unwrap();
        guildhall_resilience::deadline::header::parse_grpc_timeout(value).unwrap()
    };
    let mut asked = HeaderMap::new();
    asked.insert("grpc-timeout", "2S".parse().unwrap());
    asked.insert("x-request-id", "r-7".parse().unwrap());
    let context = RequestContext::of(&asked);
    context.scope(check(&channel)).await.unwrap();
    assert!(told() <= MS(2_000) && told() > MS(1_000));
    assert_eq!(users.seen().pop().unwrap()["x-request-id"], "r-7");

    // The request's own.
    let within = |timeout: Duration| {
        let mut request = Request::new(HealthCheckRequest::default());
        request.set_timeout(timeout);
        request
    };
    client(&channel).check(within(MS(700))).await.unwrap();
    assert!(told() <= MS(700) && told() > MS(100));
    check(&channel.clone().with_timeout(MS(900))).await.unwrap();
    assert!(told() <= MS(900) && told() > MS(200));

    users.set(Does::Hang);
    let began = now();
    let status = client(&channel).check(within(MS(100))).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    let error = CallError::of(&status).unwrap();
    assert!(
        matches!(error, CallError::Timeout { instance: Some(id), after, .. }
        if id == "u1" && *after == MS(100))
    );
    // A stream that has begun ends with it, too.
    let answer = client(&channel).watch(within(MS(200))).await.unwrap();
    let mut stream = answer.into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = stream.message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(CallError::of(&status).is_some(), "{status:?}");
    assert!(began.elapsed() < MS(5_000));
}

#[tokio::test]
async fn a_call_before_the_start_says_so() {
    let service = crate::service("orders");
    let status = check(&service.grpc("users")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let error = CallError::of(&status);
    assert!(matches!(error, Some(CallError::NotStarted { .. })));
}
