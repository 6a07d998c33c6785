//! The upstream of every proxy: nginx that answers from memory, on the load's core, so that it is never what is measured.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::{BODY, nginx};
use crate::program;
use crate::server::{Server, answers, free_address};
use crate::site::LOAD_CORE;

/// The running upstream.
pub(super) struct Upstream {
    /// Where it listens.
    pub(super) address: SocketAddr,
    _server: Server,
}

/// Starts it.
pub(super) fn start(dir: &Path) -> Result<Upstream> {
    let program = program::find("nginx")
        .context("nginx is the upstream of every proxy: run scripts/bench-setup")?;
    let address = free_address()?;
    let answer = "x".repeat(BODY);
    let config = nginx::config(&format!(
        "access_log off;\nserver {{ listen {address}; location / {{ return 200 \"{answer}\"; }} }}"
    ));
    let launch = nginx::launch(&program, dir, &config)?.pin(LOAD_CORE);
    Ok(Upstream {
        _server: launch.start(|| answers(address, "/"))?,
        address,
    })
}
