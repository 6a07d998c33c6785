//! rnacos, Nacos in Rust, from crates.io, spoken to through the Nacos v1 API. Its instances live in memory only.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::program;
use crate::server::{Launch, Server, free_address, get};
use crate::site;

/// The program, from where scripts/bench-setup installs it.
pub(crate) fn find() -> Result<PathBuf> {
    let installed = site::beside_harness("../bench/rnacos/bin/rnacos");
    std::iter::once(installed)
        .chain(program::find("rnacos"))
        .find(|path| path.is_file())
        .context("rnacos is not installed (scripts/bench-setup does it)")
}

/// Its version, for the report.
pub(crate) fn version(program: &Path) -> String {
    program::version(program, "--version")
}

/// Starts a single node on the data in `dir`.
pub(crate) fn start(program: &Path, dir: &Path) -> Result<(Server, SocketAddr)> {
    let http = free_address()?;
    let port = |address: SocketAddr| address.port().to_string();
    let launch = Launch::new(program, dir)
        .env("RNACOS_HTTP_PORT", port(http))
        .env("RNACOS_GRPC_PORT", port(free_address()?))
        .env("RNACOS_HTTP_CONSOLE_PORT", port(free_address()?))
        .env("RNACOS_DATA_DIR", dir.join("data"))
        .env("RNACOS_RAFT_NODE_ADDR", "127.0.0.1:1")
        .env("RUST_LOG", "error");
    // Any HTTP answer will do: an unknown service's list is one.
    let ready = || {
        get(http, "/nacos/v1/ns/instance/list?serviceName=x")
            .is_ok_and(|reply| reply.starts_with("HTTP/"))
    };
    Ok((launch.start(ready)?, http))
}
