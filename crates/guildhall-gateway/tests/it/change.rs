//! Changes under load, and the end.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use guildhall_core::{registry::Health, source::Change};
use guildhall_gateway::{Drained, Gateway, Options, StartError};
use tokio::{sync::Notify, task::JoinSet};

use crate::support::{
    Backend, Client, Fixture, in_front_of, instance, ok, options, soon, to_service, until,
    with_health,
};

/// Clients that ask over and over and note what went wrong.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: JoinSet<Vec<String>>,
}

impl Load {
    fn on(address: SocketAddr, clients: usize) -> Self {
        let (stop, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let mut all = JoinSet::new();
        for _ in 0..clients {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            all.spawn(async move {
                let mut failed = Vec::new();
                let mut client = Client::open(address).await;
                while !stop.load(Ordering::SeqCst) {
                    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
                    match soon(client.read(false)).await {
                        Ok(answer) if answer.status == 200 => {
                            answered.fetch_add(1, Ordering::SeqCst);
                        }
                        Ok(answer) => failed.push(format!("{} {}", answer.status, answer.reason())),
                        Err(_) => {
                            failed.push("the connection was closed".to_owned());
                            client = Client::open(address).await;
                        }
                    }
                }
                failed
            });
        }
        Self {
            stop,
            answered,
            clients: all,
        }
    }

    /// Waits for so many more answers.
    async fn more(&self, n: usize) {
        let start = self.answered.load(Ordering::SeqCst);
        until("requests are answered", async || {
            self.answered.load(Ordering::SeqCst) >= start + n
        })
        .await;
    }

    /// Stops, and fails the test if any request failed.
    async fn none_failed(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(failed) = soon(self.clients.join_next()).await {
            assert_eq!(failed.unwrap(), Vec::<String>::new());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_come_and_go_and_no_request_fails() {
    let (a, b) = (Backend::named("a").await, Backend::named("b").await);
    let documents = vec![
        to_service("all", "/", "svc"),
        instance("svc", "a", a.address),
        instance("svc", "b", b.address),
    ];
    let mut fixture = Fixture::start(options(), documents).await;
    let load = Load::on(fixture.address(), 8);
    for round in 0..20 {
        let (id, backend) = if round % 2 == 0 { ("a", &a) } else { ("b", &b) };
        let gone = instance("svc", id, backend.address);
        load.more(50).await;
        if round % 4 < 2 {
            fixture.delete(gone.key());
        } else {
            fixture.put(with_health(gone.clone(), Health::Unhealthy));
        }
        fixture.in_effect().await;
        let seen = backend.requests();
        load.more(50).await;
        // Those under way when the change took effect may still have come.
        assert!(
            backend.requests() <= seen + 8,
            "no new requests once the instance is out"
        );
        fixture.put(gone);
        fixture.in_effect().await;
    }
    load.none_failed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_killed_costs_no_idempotent_request() {
    let (a, b) = (Backend::named("a").await, Backend::named("b").await);
    let documents = vec![
        to_service("all", "/", "svc"),
        instance("svc", "a", a.address),
        instance("svc", "b", b.address),
    ];
    let fixture = Fixture::start(options(), documents).await;
    let load = Load::on(fixture.address(), 8);
    load.more(500).await;
    drop(a);
    load.more(500).await;
    load.none_failed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_change_under_load_and_no_request_fails() {
    let (a, b) = (Backend::named("a").await, Backend::named("b").await);
    let documents = vec![
        to_service("all", "/", "a"),
        instance("a", "one", a.address),
        instance("b", "one", b.address),
    ];
    let mut fixture = Fixture::start(options(), documents).await;
    let load = Load::on(fixture.address(), 8);
    for round in 0..50 {
        let service = if round % 2 == 0 { "b" } else { "a" };
        fixture.change(vec![
            Change::Put(to_service("all", "/", service)),
            Change::Put(to_service(
                &format!("other-{round}"),
                &format!("/other-{round}"),
                "ghost",
            )),
        ]);
        fixture.in_effect().await;
        assert_eq!(fixture.get("/").await.text(), service);
        load.more(20).await;
    }
    let connections = (a.connections(), b.connections());
    assert!(
        connections.0 < 40 && connections.1 < 40,
        "routes do not close connections: {connections:?}"
    );
    load.none_failed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_in_effect_at_once_also_among_many_routes() {
    let backend = Backend::named("svc").await;
    let mut documents: Vec<_> = (0..2_000)
        .map(|n| {
            to_service(
                &format!("r{n}"),
                &format!("/group-{}/{n}", n % 50),
                &format!("s{}", n % 100),
            )
        })
        .collect();
    documents.push(instance("svc", "one", backend.address));
    let mut fixture = Fixture::start(options(), documents).await;
    let mut client = fixture.client().await;
    let mut slowest = Duration::ZERO;
    for n in 0..10 {
        let began = Instant::now();
        fixture.put(to_service("new", &format!("/new-{n}"), "svc"));
        until("the route is there", async || {
            client
                .ask(&format!("GET /new-{n} HTTP/1.1\r\nHost: a\r\n\r\n"))
                .await
                .status
                == 200
        })
        .await;
        slowest = slowest.max(began.elapsed());
    }
    println!("slowest of 10 changes among 2,000 routes: {slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_to_an_instance_that_is_gone_are_closed() {
    let backend = Backend::named("svc").await;
    let mut fixture = in_front_of(&backend).await;
    assert_eq!(fixture.get("/").await.status, 200);
    assert_eq!(fixture.gateway.status().traffic.upstream_connections, 1);
    fixture.delete(instance("svc", "one", backend.address).key());
    until("the idle connection is closed", async || {
        fixture.gateway.status().traffic.upstream_connections == 0
    })
    .await;
}

/// A backend that answers when it is told to.
async fn waiting(go: Arc<Notify>) -> Backend {
    Backend::raw(move |_, mut client| {
        let go = Arc::clone(&go);
        async move {
            while client.read(false).await.is_ok() {
                go.notified().await;
                client.send(ok("done")).await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_answered_though_its_instance_and_route_are_gone() {
    let go = Arc::new(Notify::new());
    let backend = waiting(Arc::clone(&go)).await;
    let mut fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("the backend is asked", async || backend.connections() == 1).await;
    fixture.delete(instance("svc", "one", backend.address).key());
    fixture.delete(to_service("all", "/", "svc").key());
    fixture.in_effect().await;
    assert_eq!(fixture.get("/").await.status, 404);
    go.notify_one();
    assert_eq!(soon(client.read(false)).await.unwrap().text(), "done");
    assert_eq!(
        client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status,
        404
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_lets_running_requests_finish_and_idle_connections_go() {
    let go = Arc::new(Notify::new());
    let backend = waiting(Arc::clone(&go)).await;
    let fixture = in_front_of(&backend).await;
    let address = fixture.address();
    let mut idle = fixture.client().await;
    let mut running = fixture.client().await;
    running.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("the backend is asked", async || backend.connections() == 1).await;
    until("both are accepted", async || {
        fixture.gateway.status().traffic.connections == 2
    })
    .await;
    let Fixture { gateway, .. } = fixture;
    let draining = tokio::task::spawn_blocking(move || gateway.drain(Duration::from_secs(20)));
    idle.closed().await;
    until("nobody listens", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    go.notify_one();
    let answer = soon(running.read(false)).await.unwrap();
    assert_eq!(
        (answer.text(), answer.header("connection")),
        ("done", Some("close"))
    );
    assert_eq!(soon(draining).await.unwrap(), Drained::Finished);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_at_its_deadline() {
    let backend = waiting(Arc::new(Notify::new())).await;
    let fixture = in_front_of(&backend).await;
    let mut running = fixture.client().await;
    running.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("the backend is asked", async || backend.connections() == 1).await;
    let Fixture { gateway, .. } = fixture;
    let draining = tokio::task::spawn_blocking(move || gateway.drain(Duration::from_millis(50)));
    assert_eq!(soon(draining).await.unwrap(), Drained::Aborted(1));
    running.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_an_error() {
    struct Silent;
    impl guildhall_core::source::SnapshotSource for Silent {
        fn next(
            &mut self,
        ) -> std::pin::Pin<
            Box<dyn Future<Output = Option<guildhall_core::source::Update>> + Send + '_>,
        > {
            Box::pin(std::future::pending())
        }
    }
    let first = Gateway::start(options(), Box::new(Silent)).unwrap();
    let taken = first.addresses()[0];
    let second = Gateway::start(
        Options {
            listen: vec![taken],
            ..options()
        },
        Box::new(Silent),
    );
    assert!(matches!(second, Err(StartError::InUse { address }) if address == taken));
    drop(first);
    assert!(
        Gateway::start(
            Options {
                listen: vec![taken],
                ..options()
            },
            Box::new(Silent)
        )
        .is_ok()
    );
}
