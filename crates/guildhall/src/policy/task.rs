//! Follows the policies of the namespace, does what time alone does, and reports how the machines stand.

use std::{sync::Arc, time::Duration};

use guildhall_api::{
    client::WatchScope,
    report::{Courier, RemoteSink},
    source::{RemoteSource, SourceOptions},
    wire::path::encode,
};
use guildhall_core::{
    document::{InstanceId, Timestamp},
    policy::report::{OBSERVE_EVERY, ReportedBy, Reporter, ReporterKind},
    registry::health::Moment,
    source::{SnapshotSource, Update},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{Callees, told, told::Told};
use crate::{clock, discovery::Feed};

/// How often time's own doing is done: orders to breakers that expire, outliers that are looked for.
const TICK: Duration = Duration::from_secs(1);

/// How long the farewell to the platform may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Follows the policies until told to stop; then the copy on disk is written. Reports go out under the name of
/// `instance`, where there is a platform to take them.
pub(crate) async fn follow(
    callees: Arc<Callees>,
    feed: Option<Feed>,
    instance: InstanceId,
    mut stop: watch::Receiver<bool>,
) {
    let mut source = feed.as_ref().and_then(start);
    let mut courier = feed.as_ref().map(|feed| courier(feed, instance));
    let mut told = Told::default();
    let mut looks = interval(OBSERVE_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
            _ = looks.tick(), if courier.is_some() => {
                if let Some(courier) = &mut courier {
                    let now = moment();
                    courier.observe(callees.states(now.monotonic), now);
                }
            }
            _ = ticks.tick() => callees.tick(clock::now()),
            () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
        }
    }
    if let Some(courier) = courier {
        // A platform that does not answer notices the silence.
        let _ = timeout(FAREWELL, courier.stop(moment())).await;
    }
    if let Some(source) = source {
        source.stop().await;
    }
}

/// Tells the platform how the machines stand.
fn courier(feed: &Feed, instance: InstanceId) -> Courier {
    let who = ReportedBy {
        kind: ReporterKind::Service,
        namespace: Some(feed.namespace.clone()),
        name: feed.owner.clone(),
        instance,
    };
    let sink = RemoteSink::new(feed.client.clone());
    Courier::start(Reporter::new(who, fastrand::u32(..)), Box::new(sink))
}

fn moment() -> Moment {
    Moment {
        monotonic: clock::now(),
        wall: Timestamp::from_system(clock::wall()),
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
