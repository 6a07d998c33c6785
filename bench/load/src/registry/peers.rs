//! A registry as the load sees it: how it is started, and what its requests are on the wire.

mod etcd;
mod guildhall;
mod rnacos;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::CLIENTS;
use super::fleet::{Filter, Instance};
use crate::http::Reply;
use crate::load::{self, Plan};
use crate::options::Options;
use crate::report::Section;
use crate::server::Server;

/// The peers' names.
pub(super) const GUILDHALL: &str = "Guildhall";
pub(super) const ETCD: &str = "etcd";
pub(super) const RNACOS: &str = "rnacos";

/// How often, in seconds, a live instance has to report. No window is as long.
pub(super) const TTL: u64 = 30;

/// A running registry.
pub(super) struct Running {
    /// The process.
    pub(super) server: Server,
    /// Where its HTTP API listens.
    pub(super) address: SocketAddr,
}

/// One registry's words.
pub(super) trait Registry: Send + Sync {
    /// Starts it on the data in a folder, which may hold a former run's.
    fn start(&self, dir: &Path) -> Result<Running>;

    /// Writes the registration of an instance that stays until it is taken out.
    fn register(&self, instance: Instance, into: &mut Vec<u8>);

    /// Writes one request of the registration of an instance that vanishes unless it reports every [`TTL`]: what a
    /// service sends that registers itself.
    fn register_live(&self, instance: Instance, step: u64, into: &mut Vec<u8>);

    /// How many requests such a registration takes, one after the other.
    fn live_steps(&self) -> u64 {
        1
    }

    /// Writes a query for a service's instances.
    fn query(&self, service: &str, filter: Filter, into: &mut Vec<u8>);

    /// Writes a watch of a service, where there is one over HTTP.
    fn watch(&self, service: &str, into: &mut Vec<u8>) -> bool;

    /// What a watcher reads when an instance of this state reaches it.
    fn needle(&self, instance: Instance) -> Vec<u8>;

    /// Whether instances outlive the process.
    fn is_durable(&self) -> bool;
}

/// A registry that is installed, after its version.
type Found = (String, Arc<dyn Registry>);

/// A registry and its name.
pub(super) type Named = (&'static str, Arc<dyn Registry>);

/// The registries that are installed and wanted; the others are noted in the section.
pub(super) fn all(options: &Options, section: &mut Section) -> Vec<Named> {
    let found: [(&'static str, Result<Found>); 3] = [
        (GUILDHALL, guildhall::find(options)),
        (ETCD, etcd::find()),
        (RNACOS, rnacos::find()),
    ];
    let mut peers = Vec::new();
    for (name, found) in found {
        match found {
            Ok((version, registry)) if options.wants_peer(name) => {
                section.version(name, &version);
                peers.push((name, registry));
            }
            Ok(_) => {}
            Err(missing) => section.note(&format!("Left out: {missing:#}.")),
        }
    }
    peers
}

/// Registers the fleet's first `count` instances.
pub(super) fn fill(
    registry: &Arc<dyn Registry>,
    running: &Running,
    count: u64,
) -> Result<load::Outcome> {
    let plan = Plan {
        address: running.address,
        connections: CLIENTS,
        duration: std::time::Duration::from_secs(600),
        requests: count,
        steps: 1,
        core: None,
    };
    let words = Arc::clone(registry);
    let outcome = load::run(
        plan,
        move |number, bytes| words.register(Instance { number, change: 0 }, bytes),
        |reply: &Reply<'_>| reply.is_success(),
    )?;
    ensure!(
        outcome.done == count,
        "only {} of {count} instances were registered",
        outcome.done
    );
    Ok(outcome)
}
