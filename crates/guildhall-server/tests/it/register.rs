//! `guildhall register`: programs that end badly, never listen, ignore signals or leave others behind.

use std::{path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Child,
    sync::mpsc,
};

use crate::{
    cli::{command, command_at, done},
    support::{Node, node, until},
};

/// `guildhall register` for the service `web` at a port where nobody listens, without waiting for that.
const WEB: [&str; 9] = [
    "register",
    "--service",
    "web",
    "--port",
    "1",
    "--id",
    "w1",
    "--wait",
    "0s",
];

fn arguments<'a>(more: &[&'a str], script: &'a str) -> Vec<&'a str> {
    [&WEB[..], more, &["--", "sh", "-c", script]].concat()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap()
}

/// The process id that a script wrote to `file`.
async fn written(file: &Path) -> Pid {
    until("a process id", async || {
        let text = std::fs::read_to_string(file).ok()?;
        Pid::from_raw(text.strip_suffix('\n')?.parse().ok()?)
    })
    .await
}

async fn registered(node: &Node) {
    until("the instance", async || {
        (node.get("services/web/instances/w1").await.status == 200).then_some(())
    })
    .await;
}

async fn deregistered(node: &Node) {
    until("the deregistration", async || {
        (node.get("services/web/instances/w1").await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_before_anything_runs() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let ran = folder.path().join("ran");
    let script = format!("touch {}", ran.display());
    for (name, port, words) in [
        ("Bad_name", "1", "lower-case letters"),
        ("a/b", "1", "no name for a service"),
        ("web", "0", "1..=65535"),
        ("web", "70000", "1..=65535"),
    ] {
        let line = [
            "register",
            "--service",
            name,
            "--port",
            port,
            "--",
            "sh",
            "-c",
            &script,
        ];
        let refused = done(&mut command(&node, &line)).await;
        assert_eq!(refused.code, 2, "{name} {port}: {refused:?}");
        assert!(refused.error.contains(words), "{name} {port}: {refused:?}");
        assert!(!ran.exists(), "{name} {port}: the program ran");
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn a_program_that_dies_before_it_listens_is_never_registered() {
    let node = node().await;
    let line = [
        "register",
        "--service",
        "web",
        "--port",
        "1",
        "--id",
        "w1",
        "--",
        "sh",
        "-c",
        "exit 3",
    ];
    let ended = done(&mut command(&node, &line)).await;
    assert_eq!((ended.code, &*ended.error), (3, ""), "{ended:?}");
    assert_eq!(node.get("services/web").await.problem(), "404 not-found");
    node.platform.stop().await;
}

#[tokio::test]
async fn a_program_that_ends_by_itself_leaves_the_registry() {
    let node = node().await;
    let go = tempfile::tempdir().unwrap();
    let script = format!(
        "while [ ! -e {}/go ]; do sleep 0.01; done; kill -SEGV $$",
        go.path().display()
    );
    let mut child = command(&node, &arguments(&[], &script)).spawn().unwrap();
    registered(&node).await;
    std::fs::write(go.path().join("go"), "").unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(128 + 11));
    assert_eq!(
        node.get("services/web/instances/w1").await.problem(),
        "404 not-found"
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn a_program_that_ignores_signals_is_out_of_the_registry_and_waited_for() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!(
        "trap '' TERM; echo $$ > {}; while :; do sleep 0.05; done",
        file.display()
    );
    let mut child = command(&node, &arguments(&["--drain", "0s"], &script))
        .spawn()
        .unwrap();
    registered(&node).await;
    let program = written(&file).await;
    kill_process(pid(&child), Signal::TERM).unwrap();
    deregistered(&node).await;
    assert!(child.try_wait().unwrap().is_none(), "it does not give up");
    kill_process(program, Signal::KILL).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(128 + 9));
    node.platform.stop().await;
}

#[tokio::test]
async fn what_a_shell_leaves_behind_gets_the_signal_too() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    // A shell that gets a signal ends without passing it on.
    let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
    let mut child = command(&node, &arguments(&["--drain", "0s"], &script))
        .spawn()
        .unwrap();
    registered(&node).await;
    let left = written(&file).await;
    kill_process(pid(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(128 + 15));
    until("the end of what was left behind", async || {
        gone(left).then_some(())
    })
    .await;
    node.platform.stop().await;
}

/// Whether a process has ended; one that nobody has waited for yet counts.
fn gone(process: Pid) -> bool {
    let stat = format!("/proc/{}/stat", process.as_raw_nonzero());
    test_kill_process(process).is_err()
        || std::fs::read_to_string(stat).is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn after_a_kill_of_the_command_its_ttl_runs_out_and_the_next_one_takes_over() {
    let node = node().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 1000", file.display());
    let more = ["--check", "ttl:100ms", "--deregister-after", "1h"];
    let mut child = command(&node, &arguments(&more, &script)).spawn().unwrap();
    registered(&node).await;
    let orphan = written(&file).await;
    child.kill().await.unwrap();
    until("an unhealthy instance", async || {
        let read = node.get("services/web/instances/w1").await;
        (read.json()["status"]["health"] == "unhealthy").then_some(())
    })
    .await;
    assert!(!gone(orphan), "the program is left alone");
    kill_process(orphan, Signal::KILL).unwrap();
    let mut child = command(&node, &arguments(&more, "exec sleep 1000"))
        .spawn()
        .unwrap();
    until("a healthy instance", async || {
        let read = node.get("services/web/instances/w1").await;
        (read.json()["status"]["health"] == "healthy").then_some(())
    })
    .await;
    kill_process(pid(&child), Signal::TERM).unwrap();
    child.wait().await.unwrap();
    node.platform.stop().await;
}

#[tokio::test]
async fn a_platform_that_was_never_reached_is_not_told_goodbye() {
    let line = arguments(&[], "sleep 0.2");
    let ended = done(&mut command_at("http://127.0.0.1:1", &line)).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.error.contains("trying again until it works"),
        "{ended:?}"
    );
    assert!(!ended.error.contains("deregistered"), "{ended:?}");
}

/// Reads the head of a request and its body; its method.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    let mut byte = [0];
    while !text.ends_with("\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        text.push(byte[0].into());
    }
    let length = text.to_lowercase();
    let length = length
        .split_once("content-length: ")
        .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    Some(text.split(' ').next()?.to_owned())
}

async fn answer(stream: &mut TcpStream, status: &str, body: &serde_json::Value) {
    let body = body.to_string();
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_knows_nothing_of_registrations_is_asked_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut methods = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let Some(method) = request(&mut stream).await else {
                continue;
            };
            methods.push(method.clone());
            let problem = json!({"type": "/docs/errors/not-found", "title": "x", "status": 404, "code": "not-found", "detail": "no"});
            answer(&mut stream, "404 Not Found", &problem).await;
            if method == "DELETE" {
                return methods;
            }
        }
    });
    let ended = done(&mut command_at(&url, &arguments(&[], "sleep 1000"))).await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.error.contains("the program was ended"), "{ended:?}");
    served.abort();
}

#[tokio::test]
async fn a_deregistration_does_not_overtake_the_registration() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (told, mut methods) = mpsc::unbounded_channel();
    let (release, mut released) = mpsc::channel::<()>(1);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let Some(method) = request(&mut stream).await else {
                continue;
            };
            told.send(method.clone()).unwrap();
            if method == "PUT" {
                released.recv().await;
            }
            let problem = json!({"type": "/docs/errors/not-ready", "title": "x", "status": 503, "code": "not-ready", "detail": "no"});
            answer(&mut stream, "503 Service Unavailable", &problem).await;
        }
    });
    let mut child = command_at(&url, &arguments(&["--drain", "0s"], "exec sleep 1000"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(methods.recv().await.unwrap(), "PUT");
    kill_process(pid(&child), Signal::TERM).unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), methods.recv()).await;
    assert!(
        early.is_err(),
        "{early:?} came before the registration was answered"
    );
    release.send(()).await.unwrap();
    assert_eq!(methods.recv().await.unwrap(), "DELETE");
    child.wait().await.unwrap();
}
