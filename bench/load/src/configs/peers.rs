//! A server of configuration as the load sees it: how it is started, and what its requests are on the wire.

mod etcd;
mod guildhall;
mod rnacos;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::CLIENTS;
use super::release::Release;
use crate::http::Reply;
use crate::load::{self, Plan};
use crate::options::Options;
use crate::report::Section;
use crate::server::Server;

/// The peers' names.
pub(super) const GUILDHALL: &str = "Guildhall";
pub(super) const ETCD: &str = "etcd";
pub(super) const RNACOS: &str = "rnacos";

/// A running server.
pub(super) struct Running {
    /// The process.
    pub(super) server: Server,
    /// Where its HTTP API listens.
    pub(super) address: SocketAddr,
}

/// One server's words.
pub(super) trait Configs: Send + Sync {
    /// Starts it on the data in a folder.
    fn start(&self, dir: &Path) -> Result<Running>;

    /// What an acknowledged publish outlives.
    fn outlives(&self) -> &'static str;

    /// Writes a publish.
    fn publish(&self, release: Release, into: &mut Vec<u8>);

    /// Writes a read of a file's content.
    fn read(&self, file: u64, into: &mut Vec<u8>);

    /// Writes a read of what a file comes to for the services that read it, where that is another request.
    fn read_laid_over(&self, _file: u64, _into: &mut Vec<u8>) -> bool {
        false
    }

    /// What who reads a file or listens to it finds in the bytes that bring this release.
    fn needle(&self, release: Release) -> Vec<u8>;

    /// How a file is listened to.
    fn listening(&self) -> Listening<'_>;
}

/// How a file is listened to.
pub(super) enum Listening<'a> {
    /// By a stream that brings each content: writes the request of one of the listeners, by the listener's number.
    Stream(&'a dyn Streams),
    /// By requests that are answered when the content is no longer the one that the listener has; who is answered reads
    /// the file, and asks again.
    LongPoll(&'a dyn LongPolls),
}

/// A server that streams.
pub(super) trait Streams: Send + Sync {
    /// Writes the request of the listener of this number.
    fn stream(&self, file: u64, listener: u64, into: &mut Vec<u8>);
}

/// A server that is polled.
pub(super) trait LongPolls: Send + Sync {
    /// The poll of a listener that has the present content, which is asked for first.
    fn poll(&self, file: u64, running: &Running) -> Result<Vec<u8>>;
}

/// A server that is installed, after its version.
type Found = (String, Arc<dyn Configs>);

/// A server and its name.
pub(super) type Named = (&'static str, Arc<dyn Configs>);

/// The servers that are installed and wanted; the others are noted in the section.
pub(super) fn all(options: &Options, section: &mut Section) -> Vec<Named> {
    let found: [(&'static str, Result<Found>); 3] = [
        (GUILDHALL, guildhall::find(options)),
        (ETCD, etcd::find()),
        (RNACOS, rnacos::find()),
    ];
    let mut peers = Vec::new();
    for (name, found) in found {
        match found {
            Ok((version, configs)) if options.wants_peer(name) => {
                section.version(name, &version);
                peers.push((name, configs));
            }
            Ok(_) => {}
            Err(missing) => section.note(&format!("Left out: {missing:#}.")),
        }
    }
    peers
}

/// Publishes the first release of the first `count` files.
pub(super) fn fill(configs: &Arc<dyn Configs>, running: &Running, count: u64) -> Result<()> {
    let plan = Plan {
        address: running.address,
        connections: CLIENTS,
        duration: Duration::from_secs(60),
        requests: count,
        steps: 1,
        core: None,
    };
    let words = Arc::clone(configs);
    let outcome = load::run(
        plan,
        move |file, bytes| words.publish(Release { file, change: 0 }, bytes),
        |reply: &Reply<'_>| reply.is_success(),
    )?;
    let done = outcome.done;
    ensure!(done == count, "only {done} of {count} files were published");
    Ok(())
}
