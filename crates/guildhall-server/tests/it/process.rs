//! The server as a process: signals, a kill at any moment, a damaged store and the way back.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use crate::{
    cli::{command_at, done},
    support::{Answer, Events, PATIENCE, events, now, send, until},
};

/// A node in a process of its own; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Kept open, so that the node can write on.
    _lines: Lines<BufReader<ChildStderr>>,
    pub(crate) api: String,
    /// Where it takes traffic, if it is a gateway.
    pub(crate) gateway: Option<String>,
}

impl Process {
    /// Starts a control node and waits until it is ready.
    pub(crate) async fn start(data_dir: &Path, more: &[&str]) -> Self {
        Self::of(server(data_dir, more)).await
    }

    /// Starts a gateway node that gets its documents from `control`.
    pub(crate) async fn gateway(data_dir: &Path, control: &str) -> Self {
        let more = ["--gateway-listen", "127.0.0.1:0", "--control", control];
        let mut command = node("gateway", data_dir, &more);
        command.args(["--set", "gateway.workers=1"]);
        Self::of(command).await
    }

    async fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (api, gateway) = loop {
            let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
            let line = line.expect("it ended before it was ready");
            if let Some((_, rest)) = line.split_once("ready api=") {
                let api = rest.split(' ').next().unwrap().to_owned();
                let gateway = rest
                    .split(' ')
                    .find_map(|word| word.strip_prefix("gateway="));
                break (api, gateway.map(str::to_owned));
            }
        };
        Self {
            child,
            _lines: lines,
            api,
            gateway,
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Ends it without a word, as a power cut does.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(self.api.parse().unwrap(), method, path, headers, body).await
    }

    async fn put(&self, path: &str, body: &str) -> Answer {
        self.send("PUT", path, &[], body).await
    }

    async fn ended(mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }

    async fn stop(self) {
        self.signal(Signal::TERM);
        assert_eq!(self.ended().await.code(), Some(0));
    }
}

fn server(data_dir: &Path, more: &[&str]) -> Command {
    node("control", data_dir, more)
}

fn node(role: &str, data_dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guildhall"));
    command
        .args([
            "server",
            "--role",
            role,
            "--api-listen",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .arg(data_dir)
        .args(more)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

#[tokio::test]
async fn a_hangup_reads_the_tokens_again_and_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    let write = |token: &str| {
        let text =
            format!("[[tokens]]\nname = \"root\"\ntoken = \"{token}\"\nscopes = [\"admin\"]\n");
        std::fs::write(&file, text).unwrap();
    };
    write("before-before");
    let flags = [
        "--token-file",
        file.to_str().unwrap(),
        "--set",
        "auth.reload=1h",
    ];
    let node = Process::start(&folder.path().join("data"), &flags).await;
    let ask = async |token: &str| {
        let header = format!("Bearer {token}");
        node.send("GET", "services", &[("authorization", &header)], "")
            .await
            .status
    };
    assert_eq!(ask("before-before").await, 200);
    write("after-after");
    assert_eq!(ask("after-after").await, 401, "it is not due for an hour");
    node.signal(Signal::HUP);
    until("the new token", async || {
        (ask("after-after").await == 200).then_some(())
    })
    .await;
    assert_eq!(ask("before-before").await, 401);
    node.stop().await;
}

#[tokio::test]
async fn a_stop_ends_watches_and_polls_and_cuts_what_never_ends() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::start(folder.path(), &["--set", "server.shutdown_timeout=500ms"]).await;
    let written = node.put("services/a", r#"{"spec": {}}"#).await;
    let index = written.header("guildhall-index");
    let path = format!("watch?kinds=services&minIndex={index}");
    let mut watch: Events = events(node.api.parse().unwrap(), &path).await;
    assert_eq!(watch.shorts(2).await, ["added a", "bookmark"]);
    let list = node.send("GET", "services", &[], "").await;
    let poll = format!("services?wait=60s&index={}", list.header("guildhall-index"));
    let api = node.api.parse().unwrap();
    let poll = tokio::spawn(async move { send(api, "GET", &poll, &[], "").await });
    // A request whose body never comes keeps the node only until the deadline.
    let mut half = TcpStream::connect(&node.api).await.unwrap();
    half.write_all(
        b"PUT /api/v1/services/b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n{",
    )
    .await
    .unwrap();
    let begun = now();
    node.signal(Signal::TERM);
    assert_eq!(node.ended().await.code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(watch.next().await, None);
    assert_eq!(
        half.read(&mut [0; 64]).await.unwrap_or(0),
        0,
        "it was not answered"
    );
    // A poll is answered, or its connection ended; it does not hang.
    let _ = timeout(PATIENCE, poll).await.unwrap();
}

#[tokio::test]
async fn a_stop_while_starting_is_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = server(folder.path(), &[])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    // The data directory is made after the signals were taken.
    until("the start", async || {
        folder.path().join("node.lock").exists().then_some(())
    })
    .await;
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(
        timeout(PATIENCE, child.wait())
            .await
            .unwrap()
            .unwrap()
            .code(),
        Some(0)
    );
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = None;
    for cycle in 0..5_u64 {
        let node = Process::start(folder.path(), &[]).await;
        if let Some(last) = last {
            let read = node.send("GET", "services/a", &[], "").await.json();
            let owner: u64 = read["spec"]["owner"].as_str().unwrap().parse().unwrap();
            assert!(owner >= last, "{owner} is there, {last} was acknowledged");
        }
        let api: std::net::SocketAddr = node.api.parse().unwrap();
        let (acknowledged, mut writes) = tokio::sync::mpsc::unbounded_channel();
        let from = last.map_or(0, |last| last + 1);
        let writer = tokio::spawn(async move {
            for number in from.. {
                let body = format!(r#"{{"spec": {{"owner": "{number}"}}}}"#);
                // The kill ends it.
                let answer =
                    tokio::spawn(async move { send(api, "PUT", "services/a", &[], &body).await });
                match answer.await {
                    Ok(answer) if answer.status.is_success() => acknowledged.send(number).unwrap(),
                    _ => return,
                }
            }
        });
        for _ in 0..(3 + 7 * cycle) {
            last = Some(timeout(PATIENCE, writes.recv()).await.unwrap().unwrap());
        }
        node.signal(Signal::KILL);
        node.ended().await;
        writer.await.unwrap();
        while let Ok(number) = writes.try_recv() {
            last = Some(number);
        }
    }
}

/// The largest file of the store's log.
fn log(data_dir: &Path) -> PathBuf {
    let files = std::fs::read_dir(data_dir.join("store/log")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap()
}

#[tokio::test]
async fn a_damaged_store_names_the_damage_and_comes_back_from_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, snapshot) = (
        folder.path().join("data"),
        folder.path().join("s.guildhall"),
    );
    let node = Process::start(&data_dir, &[]).await;
    let url = format!("http://{}", node.api);
    for number in 0..20 {
        let answer = node
            .put(&format!("services/s{number}"), r#"{"spec": {}}"#)
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let saved = done(&mut command_at(
        &url,
        &["snapshot", "save", snapshot.to_str().unwrap()],
    ))
    .await;
    assert_eq!(saved.code, 0, "{saved:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&snapshot.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "a snapshot holds secrets");
    let restore = [
        "snapshot",
        "restore",
        snapshot.to_str().unwrap(),
        "--data-dir",
        data_dir.to_str().unwrap(),
    ];
    let refused = done(&mut command_at("http://127.0.0.1:1", &restore)).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.error.contains("in use by another node"),
        "{refused:?}"
    );
    node.stop().await;

    let file = log(&data_dir);
    let mut bytes = std::fs::read(&file).unwrap();
    // Segments are made longer than what they hold, and what is behind the last record says nothing.
    let record = bytes.windows(4).position(|bytes| bytes == b"/s10");
    bytes[record.unwrap()] ^= 0x55;
    std::fs::write(&file, bytes).unwrap();
    let refused = done(&mut server(&data_dir, &[])).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    for words in [
        &*file.display().to_string(),
        "is damaged at offset",
        &format!(
            "guildhall snapshot restore FILE --data-dir {}",
            data_dir.display()
        ),
    ] {
        assert!(
            refused.error.contains(words),
            "{} lacks {words}",
            refused.error
        );
    }

    let broken = folder.path().join("broken");
    std::fs::write(&broken, &std::fs::read(&snapshot).unwrap()[..100]).unwrap();
    let wrong = [
        "snapshot",
        "restore",
        broken.to_str().unwrap(),
        "--data-dir",
        data_dir.to_str().unwrap(),
    ];
    assert_eq!(
        done(&mut command_at("http://127.0.0.1:1", &wrong))
            .await
            .code,
        1
    );
    assert!(
        log(&data_dir).exists(),
        "what is no snapshot changes nothing"
    );

    let restored = done(&mut command_at("http://127.0.0.1:1", &restore)).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(
        data_dir.join("store.replaced/log").exists(),
        "what was there is kept"
    );
    let node = Process::start(&data_dir, &[]).await;
    let list = node.send("GET", "services", &[], "").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 20);
    node.stop().await;
}

#[tokio::test]
async fn a_reader_that_stopped_reading_costs_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::start(
        folder.path(),
        &["--set", "watch.queue=64", "--set", "watch.history=64"],
    )
    .await;
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(node.api.parse().unwrap()).await.unwrap();
        stream
            .write_all(b"GET /api/v1/watch HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            .await
            .unwrap();
        stuck.push(stream);
    }
    let pad = "x".repeat(100_000);
    let before = resident(&node);
    for number in 0..300 {
        let body = format!(r#"{{"spec": {{"description": "{number}{pad}"}}}}"#);
        let answer = node.put("services/a", &body).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    // 30 MB passed by: unbounded, 20 watchers would hold 600.
    let grown = resident(&node).saturating_sub(before);
    assert!(grown < 300 << 20, "{} MiB", grown >> 20);
    drop(stuck);
    node.stop().await;
}

/// Resident memory of a node in bytes.
fn resident(node: &Process) -> usize {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", node.child.id().unwrap())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .unwrap()
        * 1024
}
