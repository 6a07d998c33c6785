//! gRPC services of the SDK's own server.

use axum::{Router, routing::get as route};
use futures_util::{FutureExt, StreamExt, stream};
use guildhall::{Registration, ServiceError};

use super::{
    says::{Answers, Said, all, ask, ask_with, echoes, handled, plain, raw, says, words},
    *,
};
use crate::until;

async fn until_metric(running: &Running, line: &str, value: u64) {
    let reached = async {
        while metric(running, line).await != value {
            tokio::task::yield_now().await;
        }
    };
    soon(line, reached).await;
}

#[tokio::test]
async fn one_port_speaks_http_and_grpc() {
    let platform = Platform::start().await;
    let service = crate::service("says").platform(&platform.url());
    let router = Router::new().route("/hi", route(|| async { "hi" }));
    let says = service.router(router).grpc_service(echoes());
    let says = says.start().await.unwrap();
    until(&says, |now| *now == Registration::Registered).await;
    let key = format!("Instance default/says/{}", says.instance_id());
    let port = says.addr().port();
    assert_eq!(
        platform.document(&key).unwrap()["spec"]["ports"],
        json!([{"port": port, "protocol": "http"}, {"name": "grpc", "port": port, "protocol": "grpc"}])
    );

    // Found and called by name, both ways.
    let orders = service_named(&platform).start().await.unwrap();
    let stream = ask(orders.grpc("says"), "hello").await.unwrap();
    assert_eq!(all(stream).await, (vec!["hello".to_owned()], None));
    let hi = orders.client("says").get("/hi").send().await.unwrap();
    assert_eq!(hi.text(), "hi");
    assert_eq!(get(&says, "/health/ready").await.status, 200);
    // Routes are there by HTTP/2, too.
    let (head, _) = raw(says.addr(), "/hi", &[]).await;
    assert!(head.contains_key("x-request-id") && head["allow"] == "GET,HEAD");

    until_metric(&says, &handled("Say", "OK"), 1).await;
    // What is not there.
    let (head, _) = raw(says.addr(), "/shop.Says/Sing", &[]).await;
    assert_eq!(head["grpc-status"], "12");
    assert_eq!(metric(&says, &handled("unknown", "Unimplemented")).await, 1);
    let elsewhere: http::uri::PathAndQuery = "/shop.Other/Say".parse().unwrap();
    let mut client = Grpc::new(plain(says.addr()));
    client.ready().await.unwrap();
    let status = client
        .unary::<_, String, _>(Request::new("x".to_owned()), elsewhere, Text)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);

    let twice = crate::service("says")
        .grpc_service(echoes())
        .grpc_service(echoes());
    let Err(ServiceError::Settings(problems)) = twice.start().await else {
        panic!("it started")
    };
    assert_eq!(problems, ["grpc_service: shop.Says is there already"]);
}

fn service_named(platform: &Platform) -> guildhall::Service {
    service(platform, json!({}))
}

#[tokio::test]
async fn without_grpc_services_nothing_changes() {
    let platform = Platform::start().await;
    let orders = service_named(&platform).start().await.unwrap();
    until(&orders, |now| *now == Registration::Registered).await;
    let key = format!("Instance default/orders/{}", orders.instance_id());
    let ports = &platform.document(&key).unwrap()["spec"]["ports"];
    assert_eq!(ports.as_array().map(Vec::len), Some(1));
    let status = ask(plain(orders.addr()), "x").await.unwrap_err();
    assert!(
        matches!(status.code(), Code::Unavailable | Code::Unknown),
        "{status:?}"
    );
}

#[tokio::test]
async fn what_a_handler_calls_belongs_to_the_call() {
    let platform = Platform::start().await;
    let users = Upstream::start(&platform, "users", "u1", Does::Serve).await;
    let orders = service_named(&platform);
    let channel = orders.grpc("users");
    let relays = says(move |request| {
        let (first, second) = (channel.clone(), channel.clone());
        async move {
            let own = request.extensions().get::<RequestContext>().cloned();
            assert_eq!(own.unwrap().request_id(), "r-9");
            check(&first).await?;
            // A stream is made when the handler has returned.
            let rest = stream::once(async move { Ok(format!("{:?}", check(&second).await?)) });
            let answers: Answers = rest.boxed();
            Ok(answers)
        }
        .boxed()
    });
    let orders = orders.grpc_service(relays).start().await.unwrap();
    let mut request = Request::new("go".to_owned());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let said = [
        ("x-request-id", "r-9"),
        ("traceparent", trace),
        ("grpc-timeout", "5S"),
    ];
    for (name, value) in said {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    let stream = ask_with(plain(orders.addr()), request).await.unwrap();
    assert_eq!(all(stream).await, (vec!["1".to_owned()], None));
    let seen = users.seen();
    assert_eq!(seen.len(), 2);
    for headers in seen {
        assert!(headers["x-request-id"] == "r-9" && headers["traceparent"] == trace);
        let left = headers["grpc-timeout"].to_str().unwrap();
        let left = guildhall_resilience::deadline::header::parse_grpc_timeout(left).unwrap();
        assert!(left <= MS(5_000) && left > MS(1_000), "{left:?}");
    }
}

#[tokio::test]
async fn a_call_ends_with_its_deadline_and_says_so() {
    // Before the head, and in the middle of a stream that goes on and on.
    let hangs = |in_stream: bool| {
        says(move |_| -> Said {
            async move {
                if !in_stream {
                    std::future::pending::<()>().await;
                }
                let more = stream::repeat_with(|| Ok("more".to_owned())).then(|word| async {
                    tokio::time::sleep(MS(5)).await;
                    word
                });
                let answers: Answers = more.boxed();
                Ok(answers)
            }
            .boxed()
        })
    };
    for in_stream in [false, true] {
        let running = crate::service("says").grpc_service(hangs(in_stream));
        let running = running.start().await.unwrap();
        let asked = [("grpc-timeout", "150m"), ("x-request-id", "r-1")];
        let (head, trailers) = soon("the end", raw(running.addr(), "/shop.Says/Say", &asked)).await;
        let ended = if in_stream { &trailers } else { &head };
        assert!(ended["grpc-status"] == "4" && head["x-request-id"] == "r-1");
        assert_eq!(
            metric(&running, &handled("Say", "DeadlineExceeded")).await,
            1
        );
        assert_eq!(metric(&running, "grpc_server_active").await, 0);
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_error_wherever_it_comes() {
    let panics = says(|mut request| {
        async move {
            let word = request.get_mut().message().await?.unwrap();
            assert_ne!(word, "head", "a test's panic");
            let then = stream::once(async {
                // What was said before goes out.
                tokio::task::yield_now().await;
                panic!("a test's panic")
            });
            let answers: Answers = words(&["one"]).chain(then).boxed();
            Ok(answers)
        }
        .boxed()
    });
    let running = crate::service("says")
        .grpc_service(panics)
        .start()
        .await
        .unwrap();
    let status = ask(plain(running.addr()), "head").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status:?}");
    assert!(!status.message().contains("a test's panic"));
    let stream = ask(plain(running.addr()), "stream").await.unwrap();
    assert_eq!(
        all(stream).await,
        (vec!["one".to_owned()], Some(Code::Internal))
    );
    until_metric(&running, &handled("Say", "Internal"), 2).await;
}

#[tokio::test]
async fn calls_are_counted_by_how_they_ended() {
    let ends = says(|mut request| {
        async move {
            let word = request.get_mut().message().await?.unwrap();
            let not = |message: &str| Status::not_found(message.to_owned());
            let answers: Answers = match &*word {
                "head" => return Err(not("at once")),
                "trailers" => words(&["one"])
                    .chain(stream::iter([Err(not("later"))]))
                    .boxed(),
                _ => words(&["one"]).chain(stream::pending()).boxed(),
            };
            Ok(answers)
        }
        .boxed()
    });
    let running = crate::service("says")
        .grpc_service(ends)
        .start()
        .await
        .unwrap();
    let channel = plain(running.addr());
    assert_eq!(
        ask(channel.clone(), "head").await.unwrap_err().code(),
        Code::NotFound
    );
    let stream = ask(channel.clone(), "trailers").await.unwrap();
    assert_eq!(
        all(stream).await,
        (vec!["one".to_owned()], Some(Code::NotFound))
    );
    until_metric(&running, &handled("Say", "NotFound"), 2).await;
    let mut stream = ask(channel, "hang").await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap(), "one");
    assert_eq!(metric(&running, "grpc_server_active").await, 1);
    drop(stream);
    until_metric(&running, &handled("Say", "Canceled"), 1).await;
    assert_eq!(metric(&running, "grpc_server_active").await, 0);
}
