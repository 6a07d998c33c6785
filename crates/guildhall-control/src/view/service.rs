//! The view's task: the only writer of the state.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use guildhall_core::document::{Index, LIVE};
use guildhall_store::{ReadError, Store, Watch, WatchError, WatchItem};
use tokio_util::sync::CancellationToken;

use super::View;
use super::fold::Folder;
use super::load::load;
use crate::watch::Hub;

/// How many items of the watch go into one published state.
const BATCH: usize = 512;

/// How long the task rests when the store cannot be asked.
const PAUSE: Duration = Duration::from_millis(200);

/// What [`start`] hands to [`run`].
pub(crate) struct Folding {
    folder: Folder,
    watch: Option<Watch>,
}

/// Reads the first state; from then on [`run`] keeps it current.
pub(crate) async fn start(store: &dyn Store, hub: &Hub) -> Result<(View, Folding), ReadError> {
    let loaded = load(store).await?;
    let index = loaded.state.index;
    let view = View::new(loaded.state.clone());
    view.publish(loaded.state.clone(), loaded.unreadable);
    hub.resync(index);
    let watch = follow(store, &view, index).await.ok();
    Ok((
        view,
        Folding {
            folder: Folder::new(loaded.state, loaded.unreadable),
            watch,
        },
    ))
}

/// Folds until `stop`.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    view: Arc<View>,
    hub: Arc<Hub>,
    mut folding: Folding,
    stop: CancellationToken,
) {
    while let Some(()) = stop
        .run_until_cancelled(step(&*store, &view, &hub, &mut folding))
        .await
    {}
    hub.close();
}

/// Takes what the watch has, or starts over where it ended.
async fn step(store: &dyn Store, view: &View, hub: &Hub, folding: &mut Folding) {
    let Some(watch) = &mut folding.watch else {
        start_over(store, view, hub, folding).await;
        return;
    };
    match take(watch, &mut folding.folder, view, hub).await {
        Ok(()) => {}
        Err(WatchError::Unavailable(error)) => {
            tracing::warn!(%error, "the watch of the store ended; it is taken up again");
            tokio::time::sleep(PAUSE).await;
            let index = folding.folder.state.index;
            // What is not to be followed from there leads to a full read.
            folding.watch = follow(store, view, index).await.ok();
        }
        Err(error) => {
            tracing::warn!(%error, "the watch of the store has a gap; everything is read again");
            folding.watch = None;
        }
    }
}

async fn follow(store: &dyn Store, view: &View, index: Index) -> Result<Watch, WatchError> {
    let watch = store
        .watch(LIVE.as_bytes(), Some(index.revision + 1))
        .await?;
    view.follow(Some(watch.progress()));
    Ok(watch)
}

/// Folds all that waits (at least one item) and publishes it once. The order of revisions is
/// kept in what the watchers are told.
async fn take(
    watch: &mut Watch,
    folder: &mut Folder,
    view: &View,
    hub: &Hub,
) -> Result<(), WatchError> {
    let mut changes = Vec::new();
    let mut item = watch.next().await;
    let mut left = BATCH;
    let ended = loop {
        match item {
            Ok(WatchItem::Changes(batch)) => folder.fold(&batch, view.handover(), &mut changes),
            Ok(WatchItem::Bookmark(revision)) => folder.pass(revision),
            Err(error) => break Err(error),
        }
        left -= 1;
        if left == 0 {
            break Ok(());
        }
        match watch.next().now_or_never() {
            Some(next) => item = next,
            None => break Ok(()),
        }
    };
    let index = folder.state.index;
    if index != view.load().index {
        view.publish(folder.state.clone(), folder.unreadable);
        hub.deliver(&changes, index);
        view.announce(index);
    }
    ended
}

/// Reads everything again, publishes it and tells every watcher to resynchronise.
async fn start_over(store: &dyn Store, view: &View, hub: &Hub, folding: &mut Folding) {
    view.follow(None);
    let loaded = match load(store).await {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::warn!(%error, "the store cannot be read; trying again");
            tokio::time::sleep(PAUSE).await;
            return;
        }
    };
    let state = loaded.state;
    let index = state.index;
    folding.folder = Folder::new(state.clone(), loaded.unreadable);
    view.handover().clear();
    view.publish(state, loaded.unreadable);
    hub.resync(index);
    view.announce(index);
    folding.watch = follow(store, view, index).await.ok();
}
