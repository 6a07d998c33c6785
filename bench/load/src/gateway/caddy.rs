//! Caddy on one processor of Go's scheduler.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Peer, Proxy};
use crate::program;
use crate::server::{Launch, answers, free_address};
use crate::site::SERVER_CORE;

/// Caddy as a reverse proxy, without its access log.
pub(super) fn peer() -> Result<Peer> {
    let program = program::find("caddy").context("caddy is not installed")?;
    Ok(Peer {
        name: "Caddy",
        version: program::version(&program, "version"),
        start: Box::new(move |dir: &Path, upstream: SocketAddr| {
            let address = free_address()?;
            let config = dir.join("Caddyfile");
            std::fs::write(
                &config,
                format!(
                    "{{\n  admin off\n  auto_https off\n  log {{\n    level ERROR\n  }}\n}}\n\
                     http://:{} {{\n  bind {}\n  reverse_proxy {upstream} {{\n    transport http {{\n      \
                     keepalive_idle_conns_per_host 64\n    }}\n  }}\n}}\n",
                    address.port(),
                    address.ip()
                ),
            )?;
            let launch = Launch::new(&program, dir)
                .args(["run", "--adapter", "caddyfile", "--config"])
                .args([config])
                .env("GOMAXPROCS", "1")
                .env("HOME", dir);
            Ok(Proxy {
                server: launch.pin(SERVER_CORE).start(|| answers(address, "/"))?,
                address,
                _beside: Vec::new(),
            })
        }),
    })
}
