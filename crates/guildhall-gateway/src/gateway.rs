//! Starting a gateway, asking how it is, and ending it.

use std::{
    net::SocketAddr,
    num::NonZero,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use guildhall_core::{document::Index, source::SnapshotSource};
use serde::Serialize;

use crate::{
    ExactCount, Options, Reports, StartError, access_log, clock, listen,
    shared::Shared,
    snapshot::{self, SnapshotThread},
    stats::Traffic,
    worker,
};

/// How long workers have for closing once the drain's deadline is over.
const CLOSING: Duration = Duration::from_secs(2);

/// The data plane. It runs on threads of its own, whatever runs around it.
#[derive(Debug)]
pub struct Gateway;

impl Gateway {
    /// Listens, and serves what `source` says. Returns once all addresses are listened on; requests
    /// that come before the source's first update are answered with 503.
    pub fn start(
        options: Options,
        source: Box<dyn SnapshotSource>,
    ) -> Result<GatewayHandle, StartError> {
        Self::start_reporting(options, source, None)
    }

    /// The same, and it reports its breakers and limits.
    pub fn start_reporting(
        options: Options,
        source: Box<dyn SnapshotSource>,
        reports: Option<Reports>,
    ) -> Result<GatewayHandle, StartError> {
        if options.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        let thread_failed = |source| StartError::Thread { source };
        let workers = match options.workers {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            n => n,
        };
        let mut addresses = Vec::new();
        let mut listeners: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
        for address in &options.listen {
            let (taken, sockets) = listen::listen(*address, workers)?;
            addresses.push(taken);
            for (of_worker, socket) in listeners.iter_mut().zip(sockets) {
                of_worker.push(socket);
            }
        }
        let (log, log_thread) = access_log::spawn(&options.access_log)?.unzip();
        let shared = Arc::new(Shared::new(options, workers));
        let snapshots = snapshot::spawn(
            Arc::clone(&shared),
            source,
            reports.zip(addresses.first().copied()),
        )
        .map_err(thread_failed)?;
        let (ended, ending) = channel();
        let mut threads = Vec::with_capacity(workers);
        for (index, listeners) in listeners.into_iter().enumerate() {
            let runtime = worker::runtime().map_err(thread_failed)?;
            let (shared, log, ended) = (Arc::clone(&shared), log.clone(), ended.clone());
            let thread = thread::Builder::new()
                .name(format!("gateway-{index}"))
                .spawn(move || worker::run(index, shared, listeners, log, runtime, ended))
                .map_err(thread_failed)?;
            threads.push(thread);
        }
        tracing::info!(?addresses, workers, "the gateway listens");
        let running = Running {
            snapshots,
            threads,
            ending,
            log_thread,
        };
        Ok(GatewayHandle {
            shared,
            addresses,
            running: Some(running),
        })
    }
}

/// The threads of a gateway.
#[derive(Debug)]
struct Running {
    snapshots: SnapshotThread,
    threads: Vec<JoinHandle<()>>,
    ending: Receiver<usize>,
    log_thread: Option<JoinHandle<()>>,
}

/// A running gateway. Dropped, it closes at once.
#[derive(Debug)]
pub struct GatewayHandle {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    running: Option<Running>,
}

/// How a gateway is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether it takes requests: documents have come and it does not drain.
    pub ready: bool,
    /// Whether it is about to end.
    pub draining: bool,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// Its worker threads.
    pub workers: usize,
    /// Where its documents stand; `None` before the first and for those from a disk cache.
    pub index: Option<Index>,
    /// How many matches its routes have together.
    pub routes: usize,
    /// How many endpoints they reach.
    pub endpoints: usize,
    /// How many rules of policies limit rates with scope `Exact`.
    pub exact_limits: usize,
    /// Who counts those.
    pub exact_count: ExactCount,
    /// What it counted.
    pub traffic: Traffic,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    Finished,
    /// The deadline came first; this many connections were closed on their requests.
    Aborted(u64),
}

impl GatewayHandle {
    /// Where it listens, in the order of the options, with the ports that were taken.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How it is.
    pub fn status(&self) -> Status {
        let snapshot = self.shared.snapshot();
        let draining = self.shared.is_draining();
        Status {
            ready: snapshot.ready && !draining,
            draining,
            addresses: self.addresses.clone(),
            workers: self.shared.workers.len(),
            index: snapshot.index,
            routes: snapshot.table.len(),
            endpoints: snapshot.endpoints(),
            exact_limits: snapshot.exact_limits,
            exact_count: self.shared.exact.count(),
            traffic: self.shared.traffic(),
        }
    }

    /// Ends it: listens no more, closes idle connections, lets running requests finish for at most
    /// `deadline`, then closes what is left. Blocks; call it where blocking is fine.
    pub fn drain(mut self, deadline: Duration) -> Drained {
        self.end(deadline)
    }

    fn end(&mut self, deadline: Duration) -> Drained {
        let Some(mut running) = self.running.take() else {
            return Drained::Finished;
        };
        self.shared.drain();
        let by = clock::now() + deadline;
        let mut left = running.threads.len();
        while left > 0 {
            let rest = by.saturating_duration_since(clock::now());
            match running.ending.recv_timeout(rest) {
                Ok(_) => left -= 1,
                Err(RecvTimeoutError::Timeout) => break,
                // Every thread has ended, by panic if not as it should.
                Err(RecvTimeoutError::Disconnected) => left = 0,
            }
        }
        let cut = self.shared.traffic().connections;
        let drained = if left == 0 {
            Drained::Finished
        } else {
            Drained::Aborted(cut)
        };
        self.shared.close();
        while left > 0 {
            match running.ending.recv_timeout(CLOSING) {
                Ok(_) => left -= 1,
                Err(_) => break,
            }
        }
        running.snapshots.stop();
        if left == 0 {
            for thread in running.threads {
                // A panic was reported when it happened.
                let _ = thread.join();
            }
        } else {
            tracing::error!(
                left,
                "workers of the gateway do not end; they are left behind"
            );
        }
        // The writer ends with its last sender, and those were the workers'.
        if let (Some(thread), true) = (running.log_thread, left == 0) {
            let _ = thread.join();
        }
        drained
    }
}

impl Drop for GatewayHandle {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
