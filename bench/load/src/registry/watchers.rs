//! From a change to its watchers: 10,000 streams, spread over 1,000 services or all on one. The clock runs from the
//! moment the change's request leaves until a watcher has read the changed instance; so it holds the commit, too, and
//! the load's own reading, which on this machine competes with the server for the cores.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use memchr::memmem::Finder;
use tokio::sync::Notify;

use super::fleet::{self, Instance, SERVICES};
use super::peers::{self, GUILDHALL, Named, Registry, Running};
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
/// After this long a watcher has missed the change.
const MISSED: Duration = Duration::from_secs(20);

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
    load::on_own_thread(None, || async {
        let board = Rc::new(Board {
            registry: Arc::clone(registry),
            needle: RefCell::new(Finder::new(b"").into_owned()),
            change: Cell::new(0),
            audience: placement.audience(),
            sent: Cell::new(Instant::now()),
            heard: Cell::new(0),
            latency: RefCell::new(load::histogram()?),
            failure: RefCell::new(None),
            news: Notify::new(),
        });
        attach(&board, &running, placement).await?;
        let before = running.server.usage()?;
        for change in 1..=placement.changes() {
            tell(&board, &running, placement, change).await?;
            tokio::time::sleep(PAUSE).await;
        }
        let after = running.server.usage()?;
        let notices = placement.changes() * placement.audience();
        Ok(Found {
            latency: board.latency.borrow().clone(),
            cpu_us: after.since(before).cpu.as_secs_f64() * 1e6 / notices as f64,
            resident: before.resident.saturating_sub(empty.resident) as f64,
        })
    })
}

/// What the watchers and the one who makes the changes share, all on one thread.
struct Board {
    registry: Arc<dyn Registry>,
    /// What the current change looks like on the wire, and which it is.
    needle: RefCell<Finder<'static>>,
    change: Cell<u64>,
    /// How many are to hear of it.
    audience: u64,
    sent: Cell<Instant>,
    heard: Cell<u64>,
    latency: RefCell<Histogram<u64>>,
    failure: RefCell<Option<anyhow::Error>>,
    news: Notify,
}

/// Opens every watch, a bounded number at a time.
async fn attach(board: &Rc<Board>, running: &Running, placement: Placement) -> Result<()> {
    let opening = Instant::now();
    let mut pending = Vec::new();
    for watcher in 0..WATCHERS {
        let board = Rc::clone(board);
        let address = running.address;
        pending.push(tokio::task::spawn_local(async move {
            let mut request = Vec::new();
            let service = fleet::service(placement.service_of(watcher));
            board.registry.watch(&service, &mut request);
            let mut connection = Connection::open(address).await?;
            connection.subscribe(&request).await?;
            tokio::task::spawn_local(listen(board, connection));
            anyhow::Ok(())
        }));
        if pending.len() == CONNECTING {
            for opened in pending.drain(..) {
                opened.await.context("a watcher's task failed")??;
            }
        }
    }
    for opened in pending {
        opened.await.context("a watcher's task failed")??;
    }
    eprintln!(
        "    {WATCHERS} watchers after {} ms",
        number(milliseconds(opening.elapsed()))
    );
    Ok(())
}

/// One watcher: notes when the current change comes by.
async fn listen(board: Rc<Board>, mut connection: Connection) {
    // What was read last, and before it the end of what came earlier: a change may come in two pieces.
    let mut window = Vec::new();
    let mut heard = 0;
    loop {
        let bytes = match connection.more().await {
            Ok(bytes) => bytes,
            Err(error) => {
                *board.failure.borrow_mut() = Some(error);
                board.news.notify_one();
                return;
            }
        };
        window.extend_from_slice(bytes);
        let needle = board.needle.borrow();
        let change = board.change.get();
        if change != heard && needle.find(&window).is_some() {
            load::record(&mut board.latency.borrow_mut(), board.sent.get().elapsed());
            heard = change;
            board.heard.set(board.heard.get() + 1);
            if board.heard.get() == board.audience {
                board.news.notify_one();
            }
        }
        let keep = needle.needle().len().max(1) - 1;
        window.drain(..window.len().saturating_sub(keep));
    }
}

/// Makes one change and waits until all who watch it have heard.
async fn tell(
    board: &Rc<Board>,
    running: &Running,
    placement: Placement,
    change: u64,
) -> Result<()> {
    let number = match placement {
        Placement::Spread => change * 7919 % SERVICES,
        Placement::OnOne => 0,
    };
    let instance = Instance { number, change };
    let mut bytes = Vec::new();
    board.registry.register(instance, &mut bytes);
    let mut connection = Connection::open(running.address).await?;
    *board.needle.borrow_mut() = Finder::new(&board.registry.needle(instance)).into_owned();
    board.change.set(change);
    board.heard.set(0);
    board.sent.set(Instant::now());
    let reply = connection.send(&bytes).await?;
    ensure!(
        reply.is_success(),
        "a change was refused with status {}",
        reply.status
    );
    let all_heard = async {
        while board.heard.get() < placement.audience() {
            if let Some(error) = board.failure.borrow_mut().take() {
                return Err(error.context("a watcher lost its stream"));
            }
            board.news.notified().await;
        }
        Ok(())
    };
    match tokio::time::timeout(MISSED, all_heard).await {
        Ok(heard) => heard,
        Err(_) => bail!(
            "{} of {} watchers heard of a change",
            board.heard.get(),
            placement.audience()
        ),
    }
}
