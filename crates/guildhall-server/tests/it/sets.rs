//! Documents that belong to a set of files: applied, pruned, and looked at for drift.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cli::{Done, run},
    support::{Node, node},
};

const LABEL: &str = "guildhall/applied-from";

fn service(name: &str, owner: &str) -> String {
    format!("kind: Service\nmetadata: {{name: {name}}}\nspec: {{owner: {owner}}}\n")
}

fn config(name: &str, content: &str) -> String {
    format!("kind: Config\nmetadata: {{name: {name}}}\nspec: {{content: \"{content}\"}}\n")
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

async fn apply(node: &Node, folder: &Path, more: &[&str]) -> Done {
    let folder = folder.to_str().unwrap();
    let all: Vec<&str> = ["apply", "-f", folder]
        .iter()
        .chain(more)
        .copied()
        .collect();
    run(node, &all).await
}

async fn good(node: &Node, folder: &TempDir, more: &[&str]) -> String {
    let done = apply(node, folder.path(), more).await;
    assert_eq!(done.code, 0, "{more:?}: {} {}", done.out, done.error);
    done.out
}

async fn is_there(node: &Node, path: &str) -> bool {
    node.get(path).await.status == 200
}

async fn set_of(node: &Node, path: &str) -> Value {
    node.get(path).await.json()["metadata"]["labels"][LABEL].clone()
}

#[tokio::test]
async fn what_left_the_files_of_a_set_is_pruned_and_nothing_else() {
    let node = node().await;
    node.put("services/other", r#"{"spec": {}}"#).await;
    let instance =
        "kind: Instance\nmetadata: {name: u1}\nspec: {service: users, host: h, port: 1}\n";
    let shop = folder(&[
        ("users.yaml", &service("users", "shop")),
        ("carts.yaml", &service("carts", "shop")),
        ("app.yaml", &config("users/prod/app.yaml", "a: 1")),
        ("u1.yaml", instance),
    ]);
    good(&node, &shop, &["--set", "shop"]).await;
    let other = folder(&[("pay.yaml", &service("pay", "pay"))]);
    good(&node, &other, &["--set", "pay"]).await;
    assert_eq!(set_of(&node, "services/users").await, "shop");
    assert_eq!(set_of(&node, "configs/users/prod/app.yaml").await, "shop");
    assert_eq!(
        set_of(&node, "services/users/instances/u1").await,
        Value::Null
    );
    let unchanged = good(&node, &shop, &["--set", "shop"]).await;
    assert_eq!(unchanged.matches("unchanged").count(), 4, "{unchanged}");

    for gone in ["carts.yaml", "app.yaml", "u1.yaml"] {
        std::fs::remove_file(shop.path().join(gone)).unwrap();
    }
    let would = good(&node, &shop, &["--set", "shop", "--prune", "--dry-run"]).await;
    let pruned = "config/users/prod/app.yaml pruned (dry run)\nservice/carts pruned (dry run)\n";
    assert_eq!(
        would,
        format!("service/users unchanged (dry run)\n{pruned}")
    );
    assert!(is_there(&node, "services/carts").await);
    let done = good(&node, &shop, &["--set", "shop", "--prune"]).await;
    assert_eq!(
        done,
        "service/users unchanged\nconfig/users/prod/app.yaml pruned\nservice/carts pruned\n"
    );
    for (path, expect) in [
        ("services/carts", false),
        ("configs/users/prod/app.yaml", false),
        ("services/users", true),
        ("services/users/instances/u1", true),
        ("services/pay", true),
        ("services/other", true),
    ] {
        assert_eq!(is_there(&node, path).await, expect, "{path}");
    }
}

#[tokio::test]
async fn a_set_is_kept_and_taken_over_only_when_that_is_said() {
    let node = node().await;
    let shop = folder(&[("users.yaml", &service("users", "shop"))]);
    good(&node, &shop, &["--set", "shop"]).await;
    // Files say nothing of sets: applying them without one, or comparing them, leaves a document in its set.
    let compared = run(&node, &["diff", "-f", path(&shop)]).await;
    assert_eq!((compared.code, &*compared.out), (0, ""));
    std::fs::write(shop.path().join("users.yaml"), service("users", "web")).unwrap();
    assert_eq!(good(&node, &shop, &[]).await, "service/users changed\n");
    assert_eq!(set_of(&node, "services/users").await, "shop");

    let refused = apply(&node, shop.path(), &["--set", "web"]).await;
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(
        refused.error.contains("it is of the set shop") && refused.error.contains("--adopt"),
        "{refused:?}"
    );
    good(&node, &shop, &["--set", "web", "--adopt"]).await;
    assert_eq!(set_of(&node, "services/users").await, "web");
    for wrong in [&["--prune"][..], &["--set", "a,b"], &["--adopt"]] {
        assert_eq!(apply(&node, shop.path(), wrong).await.code, 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn nothing_is_pruned_after_a_failure_or_in_another_namespace() {
    let node = node().await;
    let elsewhere = "kind: Service\nmetadata: {name: far, namespace: east}\nspec: {}\n";
    let shop = folder(&[
        ("a.yaml", &service("a", "x")),
        ("b.yaml", &service("b", "x")),
        ("far.yaml", elsewhere),
    ]);
    good(&node, &shop, &["--set", "shop"]).await;
    std::fs::remove_file(shop.path().join("b.yaml")).unwrap();
    std::fs::write(shop.path().join("c.yaml"), config("c/_/c.json", "{")).unwrap();
    let failed = apply(&node, shop.path(), &["--set", "shop", "--prune"]).await;
    assert_eq!(failed.code, 7, "{failed:?}");
    assert!(failed.error.contains("nothing is pruned"), "{failed:?}");
    assert!(is_there(&node, "services/b").await);

    std::fs::remove_file(shop.path().join("c.yaml")).unwrap();
    std::fs::remove_file(shop.path().join("far.yaml")).unwrap();
    let done = good(&node, &shop, &["--set", "shop", "--prune"]).await;
    assert_eq!(done, "service/a unchanged\nservice/b pruned\n");
    let everywhere = good(&node, &shop, &["--set", "shop", "--prune", "-A"]).await;
    assert_eq!(
        everywhere,
        "service/a unchanged\nservice/far in east pruned\n"
    );
}

#[tokio::test]
async fn drift_names_who_did_what_since_when() {
    let node = node().await;
    let app = "configs/users/prod/app.yaml";
    let shop = folder(&[
        ("users.yaml", &service("users", "shop")),
        ("carts.yaml", &service("carts", "shop")),
        ("app.yaml", &config("users/prod/app.yaml", "a: 1")),
        ("gone.yaml", &config("users/prod/gone.yaml", "a: 1")),
    ]);
    good(&node, &shop, &["--set", "shop"]).await;
    let none = run(
        &node,
        &["diff", "-f", path(&shop), "--drift", "--set", "shop"],
    )
    .await;
    assert_eq!(
        (none.code, none.out.starts_with("no drift")),
        (0, true),
        "{none:?}"
    );

    for content in ["a: 2", "a: 3"] {
        let comment = [("guildhall-comment", "it burns")];
        node.send("PUT", &format!("{app}/content"), &comment, content)
            .await;
    }
    node.delete("configs/users/prod/gone.yaml").await;
    node.put("services/users", r#"{"spec": {"owner": "web"}}"#)
        .await;
    std::fs::remove_file(shop.path().join("carts.yaml")).unwrap();
    // A gray release is of the moment.
    let gray = json!({"name": "blue", "match": {"percentage": 10}, "content": "a: 4"});
    node.put(&format!("{app}/gray/blue"), &gray.to_string())
        .await;

    let drift = ["diff", "-f", path(&shop), "--drift", "--set", "shop"];
    let json: Vec<&str> = drift.iter().chain(&["-o", "json"]).copied().collect();
    let told = run(&node, &json).await;
    assert_eq!(told.code, 9, "{told:?}");
    let told: Value = serde_json::from_str(&told.out).unwrap();
    let rows: Vec<Value> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            json!([
                row["name"],
                row["state"],
                row["asOf"],
                row["version"],
                row["comment"]
            ])
        })
        .collect();
    assert_eq!(
        rows,
        [
            json!(["users/prod/app.yaml", "changed", 1, 4, "it burns"]),
            json!(["users/prod/gone.yaml", "missing", null, null, null]),
            json!(["users", "changed", null, null, null]),
            json!(["carts", "extra", null, null, null]),
        ]
    );
    for row in told["items"].as_array().unwrap() {
        assert!(
            row["by"][0].is_string() && row["since"].is_string(),
            "{row}"
        );
    }
    let table = run(&node, &drift).await;
    assert!(
        table.out.contains("version 4; the files are version 1"),
        "{}",
        table.out
    );
    // Applying the files again ends it.
    good(&node, &shop, &["--set", "shop", "--prune"]).await;
    assert_eq!(run(&node, &drift).await.code, 0);
}
