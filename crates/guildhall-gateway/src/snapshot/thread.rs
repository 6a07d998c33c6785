//! The thread that turns updates into snapshots: the only writer of what workers route by.
//!
//! Updates that come together are taken in together, and a snapshot follows the last one by at
//! least [`PAUSE`], so that a storm of changes costs a bounded number of compilations and a single
//! change is in effect at once.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use guildhall_api::report::Courier;
use guildhall_core::{
    policy::report::OBSERVE_EVERY,
    source::{SnapshotSource, Update},
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use super::{balance::tell, fold::Fold};
use crate::{Reports, clock, reports::moment, shared::Shared};

/// The shortest time from one snapshot to the next.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a snapshot waits for the addresses of names that are new in it, so that an instance
/// that is given by name does not first appear without an address.
const NAMES_WAIT: Duration = Duration::from_millis(30);
/// How often names are looked at and endpoint state is swept.
const TICK: Duration = Duration::from_secs(1);
/// How long the last report may take when the gateway ends.
const FAREWELL: Duration = Duration::from_secs(1);
/// Updates that wait to be taken in; a source that is faster waits.
const WAITING: usize = 1024;

/// The running thread.
#[derive(Debug)]
pub(crate) struct SnapshotThread {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl SnapshotThread {
    /// Stops it; the last snapshot stays.
    pub(crate) fn stop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for SnapshotThread {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts the thread over `source`. `reports` go out in the name of the gateway at that address.
pub(crate) fn spawn(
    shared: Arc<Shared>,
    source: Box<dyn SnapshotSource>,
    reports: Option<(Reports, SocketAddr)>,
) -> io::Result<SnapshotThread> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let thread = thread::Builder::new()
        .name("gateway-snapshot".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let mut courier = reports.and_then(courier);
                tokio::select! {
                    () = stopped.notified() => {}
                    () = run(shared, source, &mut courier) => {}
                }
                if let Some(courier) = courier {
                    // Who does not hear it notices the silence.
                    let _ = timeout(FAREWELL, courier.stop(moment())).await;
                }
            });
            // A lookup that hangs must not hold up the end.
            runtime.shutdown_background();
        })?;
    Ok(SnapshotThread {
        stop,
        thread: Some(thread),
    })
}

fn courier((reports, address): (Reports, SocketAddr)) -> Option<Courier> {
    let courier = reports.courier(address);
    courier
        .inspect_err(|error| tracing::error!(%error, "the gateway reports no breakers and limits"))
        .ok()
}

/// What was found for a name.
type Lookup = (Box<str>, Option<Vec<IpAddr>>);

async fn run(shared: Arc<Shared>, source: Box<dyn SnapshotSource>, courier: &mut Option<Courier>) {
    let (sender, mut updates) = mpsc::channel(WAITING);
    // The source is read by a task of its own: its future must not be dropped half way.
    let pump = tokio::spawn(pump(source, sender));
    let mut fold = Fold::new(shared.options.zone.clone(), shared.options.default_route);
    let mut lookups: JoinSet<Lookup> = JoinSet::new();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut look = interval(OBSERVE_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut open = true;
    let mut not_before = Instant::from_std(clock::now());
    loop {
        tokio::select! {
            update = updates.recv(), if open => match update {
                Some(update) => {
                    fold.apply(update);
                    sleep_until(not_before).await;
                    while let Ok(more) = updates.try_recv() {
                        fold.apply(more);
                    }
                }
                // The source was shut down: what is known stays in effect.
                None => {
                    open = false;
                    continue;
                }
            },
            Some(found) = lookups.join_next() => {
                if !take_in(&mut fold, found) {
                    continue;
                }
            }
            // A gateway with nothing to tell has nothing to look at, and sleeps.
            _ = look.tick(), if courier.is_some() && fold.is_shown(clock::now()) => {
                show(courier, &mut fold);
                continue;
            }
            _ = tick.tick() => {
                let now = clock::now();
                // Once more after the last machine is gone.
                show(courier, &mut fold);
                for (_, event) in fold.sweep(now) {
                    tell(&event);
                }
                shared.tried.set(fold.guard_states(now));
                look_up(&mut fold, &mut lookups, &shared);
                if !fold.grow() {
                    continue;
                }
            }
        }
        let mut snapshot = fold.snapshot(clock::now(), clock::wall());
        look_up(&mut fold, &mut lookups, &shared);
        if fold.names.is_waiting() && wait_for_names(&mut fold, &mut lookups).await {
            snapshot = fold.snapshot(clock::now(), clock::wall());
        }
        shared.publish(snapshot);
        not_before = Instant::from_std(clock::now() + PAUSE);
        if pump.is_finished() && !open && lookups.is_empty() {
            tracing::debug!("the source of the gateway's documents has ended");
        }
    }
}

/// Shows all machines to whoever reports them, once they know what its last answer gave them.
fn show(courier: &mut Option<Courier>, fold: &mut Fold) {
    if let Some(courier) = courier {
        let now = moment();
        for granted in courier.hear(now) {
            fold.grant(&granted, now.monotonic);
        }
        courier.observe(fold.guard_states(now.monotonic), now);
    }
}

async fn pump(mut source: Box<dyn SnapshotSource>, updates: mpsc::Sender<Update>) {
    while let Some(update) = source.next().await {
        if updates.send(update).await.is_err() {
            return;
        }
    }
}

/// Starts the lookups that are due.
fn look_up(fold: &mut Fold, lookups: &mut JoinSet<Lookup>, shared: &Shared) {
    for host in fold.due(clock::now(), shared.options.dns_refresh) {
        lookups.spawn(async move {
            let found = match tokio::net::lookup_host((&*host, 0)).await {
                Ok(addresses) => {
                    let mut addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
                    // Resolvers rotate their answers; the same set must look the same.
                    addresses.sort();
                    addresses.dedup();
                    Some(addresses)
                }
                Err(error) => {
                    tracing::warn!(host = &*host, %error, "the address of an instance cannot be looked up");
                    None
                }
            };
            (host, found)
        });
    }
}

/// Waits a moment for names that have no address yet, and says whether any got one.
async fn wait_for_names(fold: &mut Fold, lookups: &mut JoinSet<Lookup>) -> bool {
    let deadline = Instant::from_std(clock::now() + NAMES_WAIT);
    let mut changed = false;
    while fold.names.is_waiting() {
        tokio::select! {
            Some(found) = lookups.join_next() => changed |= take_in(fold, found),
            () = sleep_until(deadline) => break,
        }
    }
    changed
}

fn take_in(fold: &mut Fold, found: Result<Lookup, tokio::task::JoinError>) -> bool {
    let Ok((host, addresses)) = found else {
        return false;
    };
    let changed = fold.names.found(&host, addresses, clock::now());
    if changed {
        fold.names_changed();
    }
    changed
}
