//! HAProxy with one thread: as an HTTP proxy, and in TCP mode, which is the floor for any proxy in user space.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Peer, Proxy};
use crate::program;
use crate::server::{Launch, answers, free_address};
use crate::site::SERVER_CORE;

/// HAProxy that reads HTTP and keeps its upstream connections.
pub(super) fn http() -> Result<Peer> {
    peer("HAProxy, HTTP", "mode http", "http-reuse always")
}

/// HAProxy that only passes bytes.
pub(super) fn tcp() -> Result<Peer> {
    peer("HAProxy, TCP", "mode tcp", "")
}

fn peer(name: &'static str, mode: &'static str, reuse: &'static str) -> Result<Peer> {
    let program = program::find("haproxy").context("haproxy is not installed")?;
    Ok(Peer {
        name,
        version: program::version(&program, "-v"),
        start: Box::new(move |dir: &Path, upstream: SocketAddr| {
            let address = free_address()?;
            let config = dir.join("haproxy.cfg");
            std::fs::write(
                &config,
                format!(
                    "global\n  nbthread 1\n  maxconn 4096\n\
                     defaults\n  {mode}\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
                     listen bench\n  bind {address}\n  {reuse}\n  server upstream {upstream}\n"
                ),
            )?;
            let launch = Launch::new(&program, dir).args(["-db".into(), "-f".into(), config]);
            Ok(Proxy {
                server: launch.pin(SERVER_CORE).start(|| answers(address, "/"))?,
                address,
                _beside: Vec::new(),
            })
        }),
    })
}
