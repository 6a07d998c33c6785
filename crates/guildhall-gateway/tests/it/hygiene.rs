//! What a proxy must not let through, either way.

use guildhall_gateway::Options;

use crate::support::{Backend, Client, in_front_of, in_front_of_with, ok, options, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_two_readings_reaches_nobody() {
    let backend = Backend::named("reached").await;
    let fixture = in_front_of(&backend).await;
    for request in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\0: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = fixture.client().await;
        client.send(request).await;
        let answer = soon(client.read(false)).await;
        let status = answer.map(|answer| answer.status).unwrap_or(0);
        assert_eq!(status, 400, "{}", request.escape_debug());
        client.closed().await;
        assert_eq!(
            client.buffer.len(),
            0,
            "no second answer: {}",
            request.escape_debug()
        );
    }
    assert_eq!(backend.requests(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_by_the_gateway_says_why() {
    let backend = Backend::named("reached").await;
    let fixture = in_front_of(&backend).await;
    let answer = fixture
        .ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        .await;
    assert_eq!(
        (answer.reason(), answer.header("connection")),
        ("request_invalid", Some("close"))
    );
    assert_eq!(answer.json()["detail"], "Host was given twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_request_is_not_found_inside_a_body() {
    let backend = Backend::answering(|request| {
        ok(&format!(
            "{} {}",
            request.head.lines().next().unwrap(),
            request.body.len()
        ))
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    let inner = "GET /inner HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunked = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    client
        .send(format!(
            "POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}\
             POST /two HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}\
             GET /three HTTP/1.1\r\nHost: a\r\n\r\n",
            inner.len()
        ))
        .await;
    for expected in [
        format!("POST /one HTTP/1.1 {}", inner.len()),
        format!("POST /two HTTP/1.1 {}", inner.len()),
        "GET /three HTTP/1.1 0".to_owned(),
    ] {
        assert_eq!(soon(client.read(false)).await.unwrap().text(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hop_by_hop_headers_end_at_the_gateway() {
    let backend = Backend::answering(|request| {
        format!(
            "HTTP/1.1 200 OK\r\nConnection: close, X-Inner\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n\
             X-Outer: 2\r\nContent-Length: {}\r\n\r\n{}",
            request.head.len(),
            request.head
        )
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Mine, keep-alive, X-Forwarded-For\r\nX-Mine: 1\r\nKeep-Alive: 1\r\n\
                   TE: gzip, trailers\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\nX-Kept: 2\r\n\r\n";
    let answer = client.ask(request).await;
    let seen = answer.text().to_lowercase();
    for gone in [
        "x-mine",
        "connection:",
        "keep-alive",
        "proxy-authorization",
        "upgrade",
        "gzip",
    ] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    for kept in [
        "x-kept: 2",
        "te: trailers",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: a",
        "x-request-id: ",
    ] {
        assert!(seen.contains(kept), "{kept} in {seen}");
    }
    for gone in ["connection", "x-inner", "keep-alive", "upgrade"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert_eq!(answer.header("x-outer"), Some("2"));
    // The backend's `Connection: close` is not the client's; and an upgrade that was not taken up
    // leaves the connection usable.
    assert_eq!(client.ask(request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_say_where_it_comes_from_and_a_proxy_can() {
    let backend = Backend::echo().await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.1.1.1\r\n\
                   X-Request-ID: mine\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
    let fixture = in_front_of(&backend).await;
    let seen = fixture.ask(request).await.text().to_lowercase();
    for line in [
        "x-forwarded-for: 127.0.0.1\r\n",
        "x-forwarded-proto: http\r\n",
        "x-request-id: mine\r\n",
        "traceparent: 00-0af",
    ] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    assert!(!seen.contains("1.1.1.1"), "{seen}");

    let trusting = Options {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..options()
    };
    let fixture = in_front_of_with(&backend, trusting).await;
    let seen = fixture.ask(request).await.text().to_lowercase();
    for line in [
        "x-forwarded-for: 1.1.1.1, 127.0.0.1\r\n",
        "x-forwarded-proto: https\r\n",
    ] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_without_a_body_have_none_and_the_connection_goes_on() {
    let backend = Backend::answering(|request| {
        let line = request.head.lines().next().unwrap();
        match line.split(' ').nth(1).unwrap() {
            "/204" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n".to_owned(),
            _ if line.starts_with("HEAD") => {
                "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_owned()
            }
            _ => ok("body"),
        }
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    assert_eq!(
        client
            .ask("GET /204 HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .status,
        204
    );
    assert_eq!(
        client
            .ask("GET /304 HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .status,
        304
    );
    let head = client.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("1000"))
    );
    assert_eq!(
        client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.text(),
        "body"
    );
    assert_eq!(
        backend.connections(),
        1,
        "the backend's connection is kept, too"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_a_length_and_a_coding_is_passed_on_with_one() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned()
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let answer = fixture.get("/").await;
    assert_eq!(
        (answer.text(), answer.header("content-length")),
        ("hello", None)
    );
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_http_is_502() {
    for (sent, reason) in [
        ("garbage\r\n\r\n", "upstream_invalid"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "upstream_invalid",
        ),
        ("HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "upstream_invalid"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            "upstream_invalid",
        ),
    ] {
        let backend = Backend::answering(move |_| sent.to_owned()).await;
        let answer = in_front_of(&backend).await.get("/").await;
        assert_eq!(
            (answer.status, answer.reason().split(';').next()),
            (502, Some(reason)),
            "{sent}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expectation_is_met_by_the_gateway() {
    let backend = Backend::answering(|request| {
        ok(&format!(
            "{} {}",
            request.text(),
            request.head.contains("xpect")
        ))
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let mut client = fixture.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(soon(client.read(false)).await.unwrap().status, 100);
    client.send("hello").await;
    assert_eq!(
        soon(client.read(false)).await.unwrap().text(),
        "hello false"
    );
    let refused = fixture
        .ask("GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n")
        .await;
    assert_eq!(
        (refused.status, refused.reason()),
        (417, "expectation_failed")
    );
    let refused = fixture
        .ask("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")
        .await;
    assert_eq!(
        (refused.status, refused.reason()),
        (405, "method_unsupported")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_1_0_is_answered_in_its_way() {
    let backend = Backend::answering(|request| {
        let host = request.header("host").unwrap_or("none");
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{host}\r\n0\r\n\r\n",
            host.len()
        )
    })
    .await;
    let fixture = in_front_of(&backend).await;
    let answer = fixture.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(
        (answer.text(), answer.header("transfer-encoding")),
        ("localhost", None)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_a_row_are_answered_in_order() {
    let backend = Backend::answering(|request| ok(request.head.lines().next().unwrap())).await;
    let fixture = in_front_of(&backend).await;
    let mut client: Client = fixture.client().await;
    let all: String = (0..20)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    client.send(all).await;
    for n in 0..20 {
        assert_eq!(
            soon(client.read(false)).await.unwrap().text(),
            format!("GET /{n} HTTP/1.1")
        );
    }
}
