//! Follows the policies of the namespace, does what time alone does, and reports how breakers and limits stand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_api::{
    client::WatchScope,
    report::{Courier, RemoteSink},
    source::{RemoteSource, SourceOptions},
    wire::path::encode,
};
use guildhall_core::{
    document::{Kind, Timestamp},
    policy::report::{OBSERVE_EVERY, ReportedBy, Reporter, ReporterKind},
    registry::health::Moment,
    source::{SnapshotSource, Update},
};
use tokio::sync::watch;

use super::{Callees, told::Told};
use crate::{clock, discovery::Feed, identity::Identity};

/// How often time's own doing is done: orders to breakers that expire, outliers that are looked for, figures told.
const TICK: Duration = Duration::from_secs(1);
/// How long after a breaker has changed it is looked at more often, so that the platform hears of it at once and of what
/// follows. A service in which nothing happens wakes once a second.
const BRISK: Duration = Duration::from_secs(1);
/// How long the last report may take: silence is noticed, too.
const FAREWELL: Duration = Duration::from_secs(1);

/// Follows the policies until told to stop; then the copy on disk is written.
pub(crate) async fn follow(
    callees: Arc<Callees>,
    feed: Option<Feed>,
    identity: Arc<Identity>,
    mut stop: watch::Receiver<bool>,
) {
    let mut source = feed.as_ref().map(start);
    let mut courier = feed.as_ref().map(|feed| report(feed, &identity));
    let mut told = Told::default();
    let mut next_tick = clock::now();
    let mut brisk_until: Option<Instant> = None;
    loop {
        tokio::select! {
            update = next(&mut source) => match update {
                Some(update) => {
                    if told.apply(update) {
                        let Moment { monotonic, wall } = moment();
                        callees.follow(told.policies(), monotonic, wall);
                    }
                }
                None => source = None,
            },
            () = callees.changed() => {
                let now = clock::now();
                (brisk_until, next_tick) = (Some(now + BRISK), now);
            }
            () = tokio::time::sleep_until(next_tick.into()) => {
                let now = moment();
                callees.tick(now.monotonic);
                if let Some(courier) = &mut courier {
                    callees.show(courier, now);
                }
                let brisk = brisk_until.is_some_and(|until| now.monotonic < until);
                next_tick = now.monotonic + if brisk { OBSERVE_EVERY } else { TICK };
            }
            () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
        }
    }
    if let Some(courier) = courier {
        // Who does not hear it notices the silence.
        let _ = tokio::time::timeout(FAREWELL, courier.stop(moment())).await;
    }
    if let Some(source) = source {
        source.stop().await;
    }
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
fn start(feed: &Feed) -> RemoteSource {
    let scope = WatchScope {
        kinds: vec![Kind::Policy],
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
    RemoteSource::start(feed.client.clone(), scope, options)
}

/// Reports of this process.
fn report(feed: &Feed, identity: &Identity) -> Courier {
    let who = ReportedBy {
        kind: ReporterKind::Service,
        namespace: Some(identity.namespace.clone()),
        name: identity.service.clone(),
        instance: identity.id.clone(),
    };
    let reporter = Reporter::new(who, fastrand::u32(..));
    Courier::start(reporter, Box::new(RemoteSink::new(feed.client.clone())))
}
