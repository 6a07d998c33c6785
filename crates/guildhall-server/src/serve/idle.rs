//! Ends connections: those that stand idle for too long, and all of them at a shutdown. A timer per request would cost
//! more than the request's routing; here a request costs two stores, and one sweep a second looks at every connection.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::task::AbortHandle;

/// Stands for: a request is under way.
const BUSY: u32 = u32::MAX;
/// From one sweep to the next.
const SWEEP: Duration = Duration::from_secs(1);

/// Every connection of a listener; dropping it ends the sweeps.
pub(super) struct Idle {
    shared: Arc<Shared>,
    sweeper: AbortHandle,
}

struct Shared {
    /// Sweeps so far.
    tick: AtomicU32,
    stopping: AtomicBool,
    connections: Mutex<Vec<Weak<Activity>>>,
}

/// Whether a connection is busy, or since when it is not.
pub(super) struct Activity {
    shared: Arc<Shared>,
    idle_since: AtomicU32,
    order: AtomicU8,
    ordered: AtomicWaker,
}

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Close at once: it stood idle for too long.
    Close = 1,
    /// Finish what is under way, then close.
    Finish = 2,
}

/// Waits for an order. Looking again costs one load: what is looked at with every piece of a stream must not lock.
pub(super) struct Ordered<'a> {
    activity: &'a Activity,
    registered: Option<Waker>,
}

/// A request is under way while this lives.
pub(crate) struct Busy(Arc<Activity>);

impl Idle {
    /// Sweeps until dropped; connections that stand idle longer than `limit` expire.
    pub(super) fn start(limit: Duration) -> Self {
        let shared = Arc::new(Shared {
            tick: AtomicU32::new(0),
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let most = u32::try_from(limit.as_secs()).unwrap_or(BUSY - 1).max(1);
        let swept = shared.clone();
        let sweeps = async move {
            let mut interval = tokio::time::interval(SWEEP);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                interval.tick().await;
                swept.sweep(most);
            }
        };
        Self {
            shared,
            sweeper: tokio::spawn(sweeps).abort_handle(),
        }
    }

    /// Takes a new connection in; it is idle until its first request has arrived.
    pub(super) fn enter(&self) -> Arc<Activity> {
        let activity = Arc::new(Activity {
            shared: self.shared.clone(),
            idle_since: AtomicU32::new(self.shared.tick.load(Ordering::Relaxed)),
            order: AtomicU8::new(0),
            ordered: AtomicWaker::new(),
        });
        let mut connections = self.shared.lock();
        if self.shared.stopping.load(Ordering::Relaxed) {
            activity.tell(Order::Finish);
        }
        connections.push(Arc::downgrade(&activity));
        drop(connections);
        activity
    }

    /// Tells every connection to finish.
    pub(super) fn stop(&self) {
        let connections = self.shared.lock();
        self.shared.stopping.store(true, Ordering::Relaxed);
        for activity in connections.iter().filter_map(Weak::upgrade) {
            activity.tell(Order::Finish);
        }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.sweeper.abort();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Activity>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// One sweep: forgets connections that are gone, tells those that stood idle for more than `most` sweeps.
    fn sweep(&self, most: u32) {
        let now = self.tick.fetch_add(1, Ordering::Relaxed) + 1;
        self.lock().retain(|connection| {
            let Some(activity) = connection.upgrade() else {
                return false;
            };
            let since = activity.idle_since.load(Ordering::Relaxed);
            if since != BUSY && now.saturating_sub(since) > most {
                activity.tell(Order::Close);
            }
            true
        });
    }
}

impl Activity {
    /// Marks the connection busy until the answer is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.idle_since.store(BUSY, Ordering::Relaxed);
        Busy(self.clone())
    }

    fn tell(&self, order: Order) {
        self.order.store(order as u8, Ordering::Release);
        self.ordered.wake();
    }

    /// Waits until the connection is told what to do. One at a time may wait.
    pub(super) fn ordered(&self) -> Ordered<'_> {
        Ordered {
            activity: self,
            registered: None,
        }
    }
}

impl Ordered<'_> {
    fn look(&self) -> Poll<Order> {
        match self.activity.order.load(Ordering::Acquire) {
            0 => Poll::Pending,
            1 => Poll::Ready(Order::Close),
            _ => Poll::Ready(Order::Finish),
        }
    }
}

impl Future for Ordered<'_> {
    type Output = Order;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Order> {
        let known = self.registered.as_ref();
        if !known.is_some_and(|known| known.will_wake(cx.waker())) {
            self.activity.ordered.register(cx.waker());
            self.registered = Some(cx.waker().clone());
        }
        self.look()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let now = self.0.shared.tick.load(Ordering::Relaxed);
        self.0.idle_since.store(now, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_expires_and_a_busy_one_does_not() {
        let idle = Idle::start(Duration::from_secs(3));
        let (quiet, working) = (idle.enter(), idle.enter());
        let busy = working.busy();
        assert_eq!(quiet.ordered().await, Order::Close);
        let longer = tokio::time::timeout(Duration::from_secs(60), working.ordered()).await;
        assert!(longer.is_err(), "a request is under way");
        drop(busy);
        assert_eq!(working.ordered().await, Order::Close);
        drop((quiet, working));
        idle.shared.sweep(3);
        assert!(idle.shared.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_reaches_those_who_wait_and_those_who_come_later() {
        let idle = Arc::new(Idle::start(Duration::from_secs(3)));
        let early = idle.enter();
        let waits = tokio::spawn(async move { early.ordered().await });
        tokio::task::yield_now().await;
        idle.stop();
        assert_eq!(waits.await.unwrap(), Order::Finish);
        assert_eq!(idle.enter().ordered().await, Order::Finish);
    }
}
