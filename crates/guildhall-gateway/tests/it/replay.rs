//! What is tried again, and what is not.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::support::{
    Backend, Fixture, in_front_of, instance, ok, options, soon, to_service, until,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_closed_while_idle_costs_no_request() {
    // One answer per connection, without saying so.
    let backend = Backend::raw(|_, mut client| async move {
        if client.read(false).await.is_ok() {
            client.send(ok("fine")).await;
        }
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    for n in 0..20 {
        let request = if n % 2 == 0 { GET } else { POST };
        assert_eq!(client.ask(request).await.status, 200, "request {n}");
    }
    assert_eq!(backend.connections(), 20);
}

/// A backend that answers the first request of its first connection, reads the second and closes;
/// later connections are fine.
async fn closing_on_the_second(seen: Arc<AtomicUsize>) -> Backend {
    Backend::raw(move |number, mut client| {
        let seen = Arc::clone(&seen);
        async move {
            for nth in 0.. {
                if client.read(false).await.is_err() {
                    return;
                }
                seen.fetch_add(1, Ordering::SeqCst);
                if number == 0 && nth == 1 {
                    return;
                }
                client.send(ok("fine")).await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotent_request_is_sent_again_once_when_a_kept_connection_is_lost() {
    let seen = Arc::new(AtomicUsize::new(0));
    let backend = closing_on_the_second(Arc::clone(&seen)).await;
    let fixture = in_front_of(&backend).await;
    assert_eq!(fixture.get("/").await.status, 200);
    // Which worker has the connection is the kernel's choice: ask until the lost one was used.
    until("the kept connection is lost", async || {
        assert_eq!(fixture.get("/").await.status, 200);
        fixture.gateway.status().traffic.replays == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_never_sent_twice() {
    let seen = Arc::new(AtomicUsize::new(0));
    let backend = closing_on_the_second(Arc::clone(&seen)).await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    assert_eq!(client.ask(POST).await.status, 200);
    let lost = client.ask(POST).await;
    assert_eq!(
        (lost.status, lost.reason().split(';').next()),
        (502, Some("upstream_reset"))
    );
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    assert_eq!(client.ask(POST).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_connection_that_is_lost_is_the_backends_answer() {
    let backend = Backend::raw(|_, mut client| async move {
        let _ = client.read(false).await;
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let lost = fixture.get("/").await;
    assert_eq!(
        (lost.status, lost.reason().split(';').next()),
        (502, Some("upstream_reset"))
    );
    assert_eq!(backend.connections(), 1);
}

/// An instance that was killed a moment ago takes connections from its backlog and resets them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_closes_what_it_accepts_costs_no_idempotent_request() {
    let alive = Backend::named("alive").await;
    let dying = Backend::raw(|_, mut client| async move {
        let _ = client.read(false).await;
    })
    .await;
    let fixture = Fixture::start(
        options(),
        vec![
            to_service("all", "/", "svc"),
            instance("svc", "alive", alive.address),
            instance("svc", "dying", dying.address),
        ],
    )
    .await;
    let mut client = fixture.client().await;
    for _ in 0..50 {
        assert_eq!(client.ask(GET).await.text(), "alive");
    }
    assert!(dying.connections() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_cannot_be_reached_costs_no_request() {
    let backend = Backend::named("alive").await;
    // Bound and closed again: nobody listens there.
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let fixture = Fixture::start(
        options(),
        vec![
            to_service("all", "/", "svc"),
            instance("svc", "dead", dead),
            instance("svc", "alive", backend.address),
        ],
    )
    .await;
    let mut client = fixture.client().await;
    for n in 0..50 {
        let request = if n % 2 == 0 { GET } else { POST };
        assert_eq!(client.ask(request).await.text(), "alive");
    }
    assert!(fixture.gateway.status().traffic.replays > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_nobody_of_which_can_be_reached_is_502() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let fixture = Fixture::start(
        options(),
        vec![to_service("all", "/", "svc"), instance("svc", "dead", dead)],
    )
    .await;
    let answer = soon(fixture.get("/")).await;
    assert_eq!(answer.status, 502);
    let expected = format!(
        "upstream_connect_failed; route=default/all; rule=0; service=default/svc; revision=1; endpoint={dead}"
    );
    assert_eq!(answer.reason(), expected);
}
