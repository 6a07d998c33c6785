//! Drafts and approval through the API and the command line.

use std::path::Path;

use serde_json::json;

use crate::{
    cli::run,
    support::{Answer, Node, node_with},
};

const APP: &str = "configs/users/prod/app.yaml";
const FILE: &str = "users/prod/app.yaml";
const TOKENS: &str = r#"
[[tokens]]
name = "root"
token = "root-token"
scopes = ["admin"]

[[tokens]]
name = "anna"
token = "anna-token"
scopes = ["write"]

[[tokens]]
name = "bob"
token = "bob-token"
scopes = ["write"]
"#;

async fn node(folder: &Path) -> Node {
    node_with(|builder| {
        builder.configure(|settings| {
            let file = folder.join("tokens.toml");
            std::fs::write(&file, TOKENS).unwrap();
            settings.auth.token_file = Some(file);
        })
    })
    .await
}

async fn ask(node: &Node, who: &str, method: &str, path: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {who}-token");
    node.send(method, path, &[("authorization", &authorization)], body)
        .await
}

#[tokio::test]
async fn a_guarded_file_changes_by_what_somebody_else_approved() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let document = json!({"spec": {"content": "pool: 1\n", "approval": {"required": 1}}});
    let put = ask(&node, "anna", "PUT", APP, &document.to_string()).await;
    assert_eq!(put.status, 201, "{put:?}");

    let content = format!("{APP}/content");
    let refused = ask(&node, "anna", "PUT", &content, "pool: 2\n").await;
    assert_eq!(refused.problem(), "403 approval-required");
    let drafted = ask(
        &node,
        "anna",
        "PUT",
        &format!("{content}?draft=true"),
        "pool: 2\n",
    )
    .await;
    assert_eq!(drafted.status, 202, "{drafted:?}");
    assert_eq!(drafted.header("guildhall-draft"), "1");
    let draft = format!("{APP}/drafts/1");
    assert!(drafted.header("location").ends_with(&draft), "{drafted:?}");

    let row = ask(&node, "bob", "GET", &draft, "").await.json();
    assert_eq!(
        (&row["required"], &row["stale"], &row["draft"]["author"]),
        (&json!(1), &json!(false), &json!("anna"))
    );
    let text = ask(&node, "bob", "GET", &format!("{draft}/content"), "").await;
    assert_eq!(text.body, "pool: 2\n");
    let diff = ask(&node, "bob", "GET", &format!("{draft}/diff"), "")
        .await
        .json();
    assert_eq!(
        diff["content"]["structural"][0]["pointer"],
        json!("/pool"),
        "{diff}"
    );
    let release = format!("{draft}/release");
    let early = ask(&node, "anna", "POST", &release, "").await;
    assert_eq!(early.problem(), "403 approval-required");
    let approve = format!("{draft}/approve");
    let own = ask(&node, "anna", "POST", &approve, "").await;
    assert_eq!(own.problem(), "403 forbidden");
    let approved = ask(&node, "bob", "POST", &approve, "").await.json();
    assert_eq!(approved["draft"]["approvals"][0]["by"], json!("bob"));
    let released = ask(&node, "anna", "POST", &release, "").await;
    assert_eq!(released.status, 200, "{released:?}");
    let index = released.header("guildhall-index").to_owned();

    let live = format!("{content}?minIndex={index}");
    assert_eq!(ask(&node, "bob", "GET", &live, "").await.body, "pool: 2\n");
    let history = ask(&node, "bob", "GET", &format!("{APP}/history"), "").await;
    assert_eq!(
        history.json()["items"][0]["provenance"],
        json!({"draft": 1, "author": "anna", "approvedBy": ["bob"]})
    );
    for (method, path, expect) in [
        ("GET", draft.clone(), "404 not-found"),
        ("POST", release, "404 not-found"),
        ("GET", format!("{APP}/drafts/x"), "400 bad-request"),
        ("DELETE", APP.to_owned(), "403 forbidden"),
        ("PUT", "policies/p?draft=true".to_owned(), "400 bad-request"),
    ] {
        let answer = ask(&node, "anna", method, &path, "").await;
        assert_eq!(answer.problem(), expect, "{method} {path}");
    }
}

#[tokio::test]
async fn the_command_line_drafts_approves_and_releases() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let (first, second) = (folder.path().join("1.yaml"), folder.path().join("2.yaml"));
    std::fs::write(&first, "pool: 1\n").unwrap();
    std::fs::write(&second, "pool: 2\n").unwrap();
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    let call = async |who: &str, args: &[&str]| {
        let token = format!("{who}-token");
        let mut all = vec!["--token", &token, "config"];
        all.extend(args);
        run(&node, &all).await
    };
    let done = async |who: &str, args: &[&str]| {
        let done = call(who, args).await;
        assert_eq!(done.code, 0, "{args:?}: {}", done.error);
        done.out
    };
    done("anna", &["set", FILE, "-f", first]).await;
    let guarded = done("anna", &["draft", "require", FILE, "1"]).await;
    assert!(guarded.contains("the approval of others (1)"), "{guarded}");
    let refused = call("anna", &["set", FILE, "-f", second]).await;
    assert!(refused.error.contains("--draft"), "{}", refused.error);
    let drafted = done(
        "anna",
        &["set", FILE, "-f", second, "--draft", "--comment", "more"],
    )
    .await;
    assert!(drafted.contains("draft 1"), "{drafted}");
    let listed = done("bob", &["draft", "list"]).await;
    for word in [FILE, "anna", "0 of 1", "waits", "more"] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    let shown = done("bob", &["draft", "show", FILE, "1"]).await;
    assert_eq!(shown, "pool: 2\n");
    let diff = done("bob", &["draft", "diff", FILE, "1"]).await;
    assert!(diff.contains("-pool: 1\n+pool: 2\n"), "{diff}");
    let approved = done("bob", &["draft", "approve", FILE, "1"]).await;
    assert!(
        approved.contains("1 of 1; guildhall config draft release"),
        "{approved}"
    );
    done("anna", &["draft", "release", FILE, "1"]).await;
    let back = done("anna", &["rollback", FILE, "--to", "1", "--draft"]).await;
    assert!(back.contains("draft 2"), "{back}");
    done("anna", &["draft", "delete", FILE, "2"]).await;
    let lowered = call("bob", &["draft", "require", FILE, "0"]).await;
    assert!(lowered.error.contains("may not Admin"), "{}", lowered.error);
    done("root", &["draft", "require", FILE, "0"]).await;
    done("anna", &["set", FILE, "-f", first]).await;
}
