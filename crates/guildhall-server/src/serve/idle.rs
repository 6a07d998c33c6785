//! Closes connections that stand idle. A timer per request would cost more than the request's routing; here a request
//! costs two stores, and one sweep a second looks at every connection.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::AbortHandle};

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
    connections: Mutex<Vec<Weak<Activity>>>,
}

/// Whether a connection is busy, or since when it is not.
pub(super) struct Activity {
    shared: Arc<Shared>,
    idle_since: AtomicU32,
    expired: Notify,
}

/// A request is under way while this lives.
pub(crate) struct Busy(Arc<Activity>);

impl Idle {
    /// Sweeps until dropped; connections that stand idle longer than `limit` expire.
    pub(super) fn start(limit: Duration) -> Self {
        let shared = Arc::new(Shared {
            tick: AtomicU32::new(0),
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
            expired: Notify::new(),
        });
        self.shared.lock().push(Arc::downgrade(&activity));
        activity
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
                activity.expired.notify_one();
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

    /// Waits until the connection stood idle for too long.
    pub(super) async fn expired(&self) {
        self.expired.notified().await;
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
        quiet.expired().await;
        let longer = tokio::time::timeout(Duration::from_secs(60), working.expired()).await;
        assert!(longer.is_err(), "a request is under way");
        drop(busy);
        working.expired().await;
        drop((quiet, working));
        idle.shared.sweep(3);
        assert!(idle.shared.lock().is_empty());
    }
}
