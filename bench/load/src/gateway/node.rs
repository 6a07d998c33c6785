//! Guildhall: a gateway node with one worker on the measured core, fed by a control node on the other, as in production.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Peer, Proxy};
use crate::guildhall;
use crate::load::{self, Plan};
use crate::options::Options;
use crate::server;
use crate::site::SERVER_CORE;

/// The peer's name.
pub(super) const NAME: &str = "Guildhall";

/// How long a route may take to reach the gateway.
const ROUTED: Duration = Duration::from_secs(10);

/// Guildhall as a gateway before one instance of one service.
pub(super) fn peer(options: &Options) -> Result<Peer> {
    let binary = guildhall::binary(options)
        .context("guildhall is not built (cargo build --release --package guildhall-server)")?;
    Ok(Peer {
        name: NAME,
        version: guildhall::version(&binary),
        start: Box::new(move |dir: &Path, upstream: SocketAddr| {
            let (control_dir, gateway_dir) = (dir.join("control"), dir.join("gateway"));
            std::fs::create_dir_all(&control_dir)?;
            std::fs::create_dir_all(&gateway_dir)?;
            let control = guildhall::control(&binary, &control_dir)?;
            define(control.api, upstream)?;
            let node = guildhall::gateway(&binary, &gateway_dir, control.api, SERVER_CORE)?;
            let address = node.gateway.context("the node took no gateway address")?;
            let asked = std::time::Instant::now();
            while !server::answers(address, "/") {
                ensure!(
                    asked.elapsed() < ROUTED,
                    "the gateway does not route to the upstream"
                );
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(Proxy {
                server: node.server,
                address,
                _beside: vec![control.server],
            })
        }),
    })
}

/// Registers the upstream as an instance and routes everything to its service.
fn define(api: SocketAddr, upstream: SocketAddr) -> Result<()> {
    let instance = json!({
        "apiVersion": "guildhall/v1",
        "kind": "Instance",
        "metadata": {"name": "u1"},
        "spec": {
            "service": "upstream",
            "host": upstream.ip().to_string(),
            "port": upstream.port(),
            "protocol": "http",
        },
    });
    let route = json!({
        "apiVersion": "guildhall/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "all"},
        "spec": {"rules": [{
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "backendRefs": [{"name": "upstream"}],
        }]},
    });
    let documents = [
        ("services/upstream/instances/u1", instance.to_string()),
        ("httproutes/all", route.to_string()),
    ];
    let plan = Plan {
        address: api,
        connections: 1,
        duration: Duration::from_secs(10),
        requests: documents.len() as u64,
        steps: 1,
        core: None,
    };
    let request = move |number: u64, bytes: &mut Vec<u8>| {
        if let Some((path, document)) = documents.get(number as usize) {
            guildhall::put(bytes, path, document);
        }
    };
    let outcome = load::run(plan, request, |reply| reply.is_success())?;
    ensure!(
        outcome.failed == 0,
        "the control node refused the bench's documents"
    );
    Ok(())
}
