//! Sealed values through the API and the command line.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{
    cli::run,
    support::{Answer, Node, node_with, until},
};

const APP: &str = "configs/users/prod/app.yaml";
const TOKENS: &str = r#"
[[tokens]]
name = "root"
token = "root-token"
scopes = ["admin"]

[[tokens]]
name = "writer"
token = "writer-token"
scopes = ["write"]

[[tokens]]
name = "service"
token = "service-token"
scopes = ["reveal:default"]
"#;
const OLD: &str = "old: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const NEW: &str = "new: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";

/// A node with these keys and tokens, and the file of the keys.
async fn keyed(folder: &Path, tokens: bool) -> (Node, PathBuf) {
    let keys = folder.join("seal.keys");
    std::fs::write(&keys, OLD).unwrap();
    let node = node_with(|builder| {
        builder.configure(|settings| {
            settings.config.seal_key_file = Some(keys.clone());
            settings.auth.reload = "10ms".parse().unwrap();
            if tokens {
                let file = folder.join("tokens.toml");
                std::fs::write(&file, TOKENS).unwrap();
                settings.auth.token_file = Some(file);
            }
        })
    })
    .await;
    (node, keys)
}

async fn ask(node: &Node, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    node.send(method, path, &[("authorization", &authorization)], body)
        .await
}

#[tokio::test]
async fn only_the_scope_reveal_shows_what_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let (node, _) = keyed(folder.path(), true).await;
    let document = json!({"spec": {"sealed": ["/password"], "content": "password: hunter2\n"}});
    let put = ask(&node, "writer-token", "PUT", APP, &document.to_string()).await;
    assert_eq!(put.status, 201, "{put:?}");
    let index = put.header("guildhall-index").to_owned();

    for path in ["content", "effective"] {
        let path = format!("{APP}/{path}?minIndex={index}");
        let masked = ask(&node, "writer-token", "GET", &path, "").await;
        assert_eq!(masked.body, "password: \"******\"\n");
        assert_eq!(masked.header("guildhall-sealed"), "masked");
        let path = format!("{path}&reveal=true");
        let refused = ask(&node, "writer-token", "GET", &path, "").await;
        assert_eq!(refused.problem(), "403 forbidden");
        for token in ["service-token", "root-token"] {
            let open = ask(&node, token, "GET", &path, "").await;
            assert_eq!(open.body, "password: \"hunter2\"\n");
            assert_eq!(open.header("guildhall-sealed"), "revealed");
            assert_eq!(open.header("cache-control"), "no-store");
        }
    }
    let path = format!("{APP}/effective?origins=true");
    let origins = ask(&node, "service-token", "GET", &path, "").await.json();
    assert_eq!(
        (&origins["sealed"], &origins["value"]["password"]),
        (&json!("masked"), &json!("******"))
    );
    let refused = ask(
        &node,
        "service-token",
        "PUT",
        &format!("{APP}/content"),
        "a: 1\n",
    )
    .await;
    assert_eq!(
        refused.problem(),
        "403 forbidden",
        "to reveal is not to write"
    );
}

/// What a command that must succeed prints.
async fn said(node: &Node, arguments: &[&str]) -> String {
    let done = run(node, arguments).await;
    assert_eq!(done.code, 0, "{arguments:?}: {}{}", done.out, done.error);
    done.out
}

#[tokio::test]
async fn keys_are_changed_while_the_server_runs_and_the_command_line_seals() {
    let folder = tempfile::tempdir().unwrap();
    let (node, keys) = keyed(folder.path(), false).await;
    let file = folder.path().join("app.yaml");
    std::fs::write(&file, "password: hunter2\nport: 1\n").unwrap();
    let name = "users/prod/app.yaml";
    let file = file.to_str().unwrap();
    said(&node, &["config", "set", name, "-f", file]).await;
    let sealed = said(&node, &["config", "seal", name, "/password"]).await;
    assert!(sealed.contains("sealed: version 2"), "{sealed}");
    let listed = said(&node, &["config", "seal", name]).await;
    assert_eq!(listed, "/password\n");
    let masked = said(&node, &["config", "get", name]).await;
    assert_eq!(masked, "password: \"******\"\nport: 1\n");
    let open = said(&node, &["config", "get", name, "--reveal"]).await;
    assert_eq!(open, "password: \"hunter2\"\nport: 1\n");
    // What is exported says no secret, and applied again it changes nothing.
    let exported = said(&node, &["export", "configs"]).await;
    assert!(!exported.contains("hunter2"), "{exported}");
    std::fs::write(file, &exported).unwrap();
    let applied = said(&node, &["apply", "-f", file]).await;
    assert!(applied.contains("unchanged"), "{applied}");

    let made = said(&node, &["config", "seal", "--new-key"]).await;
    assert!(made.starts_with('k') && made.trim().len() > 48, "{made}");
    std::fs::write(&keys, [NEW, OLD].concat()).unwrap();
    until("the new key", async || {
        let rotated = said(&node, &["config", "seal", "--rotate"]).await;
        rotated.contains("sealed: version 3").then_some(())
    })
    .await;
    std::fs::write(&keys, NEW).unwrap();
    let path = format!("{APP}/content?reveal=true");
    until("the old key is gone", async || {
        let old = node.get(&format!("{path}&version=2")).await;
        (old.status == 409).then(|| assert_eq!(old.problem(), "409 seal-key-missing"))
    })
    .await;
    assert_eq!(node.get(&path).await.status, 200);
}
