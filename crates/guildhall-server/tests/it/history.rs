//! The past of documents through the API and the command line.

use serde_json::{Value, json};

use crate::{
    cli::run,
    support::{Answer, Node, node, node_with},
};

const CALM: &str = "policies/calm";

fn policy(timeout: &str) -> String {
    json!({"spec": {
        "targetRefs": [{"kind": "Service", "name": "users"}],
        "timeouts": {"request": timeout},
    }})
    .to_string()
}

async fn put(node: &Node, timeout: &str, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers);
    node.send("PUT", CALM, &all, &policy(timeout)).await
}

/// The versions in short, the newest first.
fn short(list: &Value) -> Vec<String> {
    let line = |version: &Value| {
        let to = version["to"]
            .as_u64()
            .map_or(String::new(), |to| format!(" {to}"));
        let comment = version["comment"].as_str().unwrap_or("-");
        let action = version["action"].as_str().unwrap();
        format!(
            "{} {action}{to} by {}: {comment}",
            version["version"],
            version["by"].as_str().unwrap()
        )
    };
    list["items"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn a_document_has_a_past_and_a_way_back() {
    let node = node().await;
    let first = put(&node, "1s", &[("guildhall-comment", "as a start")]).await;
    assert_eq!(first.json()["metadata"]["version"], 1);
    put(
        &node,
        "2s",
        &[("guildhall-comment", "UTF-8''f%C3%BCr%20alle")],
    )
    .await;
    let gone = node
        .send("DELETE", CALM, &[("guildhall-comment", "not needed")], "")
        .await;
    assert_eq!(gone.status, 204);

    let tried = node
        .post(&format!("{CALM}/rollback?dryRun=true"), r#"{"version": 1}"#)
        .await;
    assert_eq!(
        (tried.status.as_u16(), &tried.json()["metadata"]["version"]),
        (201, &json!(4))
    );
    let back = node
        .post(
            &format!("{CALM}/rollback"),
            r#"{"version": 1, "comment": "needed after all"}"#,
        )
        .await;
    assert_eq!(back.status, 201);
    assert_eq!(back.json()["spec"]["timeouts"]["request"], "1s");
    assert_eq!(back.json()["metadata"]["version"], 4);
    let etag = back.header("etag").to_owned();

    let list = node.get(&format!("{CALM}/history")).await.json();
    assert_eq!(
        short(&list),
        [
            "4 rolledBack 1 by anonymous: needed after all",
            "3 deleted by anonymous: not needed",
            "2 updated by anonymous: für alle",
            "1 created by anonymous: as a start",
        ]
    );
    assert_eq!(list["metadata"], json!({"last": 4, "oldest": 1}));
    let page = node.get(&format!("{CALM}/history?limit=3")).await.json();
    assert_eq!(page["metadata"]["continue"], "2");
    let page = node
        .get(&format!("{CALM}/history?limit=3&continue=2"))
        .await
        .json();
    assert_eq!(
        (short(&page).len(), &page["metadata"]["continue"]),
        (1, &Value::Null)
    );

    let second = node.get(&format!("{CALM}/versions/2")).await.json();
    assert_eq!(second["document"]["spec"]["timeouts"]["request"], "2s");
    assert_eq!(
        second["document"]["metadata"]["revision"],
        second["revision"]
    );
    assert!(second["document"].get("status").is_none());
    let deletion = node.get(&format!("{CALM}/versions/3")).await.json();
    assert!(deletion.get("document").is_none(), "{deletion}");

    let diff = node.get(&format!("{CALM}/diff?from=1&to=2")).await.json();
    assert_eq!(
        diff["changes"],
        json!([{"pointer": "/spec/timeouts/request", "before": "1s", "after": "2s"}])
    );
    let text = diff["text"].as_str().unwrap();
    assert!(
        text.starts_with("--- policies/calm (version 1)\n+++ policies/calm (version 2)\n"),
        "{text}"
    );
    assert!(
        text.contains("-    request: 1s\n+    request: 2s\n"),
        "{text}"
    );
    let last = node.get(&format!("{CALM}/diff")).await.json();
    assert_eq!(
        (&last["from"]["version"], &last["changes"][0]["pointer"]),
        (&json!(3), &json!(""))
    );

    // A rollback is conditional like every write, and one to what is there changes nothing.
    let stale = node
        .send(
            "POST",
            &format!("{CALM}/rollback"),
            &[("if-match", "\"1\"")],
            r#"{"version": 2}"#,
        )
        .await;
    assert_eq!(stale.problem(), "412 precondition-failed");
    let same = node
        .send(
            "POST",
            &format!("{CALM}/rollback"),
            &[("if-match", &etag)],
            r#"{"version": 1}"#,
        )
        .await;
    assert_eq!((same.status.as_u16(), same.header("etag")), (200, &*etag));
}

#[tokio::test]
async fn tags_name_versions_and_keep_them() {
    let node = node_with(|builder| builder.configure(|settings| settings.history.keep = 2)).await;
    put(&node, "1s", &[]).await;
    let tagged = node
        .put(&format!("{CALM}/tags/good"), r#"{"version": 1}"#)
        .await;
    assert_eq!(tagged.json(), json!({"version": 1}));
    for timeout in ["2s", "3s", "4s"] {
        put(&node, timeout, &[]).await;
    }
    let list = node.get(&format!("{CALM}/history")).await.json();
    assert_eq!(
        short(&list)
            .iter()
            .map(|line| &line[..1])
            .collect::<String>(),
        "431"
    );
    assert_eq!(
        list["metadata"],
        json!({"last": 4, "oldest": 3, "tags": {"good": 1}})
    );
    assert_eq!(list["items"][2]["tags"], json!(["good"]));
    assert_eq!(
        node.get(&format!("{CALM}/versions/2")).await.problem(),
        "404 not-found"
    );
    assert_eq!(
        node.get(&format!("{CALM}/versions/good")).await.json()["version"],
        1
    );
    let back = node
        .post(&format!("{CALM}/rollback"), r#"{"version": "good"}"#)
        .await;
    assert_eq!(back.json()["spec"]["timeouts"]["request"], "1s");
    let untagged = node.delete(&format!("{CALM}/tags/good")).await;
    assert_eq!(untagged.status, 204);
    assert_eq!(
        node.delete(&format!("{CALM}/tags/good")).await.problem(),
        "404 not-found"
    );
    assert_eq!(
        node.get(&format!("{CALM}/versions/1")).await.problem(),
        "404 not-found"
    );
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let node = node().await;
    put(&node, "1s", &[]).await;
    node.delete(CALM).await;
    let check = |answer: Answer, expect: &str| {
        let problem = format!(
            "{}: {}",
            answer.problem(),
            answer.json()["detail"].as_str().unwrap()
        );
        assert!(problem.contains(expect), "{problem}");
    };
    check(node.get("policies/none/history").await, "404 not-found");
    check(node.get("services/a/history").await, "404 unknown-path");
    check(
        node.get(&format!("{CALM}/versions/9")).await,
        "no version 9; it has 1 to 2",
    );
    check(
        node.get(&format!("{CALM}/diff?from=good")).await,
        "no version \"good\"",
    );
    check(
        node.get(&format!("{CALM}/history?limit=501")).await,
        "400 bad-request",
    );
    check(
        node.get(&format!("{CALM}/history?continue=x")).await,
        "400 bad-request",
    );
    check(
        node.post(&format!("{CALM}/rollback"), r#"{"version": 2}"#)
            .await,
        "422 invalid-document",
    );
    check(
        node.post(&format!("{CALM}/rollback"), "{}").await,
        "missing field `version`",
    );
    check(
        node.put(&format!("{CALM}/tags/7"), r#"{"version": 1}"#)
            .await,
        "422 invalid-document",
    );
    check(
        node.put(&format!("{CALM}/tags/A_b"), r#"{"version": 1}"#)
            .await,
        "422 invalid-document",
    );
    let long = "x".repeat(1025);
    check(
        put(&node, "1s", &[("guildhall-comment", &long)]).await,
        "at most 1024 bytes",
    );
    let body = r#"{"spec": {}}"#;
    let headers = [
        ("content-type", "application/json"),
        ("guildhall-comment", "why"),
    ];
    let unheard = node.send("PUT", "services/a", &headers, body).await;
    assert!(
        unheard
            .header("guildhall-warning")
            .contains("no history is kept of services")
    );
}

/// What a command prints.
async fn told(node: &Node, line: &str) -> String {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let done = run(node, &arguments).await;
    assert_eq!(done.code, 0, "guildhall {line}: {}", done.error);
    done.out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_tells_the_past_and_goes_back() {
    let node = node().await;
    for (timeout, comment) in [("1s", "as-a-start"), ("2s", "slower")] {
        let mut document: Value = serde_json::from_str(&policy(timeout)).unwrap();
        document["kind"] = json!("Policy");
        document["metadata"] = json!({"name": "calm"});
        let file = node.path().join("calm.json");
        std::fs::write(&file, document.to_string()).unwrap();
        told(
            &node,
            &format!("apply -f {} --comment {comment}", file.display()),
        )
        .await;
    }
    let shown = told(&node, "history policy calm").await;
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines[1].starts_with("2") && lines[1].ends_with("slower"),
        "{shown}"
    );
    assert!(
        lines[2].starts_with("1") && lines[2].ends_with("as-a-start"),
        "{shown}"
    );
    assert!(
        told(&node, "history policy/calm --diff")
            .await
            .contains("+    request: 2s")
    );
    assert!(
        told(&node, "history policy calm --version 1")
            .await
            .contains("request: 1s")
    );
    assert_eq!(
        told(&node, "history policy calm --tag good=1").await,
        "policy/calm: version 1 is good\n"
    );
    assert!(
        told(&node, "rollback policy calm --to good --dry-run")
            .await
            .contains("+    request: 1s")
    );
    assert_eq!(
        told(&node, "rollback policy calm --to good --comment back").await,
        "policy/calm rolled back to good: version 3\n"
    );
    assert_eq!(
        told(&node, "rollback policy calm --to 1").await,
        "policy/calm says what version 1 says already\n"
    );
    assert_eq!(
        told(&node, "history policy calm -o name").await,
        "3\n2\n1\n"
    );
    told(&node, "history policy calm --untag good").await;
    told(&node, "delete policy calm").await;
    let shown = told(&node, "history policy calm --limit 1").await;
    assert!(
        shown.contains("deleted") && shown.lines().count() == 2,
        "{shown}"
    );
}
