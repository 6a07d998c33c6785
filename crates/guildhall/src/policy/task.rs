//! Follows the policies of the namespace, and does what time alone does.

use std::{sync::Arc, time::Duration};

use guildhall_api::{
    client::WatchScope,
    source::{RemoteSource, SourceOptions},
    wire::path::encode,
};
use guildhall_core::{
    document::Timestamp,
    source::{SnapshotSource, Update},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{Callees, told, told::Told};
use crate::{clock, discovery::Feed};

/// How often time's own doing is done: orders to breakers that expire, outliers that are looked for.
const TICK: Duration = Duration::from_secs(1);

/// Follows the policies until told to stop; then the copy on disk is written.
pub(crate) async fn follow(
    callees: Arc<Callees>,
    feed: Option<Feed>,
    mut stop: watch::Receiver<bool>,
) {
    let mut source = feed.as_ref().and_then(start);
    let mut told = Told::default();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            update = next(&mut source) => match update {
                Some(update) => {
                    if told.apply(update) {
                        let wall = Timestamp::from_system(clock::wall());
                        callees.follow(told.policies(), clock::now(), wall);
                    }
                }
                None => source = None,
            },
            _ = ticks.tick() => callees.tick(clock::now()),
            () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
        }
    }
    if let Some(source) = source {
        source.stop().await;
    }
}

/// The next update; never, where there is nobody to tell one.
async fn next(source: &mut Option<RemoteSource>) -> Option<Update> {
    match source {
        Some(source) => source.next().await,
        None => std::future::pending().await,
    }
}

/// One watch for all policies of the namespace, with one copy on disk.
fn start(feed: &Feed) -> Option<RemoteSource> {
    let scope = WatchScope {
        kinds: vec![told::kind()?],
        namespace: Some(feed.namespace.clone()),
        service: None,
    };
    let cache = feed.cache.as_deref().map(|folder| {
        let owner = encode(feed.owner.as_str());
        folder.join(format!("{}.{owner}.policies", feed.namespace))
    });
    let options = SourceOptions {
        cache,
        ..SourceOptions::default()
    };
    Some(RemoteSource::start(feed.client.clone(), scope, options))
}
