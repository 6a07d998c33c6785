//! Instances that go away in the middle of calls: by a GOAWAY that leaves some of them out, and without a word.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};

use super::*;

/// An instance that answers, except on its first connection: there it looks at `processed` calls and leaves the others
/// in the socket until it is told to go.
struct Leaving {
    /// How many calls it has looked at on later connections.
    later: Arc<AtomicUsize>,
    go: oneshot::Sender<()>,
    /// Told when it has looked at so many calls.
    held: oneshot::Receiver<()>,
    /// Told when so many calls are there that it has not looked at.
    left: oneshot::Receiver<()>,
    server: tokio::task::JoinHandle<()>,
}

impl Leaving {
    async fn start(platform: &Platform, id: &str, processed: usize, unread: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        register(platform, "users", id, listener.local_addr().unwrap());
        let later = Arc::new(AtomicUsize::new(0));
        let ((go, going), (tell, left)) = (oneshot::channel(), oneshot::channel());
        let (holding, held) = oneshot::channel();
        let counted = later.clone();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            leave(stream, (processed, holding), (unread, tell), going).await;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, counted.clone()));
            }
        });
        Self {
            later,
            go,
            held,
            left,
            server,
        }
    }
}

async fn leave(
    stream: tokio::net::TcpStream,
    (processed, holding): (usize, oneshot::Sender<()>),
    (unread, tell): (usize, oneshot::Sender<()>),
    going: oneshot::Receiver<()>,
) {
    let stream = stream.into_std().unwrap();
    let peeked = stream.try_clone().unwrap();
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut held = Vec::new();
    while held.len() < processed {
        held.push(connection.accept().await.unwrap().unwrap());
    }
    let _ = holding.send(());
    let mut buffer = [0; 16_384];
    loop {
        let there = peeked.peek(&mut buffer).unwrap_or(0);
        if heads(&buffer[..there]) >= unread {
            break;
        }
        tokio::task::yield_now().await;
    }
    tell.send(()).unwrap();
    going.await.unwrap();
    connection.abrupt_shutdown(h2::Reason::NO_ERROR);
    assert!(connection.accept().await.is_none());
}

/// How many HEADERS are among these frames.
fn heads(mut frames: &[u8]) -> usize {
    let mut heads = 0;
    while let [_, a, b, kind, ..] = frames {
        heads += usize::from(*kind == 1);
        let whole = 9 + usize::from(*a) * 256 + usize::from(*b);
        frames = frames.get(whole..).unwrap_or_default();
    }
    heads
}

/// Answers every call as the health service does.
async fn serve(stream: tokio::net::TcpStream, counted: Arc<AtomicUsize>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_, respond))) = connection.accept().await {
        counted.fetch_add(1, Ordering::Relaxed);
        answer_serving(respond);
    }
}

/// Answers as the health service does.
pub(super) fn answer_serving(mut respond: h2::server::SendResponse<Bytes>) {
    let head = http::Response::builder().header("content-type", "application/grpc");
    let mut body = respond
        .send_response(head.body(()).unwrap(), false)
        .unwrap();
    let serving = Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1]);
    body.send_data(serving, false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    body.send_trailers(trailers).unwrap();
}

fn rules() -> serde_json::Value {
    json!({
        "retry": {"enabled": false}, "circuitBreaker": {"enabled": false},
        "loadBalancer": {"type": "RoundRobin"},
        "outlierDetection": {"consecutiveFailures": 1, "maxEjectionPercent": 50},
    })
}

/// Eight calls in turn to an instance that leaves, having looked at so many, and to one that stays. How those ended that
/// failed, and how many of four later ones came to the first.
async fn left(processed: usize) -> (Vec<Status>, usize) {
    let platform = Platform::start().await;
    let leaving = Leaving::start(&platform, "leaves", processed, 4 - processed).await;
    let stays = Upstream::start(&platform, "users", "stays", Does::Serve).await;
    let orders = service(&platform, rules()).start().await.unwrap();
    let channel = orders.grpc("users");
    let mut calls = JoinSet::new();
    let mut call = |channel: GrpcChannel| calls.spawn(async move { check(&channel).await });
    for _ in 0..2 * processed {
        call(channel.clone());
    }
    if processed > 0 {
        soon("the first calls", leaving.held).await.unwrap();
    }
    for _ in 2 * processed..8 {
        call(channel.clone());
    }
    soon("four calls to each", leaving.left).await.unwrap();
    let other_half = async {
        while stays.asked() < 4 {
            tokio::task::yield_now().await;
        }
    };
    soon("the other half", other_half).await;
    leaving.go.send(()).unwrap();
    let ended = soon("all calls", calls.join_all()).await;
    let failed: Vec<Status> = ended.into_iter().filter_map(Result::err).collect();
    assert_eq!(stays.asked(), 8 - processed, "{failed:?}");
    for _ in 0..4 {
        check(&channel).await.unwrap();
    }
    leaving.server.abort();
    (failed, leaving.later.load(Ordering::Relaxed))
}

#[tokio::test]
async fn calls_that_a_goaway_leaves_out_are_made_elsewhere() {
    // It speaks against nobody that an instance goes away.
    let (failed, later) = left(0).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(later, 2);
}

#[tokio::test]
async fn a_call_that_was_looked_at_before_a_goaway_is_not_made_again() {
    // With calls that it has not looked at the connection ends by a reset, else by an end.
    for processed in [1, 4] {
        let (failed, later) = left(processed).await;
        assert_eq!(failed.len(), processed, "{failed:?}");
        for status in &failed {
            let error = CallError::of(status);
            let broken =
                matches!(error, Some(CallError::Broken { instance, .. }) if instance == "leaves");
            assert!(broken && status.code() == Code::Unavailable, "{status:?}");
        }
        // What broke off is evidence: the instance is left out.
        assert_eq!(later, 0);
    }
}

#[tokio::test]
async fn nothing_is_done_twice_when_an_instance_dies() {
    let platform = Platform::start().await;
    let mortal = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = tonic::transport::Server::builder();
    let does = Does::Slow(MS(3));
    let dies = Upstream::start_with(
        &platform,
        "users",
        "dies",
        does.clone(),
        server,
        mortal.handle(),
    );
    let stays = Upstream::start(&platform, "users", "stays", does).await;
    let budget = json!({"percent": 400, "minRetriesPerSecond": 1000});
    let defaults = json!({
        "retry": {"attempts": 3, "backOff": {"baseInterval": "1ms"}, "budget": budget},
        "circuitBreaker": {"enabled": false}, "outlierDetection": {"enabled": false},
    });
    let orders = service(&platform, defaults).start().await.unwrap();
    let channel = orders.grpc("users");
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let channel = channel.clone();
        callers.spawn(async move {
            let mut failed = Vec::new();
            for _ in 0..60 {
                failed.extend(check(&channel).await.err());
            }
            failed
        });
    }
    let busy = async {
        while dies.asked() < 60 {
            tokio::task::yield_now().await;
        }
    };
    soon("calls", busy).await;
    mortal.shutdown_background();
    let failed: Vec<Status> = soon("the callers", callers.join_all()).await.concat();
    // Each caller had one call there at most.
    assert!(failed.len() <= 8, "{failed:?}");
    for status in &failed {
        assert!(
            matches!(CallError::of(status), Some(CallError::Broken { .. })),
            "{status:?}"
        );
    }
    let mut times: HashMap<http::HeaderValue, usize> = HashMap::new();
    for seen in dies.seen().into_iter().chain(stays.seen()) {
        *times.entry(seen["x-request-id"].clone()).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1));
    assert!(times.len() >= 480 - failed.len());
}
