//! What the API refuses: with which status and code, and with words that name the mistake.

use crate::support::{node, node_with};

#[tokio::test]
async fn every_mistake_has_its_code() {
    let node = node_with(|builder| {
        builder.configure(|settings| settings.api.max_body = guildhall_server::settings::Size(2048))
    })
    .await;
    let large = format!(r#"{{"spec": {{"description": "{}"}}}}"#, "x".repeat(3000));
    for (method, path, body, expect, words) in [
        ("PUT", "services/a", "{", "400 bad-request", "not JSON"),
        ("PUT", "services/a", "", "400 bad-request", "empty"),
        (
            "PUT",
            "services/a",
            r#"{"spec": {"ownr": "me"}}"#,
            "422 invalid-document",
            "did you mean \\\"owner\\\"?",
        ),
        (
            "PUT",
            "services/a",
            r#"{"spec": {}, "metdata": {}}"#,
            "422 invalid-document",
            "did you mean \\\"metadata\\\"?",
        ),
        (
            "PUT",
            "services/a",
            r#"{"kind": "Lock", "spec": {}}"#,
            "422 invalid-document",
            "the path asks for Service",
        ),
        (
            "PUT",
            "services/a",
            r#"{"kind": "Servce", "spec": {}}"#,
            "422 invalid-document",
            "did you mean \\\"Service\\\"?",
        ),
        (
            "PUT",
            "services/a",
            r#"{"apiVersion": "v2", "spec": {}}"#,
            "422 invalid-document",
            "guildhall/v1",
        ),
        (
            "PUT",
            "services/a",
            r#"{"metadata": {"name": "b"}, "spec": {}}"#,
            "422 invalid-document",
            "the path says",
        ),
        (
            "PUT",
            "services/a",
            r#"{"metadata": {"namespace": "b"}, "spec": {}}"#,
            "422 invalid-document",
            "the path says",
        ),
        (
            "PUT",
            "services/A_b",
            r#"{"spec": {}}"#,
            "422 invalid-document",
            "DNS-1123",
        ),
        (
            "PUT",
            "services/a/instances/i",
            r#"{"spec": {"host": ""}}"#,
            "422 invalid-document",
            "/spec/ports",
        ),
        (
            "PUT",
            "services/a",
            r#"{"spec": {"dependencies": []}}"#,
            "422 invalid-document",
            "spec.version",
        ),
        (
            "PUT",
            "services/a",
            &large,
            "413 body-too-large",
            "api.max_body",
        ),
        (
            "POST",
            "serviceversions",
            r#"{"spec": {}}"#,
            "400 bad-request",
            "not made up",
        ),
        (
            "GET",
            "services?labelSelector=a%20b",
            "",
            "400 bad-request",
            "label selector",
        ),
        (
            "GET",
            "services?limit=0",
            "",
            "400 bad-request",
            "from 1 to 5000",
        ),
        (
            "GET",
            "services?limt=1",
            "",
            "400 bad-request",
            "did you mean \\\"limit\\\"?",
        ),
        (
            "GET",
            "services/a?minIndex=7",
            "",
            "400 bad-request",
            "incarnation.revision",
        ),
        (
            "GET",
            "services/a/instances?healty=1",
            "",
            "400 bad-request",
            "did you mean \\\"healthy\\\"?",
        ),
        (
            "GET",
            "services/a/instances?healthy=yes",
            "",
            "400 bad-request",
            "true or false",
        ),
        (
            "GET",
            "services/a/instances?wait=1s",
            "",
            "400 bad-request",
            "wait needs index",
        ),
        (
            "GET",
            "services/a%2Fb",
            "",
            "400 bad-request",
            "encoded slash",
        ),
        (
            "GET",
            "namespaces/-/services/a",
            "",
            "400 bad-request",
            "takes one namespace",
        ),
        (
            "GET",
            "namespaces/-/graph",
            "",
            "400 bad-request",
            "takes one namespace",
        ),
        (
            "GET",
            "namespaces/A_/services",
            "",
            "400 bad-request",
            "DNS-1123",
        ),
        (
            "GET",
            "watch?kinds=servces",
            "",
            "400 bad-request",
            "did you mean \\\"services\\\"?",
        ),
        ("GET", "teapots", "", "404 unknown-path", "openapi.json"),
        ("GET", "/nothing", "", "404 unknown-path", "openapi.json"),
        ("GET", "/docs/errors/teapot", "", "404 not-found", "teapot"),
        ("GET", "services/a", "", "404 not-found", "does not exist"),
        (
            "GET",
            "graph/impact/a",
            "",
            "404 not-found",
            "does not exist",
        ),
        (
            "DELETE",
            "services/a",
            "",
            "404 not-found",
            "does not exist",
        ),
        (
            "PUT",
            "services/a/instances/i/heartbeat",
            "",
            "404 not-found",
            "does not exist",
        ),
        (
            "PATCH",
            "services/a",
            "",
            "405 method-not-allowed",
            "GET, PUT, DELETE",
        ),
        (
            "DELETE",
            "services",
            "",
            "405 method-not-allowed",
            "GET, POST",
        ),
    ] {
        let answer = node.send(method, path, &[], body).await;
        assert_eq!(answer.problem(), expect, "{method} {path} {body}");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(
            text.contains(words),
            "{method} {path} {body}: {text} lacks {words:?}"
        );
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn each_bad_field_is_pointed_at() {
    let node = node().await;
    let body = r#"{"spec": {"host": "a b", "ports": [{"port": 0}], "checks": [{"type": "tcp", "fall": 0}]}}"#;
    let problem = node.put("services/a/instances/i", body).await.json();
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        pointers,
        ["/spec/host", "/spec/ports/0/port", "/spec/checks/0/fall"]
    );
    assert_eq!(problem["type"], "/docs/errors/invalid-document");
    let page = node.get("/docs/errors/invalid-document").await;
    assert_eq!(page.header("content-type"), "text/markdown; charset=utf-8");
    node.platform.stop().await;
}

#[tokio::test]
async fn a_body_of_an_unknown_type_is_refused() {
    let node = node().await;
    let answer = node
        .send(
            "PUT",
            "services/a",
            &[("content-type", "application/xml")],
            "<a/>",
        )
        .await;
    assert_eq!(answer.problem(), "415 unsupported-media-type");
    let answer = node
        .send(
            "PUT",
            "services/a",
            &[("content-type", "application/yaml")],
            "a: [",
        )
        .await;
    assert_eq!(answer.problem(), "400 bad-request");
    node.platform.stop().await;
}

#[tokio::test]
async fn a_request_id_is_taken_over_or_made() {
    let node = node().await;
    let own = node
        .send("GET", "services", &[("x-request-id", "mine-1")], "")
        .await;
    assert_eq!(own.header("x-request-id"), "mine-1");
    let problem = node
        .send("GET", "teapots", &[("x-request-id", "mine-2")], "")
        .await;
    assert_eq!(problem.json()["instance"], "mine-2");
    for unusable in ["", "has spaces", &"x".repeat(200)] {
        let made = node
            .send("GET", "services", &[("x-request-id", unusable)], "")
            .await;
        assert_eq!(made.header("x-request-id").len(), 16, "{unusable:?}");
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn no_web_page_reaches_a_node_without_authentication() {
    let node = node().await;
    let refused = node
        .send(
            "POST",
            "httproutes",
            &[("origin", "https://evil.example")],
            r#"{"spec": {}}"#,
        )
        .await;
    assert_eq!(refused.problem(), "403 forbidden");
    node.platform.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for_for_ever() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let node = node_with(|builder| {
        builder.configure(|settings| settings.api.header_timeout = "1s".parse().unwrap())
    })
    .await;
    let mut slow = tokio::net::TcpStream::connect(node.api()).await.unwrap();
    let head = "PUT /api/v1/services/a HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("api.header_timeout"),
        "{answer}"
    );
    node.platform.stop().await;
}
