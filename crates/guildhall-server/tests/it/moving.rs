//! Configuration that moves: exported, imported, taken over from other systems.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    cli::{Done, run},
    support::{Node, node},
};

async fn config(node: &Node, arguments: &[&str]) -> Done {
    let all: Vec<&str> = ["config"].iter().chain(arguments).copied().collect();
    run(node, &all).await
}

async fn release(node: &Node, name: &str, content: &str) {
    let path = format!("configs/{name}/content");
    let answer = node.send("PUT", &path, &[], content).await;
    assert!(answer.status.is_success(), "{answer:?}");
}

async fn good(node: &Node, arguments: &[&str]) -> Done {
    let done = config(node, arguments).await;
    assert_eq!(done.code, 0, "{arguments:?}: {} {}", done.out, done.error);
    done
}

/// What became of the files of an import, as JSON tells it.
async fn outcomes(node: &Node, arguments: &[&str]) -> Vec<(String, String)> {
    let all: Vec<&str> = ["import"]
        .iter()
        .chain(arguments)
        .chain(&["-o", "json"])
        .copied()
        .collect();
    let done = config(node, &all).await;
    let told: Value = serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{done:?}"));
    let row = |row: &Value| {
        let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        (word("file"), word("outcome"))
    };
    told["items"].as_array().unwrap().iter().map(row).collect()
}

/// All files of a node as they were written, with what their documents say.
async fn everything(node: &Node) -> Vec<Value> {
    let list = node.get("configs").await.json();
    let mut all = Vec::new();
    for document in list["items"].as_array().unwrap() {
        let (metadata, spec) = (&document["metadata"], &document["spec"]);
        all.push(json!({
            "name": metadata["name"], "labels": metadata["labels"], "annotations": metadata["annotations"],
            "spec": spec,
        }));
    }
    all
}

fn zip(folder: &Path, name: &str, files: &[(&str, &str)]) -> String {
    let path = folder.join(name);
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (entry, content) in files {
        archive
            .start_file(*entry, zip::write::SimpleFileOptions::default())
            .unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    path.display().to_string()
}

fn shown(path: PathBuf) -> String {
    path.display().to_string()
}

#[tokio::test]
async fn what_is_exported_makes_the_same_documents_elsewhere() {
    let (here, there) = (node().await, node().await);
    release(&here, "users/prod/app.yaml", "# ours\npool: 8\n").await;
    release(&here, "_/_/app.yaml", "pool: 1\n").await;
    release(&here, "Users/_/a:b", "odd\r\nlines").await;
    release(&here, "users/_/.env", "A=1\n").await;
    let settings = json!({
        "kind": "Config", "metadata": {"name": "users/prod/settings", "labels": {"team": "shop"}},
        "spec": {"format": "yaml", "content": "a: 1\n"},
    });
    here.put("configs/users/prod/settings", &settings.to_string())
        .await;
    let raw = json!({
        "kind": "Config", "metadata": {"name": "users/prod/raw", "annotations": {"by": "hand"}},
        "spec": {"contentBase64": "/wA="},
    });
    here.put("configs/users/prod/raw", &raw.to_string()).await;

    let folder = tempfile::tempdir().unwrap();
    let bundle = shown(folder.path().join("configs"));
    let archive = shown(folder.path().join("configs.zip"));
    let exported = good(&here, &["export", "--to", &bundle]).await;
    assert_eq!(exported.out, format!("6 files are in {bundle}\n"));
    good(&here, &["export", "--to", &archive]).await;
    let read = |path: &str| std::fs::read_to_string(Path::new(&bundle).join(path)).unwrap();
    assert_eq!(read("users/prod/app.yaml"), "# ours\npool: 8\n");
    assert_eq!(read("%55sers/_/a%3Ab"), "odd\r\nlines");
    assert_eq!(read("users/_/%2Eenv"), "A=1\n");
    let index: Value = serde_json::from_str(&read("guildhall.json")).unwrap();
    assert_eq!(
        index["files"],
        json!({
            "users/prod/settings": {"labels": {"team": "shop"}, "spec": {"format": "yaml"}},
            "users/prod/raw": {"annotations": {"by": "hand"}},
        })
    );

    // Nothing is written by a dry run; the archive and the folder say the same.
    let created = vec!["created"; 6];
    let words = |rows: &[(String, String)]| -> Vec<String> {
        rows.iter().map(|row| row.1.clone()).collect()
    };
    assert_eq!(
        words(&outcomes(&there, &[&archive, "--dry-run"]).await),
        created
    );
    assert!(everything(&there).await.is_empty());
    assert_eq!(words(&outcomes(&there, &[&archive]).await), created);
    assert_eq!(everything(&there).await, everything(&here).await);
    assert_eq!(
        words(&outcomes(&there, &[&bundle]).await),
        vec!["unchanged"; 6]
    );

    // An export into the same folder again is one that replaces; into another one, none.
    std::fs::write(Path::new(&bundle).join("users/prod/stale.yaml"), "").unwrap();
    let again = good(&here, &["export", "--to", &bundle]).await;
    assert!(
        again.error.contains("users/prod/stale.yaml"),
        "{}",
        again.error
    );
    let other = config(&here, &["export", "--to", &shown(folder.path().to_owned())]).await;
    assert_eq!(other.code, 2, "{other:?}");
    let some = shown(folder.path().join("some"));
    let one = good(&here, &["export", "users/_", "_", "--to", &some]).await;
    assert_eq!(one.out, format!("2 files are in {some}\n"));
    assert_eq!(
        config(&here, &["export", "nobody", "--to", &some])
            .await
            .code,
        3
    );
}

#[tokio::test]
async fn an_import_changes_what_the_index_says_and_leaves_gray_releases_alone() {
    let node = node().await;
    release(&node, "users/prod/app.yaml", "pool: 8\n").await;
    let gray = json!({"name": "blue", "match": {"percentage": 10}, "content": "pool: 9\n"});
    let started = node
        .put("configs/users/prod/app.yaml/gray/blue", &gray.to_string())
        .await;
    assert!(started.status.is_success(), "{started:?}");
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let bundle = shown(folder.path().to_owned());
    good(&node, &["export", "--to", &bundle]).await;

    let index = json!({"kind": "ConfigBundle", "files": {"users/prod/app.yaml": {"labels": {"team": "shop"}}}});
    std::fs::write(at("guildhall.json"), index.to_string()).unwrap();
    let changed = good(&node, &["import", &bundle, "--diff"]).await;
    assert!(
        changed.out.contains("+    team: shop\n") && changed.out.contains("1 changed\n"),
        "{}",
        changed.out
    );
    std::fs::write(at("users/prod/app.yaml"), "pool: 10\n").unwrap();
    let changed = good(&node, &["import", &bundle, "--diff"]).await;
    assert!(
        changed.out.contains("-pool: 8\n+pool: 10\n"),
        "{}",
        changed.out
    );
    let document = node.get("configs/users/prod/app.yaml").await.json();
    assert_eq!(document["metadata"]["labels"], json!({"team": "shop"}));
    assert_eq!(document["spec"]["gray"][0]["name"], "blue");

    // A folder without an index says nothing of labels.
    std::fs::remove_file(at("guildhall.json")).unwrap();
    let same = good(&node, &["import", &bundle]).await;
    assert!(same.out.ends_with("1 unchanged\n"), "{}", same.out);
    let mapped = good(
        &node,
        &[
            "import",
            &bundle,
            "--environment",
            "prod=test",
            "--service",
            "users=_",
        ],
    )
    .await;
    assert!(mapped.out.contains("_/test/app.yaml"), "{}", mapped.out);
}

const METADATA: &str = "\
metadata:
- {dataId: users-prod.yaml, group: DEFAULT_GROUP, type: yaml, appName: ''}
- {dataId: users.yaml, group: DEFAULT_GROUP, type: yaml}
- {dataId: broken.json, group: DEFAULT_GROUP, type: json}
";

#[tokio::test]
async fn an_export_of_nacos_is_taken_over() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let path = zip(
        folder.path(),
        "nacos_config_export.zip",
        &[
            ("DEFAULT_GROUP/users-prod.yaml", "pool: 8\n"),
            ("DEFAULT_GROUP/users.yaml", "pool: 2\n"),
            ("DEFAULT_GROUP/broken.json", "{"),
            (".metadata.yml", METADATA),
            ("a/b/c", ""),
        ],
    );
    let row = |file: &str, outcome: &str| (file.to_owned(), outcome.to_owned());
    let expect = [
        row("broken/_/application.json", "refused"),
        row("users/_/application.yaml", "created"),
        row("users/prod/application.yaml", "created"),
        row("", "skipped"),
    ];
    assert_eq!(outcomes(&node, &[&path, "--dry-run"]).await, expect);
    assert!(everything(&node).await.is_empty());

    // What is refused does not stop the others, and the exit code says that there was something.
    let done = config(&node, &["import", &path]).await;
    assert_eq!(done.code, 7, "{done:?}");
    assert!(
        done.error
            .contains("is taken for an export of nacos: it has Nacos' metadata"),
        "{}",
        done.error
    );
    assert!(
        done.out.contains("line 1") && done.out.contains("2 created, 1 skipped, 1 refused\n"),
        "{}",
        done.out
    );
    let history = node
        .get("configs/users/prod/application.yaml/history")
        .await
        .json();
    assert_eq!(
        history["items"][0]["comment"],
        "imported from nacos: DEFAULT_GROUP/users-prod.yaml"
    );
    let only = good(&node, &["import", &path, "--only", "users"]).await;
    assert!(only.out.contains("2 unchanged"), "{}", only.out);
    let plain = outcomes(
        &node,
        &[
            &path,
            "--naming",
            "plain",
            "--only",
            "_/_/users.yaml",
            "--dry-run",
        ],
    )
    .await;
    assert_eq!(
        plain,
        [row("_/_/users.yaml", "created"), row("", "skipped")]
    );
}

#[tokio::test]
async fn exports_of_apollo_and_consul_are_taken_over() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let items = r#"[{"id": 0, "key": "pool.size", "value": "8", "comment": "", "lineNum": 1}]"#;
    let apollo = zip(
        folder.path(),
        "apollo.zip",
        &[("users/PRO/users+default+application.properties", items)],
    );
    good(&node, &["import", &apollo, "--environment", "PRO=prod"]).await;
    let read = node
        .get("configs/users/prod/application.properties/content")
        .await;
    assert_eq!(&*read.body, b"pool.size=8\n");

    let kv = folder.path().join("kv.json");
    let pairs = json!([
        {"key": "config/", "flags": 0, "value": ""},
        {"key": "config/carts,prod/data", "flags": 0, "value": "YTogMQo="},
    ]);
    std::fs::write(&kv, pairs.to_string()).unwrap();
    let taken = good(&node, &["import", &shown(kv.clone())]).await;
    assert!(taken.error.contains("export of consul"), "{}", taken.error);
    assert!(
        taken.out.contains("1 created, 1 skipped\n"),
        "{}",
        taken.out
    );
    let read = node
        .get("configs/carts/prod/application.yaml/content")
        .await;
    assert_eq!(&*read.body, b"a: 1\n");
    let wrong = config(&node, &["import", &shown(kv), "--from", "apollo"]).await;
    assert_eq!(
        (wrong.code, wrong.out.contains("1 skipped")),
        (0, true),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_trusted_or_told_is_not_imported() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let outside = zip(
        folder.path(),
        "outside.zip",
        &[("../users/prod/app.yaml", "a: 1")],
    );
    let notes = zip(folder.path(), "notes.zip", &[("notes.txt", "x")]);
    let twice = zip(
        folder.path(),
        "twice.zip",
        &[("A_GROUP/a.yaml", ""), ("B_GROUP/a.yaml", "")],
    );
    for (path, word) in [
        (&*outside, "leads out of the archive"),
        (&*notes, "nothing in it tells where it comes from"),
        (&*twice, "both come to a/_/application.yaml"),
        ("/nowhere", "cannot be read"),
    ] {
        let refused = config(&node, &["import", path]).await;
        assert!(
            refused.code != 0 && refused.error.contains(word),
            "{refused:?}"
        );
    }
    assert!(everything(&node).await.is_empty());
}
