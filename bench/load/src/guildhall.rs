//! Guildhall itself as one of the servers: its binary, its nodes, and its documents as the API takes them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::http;
use crate::options::Options;
use crate::program;
use crate::server::{self, Launch, Server};
use crate::site;

/// The binary under test, if it is there.
pub(crate) fn binary(options: &Options) -> Option<PathBuf> {
    let path = options
        .guildhall
        .clone()
        .unwrap_or_else(|| site::beside_harness("guildhall"));
    path.is_file().then_some(path)
}

/// Its version, for the report.
pub(crate) fn version(binary: &Path) -> String {
    program::version(binary, "--version")
}

/// A running node and its addresses.
pub(crate) struct Node {
    /// The process.
    pub(crate) server: Server,
    /// Its native API.
    pub(crate) api: SocketAddr,
    /// Its gateway's listener, where it has one.
    pub(crate) gateway: Option<SocketAddr>,
}

/// A node that keeps the registry: control role alone, API on a free port.
pub(crate) fn control(binary: &Path, dir: &Path) -> Result<Node> {
    start(launch(binary, dir, "control"), dir)
}

/// A node with every role.
pub(crate) fn whole(binary: &Path, dir: &Path) -> Result<Node> {
    let launch = Launch::new(binary, dir)
        .args([
            "server",
            "--api-listen",
            "127.0.0.1:0",
            "--gateway-listen",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .args([dir]);
    start(launch, dir)
}

/// A node that is a gateway with one worker, on one core, fed by a control node.
pub(crate) fn gateway(binary: &Path, dir: &Path, control: SocketAddr, core: usize) -> Result<Node> {
    let launch = launch(binary, dir, "gateway")
        .args([
            "--gateway-listen",
            "127.0.0.1:0",
            "--gateway-workers",
            "1",
            "--control",
        ])
        .args([format!("http://{control}")])
        .pin(core);
    start(launch, dir)
}

fn launch(binary: &Path, dir: &Path, role: &str) -> Launch {
    Launch::new(binary, dir)
        .args([
            "server",
            "--role",
            role,
            "--api-listen",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .args([dir])
}

/// Starts a node and waits until `/readyz` answers on the address that it took.
fn start(launch: Launch, dir: &Path) -> Result<Node> {
    let file = dir.join("addresses.json");
    // A restarted node's old file would name a port that is gone.
    if file.exists() {
        std::fs::remove_file(&file)?;
    }
    let server = launch
        .start(|| address(&file, "api").is_some_and(|api| server::answers(api, "/readyz")))?;
    Ok(Node {
        api: address(&file, "api").context("the node took no API address")?,
        gateway: address(&file, "gateway"),
        server,
    })
}

fn address(file: &Path, key: &str) -> Option<SocketAddr> {
    let text = std::fs::read_to_string(file).ok()?;
    let addresses: serde_json::Value = serde_json::from_str(&text).ok()?;
    addresses[key].as_str()?.parse().ok()
}

/// Writes a PUT of a document under the default namespace's short path.
pub(crate) fn put(into: &mut Vec<u8>, path: &str, document: &str) {
    http::with_body(
        into,
        "PUT",
        &format!("/api/v1/{path}"),
        "application/json",
        document,
    );
}
