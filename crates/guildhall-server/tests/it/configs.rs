//! Configuration through the API and the command line.

use serde_json::{Value, json};

use crate::{
    cli::{command, done, run},
    support::{Answer, Node, node},
};

const APP: &str = "configs/users/prod/app.yaml";

async fn release(node: &Node, path: &str, content: &str) -> Answer {
    let path = format!("{path}/content");
    let answer = node
        .send("PUT", &path, &[("guildhall-comment", "because")], content)
        .await;
    assert!(answer.status.is_success(), "{answer:?}");
    answer
}

fn body(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[tokio::test]
async fn a_file_is_released_read_compared_and_rolled_back() {
    let node = node().await;
    let first = release(&node, APP, "# ours\npool: 8\n").await;
    assert_eq!(
        (first.status.as_u16(), &first.json()["metadata"]["version"]),
        (201, &json!(1))
    );
    release(&node, APP, "# ours\npool: 9\n").await;

    let content = node.get(&format!("{APP}/content")).await;
    assert_eq!(body(&content), "# ours\npool: 9\n");
    assert_eq!(content.header("content-type"), "application/yaml");
    assert_eq!(content.header("guildhall-config"), "users/prod/app.yaml@2");
    let old = node.get(&format!("{APP}/content?version=1")).await;
    assert_eq!(body(&old), "# ours\npool: 8\n");

    let diff = node.get(&format!("{APP}/diff")).await.json();
    assert_eq!(
        diff["content"]["structural"],
        json!([{
            "pointer": "/pool", "before": 8, "after": 9,
            "beforeAt": {"line": 2, "column": 7}, "afterAt": {"line": 2, "column": 7},
        }])
    );
    let textual = diff["content"]["textual"].as_str().unwrap();
    assert!(textual.contains("-pool: 8\n+pool: 9\n"), "{textual}");

    let history = node.get(&format!("{APP}/history")).await.json();
    assert_eq!(history["items"][0]["comment"], "because");
    let tag = node
        .put(&format!("{APP}/tags/good"), r#"{"version": 1}"#)
        .await;
    assert_eq!(tag.status, 200);
    let back = node
        .post(&format!("{APP}/rollback"), r#"{"version": "good"}"#)
        .await;
    assert_eq!(back.json()["metadata"]["version"], 3);
    let index = back.header("guildhall-index");
    let content = node.get(&format!("{APP}/content?minIndex={index}")).await;
    assert_eq!(body(&content), "# ours\npool: 8\n");

    let gone = node.delete(APP).await;
    assert_eq!(gone.status, 204);
    assert_eq!(
        node.get(&format!("{APP}/content?version=2")).await.status,
        200
    );
    assert_eq!(
        node.get(&format!("{APP}/content?version=4"))
            .await
            .problem(),
        "404 not-found"
    );
}

#[tokio::test]
async fn what_is_not_of_its_format_is_refused_with_its_place() {
    let node = node().await;
    let put = async |path: &str, content: &str| {
        node.send("PUT", &format!("{path}/content"), &[], content)
            .await
    };
    let bad = put(APP, "pool:\n  a: 1\n  a: 2\n").await;
    assert_eq!(bad.problem(), "422 invalid-document");
    assert_eq!(bad.json()["errors"][0]["pointer"], "/spec/content");
    let detail = bad.json()["errors"][0]["detail"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(detail.contains("line 3, column 3"), "{detail}");
    assert_eq!(node.get(APP).await.status, 404, "nothing was written");
    for (method, path, expect) in [
        ("GET", "configs/users/prod", "404 unknown-path"),
        (
            "PUT",
            "configs/us ers/prod/a/content",
            "422 invalid-document",
        ),
        (
            "POST",
            "configs/users/prod/a/content",
            "405 method-not-allowed",
        ),
        (
            "GET",
            "configs/users/prod/a/effective?wait=1s",
            "400 bad-request",
        ),
        ("GET", "configs/users/prod/a/effective", "404 not-found"),
    ] {
        let path = path.replace(' ', "%20");
        assert_eq!(
            node.send(method, &path, &[], "x").await.problem(),
            expect,
            "{path}"
        );
    }
    let stale = [("if-match", "\"1\"")];
    let refused = node
        .send("PUT", &format!("{APP}/content"), &stale, "a: 1")
        .await;
    assert_eq!(refused.problem(), "412 precondition-failed");
}

#[tokio::test]
async fn readers_get_the_layers_and_wait_for_changes() {
    let node = node().await;
    let path = format!("{APP}/effective");
    release(&node, "configs/_/_/app.yaml", "log: info\npool: 4\n").await;
    let first = node.get(&path).await;
    assert_eq!(body(&first), "log: info\npool: 4\n");
    let etag = first.header("etag").to_owned();
    let same = node
        .send("GET", &path, &[("if-none-match", &etag)], "")
        .await;
    assert_eq!(same.status, 304);

    let polled = tokio::spawn({
        let (at, path, etag) = (node.api(), path.clone(), etag.clone());
        async move {
            let headers = [("if-none-match", &*etag)];
            crate::support::send(at, "GET", &format!("{path}?wait=20s"), &headers, "").await
        }
    });
    let mut events = node.stream(&format!("{path}?watch=true"), &[]).await;
    let now = events.next().await.unwrap();
    assert_eq!(
        (now.name.as_str(), &now.data["content"]),
        ("config", &json!("log: info\npool: 4\n"))
    );
    assert_eq!(format!("\"{}\"", now.id.as_deref().unwrap()), etag);

    release(&node, APP, "pool: 8\n").await;
    let changed = polled.await.unwrap();
    assert_eq!(
        changed.header("guildhall-config"),
        "_/_/app.yaml@1, users/prod/app.yaml@1"
    );
    let merged: Value = yaml_serde::from_str(body(&changed)).unwrap();
    assert_eq!(merged, json!({"log": "info", "pool": 8}));
    let next = events.next().await.unwrap();
    assert_eq!(next.data["content"], body(&changed));
    let id = next.id.clone().unwrap();
    drop(events);

    release(&node, "configs/_/prod/app.yaml", "log: warn\n").await;
    let resume = [("last-event-id", &*id)];
    let mut events = node.stream(&format!("{path}?watch=true"), &resume).await;
    let missed = events.next().await.unwrap();
    assert_eq!(missed.data["inputs"].as_array().unwrap().len(), 3);
    let origins = node.get(&format!("{path}?origins=true")).await.json();
    assert_eq!(origins["value"], json!({"log": "warn", "pool": 8}));
    assert_eq!(origins["origins"][1]["config"], "users/prod/app.yaml");

    for file in [APP, "configs/_/prod/app.yaml", "configs/_/_/app.yaml"] {
        node.delete(file).await;
    }
    let last = loop {
        let event = events.next().await.unwrap();
        if event.name == "problem" {
            break event;
        }
    };
    assert_eq!(last.data["code"], "not-found");
}

#[tokio::test]
async fn the_command_line_releases_reads_and_goes_back() {
    let node = node().await;
    let file = "users/prod/app.yaml";
    let path = node.path().join("app.yaml");
    let path = path.to_str().unwrap();
    let set = async |content: &str| {
        std::fs::write(path, content).unwrap();
        run(
            &node,
            &["config", "set", file, "-f", path, "--comment", "why not"],
        )
        .await
    };
    assert_eq!(
        set("pool: 8\n").await.out,
        "config/users/prod/app.yaml version 1\n"
    );
    assert_eq!(
        set("pool: 8\n").await.out,
        "config/users/prod/app.yaml unchanged: version 1\n"
    );
    set("pool: 9\n").await;
    let got = run(&node, &["config", "get", file]).await;
    assert_eq!(got.out, "pool: 9\n");
    let diff = run(&node, &["config", "diff", file]).await;
    assert!(diff.out.contains("-pool: 8\n+pool: 9\n"), "{}", diff.out);
    let history = run(&node, &["config", "history", file]).await;
    assert!(history.out.contains("why not"), "{}", history.out);
    let back = run(&node, &["config", "rollback", file, "--to", "1"]).await;
    assert!(
        back.out.ends_with("rolled back to 1: version 3\n"),
        "{}",
        back.out
    );
    let origins = run(&node, &["config", "get", file, "--origins", "-o", "json"]).await;
    let origins: Value = serde_json::from_str(&origins.out).unwrap();
    assert_eq!(origins["value"], json!({"pool": 8}));
    let list = run(
        &node,
        &["config", "list", "users", "--env", "prod", "-o", "name"],
    )
    .await;
    assert_eq!(list.out, "users/prod/app.yaml\n");
    let bad = set("pool: [\n").await;
    assert_eq!(bad.code, 7, "{}", bad.error);
    assert!(bad.error.contains("line "), "{}", bad.error);

    let mut edit = command(&node, &["config", "edit", file]);
    edit.env("EDITOR", "sed -i s/8/10/");
    let edited = done(&mut edit).await;
    assert!(
        edited.out.ends_with("version 4\n"),
        "{} {}",
        edited.out,
        edited.error
    );
    assert_eq!(
        run(&node, &["config", "get", file, "--raw"]).await.out,
        "pool: 10\n"
    );

    // What is exported is applied elsewhere, and changes nothing here.
    let exported = run(&node, &["export", "configs"]).await.out;
    assert!(
        exported.contains("content: |\n    pool: 10\n"),
        "{exported}"
    );
    std::fs::write(path, &exported).unwrap();
    let same = run(&node, &["diff", "-f", path]).await;
    assert_eq!(same.code, 0, "{} {}", same.out, same.error);
    let applied = run(&node, &["apply", "-f", path]).await;
    assert_eq!(applied.out, "config/users/prod/app.yaml unchanged\n");
    std::fs::write(path, exported.replace("10", "11")).unwrap();
    let diff = run(&node, &["diff", "-f", path]).await;
    assert_eq!(diff.code, 9);
    assert!(diff.out.contains("+    pool: 11\n"), "{}", diff.out);
    let wrong = run(&node, &["config", "get", "users"]).await;
    assert!(
        wrong.error.contains("SERVICE/ENVIRONMENT/FILE"),
        "{}",
        wrong.error
    );
}

#[tokio::test]
async fn some_get_it_first_and_everyone_is_seen() {
    let node = node().await;
    release(&node, APP, "pool: 8\n").await;
    let file = "users/prod/app.yaml";
    let path = node.path().join("new.yaml");
    std::fs::write(&path, "pool: 9\n").unwrap();
    let path = path.to_str().unwrap();
    let start = [
        "config",
        "gray",
        "start",
        file,
        "blue",
        "-f",
        path,
        "--instance",
        "u1",
    ];
    let started = run(&node, &start).await;
    assert_eq!(
        started.out,
        "config/users/prod/app.yaml version 2: blue has begun\n"
    );
    let gets = async |id: &str| {
        run(&node, &["config", "get", file, "--instance", id])
            .await
            .out
    };
    assert_eq!(
        (gets("u1").await, gets("u2").await),
        ("pool: 9\n".into(), "pool: 8\n".into())
    );
    let listed = run(&node, &["config", "gray", "list", file]).await.out;
    assert!(listed.contains("instance u1"), "{listed}");

    let effective = format!("{APP}/effective?watch=true&instance=u1");
    let mut events = node.stream(&effective, &[]).await;
    let told = events.next().await.unwrap();
    assert_eq!(told.data["inputs"][0]["gray"], "blue");
    let report = |state: &str| json!({"tag": told.data["tag"], "state": state, "error": "no pool"});
    let listener = format!("{APP}/listeners/u1");
    let said = node.put(&listener, &report("applied").to_string()).await;
    assert_eq!(said.status, 204);
    let rows = node.get(&format!("{APP}/listeners")).await.json();
    assert_eq!(rows["items"][0]["state"], "applied");
    assert_eq!(rows["items"][0]["running"]["inputs"][0]["version"], 2);
    let table = run(&node, &["config", "listeners", file]).await.out;
    assert!(table.contains("users/prod/app.yaml@2#blue"), "{table}");
    let odd = node.put(&listener, &report("pending").to_string()).await;
    assert_eq!(odd.problem(), "400 bad-request");

    node.put(&listener, &report("failed").to_string()).await;
    let back = events.next().await.unwrap();
    assert_eq!(back.data["content"], "pool: 8\n");
    let history = run(&node, &["config", "history", file]).await.out;
    assert!(
        history.contains("could not apply it; u1: no pool"),
        "{history}"
    );

    run(&node, &start).await;
    let promoted = run(&node, &["config", "gray", "promote", file, "blue"]).await;
    assert!(
        promoted.out.ends_with("blue is everyone's\n"),
        "{} {}",
        promoted.out,
        promoted.error
    );
    assert_eq!(gets("u2").await, "pool: 9\n");
    let gone = run(&node, &["config", "gray", "abort", file, "blue"]).await;
    assert_eq!(gone.code, 3, "{}", gone.error);
    for path in [
        "effective?zone=a",
        "effective?instance=u1&label=x",
        "effective?instance=%20",
    ] {
        let refused = node.get(&format!("{APP}/{path}")).await;
        assert_eq!(refused.problem(), "400 bad-request", "{path}");
    }
}

#[tokio::test]
async fn what_staging_has_is_looked_at_and_promoted() {
    let node = node().await;
    release(&node, "configs/users/staging/app.yaml", "pool: 9\n").await;
    release(&node, "configs/users/staging/b.txt", "same").await;
    release(&node, "configs/users/prod/b.txt", "same").await;
    let first = release(&node, APP, "pool: 8\n").await;
    let etag = first.header("etag").to_owned();
    let promote = |file: &str| format!("configs/users/staging/{file}/promote");
    let body = r#"{"to": "prod", "comment": "tested"}"#;

    let tried = node
        .post(&format!("{}?dryRun=true", promote("app.yaml")), body)
        .await;
    let item = &tried.json()["items"][0];
    assert_eq!(
        (&item["outcome"], &item["from"], &item["version"]),
        (
            &json!("updated"),
            &json!("users/staging/app.yaml@1"),
            &json!(1)
        )
    );
    assert_eq!(item["readers"][0]["changes"][0]["after"], 9);
    assert!(tried.headers.get("guildhall-index").is_none());

    let shown = run(
        &node,
        &[
            "config",
            "promote",
            "users/staging",
            "--to",
            "prod",
            "--dry-run",
        ],
    )
    .await;
    for part in [
        "config/users/prod/app.yaml would change, from users/staging/app.yaml@1 (dry run)\n",
        "-pool: 8\n+pool: 9\n",
        "readers of users/prod/app.yaml: 0\n  /pool: 8 → 9\n",
        "config/users/prod/b.txt is the same already: version 1 (dry run)\n",
    ] {
        assert!(
            shown.out.contains(part),
            "{part}: {} {}",
            shown.out,
            shown.error
        );
    }

    let stale = node
        .send("POST", &promote("app.yaml"), &[("if-match", "\"1\"")], body)
        .await;
    assert_eq!(stale.problem(), "412 precondition-failed");
    let done = node
        .send(
            "POST",
            &promote("-"),
            &[],
            r#"{"to": "prod", "comment": "tested"}"#,
        )
        .await;
    assert_eq!(done.status, 200, "{done:?}");
    let outcomes: Vec<Value> = done.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["updated", "unchanged"]);
    assert_ne!(node.get(APP).await.header("etag"), etag);
    let history = node.get(&format!("{APP}/history")).await.json();
    assert_eq!(
        (
            &history["items"][0]["comment"],
            &history["items"][0]["provenance"]["promotedFrom"]
        ),
        (
            &json!("promoted from users/staging/app.yaml@1: tested"),
            &json!("users/staging/app.yaml@1")
        )
    );
    for (path, body, expect) in [
        (
            promote("app.yaml"),
            r#"{"to": "staging"}"#,
            "422 invalid-document",
        ),
        (promote("app.yaml"), "{}", "422 invalid-document"),
        (promote("none"), r#"{"to": "prod"}"#, "404 not-found"),
        (
            "configs/none/staging/-/promote".to_owned(),
            r#"{"to": "prod"}"#,
            "404 not-found",
        ),
    ] {
        assert_eq!(
            node.post(&path, body).await.problem(),
            expect,
            "{path} {body}"
        );
    }
    let odd = run(&node, &["config", "promote", "users", "--to", "prod"]).await;
    assert_eq!(odd.code, 2, "{}", odd.error);
}

#[tokio::test]
async fn what_does_not_fit_its_schema_is_refused_and_says_where() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let schema = r#"{"properties": {"pool": {"type": "integer", "minimum": 1}}}"#;
    let schema = place("app.schema.json", schema);
    let good = place("app.yaml", "# ours\npool: 8\n");
    let bad = place("bad.yaml", "# ours\npool: 0\n");
    for arguments in [
        &["config", "set", "_/_/app.schema.json", "-f", &schema][..],
        &["config", "set", "users/prod/app.yaml", "-f", &good],
        &[
            "config",
            "schema",
            "users/prod/app.yaml",
            "_/_/app.schema.json",
        ],
    ] {
        let done = run(&node, arguments).await;
        assert_eq!(done.code, 0, "{}", done.error);
    }
    let shown = run(&node, &["config", "schema", "users/prod/app.yaml"]).await;
    assert_eq!(shown.out, "_/_/app.schema.json\n");
    let arguments = ["config", "set", "users/prod/app.yaml", "-f", &bad];
    let refused = run(&node, &arguments).await;
    assert_eq!(refused.code, 7, "{}{}", refused.out, refused.error);
    for word in [
        "/pool",
        "users/prod/app.yaml@3, line 2, column 7",
        "minimum of 1",
        "_/_/app.schema.json",
    ] {
        assert!(refused.error.contains(word), "{word}: {}", refused.error);
    }
    let put = node
        .send(
            "PUT",
            &format!("{APP}/content?dryRun=true"),
            &[],
            "pool: 0\n",
        )
        .await;
    assert_eq!(put.problem(), "422 invalid-document");
    assert_eq!(put.json()["errors"][0]["pointer"], "/spec/content");
    let held = node.delete("configs/_/_/app.schema.json").await;
    assert_eq!(held.problem(), "409 conflict");
    let arguments = ["config", "schema", "users/prod/app.yaml", "--none"];
    assert_eq!(run(&node, &arguments).await.code, 0);
    assert_eq!(
        run(&node, &["config", "set", "users/prod/app.yaml", "-f", &bad])
            .await
            .code,
        0
    );
}
