//! The load: a number of connections, each with one request in flight, for a bounded time and count. It runs on one
//! thread of its own, pinned where the benchmark asks, so that what it costs never mixes with what is measured.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use crate::http::{Connection, Reply};

/// The longest latency that is kept apart; anything longer counts as this.
const SLOWEST: u64 = 60_000_000;

/// How much load.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Where to.
    pub(crate) address: SocketAddr,
    /// Connections, each with one request in flight.
    pub(crate) connections: usize,
    /// When no new request starts.
    pub(crate) duration: Duration,
    /// After how many operations none starts.
    pub(crate) requests: u64,
    /// Requests of which one operation consists, each sent when the one before it is answered.
    pub(crate) steps: u64,
    /// The load's core.
    pub(crate) core: Option<usize>,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Operations answered as wanted.
    pub(crate) done: u64,
    /// Operations answered otherwise.
    pub(crate) failed: u64,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Microseconds from an operation's first request to its last whole answer.
    pub(crate) latency: Histogram<u64>,
}

/// An empty histogram of microseconds, three digits each.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, SLOWEST, 3).context("the histogram's bounds")
}

/// Keeps a latency.
pub(crate) fn record(histogram: &mut Histogram<u64>, latency: Duration) {
    histogram.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(SLOWEST));
}

/// Runs the load on a thread of its own. `request` writes the n-th request; `wanted` says whether an answer is one.
pub(crate) fn run(
    plan: Plan,
    request: impl Fn(u64, &mut Vec<u8>) + Send + 'static,
    wanted: impl Fn(&Reply<'_>) -> bool + Send + 'static,
) -> Result<Outcome> {
    on_own_thread(plan.core, move || async move {
        let shared = Rc::new(Shared {
            plan,
            request,
            wanted,
            started: Instant::now(),
            outcome: RefCell::new(Outcome {
                done: 0,
                failed: 0,
                elapsed: Duration::ZERO,
                latency: histogram()?,
            }),
            next: RefCell::new(0),
        });
        let workers: Vec<_> = (0..plan.connections)
            .map(|_| tokio::task::spawn_local(Rc::clone(&shared).work()))
            .collect();
        for worker in workers {
            worker.await.context("a connection's task failed")??;
        }
        let shared = Rc::into_inner(shared).context("a connection's task is still there")?;
        let mut outcome = shared.outcome.into_inner();
        outcome.elapsed = shared.started.elapsed();
        Ok(outcome)
    })
}

/// Runs a future on a thread of its own, with a runtime of its own, on one core where asked.
pub(crate) fn on_own_thread<F, T>(core: Option<usize>, work: impl FnOnce() -> F + Send) -> Result<T>
where
    F: Future<Output = Result<T>>,
    T: Send,
{
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            if let Some(core) = core {
                let mut set = rustix::thread::CpuSet::new();
                set.set(core);
                rustix::thread::sched_setaffinity(None, &set)
                    .context("cannot pin the load to its core")?;
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            LocalSet::new().block_on(&runtime, work())
        });
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

struct Shared<R, W> {
    plan: Plan,
    request: R,
    wanted: W,
    started: Instant,
    outcome: RefCell<Outcome>,
    next: RefCell<u64>,
}

impl<R: Fn(u64, &mut Vec<u8>), W: Fn(&Reply<'_>) -> bool> Shared<R, W> {
    /// One connection's share.
    async fn work(self: Rc<Self>) -> Result<()> {
        let mut connection = Connection::open(self.plan.address).await?;
        let mut bytes = Vec::new();
        while let Some(number) = self.take() {
            let mut wanted = true;
            let mut latency = Duration::ZERO;
            for step in 0..self.plan.steps {
                bytes.clear();
                (self.request)(number * self.plan.steps + step, &mut bytes);
                let sent = Instant::now();
                let reply = connection.send(&bytes).await?;
                latency += sent.elapsed();
                wanted = (self.wanted)(&reply);
                if !wanted {
                    if self.outcome.borrow().failed == 0 {
                        let body =
                            String::from_utf8_lossy(&reply.body[..reply.body.len().min(300)]);
                        eprintln!("  first answer not wanted: status {}, {body}", reply.status);
                    }
                    break;
                }
            }
            let mut outcome = self.outcome.borrow_mut();
            record(&mut outcome.latency, latency);
            if wanted {
                outcome.done += 1;
            } else {
                outcome.failed += 1;
            }
        }
        Ok(())
    }

    /// The next operation's number, while there is one.
    fn take(&self) -> Option<u64> {
        let mut next = self.next.borrow_mut();
        if *next == self.plan.requests || self.started.elapsed() >= self.plan.duration {
            return None;
        }
        *next += 1;
        Some(*next - 1)
    }
}
