//! The command line against a running node: what is printed, and the exit codes that scripts rely on.

use std::{path::Path, process::Stdio};

use tokio::{io::AsyncBufReadExt, process::Command, time::timeout};

use crate::support::{Node, PATIENCE, node, until};

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) error: String,
}

pub(crate) fn command(node: &Node, arguments: &[&str]) -> Command {
    command_at(&node.url(), arguments)
}

/// The command line, talking to the server at `url`.
pub(crate) fn command_at(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guildhall"));
    command
        .args(arguments)
        .env("GUILDHALL_SERVER", url)
        .env_remove("GUILDHALL_TOKEN")
        .stdin(Stdio::null());
    command.kill_on_drop(true);
    command
}

pub(crate) async fn run(node: &Node, arguments: &[&str]) -> Done {
    done(&mut command(node, arguments)).await
}

/// Runs a command to its end.
pub(crate) async fn done(command: &mut Command) -> Done {
    let done = timeout(PATIENCE, command.output());
    let done = done.await.expect("the command does not end").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done {
        code: done.status.code().unwrap(),
        out: text(done.stdout),
        error: text(done.stderr),
    }
}

async fn check(node: &Node, line: &str, code: i32, out: &str) {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let done = run(node, &arguments).await;
    assert_eq!(
        (done.code, &*done.out),
        (code, out),
        "guildhall {line}: {}",
        done.error
    );
}

const SHOP: &str = "\
kind: Service
metadata: {name: users, labels: {team: shop}}
spec: {description: Keeps the users}
---
kind: Service
metadata: {name: orders}
spec: {version: '1.0', dependencies: [users]}
---
kind: Instance
metadata: {name: u1}
spec: {service: users, host: 127.0.0.1, port: 3001, zone: a}
";

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn documents_are_applied_compared_exported_and_deleted() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let shop = write(folder.path(), "shop.yaml", SHOP);
    write(folder.path(), "notes.txt", "not a document");
    let all = |words: &str| {
        format!("service/users {words}\nservice/orders {words}\ninstance/users/u1 {words}\n")
    };
    let diff = run(&node, &["diff", "-f", &shop]).await;
    assert_eq!(diff.code, 9, "{diff:?}");
    assert!(
        diff.out.contains("+++ serviceversion/orders/1.0 (file)\n")
            && diff.out.contains("+  description: Keeps the users\n")
    );
    check(
        &node,
        &format!("apply -f {shop} --dry-run"),
        0,
        &all("created (dry run)"),
    )
    .await;
    check(
        &node,
        &format!("apply -f {}", folder.path().display()),
        0,
        &all("created"),
    )
    .await;
    check(&node, &format!("apply -f {shop}"), 0, &all("unchanged")).await;
    check(&node, &format!("diff -f {shop}"), 0, "").await;
    check(&node, "services -o name", 0, "orders\nusers\n").await;
    check(&node, "get services -l team=shop -o name", 0, "users\n").await;
    check(&node, "graph", 0, "orders  0/0\n└─ users  1/1\n").await;
    check(
        &node,
        "impact users",
        0,
        "SERVICE  THEN    BECAUSE\norders   breaks  orders → users\n",
    )
    .await;
    check(&node, "get instance/users/u1 -o name", 0, "users/u1\n").await;

    // What is exported is what can be applied elsewhere; what is read as YAML, too.
    let exported = run(&node, &["export"]).await;
    assert_eq!(
        exported.out.matches("kind: ").count(),
        3,
        "{}",
        exported.out
    );
    assert!(
        !exported.out.contains("revision") && !exported.out.contains("status"),
        "{}",
        exported.out
    );
    let read = run(&node, &["get", "instances", "-o", "yaml"]).await;
    let again = write(
        folder.path(),
        "again.yaml",
        &format!("{}---\n{}", exported.out, read.out),
    );
    check(&node, &format!("diff -f {again}"), 0, "").await;

    let changed = write(folder.path(), "shop.yaml", &SHOP.replace("Keeps", "Guards"));
    let applied = run(&node, &["apply", "-f", &changed, "--diff"]).await;
    assert!(
        applied
            .out
            .contains("-  description: Keeps the users\n+  description: Guards the users\n"),
        "{}",
        applied.out
    );
    let deleted = run(&node, &["delete", "-f", &shop]).await;
    assert_eq!(
        (deleted.code, deleted.out.lines().count()),
        (0, 4),
        "{deleted:?}"
    );
    check(
        &node,
        "services",
        0,
        "no services; register an instance (guildhall register), or apply a Service\n",
    )
    .await;
    node.platform.stop().await;
}

#[tokio::test]
async fn exit_codes_say_what_kind_of_failure_it_was() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let bad = write(
        folder.path(),
        "bad.yaml",
        "kind: Service\nmetadata: {name: a}\nspec: {ownr: me}",
    );
    run(&node, &["lock", "acquire", "l", "--owner", "other"]).await;
    for (line, code, words) in [
        ("status", 0, ""),
        ("get service nobody", 3, "does not exist"),
        ("delete service nobody", 3, "does not exist"),
        ("delete service nobody --if-exists", 0, ""),
        ("impact nobody", 3, "does not exist"),
        ("lock acquire l", 4, "held by other"),
        ("lock release l 1", 4, "not held"),
        ("get teapots", 2, "the kinds are services"),
        ("get", 2, "Usage"),
        ("teapot", 2, "unrecognized subcommand"),
        ("services -o dot", 2, "guildhall graph -o dot"),
        ("instances A/B", 2, "is no service"),
        ("services -n A_B", 2, "is no namespace"),
        ("--server nowhere status", 2, "http://127.0.0.1:7420"),
        ("--server http://127.0.0.1:1 status", 6, "guildhall server"),
        ("apply -f /nowhere.yaml", 1, "cannot be read"),
        (&format!("apply -f {bad}"), 7, "did you mean \"owner\"?"),
        ("snapshot restore /nowhere", 1, "No such file"),
        ("help exit-codes", 0, ""),
    ] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let done = run(&node, &arguments).await;
        assert_eq!(done.code, code, "guildhall {line}: {done:?}");
        assert!(
            done.error.contains(words),
            "guildhall {line}: {:?} lacks {words:?}",
            done.error
        );
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn tables_are_for_people_and_json_is_for_programs() {
    let node = node().await;
    node.register("users", "u1", r#", "zone": "a", "tags": ["x"]"#)
        .await;
    node.register(
        "users",
        "u2",
        r#", "checks": [{"type": "ttl", "ttl": "60s", "initialStatus": "critical"}]"#,
    )
    .await;
    let table = run(&node, &["instances", "users"]).await;
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(
        lines[0].starts_with("ID  HEALTH")
            && lines[1].contains("healthy")
            && lines[2].contains("unhealthy"),
        "{table:?}"
    );
    assert!(!table.out.contains('\u{1b}'), "no colours for programs");
    let json = run(&node, &["instances", "users", "--healthy", "-o", "json"]).await;
    let found: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(found["instances"].as_array().unwrap().len(), 1);
    let filtered = run(
        &node,
        &[
            "instances",
            "users",
            "--zone",
            "a",
            "--tag",
            "x",
            "-o",
            "name",
        ],
    )
    .await;
    assert_eq!(filtered.out, "u1\n");
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            run(&node, &["completions", shell])
                .await
                .out
                .contains("guildhall"),
            "{shell}"
        );
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn a_watch_prints_changes_as_they_happen() {
    let node = node().await;
    node.register("users", "u1", "").await;
    let mut watch = command(&node, &["watch", "instances"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(watch.stdout.take().unwrap()).lines();
    assert_eq!(
        lines.next_line().await.unwrap().unwrap(),
        "added     instance/users/u1  healthy at 127.0.0.1:1000"
    );
    node.delete("services/users/instances/u1").await;
    assert_eq!(
        lines.next_line().await.unwrap().unwrap(),
        "deleted   instance/users/u1"
    );
    watch.kill().await.unwrap();
    node.platform.stop().await;
}

#[tokio::test]
async fn a_program_runs_while_a_lock_is_held() {
    let node = node().await;
    let held = run(
        &node,
        &[
            "lock",
            "run",
            "job",
            "--",
            "sh",
            "-c",
            "test -n \"$GUILDHALL_LOCK_TOKEN\" && exit 7",
        ],
    )
    .await;
    assert_eq!(held.code, 7, "{held:?}");
    let free = run(&node, &["lock", "acquire", "job", "-o", "name"]).await;
    assert_eq!(free.code, 0, "the lock was let go: {free:?}");
    let token = free.out.trim();
    assert_eq!(run(&node, &["lock", "renew", "job", token]).await.code, 0);
    assert_eq!(
        run(&node, &["lock", "run", "job", "--wait", "0s", "--", "true"])
            .await
            .code,
        4
    );
    assert_eq!(run(&node, &["lock", "release", "job", token]).await.code, 0);
    node.platform.stop().await;
}

#[tokio::test]
async fn any_program_is_an_instance_while_it_runs() {
    let node = node().await;
    let mut child = command(
        &node,
        &[
            "register",
            "--service",
            "web",
            "--port",
            "8000",
            "--id",
            "w1",
            "--tag",
            "x",
            "--drain",
            "0s",
            "--",
            "sh",
            "-c",
            "trap 'exit 5' TERM; while :; do sleep 0.01; done",
        ],
    )
    .spawn()
    .unwrap();
    until("the instance", async || {
        let read = node.get("services/web/instances/w1").await;
        (read.status == 200 && read.json()["status"]["health"] == "healthy").then_some(())
    })
    .await;
    // A platform that forgets it is told again.
    node.delete("services/web/instances/w1").await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(
        child.wait().await.unwrap().code(),
        Some(5),
        "the program's own exit code"
    );
    let gone = node.get("services/web/instances/w1").await;
    assert_eq!(gone.problem(), "404 not-found");
    let missing = run(
        &node,
        &[
            "register",
            "--service",
            "web",
            "--port",
            "1",
            "--",
            "/no/such/program",
        ],
    )
    .await;
    assert_eq!(missing.code, 1);
    assert!(missing.error.contains("/no/such/program"), "{missing:?}");
    node.platform.stop().await;
}
