//! A task that ends with its owner.

use tokio::task::JoinSet;

/// A task that is aborted when this is dropped.
#[derive(Debug)]
pub(crate) struct Task<T>(JoinSet<T>);

impl<T: Send + 'static> Task<T> {
    pub(crate) fn spawn(future: impl Future<Output = T> + Send + 'static) -> Self {
        let mut set = JoinSet::new();
        set.spawn(future);
        Self(set)
    }

    /// Waits for the task; `None` if it panicked, which the runtime has reported.
    pub(crate) async fn join(mut self) -> Option<T> {
        self.0.join_next().await?.ok()
    }
}
