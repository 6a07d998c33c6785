//! Bodies, trailers and tunnels.

use tokio::io::AsyncWriteExt;

use crate::support::{Backend, in_front_of, instance, ok, soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_streams_both_ways_piece_by_piece() {
    // Echoes each chunk as it comes.
    let backend = Backend::raw(|_, mut client| async move {
        while crate::support::find(&client.buffer, b"\r\n\r\n").is_none() {
            client.fill().await.unwrap();
        }
        let head = crate::support::find(&client.buffer, b"\r\n\r\n").unwrap() + 4;
        client.buffer.drain(..head);
        client
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        loop {
            let pieces = std::mem::take(&mut client.buffer);
            client.send(&pieces).await;
            if pieces.ends_with(b"0\r\n\r\n") || client.fill().await.is_err() {
                return;
            }
        }
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let mut seen = 0;
    for n in 0..10 {
        client.send(format!("5\r\npie{n:02}\r\n")).await;
        let expected = format!("pie{n:02}");
        // The piece comes back before the next one is sent.
        soon(async {
            while crate::support::find(&client.buffer[seen..], expected.as_bytes()).is_none() {
                client.fill().await.unwrap();
            }
        })
        .await;
        seen = client.buffer.len();
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(soon(client.read(false)).await.unwrap().body.len(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_pass_whole_both_ways() {
    const SIZE: usize = 8 * 1024 * 1024;
    let backend = Backend::answering(|request| {
        assert!(request.body.iter().all(|byte| *byte == b'u'));
        ok(&format!("{}{}", request.body.len(), "d".repeat(SIZE)))
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    for _ in 0..2 {
        client
            .send(format!(
                "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"
            ))
            .await;
        client.send(vec![b'u'; SIZE]).await;
        let answer = soon(client.read(false)).await.unwrap();
        assert_eq!(answer.body.len(), SIZE.to_string().len() + SIZE);
        assert!(answer.text().starts_with(&SIZE.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_slow_holds_the_backend_back() {
    const SIZE: usize = 64 * 1024 * 1024;
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&sent);
    let backend = Backend::raw(move |_, mut client| {
        let sent = std::sync::Arc::clone(&counter);
        async move {
            let _ = client.read(false).await;
            client
                .send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"))
                .await;
            let piece = vec![b'x'; 64 * 1024];
            for _ in 0..SIZE / piece.len() {
                if client.stream.write_all(&piece).await.is_err() {
                    return;
                }
                sent.fetch_add(piece.len(), std::sync::atomic::Ordering::SeqCst);
            }
        }
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // Nothing is read: what the backend could send lies in the kernel's buffers and our two.
    let mut before = 0;
    until("the backend is held back", async || {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let now = sent.load(std::sync::atomic::Ordering::SeqCst);
        now > 0 && now == std::mem::replace(&mut before, now)
    })
    .await;
    assert!(before < SIZE / 2, "{before} bytes were taken in");
    assert_eq!(soon(client.read(false)).await.unwrap().body.len(), SIZE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trailers_pass_both_ways() {
    let backend = Backend::answering(|request| {
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-down\r\n\r\n{:x}\r\n{}\r\n0\r\nx-down: 2\r\n\r\n",
            request.trailers.len(),
            request.trailers
        )
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let answer = fixture
        .ask(
            "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: x-up\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nhi\r\n0\r\nx-up: 1\r\n\r\n",
        )
        .await;
    assert_eq!(
        (answer.text().trim(), answer.trailers.trim()),
        ("x-up: 1", "x-down: 2")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_does_not_end_cleanly() {
    for head in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let sent = format!("HTTP/1.1 200 OK\r\n{head}\r\n5\r\nhello\r\n");
        let backend = Backend::raw(move |_, mut client| {
            let sent = sent.clone();
            async move {
                let _ = client.read(false).await;
                client.send(sent).await;
            }
        })
        .await;
        let fixture = in_front_of(&backend).await;
        let mut client = fixture.client().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(soon(client.read(false)).await.is_err(), "{head}");
        until("it is counted", async || {
            fixture
                .gateway
                .status()
                .traffic
                .reasons
                .get("upstream_reset")
                == Some(&1)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_ends_with_its_connection_is_whole() {
    let backend = Backend::raw(|_, mut client| async move {
        let _ = client.read(false).await;
        client.send("HTTP/1.0 200 OK\r\n\r\nall of it").await;
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    for _ in 0..2 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(
            (answer.text(), answer.header("transfer-encoding")),
            ("all of it", Some("chunked"))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_breaks_off_does_not_end_cleanly() {
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let backend = Backend::raw(move |_, mut client| {
        let told = told.clone();
        async move {
            let _ = told.send(client.read(false).await.is_err());
        }
    })
    .await;
    let fixture = in_front_of(&backend).await;
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut client = fixture.client().await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n5\r\nhello\r\n"
            ))
            .await;
        until("the backend is asked", async || {
            fixture.gateway.status().traffic.upstream_connections > 0
        })
        .await;
        drop(client);
        assert_eq!(soon(hears.recv()).await, Some(true), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_may_come_before_the_upload_ends() {
    let backend = Backend::raw(|_, mut client| async move {
        while crate::support::find(&client.buffer, b"\r\n\r\n").is_none() {
            client.fill().await.unwrap();
        }
        client
            .send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
            .await;
        // Stays open: it is the gateway that must not wait for the rest.
        client.closed().await;
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbeginning")
        .await;
    let answer = soon(client.read(false)).await.unwrap();
    assert_eq!((answer.status, answer.text()), (413, "no"));
}

/// A backend that agrees to `proto` and then sends back whatever comes, in upper case.
async fn shouting() -> Backend {
    Backend::raw(|_, mut client| async move {
        let request = client.read(false).await.unwrap();
        assert_eq!(request.header("upgrade"), Some("proto"));
        assert_eq!(request.header("connection"), Some("upgrade"));
        client
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: proto\r\nX-Key: 1\r\n\r\nfirst ")
            .await;
        loop {
            let bytes = std::mem::take(&mut client.buffer).to_ascii_uppercase();
            if client.stream.write_all(&bytes).await.is_err() || client.fill().await.is_err() {
                return;
            }
        }
    })
    .await
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: proto\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_carries_both_ways_and_survives_changes() {
    let backend = shouting().await;
    let mut fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    let answer = client.ask(UPGRADE).await;
    assert_eq!(
        (
            answer.status,
            answer.header("upgrade"),
            answer.header("x-key")
        ),
        (101, Some("proto"), Some("1"))
    );
    async fn shout(client: &mut crate::support::Client, word: &str, expected: &str) {
        client.send(word).await;
        soon(async {
            while !client.buffer.ends_with(expected.as_bytes()) {
                client.fill().await.unwrap();
            }
        })
        .await;
    }
    shout(&mut client, "hello", "first HELLO").await;
    assert_eq!(fixture.gateway.status().traffic.tunnels, 1);

    // Not HTTP at all, and not to be looked at.
    shout(&mut client, "get / http/1.1\nx\0", "GET / HTTP/1.1\nX\0").await;
    fixture.delete(instance("svc", "one", backend.address).key());
    fixture.in_effect().await;
    assert_eq!(fixture.get("/").await.status, 500);
    shout(&mut client, "still", "STILL").await;
    drop(client);
    until("the tunnel ends", async || {
        fixture.gateway.status().traffic.tunnels == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tunnel_opens_for_what_was_not_asked() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"
            .to_owned()
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let answer = fixture.ask(UPGRADE).await;
    assert_eq!(
        (answer.status, answer.reason().split(';').next()),
        (502, Some("upstream_invalid"))
    );
}
