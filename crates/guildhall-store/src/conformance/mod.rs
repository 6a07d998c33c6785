//! What every engine must do, as tests: instantiate the suite with [`crate::conformance_suite!`].
//!
//! Each case gets an empty store. Keys and times are chosen so that a real etcd passes too, whose leases live for whole
//! seconds.

#![expect(
    clippy::expect_used,
    reason = "test code, although other crates can reach it"
)]

mod leases;
mod ranges;
mod transactions;
mod watches;

use std::{any::Any, sync::Arc, time::Duration};

use bytes::Bytes;

pub use leases::*;
pub use ranges::*;
pub use transactions::*;
pub use watches::*;

use crate::{
    CommitError, Committed, Entry, Op, Store, Transaction, Watch, WatchBatch, WatchError, WatchItem,
};

/// What no wait in the suite exceeds.
const DEADLINE: Duration = Duration::from_secs(30);

/// An empty store, and whatever must live as long (a directory, a process).
pub struct Engine {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Dropped after it.
    pub guard: Box<dyn Any + Send>,
}

impl Engine {
    /// A store that needs `guard`.
    pub fn new(store: impl Store, guard: impl Any + Send) -> Self {
        Self {
            store: Arc::new(store),
            guard: Box::new(guard),
        }
    }
}

/// Makes one test of each case of the suite. The argument is an `async fn() -> conformance::Engine`.
///
/// ```ignore
/// mod on_disk {
///     guildhall_store::conformance_suite!(super::make_on_disk);
/// }
/// ```
#[macro_export]
macro_rules! conformance_suite {
    ($make:path) => {
        $crate::conformance_suite! { $make:
            each_condition_holds_or_conflicts,
            a_transaction_is_all_or_nothing,
            limits_are_refused,
            each_change_takes_one_revision,
            entries_tell_their_history,
            a_commit_is_read_at_once,
            counters_lose_no_increment,
            one_of_many_creates_wins,
            prefixes_have_sharp_edges,
            pages_of_a_range_show_one_revision,
            a_compacted_page_says_so,
            a_watch_starts_now,
            a_watch_starts_at_a_revision,
            a_watch_yields_whole_revisions_of_its_prefix,
            a_watch_sees_every_revision_of_many_writers,
            a_watch_bookmarks_on_request,
            a_compacted_watch_says_so,
            a_watched_revision_can_be_read,
            a_lease_takes_its_keys_along,
            a_lease_that_is_renewed_lives,
            a_revoked_lease_is_over,
            an_unknown_lease_is_refused,
            a_key_leaves_its_lease,
            a_late_owner_is_fenced_off,
        }
    };
    ($make:path: $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let engine = $make().await;
                $crate::conformance::$case(&engine.store).await;
            }
        )*
    };
}

/// Waits for at most [`DEADLINE`].
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} took longer than {DEADLINE:?}"),
    }
}

async fn put(store: &Arc<dyn Store>, key: &str, value: &str) -> Committed {
    done(
        store,
        Transaction::new().then(Op::put(key.to_owned(), value.to_owned())),
    )
    .await
}

async fn delete(store: &Arc<dyn Store>, key: &str) -> Committed {
    done(store, Transaction::new().then(Op::delete(key.to_owned()))).await
}

async fn done(store: &Arc<dyn Store>, transaction: Transaction) -> Committed {
    attempt(store, transaction).await.expect("a commit")
}

async fn attempt(
    store: &Arc<dyn Store>,
    transaction: Transaction,
) -> Result<Committed, CommitError> {
    within("a commit", store.commit(transaction)).await
}

async fn get(store: &Arc<dyn Store>, key: &str) -> Option<Arc<Entry>> {
    within("a get", store.get(key.as_bytes()))
        .await
        .expect("a get")
}

async fn value(store: &Arc<dyn Store>, key: &str) -> Option<Bytes> {
    get(store, key).await.map(|entry| entry.value.clone())
}

async fn watch(store: &Arc<dyn Store>, prefix: &str, from: Option<u64>) -> Watch {
    within("a watch", store.watch(prefix.as_bytes(), from))
        .await
        .expect("a watch")
}

async fn item(watch: &mut Watch) -> Result<WatchItem, WatchError> {
    within("an item of a watch", watch.next()).await
}

/// The next revision that changed something; bookmarks are passed over.
async fn changes(watch: &mut Watch) -> WatchBatch {
    loop {
        if let WatchItem::Changes(batch) = item(watch).await.expect("an item") {
            return batch;
        }
    }
}

/// Passes over items until one covers `revision`.
async fn reach(watch: &mut Watch, revision: u64) {
    while item(watch).await.expect("an item").revision() < revision {}
}
