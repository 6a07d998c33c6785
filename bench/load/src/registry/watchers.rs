//! From a change to its watchers: 10,000 streams, spread over 1,000 services or all on one. The clock runs from the
//! moment the change's request leaves until a watcher has read the changed instance; so it holds the commit, too, and
//! the load's own reading, which on this machine competes with the server for the cores.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use super::fleet::{self, Instance, SERVICES};
use super::peers::{self, GUILDHALL, Named, Registry, Running};
use crate::audience::{Audience, News};
use crate::figures::{megabytes, milliseconds, number};
use crate::http::Connection;
use crate::load;
use crate::report::Section;
use crate::site::Site;

/// Watchers in all.
const WATCHERS: u64 = 10_000;
/// Watchers that connect at the same time.
const CONNECTING: usize = 64;
/// Changes in the window: with watchers spread, ten hear of each; with all on one, all do.
const CHANGES_SPREAD: u64 = 400;
const CHANGES_ON_ONE: u64 = 20;
/// Between a change that all have heard of and the next.
const PAUSE: Duration = Duration::from_millis(20);

/// How the watchers are placed.
#[derive(Clone, Copy, PartialEq)]
enum Placement {
    Spread,
    OnOne,
}

impl Placement {
    fn service_of(self, watcher: u64) -> u64 {
        match self {
            Self::Spread => watcher % SERVICES,
            Self::OnOne => 0,
        }
    }

    fn changes(self) -> u64 {
        match self {
            Self::Spread => CHANGES_SPREAD,
            Self::OnOne => CHANGES_ON_ONE,
        }
    }

    /// How many hear of one change.
    fn audience(self) -> u64 {
        match self {
            Self::Spread => WATCHERS / SERVICES,
            Self::OnOne => WATCHERS,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Spread => "10 on each of 1,000 services",
            Self::OnOne => "all on one service",
        }
    }
}

/// Measures, and adds a table and the bars.
pub(super) fn run(site: &Site<'_>, peers: &[Named], section: &mut Section) -> Result<()> {
    let mut rows = Vec::new();
    let mut ours = Vec::new();
    for (name, registry) in peers {
        if !registry.watch("", &mut Vec::new()) {
            section.note(&format!(
                "{name} tells of changes over UDP and gRPC only: it has no row among the watchers."
            ));
            continue;
        }
        for placement in [Placement::Spread, Placement::OnOne] {
            eprintln!("  {name}: {}", placement.name());
            let mut row = vec![(*name).to_owned(), placement.name().to_owned()];
            match measure(site, name, registry, placement) {
                Ok(found) => {
                    let p99 = found.latency.value_at_quantile(0.99) as f64 / 1e3;
                    if *name == GUILDHALL {
                        ours.push((placement, p99));
                    }
                    row.extend([
                        number(found.latency.value_at_quantile(0.5) as f64 / 1e3),
                        number(p99),
                        number(found.latency.max() as f64 / 1e3),
                        number(found.cpu_us),
                        megabytes(found.resident),
                    ]);
                }
                Err(error) => row.push(format!("failed: {error:#}")),
            }
            rows.push(row);
        }
    }
    section.table(
        &format!(
            "From a change's request to {} watching streams, in milliseconds:",
            number(WATCHERS as f64)
        ),
        &[
            "registry",
            "watchers",
            "p50",
            "p99",
            "max",
            "CPU µs a notice",
            "memory for the watchers",
        ],
        &rows,
    );
    for placement in [Placement::Spread, Placement::OnOne] {
        let found = ours.iter().find(|(measured, _)| *measured == placement);
        let p99 = found.map_or(f64::NAN, |(_, p99)| *p99);
        let what = format!("p99 of change to watcher ≤ 100 ms, {}", placement.name());
        section.at_most(&what, p99, 100.0, |p99| format!("{} ms", number(p99)));
    }
    Ok(())
}

struct Found {
    latency: Histogram<u64>,
    /// The server's CPU for a change and its notices, by notice.
    cpu_us: f64,
    /// Memory that the server took for the watchers.
    resident: f64,
}

fn measure(
    site: &Site<'_>,
    name: &str,
    registry: &Arc<dyn Registry>,
    placement: Placement,
) -> Result<Found> {
    let running = registry.start(&site.dir(name)?)?;
    peers::fill(registry, &running, SERVICES)?;
    let empty = running.server.usage()?;
    let sockets = load::on_own_thread(None, || attach(registry, &running, placement))?;
    let mut audience = Audience::new(sockets)?;
    let mut latency = load::histogram()?;
    let before = running.server.usage()?;
    for change in 1..=placement.changes() {
        let number = match placement {
            Placement::Spread => change * 7919 % SERVICES,
            Placement::OnOne => 0,
        };
        let instance = Instance { number, change };
        let mut request = Vec::new();
        registry.register(instance, &mut request);
        let mut asked = TcpStream::connect(running.address)?;
        asked.set_nodelay(true)?;
        let sent = Instant::now();
        asked.write_all(&request)?;
        let news = News {
            asked: &mut asked,
            needle: &registry.needle(instance),
            sent,
            audience: placement.audience(),
            asks: None,
        };
        audience.hear(news, &mut latency)?;
        std::thread::sleep(PAUSE);
    }
    let after = running.server.usage()?;
    let notices = placement.changes() * placement.audience();
    Ok(Found {
        latency,
        cpu_us: after.since(before).cpu.as_secs_f64() * 1e6 / notices as f64,
        resident: before.resident.saturating_sub(empty.resident) as f64,
    })
}

/// Opens every watch, a bounded number at a time.
async fn attach(
    registry: &Arc<dyn Registry>,
    running: &Running,
    placement: Placement,
) -> Result<Vec<TcpStream>> {
    let opening = Instant::now();
    let mut sockets = Vec::new();
    let mut pending = Vec::new();
    for watcher in 0..WATCHERS {
        let registry = Arc::clone(registry);
        let address = running.address;
        pending.push(tokio::task::spawn_local(async move {
            let mut request = Vec::new();
            let service = fleet::service(placement.service_of(watcher));
            registry.watch(&service, &mut request);
            let mut connection = Connection::open(address).await?;
            connection.subscribe(&request).await?;
            connection.into_socket()
        }));
        if pending.len() == CONNECTING || watcher + 1 == WATCHERS {
            for opened in pending.drain(..) {
                sockets.push(opened.await.context("a watcher's task failed")??);
            }
        }
    }
    eprintln!(
        "    {WATCHERS} watchers after {} ms",
        number(milliseconds(opening.elapsed()))
    );
    Ok(sockets)
}
