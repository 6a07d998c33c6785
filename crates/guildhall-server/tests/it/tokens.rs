//! Tokens: who is let in, to do what, and how a change of the file takes effect.

use std::path::PathBuf;

use crate::support::{Answer, Node, node_with, until};

const FILE: &str = r#"
[[tokens]]
name = "root"
token = "root-token"
scopes = ["admin"]

[[tokens]]
name = "shop"
token = "shop-token"
scopes = ["write:shop"]

[[tokens]]
name = "eye"
hash = "sha256:deb98b54bcc4d58940a0137ab76caa71407316d661fd89ebea30a6673c6e481e"
scopes = ["read"]
"#;

/// A node whose tokens are in a file of its own folder.
async fn guarded(text: &str) -> (Node, PathBuf) {
    let folder = tempfile::tempdir().unwrap().keep();
    let file = folder.join("tokens.toml");
    std::fs::write(&file, text).unwrap();
    let node = node_with(|builder| {
        builder.configure(|settings| {
            settings.auth.token_file = Some(file.clone());
            settings.auth.reload = "10ms".parse().unwrap();
        })
    })
    .await;
    (node, file)
}

async fn ask(node: &Node, token: &str, method: &str, path: &str, body: &str) -> Answer {
    node.send(
        method,
        path,
        &[("authorization", &format!("Bearer {token}"))],
        body,
    )
    .await
}

#[tokio::test]
async fn scopes_say_who_may_do_what_where() {
    let (node, _) = guarded(FILE).await;
    let service = r#"{"spec": {}}"#;
    for (token, method, path, body, expect) in [
        (
            "root-token",
            "PUT",
            "namespaces/shop/services/a",
            service,
            201,
        ),
        (
            "root-token",
            "PUT",
            "namespaces/bank/services/b",
            service,
            201,
        ),
        ("root-token", "GET", "snapshot", "", 200),
        ("root-token", "GET", "/metrics", "", 200),
        (
            "shop-token",
            "PUT",
            "namespaces/shop/services/c",
            service,
            201,
        ),
        ("shop-token", "GET", "namespaces/shop/services/a", "", 200),
        (
            "shop-token",
            "GET",
            "namespaces/shop/watch?kinds=teapots",
            "",
            400,
        ),
        (
            "shop-token",
            "PUT",
            "namespaces/bank/services/c",
            service,
            403,
        ),
        ("shop-token", "GET", "namespaces/bank/services/b", "", 403),
        ("shop-token", "GET", "namespaces/bank/services", "", 403),
        (
            "shop-token",
            "GET",
            "namespaces/bank/services/b/instances",
            "",
            403,
        ),
        ("shop-token", "GET", "namespaces/bank/watch", "", 403),
        (
            "shop-token",
            "POST",
            "namespaces/bank/locks/l/acquire",
            r#"{"owner": "x"}"#,
            403,
        ),
        ("shop-token", "GET", "snapshot", "", 403),
        ("shop-token", "POST", "snapshot", "", 403),
        ("shop-token", "GET", "status", "", 403),
        ("shop-token", "GET", "/metrics", "", 403),
        ("eye-token", "GET", "namespaces/bank/services/b", "", 200),
        ("eye-token", "GET", "status", "", 200),
        ("eye-token", "GET", "/metrics", "", 200),
        (
            "eye-token",
            "PUT",
            "namespaces/bank/services/b",
            service,
            403,
        ),
        ("nobodys-token", "GET", "services", "", 401),
        ("nobodys-token", "GET", "teapots", "", 401),
    ] {
        let answer = ask(&node, token, method, path, body).await;
        assert_eq!(
            answer.status.as_u16(),
            expect,
            "{token} {method} {path}: {answer:?}"
        );
    }
    let all = ask(&node, "shop-token", "GET", "namespaces/-/services", "")
        .await
        .json();
    assert_eq!(
        all["items"].as_array().unwrap().len(),
        2,
        "a list over all shows what the caller may see"
    );
    let written = ask(&node, "shop-token", "GET", "namespaces/shop/services/c", "")
        .await
        .json();
    assert_eq!(written["metadata"]["updatedBy"], "shop");

    let stranger = node.get("services").await;
    assert_eq!(
        (stranger.problem(), stranger.header("www-authenticate")),
        ("401 unauthenticated".to_owned(), "Bearer")
    );
    for public in [
        "/healthz",
        "/readyz",
        "/api/openapi.json",
        "/docs/errors/unauthenticated",
    ] {
        assert_eq!(node.get(public).await.status, 200, "{public}");
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn a_kept_answer_is_not_for_everyone() {
    let (node, _) = guarded(FILE).await;
    let path = "namespaces/bank/services/b/instances";
    for _ in 0..2 {
        assert_eq!(ask(&node, "root-token", "GET", path, "").await.status, 200);
        assert_eq!(ask(&node, "shop-token", "GET", path, "").await.status, 403);
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn a_changed_file_takes_effect_and_a_broken_one_does_not() {
    let (node, file) = guarded(FILE).await;
    std::fs::write(&file, FILE.replace("shop-token", "other-token")).unwrap();
    until("the new token", async || {
        (ask(&node, "other-token", "GET", "namespaces/shop/services", "")
            .await
            .status
            == 200)
            .then_some(())
    })
    .await;
    assert_eq!(
        ask(&node, "shop-token", "GET", "namespaces/shop/services", "")
            .await
            .status,
        401
    );
    // While the file is broken, what it said before holds; the next whole one takes over.
    std::fs::write(&file, "[[tokens]]\nname = ").unwrap();
    assert_eq!(
        ask(&node, "other-token", "GET", "namespaces/shop/services", "")
            .await
            .status,
        200
    );
    std::fs::write(&file, FILE.replace("shop-token", "third-token")).unwrap();
    until("the third token", async || {
        let other = ask(&node, "other-token", "GET", "namespaces/shop/services", "")
            .await
            .status
            == 200;
        let third = ask(&node, "third-token", "GET", "namespaces/shop/services", "")
            .await
            .status
            == 200;
        assert!(other || third, "at no moment nobody is let in");
        third.then_some(())
    })
    .await;
    node.platform.stop().await;
}

#[tokio::test]
async fn a_token_file_that_cannot_be_used_keeps_the_node_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let builder = guildhall_server::Platform::builder()
        .data_dir(folder.path())
        .configure(|settings| {
            settings.auth.token_file = Some(folder.path().join("nowhere.toml"));
        });
    let error = builder.start().await.err().unwrap().to_string();
    assert!(error.contains("auth.token_file"), "{error}");
}
