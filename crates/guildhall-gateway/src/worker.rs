//! One worker: a thread with its own event loop, its own listeners and its own connections to
//! backends. Workers share nothing that a request writes to but the load of endpoints.

use std::{
    cell::{Cell, RefCell, RefMut},
    io,
    net::{SocketAddr, TcpListener},
    ops::Deref,
    rc::Rc,
    sync::{Arc, mpsc::Sender},
    time::{Duration, Instant},
};

use fastrand::Rng;
use guildhall_resilience::limiter::redis::RedisLimiter;
use tokio::{
    net::TcpStream,
    runtime,
    sync::Notify,
    task::{LocalSet, yield_now},
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    access_log::{LogBuffer, LogSender},
    clock::{self, WallClock},
    connection,
    connections::Connections,
    exact,
    options::Timeouts,
    shared::Shared,
    snapshot::Snapshot,
    stats::WorkerStats,
    upstream::Pools,
};

/// How long to wait after a failed accept: most likely there are no file descriptors left, and
/// only the end of other connections helps.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the tasks of one worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) wall: WallClock,
    pub(crate) connections: Rc<Connections>,
    view: RefCell<Rc<View>>,
    version: Cell<u64>,
    pools: RefCell<Pools>,
    random: RefCell<Rng>,
    /// Who counts exact limits, if the gateway was told.
    pub(crate) redis: Option<RedisLimiter>,
    /// Where the access log goes, if there is one.
    pub(crate) log_to: Option<LogSender>,
    log: RefCell<LogBuffer>,
    tick: Cell<Instant>,
}

/// A snapshot as one worker holds it: requests count their references here, where no other worker
/// does.
#[derive(Debug, Default)]
pub(crate) struct View(Arc<Snapshot>);

impl Deref for View {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

impl Worker {
    /// On the worker's runtime.
    fn new(index: usize, shared: Arc<Shared>, log_to: Option<LogSender>) -> Self {
        let upstream = &shared.options.upstream;
        let pools = Pools::new(upstream.idle_connections, upstream.idle_timeout);
        Self {
            index,
            wall: WallClock::new(),
            connections: Rc::default(),
            view: RefCell::default(),
            version: Cell::new(0),
            pools: RefCell::new(pools),
            random: RefCell::new(Rng::new()),
            redis: exact::connect(&shared, index),
            log_to,
            log: RefCell::default(),
            tick: Cell::new(clock::now()),
            shared,
        }
    }

    pub(crate) fn stats(&self) -> &WorkerStats {
        &self.shared.workers[self.index].stats
    }

    /// The present snapshot: one load of a shared number, and no reference count that other
    /// workers write to.
    pub(crate) fn view(&self) -> Rc<View> {
        let version = self.shared.version();
        if version != self.version.get() {
            self.version.set(version);
            *self.view.borrow_mut() = Rc::new(View(self.shared.snapshot()));
        }
        Rc::clone(&self.view.borrow())
    }

    pub(crate) fn pools(&self) -> RefMut<'_, Pools> {
        self.pools.borrow_mut()
    }

    pub(crate) fn random(&self) -> RefMut<'_, Rng> {
        self.random.borrow_mut()
    }

    pub(crate) fn log(&self) -> RefMut<'_, LogBuffer> {
        self.log.borrow_mut()
    }

    /// The time of the last tick: enough for what is measured in seconds.
    pub(crate) fn tick(&self) -> Instant {
        self.tick.get()
    }

    fn hand_over_log(&self) {
        if let Some(log) = &self.log_to {
            let dropped = self.log().hand_over(log);
            self.stats().log_lines_dropped.add(dropped);
        }
    }

    /// What is done from time to time.
    fn sweep(&self) {
        let now = clock::now();
        self.tick.set(now);
        self.wall.adjust();
        let closed = self.connections.sweep(now, &self.shared.options.timeouts);
        self.stats().connections_timed_out.add(closed);
        self.pools().sweep(now);
        self.hand_over_log();
    }
}

/// How often a worker looks at its connections.
fn tick_of(timeouts: &Timeouts) -> Duration {
    let shortest = [
        timeouts.head,
        timeouts.idle,
        timeouts.stream_idle,
        timeouts.tunnel_idle,
    ]
    .into_iter()
    .min();
    let quarter = shortest.unwrap_or_default() / 4;
    quarter.clamp(Duration::from_millis(5), Duration::from_secs(1))
}

/// Makes a worker's event loop.
pub(crate) fn runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
}

/// Runs a worker until it is drained; `ended` hears of it. Called on the worker's own thread.
pub(crate) fn run(
    index: usize,
    shared: Arc<Shared>,
    listeners: Vec<TcpListener>,
    log: Option<LogSender>,
    runtime: runtime::Runtime,
    ended: Sender<usize>,
) {
    let worker = {
        let _on_it = runtime.enter();
        Rc::new(Worker::new(index, shared, log))
    };
    let local = LocalSet::new();
    local.block_on(&runtime, serve(Rc::clone(&worker), listeners));
    // Connections hold the worker and the worker's pools hold connections.
    worker.pools().clear();
    worker.hand_over_log();
    // Nobody waits any more if the handle is gone.
    let _ = ended.send(index);
}

/// Accepts and watches until the gateway drains, then waits for the last connection.
async fn serve(worker: Rc<Worker>, listeners: Vec<TcpListener>) {
    let stop = Rc::new(Notify::new());
    for listener in listeners {
        tokio::task::spawn_local(accept(Rc::clone(&worker), listener, Rc::clone(&stop)));
    }
    let mut tick = interval(tick_of(&worker.shared.options.timeouts));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let changed = &worker.shared.workers[worker.index].changed;
    let mut draining = false;
    loop {
        tokio::select! {
            () = changed.notified() => {
                // A worker without requests must let go of what is gone, too.
                drop(worker.view());
                worker.pools().prune();
            }
            _ = tick.tick() => worker.sweep(),
        }
        if worker.shared.is_draining() && !draining {
            draining = true;
            worker.connections.drain();
            stop.notify_waiters();
            // The accepting tasks take what is waiting before they end.
            yield_now().await;
        }
        if worker.shared.is_closing() {
            worker.connections.close();
        }
        if draining && worker.connections.len() == 0 {
            return;
        }
    }
}

async fn accept(worker: Rc<Worker>, listener: TcpListener, stop: Rc<Notify>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a worker of the gateway cannot listen");
            return;
        }
    };
    let mut stopped = std::pin::pin!(stop.notified());
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => take(&worker, stream, address),
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            // Only once nothing waits: the kernel resets connections that a closed listener
            // leaves behind.
            () = &mut stopped => return,
        }
    }
}

fn take(worker: &Rc<Worker>, stream: TcpStream, address: SocketAddr) {
    let most = worker
        .shared
        .options
        .limits
        .connections
        .div_ceil(worker.shared.workers.len());
    worker.stats().connections_accepted.add(1);
    if worker.connections.len() >= most {
        worker.stats().connections_refused.add(1);
        return;
    }
    connection::start(worker, stream, address);
}
