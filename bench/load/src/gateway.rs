//! The gateway's cost: one proxy worker on a core of its own between 64 keep-alive connections and a 1 KiB answer.
//!
//! The load and the upstream (nginx answering from memory) share the other core. A proxy that is not saturated wakes up
//! for fewer requests at a time and looks dearer than it is, so the share of its core that each used stands beside.

mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod node;
mod upstream;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use crate::figures::{number, ratio};
use crate::http;
use crate::load::Plan;
use crate::report::Section;
use crate::rounds::interleaved;
use crate::server::Server;
use crate::site::{LOAD_CORE, Site};
use crate::window::{self, Sample, Verdict};

/// Keep-alive connections of the load.
const CONNECTIONS: usize = 64;
/// Bytes in the upstream's answer.
const BODY: usize = 1024;
/// A bound on one window's requests, far above what one core does.
const MOST_REQUESTS: u64 = 10_000_000;

/// A proxy under load: what is measured, where it listens, and what it needs beside it.
struct Proxy {
    server: Server,
    address: SocketAddr,
    /// Kept running, not measured.
    _beside: Vec<Server>,
}

/// Starts a proxy with its files in a folder, before an upstream.
type Start = dyn Fn(&Path, SocketAddr) -> Result<Proxy>;

/// A peer: its name, its version, and how to start it.
struct Peer {
    name: &'static str,
    version: String,
    start: Box<Start>,
}

/// Runs the benchmark.
pub(crate) fn run(site: &Site<'_>) -> Result<Section> {
    let mut section = Section::new(site, "Gateway");
    let candidates = [
        node::peer(site.options),
        nginx::bare(),
        nginx::same_work(),
        haproxy::http(),
        haproxy::tcp(),
        envoy::peer(),
        caddy::peer(),
    ];
    let mut peers: Vec<Peer> = Vec::new();
    for candidate in candidates {
        match candidate {
            Ok(peer) if site.options.wants_peer(peer.name) => peers.push(peer),
            Ok(_) => {}
            Err(missing) => section.note(&format!("Left out: {missing:#}.")),
        }
    }
    for peer in &peers {
        // "nginx, bare" is nginx.
        let program = peer.name.split(',').next().unwrap_or_default();
        section.version(program, &peer.version);
    }

    let upstream = upstream::start(&site.dir("upstream")?)?;
    let turn = |peer: &Peer| turn(site, peer, upstream.address);
    let samples = interleaved(&peers, site.options.rounds, |peer| peer.name, turn);
    let verdicts: Vec<Verdict> = peers
        .iter()
        .zip(samples)
        .map(|(peer, samples)| Verdict::new(peer.name, samples))
        .collect();
    report(&mut section, &verdicts);
    Ok(section)
}

fn turn(site: &Site<'_>, peer: &Peer, upstream: SocketAddr) -> Result<Sample> {
    let proxy = (peer.start)(&site.dir(peer.name)?, upstream)?;
    let plan = Plan {
        address: proxy.address,
        connections: CONNECTIONS,
        duration: site.window(),
        requests: MOST_REQUESTS,
        steps: 1,
        core: Some(LOAD_CORE),
    };
    window::measure(
        &proxy.server,
        plan,
        |_, bytes| http::get(bytes, "/"),
        |reply| reply.status == 200 && reply.body.len() == BODY,
    )
}

fn report(section: &mut Section, verdicts: &[Verdict]) {
    let cpu = |name: &str| window::figure(verdicts, name, |sample| sample.cpu_us);
    let bare = cpu(nginx::BARE);
    let rows: Vec<Vec<String>> = verdicts
        .iter()
        .map(|verdict| {
            verdict.row(|sample| {
                vec![
                    number(sample.cpu_us),
                    ratio(sample.cpu_us / bare),
                    number(sample.rate),
                    format!("{:.0} %", sample.busy * 100.0),
                    number(sample.p50_us),
                    number(sample.p99_us),
                ]
            })
        })
        .collect();
    section.table(
        &format!("One worker, {CONNECTIONS} keep-alive connections, {BODY}-byte answers over HTTP/1.1 on loopback:"),
        &["proxy", "CPU µs/request", "against bare nginx", "requests/s", "of its core", "p50 µs", "p99 µs"],
        &rows,
    );
    let ours = cpu(node::NAME);
    for (peer, bound) in [(nginx::BARE, 1.3), (envoy::NAME, 0.45)] {
        let measured = ours / cpu(peer);
        let what = format!("CPU per request ≤ {bound} × {peer}");
        section.at_most(&what, measured, bound, ratio);
    }
}
